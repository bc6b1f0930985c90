# SPDX-License-Identifier: BSD-2-Clause
"""An EchoValue-compatible server on this machine: for the demo, the tests and the benchmark.

Run it with `python -m tools.emulator`, or from Python with `tools.emulator.client.Emulator`.
"""
