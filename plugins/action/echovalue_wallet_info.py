# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs echovalue_wallet_info, whose result holds no secret."""

from __future__ import annotations

from ..plugin_utils.on_controller import TokenAction


class ActionModule(TokenAction):
    pass
