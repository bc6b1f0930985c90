# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""What is done on the controller: all places but a file on the target."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Callable

from ..module_utils.core.client import EchoValueClient
from ..module_utils.core.errors import EchoValueError, InvalidInputError, StoreError
from ..module_utils.files.directory_lock import DirectoryLock, reason_of
from ..module_utils.places.registry import COPIES
from ..module_utils.task.many_tokens import perform_each, summary
from ..module_utils.task.module import CONNECTION_SPEC, check_texts, make_client
from ..module_utils.task.options import ARGUMENT_SPEC, CONSTRAINTS
from ..module_utils.task.results import Place, failed_entry, perform
from ..module_utils.task.token_requests import CopyRequest, TokenRequest, requested_place, token_requests
from .ansible_vault.file import VaultFile
from .ansible_vault.secrets import Vault
from .connections.registry import COPY_OPENERS, OPENERS
from .connections.run_context import RunContext
from .copies import Copy, CopyStore, RehearsedStore, make_copies, remove_copies
from .places.copied import CopiedStore
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
    client = make_client(params)
    doing: dict[str, Any] = {"check_mode": run.check_mode, "warn": warn}
    with ExitStack() as until_done:
        until_done.callback(client.close)
        places = _Places(run, spool, client.base_url)
        if params["tokens"] is None:
            place = places.open(requests[0])
            job = _Job(requests[0], place, places.open_copies(requests[0]), run)
            job.begin()
            if job.blocked is not None:
                return job.finish({})
            with ExitStack() as locks:
                places.lock_files(locks)
                result = perform(job.request, client, job.rehearsed(place), **doing)
            return job.finish(result)
        jobs = [_Job(one, places.try_open(one), places.open_copies(one), run) for one in requests]
        return _provision_many(jobs, places, client, params["concurrency"], doing)


def _provision_many(
    jobs: list[_Job], places: _Places, client: EchoValueClient, concurrency: int, doing: dict[str, Any]
) -> dict[str, Any]:
    """Do all jobs: the places first, and their copies once no file of a place is locked any more."""
    have_copies = any(job.copies for job in jobs)
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(_Job.begin, jobs))
    with ExitStack() as locks:
        places.lock_files(locks)
        pairs = [(job.request, job.opened()) for job in jobs]
        entries = perform_each(pairs, client, concurrency, **doing)
    if have_copies:
        with ThreadPoolExecutor(concurrency) as pool:
            entries = list(pool.map(_Job.finish, jobs, entries))
    return summary(entries)


class _Job:
    """One token of a task: its place, or why that cannot be opened, and its copies."""

    def __init__(
        self, request: TokenRequest, place: Place | EchoValueError, copies: list[Copy], run: RunContext
    ) -> None:
        self.request = request
        self.copies = copies
        self.blocked: dict[str, Any] | None = None  # what is said of copies that could not be removed
        self._place = place
        self._run = run
        self._removed: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Remove the copies, where the place is to be removed after them."""
        if self.request.state != "absent" or not self.copies or isinstance(self._place, EchoValueError):
            return
        removed = remove_copies(self.copies, dry_run=self._run.check_mode)
        self._removed = removed["copies"]
        if removed.get("failed"):
            self.blocked = removed

    def opened(self) -> Place | EchoValueError:
        """Return the place as `rehearsed` does, or why nothing can be done there."""
        if self.blocked is not None:
            return StoreError(self.blocked["msg"])
        return self._place if isinstance(self._place, EchoValueError) else self.rehearsed(self._place)

    def rehearsed(self, place: Place) -> Place:
        """Return the place, whose copies are rehearsed before a mint."""
        return replace(place, store=RehearsedStore(place.store, self.copies)) if self.copies else place

    def finish(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the place with that of its copies, which are made now."""
        place = None if isinstance(self._place, EchoValueError) else self._place
        if self.blocked is not None:
            stays = failed_entry(self.request, place, StoreError(self.blocked["msg"]))
            return {**stays, "status": "kept", **self.blocked}
        if self._removed:
            removed = any(copy["status"] == "removed" for copy in self._removed)
            return {**entry, "changed": entry["changed"] or removed, "copies": self._removed}
        if not self.copies or place is None or entry.get("failed"):
            return {**entry, "copies": []}
        return make_copies(entry, self.copies, self._read_again, dry_run=self._run.check_mode)

    def _read_again(self) -> str | None:
        return _read(str(self.request.place), self.request.options, self._run)[0]


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
        self._of_copies: dict[str, DirectoryLock] = {}

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
        _check_removable(kind, request)
        driver = OPENERS[kind]()(request.options, self._run)
        self._claim((*driver.secret, driver.key), driver.words)
        store = SpooledStore(
            driver,
            self._spool,
            self._service,
            pending_advice,
            backup=self._run.backup,
            dry_run=self._run.check_mode,
        )
        return Place(store, kind, driver.words, path=driver.path)

    def open_copies(self, request: TokenRequest) -> list[Copy]:
        """Return the copies that are requested; one that cannot be opened says why when it is used.

        Raises InvalidInputError.
        """
        return [self._open_copy(copy, request) for copy in request.copies]

    def lock_files(self, until_done: ExitStack) -> None:
        """Lock the vaulted files, and where copies are files.

        In one order, so that no two runs wait for each other.
        """
        locked = {os.path.dirname(path): self._run.directory(path) for path in self._vault_files}
        for _where, directory in sorted({**locked, **self._of_copies}.items()):
            until_done.enter_context(directory.lock())
        for file in self._vault_files.values():
            until_done.enter_context(file.lock())

    def _claim(self, identity: tuple[str, ...], words: str) -> None:
        if identity in self._seen:
            raise InvalidInputError(f"Two items of tokens, or copies, name {words}.")
        self._seen.add(identity)

    def _vault_variable(self, request: TokenRequest) -> Place:
        shown_path, variable = request.options["vault_file"], request.options["variable"]
        path = os.path.realpath(self._run.find_path(shown_path))
        words = f"{variable} of {shown_path}"
        self._claim((path, variable), words)
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
            f"variable {words}",
            path=shown_path,
            variable=variable,
        )

    def _open_copy(self, copy: CopyRequest, request: TokenRequest) -> Copy:
        kind, options = copy.place, copy.options
        if kind == "vault_file":
            return self._vault_copy(options)
        _check_removable(kind, request)
        try:
            opener = COPY_OPENERS[kind] if kind in COPY_OPENERS else OPENERS[kind]
            found: Any = opener()(options, self._run)
        except InvalidInputError:
            raise
        except EchoValueError as error:
            return _unopened(kind, options, error)
        if kind == "github_secret":
            self._claim(found.secret, found.words)
            return Copy(
                kind, found.words, lambda token, dry_run: nullcontext(found.held(token, dry_run=dry_run))
            )
        self._claim((*found.secret, found.key), found.words)
        if kind == "sops":
            self._note_directory(found.secret[1])

        def opened(_token: str | None, dry_run: bool) -> AbstractContextManager[CopyStore]:
            return nullcontext(CopiedStore(found, self._spool, backup=self._run.backup, dry_run=dry_run))

        return Copy(kind, found.words, opened)

    def _vault_copy(self, options: Mapping[str, Any]) -> Copy:
        path = os.path.realpath(self._run.find_path(options["vault_file"]))
        words = f"{options['variable']} of {options['vault_file']}"
        self._claim((path, options["variable"]), words)
        self._note_directory(path)

        @contextmanager
        def opened(_token: str | None, dry_run: bool) -> Iterator[CopyStore]:
            with self._run.guard(path):  # tokens of one task may have copies in one file
                file = VaultFile(
                    path,
                    Vault(self._run.vault),
                    backup=self._run.backup,
                    dry_run=dry_run,
                    directory=self._run.directory(path),
                )
                variable = file.variable(options["variable"], options["vault_id"])
                with file.lock():
                    yield variable

        return Copy("ansible_vault", f"variable {words}", opened)

    def _note_directory(self, path: str) -> None:
        where = os.path.dirname(os.path.realpath(path))
        self._of_copies[where] = self._run.directory(path)


def _check_removable(kind: str, request: TokenRequest) -> None:
    if kind == "command" and request.state == "absent":
        raise InvalidInputError(
            "state: absent is not for command: there is no way to take a token away.",
            "Nothing was changed.",
        )


def _unopened(kind: str, options: Mapping[str, Any], error: EchoValueError) -> Copy:
    """Return a copy that cannot be opened."""

    def opened(_token: str | None, _dry_run: bool) -> AbstractContextManager[CopyStore]:
        raise error

    required = str(COPIES[kind].required)
    return Copy(kind, f"{kind} {options.get(required)}", opened)


def pending_advice(path: str) -> str:
    """Return how the token pending in the file at `path` gets into its place, or into another one."""
    return (
        f"The token is pending in {path} on the controller: correct the cause, then run again. That run puts "
        "it into this place and mints none. If the place itself has to change, such as its name or region, "
        "pass this token to the corrected task once, as token: "
        f"\"{{{{ lookup('ansible.builtin.file', '{path}') }}}}\", then delete that file."
    )
