# SPDX-License-Identifier: BSD-2-Clause
"""What holds of one place alone, against its real server or program."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyrage
import pytest
import trustme
from ansible.parsing.vault import VaultLib

from tests.stores.conftest import AtTheMint, Controller, MakePlace
from tests.testkit.gate import gate
from tests.testkit.places import HashiVault, KubernetesSecret, Place, SecretsManager, Sops
from tests.testkit.playbook import token, wait_until
from tests.testkit.servers import openbao_server
from tools.checkout import collections_path
from tools.emulator.client import Emulator

sys.path.append(collections_path())  # where the stores are imported from, as Ansible does

from ansible_collections.echovalue.cloud.plugins.plugin_utils.connections import (
    kubernetes as kubernetes_store,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.connections.run_context import RunContext

GIVEN = "given-token-0123456789abcdef"
ACL = "system.posix_acl_access"


def failing(*options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return tasks that are to fail, `case0` and so on."""
    return [token(f"case{number}", ignore_errors=True, **each) for number, each in enumerate(options)]


def failures(
    ansible: Controller, *cases: tuple[dict[str, Any], str] | tuple[dict[str, Any], str, str]
) -> None:
    """Make sure that a task with these options fails, with this in its text, in each case.

    The place refuses, unless a reason comes before the text. Those cases are items of one task, where none
    may stop another.
    """
    together = [case for case in cases if len(case) == 2 and len(case[0]) == 1]
    alone = [case for case in cases if case not in together]
    run = ansible.play(
        token("together", ignore_errors=True, tokens=[case[0] for case in together]),
        *failing(*(case[0] for case in alone)),
        options=("-vvv",),
    )
    results = [*run["together"].get("tokens", []), *(run[f"case{number}"] for number in range(len(alone)))]
    for (options, *reasons, text), result in zip([*together, *alone], results):
        (reason,) = reasons or ("store",)
        assert (result["failed"], result["reason"]) == (True, reason), (options, result)
        assert text in result["msg"], (options, result["msg"])
        assert "Traceback" not in result["msg"]
    assert len(results) == len(cases)


class TestHashiVault:
    """OpenBao."""

    @pytest.fixture
    def place(self, make_place: MakePlace) -> HashiVault:
        return make_place("hashi_vault")

    def test_what_is_deleted_or_destroyed_gets_a_new_version(
        self, ansible: Controller, make_place: MakePlace
    ) -> None:
        deleted, destroyed = make_place("hashi_vault"), make_place("hashi_vault")
        for place in (deleted, destroyed):
            place.put({"old": "value"})
        deleted.delete()
        destroyed.destroy(1)
        run = ansible.play(token("deleted", **deleted.options), token("destroyed", **destroyed.options))
        for place, name in ((deleted, "deleted"), (destroyed, "destroyed")):
            assert run[name]["status"] == "minted"
            assert place.content() == {"token": run[name]["token"]}

    def test_a_former_token_is_where_it_stays_readable(
        self, ansible: Controller, emulator: Emulator, place: HashiVault, servers: Any
    ) -> None:
        """In an older version, where no setting of the secret or its mount takes that; else in the spool."""
        emulator.register(GIVEN)
        as_root = {**place.connection, "token": servers("hashi_vault").token}

        def mount(name: str, **config: Any) -> str:
            where = f"{place.named('')['path']}-{name}"
            place.call("POST", f"sys/mounts/{where}", {"type": "kv", "options": {"version": "2"}})
            wait_until(lambda: place.answers("POST", f"{where}/config", config))
            return where

        open_mount = mount("open")

        def secret(name: str, mount: str = open_mount, value: str = GIVEN, **settings: Any) -> dict[str, Any]:
            if settings:
                place.call("POST", f"{mount}/metadata/{name}", settings)
            place.call("POST", f"{mount}/data/{name}", {"data": {"token": value, "other": "x"}})
            return {"hashi_vault": place.named("", path=name, mount=mount, connection=as_root)}

        expired_later = secret("expired_later", delete_version_after="1h")
        place.call("POST", f"{open_mount}/metadata/expired_later", {"delete_version_after": "0s"})
        cases = {
            "plain": (secret("plain"), True),
            "with_a_line_end": (secret("with_a_line_end", value=f"{GIVEN}\n"), True),
            "more_versions": (secret("more_versions", max_versions=20), True),
            "one_version": (secret("one_version", max_versions=1), False),
            "few_versions": (secret("few_versions", max_versions=9), False),
            "expiring": (secret("expiring", delete_version_after="1h"), False),
            "expiring_still": (expired_later, False),
            "one_in_mount": (secret("x", mount("one", max_versions=1)), False),
            "few_in_mount": (secret("x", mount("few", max_versions=2)), False),
            "expiring_in_mount": (secret("x", mount("expiring", delete_version_after="24h")), False),
            "more_in_mount": (secret("x", mount("more", max_versions=12)), True),
            "documented_login": (place.options, False),
        }
        place.put({"token": GIVEN})
        for state in ({"regenerate": "always"}, {"state": "absent"}):
            names = [*cases]
            run = ansible.play(token("result", tokens=[cases[name][0] for name in names], **state))
            entries = dict(zip(names, run["result"]["tokens"]))
            assert {entry["changed"] for entry in entries.values()} == {True}
            kept = {name: bool(entry["backup_file"]) for name, entry in entries.items()}
            assert kept == {name: not by_versions for name, (_options, by_versions) in cases.items()}
            copies = [Path(entry["backup_file"]) for entry in entries.values() if entry["backup_file"]]
            assert ansible.spool == sorted(copies)
            assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o600}
            if "regenerate" in state:
                assert {path.read_text() for path in copies} == {f"{GIVEN}\n"}
                versions = place.call("GET", f"{open_mount}/data/plain?version=1")
                assert versions["data"]["data"]["token"] == GIVEN
                for path in copies:
                    path.unlink()
            cases["expiring_still"] = (expired_later, True)  # the next version was written without an expiry

    def test_a_former_token_of_one_of_two_keys_is_in_the_spool(
        self, ansible: Controller, emulator: Emulator, place: HashiVault, servers: Any
    ) -> None:
        as_root = {**place.connection, "token": servers("hashi_vault").token}
        items = [{"hashi_vault": place.named("", key=key, connection=as_root)} for key in "ab"]
        first = ansible.play(token("result", tokens=items))["result"]["tokens"]
        again = ansible.play(token("result", regenerate="always", tokens=items))["result"]["tokens"]
        for old, new in zip(first, again):
            assert Path(new["backup_file"]).read_text() == f"{old['token']}\n"

    def test_a_sealed_server_is_refused(
        self, ansible: Controller, emulator: Emulator, tmp_path: Path
    ) -> None:
        directory = tmp_path / "sealed"
        directory.mkdir()
        with openbao_server(directory) as server:
            place = HashiVault(server, tmp_path)
            place.call("POST", "sys/seal")
            failures(ansible, (place.options, "Vault is sealed"))
        assert emulator.stats()["total"] == 0

    def test_the_login_of_every_tutorial(self, ansible: Controller, place: HashiVault) -> None:
        login = "root"  # a word that stands among what the server answers, too
        place.call("POST", "auth/token/create", {"id": login, "policies": ["root"]})
        options = place.named("", connection={**place.connection, "token": login})
        run = ansible.play(token("result", hashi_vault=options))
        assert run["result"]["status"] == "minted"

    def test_the_connection_comes_from_the_environment_of_the_task(
        self, ansible: Controller, place: HashiVault
    ) -> None:
        url, login = place.connection["url"], place.connection["token"]
        options = place.named("", connection={"retries": 2, "timeout": "20", "validate_certs": "false"})
        run = ansible.play(
            token("result", hashi_vault=options), environment={"VAULT_ADDR": url, "VAULT_TOKEN": login}
        )
        assert run["result"]["status"] == "minted"
        assert place.content()["token"] == run["result"]["token"]

    def test_a_client_certificate_of_the_task_counts_after_a_lookup(
        self, ansible: Controller, place: HashiVault, tmp_path: Path
    ) -> None:
        """A lookup in an argument imports hvac, which reads these variables then."""
        authority = trustme.CA()
        files = {name: str(tmp_path / name) for name in ("ca", "client")}
        authority.cert_pem.write_to_path(files["ca"])
        authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(files["client"])
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files["ca"])
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        tls.verify_mode = ssl.CERT_REQUIRED
        name = place.named("")["path"]
        with gate(place.connection["url"], lambda *_: True, tls) as server:
            lookup = "lookup('community.hashi_vault.vault_read', 'x', url='http://127.0.0.1:1', auth_method='none', errors='ignore')"
            task = token(
                "result",
                hashi_vault={
                    "path": f"{{{{ '{name}' if {lookup} else '{name}' }}}}",
                    "connection": {"url": server.url, "token": place.connection["token"]},
                },
            )
            run = ansible.play(
                {
                    **task,
                    "environment": {
                        "VAULT_CACERT": files["ca"],
                        "VAULT_CLIENT_CERT": files["client"],
                        "VAULT_CLIENT_KEY": files["client"],
                    },
                },
                {
                    **task,
                    "register": "without",
                    "environment": {"VAULT_CACERT": files["ca"]},
                    "ignore_errors": True,
                },
            )
        assert place.content()["token"] == run["result"]["token"]
        assert run["without"]["reason"] == "store"

    def test_two_namespaces_never_share_a_token(
        self, ansible: Controller, emulator: Emulator, at_the_mint: AtTheMint, make_place: MakePlace
    ) -> None:
        root = make_place("hashi_vault")
        for name in ("team-a", "team-b"):
            root.call("POST", f"sys/namespaces/{name}")
        places = [make_place("hashi_vault", namespace=name) for name in ("team-a", "team-b")]
        named = [place.named("", path="app") for place in places]
        for place in places:
            place.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
            place.allow("read", "create", "update", path="app")
        at_the_mint.append(lambda: places[0].allow("read", path="app"))
        first = ansible.play(token("broken", ignore_errors=True, hashi_vault=named[0]))
        at_the_mint.clear()
        places[0].allow("read", "create", "update", path="app")
        assert first["broken"]["reason"] == "store"
        assert len(ansible.pending) == 1
        run = ansible.play(token("b", hashi_vault=named[1]), token("a", hashi_vault=named[0]))
        assert [run[name]["status"] for name in "ba"] == ["minted", "minted"]
        assert run["a"]["token"] != run["b"]["token"]
        assert emulator.stats()["mints"] == 2
        assert ansible.pending == []

    def test_bad_input(
        self, ansible: Controller, emulator: Emulator, place: HashiVault, servers: Any
    ) -> None:
        place.put({"token": "", "number": 5, "words": "no token"})
        first_version = place.named("")["path"]
        place.call("POST", f"sys/mounts/{first_version}", {"type": "kv", "options": {"version": "1"}})
        denied = place.login(place.deny_options())
        good = place.connection
        as_root = {**good, "token": servers("hashi_vault").token}

        def with_connection(**changed: Any) -> dict[str, Any]:
            return {"hashi_vault": place.named("", connection={**good, **changed})}

        failures(
            ansible,
            (with_connection(tokn="x"), "invalid_input", "tokn"),
            (with_connection(retries="x"), "invalid_input", "retries"),
            (with_connection(timeout="soon"), "invalid_input", "timeout"),
            (with_connection(auth_method="magic"), "invalid_input", "magic"),
            (
                {"hashi_vault": place.named("-x", connection={**good, "token": "wrong-login"})},
                "the server says: ",
            ),
            (with_connection(token="wrong-login", token_validate=True), "Invalid Vault Token"),
            (with_connection(auth_method="approle", role_id="none", secret_id="x"), "permission denied"),
            (with_connection(url="http://nowhere.invalid:1"), "name could not be resolved"),
            (with_connection(token=denied), "parameter options"),
            (with_connection(url="http://127.0.0.1:1"), "no answer"),
            ({"hashi_vault": place.named("", key="number")}, "is not text"),
            ({"hashi_vault": place.named("", key="words")}, "holds no token"),
            ({"hashi_vault": place.named("", mount=first_version, connection=as_root)}, "not KV version 2"),
            ({"hashi_vault": place.named("", mount="cubbyhole")}, "not KV version 2"),
            ({"hashi_vault": place.named("", mount="nowhere")}, "may not"),
            ({"hashi_vault": {"mount": "secret"}}, "invalid_input", "hashi_vault.path"),
            ({"hashi_vault": place.named(""), "path": "/x"}, "invalid_input", "mutually exclusive"),
        )
        assert emulator.stats()["total"] == 0

    def test_a_login_with_only_the_documented_rights(self, ansible: Controller, place: HashiVault) -> None:
        login = place.login(place.documented_rights(), no_default_policy=True)
        options = {"hashi_vault": place.named("", connection={**place.connection, "token": login})}
        run = ansible.play(token("first", **options), token("rotated", regenerate="always", **options))
        assert [run[name]["status"] for name in ("first", "rotated")] == ["minted", "replaced"]


class TestSecretsManager:
    """moto."""

    @pytest.fixture
    def place(self, make_place: MakePlace) -> SecretsManager:
        return make_place("aws_secretsmanager")

    def test_versions(self, ansible: Controller, place: SecretsManager) -> None:
        arn = place.client.create_secret(Name=place.named("")["name"])["ARN"]  # and no version
        run = ansible.play(
            token("first", **place.options),
            token("by_arn", aws_secretsmanager=place.named("", name=arn)),
            token("rotated", regenerate="always", aws_secretsmanager=place.named("", name=arn)),
        )
        assert [run[name]["status"] for name in run.registered] == ["minted", "kept", "replaced"]
        assert place.content() == {"token": run["rotated"]["token"]}
        answer = place.client.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
        assert json.loads(answer["SecretString"]) == {"token": run["first"]["token"]}
        stages = place.client.describe_secret(SecretId=arn)["VersionIdsToStages"].values()
        assert sorted(stage for each in stages for stage in each) == ["AWSCURRENT", "AWSPREVIOUS"]

    def test_a_former_token_without_a_version_is_in_the_spool(
        self, ansible: Controller, emulator: Emulator, place: SecretsManager
    ) -> None:
        """Seen after the move: a version without a label may go, and a look that is refused tells nothing."""
        emulator.register(GIVEN)
        name = place.named("")["name"]
        place.put({})

        def kept(**options: Any) -> str | None:
            place.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
            place.put({"token": GIVEN})
            seen.clear()
            result = ansible.play(token("result", **options, **place.options))["result"]
            assert result["changed"]
            assert [str(path) for path in ansible.spool] == (
                [result["backup_file"]] if result["backup_file"] else []
            )
            for path in ansible.spool:
                assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (f"{GIVEN}\n", 0o600)
                path.unlink()
            return str(result["backup_file"] or "")

        seen: list[str] = []

        def refuse_the_look(operation: str) -> bool:
            seen.append(operation)
            return operation == "GetSecretValue" and "UpdateSecretVersionStage" in seen

        def take_the_label(operation: str) -> bool:
            seen.append(operation)
            if operation == "GetSecretValue" and "UpdateSecretVersionStage" in seen:
                stages = place.client.describe_secret(SecretId=name)["VersionIdsToStages"]
                (version,) = [one for one, labels in stages.items() if "AWSPREVIOUS" in labels]
                place.gate.refuses = lambda _operation: False
                place.client.update_secret_version_stage(
                    SecretId=name, VersionStage="AWSPREVIOUS", RemoveFromVersionId=version
                )
            return False

        for options in ({"regenerate": "always"}, {"state": "absent"}):
            assert kept(**options) == ""
            for refuses in (refuse_the_look, take_the_label):
                place.gate.refuses = refuses
                assert kept(**options) != ""
                place.gate.refuses = lambda _operation: False

    def test_what_no_write_can_change_is_refused_before_the_mint(
        self, ansible: Controller, emulator: Emulator, make_place: MakePlace
    ) -> None:
        replica, empty_replica, managed, large = (make_place("aws_secretsmanager") for _ in range(4))
        replica.put({"user": "root"})
        for place in (replica, empty_replica):
            name = place.named("")["name"]
            if place is empty_replica:
                place.client.create_secret(Name=name)
            place.client.replicate_secret_to_regions(
                SecretId=name, AddReplicaRegions=[{"Region": "us-east-1"}]
            )
        owner = [{"Key": "aws:secretsmanager:owningService", "Value": "rds"}]
        managed.client.create_secret(Name=managed.named("")["name"], SecretString="{}", Tags=owner)
        large.put({"x": "y" * 65500})

        def there(place: SecretsManager) -> dict[str, Any]:
            return {
                "aws_secretsmanager": place.named("", connection={**place.connection, "region": "us-east-1"})
            }

        failures(
            ansible,
            (there(replica), "it is a replica of the secret in eu-west-1"),
            (there(empty_replica), "Name the region eu-west-1"),
            (managed.options, "it is managed by rds"),
            (large.options, "over 65536 bytes"),
        )
        assert emulator.stats()["total"] == 0
        run = ansible.play(token("primary", **replica.options))
        assert run["primary"]["status"] == "minted"

    def test_a_login_that_may_not_describe_a_secret_may_write_it(
        self, ansible: Controller, place: SecretsManager
    ) -> None:
        place.put({"user": "root"})
        place.gate.refuses = lambda operation: operation == "DescribeSecret"
        run = ansible.play(
            token("first", **place.options), token("rotated", regenerate="always", **place.options)
        )
        place.gate.refuses = lambda _operation: False
        assert [run[name]["status"] for name in ("first", "rotated")] == ["minted", "replaced"]

    def test_sts_is_not_requested_for_an_arn(self, ansible: Controller, place: SecretsManager) -> None:
        arn = place.client.create_secret(Name=place.named("")["name"])["ARN"]
        seen: list[str] = []
        place.gate.refuses = lambda operation: bool(seen.append(operation))
        run = ansible.play(token("by_arn", aws_secretsmanager=place.named("", name=arn)))
        by_arn = seen.copy()
        again = ansible.play(token("by_name", **place.options))
        place.gate.refuses = lambda _operation: False
        assert [run["by_arn"]["status"], again["by_name"]["status"]] == ["minted", "kept"]
        sts = "POST /"  # no operation is named in a header of its requests
        assert sts in seen
        assert sts not in by_arn

    def test_the_connection_comes_from_the_environment_of_the_task(
        self, ansible: Controller, place: SecretsManager
    ) -> None:
        connection = place.connection
        environment = {
            "AWS_REGION": connection["region"],
            "AWS_ENDPOINT_URL": connection["endpoint_url"],
            "AWS_ACCESS_KEY_ID": connection["access_key"],
            "AWS_SECRET_ACCESS_KEY": connection["secret_key"],
        }
        name = place.named("")["name"]
        login = "access_key='x', secret_key='x', region='us-east-1', endpoint_url='http://127.0.0.1:1'"
        before = f"lookup('amazon.aws.secretsmanager_secret', 'x', {login}, errors='ignore')"
        options = {"name": f"{{{{ '{name}' if {before} else '{name}' }}}}"}  # which loads boto3 before
        run = ansible.play({**token("result", aws_secretsmanager=options), "environment": environment})
        assert run["result"]["status"] == "minted"
        assert place.content()["token"] == run["result"]["token"]

    def test_two_accounts_and_regions_never_share_a_token(
        self, ansible: Controller, emulator: Emulator, place: SecretsManager
    ) -> None:
        role = "arn:aws:iam::111111111111:role/other"
        login = place.other("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        other = {
            **place.connection,
            "access_key": login["AccessKeyId"],
            "secret_key": login["SecretAccessKey"],
            "session_token": login["SessionToken"],
        }
        items = [
            place.options,
            {"aws_secretsmanager": place.named("", connection=other)},
            {"aws_secretsmanager": place.named("", connection={**place.connection, "region": "us-east-1"})},
        ]
        place.refuse()
        run = ansible.play(token("result", ignore_errors=True, tokens=items))
        place.accept()
        assert [entry["reason"] for entry in run["result"]["tokens"]] == ["store"] * 3
        assert len(ansible.pending) == 3
        run = ansible.play(token("result", tokens=items))
        assert len({entry["hash"] for entry in run["result"]["tokens"]}) == 3
        assert emulator.stats()["mints"] == 3
        assert ansible.pending == []

    def test_bad_input(self, ansible: Controller, emulator: Emulator, make_place: MakePlace) -> None:
        good, binary, text, listed, deleted = (make_place("aws_secretsmanager") for _ in range(5))
        good.put({"number": 5, "words": "no token"})
        binary.put_raw(SecretBinary=b"\xff\x00")
        text.put_raw(SecretString="just a text")
        listed.put_raw(SecretString='["token"]')
        deleted.put({})
        deleted.client.delete_secret(SecretId=deleted.named("")["name"])
        arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{good.named('')['name']}-none-AbCdEf"

        def with_connection(**changed: Any) -> dict[str, Any]:
            return {"aws_secretsmanager": good.named("", connection={**good.connection, **changed})}

        failures(
            ansible,
            (with_connection(aws_region="x"), "invalid_input", "aws_region"),
            (with_connection(region=["eu-west-1"]), "invalid_input", "region"),
            (with_connection(region=""), "region"),
            (with_connection(profile="nobody"), "nobody"),
            (with_connection(endpoint_url="nowhere"), "nowhere"),
            ({"aws_secretsmanager": good.named("", key="number")}, "is not text"),
            ({"aws_secretsmanager": good.named("", key="words")}, "holds no token"),
            ({"aws_secretsmanager": good.named("", name=arn)}, "by its name"),
            (binary.options, "no JSON object"),
            (text.options, "no JSON object"),
            (listed.options, "no JSON object"),
            (deleted.options, "marked"),
        )
        assert emulator.stats()["total"] == 0


class TestSops:
    """The program sops, with age keys."""

    @pytest.fixture
    def place(self, make_place: MakePlace) -> Sops:
        return make_place("sops")

    def test_what_is_there_stays(self, ansible: Controller, place: Sops, tmp_path: Path) -> None:
        """Links, owner, group, mode, ACL, and the ciphertext of other keys."""
        place.put({"user": "root", "word": "a: b"})
        link = tmp_path / "clusters" / "app.yaml"
        link.parent.mkdir()
        link.symlink_to(place.path)
        place.path.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(place.path, 4321, 4322)
        # User 65534 may read, too.
        entries = [(1, 6, -1), (2, 4, 65534), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
        os.setxattr(place.path, ACL, acl)
        before = place.path.read_text().splitlines()
        (place.path.parent / ".secrets.yaml.tmp").write_text("of a run that was killed\n")
        owner = place.path.stat()
        run = ansible.play(
            token("result", sops={"file": str(link)}), token("new", sops={"file": str(link), "key": "x"})
        )
        assert run["result"]["path"] == str(link)
        assert link.is_symlink()
        after = place.path.read_text().splitlines()
        changed = [line.split(":")[0].strip() for line in before if line not in after]
        assert changed == ["lastmodified", "mac"]
        now = place.path.stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (owner.st_mode, owner.st_uid, owner.st_gid)
        assert os.getxattr(place.path, ACL) == acl
        assert place.content() == {
            "user": "root",
            "word": "a: b",
            "echovalue_token": run["result"]["token"],
            "x": run["new"]["token"],
        }
        assert list(place.path.parent.glob(".secrets*")) == []

    def test_a_manifest_that_flux_applies(self, ansible: Controller, emulator: Emulator, place: Sops) -> None:
        place.rules.write_text(
            place.rules.read_text().replace("}]", ", encrypted_regex: ^(data|stringData)$}]")
        )
        place.put_text("apiVersion: v1\nkind: Secret\nmetadata:\n    name: app\nstringData:\n    db: x\n")

        def key(name: str) -> dict[str, Any]:
            return {"sops": place.named("", key=name)}

        run = ansible.play(
            token("first", **key("stringData.token")),
            token("again", **key('["stringData"]["token"]')),
            token("dotted", **key('["data"]["a.b"]')),
            *failing(key("stringData"), key("kind.token"), key("token"), key("kind")),
            token("absent", state="absent", **key("stringData.token")),
        )
        assert [run[name]["status"] for name in ("first", "again")] == ["minted", "kept"]
        assert place.content() == {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "app"},
            "stringData": {"db": "x"},
            "data": {"a.b": run["dotted"]["token"]},
        }
        texts = ("is not text", "does not lead through mappings", "in clear", "in clear")
        for number, text in enumerate(texts):
            assert run[f"case{number}"]["reason"] == "store"
            assert text in run[f"case{number}"]["msg"]
        assert emulator.stats()["mints"] == 2

    def test_keys_by_the_environment_or_by_variables(
        self, ansible: Controller, emulator: Emulator, place: Sops
    ) -> None:
        key = ansible.environment.pop("SOPS_AGE_KEY_FILE")
        by_environment = {"environment": {"SOPS_AGE_KEY_FILE": key}}
        by_variable = {"vars": {"where": key, "sops_age_keyfile": "{{ where }}"}}
        run = ansible.play(
            {**token("first", **place.options), **by_environment},
            {**token("again", **place.options), **by_environment},
            {**token("by_variable", **place.options), **by_variable},
            token("without", ignore_errors=True, **place.options),
        )
        statuses = [run[name]["status"] for name in ("first", "again", "by_variable")]
        assert statuses == ["minted", "kept", "kept"]
        assert run["without"]["reason"] == "store"
        assert "sops says: Failed to get the data key" in run["without"]["msg"]

    def test_keys_by_a_key_service(
        self, ansible: Controller, emulator: Emulator, place: Sops, tmp_path: Path
    ) -> None:
        socket = tmp_path / "keys"
        service = subprocess.Popen(
            ["sops", "keyservice", "--network=unix", f"--address={socket}"],
            env={**os.environ, **place.environment},
        )
        try:
            while not socket.exists():
                assert service.poll() is None
                time.sleep(0.05)
            del ansible.environment["SOPS_AGE_KEY_FILE"]
            only = {"sops_enable_local_keyservice": False, "sops_keyservice": [f"unix://{socket}"]}
            run = ansible.play(
                {**token("first", **place.options), "vars": only},
                {**token("again", **place.options), "vars": only},
                *failing(place.options, {"sops": place.named("other")}),
            )
        finally:
            service.terminate()
            service.wait()
        assert (run["first"]["status"], run["again"]["status"]) == ("minted", "kept")
        assert (run["case0"]["reason"], run["case1"]["reason"]) == ("store", "store")
        assert emulator.stats()["mints"] == 1

    def test_a_key_group_of_others(self, ansible: Controller, emulator: Emulator, place: Sops) -> None:
        """Without a key of each group this run could never open what it writes."""
        ours = place.rules.read_text().partition("age: ")[2].partition("}")[0]
        theirs = pyrage.x25519.Identity.generate().to_public()
        groups = f"key_groups: [{{age: [{ours}]}}, {{age: [{ours}]}}, {{age: [{theirs}]}}]"
        place.rules.write_text(f"creation_rules: [{{{groups}}}]\n")
        run = ansible.play(*failing(place.options))
        assert run["case0"]["reason"] == "store"
        assert emulator.stats()["total"] == 0
        place.rules.write_text(f"creation_rules: [{{shamir_threshold: 2, {groups}}}]\n")
        run = ansible.play(token("first", **place.options), token("again", **place.options))
        assert [run[name]["status"] for name in ("first", "again")] == ["minted", "kept"]

    def test_creation_rules_from_where_the_path_is_given(
        self, ansible: Controller, place: Sops, tmp_path: Path
    ) -> None:
        """A folder that is a link out of the repository; a rule by path; a relative path from the playbook."""
        outside = tmp_path / "outside"
        outside.mkdir()
        rules = place.rules.read_text().replace("{age", "{path_regex: ^linked/, age")
        (ansible.directory / ".sops.yaml").write_text(rules)
        (ansible.directory / "linked").symlink_to(outside)
        names = ("x.yaml", "x.yml", "x.json", "x.env", ".env", ".yaml")
        run = ansible.play(
            token("result", tokens=[{"sops": {"file": f"linked/{name}"}} for name in names]),
            token("again", tokens=[{"sops": {"file": f"linked/{name}"}} for name in names]),
            token("ini", sops={"file": "linked/x.ini", "key": "section.Token"}),
            *failing({"sops": {"file": "elsewhere.yaml"}}),
        )
        assert sorted(path.name for path in outside.iterdir()) == sorted([*names, "x.ini"])
        assert {entry["status"] for entry in run["again"]["tokens"]} == {"kept"}
        for entry in run["result"]["tokens"]:
            assert entry["token"] in place.sops("decrypt", str(ansible.directory / entry["path"]))
            assert stat.S_IMODE((ansible.directory / entry["path"]).stat().st_mode) == 0o600
        assert run["case0"]["reason"] == "store"
        assert "no matching creation rules" in run["case0"]["msg"]

    def test_bad_input(self, ansible: Controller, emulator: Emulator, place: Sops) -> None:
        clear = place.named("clear")["file"]
        rules = place.rules.read_text()
        place.rules.write_text(rules.replace("}]", ", encrypted_regex: ^hidden$}]"))
        place.put_text(f"echovalue_token: {GIVEN}\nhidden: x\n", Path(clear))
        plain = Path(place.named("plain")["file"])
        plain.write_text("echovalue_token: x\n")
        unusable = {"there is none": "/nowhere"}
        for number, (why, script) in enumerate(
            {
                "there is sops 3.10.2": "echo sops 3.10.2",
                "sops says: no room": "echo no room >&2; exit 1",
                "does not print the version": "echo hello",
            }.items()
        ):
            program = plain.parent / f"unusable{number}" / "sops"
            program.parent.mkdir()
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            unusable[why] = str(program.parent)

        def key(name: str, file: str = "") -> dict[str, Any]:
            return {"sops": place.named(file, key=name)}

        failures(
            ansible,
            ({"sops": {"file": clear}}, "in clear"),
            (key("other"), "in clear"),
            (key("other", "clear"), "in clear"),
            (key("a..b"), "invalid_input", "a..b"),
            (key('["a"'), "invalid_input", "no key"),
            (key("sops.mac"), "invalid_input", "sops.mac"),
            ({"sops": {"file": str(plain)}}, "sops metadata not found"),
            ({"sops": {"file": str(plain.parent / "x.txt")}}, "invalid_input", ".yaml"),
            ({"sops": {"file": str(plain.parent / "none" / "x.yaml"), "key": "hidden"}}, "does not exist"),
            ({"sops": {"key": "x"}}, "invalid_input", "sops.file"),
        )
        theirs = pyrage.x25519.Identity.generate().to_public()
        place.rules.write_text(f"creation_rules: [{{age: {theirs}}}]\n")  # who runs this could never read it
        failures(ansible, (key("token", "theirs"), "Failed to get the data key"))
        run = ansible.play(
            *(
                {**task, "environment": {"PATH": path}}
                for task, path in zip(failing(*[key("hidden")] * len(unusable)), unusable.values())
            )
        )
        for result, why in zip(run.registered.values(), unusable):
            assert result["reason"] == "store"
            assert "sops, 3.11 or newer" in result["msg"]
            assert why in result["msg"]
        assert emulator.stats()["total"] == 0


class TestCommand:
    """A program of the user's own."""

    def test_bad_input(self, ansible: Controller, emulator: Emulator, tmp_path: Path) -> None:
        marks, said = tmp_path / "still-there", tmp_path / "said"
        said.write_text(GIVEN)

        def script(text: str, **options: Any) -> dict[str, Any]:
            return {"command": {"argv": ["sh", "-c", text, "sh"], **options}}

        failures(
            ansible,
            (script(f"(sleep 3; touch {marks}) & sleep 60", timeout=0.5), "0.5 s"),
            (script("echo one-token-0123456789; echo two-token-0123456789"), "no token"),
            (script("echo no token"), "no token"),
            (script("yes"), "printed more than"),
            (script(f"cat {said} >&2; exit 3"), "exit code 3"),
            ({"command": {"argv": ["no-such-program"]}}, "No such file"),
            ({"command": {"argv": []}}, "invalid_input", "command.argv"),
            (script("true", timeout=0), "invalid_input", "timeout"),
            (script("true", timeout="soon"), "invalid_input", "timeout"),
            (script("true", timeout=1e10), "invalid_input", "command.timeout"),
            ({"command": {"argv": ["true"]}, "state": "absent"}, "invalid_input", "absent"),
            (
                {"tokens": [{"command": {"argv": ["true"]}}] * 2},
                "invalid_input",
                "Two items of tokens, or copies, name",
            ),
        )
        assert emulator.stats()["total"] == 0
        assert GIVEN not in (ansible.directory / "log").read_text()
        assert not marks.exists(), "what the program started outlived it"

    def test_how_a_program_may_behave(self, ansible: Controller, emulator: Emulator, tmp_path: Path) -> None:
        """What counts is that the program itself has ended."""

        def script(text: str) -> dict[str, Any]:
            return {"command": {"argv": ["sh", "-c", text, "sh"], "timeout": 10}}

        failures(
            ansible,
            (script("read -r answer </dev/tty"), "get ended with exit code "),
            (script("kill -KILL $$"), "get ended with the signal SIGKILL"),
        )
        assert emulator.stats()["total"] == 0
        kept = tmp_path / "kept"
        agent = "sleep 60 &"  # which holds the outputs open
        chats = "head -c 700000 /dev/zero"  # more than a pipe holds, before it reads
        text = f"{agent} case $1 in get) [ ! -e {kept} ] || cat {kept} ;; *) {chats}; cat >{kept} ;; esac"
        started = time.monotonic()
        run = ansible.play(token("result", **script(text)))
        assert kept.read_text() == run["result"]["token"] + "\n"
        assert time.monotonic() - started < 30

    def test_a_locked_password_store_is_refused_before_the_mint(
        self, ansible: Controller, emulator: Emulator, make_place: MakePlace
    ) -> None:
        place = make_place("pass")
        place.lock()
        run = ansible.play(*failing(place.options))
        assert run["case0"]["reason"] == "store"
        assert "get ended with exit code 2" in run["case0"]["msg"]
        assert emulator.stats()["total"] == 0

    def test_a_store_that_keeps_nothing_is_found_out(
        self, ansible: Controller, emulator: Emulator, tmp_path: Path
    ) -> None:
        run = ansible.play(*failing({"command": {"argv": ["sh", "-c", "true", "sh"]}}))
        assert run["case0"]["reason"] == "store"
        assert "get prints nothing" in run["case0"]["msg"]
        assert len(ansible.pending) == 1

    def test_a_relative_path_starts_at_the_playbook(self, ansible: Controller, make_place: MakePlace) -> None:
        place = make_place("command")
        (ansible.directory / "bin").mkdir()
        shutil.copy(place.program, ansible.directory / "bin" / "keep")
        run = ansible.play(token("result", command={"argv": ["bin/keep", ""]}))
        assert (ansible.directory / "bin" / "kept").read_text() == run["result"]["token"] + "\n"


@pytest.mark.kubernetes
class TestKubernetes:
    """A real API server."""

    @pytest.fixture
    def place(self, make_place: MakePlace) -> KubernetesSecret:
        return make_place("kubernetes")

    def test_what_is_there_stays(self, ansible: Controller, place: KubernetesSecret) -> None:
        place.put({"binary": "\xff\x00\xfe"})
        run = ansible.play(token("result", **place.options))
        whole = place.whole()
        assert (whole["type"], whole["metadata"]["labels"]) == ("example.com/mixed", {"team": "core"})
        assert place.content() == {"binary": "\xff\x00\xfe", "token": run["result"]["token"]}

    def test_connections(
        self, ansible: Controller, place: KubernetesSecret, servers: Any, tmp_path: Path
    ) -> None:
        """A dict or a file as kubeconfig, its context, the task's environment, booleans as text."""
        config = json.loads(servers("kubernetes").kubeconfig.read_text())
        config["contexts"].append({"name": "wrong", "context": {"cluster": "none", "user": "admin"}})
        config["clusters"].append({"name": "none", "cluster": {"server": "https://127.0.0.1:1"}})
        (ansible.directory / "config").write_text(json.dumps({**config, "current-context": "wrong"}))
        host = place.connection["host"]
        login = {"host": host, "api_key": place.connection["api_key"]}

        def connection(**options: Any) -> dict[str, Any]:
            return {"kubernetes": place.named("", connection=options)}

        run = ansible.play(
            token("by_dict", **connection(kubeconfig=config)),
            token("by_context", **connection(kubeconfig="config", context="test")),
            token("unverified", **connection(**login, validate_certs="false")),
            {
                **token("by_environment", **connection(context="test")),
                "environment": {"KUBECONFIG": str(ansible.directory / "config")},
            },
            {
                **token("by_k8s_auth", **connection()),
                "environment": {
                    "K8S_AUTH_HOST": host,
                    "K8S_AUTH_API_KEY": login["api_key"],
                    "K8S_AUTH_VERIFY_SSL": "no",
                },
            },
        )
        statuses = [result["status"] for result in run.registered.values()]
        assert statuses == ["minted", "kept", "kept", "kept", "kept"]

    def test_the_account_of_a_pod_counts_without_a_kubeconfig(
        self, servers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = servers("kubernetes")
        (tmp_path / "token").write_text(server.token)
        loader = "kubernetes.config.incluster_config"
        monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
        monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(server.ca))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")  # the file says localhost
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.url.rpartition(":")[2])
        monkeypatch.setenv("HOME", str(tmp_path))
        # As if an import had read another one.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere")
        controller = RunContext({}, lambda _name: None, str, VaultLib([]), True, True)

        def host(kubeconfig: str | None, **connection: str) -> str:
            monkeypatch.delenv("KUBECONFIG", raising=False)
            if kubeconfig is not None:
                monkeypatch.setenv("KUBECONFIG", kubeconfig)
            (host, *_others) = kubernetes_store._client(controller, connection)[1]
            return host.removeprefix("https://").partition(":")[0]

        config = json.loads(server.kubeconfig.read_text())
        cluster = {"server": server.url.replace("127.0.0.1", "localhost"), "insecure-skip-tls-verify": True}
        config["clusters"][0]["cluster"] = cluster
        named = tmp_path / "config"
        named.write_text(json.dumps(config))
        assert [host(None), host(""), host(str(named))] == ["127.0.0.1", "127.0.0.1", "localhost"]
        (tmp_path / ".kube").mkdir()
        shutil.copy(named, tmp_path / ".kube" / "config")
        assert host(None, context="test") == "localhost"
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
        assert [host(None), host("")] == ["localhost", "localhost"]

    def test_a_secret_that_will_not_stay_is_refused_before_the_mint(
        self, ansible: Controller, emulator: Emulator, make_place: MakePlace, servers: Any
    ) -> None:
        deleted = make_place("kubernetes")
        deleted.put({"x": "y"}, finalizers=["example.com/held"])
        deleted.delete()
        ending = make_place("kubernetes", namespace=deleted.named("")["name"])
        ending.put({"x": "y"})
        ending.delete_namespace()
        as_admin = {**ending.connection, "api_key": servers("kubernetes").token}
        failures(
            ansible,
            (deleted.options, "the Secret is being deleted"),
            ({"kubernetes": ending.named("", connection=as_admin)}, "the Secret is being deleted"),
            ({"kubernetes": ending.named("-new", connection=as_admin)}, "being terminated"),
        )
        assert emulator.stats()["total"] == 0
        run = ansible.play(token("may_not_look", **ending.options))  # a login that may not see the namespace
        assert run["may_not_look"]["status"] == "minted"

    def test_two_namespaces_never_share_a_token(
        self, ansible: Controller, emulator: Emulator, at_the_mint: AtTheMint, make_place: MakePlace
    ) -> None:
        first = make_place("kubernetes")
        other = make_place("kubernetes", namespace=f"{first.named('')['name']}")
        named = [one.named("", name="same") for one in (first, other)]
        at_the_mint.append(first.refuse)
        ansible.play(token("broken", ignore_errors=True, kubernetes=named[0]))
        at_the_mint.clear()
        first.accept()
        assert len(ansible.pending) == 1
        run = ansible.play(token("other", kubernetes=named[1]), token("first", kubernetes=named[0]))
        assert run["other"]["token"] != run["first"]["token"]
        assert emulator.stats()["mints"] == 2
        assert ansible.pending == []

    def test_bad_input(self, ansible: Controller, emulator: Emulator, make_place: MakePlace) -> None:
        place, immutable = make_place("kubernetes"), make_place("kubernetes")
        place.put({"binary": "\xff\x00\xfe", "words": "no token"})
        immutable.put({"x": "y"}, immutable=True)

        def with_connection(**changed: Any) -> dict[str, Any]:
            return {"kubernetes": place.named("", connection={**place.connection, **changed})}

        failures(
            ansible,
            (with_connection(hst="x"), "invalid_input", "hst"),
            (with_connection(validate_certs="perhaps"), "invalid_input", "validate_certs"),
            (with_connection(api_key="wrong-login"), "401"),
            (with_connection(ca_cert="/nowhere"), "/nowhere"),
            (with_connection(host="https://127.0.0.1:1"), "no answer"),
            ({"kubernetes": place.named("", connection={"kubeconfig": "nowhere"})}, "kube-config"),
            ({"kubernetes": place.named("", key="binary")}, "is not text"),
            ({"kubernetes": place.named("", key="words")}, "holds no token"),
            ({"kubernetes": place.named("", key="a b")}, "a b"),
            ({"kubernetes": place.named("", namespace="nowhere")}, "forbidden"),
            (immutable.options, "immutable"),
            ({"kubernetes": {}}, "invalid_input", "kubernetes.name"),
        )
        assert emulator.stats()["total"] == 0


def test_a_missing_broken_or_old_library_or_collection(
    ansible: Controller, emulator: Emulator, tmp_path: Path
) -> None:
    shims = tmp_path / "shims"
    shims.mkdir()
    ansible.environment["PYTHONPATH"] = os.pathsep.join([str(shims), ansible.environment["PYTHONPATH"]])
    places = {"hashi_vault": {"path": "x"}, "aws_secretsmanager": {"name": "x"}, "kubernetes": {"name": "x"}}
    libraries = {"hvac": "1.2.1", "boto3": "1.28.0", "kubernetes": "24.2.0"}

    def all_fail(text: str) -> None:
        told = [text.format(name, oldest) for name, oldest in libraries.items()]
        failures(ansible, *(({place: options}, one) for (place, options), one in zip(places.items(), told)))

    for name in libraries:
        (shims / f"{name}.py").write_text(f"raise ModuleNotFoundError('not here', name={name!r})\n")
    all_fail("-m pip install {}")
    for name in libraries:
        (shims / f"{name}.py").write_text("raise OSError('no libssl here')\n")
    all_fail("is broken: no libssl here.")
    for name in libraries:
        (shims / f"{name}.py").unlink()
        (shims / f"{name}-0.9.dist-info").mkdir()
        (shims / f"{name}-0.9.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 0.9\n")
    all_fail("{}, {} or newer: 0.9 is installed.")
    ansible.environment["PYTHONPATH"] = ansible.environment["PYTHONPATH"].partition(os.pathsep)[2]
    ansible.environment["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"] = "false"
    failures(
        ansible,
        ({"hashi_vault": places["hashi_vault"]}, "collection install community.hashi_vault"),
        ({"kubernetes": places["kubernetes"]}, "collection install kubernetes.core"),
    )
    assert emulator.stats()["total"] == 0


def test_a_spool_that_others_can_change_is_refused(
    ansible: Controller, emulator: Emulator, make_place: MakePlace
) -> None:
    place: Place = make_place("command")
    spool = ansible.directory / "shared"
    spool.mkdir()
    spool.chmod(0o1777)
    run = ansible.play(token("result", ignore_errors=True, spool=str(spool), **place.options))
    assert run["result"]["reason"] == "store"
    assert "others may write to it" in run["result"]["msg"]
    assert stat.S_IMODE(spool.stat().st_mode) == 0o1777
    assert emulator.stats()["total"] == 0
