# SPDX-License-Identifier: BSD-2-Clause
"""What holds of one place, against its real server or program."""

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
from typing import Any, Callable

import pyrage
import pytest
import trustme
from ansible.parsing.vault import VaultLib

from tests.stores.conftest import AtTheMint, Controller, MakePlace, failing, failures
from tests.testkit.gate import gate
from tests.testkit.places import HashiVault, KubernetesSecret, SecretsManager, Sops
from tests.testkit.playbook import token, wait_until
from tests.testkit.servers import openbao_server
from tools.checkout import collections_path
from tools.emulator.client import Emulator

sys.path.append(collections_path())  # where the stores are imported from, as Ansible does

from ansible_collections.echovalue.cloud.plugins.plugin_utils.connections import (
    kubernetes as kubernetes_store,
)
from ansible_collections.echovalue.cloud.plugins.plugin_utils.connections.run_context import RunContext

ADOPTED = "given-token-0123456789abcdef"
ACL = "system.posix_acl_access"


class TestHashiVault:
    """OpenBao."""

    store = "hashi_vault"

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
        emulator.register(ADOPTED)
        as_root = {**place.connection, "token": servers("hashi_vault").token}

        def mount(name: str, **config: Any) -> str:
            where = f"{place.named('')['path']}-{name}"
            place.call("POST", f"sys/mounts/{where}", {"type": "kv", "options": {"version": "2"}})
            wait_until(lambda: place.answers("POST", f"{where}/config", config))
            return where

        open_mount = mount("open")

        def secret(
            name: str, mount: str = open_mount, value: str = ADOPTED, **settings: Any
        ) -> dict[str, Any]:
            if settings:
                place.call("POST", f"{mount}/metadata/{name}", settings)
            place.call("POST", f"{mount}/data/{name}", {"data": {"token": value, "other": ADOPTED}})
            return place.at(path=name, mount=mount, connection=as_root)

        expired_later = secret("expired_later", delete_version_after="1h")
        place.call("POST", f"{open_mount}/metadata/expired_later", {"delete_version_after": "0s"})
        cases = {
            "plain": (secret("plain"), True),
            "with_a_line_end": (secret("with_a_line_end", value=f"{ADOPTED}\n"), True),
            "more_versions": (secret("more_versions", max_versions=20), True),
            "one_version": (secret("one_version", max_versions=1), False),
            "few_versions": (secret("few_versions", max_versions=9), False),
            "expiring": (secret("expiring", delete_version_after="1h"), False),
            "expiring_still": (expired_later, False),
            "one_in_mount": (secret("x", mount("one", max_versions=1)), False),
            "few_in_mount": (secret("x", mount("few", max_versions=2)), False),
            "expiring_in_mount": (secret("x", mount("expiring", delete_version_after="24h")), False),
            "more_in_mount": (secret("x", mount("more", max_versions=12)), True),
            "one_of_two_keys": (secret("two_keys"), False),
            "the_other_key": (
                place.at(path="two_keys", mount=open_mount, key="other", connection=as_root),
                False,
            ),
            "documented_login": (place.options, False),
        }
        place.put({"token": ADOPTED})
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
                assert {path.read_text() for path in copies} == {f"{ADOPTED}\n"}
                versions = place.call("GET", f"{open_mount}/data/plain?version=1")
                assert versions["data"]["data"]["token"] == ADOPTED
                for path in copies:
                    path.unlink()
            cases["expiring_still"] = (expired_later, True)  # the next version was written without an expiry

    def test_a_sealed_server_is_refused(self, ansible: Controller, tmp_path: Path) -> None:
        directory = tmp_path / "sealed"
        directory.mkdir()
        with openbao_server(directory) as server:
            place = HashiVault(server, tmp_path)
            place.call("POST", "sys/seal")
            failures(ansible, (place.options, "Vault is sealed"))

    def test_logins(self, ansible: Controller, place: HashiVault, make_place: MakePlace) -> None:
        """From the task's environment; a word that the answers hold too, as in tutorials; with few rights."""
        place.call("POST", "auth/token/create", {"id": "root", "policies": ["root"]})
        documented = make_place("hashi_vault")
        login = documented.login(documented.documented_rights(), no_default_policy=True)
        login_only = documented.connected(token=login)
        settings = {"retries": 2, "timeout": "20", "validate_certs": "false"}
        environment = {"VAULT_ADDR": place.connection["url"], "VAULT_TOKEN": place.connection["token"]}
        by_environment = token("by_environment", regenerate="always", **place.at(connection=settings))
        run = ansible.play(
            token("tutorial", **place.connected(token="root")),
            {**by_environment, "environment": environment},
            token("few_rights", **login_only),
            token("rotated", regenerate="always", **login_only),
        )
        assert [status for _changed, status in run.done()] == ["minted", "replaced"] * 2
        assert place.content()["token"] == run["by_environment"]["token"]

    def test_a_client_certificate_of_the_task_counts_after_a_lookup(
        self, ansible: Controller, place: HashiVault, tmp_path: Path
    ) -> None:
        """A lookup in an argument imports hvac, which reads these variables then."""
        authority = trustme.CA()
        ca, client = (str(tmp_path / name) for name in ("ca", "client"))
        authority.cert_pem.write_to_path(ca)
        authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(client)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        tls.verify_mode = ssl.CERT_REQUIRED
        name = place.named("")["path"]
        before = "url='http://127.0.0.1:1', auth_method='none', errors='ignore'"
        lookup = f"lookup('community.hashi_vault.vault_read', 'x', {before})"
        with gate(place.connection["url"], lambda *_: True, tls) as server:
            connection = {"url": server.url, "token": place.connection["token"]}
            path = f"{{{{ '{name}' if {lookup} else '{name}' }}}}"
            task = token(ignore_errors=True, hashi_vault={"path": path, "connection": connection})
            trusted = {"VAULT_CACERT": ca}
            certified = {**trusted, "VAULT_CLIENT_CERT": client, "VAULT_CLIENT_KEY": client}
            run = ansible.play(
                {**task, "environment": certified}, {**task, "environment": trusted, "register": "without"}
            )
        assert place.content()["token"] == run["result"]["token"]
        assert run["without"]["reason"] == "store"

    def test_bad_input(self, ansible: Controller, place: HashiVault, servers: Any) -> None:
        place.put({"token": "", "number": 5, "words": "no token"})
        first_version = place.named("")["path"]
        place.call("POST", f"sys/mounts/{first_version}", {"type": "kv", "options": {"version": "1"}})
        denied = place.login(place.deny_options())
        good = place.connection
        as_root = {**good, "token": servers("hashi_vault").token}
        secret = "of-the-login-0123456789"
        wrong_password = {
            "auth_method": "userpass",
            "username": "me",
            "password": secret,
            "token_validate": secret,
        }
        run = failures(
            ansible,
            (place.connected(tokn="x"), "invalid_input", "tokn"),
            (place.connected(retries="x"), "invalid_input", "retries"),
            (place.connected(timeout="soon"), "invalid_input", "timeout"),
            (place.connected(auth_method="magic"), "invalid_input", "magic"),
            (place.at("-x", connection={**good, "token": secret}), "the server says: "),
            (place.connected(token=secret, token_validate=True), "Invalid Vault Token"),
            (place.connected(auth_method="approle", role_id=secret, secret_id=secret), "permission denied"),
            (place.connected(**wrong_password), "permission denied"),
            (place.at("-y", connection={**good, "proxies": f"http://me:{secret}@127.0.0.1:1"}), "no answer"),
            (place.connected(url="http://nowhere.invalid:1"), "name could not be resolved"),
            (place.connected(token=denied), "parameter options"),
            (place.connected(url="http://127.0.0.1:1"), "no answer"),
            (place.at(key="number"), "is not text"),
            (place.at(key="words"), "holds no token"),
            (place.at(mount=first_version, connection=as_root), "not KV version 2"),
            (place.at(mount="cubbyhole"), "not KV version 2"),
            (place.at(mount="nowhere"), "may not"),
            ({"hashi_vault": {"mount": "secret"}}, "invalid_input", "hashi_vault.path"),
            ({"hashi_vault": place.named(""), "path": "/x"}, "invalid_input", "mutually exclusive"),
        )
        assert not run.finds(secret)


class TestSecretsManager:
    """moto."""

    store = "aws_secretsmanager"

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
        """Seen after the move: a version without a label may go, and a look that is refused shows nothing."""
        emulator.register(ADOPTED)
        name = place.named("")["name"]
        place.put({})

        def kept(**options: Any) -> str | None:
            place.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
            place.put({"token": ADOPTED})
            seen.clear()
            result = ansible.play(token("result", **options, **place.options))["result"]
            assert result["changed"]
            assert [str(path) for path in ansible.spool] == (
                [result["backup_file"]] if result["backup_file"] else []
            )
            for path in ansible.spool:
                assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (f"{ADOPTED}\n", 0o600)
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
        self, ansible: Controller, make_place: MakePlace
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

        failures(
            ansible,
            (replica.connected(region="us-east-1"), "it is a replica of the secret in eu-west-1"),
            (empty_replica.connected(region="us-east-1"), "Name the region eu-west-1"),
            (managed.options, "it is managed by rds"),
            (large.options, "over 65536 bytes"),
        )
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

    def test_the_connection_comes_from_the_environment_of_the_task(
        self, ansible: Controller, place: SecretsManager
    ) -> None:
        names = ("AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        environment = dict(zip(names, place.connection.values()))
        name = place.named("")["name"]
        login = "access_key='x', secret_key='x', region='us-east-1', endpoint_url='http://127.0.0.1:1'"
        before = f"lookup('amazon.aws.secretsmanager_secret', 'x', {login}, errors='ignore')"
        options = {"name": f"{{{{ '{name}' if {before} else '{name}' }}}}"}  # which loads boto3 before
        run = ansible.play({**token("result", aws_secretsmanager=options), "environment": environment})
        assert run["result"]["status"] == "minted"
        assert place.content()["token"] == run["result"]["token"]

    def test_bad_input(self, ansible: Controller, make_place: MakePlace) -> None:
        good, binary, text, listed, deleted = (make_place("aws_secretsmanager") for _ in range(5))
        good.put({"number": 5, "words": "no token"})
        binary.put_raw(SecretBinary=b"\xff\x00")
        text.put_raw(SecretString="just a text")
        listed.put_raw(SecretString='["token"]')
        deleted.put({})
        deleted.client.delete_secret(SecretId=deleted.named("")["name"])
        arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{good.named('')['name']}-none-AbCdEf"

        failures(
            ansible,
            (good.connected(aws_region="x"), "invalid_input", "aws_region"),
            (good.connected(region=["eu-west-1"]), "invalid_input", "region"),
            (good.connected(region=""), "region"),
            (good.connected(profile="nobody"), "nobody"),
            (good.connected(endpoint_url="nowhere"), "nowhere"),
            (good.at(key="number"), "is not text"),
            (good.at(key="words"), "holds no token"),
            (good.at(name=arn), "by its name"),
            (binary.options, "no JSON object"),
            (text.options, "no JSON object"),
            (listed.options, "no JSON object"),
            (deleted.options, "marked"),
        )


class TestSops:
    """The program sops, with age keys."""

    store = "sops"

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
        changed = {line.split(":")[0].strip() for line in before if line not in after}
        assert changed - {"lastmodified"} == {"mac"}  # the same second may have seen both writes
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

        run = ansible.play(
            token("first", **place.at(key="stringData.token")),
            token("again", **place.at(key='["stringData"]["token"]')),
            token("dotted", **place.at(key='["data"]["a.b"]')),
            *failing(
                place.at(key="stringData"),
                place.at(key="kind.token"),
                place.at(key="token"),
                place.at(key="kind"),
            ),
            token("absent", state="absent", **place.at(key="stringData.token")),
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
            only = {"where": f"unix://{socket}", "sops_keyservice": ["{{ where }}"]}
            only |= {"sops_enable_local_keyservice": False}
            run = ansible.play(
                {**token("first", **place.options), "vars": only},
                {**token("again", **place.options), "vars": only},
                *failing(place.options, place.at("other")),
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

    def test_creation_rules_from_where_the_path_is_passed(
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

    def test_bad_input(self, ansible: Controller, place: Sops) -> None:
        clear = place.named("clear")["file"]
        rules = place.rules.read_text()
        place.rules.write_text(rules.replace("}]", ", encrypted_regex: ^hidden$}]"))
        place.put_text(f"echovalue_token: {ADOPTED}\nhidden: x\n", Path(clear))
        plain = Path(place.named("plain")["file"])
        plain.write_text("echovalue_token: x\n")
        unusable = {"there is none": "/nowhere"}
        for number, (why, script) in enumerate(
            {
                "there is sops 3.10.2": "echo sops 3.10.2",
                "sops says: no room": "echo no room >&2; exit 1",
                "what is there does not print the version": "echo hello",
            }.items()
        ):
            program = plain.parent / f"unusable{number}" / "sops"
            program.parent.mkdir()
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            unusable[why] = str(program.parent)

        failures(
            ansible,
            ({"sops": {"file": clear}}, "in clear"),
            (place.at(key="other"), "in clear"),
            (place.at("clear", key="other"), "in clear"),
            (place.at(key="a..b"), "invalid_input", "a..b"),
            (place.at(key='["a"'), "invalid_input", "no key"),
            (place.at(key="sops.mac"), "invalid_input", "sops.mac"),
            ({"sops": {"file": str(plain)}}, "sops metadata not found"),
            ({"sops": {"file": str(plain.parent / "x.txt")}}, "invalid_input", ".yaml"),
            ({"sops": {"file": str(plain.parent / "none" / "x.yaml"), "key": "hidden"}}, "does not exist"),
            ({"sops": {"key": "x"}}, "invalid_input", "sops.file"),
        )
        theirs = pyrage.x25519.Identity.generate().to_public()
        place.rules.write_text(f"creation_rules: [{{age: {theirs}}}]\n")  # who runs this could never read it
        failures(ansible, (place.at("theirs", key="token"), "Failed to get the data key"))
        for why, path in unusable.items():
            ansible.environment["PATH"] = path
            failures(ansible, (place.at(key="hidden"), f"sops, 3.11 or newer, on the PATH: {why}"))


class TestCommand:
    """A program of the user's own."""

    def test_bad_input(self, ansible: Controller, make_place: MakePlace, tmp_path: Path) -> None:
        marks, said = tmp_path / "still-there", tmp_path / "said"
        said.write_text(ADOPTED)
        locked = make_place("pass")
        locked.lock()

        def script(text: str, **options: Any) -> dict[str, Any]:
            return {"command": {"argv": ["sh", "-c", text, "sh"], **options}}

        failures(
            ansible,
            (script(f"(sleep 3; touch {marks}) & sleep 60", timeout=0.5), "0.5 s"),
            (script("echo one-token-0123456789; echo two-token-0123456789"), "no token"),
            (script("echo no token"), "no token"),
            (script("yes"), "printed more than"),
            (script(f"cat {said} >&2; exit 3"), "exit code 3"),
            (script("read -r answer </dev/tty"), "get ended with exit code "),
            (script("kill -KILL $$"), "get ended with the signal SIGKILL"),
            (locked.options, "get ended with exit code 2"),
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
        assert ADOPTED not in (ansible.directory / "log").read_text()
        assert not marks.exists(), "what the program started outlived it"

    def test_a_store_that_keeps_nothing_is_found_out(self, ansible: Controller) -> None:
        result = ansible.play(token(ignore_errors=True, command={"argv": ["true"]}))["result"]
        assert result["reason"] == "store"
        assert "get prints nothing" in result["msg"]
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

    store = "kubernetes"

    def test_what_is_there_stays(self, ansible: Controller, place: KubernetesSecret) -> None:
        place.put({"binary": "\xff\x00\xfe"})
        run = ansible.play(token("result", **place.options))
        whole = place.whole()
        assert (whole["type"], whole["metadata"]["labels"]) == ("example.com/mixed", {"team": "core"})
        assert place.content() == {"binary": "\xff\x00\xfe", "token": run["result"]["token"]}

    def test_connections(self, ansible: Controller, place: KubernetesSecret, servers: Any) -> None:
        """A dict or a file as kubeconfig, its context, the task's environment, booleans as text."""
        config = json.loads(servers("kubernetes").kubeconfig.read_text())
        config["contexts"].append({"name": "wrong", "context": {"cluster": "none", "user": "admin"}})
        config["clusters"].append({"name": "none", "cluster": {"server": "https://127.0.0.1:1"}})
        (ansible.directory / "config").write_text(json.dumps({**config, "current-context": "wrong"}))
        login = {name: place.connection[name] for name in ("host", "api_key")}
        k8s_auth = {f"K8S_AUTH_{name.upper()}": value for name, value in login.items()}
        kubeconfig = {"KUBECONFIG": str(ansible.directory / "config")}
        connections: list[tuple[dict[str, Any], dict[str, str]]] = [
            ({"kubeconfig": config}, {}),
            ({"kubeconfig": "config", "context": "test"}, {}),
            ({**login, "validate_certs": "false"}, {}),
            ({"context": "test"}, kubeconfig),
            ({}, {**k8s_auth, "K8S_AUTH_VERIFY_SSL": "no"}),
        ]
        run = ansible.play(
            *(
                {**token(f"case{number}", **place.at(connection=connection)), "environment": environment}
                for number, (connection, environment) in enumerate(connections)
            )
        )
        assert [status for _changed, status in run.done()] == ["minted", *["kept"] * 4]

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
        self, ansible: Controller, make_place: MakePlace, servers: Any
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
        run = ansible.play(token("may_not_look", **ending.options))  # a login that may not see the namespace
        assert run["may_not_look"]["status"] == "minted"

    def test_bad_input(self, ansible: Controller, make_place: MakePlace) -> None:
        place, immutable = make_place("kubernetes"), make_place("kubernetes")
        place.put({"binary": "\xff\x00\xfe", "words": "no token"})
        immutable.put({"x": "y"}, immutable=True)

        failures(
            ansible,
            (place.connected(hst="x"), "invalid_input", "hst"),
            (place.connected(validate_certs="perhaps"), "invalid_input", "validate_certs"),
            (place.connected(api_key="wrong-login"), "401"),
            (place.connected(ca_cert="/nowhere"), "/nowhere"),
            (place.connected(host="https://127.0.0.1:1"), "no answer"),
            (place.at(connection={"kubeconfig": "nowhere"}), "kube-config"),
            (place.at(key="binary"), "is not text"),
            (place.at(key="words"), "holds no token"),
            (place.at(key="a b"), "a b"),
            (place.at(namespace="nowhere"), "forbidden"),
            (immutable.options, "immutable"),
            ({"kubernetes": {}}, "invalid_input", "kubernetes.name"),
        )


COPIES = {
    "github": {"github_secret": {"repository": "acme/shop", "connection": {"token": "x"}}},
    "gitlab": {"gitlab_variable": {"project": "acme/shop", "connection": {"api_token": "x"}}},
}
# What to install, its oldest version where that counts, and a place that needs it.
LIBRARIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "hvac": ("hvac", "1.2.1", {"hashi_vault": {"path": "x"}}),
    "boto3": ("boto3", "1.28.0", {"aws_secretsmanager": {"name": "x"}}),
    "kubernetes": ("kubernetes", "24.2.0", {"kubernetes": {"name": "x"}}),
    "github": ("PyGithub", "", {"command": {"argv": ["true"]}, "copies": [COPIES["github"]]}),
    "gitlab": ("python-gitlab", "", {"command": {"argv": ["true"]}, "copies": [COPIES["gitlab"]]}),
}


def test_a_missing_broken_or_old_library_or_collection(ansible: Controller, tmp_path: Path) -> None:
    shims = tmp_path / "shims"
    shims.mkdir()
    before = ansible.environment["PYTHONPATH"]
    ansible.environment["PYTHONPATH"] = os.pathsep.join([str(shims), before])
    hidden = {**LIBRARIES, "nacl": ("PyNaCl", "", LIBRARIES["github"][2])}
    for modules in (list(LIBRARIES), ["nacl"]):
        for fault, text in (
            ("ModuleNotFoundError('not here', name={!r})", "pip install {}"),
            ("OSError('no libssl here')", "is broken: no libssl here."),
        ):
            for name in modules:
                (shims / f"{name}.py").write_text(f"raise {fault.format(name)}\n")
            failures(ansible, *((hidden[name][2], text.format(hidden[name][0])) for name in modules))
        for name in modules:
            (shims / f"{name}.py").unlink()
    versions = {name: oldest for name, (_library, oldest, _place) in LIBRARIES.items() if oldest}
    for name in versions:
        (shims / f"{name}-0.9.dist-info").mkdir()
        (shims / f"{name}-0.9.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 0.9\n")
    needs = "{}, {} or newer: 0.9 is installed."
    failures(
        ansible, *((LIBRARIES[name][2], needs.format(name, oldest)) for name, oldest in versions.items())
    )
    ansible.environment["PYTHONPATH"] = before
    ansible.environment["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"] = "false"
    failures(
        ansible,
        (LIBRARIES["hvac"][2], "collection install community.hashi_vault"),
        (LIBRARIES["kubernetes"][2], "collection install kubernetes.core"),
    )


Alike = tuple[Callable[[], None], Callable[[], None], list[dict[str, Any]]]


def hashivault_namespaces(make_place: MakePlace) -> Alike:
    root = make_place("hashi_vault")
    places: list[HashiVault] = []
    for name in ("team-a", "team-b"):
        root.call("POST", f"sys/namespaces/{name}")
        places.append(place := make_place("hashi_vault", namespace=name))
        place.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        place.allow("read", "create", "update", path="app")
    first = places[0]
    items = [place.at(path="app") for place in places]
    return (
        lambda: first.allow("read", path="app"),
        lambda: first.allow("read", "create", "update", path="app"),
        items,
    )


def kubernetes_namespaces(make_place: MakePlace) -> Alike:
    first = make_place("kubernetes")
    other = make_place("kubernetes", namespace=first.named("")["name"])
    return first.refuse, first.accept, [one.at(name="same") for one in (first, other)]


def secretsmanager_accounts(make_place: MakePlace) -> Alike:
    place: SecretsManager = make_place("aws_secretsmanager")
    role = "arn:aws:iam::111111111111:role/other"
    login = place.other("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    other = {
        "access_key": login["AccessKeyId"],
        "secret_key": login["SecretAccessKey"],
        "session_token": login["SessionToken"],
    }
    items = [place.options, place.connected(**other), place.connected(region="us-east-1")]
    return place.refuse, place.accept, items


@pytest.mark.parametrize(
    "alike",
    [
        hashivault_namespaces,
        secretsmanager_accounts,
        pytest.param(kubernetes_namespaces, marks=pytest.mark.kubernetes),
    ],
)
def test_places_of_equal_names_never_share_a_token(
    ansible: Controller,
    emulator: Emulator,
    at_the_mint: AtTheMint,
    make_place: MakePlace,
    alike: Callable[[MakePlace], Alike],
) -> None:
    """They differ by what the client resolved only."""
    refuse, accept, items = alike(make_place)
    at_the_mint.append(refuse)
    ansible.play(token("broken", ignore_errors=True, **items[0]))
    at_the_mint.clear()
    accept()
    assert len(ansible.pending) == 1
    run = ansible.play(token("result", tokens=items[::-1]))
    assert [entry["status"] for entry in run["result"]["tokens"]] == ["minted"] * len(items)
    assert len({entry["hash"] for entry in run["result"]["tokens"]}) == len(items)
    assert (emulator.stats()["mints"], ansible.pending) == (len(items), [])
