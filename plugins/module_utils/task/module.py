# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What the modules have in common: connection options, where a token comes from, how they end."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ..core.client import DEFAULT_CONNECTIONS, DEFAULT_RETRIES, DEFAULT_TIMEOUT, EchoValueClient
from ..core.errors import EchoValueError, InvalidInputError
from ..core.models import check_token
from ..core.service_url import DEFAULT_BASE_URL
from ..files.token_file import TokenFile
from .failure import cause_of_import, failure

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

MAX_CONNECTIONS = 1000  # the library makes room for all at once

_MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class Module(AnsibleModule):
    """An AnsibleModule whose every failure has a `reason`: what its specification refuses, too.

    Ansible masks the value of a no_log option in every string of a result. So a module may let it go:
    here the invocation, the one place where it must not show, is masked by hand. `hidden` options are
    masked only there. That is for those whose values are words and numbers as they are everywhere;
    their action plugin keeps them from the system log.
    """

    def __init__(self, *, hidden: Iterable[str] = (), **specification: Any) -> None:
        self._hidden = frozenset(hidden)
        super().__init__(**specification)

    def _load_params(self) -> None:
        super()._load_params()
        try:
            check_forms(self.params, self.argument_spec)
        except InvalidInputError as error:
            self.fail_json(**failure(error))

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        result.setdefault("reason", InvalidInputError.reason)
        super().fail_json(msg, **result, **self._invocation())
        raise AssertionError("fail_json ends the process")

    def exit_json(self, **result: Any) -> NoReturn:
        super().exit_json(**result, **self._invocation())
        raise AssertionError("exit_json ends the process")

    def _invocation(self) -> dict[str, Any]:
        arguments = _masked(self.params, self.argument_spec)
        masks = {name: _MASK for name in self._hidden if arguments.get(name) is not None}
        return {"invocation": {"module_args": {**arguments, **masks}}}

    def add_path_info(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Add what Ansible reports of a file; where it cannot look, the token is still in its place."""
        with suppress(OSError):
            super().add_path_info(kwargs)
        return kwargs


def run(module: Module, work: Callable[[Module, EchoValueClient], None]) -> None:
    """Call `work`, which ends the module itself; report its errors as a failure of the module."""
    try:
        check_texts(module.params)
        work(module, make_client(module.params))
    except EchoValueError as error:
        module.fail_json(**failure(error))
    except ImportError as error:
        # The core imports requests at its first request, so this comes before any mint.
        module.fail_json(missing_required_lib("requests") + cause_of_import("requests", error))


def make_client(params: Mapping[str, Any]) -> EchoValueClient:
    """Return a client for validated connection options."""
    return EchoValueClient(
        params["base_url"],
        timeout=params["timeout"],
        retries=params["retries"],
        verify=(params["ca_path"] or True) if params["validate_certs"] else False,
        connections=min(params.get("concurrency", DEFAULT_CONNECTIONS), MAX_CONNECTIONS),
    )


def check_texts(value: Any, name: str = "", encode: Callable[[str], bytes] = os.fsencode) -> None:
    """Raise InvalidInputError for a text, at any depth of the options, that `encode` has no form for."""
    if isinstance(value, str):
        if "\0" in value or not _can_encode(value, encode):
            raise InvalidInputError(f"{name} must not contain NUL bytes or unpaired surrogates.")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            check_texts(str(key), f"A key of {name}", encode)
            check_texts(one, f"{name}.{key}" if name else str(key), encode)
    elif isinstance(value, list):
        for one in value:
            check_texts(one, name, encode)


def _can_encode(text: str, encode: Callable[[str], bytes]) -> bool:
    try:
        encode(text)
    except UnicodeEncodeError:
        return False
    return True


def check_forms(arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Raise InvalidInputError for what ansible-core stumbles over, instead of refusing it.

    That is a number where an option is a mapping, into which it looks, and infinity for a whole number.
    """
    for name, option in spec.items():
        value = arguments.get(name)
        if option.get("type") == "int" and _is_infinite(value):
            raise InvalidInputError(f"{name} must be a whole number.")
        if "options" not in option or value is None:
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                check_forms(one, option["options"])
            elif not isinstance(one, str):
                raise InvalidInputError(
                    f"{name} must be a mapping, or a list of mappings where it takes many."
                )


def _is_infinite(value: Any) -> bool:
    try:
        return math.isinf(float(value))
    except (OverflowError, TypeError, ValueError):
        return False


def passed_token(module: Module) -> str | None:
    """Return the token that `token`, `path` or the environment's ECHOVALUE_TOKEN names.

    A place of the controller was read there: its token came as `token`. None in check mode, with a
    warning, where a task before this one would provide it.
    """
    options = dict(module.params)
    if options["path"] is None and options["token"] is None:
        options["token"] = os.environ.get("ECHOVALUE_TOKEN")
    advice = "Set token, its place, or the environment variable ECHOVALUE_TOKEN on the target."
    return token_of(module, options, advice)


def token_of(module: Module, options: Mapping[str, Any], advice: str) -> str | None:
    """Return the token that the options `token` and `path` name; `advice` is for where neither does.

    As `passed_token` in check mode. Raises InvalidInputError and StoreError.
    """
    path, token = options["path"], options["token"]
    missing = "No token was passed."
    if path is not None:
        token = TokenFile(path).read()
        missing = f"There is no token file at {path}."
        advice = "No request was sent. Provision it with echovalue.cloud.echovalue_token."
    if token:
        return check_token(token)
    if not module.check_mode:
        raise InvalidInputError(missing, advice)
    module.warn(f"{missing} In check mode that is no failure: a task before this one may provide it.")
    return None


def exit_with_secrets(module: Module, secrets: Iterable[str | None], /, **result: Any) -> None:
    """End the module with a result that holds `secrets`, tokens, on purpose; the action plugin censors it."""
    module.no_log_values.difference_update(secrets)
    module.exit_json(**result)


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
            return [masked(item, option) for item in value]
        return _masked(value, option["options"]) if isinstance(value, Mapping) else _MASK

    return {name: masked(value, spec.get(name, {})) for name, value in arguments.items()}
