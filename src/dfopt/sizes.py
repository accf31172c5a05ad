"""Typical sizes of what layers keep, each with its source and date; what is not in the table is unknown.

A row is `what | on | bytes | source | origin | date`. `measured` is a real build of this project, done anew by `tools/measure.py`;
`table` is what someone else published. A row without a date is data only: it is never shown. Sizes are of files in an image,
not compressed; they change with versions and days, so that they say how large a thing is and not more.
"""

from __future__ import annotations

from functools import cache

from dfopt.bases import Base
from dfopt.startup import NamedTuple


class Figure(NamedTuple):
    """Bytes (None: not known), where they are from (`measured`, `table` or `unknown`), the source in words, and its ISO date.

    These are the last fields of `rule.Saving`: `Saving("the package lists", *sizes.lists("apt", base))`.
    """

    bytes: int | None = None
    source: str = "unknown"
    origin: str = ""
    date: str = ""


UNKNOWN = Figure()

_ROWS = """
lists apt | debian | 19854157 | measured | Debian bookworm | 2026-11-21
cache apt | debian | 76314587 | measured | Debian bookworm without docker-clean, curl installed | 2026-11-21
recommended apt python3-pip | debian | 375218678 | measured | Debian bookworm | 2026-11-21
recommended apt build-essential | debian | 76818304 | measured | Debian bookworm | 2026-11-21
recommended apt git | debian | 11842564 | measured | Debian bookworm | 2026-11-21
recommended apt curl | debian | 962594 | measured | Debian bookworm | 2026-11-21
"""


def lists(family: str, base: Base | None) -> Figure:
    """The package lists that one update leaves; `family` is that of the manager (`apt` for apt-get too)."""
    return _look("lists " + family, base)


def caches(family: str, base: Base | None) -> Figure:
    """What a manager keeps beside the packages as downloaded, where the image does not delete it by itself."""
    return _look("cache " + family, base)


def packages(family: str, base: Base | None, names: tuple[str, ...]) -> Figure:
    """What `names` bring into an image that has nothing of them, with all that they depend on and nothing that they recommend."""
    return _named("packages", family, base, names)


def recommended(family: str, base: Base | None, names: tuple[str, ...]) -> Figure:
    """What installing `names` brings in that they only recommend, with all that this depends on."""
    return _named("recommended", family, base, names)


def _named(what: str, family: str, base: Base | None, names: tuple[str, ...]) -> Figure:
    # What several packages bring overlaps, so their figures must not be added up.
    return _look(f"{what} {family} {names[0]}", base) if len(names) == 1 else UNKNOWN


def _look(what: str, base: Base | None) -> Figure:
    if base is None or base.distribution is None:
        return UNKNOWN
    return _table().get((what, "ubuntu" if base.ubuntu else base.distribution), UNKNOWN)


@cache
def _table() -> dict[tuple[str, str], Figure]:
    found = {}
    for row in _ROWS.strip().split("\n"):
        what, where, number, source, origin, date = row.split(" | ")
        found[what, where] = Figure(int(number), source, origin, date)
    return found
