# SPDX-License-Identifier: BSD-2-Clause
"""Experiments that try to lose a token, or to let an intruder in: `make proof`."""
