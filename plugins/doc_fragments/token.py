# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that take a token."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  token:
    description:
      - The token.
      - With neither O(token) nor O(path), the environment variable E(ECHOVALUE_TOKEN) of the target is used.
    type: str
  path:
    description: The file on the target that keeps the token.
    type: path
"""
