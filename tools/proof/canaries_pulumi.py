# SPDX-License-Identifier: BSD-2-Clause
"""The half of the canaries that lives in Pulumi: every command, by both providers."""

from __future__ import annotations

import re
import subprocess
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from tests.testkit.hunt import files_in, noting_processes
from tests.testkit.pulumi_workspace import PASSPHRASE, Workspace
from tools.emulator.client import Emulator
from tools.proof import programs
from tools.proof.report import Report
from tools.proof.search import known, search

ADOPTED = "decafbad+decafbad/decafbad=decafbad&decafbad"
ADOPTED_HASH = sha256(ADOPTED.encode()).hexdigest()
UNKNOWN = "badcab1e0badcab1e0badcab1e0badca"
# Of the stack's config; those of the webhook are of no token's form.
_HOOK = {
    "url": "https://hooks.example.com/feedbacc0feedbacc0feedbacc",
    "header": "Bearer ba5eba110ba5eba110ba5eba11",
    "option": "0ff1ce000ff1ce000ff1ce",
}

DYNAMIC = """
config = pulumi.Config()
app = echovalue.Token("app", keepers={"release": config.require("release")})
adopted = echovalue.Token("adopted", existing_token=config.require_secret("existing"))
hook = {
    "url": config.require_secret("url"),
    "headers": {"Authorization": config.require_secret("header")},
    "options": {"routing_key": config.require_secret("option")},
    "format": "pagerduty",
}
echovalue.WalletAlert("low", token=app, threshold=50, email="ops@example.com", webhook=hook)
pulumi.export("token", app.token)
pulumi.export("adopted", adopted.token)
pulumi.export("link", echovalue.get_recharge_link(adopted))
pulumi.export("wallet", echovalue.get_wallet(app, details=False).apply(lambda wallet: wallet.wallet))
"""
NATIVE = """
config:
  release: {type: string}
  existing: {type: string, secret: true}
  url: {type: string, secret: true}
  header: {type: string, secret: true}
  option: {type: string, secret: true}
resources:
  app: {type: "echovalue:Token", properties: {keepers: {release: "${release}"}}}
  adopted: {type: "echovalue:Token", properties: {existingToken: "${existing}"}%s}
  low:
    type: echovalue:WalletAlert
    properties:
      token: ${app.token}
      baseUrl: ${app.service}
      threshold: 50
      email: ops@example.com
      webhook:
        url: ${url}
        headers: {Authorization: "${header}"}
        options: {routing_key: "${option}"}
        format: pagerduty
variables:
  link: {fn::invoke: {function: echovalue:getRechargeLink, arguments: {token: "${adopted.token}"}}}
  wallet: {fn::invoke: {function: echovalue:getWallet, arguments: {token: "${app.token}", details: false}}}
outputs: {token: "${app.token}", adopted: "${adopted.token}", link: "${link.url}", wallet: "${wallet.wallet}"}
"""

# Where a secret may be in clear, by patterns of names, and why.
ALLOWED = {"verbose.log": "what --verbose=9 prints: the engine's calls, with all that they carry"}
# By this variable the engine hands a provider its config, with `echovalue:token` of an import.
_OF_THE_ENGINE = re.compile(rb'"PULUMI_CONFIG=(?:[^"\\]|\\.)*"')
# What a program exports, older SDKs print in full where the engine is asked for --debug or --json.
_OF_OLD_SDKS = re.compile(
    rb"(?:register resource outputs prepared|resource registration successful): urn=[^,]*, props="
    rb'.*?(?=debug: |"color"|","v"|\Z)',
    re.DOTALL,
)


def play(emulator: Emulator, report: Report, short: bool) -> None:
    """Run the commands of a stack's life, and search all that they left."""
    for kind in programs.HALVES[: 1 if short else 2]:
        emulator.register(ADOPTED)
        with tempfile.TemporaryDirectory(prefix="ev-") as name:
            workspace = Workspace(Path(name), emulator.url)
            for key, value in {"existing": ADOPTED, "echovalue:token": ADOPTED, **_HOOK}.items():
                _set_secret(workspace, key, value)
            workspace.prefix = noting_processes(workspace.folder / "processes")
            before = known(emulator)
            reported = _Commands(workspace, kind, emulator).all(short)
            report.expect(
                known(emulator) - before <= set(reported), f"{kind}: not all tokens are searched for"
            )
            where = {
                "the screen": b"".join(_OF_OLD_SDKS.sub(b"", run.text.encode()) for run in workspace.runs),
                **files_in(workspace.folder, ALLOWED, PASSPHRASE),
            }
            where["the file processes"] = _OF_THE_ENGINE.sub(b"", where["the file processes"])
        of_the_hook = (value.split("/")[-1].split()[-1] for value in _HOOK.values())
        secrets = {ADOPTED, UNKNOWN, *of_the_hook, *reported.values()}
        row = (f"Pulumi, SDK {version('pulumi')}", kind, f"{len(workspace.runs)} commands")
        search(f"Pulumi, {kind}", row, secrets, where, report)


def _set_secret(workspace: Workspace, key: str, value: str) -> None:
    """Put a secret into the stack's config by standard input, as its user should."""
    command = ["pulumi", "config", "set", "--secret", key, "--non-interactive"]
    subprocess.run(command, cwd=workspace.root, env=workspace.environment, input=value, text=True, check=True)


def _loud(verbosity: int) -> tuple[str, ...]:
    return (f"--verbose={verbosity}", "--logtostderr", "--logflow")


class _Commands:
    """The commands of a stack's life; `reported` are the tokens that they minted, by their hashes."""

    def __init__(self, workspace: Workspace, kind: str, emulator: Emulator) -> None:
        self._workspace = workspace
        self._kind = kind
        self._emulator = emulator
        self._minted: dict[str, str] = {}

    def all(self, short: bool) -> dict[str, str]:
        """Run them; return all tokens that were minted, by their hashes."""
        pulumi, workspace = self._workspace.pulumi, self._workspace
        self._program()
        self._release("one")
        pulumi("preview", "--diff")
        pulumi("preview", "--json")
        workspace.up("--diff")
        self._note()
        workspace.refresh("--diff")
        self._release("two")
        pulumi("preview", "--diff", *_loud(8))
        workspace.up("--debug", *_loud(8))
        self._note()
        if not short:
            self._rest()
        programs.show(workspace)
        pulumi("config", "--json")
        workspace.destroy()
        return self._minted

    def _rest(self) -> None:
        """What takes longer: other forms of output, failures, import."""
        pulumi, workspace = self._workspace.pulumi, self._workspace
        workspace.up("--json")
        self._release("three")
        workspace.up("--json")
        self._note()
        workspace.refresh("--json", *_loud(9))
        (workspace.folder / "verbose.log").write_text(workspace.runs.pop().text)
        _set_secret(workspace, "existing", UNKNOWN)
        pulumi("preview", "--diff")
        workspace.up("--diff", "--debug", fails=True)
        _set_secret(workspace, "existing", ADOPTED)
        programs.refresh_without_service(workspace, self._emulator)
        self._emulator.fault("POST /token", "status", status=500)
        self._release("four")
        workspace.up("--diff", "--debug", fails=True)
        workspace.up("--diff")
        self._note()
        if self._kind == "native":
            pulumi("state", "delete", "--yes", workspace.resources()["adopted"]["urn"])
            self._program(f', options: {{import: "{ADOPTED_HASH}"}}')
            pulumi("preview", "--diff")
            workspace.up("--diff")
            self._program()
        state = pulumi("stack", "export").out
        file = workspace.root / "exported.json"
        file.write_text(state)
        pulumi("stack", "import", "--file", str(file))
        workspace.up("--diff")
        self._note()

    def _program(self, options: str = "") -> None:
        if self._kind == "dynamic":
            self._workspace.program(DYNAMIC)
        else:
            self._workspace.yaml(NATIVE % options)

    def _release(self, name: str) -> None:
        self._workspace.pulumi("config", "set", "release", name)

    def _note(self) -> None:
        """Note the token that the stack keeps now."""
        token = self._workspace.outputs()["token"]
        self._minted[sha256(token.encode()).hexdigest()] = token
