# SPDX-License-Identifier: BSD-2-Clause
"""What the stack's config says of this package, as a program sees it."""

from __future__ import annotations

import pulumi
from pulumi.runtime import config

from ._decisions.service import CONFIG_KEY, CONFIG_NAMESPACE, check_config_keys
from ._shared.module_utils.core.errors import InvalidInputError


def check_config() -> None:
    """Raise pulumi.RunError where the stack's config has a misspelt key of this package."""
    entries = {**config.get_config_env(), **config.CONFIG.get()}  # the latter by the Automation API
    prefix = f"{CONFIG_NAMESPACE}:"
    try:
        check_config_keys(key.removeprefix(prefix) for key in entries if key.startswith(prefix))
    except InvalidInputError as error:
        raise pulumi.RunError(str(error)) from None


def configured_base_url() -> str | None:
    """Return the base URL of the stack's config, or None; raise as `check_config` does."""
    check_config()
    return pulumi.Config(CONFIG_NAMESPACE).get(CONFIG_KEY)
