# SPDX-License-Identifier: BSD-2-Clause
"""The checks, each in an environment of its own: `make lint` and `make test` run them by tag."""

from __future__ import annotations

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True

NEWEST = "3.13"
# What is shown and what is registered differs between these.
ANSIBLE = {
    "oldest": ("3.11", "ansible-oldest"),
    "newest": (NEWEST, "ansible"),
    "next": (NEWEST, "ansible-next"),
}


def install(session: nox.Session, *groups: str) -> None:
    """Install dependency groups of pyproject.toml."""
    session.install(*(argument for group in groups for argument in ("--group", group)))


@nox.session(python=NEWEST, tags=["lint"])
def lint(session: nox.Session) -> None:
    """Style, types and metadata."""
    install(session, "lint", "ansible", "emulator", "test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("yamllint", "--strict", ".")
    session.run("ansible-lint", "--offline", "--strict", "-q")


@nox.session(python=NEWEST)
def format(session: nox.Session) -> None:  # noqa: A001 - it is the command's name
    """Write the code in the project's format."""
    install(session, "lint")
    session.run("ruff", "format", ".")
    session.run("ruff", "check", "--fix", ".")


# 3.9 is the oldest Python that a managed node may have.
@nox.session(tags=["test"])
@nox.parametrize("python,group", [("3.9", "unit-oldest"), (NEWEST, "unit")], ids=["oldest", "newest"])
def unit(session: nox.Session, group: str) -> None:
    """The core and the token file, without Ansible, on the oldest and the newest Python and requests."""
    install(session, group)
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session(python=NEWEST, tags=["test"])
def emulator(session: nox.Session) -> None:
    """The emulator, and schemathesis against its OpenAPI document."""
    install(session, "contract")
    session.run("pytest", "-n", "2", "tests/emulator", *session.posargs)


@nox.session(tags=["test"])
@nox.parametrize("python,group", ANSIBLE.values(), ids=ANSIBLE)
def ansible(session: nox.Session, group: str) -> None:
    """The modules, by real playbooks, on the oldest, the newest and the next ansible-core."""
    install(session, "test", group)
    # A release to come is held to the secrets alone: what it shows is what may change.
    tests = "tests/ansible/test_secrets.py" if group == "ansible-next" else "tests/ansible"
    session.run("pytest", "-n", "2", tests, *session.posargs)
