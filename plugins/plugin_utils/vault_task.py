# SPDX-License-Identifier: GPL-3.0-or-later
"""What echovalue_token does on the controller: provision the variables of a vaulted file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Callable

from ansible.parsing.vault import VaultLib
from ansible_collections.echovalue.cloud.plugins.module_utils.core.signals import signals_held
from ansible_collections.echovalue.cloud.plugins.module_utils.module import CONNECTION_SPEC, make_client
from ansible_collections.echovalue.cloud.plugins.module_utils.token_task import (
    ARGUMENT_SPEC,
    CONSTRAINTS,
    items,
    perform,
    perform_many,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.vault_file import VaultFile, VaultVariable

# What the options are checked by, as ActionBase.validate_argument_spec takes it.
OPTIONS: dict[str, Any] = {"argument_spec": {**ARGUMENT_SPEC, **CONNECTION_SPEC}, **CONSTRAINTS}


def provision_vaulted(
    params: Mapping[str, Any],
    path: str,
    vault: VaultLib,
    *,
    check_mode: bool,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Do what the validated options ask for with the file at `path`; return the task's result.

    `vault` holds the run's vault secrets. Raises the errors of core/errors.py.
    """
    many = params["tokens"] is not None
    wanted = items(params) if many else [params]
    file = VaultFile(
        path,
        [item["variable"] for item in wanted],
        vault,
        vault_id=params["vault_id"],
        backup=params["backup"],
        dry_run=check_mode,
    )
    client = make_client(params)
    doing: dict[str, Any] = {"check_mode": check_mode, "warn": warn}
    # Held until the file is written: tokens minted together are in memory alone before that.
    with signals_held() if many else nullcontext(), file.lock():
        before = file.read() or {}
        tokens = dict(before)
        places = [(item, VaultVariable(file, item["variable"], tokens, at_once=not many)) for item in wanted]
        if not many:
            return perform(params, client, places[0][1], **doing)
        try:
            result = perform_many(params, client, places, **doing)
        finally:
            if tokens != before:  # once for all, and whatever happened to the others
                file.write(tokens)
    return {**result, "changed": result["changed"] or file.recovered, "backup_file": file.backup_file}
