# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that all modules have."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  action:
    description: Has a corresponding action plugin, so part of it runs on the controller.
    support: full
  action_group:
    description: Takes its defaults from C(module_defaults) of C(group/echovalue.cloud.echovalue).
    support: full
    membership:
      - echovalue.cloud.echovalue
  async:
    description: Can run with C(async).
    support: none
    details:
      - The result of a background job could not be censored.
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
"""
