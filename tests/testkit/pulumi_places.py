# SPDX-License-Identifier: BSD-2-Clause
"""The real places as a Pulumi program names them; the login is in the environment, as the store's own tools take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.testkit.places import HashiVault, KubernetesSecret, Place, SecretsManager
from tests.testkit.servers import kubeconfig_of


def named(place: Place, directory: Path, name: str = "") -> tuple[dict[str, Any], dict[str, str]]:
    """Return the argument `place`, and the environment of the run; a kubeconfig goes into `directory`."""
    options = place.named(name)
    connection = options.pop("connection", {})
    environment = dict(place.environment)
    if isinstance(place, HashiVault):
        environment |= {"VAULT_ADDR": connection["url"], "VAULT_TOKEN": connection["token"]}
    elif isinstance(place, KubernetesSecret):
        config = directory / "kubeconfig"
        config.write_text(kubeconfig_of(connection["host"], connection["ca_cert"], connection["api_key"]))
        environment["KUBECONFIG"] = str(config)
    elif isinstance(place, SecretsManager):
        environment["AWS_ACCESS_KEY_ID"] = connection["access_key"]
        environment["AWS_SECRET_ACCESS_KEY"] = connection["secret_key"]
        options["connection"] = {name: connection[name] for name in ("region", "endpoint_url")}
    return {place.store: options}, environment
