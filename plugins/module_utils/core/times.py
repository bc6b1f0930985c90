# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Points in time as the service writes them, and lengths of time as people do."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from .errors import InvalidInputError

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?", re.ASCII)
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(timezone.utc)


def read_length(text: str, name: str) -> timedelta:
    """Return a length of time such as 90d, passed by the option `name`. Raises InvalidInputError."""
    found = _LENGTH.fullmatch(text.strip())
    try:
        if found:
            return timedelta(**{_UNITS[found.group(2)]: float(found.group(1))})
    except OverflowError:
        pass
    raise InvalidInputError(f"{name} must be a number with one of s, m, h, d and w behind it, such as 90d.")


def read_time(text: object) -> datetime | None:
    """Return a time of the service, ISO 8601 with any number of digits; None for what is none."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    second, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        time = datetime.strptime(second, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
        return time.astimezone(timezone.utc) + timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6]))
    except (OverflowError, ValueError):  # the 31st of February; a zone of a day
        return None
