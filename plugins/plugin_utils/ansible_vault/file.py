# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""`Store`s for tokens in variables of a YAML file, encrypted by Ansible Vault.

The plaintext is only in memory. A new token is encrypted at once into a private file of its own beside
the vaulted file, made before the mint, and is pending there until the vaulted file is written, once for
all variables. A run that dies before that loses none: the next one takes them up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

from ansible.parsing.vault import is_encrypted
from ansible.utils.vars import isidentifier

from ...module_utils.core.errors import NOTHING_MINTED, ConflictError, InvalidInputError, StoreError
from ...module_utils.core.models import TOKEN_FORM, read_token
from ...module_utils.core.signals import signals_deferred
from ...module_utils.core.store import PendingToken, Slot
from ...module_utils.files.atomic_file import AtomicFile
from ...module_utils.files.directory_lock import DirectoryLock, reason_of
from ...module_utils.files.pending import PendingFile, PendingFiles, PendingTokens, StagedFile
from .secrets import Seal, Vault
from .yaml_edit import STRING, VAULT_TAGS, Document, Value, YamlFormError

_MAX_SIZE = 16 * 1024 * 1024  # bytes of a file
_MAX_ENCRYPTED = 4096  # bytes of a token
_ATTEMPTS = 3  # to write a file that is edited meanwhile
_TRIAL = Value("$ANSIBLE_VAULT\n", VAULT_TAGS[0])  # in place of a token that is not minted yet


@dataclass(frozen=True)
class _Content:
    """What a file holds, and its seal where it is wholly encrypted."""

    document: Document
    seal: Seal | None


class VaultFile:
    """The file at `path`, in which `vault` decrypts and encrypts.

    `backup` and `dry_run` are those of AtomicFile. Files of one directory share a `directory`.
    """

    def __init__(
        self,
        path: str,
        vault: Vault,
        *,
        backup: bool = True,
        dry_run: bool = False,
        directory: DirectoryLock | None = None,
    ) -> None:
        self.path = os.path.realpath(path)
        self.vault = vault
        self.dry_run = dry_run
        self.directory = directory or DirectoryLock(os.path.dirname(self.path))
        self._file = AtomicFile(
            self.path, _MAX_SIZE, backup=backup, dry_run=dry_run, suffix=".tmp", directory=self.directory
        )
        self._variables: list[VaultVariable] = []
        self._guard = threading.RLock()
        self._found: _Content | None = None
        self._tried = False
        self._staged: StagedFile | None = None

    @property
    def backup_file(self) -> str | None:
        """Where the former file is kept, if one is."""
        return self._file.backup_file

    def variable(self, name: str, vault_id: str | None = None) -> VaultVariable:
        """Return the store of one variable; `vault_id` overrides the choice of what encrypts it.

        Raises InvalidInputError.
        """
        variable = VaultVariable(self, name, vault_id)
        self._variables.append(variable)
        return variable

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the file; at the end, what was committed for its variables is written."""
        with self._file.lock():
            if not self.dry_run:
                self._file.drop_staged()  # what it was to hold is pending in files of its own
            with signals_deferred():
                try:
                    yield
                finally:
                    try:
                        self._write()
                    finally:
                        if self._staged is not None:
                            self._staged.discard()

    def content(self) -> _Content:
        """Return what the file holds. Raises StoreError."""
        with self._guard:
            if self._found is None:
                self._found = self._parse(self._file.read() or b"")
            return self._found

    def value(self, name: str) -> Value | None:
        """Return the value of a variable, None where it has none. Raises StoreError."""
        try:
            return self.content().document.value(name)
        except YamlFormError as error:
            raise self._refuse(error) from None

    def check_writable(self, name: str, trial: Value | None) -> None:
        """Make sure that the variable can be set like `trial`, and make the file that replaces this one."""
        document = self.content().document
        with self._guard:
            if not self._tried:
                with suppress(YamlFormError):  # another variable may be in the way
                    document.edited(dict.fromkeys((each.name for each in self._variables), trial))
                    self._tried = True
            try:
                if not self._tried:
                    document.edited({name: trial})
            except YamlFormError as error:
                raise self._refuse(error) from None
            if self.dry_run:
                self._file.check_writable()
            elif self._staged is None:
                self._staged = self._file.stage(self._room())

    def keep_former(self, *, is_new: bool) -> None:
        """Keep the file as it was, once for all tokens that it loses; `is_new` where one is pending."""
        with self._guard:
            try:
                self._file.keep_former()
            except StoreError as error:
                raise _stopped(error, is_new=is_new) from None

    def _room(self) -> int:
        content = self.content()
        room = len(content.document.text.encode()) + len(self._variables) * _MAX_ENCRYPTED
        return room * 5 if content.seal else room  # hexadecimal twice, and line ends

    def _write(self) -> None:
        changed = [variable for variable in self._variables if variable.is_changed]
        if self._staged is None or not changed:
            return
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    content = self._render(changed).encode()
                    self._file.put_content(self._staged, content, keep_former=False)
                    break
                except ConflictError:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    self._read_again(changed)
        except StoreError as error:
            raise _stopped(error, is_new=any(variable.value for variable in changed)) from None
        for variable in changed:
            variable.drop_pending()

    def _render(self, changed: list[VaultVariable]) -> str:
        """Return the file with its new values."""
        content = self.content()
        try:
            text = content.document.edited({variable.name: variable.value for variable in changed})
        except YamlFormError as error:
            raise self._refuse(error) from None
        if content.seal is None:
            return text
        plain = [variable.seal for variable in changed if variable.is_plain]
        return self.vault.encrypt(text, plain[0] if plain else content.seal)

    def _read_again(self, changed: list[VaultVariable]) -> None:
        """Read a file that was edited; raise ConflictError where that changed one of these variables."""
        before, self._found = self.content(), None
        if (self.content().seal is None) != (before.seal is None):  # a token must not get there in clear
            raise ConflictError(f"{self.path} was encrypted or decrypted by another writer meanwhile.")
        for variable in changed:
            if self.value(variable.name) != before.document.value(variable.name):
                raise ConflictError(f"{variable.words} was changed by another writer meanwhile.")

    def _parse(self, content: bytes) -> _Content:
        if len(content) > _MAX_SIZE:
            raise self._refuse(f"it is over {_MAX_SIZE // 1024 // 1024} MiB")
        try:
            text, seal = content.decode("utf-8"), None
            if is_encrypted(content):
                text, seal = self.vault.decrypt(text, self.path)
            return _Content(Document(text), seal)
        except UnicodeDecodeError:
            raise self._refuse("it is not UTF-8 text") from None
        except YamlFormError as error:
            raise self._refuse(error) from None

    def _refuse(self, why: object) -> StoreError:
        return StoreError(
            f"{self.path} cannot keep the token: {why}.",
            f"{NOTHING_MINTED} Correct the file, or name another.",
        )


class VaultVariable:
    """A `Store`: one variable of a VaultFile, within the file's lock.

    `value` is what the file is to have, None where nothing, once `is_changed`; `seal` is its own.
    """

    def __init__(self, file: VaultFile, name: str, vault_id: str | None) -> None:
        if not isidentifier(name):
            raise InvalidInputError(
                f"{name!r} is not a name that Ansible takes for a variable: letters, digits and underscores, "
                "no digit first, and no keyword of Python."
            )
        self.name = name
        self.words = f"The variable {name} of {file.path}"
        self.value: Value | None = None
        self.is_changed = False
        self._file = file
        self._vault_id = vault_id
        where, base = os.path.split(file.path)
        # No name of a variable has a "=".
        self._pending_files = PendingFiles(
            where, f".{base}={name}", ".vault", _MAX_ENCRYPTED, lambda: file.directory.names
        )
        self._pending = PendingTokens(self._pending_files, self._claim, self._encode, self._decode)
        self._found: Value | None = None
        self._stored: str | None = None
        self._stored_seal: Seal | None = None

    @property
    def backup_file(self) -> str | None:
        """Where the former file is kept, None where it did not lose this variable's token."""
        return self._file.backup_file if self.is_changed and self._stored is not None else None

    @property
    def is_plain(self) -> bool:
        """Whether the token is in clear, within a file that is encrypted as a whole."""
        return self._stored_seal is None and self._file.content().seal is not None

    @property
    def seal(self) -> Seal:
        """What the token is encrypted with: as before, unless `vault_id` names another."""
        former = self._stored_seal or self._file.content().seal
        if former is None or self._vault_id not in (None, former.label):
            return self._file.vault.seal(self._vault_id, self.words)
        return former

    def lock(self) -> AbstractContextManager[None]:
        """Do nothing: the file is locked for all its variables."""
        return nullcontext()

    def read(self) -> str | None:
        """Return the token in the variable; raise StoreError where something else is there."""
        self._stored = self._stored_seal = None
        self._found = self._file.value(self.name)
        if self._found is not None:
            text = self._text(self._found)
            self._stored = read_token(text)
            if self._stored is None:
                raise StoreError(
                    f"{self.words} exists and holds no token: {TOKEN_FORM}.",
                    f"{NOTHING_MINTED} Take it away, or put the right token there.",
                )
        return self._stored

    def pending(self) -> PendingToken | None:
        """Return the token of an interrupted run; what these vault secrets do not open stays."""
        return self._pending.find()

    @contextmanager
    def prepare(self) -> Iterator[Slot | None]:
        """Make sure that the file can take a token; make the file in which a new one is pending."""
        self._file.check_writable(self.name, _TRIAL)
        _seal = self.seal  # there must be one
        if self._file.dry_run:
            yield None
            return
        with self._pending.slot(self._stored, self._put) as slot:
            yield slot

    def remove(self) -> None:
        """Take the variable away when the file's lock ends."""
        self._file.check_writable(self.name, None)
        self._change(None)

    def drop_pending(self) -> None:
        """Delete the pending token."""
        self._pending.drop()

    def apply_attributes(self) -> bool:
        """Do nothing: the file keeps its own."""
        return False

    def _claim(self, pending: PendingFile | None, replaces: str) -> StagedFile:
        try:
            if pending is not None:
                return pending.open()
            return self._pending_files.stage(_MAX_ENCRYPTED, replaces)
        except OSError as error:
            raise StoreError(
                f"No token can be pending beside {self._file.path} ({reason_of(error)}).",
                f"{NOTHING_MINTED} Correct the cause, then run again.",
            ) from None

    def _encode(self, token: str) -> bytes:
        return self._file.vault.encrypt(token, self.seal).encode("ascii")

    def _decode(self, content: bytes) -> str | None:
        with suppress(StoreError):
            return read_token(self._file.vault.decrypt(content.decode("latin-1"), self.words)[0])
        return None

    def _put(self, staged: StagedFile, token: str) -> None:
        """Set the variable when the file's lock ends: it is written once for all."""
        tag = self._found and self._found.tag
        if self.is_plain:
            self._change(Value(token, tag or STRING))
        else:
            self._change(Value((staged.content or b"").decode("ascii"), tag or VAULT_TAGS[0]))

    def _change(self, value: Value | None) -> None:
        if self._stored is not None:
            self._file.keep_former(is_new=value is not None)
        self.value, self.is_changed = value, True

    def _text(self, found: Value) -> str:
        """Return the text of a value as Ansible hands it over; note the seal of one that is encrypted."""
        if found.tag in VAULT_TAGS:
            text, self._stored_seal = self._file.vault.decrypt(found.text, self.words)
            return text
        if self._file.content().seal is None:
            raise StoreError(
                f"{self.words} is there in clear text.",
                f"{NOTHING_MINTED} Encrypt it with ansible-vault encrypt_string, or remove it.",
            )
        if found.tag not in (STRING, "!unsafe"):
            raise StoreError(f"{self.words} is not text.", f"{NOTHING_MINTED} Put it in quotes.")
        return found.text


def _stopped(error: StoreError, *, is_new: bool) -> StoreError:
    """Return what stopped a write: the new token is pending, since it is in a file already."""
    pending = (
        "The new token is pending beside it, encrypted, and the next run goes on from there. "
        if is_new
        else ""
    )
    return type(error)(error.args[0], f"{pending}Correct the cause, then run again.")
