# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What is done on the controller: all places but a file on the target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Callable

from ..module_utils.core.errors import EchoValueError, InvalidInputError
from ..module_utils.files.directory_lock import reason_of
from ..module_utils.task.many_tokens import perform_many
from ..module_utils.task.module import CONNECTION_SPEC, check_texts, make_client
from ..module_utils.task.options import ARGUMENT_SPEC, CONSTRAINTS
from ..module_utils.task.results import Place, perform
from ..module_utils.task.token_requests import TokenRequest, requested_place, token_requests
from .ansible_vault.file import VaultFile
from .ansible_vault.secrets import Vault
from .connections.registry import OPENERS
from .connections.run_context import RunContext
from .places.driver import refused, stored_token
from .places.spool import Spool
from .places.spooled import SpooledStore

# What the options are checked by, as ActionBase.validate_argument_spec takes it.
OPTIONS: dict[str, Any] = {"argument_spec": {**ARGUMENT_SPEC, **CONNECTION_SPEC}, **CONSTRAINTS}


def provision_on_controller(
    params: Mapping[str, Any], run: RunContext, warn: Callable[[str], None]
) -> dict[str, Any]:
    """Do what validated options ask for; return the task's result.

    Raises the errors of core/errors.py.
    """
    check_texts(params)
    spool = Spool(params["spool"])
    requests = token_requests(params)
    many = params["tokens"] is not None
    client = make_client(params)
    doing: dict[str, Any] = {"check_mode": run.check_mode, "warn": warn}
    with ExitStack() as until_done:
        until_done.callback(client.close)
        places = _Places(run, spool, client.base_url)
        if not many:
            place = places.open(requests[0])
            places.lock_files(until_done)
            return perform(requests[0], client, place, **doing)
        pairs = [(one, places.try_open(one)) for one in requests]
        places.lock_files(until_done)
        return perform_many(pairs, client, params["concurrency"], **doing)


def read_token_at(params: Mapping[str, Any], run: RunContext) -> str | None:
    """Return the token in the place that validated options name; the place, and the spool, stay as they are.

    None in check mode where there is none: a task before may provide it. Raises InvalidInputError there
    else, and StoreError.
    """
    check_texts(params)
    place, options = requested_place(params, "The task")
    token, words = _read(str(place), options, run)
    if token is None and not run.check_mode:
        raise InvalidInputError(
            f"There is no token in {words}.",
            "No request was sent. Provision it with echovalue.cloud.echovalue_token.",
        )
    return token


def _read(kind: str, options: Mapping[str, Any], run: RunContext) -> tuple[str | None, str]:
    """Return the token in a place, and the place in words."""
    if kind != "vault_file":
        driver = OPENERS[kind]()(options, run)
        try:
            return stored_token(driver), driver.words
        except OSError as error:
            raise refused(driver, "read", reason_of(error)) from None
    path = os.path.realpath(run.find_path(options["vault_file"]))
    file = VaultFile(path, Vault(run.vault), backup=False, dry_run=True, directory=run.directory(path))
    variable = file.variable(options["variable"])
    with file.lock():
        return variable.read(), f"variable {options['variable']} of {options['vault_file']}"


class _Places:
    """Opens the places of one task, each once."""

    def __init__(self, run: RunContext, spool: Spool, service: str) -> None:
        self._run = run
        self._spool = spool
        self._service = service
        self._seen: set[tuple[str, ...]] = set()
        self._vault_files: dict[str, VaultFile] = {}

    def try_open(self, request: TokenRequest) -> Place | EchoValueError:
        """Return the place, or the error that says why it cannot be opened."""
        try:
            return self.open(request)
        except InvalidInputError:
            raise
        except EchoValueError as error:
            return error

    def open(self, request: TokenRequest) -> Place:
        """Return the place that is request for. Raises InvalidInputError and StoreError."""
        kind = str(request.place)
        if kind == "vault_file":
            return self._vault_variable(request)
        if kind == "command" and request.state == "absent":
            raise InvalidInputError(
                "state: absent is not for command: there is no way to take a token away.",
                "Nothing was changed.",
            )
        driver = OPENERS[kind]()(request.options, self._run)
        identity = (*driver.secret, driver.key)
        if identity in self._seen:
            raise InvalidInputError(f"Two items of tokens name {driver.words}.")
        self._seen.add(identity)
        store = SpooledStore(
            driver,
            self._spool,
            self._service,
            pending_advice,
            backup=self._run.backup,
            dry_run=self._run.check_mode,
        )
        return Place(store, kind, driver.words, path=driver.path)

    def lock_files(self, until_done: ExitStack) -> None:
        """Lock the vaulted files, in one order, so that no two runs wait for each other."""
        for path in sorted(self._vault_files, key=os.path.dirname):
            until_done.enter_context(self._vault_files[path].lock())

    def _vault_variable(self, request: TokenRequest) -> Place:
        shown_path, variable = request.options["vault_file"], request.options["variable"]
        path = os.path.realpath(self._run.find_path(shown_path))
        identity = (path, variable)
        if identity in self._seen:
            raise InvalidInputError(f"Two items of tokens name {variable} of {shown_path}.")
        self._seen.add(identity)
        if path not in self._vault_files:
            self._vault_files[path] = VaultFile(
                path,
                Vault(self._run.vault),
                backup=request.backup,
                dry_run=self._run.check_mode,
                directory=self._run.directory(path),
            )
        return Place(
            self._vault_files[path].variable(variable, request.options["vault_id"]),
            "ansible_vault",
            f"variable {variable} of {shown_path}",
            path=shown_path,
            variable=variable,
        )


def pending_advice(path: str) -> str:
    """Return how the token pending in the file at `path` gets into its place, or into another one."""
    return (
        f"The token is pending in {path} on the controller: correct the cause, then run again. That run puts "
        "it into this place and mints none. If the place itself has to change, such as its name or region, "
        "pass this token to the corrected task once, as token: "
        f"\"{{{{ lookup('ansible.builtin.file', '{path}') }}}}\", then delete that file."
    )
