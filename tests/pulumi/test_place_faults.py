# SPDX-License-Identifier: BSD-2-Clause
"""A store that fails, by the decisions of both providers: nothing is minted or changed, and people learn so.

A new token, one to rotate, and a refresh meet each fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulumi_echovalue._connections import hashi_vault, opened
from pulumi_echovalue._decisions import life
from pulumi_echovalue._decisions.placed import Target
from pulumi_echovalue._decisions.service import Service
from pulumi_echovalue._shared.module_utils.core.errors import EchoValueError
from tests.testkit.gate import Gate, gate
from tests.testkit.places import HashiVault
from tests.testkit.servers import openbao_server
from tools.emulator.client import Emulator

pytest.importorskip("hvac")  # which asks for newer requests than the oldest

NOTHING = "No token was minted, and nothing was changed."
_UNSEAL = "Unseal Key: "  # what the server logs, in its development mode


@dataclass
class Site:
    """A secret of an OpenBao behind a gate."""

    place: HashiVault
    gate: Gate
    log: Path
    patch: pytest.MonkeyPatch
    delay: float = 0.0  # seconds that each request takes more

    def see(self, _operation: str, _body: bytes) -> None:
        time.sleep(self.delay)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    with openbao_server(tmp_path) as server:
        found: list[Site] = []
        with gate(server.address, lambda *request: found[0].see(*request)) as front:
            found.append(Site(HashiVault(server, tmp_path), front, tmp_path / "bao.log", monkeypatch))
            monkeypatch.setenv("VAULT_ADDR", front.url)
            monkeypatch.setenv("VAULT_TOKEN", server.token)
            yield found[0]


@contextmanager
def down(site: Site) -> Iterator[None]:
    """Nothing listens; it stays so."""
    site.gate.shutdown()
    site.gate.server_close()
    opened._made.clear()  # another process has no connection
    yield


@contextmanager
def sealed(site: Site) -> Iterator[None]:
    site.place.call("PUT", "sys/seal")
    yield
    key = site.log.read_text().partition(_UNSEAL)[2].split()[0]
    site.place.call("PUT", "sys/unseal", {"key": key})


@contextmanager
def slow(site: Site) -> Iterator[None]:
    """A request takes longer than the client waits."""
    site.delay = 2 * hashi_vault._TIMEOUT
    yield
    site.delay = 0


@contextmanager
def refusing(site: Site) -> Iterator[None]:
    with site.patch.context() as patch:
        patch.setenv("VAULT_TOKEN", "another-login")
        yield


def holding(value: object) -> Callable[[Site], AbstractContextManager[None]]:
    """Return what puts a value where the token is, and takes it away at the end."""

    @contextmanager
    def put(site: Site) -> Iterator[None]:
        before = site.place.content()
        site.place.put({"token": value})
        yield
        assert site.place.content() == {"token": value}
        site.place.put(before)

    return put


FAULTS = {
    "down": (down, "could not be read (no answer: "),
    "sealed": (sealed, "ealed"),
    "slow": (slow, "could not be read (no answer: ReadTimeout)"),
    "refusing": (refusing, "this login may not"),
    "a mapping": (holding({"a": "b"}), "is not text"),
    "a number": (holding(5), "is not text"),
    "a sentence": (holding("to be filled in"), "exists and holds no token"),
    "two lines": (holding("0123456789abcdef0123456789abcdef\nmore"), "exists and holds no token"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.slow
def test_a_store_that_fails_changes_nothing(
    emulator: Emulator, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    def target(keepers: str) -> Target:
        where = {"hashi_vault": {"path": site.place.named("")["path"]}}
        service = Service(emulator.url, named=False)
        return Target(service, where, keepers={"a": keepers}, spool=str(tmp_path / "spool"))

    def rotate() -> object:
        return life.update(former, target("2"), {"a": "1"}, print)

    fail, why = FAULTS[fault]
    monkeypatch.setattr(hashi_vault, "_TIMEOUT", 2)
    former, content = life.create(target("1"), set()), site.place.content()
    with fail(site):
        for step in (
            lambda: life.create(target("1"), set()),
            rotate,
            lambda: life.refresh(former, target("1"), print),
        ):
            with pytest.raises(EchoValueError) as caught:
                step()
            assert why in str(caught.value)
            assert NOTHING in str(caught.value)
    assert (emulator.stats()["mints"], site.place.content()) == (1, content)
    if fault != "down":
        rotate()
        assert (emulator.stats()["mints"], site.place.content() != content) == (2, True)
