# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The version of the core and of the Python package; `nox -s changelog` takes it from galaxy.yml."""

VERSION = "0.2.0"
