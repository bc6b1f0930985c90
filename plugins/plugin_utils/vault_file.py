# SPDX-License-Identifier: GPL-3.0-or-later
"""A `Store` that keeps a token in a variable of a YAML file, encrypted by Ansible Vault.

The plaintext is in memory alone: what is written, pending and backup files included, is encrypted.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress

from ansible import constants as C  # noqa: N812 - as everywhere in Ansible
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret
from ansible_collections.echovalue.cloud.plugins.module_utils.core.errors import InvalidInputError, StoreError
from ansible_collections.echovalue.cloud.plugins.module_utils.core.models import is_token
from ansible_collections.echovalue.cloud.plugins.module_utils.locked_file import NOTHING_MINTED, LockedFile
from ansible_collections.echovalue.cloud.plugins.plugin_utils import yaml_variable

_INDENT = " " * 10  # as `ansible-vault encrypt_string` writes it


class VaultFile(LockedFile):
    """Keeps a token in the variable `variable` of the file at `path`; see LockedFile.

    `vault` holds the run's vault secrets; `vault_id` names the one that encrypts, None leaves the
    choice to the file and to Ansible.
    """

    max_size = 16 * 1024 * 1024

    def __init__(
        self,
        path: str,
        *,
        variable: str,
        vault: VaultLib,
        vault_id: str | None = None,
        backup: bool = True,
        dry_run: bool = False,
    ) -> None:
        super().__init__(path, self._keep_attributes, backup=backup, dry_run=dry_run)
        if not variable.isidentifier():
            raise InvalidInputError("variable must be a valid name of a variable.")
        self._variable = variable
        self._vault = vault
        self._vault_id = vault_id

    def parse(self, content: bytes | None) -> str | None:
        """Return the decrypted token, None where the file lacks the variable."""
        if content is None:
            return None
        text, whole, _vault_id = self._open(content)
        try:
            found = yaml_variable.find(text, self._variable)
        except yaml_variable.YamlFormError as error:
            raise self._refuse(str(error)) from None
        if found is None:
            return None
        if found.tag == "!vault":
            token = self._decrypt(found.value.encode())[0].rstrip("\r\n")
        elif whole:
            token = found.value
        else:
            raise StoreError(
                f"The variable {self._variable} in {self.path} stands there in clear text.",
                f"{NOTHING_MINTED} Encrypt it with ansible-vault encrypt_string, or remove it.",
            )
        if not is_token(token):
            raise self._refuse(f"what the variable {self._variable} holds is no token")
        return token

    def render(self, content: bytes | None, token: str | None) -> bytes | None:
        """Return the file with the token in the variable, or without the variable."""
        text, whole, vault_id = self._open(content or b"")
        try:
            if token is None:
                text = yaml_variable.drop(text, self._variable)
            elif whole:
                text = yaml_variable.put(text, self._variable, json.dumps(token))
            else:
                lines = self._encrypt(token, self._vault_id).splitlines()
                value = "\n".join(["!vault |", *(_INDENT + line for line in lines)])
                text = yaml_variable.put(text, self._variable, value)
        except yaml_variable.YamlFormError as error:
            raise self._refuse(str(error)) from None
        return (self._encrypt(text, self._vault_id or vault_id) if whole else text).encode()

    def _keep_attributes(self, path: str) -> bool:
        """Give the file that takes this one's place its owner and mode."""
        if path != self.path and os.path.exists(self.path):
            found = os.stat(self.path)
            os.chmod(path, stat.S_IMODE(found.st_mode))
            with suppress(PermissionError):  # only root may give a file away
                os.chown(path, found.st_uid, found.st_gid)
        return False

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
            plaintext, vault_id, _secret = self._vault.decrypt_and_get_vault_id(vaulttext)
            return plaintext.decode("utf-8"), vault_id
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
