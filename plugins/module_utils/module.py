# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common: connection options, where a token comes from, how they end."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from .core.client import DEFAULT_CONNECTIONS, DEFAULT_RETRIES, DEFAULT_TIMEOUT, EchoValueClient
from .core.errors import EchoValueError, InvalidInputError
from .core.service_url import DEFAULT_BASE_URL
from .failure import failure
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

_MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class Module(AnsibleModule):
    """An AnsibleModule whose every failure has a `reason`: what its specification refuses, too."""

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        result.setdefault("reason", InvalidInputError.reason)
        super().fail_json(msg, **result)
        raise AssertionError("fail_json ends the process")


def run(module: AnsibleModule, work: Callable[[AnsibleModule, EchoValueClient], None]) -> None:
    """Call `work`, which ends the module itself; tell its errors as a failure of the module."""
    try:
        work(module, make_client(module.params))
    except EchoValueError as error:
        module.fail_json(**failure(error))
    except ImportError:
        # The core imports requests at its first request, so this comes before any mint.
        module.fail_json(missing_required_lib("requests"), exception=traceback.format_exc())


def make_client(params: Mapping[str, Any]) -> EchoValueClient:
    """Return a client for validated connection options."""
    return EchoValueClient(
        params["base_url"],
        timeout=params["timeout"],
        retries=params["retries"],
        verify=(params["ca_path"] or True) if params["validate_certs"] else False,
        connections=params.get("concurrency", DEFAULT_CONNECTIONS),
    )


def given_token(module: AnsibleModule) -> str | None:
    """Return the token that `token`, `path` or the environment's ECHOVALUE_TOKEN names.

    None in check mode, with a warning, where a task before this one would provide it.
    """
    path = module.params["path"]
    token = module.params["token"]
    if path is not None:
        token = TokenFile(path).read()
        missing = f"There is no token file at {path}."
        advice = "No request was sent. Provision it with echovalue.cloud.echovalue_token."
    else:
        token = os.environ.get("ECHOVALUE_TOKEN") if token is None else token
        missing = "No token was given."
        advice = "Set token, path, or the environment variable ECHOVALUE_TOKEN on the target."
    if token:
        return str(token)
    if not module.check_mode:
        raise InvalidInputError(missing, advice)
    module.warn(f"{missing} In check mode that is no failure: a task before this one may provide it.")
    return None


def exit_with_secrets(module: AnsibleModule, secrets: Iterable[str | None], /, **result: Any) -> None:
    """End the module with a result that holds `secrets`, tokens, on purpose.

    A no_log option masks its value in every string of the result. So the values are let go here, and
    the invocation, the one place where they must not show, is masked by hand. The action plugin
    censors the whole.
    """
    module.no_log_values.difference_update(secrets)
    arguments = _masked(module.params, module.argument_spec)
    module.exit_json(invocation={"module_args": arguments}, **result)


def _masked(arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with every no_log value masked, at any depth."""

    def masked(value: Any, option: Mapping[str, Any]) -> Any:
        if value is None:
            return None
        if option.get("no_log"):
            return _MASK
        if "options" not in option:
            return value
        if isinstance(value, list):
            return [_masked(item, option["options"]) for item in value]
        return _masked(value, option["options"])

    return {name: masked(value, spec.get(name, {})) for name, value in arguments.items()}
