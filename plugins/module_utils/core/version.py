# SPDX-License-Identifier: BSD-2-Clause
"""The version of the core and of the Python package; `nox -s changelog` takes it from galaxy.yml."""

VERSION = "0.2.0"
