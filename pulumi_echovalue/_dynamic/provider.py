# SPDX-License-Identifier: BSD-2-Clause
"""What the dynamic providers of both resources have in common: their service, and how a failure is shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pulumi.dynamic import CheckFailure, ConfigureRequest, ResourceProvider
from pulumi.output import Unknown

from .._connections.registry import DEFAULT_SPOOL
from .._decisions.hints import explain
from .._decisions.placed import Target
from .._decisions.service import CONFIG_KEYS, CONFIG_NAMESPACE, Service, check_spool, find_service
from .._decisions.token import Check, check_inputs

Props = dict[str, Any]

Method = TypeVar("Method", bound=Callable[..., Any])

_WITH_STATE = ("read", "update", "delete")  # the methods whose second argument is the state


class ShownError(Exception):
    """A failure as the engine shows it: only its text.

    The SDK sends `traceback.format_exc()` to the terminal. Since Python 3.12 that leaves the frames
    away for a class whose `__traceback__` is None; before, they come first.
    """

    __traceback__ = None


def report_errors(kind: type[ShownError]) -> Callable[[Method], Method]:
    """Let a method fail with only a `kind`: nothing of a library's error reaches the terminal."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def call(self: ServiceProvider, *args: Any) -> Any:
            try:
                return method(self, *args)
            except Exception as error:  # noqa: BLE001 - the one boundary
                state = args[1] if method.__name__ in _WITH_STATE else {}
                text = explain(error, method.__name__, state.get("service"))
            raise kind(text)

        return call  # type: ignore[return-value]

    return decorate


class ServiceProvider(ResourceProvider):
    """A provider that knows which service the stack's config names."""

    _config: Mapping[str, Any] = {}

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's config."""
        self._config = {name: req.config.get(f"{CONFIG_NAMESPACE}:{name}") for name in CONFIG_KEYS}

    def requested(self, inputs: Props) -> Service:
        """Return the requested service; one that is not known yet is none that a state could hold.

        Raises InvalidInputError for a setting that cannot be used.
        """
        base_url = inputs.get("base_url")
        if is_unknown(base_url):
            return Service("", named=True)
        return find_service(base_url, self._config)

    def target(self, inputs: Props) -> Target:
        """Return what the inputs of a token request; raise as `requested` does."""
        return Target(
            self.requested(inputs),
            inputs.get("place"),
            inputs.get("existing_token"),
            inputs.get("keepers"),
            inputs.get("max_age_days"),
            inputs.get("max_loss"),
            self.spool(),
        )

    def spool(self, _inputs: object = None) -> str:
        """Return the directory where new tokens are pending. Raises InvalidInputError for a relative path."""
        return check_spool(self._config.get("spool") or DEFAULT_SPOOL)

    def base_url(self, inputs: Props) -> Any:
        """Return the argument in its one form, unchanged where it is not known yet.

        Raises InvalidInputError for a setting that cannot be used, of the config too.
        """
        requested = self.requested(inputs)
        return inputs.get("base_url") and (requested.url or inputs["base_url"])


def is_unknown(value: object) -> bool:
    """Return whether a preview does not know a value."""
    return isinstance(value, Unknown)


def checked(inputs: Props, checks: Iterable[Check]) -> tuple[Props, list[CheckFailure]]:
    """Return inputs in their one form, and what is wrong with them."""
    forms, reasons = check_inputs(checks)
    passed = {name: form for name, form in forms.items() if inputs.get(name) is not None}
    return {**inputs, **passed}, [CheckFailure("", reason) for reason in reasons]
