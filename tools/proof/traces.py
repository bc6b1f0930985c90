# SPDX-License-Identifier: BSD-2-Clause
"""All that a run leaves behind, searched for secrets in every form that one may take."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote, quote_plus

# What may stand where a text was split into lines: line ends, as such or escaped, and what begins a line.
_SPLIT = re.compile(rb'(?:\s|\\n|\\r|\\t|["\'|>])+')


def forms(secret: str) -> dict[str, bytes]:
    """Return what a secret looks like where somebody encoded it, tried to hide it, or cut it."""
    plain = secret.encode()
    half = len(plain) // 2
    found = {
        "plain": plain,
        "reversed": plain[::-1],
        "its first half": plain[:half],
        "its last half": plain[half:],
        "in hexadecimal": plain.hex().encode(),
        "URL-encoded": quote(secret, safe="").encode(),
        "URL-encoded as in a form": quote_plus(secret).encode(),
        "URL-encoded in lower case": re.sub(
            "%..", lambda one: one[0].lower(), quote(secret, safe="")
        ).encode(),
        "in JSON": json.dumps(secret)[1:-1].encode(),
        "in JSON as Go writes it": re.sub("[&<>]", lambda one: f"\\u{ord(one[0]):04x}", secret).encode(),
        "in HTML": html.escape(secret).encode(),
    }
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)[4 if shift else 0 : -4]
        found[f"in base64 at {shift}"] = encoded
        found[f"in URL-safe base64 at {shift}"] = encoded.translate(bytes.maketrans(b"+/", b"-_"))
    return {form: needle for needle, form in {found[form]: form for form in reversed(found)}.items()}


def found_in(where: Mapping[str, bytes], secrets: set[str]) -> Iterator[str]:
    """Yield in words each secret that is found, in each of its forms, also split by lines."""
    needles = [(form, needle) for secret in secrets for form, needle in forms(secret).items()]
    for place, content in where.items():
        joined = _SPLIT.sub(b"", content)
        for form, needle in needles:
            if needle in content:
                yield f"a secret, {form}, in {place}"
            elif needle in joined:
                yield f"a secret, {form}, split by lines, in {place}"


def files_in(directory: Path, allowed: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a directory, but for the places where secrets belong: patterns, and why."""
    return {
        f"the file {name}": path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not any(fnmatch(name := str(path.relative_to(directory)), pattern) for pattern in allowed)
    }


def noting_processes(record: Path) -> tuple[str, ...]:
    """Return the start of a command line that notes the arguments and environment of all that is started."""
    options = ("--follow-forks", "--seccomp-bpf", "--trace=execve", "--no-abbrev", "--string-limit=131072")
    return ("strace", "-qq", *options, f"--output={record}", "--")


@contextmanager
def files_watched(*folders: Path) -> Iterator[set[tuple[bytes, bool]]]:
    """Collect what is in the files of these folders while the context lasts, and whether others may read it."""
    seen: set[tuple[bytes, bool]] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            paths: list[Path] = []
            with suppress(OSError):  # a folder goes while it is listed
                for folder in folders:
                    paths += folder.rglob("*")
            for path in paths:
                with suppress(OSError):
                    is_open = bool(path.stat().st_mode & path.parent.stat().st_mode & 0o077)
                    seen.add((path.read_bytes(), is_open))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
