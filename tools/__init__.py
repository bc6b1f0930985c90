# SPDX-License-Identifier: BSD-2-Clause
"""What people and the tests run: the emulator, the demo, the benchmark, the proof, the builders."""
