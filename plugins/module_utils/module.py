# SPDX-License-Identifier: GPL-3.0-or-later
"""What the three modules have in common: connection options, where a token comes from, the end."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from .core.client import (
    DEFAULT_BASE_URL,
    DEFAULT_CONNECTIONS,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    EchoValueClient,
)
from .core.errors import EchoValueError, InvalidInputError
from .token_file import TokenFile

CONNECTION_SPEC: dict[str, Any] = {
    "base_url": {
        "type": "str",
        "default": DEFAULT_BASE_URL,
        "fallback": (env_fallback, ["ECHOVALUE_BASE_URL"]),
    },
    "timeout": {"type": "float", "default": DEFAULT_TIMEOUT},
    "retries": {"type": "int", "default": DEFAULT_RETRIES},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
}

# For the modules that read a token and change nothing.
TOKEN_SPEC: dict[str, Any] = {
    "token": {"type": "str", "no_log": True},
    "path": {"type": "path"},
}


def run(module: AnsibleModule, work: Callable[[AnsibleModule, EchoValueClient], None]) -> None:
    """Call `work`, which ends the module itself; tell its errors as a failure of the module."""
    try:
        work(module, make_client(module.params))
    except EchoValueError as error:
        module.fail_json(msg=str(error))
    except ImportError:
        # The core imports requests at its first request, so this comes before any mint.
        module.fail_json(msg=missing_required_lib("requests"), exception=traceback.format_exc())


def make_client(params: Mapping[str, Any]) -> EchoValueClient:
    """Return a client for validated connection options."""
    return EchoValueClient(
        params["base_url"],
        timeout=params["timeout"],
        retries=params["retries"],
        verify=(params["ca_path"] or True) if params["validate_certs"] else False,
        connections=params.get("concurrency", DEFAULT_CONNECTIONS),
    )


def given_token(module: AnsibleModule) -> str:
    """Return the token that `token`, `path` or the environment's ECHOVALUE_TOKEN names."""
    path = module.params["path"]
    token = module.params["token"]
    if path is not None:
        token = TokenFile(path, lambda _path: False).read()
        if token is None:
            raise InvalidInputError(
                f"There is no token file at {path}.",
                "No request was sent. Provision it with echovalue.cloud.echovalue_token.",
            )
    elif token is None:
        token = os.environ.get("ECHOVALUE_TOKEN")
    if not token:
        raise InvalidInputError(
            "No token was given.",
            "Set token, path, or the environment variable ECHOVALUE_TOKEN on the target.",
        )
    return str(token)


def exit_with_secrets(module: AnsibleModule, secrets: Iterable[str | None], /, **result: Any) -> None:
    """End the module with a result that holds `secrets`, tokens, on purpose.

    A no_log option masks its value in every string of the result. So the values are let go here, and
    the invocation, the one place where they must not show, is masked by hand. The action plugin
    censors the whole.
    """
    module.no_log_values.difference_update(secrets)
    arguments = _masked(module.params)
    if arguments.get("tokens"):
        arguments["tokens"] = [_masked(item) for item in arguments["tokens"]]
    module.exit_json(invocation={"module_args": arguments}, **result)


def _masked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    mask = {} if arguments.get("token") is None else {"token": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}
    return {**arguments, **mask}
