# SPDX-License-Identifier: BSD-2-Clause
"""What the Ansible collection and this package share, in the collection's layout; mapped by pyproject."""
