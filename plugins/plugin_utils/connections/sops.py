# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""SOPS files: the program, and its keys from the variables of community.sops and the environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from ...module_utils.files.atomic_file import AtomicFile
from ..places.sops import SopsKey
from ..places.sops_formats import names_of
from ..places.sops_program import CONFIG, MAX_SIZE, Sops
from .run_context import RunContext

# Variables of community.sops that are not named as the environment of sops is.
_VARIABLES = {
    "sops_age_key": "SOPS_AGE_KEY",
    "sops_age_keyfile": "SOPS_AGE_KEY_FILE",
    "sops_age_key_cmd": "SOPS_AGE_KEY_CMD",
    "sops_age_ssh_private_keyfile": "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
    "sops_age_ssh_private_key_cmd": "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
    "sops_aws_profile": "AWS_PROFILE",
    "sops_aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "sops_aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "sops_aws_session_token": "AWS_SESSION_TOKEN",
    "sops_session_token": "AWS_SESSION_TOKEN",
    "sops_gcp_oauth_access_token": "GOOGLE_OAUTH_ACCESS_TOKEN",
    "sops_gcp_kms_client_type": "SOPS_GCP_KMS_CLIENT_TYPE",
    "sops_config_path": CONFIG,
    "sops_enable_local_keyservice": "SOPS_ENABLE_LOCAL_KEYSERVICE",
    "sops_keyservice": "SOPS_KEYSERVICE",
}


def open_place(options: Mapping[str, Any], run: RunContext) -> SopsKey:
    """Return the key that the options name. A relative path to the file starts at the playbook."""
    shown_path = options["file"]
    names = names_of(options["key"], shown_path)
    path = run.find_path(shown_path)
    file = AtomicFile(
        path,
        MAX_SIZE,
        backup=run.backup,
        dry_run=run.check_mode,
        suffix=".tmp",
        directory=run.directory(path),
    )
    return SopsKey(run.share(_program, {}), file, shown_path, path, names)


def _program(run: RunContext, _connection: Mapping[str, Any]) -> Sops:
    """Return the program, with the environment that its keys come from."""
    names = [*_VARIABLES, "sops_binary"]
    lookup = run.find_lookup("ansible.builtin.vars")
    values = dict(zip(names, lookup.run(names, run.variables, default="")))
    program = shutil.which(values.pop("sops_binary") or "sops") or ""
    variables = {_VARIABLES[name]: _text(value) for name, value in values.items() if value != ""}
    return Sops(program, {**os.environ, **variables}, run.find_path("."))


def _text(value: Any) -> str:
    """Return a variable as sops takes it from its environment: a boolean, or several key services, too."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
