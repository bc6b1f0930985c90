# SPDX-License-Identifier: GPL-3.0-or-later
# Private: for this collection and its Pulumi package only.
"""The vault secrets of a run. What was encrypted keeps its label and password, as by `ansible-vault edit`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible import constants as C  # noqa: N812 - as everywhere in Ansible
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, match_encrypt_secret, parse_vaulttext_envelope

from ...module_utils.core.errors import NOTHING_MINTED, StoreError


@dataclass(frozen=True)
class Seal:
    """What a text is encrypted with: the label in its header, and the password."""

    label: str
    secret: Any = field(repr=False)


class Vault:
    """Decrypts and encrypts with the secrets of `library`, those of the run. Raises StoreError."""

    def __init__(self, library: VaultLib) -> None:
        self._library = library

    def decrypt(self, ciphertext: str, place: str) -> tuple[str, Seal]:
        """Return the plaintext of what is at `place`, and the seal that it had."""
        self._check_secrets(place)
        try:
            plaintext, _id, secret = self._library.decrypt_and_get_vault_id(ciphertext)
            # Without a label it is Ansible's `default`, whatever the run calls its own.
            label = parse_vaulttext_envelope(ciphertext.encode(), default_vault_id="default")[3]
            return plaintext.decode("utf-8"), Seal(label, secret)
        except AnsibleError:
            raise StoreError(
                f"{place} cannot be decrypted with the vault secrets of this run.",
                f"{NOTHING_MINTED} Give the password or vault id that it was encrypted with.",
            ) from None
        except UnicodeDecodeError:
            raise StoreError(
                f"What is encrypted in {place} is not UTF-8 text.", f"{NOTHING_MINTED} Correct it."
            ) from None

    def seal(self, vault_id: str | None, place: str) -> Seal:
        """Return the seal for what is new at `place`: that of `vault_id`, or of the run's own choice."""
        self._check_secrets(place)
        wanted = vault_id or C.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY")
        try:
            return Seal(*match_encrypt_secret(self._library.secrets, encrypt_vault_id=wanted))
        except AnsibleError:
            raise StoreError(
                f"This run has no vault secret for the vault id {wanted}.",
                f"{NOTHING_MINTED} Give it with --vault-id, or name another vault id.",
            ) from None

    def encrypt(self, plaintext: str, seal: Seal) -> str:
        """Return a text encrypted."""
        ciphertext: bytes = self._library.encrypt(plaintext, seal.secret, vault_id=seal.label)
        return ciphertext.decode("ascii")

    def _check_secrets(self, place: str) -> None:
        if not self._library.secrets:
            raise StoreError(
                f"This run has no vault secret, so {place} can be neither read nor written.",
                f"{NOTHING_MINTED} Run with --vault-id, --vault-password-file or --ask-vault-pass.",
            )
