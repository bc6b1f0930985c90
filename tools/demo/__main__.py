# SPDX-License-Identifier: BSD-2-Clause
"""`make demo`: a real playbook against an embedded server, twice, and what happened in plain words.

With ECHOVALUE_BASE_URL set, the same playbook runs against that service.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from tools.checkout import ROOT, collections_path
from tools.demo import pulumi_half
from tools.emulator.client import Emulator

PLAYBOOK = "docs/examples/provision.yml"


def main() -> None:
    """Run the demo; all that it starts ends with it, also when it is interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    own = os.environ.get("ECHOVALUE_BASE_URL")
    with ExitStack() as stack:
        if own:
            emulator, url = None, own
            tokens = Path.home() / ".echovalue-demo"  # paid credits may come to hang on these
            say(f"The service is {url}, from ECHOVALUE_BASE_URL.")
        else:
            emulator = stack.enter_context(Emulator())
            url = emulator.url
            tokens = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="echovalue-demo-")))
            say(f"An EchoValue-compatible server was started at {url}.")
        for number, title in enumerate(
            ("First run: tokens are minted", "Second run: nothing is to be done"), 1
        ):
            say(f"{title}\nansible-playbook {PLAYBOOK}")
            if emulator:
                emulator.reset_stats()
            changed = play(url, tokens)
            report(number, changed, tokens, emulator)
        pulumi_half.run(url)


def play(url: str, tokens: Path) -> int:
    """Run the playbook, show its output as it comes, and return how many tasks changed something."""
    command = [Path(sys.executable).parent / "ansible-playbook", PLAYBOOK, "-e", f"token_directory={tokens}"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": collections_path(),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ECHOVALUE_BASE_URL": url,
        "PYTHONUNBUFFERED": "1",
    }
    if sys.stdout.isatty():
        environment.setdefault("ANSIBLE_FORCE_COLOR", "true")
    recap = ""
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                print("  " + line, end="", flush=True)
                recap = line if "changed=" in line else recap
        finally:
            process.terminate()  # of no effect on one that has ended
    if process.returncode:
        sys.exit(f"The playbook failed with exit code {process.returncode}; its last lines say why.")
    found = re.search(r"changed=(\d+)", recap)
    return int(found[1]) if found else 0


def report(number: int, changed: int, tokens: Path, emulator: Emulator | None) -> None:
    """Say in plain words what one run did."""
    rows = [("tasks that changed something", str(changed))]
    if emulator:
        stats = emulator.stats()
        rows += [
            ("tokens minted", str(stats["mints"])),
            ("requests sent", str(stats["total"])),
            ("credits spent", str(stats["credits_spent"])),
        ]
    for path in sorted(tokens.glob("*.token")):
        digest = sha256(path.read_text().strip().encode()).hexdigest()
        rows.append((f"token in {path}", f"mode {path.stat().st_mode & 0o777:04o}, hash {digest[:16]}..."))
    width = max(len(name) for name, _value in rows)
    say(f"What run {number} did:")
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


def say(text: str) -> None:
    """Print a heading."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    width = min(shutil.get_terminal_size().columns, 100)
    print(f"\n{bold}{'-' * width}\n{text}{plain}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: what the demo started was stopped.")
