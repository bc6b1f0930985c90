# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The places that there are, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Mapping

from .aws_secretsmanager import AWS_SECRETSMANAGER
from .command import COMMAND
from .definition import PlaceDefinition
from .hashi_vault import HASHI_VAULT
from .kubernetes import KUBERNETES
from .path import PATH
from .sops import SOPS
from .vault_file import VAULT_FILE

PLACES: Mapping[str, PlaceDefinition] = {
    place.name: place
    for place in (
        PATH,
        VAULT_FILE,
        SOPS,
        HASHI_VAULT,
        KUBERNETES,
        AWS_SECRETSMANAGER,
        COMMAND,
    )
}
