# SPDX-License-Identifier: BSD-2-Clause
"""The hunt for secrets: in texts, files, folders and processes, in every form that a secret may take.

    assert not hunt([token], {"the screen": screen, "the state": folder})

What gzip packed is unpacked first, and the logs that the Pulumi engine encrypts are decrypted. Their records of
properties are left out, unless the search is for what belongs into no state either.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import html
import json
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus

# What may be where a text was split into lines: line ends, as such or escaped, and what begins a line.
_SPLIT = re.compile(rb'(?:\s|\\n|\\r|\\t|["\'|>])+')
# A token as the service mints it.
_TOKEN = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
# What may hold such a token in base64.
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{43,}")
# What the state and the settings of a stack say of its passphrase; the first group is the salt.
_SALT = re.compile(rb"v1:([A-Za-z0-9+/=]+):v1:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")
# Records in an encrypted log by which the engine and the SDKs say what they send, get and store: there secrets belong, as
# in the state.
_PROPERTIES = re.compile(
    rb'"msg":"(?:(?:Unm|M)arshaling property|Planner decided)| RPC finished: |, obj=\{|, props=fields \{'
)
_SHORTEST_HALF = 8


def hunt(
    secrets: Iterable[str],
    where: Mapping[str, str | bytes | Path],
    *,
    hashes: Collection[str] = (),
    allowed: Iterable[str] = (),
    passphrase: str = "",
    properties: bool = False,
) -> list[str]:
    """Return in words each secret that is found: its form, its place, and what is before it.

    `where` are texts, files and folders by their names. `hashes` are those of tokens that are searched for
    unknown. `allowed`, `passphrase` and `properties` are those of `files_in`.
    """
    needles = [(form, needle) for secret in set(secrets) for form, needle in forms(secret).items()]
    finds = []
    for place, what in where.items():
        if isinstance(what, Path):
            opened = files_in(what, allowed, passphrase, properties=properties)
            contents = {f"{place}, {name}": content for name, content in opened.items()}
        else:
            contents = {place: what.encode() if isinstance(what, str) else what}
        for name, content in contents.items():
            finds += [f"a secret, {found} in {name}" for found in _found(content, needles)]
            finds += [f"a token, {found} in {name}" for found in _found_by_hash(content, hashes) if hashes]
    return finds


def forms(secret: str) -> dict[str, bytes]:
    """Return what a secret looks like where a program encoded it, tried to hide it, or cut it."""
    plain = secret.encode()
    half = len(plain) // 2
    found = {
        "plain": plain,
        "reversed": plain[::-1],
        "in hexadecimal": plain.hex().encode(),
        "URL-encoded": quote(secret, safe="").encode(),
        "URL-encoded as in a form": quote_plus(secret).encode(),
        "URL-encoded in lower case": re.sub(
            "%..", lambda one: one[0].lower(), quote(secret, safe="")
        ).encode(),
        "in JSON": json.dumps(secret)[1:-1].encode(),
        "in JSON as Go writes it": re.sub("[&<>]", lambda one: f"\\u{ord(one[0]):04x}", secret).encode(),
        "as Python shows it": repr(secret)[1:-1].encode(),
        "in HTML": html.escape(secret).encode(),
    }
    if half >= _SHORTEST_HALF:
        found |= {"its first half": plain[:half], "its last half": plain[half:]}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)[4 if shift else 0 : -4]
        if len(encoded) >= _SHORTEST_HALF:
            found[f"in base64 at {shift}"] = encoded
            found[f"in URL-safe base64 at {shift}"] = encoded.translate(bytes.maketrans(b"+/", b"-_"))
    return {form: needle for needle, form in {found[form]: form for form in reversed(found)}.items()}


def _found(content: bytes, needles: list[tuple[str, bytes]]) -> Iterator[str]:
    joined = b""
    for form, needle in needles:
        if (at := content.find(needle)) >= 0:
            yield f"{form}, after {content[max(0, at - 40) : at]!r}"
        elif needle in (joined := joined or _SPLIT.sub(b"", content)):
            yield f"{form}, split by lines,"


def _found_by_hash(content: bytes, hashes: Collection[str]) -> Iterator[str]:
    for form, text in _decoded(content):
        for match in _TOKEN.finditer(text):
            if hashlib.sha256(match[0]).hexdigest() in hashes:
                yield f"{form}, after {text[max(0, match.start() - 40) : match.start()]!r}"


def _decoded(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", content
    yield "reversed", content[::-1]
    for match in _BASE64.finditer(content):
        run = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):  # where its text begins is not known
            whole = run[start : start + (len(run) - start) // 4 * 4]
            yield "in base64", base64.b64decode(whole)


def files_in(
    path: Path, allowed: Iterable[str] = (), passphrase: str = "", *, properties: bool = False
) -> dict[str, bytes]:
    """Return a file, or the files of a folder, opened, but for `allowed`: patterns of names where secrets belong.

    `passphrase` is that of the Pulumi stacks whose logs are there, beside their state or settings; with
    `properties` their records of what the engine sends and stores are there too.
    """
    patterns = list(allowed)
    files = {str(file.relative_to(path)): file for file in sorted(path.rglob("*"))} or {path.name: path}
    raw = {
        f"the file {name}": file.read_bytes()
        for name, file in files.items()
        if file.is_file() and not any(fnmatch(name, pattern) for pattern in patterns)
    }
    salts = {salt for content in raw.values() for salt in _SALT.findall(content)}
    return {name: _opened(name, content, salts, passphrase, properties) for name, content in raw.items()}


def _opened(name: str, content: bytes, salts: Collection[bytes], passphrase: str, properties: bool) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"PLOG"):
        text = _decrypted(name, content, salts, passphrase)
        kept = (line for line in text.splitlines() if properties or not _PROPERTIES.search(line))
        return b"\n".join(kept)
    return content


def _decrypted(name: str, content: bytes, salts: Collection[bytes], passphrase: str) -> bytes:
    """Return the text of an encrypted log: its head has a key, that a key of the stack encrypts; chunks follow."""
    from cryptography.exceptions import InvalidTag  # which some sessions have not
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    size = int.from_bytes(content[5:7], "big")
    _version, nonce, key = content[7 : 7 + size].split(b":")
    for salt in salts:
        with suppress(InvalidTag):
            cipher = AESGCM(_key(passphrase, salt))
            session = AESGCM(cipher.decrypt(base64.b64decode(nonce), base64.b64decode(key), None))
            break
    else:
        raise ValueError(f"No passphrase opens {name}, so it cannot be searched.")
    text, rest = b"", content[7 + size :]
    while rest:
        size = 4 + int.from_bytes(rest[:4], "big")
        text += gzip.decompress(session.decrypt(rest[4:16], rest[16:size], None))
        rest = rest[size:]
    return text


@functools.cache
def _key(passphrase: str, salt: bytes) -> bytes:
    """Return what the engine makes of a passphrase."""
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), base64.b64decode(salt), 1_000_000, 32)


def noting_processes(record: Path) -> tuple[str, ...]:
    """Return the start of a command line that notes the arguments and environment of all that is started."""
    options = ("--follow-forks", "--seccomp-bpf", "--trace=execve", "--no-abbrev", "--string-limit=131072")
    return ("strace", "-qq", *options, f"--output={record}", "--")


class Seen(NamedTuple):
    """What a file held at one time; `is_open` where others than its owner might read it."""

    name: str
    content: bytes
    is_open: bool


@contextmanager
def watched(*folders: Path) -> Iterator[set[Seen]]:
    """Collect what is in the files of these folders while the context lasts."""
    seen: set[Seen] = set()
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
                    seen.add(Seen(str(path), path.read_bytes(), is_open))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
