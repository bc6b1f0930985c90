# SPDX-License-Identifier: GPL-3.0-or-later
"""What echovalue_token does on the controller: all places but a file on the target."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Callable

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib

from ..module_utils.core.errors import (
    EchoValueError,
    InvalidInputError,
    StoreError,
)
from ..module_utils.locked_directory import (
    NOTHING_MINTED,
    LockedDirectory,
)
from ..module_utils.many_tokens import perform_many
from ..module_utils.module import (
    CONNECTION_SPEC,
    check_texts,
    make_client,
)
from ..module_utils.token_task import (
    ARGUMENT_SPEC,
    CONSTRAINTS,
    Place,
    Wanted,
    perform,
    wanted,
)
from .stores.spooled import Driver, SpooledStore
from .vault import Vault
from .vault_file import VaultFile

# What the options are checked by, as ActionBase.validate_argument_spec takes it.
OPTIONS: dict[str, Any] = {"argument_spec": {**ARGUMENT_SPEC, **CONNECTION_SPEC}, **CONSTRAINTS}

# Options of a connection, and fields of a kubeconfig, whose value is never told; a path may be.
_SECRET = re.compile("token(?!_)|secret|password|jwt|api_key|access_key|key-data|basic_auth|cred|role_id")
_USER_INFO = re.compile(r"//[^/@\s]+@")  # of a URL

_STORES = "ansible_collections.echovalue.cloud.plugins.plugin_utils.stores"


@dataclass(frozen=True)
class Controller:
    """What a place may take from the run, and what places of one task share."""

    variables: Mapping[str, Any] = field(repr=False)  # of the task
    find_lookup: Callable[[str], Any]  # by name; None where its collection is not installed
    find_path: Callable[[str], str]  # a relative path starts at the playbook
    vault: VaultLib
    spool: str
    check_mode: bool
    backup: bool
    _shared: dict[str, Any] = field(default_factory=dict, repr=False)
    _directories: dict[str, LockedDirectory] = field(default_factory=dict, repr=False)
    _guard: Any = field(default_factory=threading.Lock, repr=False)

    def share(
        self, make: Callable[[Controller, Mapping[str, Any]], Any], connection: Mapping[str, Any]
    ) -> Any:
        """Return what `make` makes of a connection, or raise its error; places with an equal one share it."""
        key = f"{make.__module__} {make.__name__} {sorted(connection.items())!r}"
        with self._guard:
            if key not in self._shared:
                try:
                    self._shared[key] = make(self, connection)
                except EchoValueError as error:  # one login that fails is enough: more may lock it out
                    self._shared[key] = error
            if isinstance(self._shared[key], EchoValueError):
                raise self._shared[key]
            return self._shared[key]

    def directory(self, path: str) -> LockedDirectory:
        """Return the directory of a file; files in it share its lock."""
        where = os.path.dirname(os.path.realpath(path))
        with self._guard:
            return self._directories.setdefault(where, LockedDirectory(where))

    def lookup(self, name: str) -> Any:
        """Return a new lookup plugin; raise StoreError where its collection is not installed."""
        try:
            found = self.find_lookup(name)
        except AnsibleError:
            found = None
        if found is None:
            raise missing_collection(name.rpartition(".")[0])
        return found


def missing_collection(name: str) -> StoreError:
    """Return the error for a collection that is not installed."""
    return StoreError(
        f"This place needs the collection {name} on the controller.",
        f"{NOTHING_MINTED} Install it: ansible-galaxy collection install {name}",
    )


def missing_library(name: str) -> StoreError:
    """Return the error for a Python library that is not installed."""
    return StoreError(
        f"This place needs the Python library {name} for {sys.executable} on the controller.",
        f"{NOTHING_MINTED} Install it: {sys.executable} -m pip install {name}",
    )


def not_connected(manager: str, why: str, kind: type[EchoValueError] = StoreError) -> EchoValueError:
    """Return the error for a secret manager to which the options of a connection do not lead."""
    return kind(f"No connection to {manager} could be made: {why.rstrip('.')}.", NOTHING_MINTED)


def without_secrets(text: object, connection: Mapping[str, Any]) -> str:
    """Return a library's text without what is secret in a connection."""
    cleaned = _USER_INFO.sub("//********@", " ".join(str(text).split()))
    for secret in _secrets(connection):
        cleaned = cleaned.replace(secret, "********")
    return cleaned


def _secrets(connection: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret texts of a connection, at any depth."""
    for name, value in connection.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield from _secrets(one)
            elif isinstance(one, str) and one and _SECRET.search(str(name)):
                yield one


@contextmanager
def environment(variables: Mapping[str, Any]) -> Iterator[None]:
    """Let the task's `environment` count here, as it does for a module on a target."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def provision_on_controller(
    params: Mapping[str, Any], controller: Controller, warn: Callable[[str], None]
) -> dict[str, Any]:
    """Do what validated options ask for; return the task's result.

    Raises the errors of core/errors.py.
    """
    check_texts(params)
    spool = os.path.expanduser(params["spool"])
    if not spool.startswith(("~", os.sep)):
        raise InvalidInputError("spool must be an absolute path: it is private, and belongs to no checkout.")
    asked = wanted(params)
    many = params["tokens"] is not None
    client = make_client(params)
    doing: dict[str, Any] = {"check_mode": controller.check_mode, "warn": warn}
    with ExitStack() as until_done:
        until_done.callback(client.close)
        places = _Places(controller, client.base_url)
        if not many:
            place = places.open(asked[0])
            places.lock_files(until_done)
            return perform(asked[0], client, place, **doing)
        pairs = [(one, places.try_open(one)) for one in asked]
        places.lock_files(until_done)
        return perform_many(pairs, client, params["concurrency"], **doing)


class _Places:
    """Opens the places of one task, each once."""

    def __init__(self, controller: Controller, service: str) -> None:
        self._controller = controller
        self._service = service
        self._seen: set[tuple[str, ...]] = set()
        self._vault_files: dict[str, VaultFile] = {}

    def try_open(self, asked: Wanted) -> Place | EchoValueError:
        """Return the place, or the error that says why it cannot be opened."""
        try:
            return self.open(asked)
        except InvalidInputError:
            raise
        except EchoValueError as error:
            return error

    def open(self, asked: Wanted) -> Place:
        """Return the place that is asked for. Raises InvalidInputError and StoreError."""
        kind = str(asked.place)
        if kind == "vault_file":
            return self._vault_variable(asked)
        if kind == "command" and asked.state == "absent":
            raise InvalidInputError(
                "state: absent is not for command: there is no way to take a token away.",
                "Nothing was changed.",
            )
        driver: Driver = import_module(f"{_STORES}.{kind}").open_place(asked.options, self._controller)
        identity = (*driver.secret, driver.key)
        if identity in self._seen:
            raise InvalidInputError(f"Two items of tokens name {driver.words}.")
        self._seen.add(identity)
        store = SpooledStore(
            driver,
            self._controller.spool,
            self._service,
            backup=self._controller.backup,
            dry_run=self._controller.check_mode,
        )
        return Place(store, kind, driver.words, path=driver.path)

    def lock_files(self, until_done: ExitStack) -> None:
        """Lock the vaulted files, in one order, so that no two runs wait for each other."""
        for path in sorted(self._vault_files, key=os.path.dirname):
            until_done.enter_context(self._vault_files[path].lock())

    def _vault_variable(self, asked: Wanted) -> Place:
        given, variable = asked.options["vault_file"], asked.options["variable"]
        path = os.path.realpath(self._controller.find_path(given))
        identity = (path, variable)
        if identity in self._seen:
            raise InvalidInputError(f"Two items of tokens name {variable} of {given}.")
        self._seen.add(identity)
        if path not in self._vault_files:
            self._vault_files[path] = VaultFile(
                path,
                Vault(self._controller.vault),
                backup=asked.backup,
                dry_run=self._controller.check_mode,
                directory=self._controller.directory(path),
            )
        return Place(
            self._vault_files[path].variable(variable, asked.options["vault_id"]),
            "ansible_vault",
            f"variable {variable} of {given}",
            path=given,
            variable=variable,
        )
