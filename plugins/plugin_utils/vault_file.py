# SPDX-License-Identifier: GPL-3.0-or-later
"""A `Store` that keeps a token in a variable of a YAML file, encrypted by Ansible Vault.

The plaintext is in memory alone: what is written, pending and backup files included, is encrypted.
"""

from __future__ import annotations

import json
import threading
from contextlib import AbstractContextManager, nullcontext

from ansible import constants as C  # noqa: N812 - as everywhere in Ansible
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret
from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import InvalidInputError, StoreError
from ansible_collections.echovalue.cloud.plugins.module_utils.core.models import MAX_TOKEN_LENGTH, read_token
from ansible_collections.echovalue.cloud.plugins.module_utils.locked_directory import NOTHING_MINTED
from ansible_collections.echovalue.cloud.plugins.module_utils.locked_file import LockedFile
from ansible_collections.echovalue.cloud.plugins.plugin_utils import yaml_variable

LONGEST = "x" * MAX_TOKEN_LENGTH  # stands for a token that is not minted yet
Tokens = dict[str, str]  # by the name of the variable
_INDENT = " " * 10  # as `ansible-vault encrypt_string` writes it


class VaultFile:
    """Keeps tokens in the variables `variables` of the file at `path`; see LockedFile.

    `vault` holds the run's vault secrets; `vault_id` names the one that encrypts, None leaves the
    choice to the file and to Ansible.
    """

    max_size = 16 * 1024 * 1024

    def __init__(
        self,
        path: str,
        variables: list[str],
        vault: VaultLib,
        *,
        vault_id: str | None = None,
        backup: bool = True,
        dry_run: bool = False,
    ) -> None:
        for name in variables:
            if not name.isidentifier():
                raise InvalidInputError(f"{name!r} is no valid name of a variable.")
        self._file = LockedFile(path, self.max_size, backup=backup, dry_run=dry_run, suffix=".tmp")
        self.path = self._file.path
        self.variables = variables
        self._dry_run = dry_run
        self._vault = vault
        self._vault_id = vault_id
        self._placeholder = ""
        self._decrypted: dict[bytes, tuple[str, str | None]] = {}
        self._checking = threading.Lock()
        self._checked = False
        self._content: bytes | None = None

    @property
    def backup_file(self) -> str | None:
        """Where the former file is kept, if one is."""
        return self._file.backup_file

    def lock(self) -> AbstractContextManager[None]:
        """Lock the file's directory."""
        return self._file.lock()

    def read(self) -> Tokens:
        """Return the tokens of those variables that the file has."""
        self._content = self._file.read()
        return self.parse(self._content)

    def check_writable(self) -> None:
        """Make sure once for all variables that the file can take their tokens."""
        with self._checking:
            if self._checked:
                return
            content = self.render(self._content, dict.fromkeys(self.variables, LONGEST))
            if self._dry_run:
                self._file.check_writable()
            else:
                self._file.stage(len(content))
            self._checked = True

    def write(self, tokens: Tokens) -> None:
        """Put the tokens in place, durably; the former file is kept as a backup where it loses one."""
        before = self.parse(self._content)
        path = self._file.fill(self.render(self._content, tokens))
        loses = any(tokens.get(name) != token for name, token in before.items())
        self._file.put_in_place(path, keep_former=loses)

    def parse(self, content: bytes | None) -> Tokens:
        """Return the decrypted tokens of those variables that the file has."""
        if content is None:
            return {}
        text, whole, _vault_id = self._open(content)
        try:
            found = yaml_variable.find(text, self.variables)
        except yaml_variable.YamlFormError as error:
            raise self._refuse(str(error)) from None
        return {name: self._token(name, variable, whole) for name, variable in found.items()}

    def render(self, content: bytes | None, value: Tokens) -> bytes:
        """Return the file with these tokens in its variables, and without those that have none."""
        text, whole, vault_id = self._open(content or b"")
        try:
            kept = yaml_variable.find(text, self.variables)
            values: dict[str, str | None] = {}
            for name in self.variables:
                token = value.get(name)
                # An equal token stays as it is: encrypting it again would be a change.
                if token is None or name not in kept or self._token(name, kept[name], whole) != token:
                    values[name] = None if token is None else self._yaml(token, whole)
            text = yaml_variable.edit(text, values)
        except yaml_variable.YamlFormError as error:
            raise self._refuse(str(error)) from None
        return (self._encrypt(text, self._vault_id or vault_id) if whole else text).encode()

    def _token(self, name: str, variable: yaml_variable.Variable, whole: bool) -> str:
        """Return the token that a variable holds; raise StoreError where it holds none."""
        if variable.tag == "!vault":
            token = self._decrypt(variable.value.encode())[0].rstrip("\r\n")
        elif whole:
            token = variable.value
        else:
            raise StoreError(
                f"The variable {name} in {self.path} stands there in clear text.",
                f"{NOTHING_MINTED} Encrypt it with ansible-vault encrypt_string, or remove it.",
            )
        found = read_token(token)
        if found is None:
            raise self._refuse(f"what the variable {name} holds is no token")
        return found

    def _yaml(self, token: str, whole: bool) -> str:
        """Return a token as YAML: in a wholly encrypted file as it is, else encrypted."""
        if whole:
            return json.dumps(token)
        if token != LONGEST:
            return self._inline(token)
        if not self._placeholder:  # encrypting is slow on purpose: once is enough for a trial
            self._placeholder = self._inline(token)
        return self._placeholder

    def _inline(self, token: str) -> str:
        lines = self._encrypt(token, self._vault_id).splitlines()
        return "\n".join(["!vault |", *(_INDENT + line for line in lines)])

    def _open(self, content: bytes) -> tuple[str, bool, str | None]:
        """Return a file's text, whether it was wholly encrypted, and with which vault id."""
        if is_encrypted(content):
            text, vault_id = self._decrypt(content)
            return text, True, vault_id
        if len(content) > self.max_size:
            raise self._refuse(f"it is over {self.max_size // 1024 // 1024} MiB")
        try:
            return content.decode("utf-8"), False, None
        except UnicodeDecodeError:
            raise self._refuse("it is no UTF-8 text") from None

    def _decrypt(self, vaulttext: bytes) -> tuple[str, str | None]:
        self._check_secrets()
        try:
            if vaulttext not in self._decrypted:  # decrypting is slow on purpose
                plaintext, vault_id, _secret = self._vault.decrypt_and_get_vault_id(vaulttext)
                self._decrypted[vaulttext] = plaintext.decode("utf-8"), vault_id
            return self._decrypted[vaulttext]
        except (AnsibleError, UnicodeDecodeError):
            raise StoreError(
                f"{self.path} cannot be decrypted with the vault secrets of this run.",
                f"{NOTHING_MINTED} Give the password or vault id that it was encrypted with.",
            ) from None

    def _encrypt(self, plaintext: str, vault_id: str | None) -> str:
        self._check_secrets()
        wanted = vault_id or C.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY")
        try:
            used, secret = match_encrypt_secret(self._vault.secrets, encrypt_vault_id=wanted)
            vaulttext: bytes = self._vault.encrypt(plaintext, secret, vault_id=used)
        except AnsibleError:
            raise StoreError(
                f"This run has no vault secret for the vault id {wanted}.",
                f"{NOTHING_MINTED} Give it with --vault-id, or correct vault_id.",
            ) from None
        return vaulttext.decode("ascii")

    def _check_secrets(self) -> None:
        if not self._vault.secrets:
            raise StoreError(
                f"This run has no vault secret, so {self.path} can be neither read nor written.",
                f"{NOTHING_MINTED} Run with --vault-id, --vault-password-file or --ask-vault-pass.",
            )

    def _refuse(self, why: str) -> StoreError:
        return StoreError(
            f"{self.path} cannot keep the token: {why}.",
            f"{NOTHING_MINTED} Correct the file, or name another.",
        )


class VaultVariable:
    """A `Store`: one variable of a VaultFile, within the file's lock.

    `tokens` is what the file kept when it was read, and what is written since. With `at_once` a new
    token is in the file when `write` returns; without, the caller writes the file once for all.
    """

    def __init__(self, file: VaultFile, name: str, tokens: Tokens, *, at_once: bool) -> None:
        self._file = file
        self._name = name
        self._tokens = tokens
        self._at_once = at_once

    @property
    def backup_file(self) -> str | None:
        """Where the former file is kept."""
        return self._file.backup_file

    def lock(self) -> AbstractContextManager[None]:
        """Do nothing: the file is locked for all its variables."""
        return nullcontext()

    def read(self) -> str | None:
        """Return the token in the variable."""
        return self._tokens.get(self._name)

    def waiting(self) -> None:
        """Return None: no token waits."""

    def drop_waiting(self) -> None:
        """Do nothing: no token waits."""

    def check_writable(self) -> None:
        """Make sure that the file can take a token."""
        self._file.check_writable()

    def write(self, token: str) -> None:
        """Keep the token."""
        self._tokens[self._name] = token
        if self._at_once:
            self._file.write(self._tokens)

    def remove(self) -> None:
        """Keep no token."""
        self._file.check_writable()
        del self._tokens[self._name]
        if self._at_once:
            self._file.write(self._tokens)
