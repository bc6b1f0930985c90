# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The places that there are, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Mapping

from .aws_secretsmanager import AWS_SECRETSMANAGER
from .command import COMMAND
from .definition import PlaceDefinition
from .github_secret import GITHUB_SECRET
from .gitlab_variable import GITLAB_VARIABLE
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

# Where a token of one of these places can be copied to: the places of the controller, and secrets of a CI.
COPIES: Mapping[str, PlaceDefinition] = {
    place.name: place
    for place in (
        *(place for place in PLACES.values() if place.on_controller),
        GITHUB_SECRET,
        GITLAB_VARIABLE,
    )
}
