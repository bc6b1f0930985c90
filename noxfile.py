# SPDX-License-Identifier: BSD-2-Clause
"""The checks, each in an environment of its own; `make lint`, `test` and `test-all` run them by tag."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import antsibull_nox
import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True

NEWEST = "3.13"
ALONE = "not stores and not kubernetes"  # reports from the field that need no server
antsibull_nox.load_antsibull_nox_toml()  # docs-check, license-check, extra-checks, build-import-check


def install(session: nox.Session, *groups: str) -> None:
    """Install dependency groups of pyproject.toml."""
    session.install(*(argument for group in groups for argument in ("--group", group)))


def installed_collection(session: nox.Session) -> Path:
    """Copy the sources to where ansible-test wants a collection."""
    target = Path(".build/ansible-test/ansible_collections/echovalue/cloud").resolve()
    session.run("python", "-m", "tests.release", str(target), "tree", silent=True)
    session.run("git", "init", "--quiet", str(target), external=True, silent=True)  # else it asks this one
    return target


def install_pass(session: nox.Session) -> None:
    """Install the password store, for which there is no package on PyPI."""
    if shutil.which("pass") and shutil.which("gpg"):
        return
    packages = ("pass", "gnupg")
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        session.error(f"The tests of the store command need {' and '.join(packages)}: install them.")
    session.run("apt-get", "update", external=True, silent=True)
    options = ("--yes", "--no-install-recommends")
    session.run("apt-get", "install", *options, *packages, external=True, silent=True)


def types_of_the_package(session: nox.Session) -> None:
    """Check pulumi_echovalue as the wheel lays it out."""
    settings = Path("pyproject.toml").resolve()
    tree = Path(session.create_tmp(), "wheel")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree("pulumi_echovalue", tree / "pulumi_echovalue")
    shutil.copytree("plugins/module_utils/core", tree / "pulumi_echovalue" / "_core")
    shutil.copy2("pulumi_resource_echovalue.py", tree)
    checked = ("--package", "pulumi_echovalue", "--module", "pulumi_resource_echovalue")
    with session.chdir(tree):
        session.run("mypy", f"--config-file={settings}", *checked)


@nox.session(python=NEWEST, tags=["lint"])
def lint(session: nox.Session) -> None:
    """Style, types and metadata."""
    install(session, "lint", "ansible", "emulator", "pulumi", "stores", "test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    types_of_the_package(session)
    session.run("yamllint", "--strict", ".")
    session.run("antsibull-changelog", "lint")
    session.run("codespell")
    actionlint = session.run("python", "-m", "tests.engine", "--path", "actionlint", silent=True)
    session.run(f"{str(actionlint).splitlines()[-1]}/actionlint", external=True)
    collections = str(installed_collection(session).parents[2])
    session.run("ansible-lint", "--offline", "--strict", "-q", env={"ANSIBLE_COLLECTIONS_PATH": collections})


@nox.session(python=NEWEST)
def format(session: nox.Session) -> None:  # noqa: A001 - it is the command's name
    """Write the code in the project's format."""
    install(session, "lint")
    session.run("ruff", "format", ".")
    session.run("ruff", "check", "--fix", ".")


# 3.9 is the oldest Python that a managed node may have.
@nox.session
@nox.parametrize(
    "python,group",
    [
        nox.param("3.9", "unit-oldest", id="oldest", tags=["test"]),
        *(nox.param(python, "unit", id=python) for python in ("3.10", "3.11", "3.12")),
        nox.param(NEWEST, "unit", id="newest", tags=["test"]),
    ],
)
def unit(session: nox.Session, group: str) -> None:
    """The core and the token file, without Ansible, from the oldest to the newest Python and requests."""
    install(session, group)
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session(python=NEWEST)
def mutants(session: nox.Session) -> None:
    """Change the core and the files in small ways, one at a time: the unit tests notice 90% and more."""
    install(session, "mutants")
    tree = Path(".build/mutants").resolve()
    for name in ("plugins/module_utils", "tests/unit"):
        shutil.copytree(name, tree / name, dirs_exist_ok=True)
    shutil.copy2("pyproject.toml", tree)
    session.chdir(tree)
    session.run("nice", "-n", "15", "mutmut", "run", *session.posargs, external=True)
    session.run("mutmut", "results")
    session.run("mutmut", "export-cicd-stats", silent=True)
    told = json.loads(Path("mutants/mutmut-cicd-stats.json").read_text())
    noticed = (told["killed"] + told["timeout"]) / told["total"]
    print(f"{noticed:.1%} of {told['total']} changes are noticed.")
    if noticed < 0.9:
        session.error("The unit tests notice too little.")


@nox.session(python=NEWEST, tags=["test"])
def emulator(session: nox.Session) -> None:
    """The emulator, and schemathesis against its OpenAPI document."""
    install(session, "contract")
    session.run("pytest", "-n", "2", "tests/emulator", *session.posargs)


@nox.session(python=NEWEST, tags=["test"])
def ansible(session: nox.Session) -> None:
    """The modules, by real playbooks, on the newest ansible-core."""
    install(session, "test", "ansible")
    session.run("pytest", "-n", "2", "tests/ansible", "-m", "not slow", *session.posargs)


# What is shown and what is registered differs between the cores.
@nox.session(python="3.11", tags=["test"])
def ansible_shown(session: nox.Session) -> None:
    """What the oldest ansible-core shows and registers."""
    install(session, "test", "ansible-oldest")
    session.run("pytest", "-n", "2", "tests/ansible/test_secrets.py", *session.posargs)


@nox.session
@nox.parametrize(
    "python,group",
    [
        nox.param("3.11", "ansible-oldest", id="oldest", tags=["test-all"]),
        nox.param("3.11", "ansible-2.19", id="2.19"),
        nox.param("3.12", "ansible-2.20", id="2.20"),
        nox.param(NEWEST, "ansible-next", id="next", tags=["test-all"]),
    ],
)
def ansible_cores(session: nox.Session, group: str) -> None:
    """The modules, by real playbooks, on the other ansible-cores."""
    install(session, "test", group)
    tests = ["tests/ansible", "tests/field"]
    if group == "ansible-next":  # what is shown, loaded and encrypted is what a release to come may change
        names = ("secrets", "vault_variables", "yaml_variable")
        tests = [f"tests/ansible/test_{name}.py" for name in names]
    session.run("pytest", "-n", "2", *tests, "-m", ALONE, *session.posargs)


@nox.session(python=NEWEST)
@nox.parametrize("target", ["3.9", "3.10", "3.11", "3.12"])
def managed_node(session: nox.Session, target: str) -> None:
    """The modules on a managed node with another Python than the controller's."""
    install(session, "test", "ansible")
    node = Path(session.create_tmp(), target).resolve()
    session.run("uv", "venv", "--quiet", "--clear", "--no-python-downloads", "--python", target, str(node))
    session.run("uv", "pip", "install", "--quiet", "--python", str(node), "requests")
    tests = [f"tests/ansible/test_{name}.py" for name in ("token", "many", "wallet_and_link")]
    session.run(
        "pytest", "-n", "2", *tests, *session.posargs, env={"TARGET_PYTHON": str(node / "bin/python")}
    )


@nox.session(python=NEWEST, tags=["test-all"])
def demo(session: nox.Session) -> None:
    """What `make demo` does."""
    install(session, "demo", "test")
    session.install("--no-deps", "--editable", ".")
    session.run("python", "-m", "tests.engine", "pulumi")  # here, where its progress shows
    session.run("pytest", "-n", "2", "tests/test_demo.py", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def eda(session: nox.Session) -> None:
    """The rulebook, by the real ansible-rulebook; needs Java 17."""
    install(session, "eda")
    session.run("pytest", "tests/eda", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def integration(session: nox.Session) -> None:
    """The targets of ansible-test."""
    install(session, "ansible", "emulator")
    session.chdir(installed_collection(session))
    session.run("ansible-test", "integration", "--python", NEWEST, "--color", "no", *session.posargs)


@nox.session(python=NEWEST, tags=["test"])
def stores(session: nox.Session) -> None:
    """The places of the controller and the roles, against real servers and programs."""
    install(session, "stores", "test")
    session.run("pytest", "-n", "2", "tests/stores", "-m", "not kubernetes and not slow", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def slow(session: nox.Session) -> None:
    """The reports from the field, what users copy, the search of every byte: all that takes long."""
    install(session, "stores", "test")
    tests = ("tests/ansible", "tests/field", "tests/stores")
    session.run("pytest", "-n", "2", *tests, "-m", "slow and not kubernetes", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def kubernetes(session: nox.Session) -> None:
    """The same against a real Kubernetes API server."""
    install(session, "stores", "test")
    session.run("python", "-m", "tests.engine", "kubernetes")  # here, where its progress shows
    session.run("pytest", "-n", "2", "tests/stores", "tests/field", "-m", "kubernetes", *session.posargs)
    session.run("pytest", "-n", "2", "tests/engine/test_servers.py", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def molecule(session: nox.Session) -> None:
    """A molecule scenario for each store, and one for the wallet."""
    install(session, "stores", "emulator")
    collections = "from tests.workspace import collections_path; print(collections_path())"
    path = session.run("python", "-m", "tests.engine", "--path", "kubernetes", silent=True)
    session.run(
        *("molecule", "test", *(session.posargs or ["--all"])),
        env={
            "ANSIBLE_COLLECTIONS_PATH": str(session.run("python", "-c", collections, silent=True)).strip(),
            "NO_COLOR": "1",
            "PATH": os.pathsep.join([*session.bin_paths, str(path).splitlines()[-1], os.environ["PATH"]]),
        },
    )


# ansible-test would fetch this file from outside the registry.
GET_PIP = """\
import ensurepip, subprocess, sys
ensurepip.bootstrap()
wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--no-")]
subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
"""


@nox.session(python=NEWEST)
@nox.parametrize(
    "group",
    [
        nox.param("ansible-oldest", id="oldest", tags=["test-all"]),
        nox.param("ansible", id="newest", tags=["lint"]),
    ],
)
def sanity(session: nox.Session, group: str) -> None:
    """All of ansible-test's sanity tests, on the collection that is published."""
    install(session, group, "sanity")
    home = Path(".build/ansible-test/home").resolve()
    for name in ("get_pip_24_2.py", "get_pip_25_2.py"):
        home.joinpath(".ansible/test/cache").mkdir(parents=True, exist_ok=True)
        home.joinpath(".ansible/test/cache", name).write_text(GET_PIP)
    built = Path(session.create_tmp(), "built").resolve()
    session.run("python", "-m", "tests.release", str(built), "collection", silent=True)
    (archive,) = built.iterdir()
    collections = str(built / "collections")
    session.run(
        *(
            "ansible-galaxy",
            "collection",
            "install",
            "--offline",
            "--no-deps",
            str(archive),
            "-p",
            collections,
        ),
        silent=True,
    )
    collection = built / "collections/ansible_collections/echovalue/cloud"
    session.run(
        "git", "init", "--quiet", str(collection), external=True, silent=True
    )  # else it asks this one
    session.chdir(collection)
    session.run(
        *("ansible-test", "sanity", "--python", str(session.python), "--color", "no", *session.posargs),
        env={"HOME": str(home), "LC_ALL": "C.UTF-8"},
    )


@nox.session(python=NEWEST, tags=["test"])
def pulumi(session: nox.Session) -> None:
    """The Pulumi package: alone, and by ordinary programs on a real engine."""
    run_pulumi(session, "pulumi", "tests/pulumi", "tests/engine/test_engine.py", "-m", "not slow")


@nox.session(python=NEWEST, tags=["test-all"])
def pulumi_slow(session: nox.Session) -> None:
    """The Pulumi package: programs in TypeScript and Go, 100 tokens, and the rest of a stack's life."""
    sets = ("pulumi", "pulumi-languages")
    run_pulumi(session, "pulumi-languages", "tests/pulumi", "-m", "slow", sets=sets)


@nox.session(python="3.10", tags=["test-all"])
def pulumi_oldest(session: nox.Session) -> None:
    """The Pulumi package on the oldest Python and SDK: what needs no engine, and the stack of 0.1.0."""
    # hvac, which the example for OpenBao needs, asks for newer requests than the oldest.
    left_out = "--ignore=tests/pulumi/test_engine_openbao.py"
    run_pulumi(session, "pulumi-oldest", "tests/pulumi", left_out, "-k", "not engine or version_0_1_0")


def run_pulumi(
    session: nox.Session, group: str, *arguments: str, sets: tuple[str, ...] = ("pulumi",)
) -> None:
    """Run tests of the Pulumi package with the dependencies of a group."""
    install(session, group)
    session.install("--no-deps", "--editable", ".")
    session.run("python", "-m", "tests.engine", *sets)  # here, where its progress shows
    session.run(
        *("pytest", "-n", "2", *arguments, *session.posargs),
        env={"EMULATOR_PYTHON": sys.executable},
    )


@nox.session(python=NEWEST, tags=["test-all"])
def dist(session: nox.Session) -> None:
    """Build sdist and wheel into dist/; run the example with the wheel in a clean environment."""
    install(session, "dist")
    session.run("pytest", "tests/release")
    session.run("python", "-m", "tests.release", "dist")
    package = sorted(map(str, Path("dist").glob("pulumi_echovalue-*")))
    session.run("twine", "check", "--strict", *package)
    (collection,) = map(str, Path("dist").glob("echovalue-cloud-*"))
    installed = str(Path(session.create_tmp(), "collections"))
    install_collection = ("ansible-galaxy", "collection", "install", "--offline", "--no-deps", "--force")
    session.run(*install_collection, collection, "-p", installed, silent=True)
    needs = session.run("ansible-builder", "introspect", installed, silent=True)
    if "requests" not in str(needs):
        session.error(f"An execution environment would not get requests:\n{needs}")
    wheel = next(file for file in package if file.endswith(".whl"))
    clean = Path(session.create_tmp(), "clean").resolve()
    python = str(clean / "bin" / "python")
    session.run("python", "-m", "venv", "--clear", str(clean))
    pinned = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "pulumi-runtime")
    session.run(python, "-m", "pip", "install", "--quiet", *pinned, wheel, external=True)
    names = ("docs/examples/pulumi/__main__.py", "tests/pulumi/data/typed_program.py")
    programs = [str(Path(name).resolve()) for name in names]
    with session.chdir(clean):  # where the wheel is found, and not this checkout
        for program in programs:
            session.run("mypy", "--strict", "--config-file=", f"--python-executable={python}", program)
        session.run(python, "-m", "pulumi_echovalue.plugin", "schema", external=True, silent=True)
    session.run(
        "pytest", "tests/pulumi/test_engine_example.py", *session.posargs, env={"EXAMPLE_PYTHON": python}
    )


@nox.session(python=NEWEST, tags=["test-all"])
def docs(session: nox.Session) -> None:
    """The documentation site, into build/site; what stands behind -- goes to Sphinx."""
    install(session, "docs", "unit")
    session.install("--no-deps", "--editable", ".")
    tree, site = installed_collection(session), Path("build/site")
    reference = tree / "docs/collection"
    reference.mkdir()
    session.run(
        *("antsibull-docs", "collection", "echovalue.cloud", "--use-current", "--squash-hierarchy"),
        *("--fail-on-error", "--dest-dir", str(reference)),
        env={"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2])},
    )
    shutil.rmtree(site, ignore_errors=True)
    session.run(
        *(
            "sphinx-build",
            "--fail-on-warning",
            "--keep-going",
            "-q",
            *session.posargs,
            str(tree / "docs"),
            str(site),
        )
    )
    session.run("pytest", "tests/docs", "-q", env={"SITE": str(site.resolve())})


@nox.session(python=NEWEST)
def coverage(session: nox.Session) -> None:
    """Branch coverage of all that ships, into build/coverage; under 95% it fails."""
    install(session, "coverage", "stores", "test", "pulumi")
    session.install("--no-deps", "--editable", ".")
    session.run("python", "-m", "tests.engine", "pulumi")
    folder, settings = Path("build/coverage").resolve(), str(Path("tests/coverage.ini").resolve())
    shutil.rmtree(folder, ignore_errors=True)
    data = str(folder / "data")
    # The last two are what a module on a target looks for.
    environment = {
        "COVERAGE_FILE": data,
        "EMULATOR_PYTHON": sys.executable,
        "_ANSIBLE_COVERAGE_CONFIG": settings,
        "_ANSIBLE_COVERAGE_OUTPUT": data,
    }
    tests = [f"tests/{name}" for name in ("unit", "ansible", "stores", "pulumi")]
    command = ("coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-m", "not kubernetes")
    session.run(*command, *(session.posargs or tests), env=environment)
    for last in (["combine", "-q"], ["html", "-q", "-d", str(folder)], ["report", "--fail-under=95"]):
        session.run("coverage", last[0], f"--rcfile={settings}", *last[1:], env={"COVERAGE_FILE": data})


@nox.session(python=NEWEST)
def audit(session: nox.Session) -> None:
    """Known faults of what users get with the package or the collection; needs the index's own interface."""
    install(session, "audit")
    session.run("pip-audit", "--strict", "--requirement", "meta/ee-requirements.txt", *session.posargs)
    session.run("pip-audit", "--strict", ".", *session.posargs)


@nox.session(python=NEWEST)
def changelog(session: nox.Session) -> None:
    """Turn the fragments into the changelog of the version that galaxy.yml names."""
    install(session, "lint", "ansible")
    session.run("antsibull-changelog", "release", *session.posargs)


@nox.session(venv_backend="none")
def released(session: nox.Session) -> None:
    """Refuse a release whose version has no changelog, or whose fragments are not in it."""
    version = re.findall(r"^version: (.+)$", Path("galaxy.yml").read_text(), re.MULTILINE)[0]
    if f"## v{version}\n" not in Path("CHANGELOG.md").read_text().replace("\\", ""):
        session.error(f"CHANGELOG.md has no version {version}: run nox -s changelog.")
    if fragments := sorted(map(str, Path("changelogs/fragments").glob("*.yml"))):
        session.error(f"Not in the changelog yet: {', '.join(fragments)}. Run nox -s changelog.")


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Time and memory of this and of what people do today; writes build/bench.json and the plot."""
    install(session, "bench")
    session.install("--no-deps", "--editable", ".")
    session.run("python", "-m", "tests.bench", "--plot", "docs/performance.png", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def bench_test(session: nox.Session) -> None:
    """The benchmark itself, in short, and what holds of many tokens on a busy machine."""
    install(session, "bench", "test")
    session.install("--no-deps", "--editable", ".")
    session.run("pytest", "-n", "2", "tests/bench", *session.posargs)


def programs(session: nox.Session, **packages: str) -> None:
    """Make sure that programs are there; root installs their Debian packages."""
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if missing and os.geteuid() == 0:
        session.run("apt-get", "update", "--quiet", external=True, silent=True)
        session.run("apt-get", "install", "--yes", "--quiet", *missing, external=True, silent=True)
    elif missing:
        session.error(f"Install {' and '.join(missing)} first.")


@nox.session(python=NEWEST)
def proof(session: nox.Session) -> None:
    """Experiments that try to lose a token, or to let somebody in; writes build/proof.json."""
    install(session, "proof")
    session.install("--no-deps", "--editable", ".")
    programs(session, strace="strace", sshd="openssh-server", sudo="sudo", setfacl="acl")
    session.run("python", "-m", "tests.proof", *session.posargs)


@nox.session(python=NEWEST, tags=["test"])
def proof_short(session: nox.Session) -> None:
    """The same experiments in short: a sample of each."""
    install(session, "proof")
    session.install("--no-deps", "--editable", ".")
    programs(session, strace="strace")
    session.run("python", "-m", "tests.proof", "--short", *session.posargs)


@nox.session(venv_backend="none")
def left_out(session: nox.Session) -> None:
    """Tell what only `make test-all` runs."""
    listed = session.run(sys.executable, "-m", "nox", "--list", "--json", "--tags", "test-all", silent=True)
    print("`make test` is done. Only `make test-all` runs:")
    for one in json.loads(str(listed)):
        print(f"  {one['session']:28} {one['description']}")
