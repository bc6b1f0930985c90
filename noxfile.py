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
# Users have compiled modules; without them each start of Ansible takes three times as long.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

NEWEST = "3.13"
GIT_INIT = ("git", "init", "--quiet")  # ansible-test asks git for the files: else that of this checkout
# The rooms of the collection that the wheel carries, as pyproject maps them.
SHARED = ("module_utils/core", "module_utils/files", "module_utils/places", "plugin_utils/places")
MORE = "not essential"  # what the session `lives` has not run yet
ALONE = "not stores and not kubernetes"  # reports from the field that need no server
antsibull_nox.load_antsibull_nox_toml()  # docs-check, license-check, extra-checks, build-import-check
for name, shared in nox.registry.get().items():
    if name.endswith(("-check", "-checks")):
        shared.tags = ["test-all", "gates"]


# Programs that are not on PyPI, by the name of their Debian package where that is another.
DEBIAN = {"gpg": "gnupg", "setfacl": "acl", "sshd": "openssh-server"}


def install(
    session: nox.Session,
    *groups: str,
    package: bool = False,
    needs: tuple[str, ...] = (),
    built: tuple[str, ...] = (),
) -> None:
    """Install dependency groups of pyproject.toml, and the Pulumi package itself if `package`.

    `needs` are programs that must be there, for which root installs Debian packages; `built` are sets of
    programs of `tools.engine`.
    """
    session.install(*(argument for group in groups for argument in ("--group", group)))
    if package:
        session.install("--no-deps", "--editable", ".")
    missing = [DEBIAN.get(name, name) for name in needs if not shutil.which(name)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        options = ("--yes", "--quiet", "--no-install-recommends")
        session.run("apt-get", "update", "--quiet", external=True, silent=True)
        session.run("apt-get", "install", *options, *missing, external=True, silent=True)
    elif missing:
        session.error(f"Install {' and '.join(missing)} first")
    if built:
        session.run("python", "-m", "tools.engine", *built)  # here, where its progress shows


def installed_collection(session: nox.Session) -> Path:
    """Copy the sources to where ansible-test wants a collection."""
    target = Path(".build/ansible-test/ansible_collections/echovalue/cloud").resolve()
    session.run("python", "-m", "tools.release", str(target), "tree", silent=True)
    session.run(*GIT_INIT, str(target), external=True, silent=True)
    return target


def collection_version() -> str:
    """Return the version of all that is published."""
    return str(re.findall(r"^version: (.+)$", Path("galaxy.yml").read_text(), re.MULTILINE)[0])


def types_of_the_package(session: nox.Session) -> None:
    """Check pulumi_echovalue as the wheel lays it out."""
    settings = Path("pyproject.toml").resolve()
    tree = Path(session.create_tmp(), "wheel")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree("pulumi_echovalue", tree / "pulumi_echovalue")
    for room in SHARED:
        shutil.copytree(Path("plugins", room), tree / "pulumi_echovalue" / "_shared" / room)
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
    actionlint = session.run("python", "-m", "tools.engine", "--path", "actionlint", silent=True)
    session.run(f"{str(actionlint).splitlines()[-1]}/actionlint", external=True)
    session.run("zizmor", "--offline", "--no-progress", "--quiet", ".github")
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
        nox.param("3.9", "unit-oldest", id="oldest", tags=["test", "matrix"]),
        *(nox.param(name, "unit", id=name, tags=["matrix"]) for name in ("3.10", "3.11", "3.12", "3.14")),
        nox.param(NEWEST, "unit", id="newest", tags=["test", "matrix"]),
    ],
)
def unit(session: nox.Session, group: str) -> None:
    """The core and the token file, without Ansible, from the oldest to the newest Python and requests."""
    install(session, group)
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session(python=NEWEST, tags=["mutants"])
def mutants(session: nox.Session) -> None:
    """Change the core and the files in small ways, one at a time: the unit tests notice 90% and more."""
    install(session, "mutants")
    tree = Path(".build/mutants").resolve()
    for name in ("plugins/module_utils", "tests/testkit", "tests/unit"):
        shutil.copytree(name, tree / name, dirs_exist_ok=True)
    shutil.copy2("pyproject.toml", tree)
    session.chdir(tree)
    session.run("nice", "-n", "15", "mutmut", "run", *session.posargs, external=True)
    session.run("mutmut", "results")
    session.run("mutmut", "export-cicd-stats", silent=True)
    stats = json.loads(Path("mutants/mutmut-cicd-stats.json").read_text())
    noticed = (stats["killed"] + stats["timeout"]) / stats["total"]
    print(f"{noticed:.1%} of {stats['total']} changes are noticed.")
    if noticed < 0.9:
        session.error("The unit tests notice too little")


@nox.session(python=NEWEST, tags=["test"])
def emulator(session: nox.Session) -> None:
    """The emulator, and schemathesis against its OpenAPI document."""
    install(session, "contract")
    session.run("pytest", "-n", "2", "tests/emulator", *session.posargs)


@nox.session(python=NEWEST, tags=["test", "matrix"])
def lives(session: nox.Session) -> None:
    """A life of a token in each place and half, by real playbooks and on a real engine."""
    install(session, "stores", "pulumi", "test", package=True, needs=("pass", "gpg"), built=("pulumi",))
    tests = ("tests/ansible", "tests/stores", "tests/pulumi")
    session.run("pytest", "-n", "3", *tests, "-m", "essential and not kubernetes", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all", "matrix"])
def ansible(session: nox.Session) -> None:
    """The modules, by real playbooks, on the newest ansible-core."""
    install(session, "test", "ansible")
    session.run("pytest", "-n", "2", "tests/ansible", "-m", f"not slow and {MORE}", *session.posargs)


# What is shown and what is registered differs between the cores.
@nox.session(python="3.11", tags=["test-all"])
def ansible_shown(session: nox.Session) -> None:
    """What the oldest ansible-core shows and registers."""
    install(session, "test", "ansible-oldest")
    session.run("pytest", "-n", "2", "tests/ansible/test_secrets.py", *session.posargs)


@nox.session
@nox.parametrize(
    "python,group",
    [
        nox.param("3.11", "ansible-oldest", id="oldest", tags=["test-all", "matrix"]),
        nox.param("3.11", "ansible-2.19", id="2.19", tags=["matrix"]),
        nox.param("3.12", "ansible-2.20", id="2.20", tags=["matrix"]),
        nox.param(NEWEST, "ansible-next", id="next", tags=["test-all", "matrix"]),
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


@nox.session(python=NEWEST, tags=["matrix"])
@nox.parametrize("target", ["3.9", "3.10", "3.11", "3.12", "3.14"])
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
    install(session, "demo", "test", package=True, built=("pulumi",))
    session.run("pytest", "-n", "2", "tests/test_demo.py", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def eda(session: nox.Session) -> None:
    """The rulebook, by the real ansible-rulebook; needs Java 17."""
    install(session, "eda")
    session.run("pytest", "tests/eda", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all", "gates"])
def integration(session: nox.Session) -> None:
    """The targets of ansible-test."""
    install(session, "ansible", "emulator")
    session.chdir(installed_collection(session))
    session.run("ansible-test", "integration", "--python", NEWEST, "--color", "no", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all", "gates"])
def units(session: nox.Session) -> None:
    """The unit tests by `ansible-test units`, which wants the names of the installed collection."""
    install(session, "ansible", "test")
    tree = installed_collection(session)
    for path in tree.joinpath("tests/unit").glob("*.py"):
        names = r"\1 ansible_collections.echovalue.cloud.\2."
        path.write_text(re.sub(r"\b(from|import) (plugins|tests)\.", names, path.read_text()))
    session.chdir(tree)
    session.run("ansible-test", "units", "--python", NEWEST, "--color", "no", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def stores(session: nox.Session) -> None:
    """The places of the controller and the roles, against real servers and programs."""
    install(session, "stores", "test", package=True, needs=("pass", "gpg"))
    marks = f"not kubernetes and not slow and {MORE}"
    session.run("pytest", "-n", "2", "tests/stores", "-m", marks, *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def slow(session: nox.Session) -> None:
    """The reports from the field, what users copy, the search of every byte: all that takes long."""
    install(session, "stores", "exporters", "test", package=True, needs=("pass", "gpg", "strace"))
    tests = ("tests/ansible", "tests/field", "tests/stores")
    session.run("pytest", "-n", "2", *tests, "-m", "slow and not kubernetes", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def kubernetes(session: nox.Session) -> None:
    """The same against a real Kubernetes API server."""
    install(session, "stores", "test", package=True, needs=("strace",), built=("pulumi", "kubernetes"))
    tests = ("tests/stores", "tests/field", "tests/pulumi/test_engine_place_examples.py")
    session.run("pytest", "-n", "2", *tests, "-m", "kubernetes", *session.posargs)
    session.run("pytest", "-n", "2", "tests/engine/test_servers.py", *session.posargs)


@nox.session(python="3.11", tags=["test-all"])
def stores_oldest(session: nox.Session) -> None:
    """The places with a library, with the oldest versions of it and of its collection that are documented."""
    install(session, "stores-oldest", "test", built=("kubernetes",))
    places = ("-k", "HashiVault or SecretsManager or Kubernetes", "-m", "not slow")
    session.run("pytest", "-n", "2", "tests/stores/test_places.py", *places, *session.posargs)
    session.run("pytest", "-n", "2", "tests/stores/test_copies.py", "-m", "not slow", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def molecule(session: nox.Session) -> None:
    """A molecule scenario for each store, and one for the wallet."""
    install(session, "stores", "emulator")
    collections = "from tools.checkout import collections_path; print(collections_path())"
    path = session.run("python", "-m", "tools.engine", "--path", "kubernetes", silent=True)
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
        nox.param("ansible-oldest", id="oldest", tags=["test-all", "gates"]),
        nox.param("ansible", id="newest", tags=["lint", "gates"]),
    ],
)
def sanity(session: nox.Session, group: str) -> None:
    """All of ansible-test's sanity tests, on the collection that is published."""
    for path in Path("/tmp").glob("*.py"):  # noqa: S108 - ansible-test runs pip there, whatever TMPDIR says
        if path.stem in sys.stdlib_module_names:
            session.error(f"{path} hides Python's own module {path.stem} from ansible-test. Move it first")
    install(session, group, "sanity")
    home = Path(".build/ansible-test/home").resolve()
    for name in ("get_pip_24_2.py", "get_pip_25_2.py"):
        home.joinpath(".ansible/test/cache").mkdir(parents=True, exist_ok=True)
        home.joinpath(".ansible/test/cache", name).write_text(GET_PIP)
    built = Path(session.create_tmp(), "built").resolve()
    session.run("python", "-m", "tools.release", str(built), "collection", silent=True)
    (archive,) = built.iterdir()
    install_collection(session, "ansible-galaxy", str(archive), built / "collections")
    collection = built / "collections/ansible_collections/echovalue/cloud"
    session.run(*GIT_INIT, str(collection), external=True, silent=True)
    session.chdir(collection)
    session.run(
        *("ansible-test", "sanity", "--python", str(session.python), "--color", "no", *session.posargs),
        env={"HOME": str(home), "LC_ALL": "C.UTF-8"},
    )


@nox.session(python=NEWEST, tags=["test-all", "matrix"])
def pulumi(session: nox.Session) -> None:
    """The Pulumi package: alone, and by ordinary programs on a real engine."""
    marks = f"not slow and not kubernetes and {MORE}"
    run_pulumi(session, "pulumi", "tests/pulumi", "tests/engine/test_engine.py", "-m", marks)


@nox.session(python="3.14", tags=["matrix"])
def newer_python(session: nox.Session) -> None:
    """Both halves on a Python that is newer than that of these commands."""
    install(session, "ansible", "test", "pulumi", package=True, built=("pulumi",))
    tests = ("tests/ansible", "tests/pulumi")
    session.run("pytest", "-n", "3", *tests, "-m", "not slow and not kubernetes", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def pulumi_slow(session: nox.Session) -> None:
    """The Pulumi package: programs in TypeScript and Go, 100 tokens, and the rest of a stack's life."""
    sets = ("pulumi", "pulumi-languages", "pulumi-dotnet")
    run_pulumi(session, "pulumi-languages", "tests/pulumi", "-m", "slow", sets=sets)


@nox.session(python="3.10", tags=["test-all", "matrix"])
def pulumi_oldest(session: nox.Session) -> None:
    """The Pulumi package on the oldest Python and SDK: what needs no engine, and the stack of 0.1.0."""
    tests = ("tests/pulumi", "-k", "not engine or version_0_1_0")
    # The emulator runs on newer Pythons than the package.
    newer = Path(session.create_tmp(), "emulator").resolve()
    session.run("uv", "venv", "--quiet", "--clear", "--no-python-downloads", "--python", NEWEST, str(newer))
    session.run("uv", "pip", "install", "--quiet", "--python", str(newer), "--group", "emulator")
    run_pulumi(session, "pulumi-oldest", *tests, emulator=str(newer / "bin" / "python"))


def run_pulumi(
    session: nox.Session,
    group: str,
    *arguments: str,
    sets: tuple[str, ...] = ("pulumi",),
    emulator: str | None = None,
) -> None:
    """Run tests of the Pulumi package with the dependencies of a group; `emulator` is the Python of that."""
    install(session, group, package=True, built=sets)
    environment = {"EMULATOR_PYTHON": emulator} if emulator else {}
    # An engine waits for its programs and providers: three tests keep two cores busy.
    session.run("pytest", "-n", "3", *arguments, *session.posargs, env=environment)


@nox.session(python=NEWEST, tags=["test-all", "gates"])
def dist(session: nox.Session) -> None:
    """Build what is published into dist/; run the examples with it in clean environments."""
    install(session, "dist")
    session.run("pytest", "tests/release/test_release.py")
    session.run("python", "-m", "tools.release", "dist")
    (collection,) = map(str, Path("dist").glob("echovalue-cloud-*"))
    package = sorted(map(str, Path("dist").glob("pulumi_echovalue-*")))
    write_sbom(session, "collection", [collection], "-r", "meta/ee-requirements.txt")
    write_sbom(session, "package", package, package[0])
    session.run("twine", "check", "--strict", *package)
    check_collection(session, collection)
    (wheel,) = (file for file in package if file.endswith(".whl"))
    check_wheel(session, wheel)


def write_sbom(session: nox.Session, name: str, files: list[str], *needs: str) -> None:
    """Write dist/NAME.cdx.json for these files, from an environment that holds what they need today."""
    folder = Path(session.create_tmp(), f"sbom-{name}").resolve()
    session.run("uv", "venv", "--quiet", "--clear", "--python", NEWEST, str(folder))
    python = str(folder / "bin/python")
    session.run("uv", "pip", "install", "--quiet", "--python", python, *needs)
    session.run("python", "-m", "tools.release.sbom", python, f"dist/{name}.cdx.json", *files)


@nox.session(python=NEWEST, tags=["test-all"])
def plugin(session: nox.Session) -> None:
    """Build the self-contained native provider of this system into dist/, install it, and mint with it."""
    install(session, "plugin", "plugin-test", built=("pulumi",))
    session.run("python", "-m", "tools.plugin", "dist")
    session.run("pytest", "tests/release/test_plugin.py", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def sdk(session: nox.Session) -> None:
    """Generate the SDKs of the native provider into build/sdk; compile or type-check each."""
    install(session, "sdk", package=True, built=("pulumi-languages", "pulumi-dotnet"))
    session.run("python", "-m", "tools.sdk", "build/sdk")


def clean_environment(session: nox.Session, group: str, *packages: str) -> Path:
    """Make an environment that holds a group and packages alone, as a user's would; return its programs."""
    folder = Path(session.create_tmp(), group).resolve()
    session.run("python", "-m", "venv", "--clear", str(folder))
    pinned = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), group)
    pip = (str(folder / "bin/python"), "-m", "pip", "install", "--quiet")
    session.run(*pip, *pinned, *packages, external=True)
    return folder / "bin"


def install_collection(session: nox.Session, program: str, archive: str, target: Path) -> None:
    """Install a built collection alone into an empty path, by a given ansible-galaxy."""
    shutil.rmtree(target, ignore_errors=True)
    options = ("--offline", "--no-deps", "-p", str(target))
    session.run(program, "collection", "install", archive, *options, external=True, silent=True)


def check_collection(session: nox.Session, archive: str) -> None:
    """Run the playbooks of the documentation with the built collection."""
    programs = clean_environment(session, "ansible")
    collections = Path(session.create_tmp(), "collections").resolve()
    install_collection(session, str(programs / "ansible-galaxy"), archive, collections)
    needs = session.run("ansible-builder", "introspect", str(collections), silent=True)
    if "requests" not in str(needs):
        session.error(f"An execution environment would not get requests:\n{needs}")
    session.run(
        *("pytest", "tests/ansible/test_examples.py", *session.posargs),
        env={"EXAMPLE_PYTHON": str(programs / "python"), "EXAMPLE_COLLECTIONS": str(collections)},
    )


def check_wheel(session: nox.Session, wheel: str) -> None:
    """Check a program's types, and run the example on a real engine, with the built wheel."""
    python = str(clean_environment(session, "pulumi-runtime", wheel) / "python")
    names = ("docs/examples/pulumi/__main__.py", "tests/pulumi/data/typed_program.py")
    checked = [str(Path(name).resolve()) for name in names]
    with session.chdir(session.create_tmp()):  # where the wheel is found, and not this checkout
        for program in checked:
            session.run("mypy", "--strict", "--config-file=", f"--python-executable={python}", program)
        session.run(python, "-m", "pulumi_echovalue.plugin", "schema", external=True, silent=True)
    session.run(
        "pytest", "tests/pulumi/test_engine_example.py", *session.posargs, env={"EXAMPLE_PYTHON": python}
    )


@nox.session(python=NEWEST, tags=["test-all"])
def docs(session: nox.Session) -> None:
    """The documentation site, into build/site; what comes after -- goes to Sphinx."""
    install(session, "docs", "unit", package=True)
    tree, site = installed_collection(session), Path("build/site")
    reference = tree / "docs/collection"
    reference.mkdir()
    session.run(
        *("antsibull-docs", "collection", "echovalue.cloud", "--use-current", "--squash-hierarchy"),
        *("--fail-on-error", "--dest-dir", str(reference)),
        env={"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2])},
    )
    # Short titles for the sidebar, which would break the full names in the middle of a word.
    index = reference / "index.rst"
    titles = (r"(?m)^(    )(echovalue_(\w+)_(module|role))$", r"\1\3 (\4) <\2>")
    index.write_text(re.sub(*titles, index.read_text()))
    shutil.rmtree(site, ignore_errors=True)
    sphinx = ("sphinx-build", "--fail-on-warning", "--keep-going", "-q", *session.posargs)
    session.run(*sphinx, str(tree / "docs"), str(site))
    session.run("pytest", "tests/docs", "-q", env={"SITE": str(site.resolve())})


@nox.session(python=NEWEST, tags=["coverage"])
def coverage(session: nox.Session) -> None:
    """Branch coverage of all that ships, into build/coverage; under 95% it fails."""
    groups, built = ("coverage", "stores", "test", "pulumi"), ("pulumi", "kubernetes")
    install(session, *groups, package=True, needs=("pass", "gpg"), built=built)
    folder, settings = Path("build/coverage").resolve(), str(Path("tests/coverage.ini").resolve())
    tests = [f"tests/{name}" for name in ("unit", "ansible", "stores", "pulumi")]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    session.run(
        *("pytest", "-n", "2", "--cov", f"--cov-config={settings}"),
        *(f"--cov-report=html:{folder}", "--cov-report=term-missing:skip-covered"),
        *("-m", "not slow", *(session.posargs or tests)),
        env={"COVERAGE_FILE": str(folder / "data")},
    )


@nox.session(python=NEWEST, tags=["audit"])
def audit(session: nox.Session) -> None:
    """Known faults of what users get with the package or the collection; needs the index's own interface."""
    install(session, "audit")
    session.run("pip-audit", "--strict", "--requirement", "meta/ee-requirements.txt", *session.posargs)
    session.run("pip-audit", "--strict", ".", *session.posargs)


@nox.session(python=NEWEST)
def changelog(session: nox.Session) -> None:
    """Turn the fragments into the changelog of the version in galaxy.yml, and write that into the core."""
    install(session, "lint", "ansible")
    core = Path("plugins/module_utils/core/version.py")
    core.write_text(re.sub(r'(?m)(?<=^VERSION = ").+(?="$)', collection_version(), core.read_text()))
    session.run("antsibull-changelog", "release", *session.posargs)


@nox.session(venv_backend="none")
def released(session: nox.Session) -> None:
    """Refuse a release whose version has no changelog, or whose fragments are not in it."""
    version = collection_version()
    if f"## v{version}\n" not in Path("CHANGELOG.md").read_text().replace("\\", ""):
        session.error(f"CHANGELOG.md has no version {version}: run nox -s changelog")
    if fragments := sorted(map(str, Path("changelogs/fragments").glob("*.yml"))):
        session.error(f"Not in the changelog yet: {', '.join(fragments)}. Run nox -s changelog")


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Time and memory of this and of what people do today; writes build/bench.json and the plot."""
    install(session, "bench", package=True)
    session.run("python", "-m", "tools.bench", "--plot", "docs/performance.png", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def bench_test(session: nox.Session) -> None:
    """The benchmark itself, in short, and what holds of many tokens on a busy machine."""
    install(session, "bench", "test", package=True)
    session.run("pytest", "-n", "2", "tests/bench", *session.posargs)


@nox.session(python=NEWEST, tags=["proof"])
def proof(session: nox.Session) -> None:
    """Experiments that try to lose a token, or to let an intruder in; writes build/proof.json."""
    needs, built = ("strace", "sshd", "sudo", "setfacl"), ("pulumi", "kubernetes")
    install(session, "proof", package=True, needs=needs, built=built)
    session.run("python", "-m", "tools.proof", *session.posargs)


@nox.session(python=NEWEST, tags=["test-all"])
def proof_short(session: nox.Session) -> None:
    """The same experiments in short: a sample of each."""
    install(session, "proof", package=True, needs=("strace",), built=("pulumi",))
    session.run("python", "-m", "tools.proof", "--short", *session.posargs)


@nox.session(python=NEWEST, tags=["matrix"])
@nox.parametrize(
    "group,sdk",
    [
        nox.param("ansible-oldest", "pulumi-oldest", id="oldest"),
        nox.param("ansible-2.19", "pulumi-runtime", id="2.19"),
        nox.param("ansible-2.20", "pulumi-runtime", id="2.20"),
        nox.param("ansible-next", "pulumi-runtime", id="next"),
    ],
)
def canaries(session: nox.Session, group: str, sdk: str) -> None:
    """The hunt for secrets with the other ansible-cores, and with the oldest Pulumi SDK."""
    install(session, "proof", package=True, needs=("strace",), built=("pulumi", "kubernetes"))
    pinned = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), sdk)
    install(session, group)
    session.install(*(one for one in pinned if one.startswith("pulumi==")))
    session.run("python", "-m", "tools.proof", "canaries", *session.posargs)


@nox.session(venv_backend="none")
def left_out(session: nox.Session) -> None:
    """Print which checks the named commands do not run, under the command that does."""
    done = set(session.posargs)
    listed = session.run(sys.executable, "-m", "nox", "--list", "--json", silent=True)
    left: dict[str, list[str]] = {}
    for one in json.loads(str(listed)):
        if one["tags"] and not done.intersection(one["tags"]):
            left.setdefault(one["tags"][0], []).append(one["session"])
    print(f"make {' '.join(session.posargs)} leaves out, with the command that runs it:")
    for command, sessions in left.items():
        print(f"  make {command:9} {', '.join(sessions)}")
