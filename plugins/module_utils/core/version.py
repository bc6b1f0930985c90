# SPDX-License-Identifier: BSD-2-Clause
"""The version of the core and of the Python package: that of galaxy.yml, from which `nox -s changelog` writes it."""

VERSION = "0.2.0"
