# SPDX-License-Identifier: BSD-2-Clause
"""Experiments that try to lose a token, or to let somebody in: `make proof`."""
