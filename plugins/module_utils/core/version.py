# SPDX-License-Identifier: BSD-2-Clause
"""The version of the core and of the Python package; a test holds it equal to galaxy.yml."""

VERSION = "0.1.0"
