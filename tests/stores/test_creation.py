# SPDX-License-Identifier: BSD-2-Clause
"""What a secret is created with: only there, and before or with its first version."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stores.conftest import AtTheMint, Controller, MakePlace, failures
from tests.testkit.gate import UNTAGGED
from tests.testkit.places import HashiVault, KubernetesSecret, SecretsManager
from tests.testkit.playbook import checked, role, token
from tools.emulator.client import Emulator

ADOPTED = "given-token-0123456789abcdef"
CREATION: dict[str, dict[str, Any]] = {
    "hashi_vault": {"custom_metadata": {"team": "shop", "cost_center": 1234}},
    "kubernetes": {
        "labels": {"app.kubernetes.io/part-of": "shop"},
        "annotations": {"example.com/cost": 1234, "example.com/note": "a: 'b' # \"c\""},
    },
    "aws_secretsmanager": {
        "tags": {"team": "shop", "CostCenter": 1234},
        "description": "The token of the shop.",
        "kms_key_id": "alias/shop",
    },
}


def options(place: Any, name: str = "", **changed: Any) -> dict[str, Any]:
    return place.at(name, **{**CREATION[place.store], **changed})


class TestHashiVault:
    """OpenBao: metadata is a request of its own."""

    store = "hashi_vault"

    @staticmethod
    def allow(
        place: HashiVault, *of_metadata: str, data: tuple[str, ...] = ("read", "create", "update")
    ) -> None:
        path = place.named("")["path"]
        rights = {f"secret/data/{path}*": data, f"secret/metadata/{path}*": of_metadata}
        place._rule(path, {where: {"capabilities": list(may)} for where, may in rights.items()})

    @staticmethod
    def metadata(place: HashiVault, name: str = "") -> Any:
        answer = place.call("GET", f"secret/metadata/{place.named(name)['path']}")
        return answer.get("data", {}).get("custom_metadata")

    def test_a_new_secret(self, ansible: Controller, emulator: Emulator, place: HashiVault) -> None:
        self.allow(place, "read", "create", "update")
        run = ansible.play(checked(token("check", **options(place))))
        assert (run["check"]["status"], self.metadata(place)) == ("minted", None)
        run = ansible.play(
            token("first", **options(place)),
            token("again", **options(place, custom_metadata={"team": "other"})),
            token("rotated", regenerate="always", **options(place, custom_metadata={"team": "other"})),
        )
        assert [run[name]["status"] for name in run.registered] == ["minted", "kept", "replaced"]
        assert self.metadata(place) == {"team": "shop", "cost_center": "1234"}
        assert place.content() == {"token": run["rotated"]["token"]}

    def test_one_that_exists(self, ansible: Controller, place: HashiVault, make_place: MakePlace) -> None:
        """With a version, though deleted, or with metadata only."""
        place.put({"user": "me"})
        path = place.named("")["path"]
        place.call("POST", f"secret/metadata/{path}-prepared", {"custom_metadata": {"team": "core"}})
        self.allow(place, "read")
        deleted: HashiVault = make_place("hashi_vault")
        deleted.put({"user": "me"})
        deleted.delete()
        self.allow(deleted)
        run = ansible.play(
            token("first", **options(place)),
            token("prepared", **options(place, "-prepared")),
            token("deleted", **options(deleted)),
        )
        assert run.done() == [(True, "minted")] * 3
        assert (self.metadata(place), self.metadata(place, "-prepared")) == (None, {"team": "core"})
        assert self.metadata(deleted) is None

    @pytest.mark.parametrize("rights", [(), ("read",), ("create", "update")])
    def test_rights(
        self, ansible: Controller, emulator: Emulator, place: HashiVault, rights: tuple[str, ...]
    ) -> None:
        self.allow(place, *rights)
        run = ansible.play(
            checked(token("check", ignore_errors=True, **options(place))),
            token("refused", ignore_errors=True, **options(place)),
        )
        for result in run.registered.values():
            assert result["reason"] == "store"
            assert "custom_metadata needs" in result["msg"]
            assert "No token was minted" in result["msg"]
        assert (emulator.stats()["total"], place.content(), ansible.spool) == (0, {}, [])

    def test_a_run_that_ends_between_metadata_and_token(
        self, ansible: Controller, emulator: Emulator, at_the_mint: AtTheMint, place: HashiVault
    ) -> None:
        self.allow(place, "read", "create", "update")
        at_the_mint.append(lambda: self.allow(place, "read", "create", "update", data=("read",)))
        run = ansible.play(token("broken", ignore_errors=True, **options(place)))
        assert "The token is pending" in run["broken"]["msg"]
        assert self.metadata(place) == {"team": "shop", "cost_center": "1234"}
        self.allow(place, "read")
        at_the_mint.clear()
        run = ansible.play(token("again", **options(place)))
        assert (run["again"]["status"], emulator.stats()["mints"]) == ("minted", 1)
        assert place.content() == {"token": run["again"]["token"]}


@pytest.mark.kubernetes
class TestKubernetes:
    """A real API server, which checks labels in the rehearsal."""

    store = "kubernetes"

    def test_a_new_secret_and_one_that_exists(
        self, ansible: Controller, emulator: Emulator, place: KubernetesSecret, make_place: MakePlace
    ) -> None:
        wrong = {"labels": {"team": "not a label!"}}
        run = ansible.play(
            checked(token("check", ignore_errors=True, **options(place, **wrong))),
            token("refused", ignore_errors=True, **options(place, **wrong)),
            token("first", **options(place)),
            token("again", regenerate="always", **options(place, **wrong)),
        )
        assert {run[name]["reason"] for name in ("check", "refused")} == {"store"}
        assert "not a label!" in run["refused"]["msg"]
        metadata = place.whole()["metadata"]
        assert metadata["labels"] == {"app.kubernetes.io/part-of": "shop"}
        assert metadata["annotations"] == {"example.com/cost": "1234", "example.com/note": "a: 'b' # \"c\""}
        assert emulator.stats()["mints"] == 2
        exists = make_place("kubernetes")
        exists.put({"user": "me"})
        ansible.play(token(**options(exists)))
        metadata = exists.whole()["metadata"]
        assert (metadata["labels"], metadata.get("annotations")) == ({"team": "core"}, None)


class TestSecretsManager:
    """moto, behind a gate that can refuse a secret without tags, as accounts do."""

    store = "aws_secretsmanager"

    @staticmethod
    def described(place: SecretsManager) -> tuple[Any, ...]:
        found = place.client.describe_secret(SecretId=place.named("")["name"])
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        return tags, found.get("Description", ""), found.get("KmsKeyId")

    def test_a_new_secret_and_one_that_exists(
        self, ansible: Controller, place: SecretsManager, make_place: MakePlace
    ) -> None:
        exists = make_place("aws_secretsmanager")
        exists.put({"user": "me"})
        run = ansible.play(
            checked(token("check", **options(place))),
            token("first", **options(place)),
            token("again", regenerate="always", **options(place, tags={"team": "other"})),
            token("exists", **options(exists)),
        )
        statuses = [status for _changed, status in run.done()]
        assert statuses == ["minted", "minted", "replaced", "minted"]
        expected = ({"team": "shop", "CostCenter": "1234"}, "The token of the shop.", "alias/shop")
        assert (self.described(place), self.described(exists)) == (expected, ({}, "", None))

    def test_an_account_that_demands_a_tag(
        self, ansible: Controller, emulator: Emulator, place: SecretsManager
    ) -> None:
        place.gate.refuses = lambda operation: operation == UNTAGGED
        run = ansible.play(token("refused", ignore_errors=True, **place.options), options=("-vvv",))
        assert run["refused"]["reason"] == "store"
        assert "AccessDeniedException: not allowed" in run["refused"]["msg"]
        (pending,) = ansible.pending
        minted = pending.read_text().rstrip("\n")
        assert str(pending) in run["refused"]["msg"]
        assert minted not in run.shown
        run = ansible.play(token("corrected", **options(place)))
        assert (run["corrected"]["status"], run["corrected"]["token"]) == ("minted", minted)
        assert place.content() == {"token": minted}
        assert (emulator.stats()["mints"], ansible.spool) == (1, [])


def test_what_is_no_text_is_refused(ansible: Controller, make_place: MakePlace) -> None:
    place = make_place("hashi_vault")
    wrong: list[Any] = [{"team": True}, {"team": None}, {"team": ["a"]}, {"team": {"a": "b"}}]
    text = "hashi_vault.custom_metadata.team must be text"
    cases = [(options(place, custom_metadata=one), "invalid_input", text) for one in wrong]
    failures(ansible, *cases, (options(place, custom_metadata=["a"]), "invalid_input", "custom_metadata"))


def test_the_role_and_defaults_of_items(ansible: Controller, make_place: MakePlace) -> None:
    place, other = make_place("aws_secretsmanager"), make_place("aws_secretsmanager")
    creation = CREATION["aws_secretsmanager"]
    named = place.named("", **creation)
    variables = {f"echovalue_token_aws_secretsmanager_{name}": value for name, value in named.items()}
    defaults = {"connection": other.connection, **creation}
    item = {"aws_secretsmanager": {"name": other.named("")["name"]}}
    ansible.play(
        role({"echovalue_token_store": "aws_secretsmanager", **variables}),
        token(aws_secretsmanager=defaults, tokens=[item]),
    )
    for each in (place, other):
        assert TestSecretsManager.described(each)[0] == {"team": "shop", "CostCenter": "1234"}
