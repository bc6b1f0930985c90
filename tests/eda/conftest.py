# SPDX-License-Identifier: BSD-2-Clause
"""What the playbook tests have."""

from tests.ansible.conftest import _emulator, ansible, emulator  # noqa: F401 - fixtures
