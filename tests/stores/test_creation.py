# SPDX-License-Identifier: BSD-2-Clause
"""What a secret is created with: only there, and before or with its first version."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stores.conftest import AtTheMint, Controller, MakePlace
from tests.testkit.gate import UNTAGGED
from tests.testkit.places import HashiVault, KubernetesSecret, SecretsManager
from tests.testkit.playbook import Task, role, token
from tools.emulator.client import Emulator

GIVEN = "given-token-0123456789abcdef"
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


def checked(task: Task) -> Task:
    return {**task, "check_mode": True}


def options(place: Any, name: str = "", **changed: Any) -> dict[str, Any]:
    return {place.store: place.named(name, **{**CREATION[place.store], **changed})}


class TestHashiVault:
    """OpenBao: metadata is a request of its own."""

    @pytest.fixture
    def place(self, make_place: MakePlace) -> HashiVault:
        place: HashiVault = make_place("hashi_vault")
        return place

    @staticmethod
    def allow(place: HashiVault, *of_metadata: str) -> None:
        path = place.named("")["path"]
        place._rule(
            path,
            {
                f"secret/data/{path}*": {"capabilities": ["read", "create", "update"]},
                f"secret/metadata/{path}*": {"capabilities": list(of_metadata)},
            },
        )

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

    def test_one_that_exists(self, ansible: Controller, place: HashiVault) -> None:
        place.put({"user": "me"})
        path = place.named("")["path"]
        place.call("POST", f"secret/metadata/{path}-prepared", {"custom_metadata": {"team": "core"}})
        self.allow(place, "read")
        run = ansible.play(
            token("first", **options(place)),
            token("prepared", **options(place, "-prepared")),
        )
        assert {result["status"] for result in run.registered.values()} == {"minted"}
        assert (self.metadata(place), self.metadata(place, "-prepared")) == (None, {"team": "core"})

    def test_a_deleted_version_is_one(self, ansible: Controller, place: HashiVault) -> None:
        place.put({"user": "me"})
        place.delete()
        self.allow(place)
        assert ansible.play(token(**options(place)))["result"]["status"] == "minted"
        assert self.metadata(place) is None

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
        path = place.named("")["path"]

        def only_metadata() -> None:
            place._rule(
                path,
                {
                    f"secret/metadata/{path}": {"capabilities": ["read", "create", "update"]},
                    f"secret/data/{path}": {"capabilities": ["read"]},
                },
            )

        at_the_mint.append(only_metadata)
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

    @pytest.fixture
    def place(self, make_place: MakePlace) -> KubernetesSecret:
        place: KubernetesSecret = make_place("kubernetes")
        return place

    def test_a_new_secret(self, ansible: Controller, emulator: Emulator, place: KubernetesSecret) -> None:
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

    def test_one_that_exists(self, ansible: Controller, place: KubernetesSecret) -> None:
        place.put({"user": "me"})
        ansible.play(token(**options(place)))
        metadata = place.whole()["metadata"]
        assert (metadata["labels"], metadata.get("annotations")) == ({"team": "core"}, None)


class TestSecretsManager:
    """moto, behind a gate that can refuse a secret without tags, as accounts do."""

    @pytest.fixture
    def place(self, make_place: MakePlace) -> SecretsManager:
        place: SecretsManager = make_place("aws_secretsmanager")
        return place

    @staticmethod
    def described(place: SecretsManager) -> tuple[Any, ...]:
        found = place.client.describe_secret(SecretId=place.named("")["name"])
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        return tags, found.get("Description", ""), found.get("KmsKeyId")

    def test_a_new_secret(self, ansible: Controller, place: SecretsManager) -> None:
        run = ansible.play(
            checked(token("check", **options(place))),
            token("first", **options(place)),
            token("again", regenerate="always", **options(place, tags={"team": "other"})),
        )
        assert [run[name]["status"] for name in run.registered] == ["minted", "minted", "replaced"]
        expected = ({"team": "shop", "CostCenter": "1234"}, "The token of the shop.", "alias/shop")
        assert self.described(place) == expected

    def test_one_that_exists(self, ansible: Controller, place: SecretsManager) -> None:
        place.put({"user": "me"})
        ansible.play(token(**options(place)))
        assert self.described(place) == ({}, "", None)

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


def test_what_is_no_text_is_refused(ansible: Controller, emulator: Emulator, make_place: MakePlace) -> None:
    place = make_place("hashi_vault")
    wrong: list[Any] = [{"team": True}, {"team": None}, {"team": ["a"]}, {"team": {"a": "b"}}]
    tasks = [
        token(f"case{number}", ignore_errors=True, **options(place, custom_metadata=one))
        for number, one in enumerate(wrong)
    ]
    run = ansible.play(*tasks, token("list", ignore_errors=True, **options(place, custom_metadata=["a"])))
    assert {result["reason"] for result in run.registered.values()} == {"invalid_input"}
    assert "hashi_vault.custom_metadata.team must be text" in run["case0"]["msg"]
    assert emulator.stats()["total"] == 0


@pytest.mark.parametrize("store", ["aws_secretsmanager"])
def test_the_role_and_defaults_of_items(
    ansible: Controller, emulator: Emulator, make_place: MakePlace, store: str
) -> None:
    place = make_place(store)
    named = place.named("", **CREATION[store])
    variables = {f"echovalue_token_{store}_{name}": value for name, value in named.items()}
    ansible.play(role({"echovalue_token_store": store, **variables}))
    assert TestSecretsManager.described(place)[0] == {"team": "shop", "CostCenter": "1234"}
    other = make_place(store)
    beside = {"connection": other.connection, **CREATION[store]}
    ansible.play(token(**{store: beside}, tokens=[{store: {"name": other.named("")["name"]}}]))
    assert TestSecretsManager.described(other)[0] == {"team": "shop", "CostCenter": "1234"}
