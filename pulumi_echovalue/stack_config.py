# SPDX-License-Identifier: BSD-2-Clause
"""What the stack's config says of this package, as a program sees it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi.runtime import config

from ._decisions.service import CONFIG_NAMESPACE, ENVIRONMENT, check_config_keys
from ._shared.module_utils.core.errors import InvalidInputError


def check_config() -> None:
    """Raise pulumi.RunError where the stack's config has a misspelt key of this package."""
    entries = {**config.get_config_env(), **config.CONFIG.get()}  # the latter by the Automation API
    prefix = f"{CONFIG_NAMESPACE}:"
    try:
        check_config_keys(key.removeprefix(prefix) for key in entries if key.startswith(prefix))
    except InvalidInputError as error:
        raise pulumi.RunError(str(error)) from None


def read_config() -> Mapping[str, str | None]:
    """Return the stack's config by key; raise as `check_config` does."""
    check_config()
    values = pulumi.Config(CONFIG_NAMESPACE)
    return {key: values.get(key) for key in ENVIRONMENT}
