# SPDX-License-Identifier: BSD-2-Clause
"""What the emulator remembers, in SQLite: tokens, wallets, settings, alerts, requests, faults, options.

Of a token only its hash is stored. The table of requests is both the service's log and the source
of every statistic, so they cannot disagree; it is kept whole, which suits tests and benchmarks.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

FREE_CREDITS = 100
RECENT = 10_000  # how many requests the control API lists

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS tokens (
    hash TEXT PRIMARY KEY,
    wallet INTEGER NOT NULL CHECK (typeof(wallet) = 'integer' AND wallet >= 0),
    created TEXT NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}',
    alerted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY,
    token_hash TEXT NOT NULL,
    wallet INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    email TEXT,
    webhook_host TEXT,
    status INTEGER,
    error TEXT
);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    timestamp TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    query TEXT NOT NULL,
    header_names TEXT NOT NULL,
    user_agent TEXT,
    token_hash TEXT,
    connection INTEGER NOT NULL,
    status INTEGER,
    endpoint TEXT,
    status_code INTEGER,
    error TEXT,
    milliseconds INTEGER NOT NULL,
    minted INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    balance INTEGER
);
CREATE INDEX IF NOT EXISTS requests_of_token ON requests (token_hash, id)
    WHERE token_hash IS NOT NULL;
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    times INTEGER NOT NULL CHECK (typeof(times) = 'integer' AND times >= 0),
    fault TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS options (
    links TEXT NOT NULL DEFAULT 'hash' CHECK (links IN ('hash', 'token')),
    balance_headers INTEGER NOT NULL DEFAULT 1 CHECK (balance_headers IN (0, 1)),
    latency REAL NOT NULL DEFAULT 0 CHECK (typeof(latency) = 'real' AND latency >= 0),
    put TEXT NOT NULL DEFAULT 'replace' CHECK (put IN ('replace', 'merge')),
    webhook_ca TEXT NOT NULL DEFAULT '',
    counted_after INTEGER NOT NULL DEFAULT 0
);
INSERT INTO options DEFAULT VALUES;
DELETE FROM options WHERE rowid > 1;
"""


class Account(NamedTuple):
    """A token as the ledger knows it; `settings` is JSON text."""

    wallet: int
    created: str
    settings: str


class Options(NamedTuple):
    """How the service behaves now.

    `put` is what becomes of a setting that a PUT leaves out: `replace` clears it, `merge` keeps it.
    `webhook_ca` is a file of CA certificates that alerts trust, empty for the usual ones. `faulty`
    says whether any fault waits.
    """

    links: str
    balance_headers: bool
    latency: float
    put: str
    webhook_ca: str
    faulty: bool


def hash_of(token: bytes) -> str:
    """Return the sha256 hex of `token`."""
    return hashlib.sha256(token).hexdigest()


def timestamp() -> str:
    """Return the time now in UTC, with two digits of fraction as the service writes it."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 10_000:02d}Z"


class Ledger:
    """One connection to the database at `path`; each worker has its own."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA synchronous = NORMAL")

    def create(self) -> None:
        """Make the tables that are missing."""
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let the database go."""
        self._db.close()

    def transaction(self) -> sqlite3.Connection:
        """Begin to write: what `with ledger.transaction():` holds happens whole or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    # Tokens

    def mint(self) -> str:
        """Return a new token, of which only the hash is kept."""
        token = secrets.token_hex(16)
        self.register(token)
        return token

    def register(self, token: str, wallet: int = FREE_CREDITS) -> str:
        """Make `token` known, with `wallet` credits; return its hash."""
        digest = hash_of(token.encode())
        new = {"hash": digest, "wallet": wallet, "created": timestamp()}
        self._insert("tokens", new, "ON CONFLICT (hash) DO UPDATE SET wallet = excluded.wallet")
        return digest

    def account(self, digest: str) -> Account | None:
        """Return the account of a token's hash, None when it is unknown."""
        query = "SELECT wallet, created, settings FROM tokens WHERE hash = ?"
        row = self._db.execute(query, (digest,)).fetchone()
        return row and Account(*row)

    def spend(self, digest: str) -> Account | None:
        """Take one credit and return the account after it, None when there is no credit."""
        row = self._db.execute(
            "UPDATE tokens SET wallet = wallet - 1 WHERE hash = ? AND wallet > 0"
            " RETURNING wallet, created, settings",
            (digest,),
        ).fetchone()
        return row and Account(*row)

    def set_settings(self, digest: str, settings: str) -> None:
        """Keep a token's settings, JSON text."""
        self._db.execute("UPDATE tokens SET settings = ? WHERE hash = ?", (settings, digest))

    def set_account(self, digest: str, wallet: int | None = None, created: str | None = None) -> bool:
        """Set a balance, the time of the mint, or both; say whether the token is known."""
        changed = self._db.execute(
            "UPDATE tokens SET wallet = coalesce(?, wallet), created = coalesce(?, created) WHERE hash = ?",
            (wallet, created, digest),
        )
        return changed.rowcount == 1

    def forget(self, digest: str) -> bool:
        """Remove a token; say whether it was known."""
        return self._db.execute("DELETE FROM tokens WHERE hash = ?", (digest,)).rowcount == 1

    def tokens(self) -> list[dict[str, Any]]:
        """Return hash, wallet and created of every token."""
        return self._rows("SELECT hash, wallet, created FROM tokens ORDER BY created, hash")

    # Alerts

    def fell_low(self, digest: str, cost: int) -> Account | None:
        """Return the account if a call of `cost` took it under its threshold and nobody was alerted.

        From then on it was sent, until the balance is back.
        """
        *columns, reported = self._db.execute(
            "SELECT wallet, created, settings, alerted FROM tokens WHERE hash = ?", (digest,)
        ).fetchone()
        account = Account(*columns)
        threshold = json.loads(account.settings).get("low_balance_threshold", 0)
        low, was_low = account.wallet < threshold, account.wallet + cost < threshold
        if low != reported:
            self._db.execute("UPDATE tokens SET alerted = ? WHERE hash = ?", (low, digest))
        return account if low and not (reported and was_low) else None

    def add_alert(self, alert: dict[str, Any]) -> int:
        """Write down an alert, a value for each column but the last two; return its id."""
        added = self._insert("alerts", alert)
        assert added
        return added

    def end_alert(self, number: int, status: int | None, error: str | None) -> None:
        """Write down how the webhook answered, or why it did not."""
        self._db.execute("UPDATE alerts SET status = ?, error = ? WHERE id = ?", (status, error, number))

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts since the last reset; status and error are None while one is under way."""
        return self._rows(
            "SELECT token_hash, wallet, threshold, email, webhook_host, status, error FROM alerts ORDER BY id"
        )

    # Requests

    def record(self, entry: dict[str, Any]) -> None:
        """Write down one request; `entry` has a value for each column but the id."""
        self._insert("requests", entry)

    def add_call(self, digest: str, *, hours: float, cost: int) -> None:
        """Write down a call of so many hours ago, as if the token had made it then."""
        then = datetime.now(timezone.utc) - timedelta(hours=hours)
        asked = {"method": "GET", "path": "/kv/app/key", "query": "", "endpoint": "kv", "token_hash": digest}
        answered = {"status": 200, "status_code": 200, "error": None, "milliseconds": 1, "minted": 0}
        known = {"header_names": "", "user_agent": None, "connection": 0, "cost": cost, "balance": 0}
        self.record({"timestamp": then.isoformat(), **asked, **answered, **known})

    def logs(self, digest: str, n: int, endpoint: str | None) -> list[dict[str, Any]]:
        """Return the newest `n` requests that the service did for a token, newest first.

        `endpoint` is the one category to show. What a fault did to the answer is not in them: the
        service would not know.
        """
        rows = self._rows(
            "SELECT CAST(id AS TEXT) AS id, method, path || iif(query = '', '', '?' || query) AS path,"
            " endpoint, status_code, milliseconds AS response_time_ms, error, timestamp,"
            " strftime('%Y-%m-%dT%H:%M:%fZ', timestamp, '+7 days') AS expiration, cost, balance"
            " FROM requests WHERE token_hash = ?1 AND balance IS NOT NULL AND NOT minted"
            " AND endpoint = ifnull(?2, endpoint) ORDER BY requests.id DESC LIMIT ?3",
            (digest, endpoint, n),
        )
        return [{name: value for name, value in row.items() if value is not None} for row in rows]

    def requests(self) -> list[dict[str, Any]]:
        """Return the recent requests since the last reset, in the order they were worked on."""
        rows = self._rows(
            "SELECT method, path, query, header_names, user_agent, token_hash, status"
            " FROM requests, options WHERE id > counted_after ORDER BY id DESC LIMIT ?",
            (RECENT,),
        )
        return [{**row, "header_names": row["header_names"].split()} for row in reversed(rows)]

    def stats(self) -> dict[str, Any]:
        """Return what was counted since the last reset, and how many tokens there are."""
        [counted] = self._rows(
            "SELECT count(*) AS total, ifnull(sum(minted), 0) AS mints, ifnull(sum(cost), 0) AS credits_spent,"
            " count(DISTINCT connection) AS connections, (SELECT count(*) FROM tokens) AS tokens"
            " FROM requests, options WHERE id > counted_after"
        )
        calls = self._db.execute(
            "SELECT method || ' ' || path AS call, count(*)"
            " FROM requests, options WHERE id > counted_after GROUP BY call"
        ).fetchall()
        return {**counted, "requests": dict(calls)}

    def reset_stats(self) -> None:
        """Count from here; the service's own logs stay."""
        self._db.execute("DELETE FROM alerts")
        self._db.execute("UPDATE options SET counted_after = (SELECT ifnull(max(id), 0) FROM requests)")

    # Faults and options

    def add_fault(self, call: str, times: int, fault: dict[str, Any]) -> None:
        """Let `call` (or `*`) meet `fault` the next `times` times; 0 is for ever."""
        self._insert("faults", {"call": call, "times": times, "fault": json.dumps(fault)})

    def take_fault(self, call: str) -> dict[str, Any] | None:
        """Return the first fault that waits for `call` and use it up, None when there is none."""
        with self.transaction():
            query = "SELECT id, times, fault FROM faults WHERE call IN (?, '*') ORDER BY id LIMIT 1"
            found = self._db.execute(query, (call,)).fetchone()
            if found is None:
                return None
            number, times, fault = found
            if times == 1:
                self._db.execute("DELETE FROM faults WHERE id = ?", (number,))
            elif times > 1:
                self._db.execute("UPDATE faults SET times = times - 1 WHERE id = ?", (number,))
        return json.loads(fault)

    def clear_faults(self) -> None:
        """Remove every fault."""
        self._db.execute("DELETE FROM faults")

    def options(self) -> Options:
        """Return the options; every request asks, so each worker sees a change at once."""
        columns = "links, balance_headers, latency, put, webhook_ca, EXISTS (SELECT 1 FROM faults)"
        return Options(*self._db.execute(f"SELECT {columns} FROM options").fetchone())

    def set_options(self, **options: Any) -> None:
        """Change the options that are named."""
        with self.transaction():
            *values, _faulty = self.options()._replace(**options)
            columns = "(links, balance_headers, latency, put, webhook_ca)"
            self._db.execute(f"UPDATE options SET {columns} = (?, ?, ?, ?, ?)", values)

    def _insert(self, table: str, row: dict[str, Any], rest: str = "") -> int | None:
        """Add a row, a value for each column that is named; return its id."""
        values = ", ".join(f":{name}" for name in row)
        query = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values}) {rest}"
        return self._db.execute(query, row).lastrowid

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        found = self._db.execute(query, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found]
