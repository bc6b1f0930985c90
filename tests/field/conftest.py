# SPDX-License-Identifier: BSD-2-Clause
"""The service for the reports, and the servers that some of them need."""

from tests.ansible.conftest import _emulator, emulator  # noqa: F401 - fixtures
