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


def packages(family: str, base: Base | None, names: tuple[str, ...], kept: tuple[str, ...] = ()) -> Figure:
    """What `names` bring into a slim image, with all that they depend on and nothing that they recommend, beside what `kept` brings.

    Names are as the command has them (`curl=7.*`). One that is not in the table, among `kept` too, makes the figure unknown.
    """
    if not kept and len(names) == 1 and (found := _look(f"packages {family} {names[0]}", base)).bytes:
        return found if base is not None and base.slim else UNKNOWN
    wanted, there = _groups(family, base, names), _groups(family, base, kept)
    return UNKNOWN if wanted is None or there is None else _of_index(wanted[0] - there[0])


def recommended(
    family: str, base: Base | None, names: tuple[str, ...], lean: tuple[str, ...] = (), rich: tuple[str, ...] = ()
) -> Figure:
    """What installing `names` brings into a slim image that they only recommend, with all that this depends on.

    `lean` was installed before without recommendations, `rich` with them: what these brought is not counted again.
    """
    if not lean and not rich and len(names) == 1 and (found := _look(f"recommended {family} {names[0]}", base)).bytes:
        return found if base is not None and base.slim else UNKNOWN
    wanted, bare, full = (_groups(family, base, some) for some in (names, lean, rich))
    if wanted is None or bare is None or full is None:
        return UNKNOWN
    return _of_index(wanted[1] - wanted[0] - bare[0] - full[0] - full[1])


def _of_index(groups: frozenset[int]) -> Figure:
    from dfopt import debian

    kib = sum(debian.KIB[group] for group in groups)
    return Figure(kib * 1024, "table", "the package index of Debian bookworm", debian.DATE) if kib else UNKNOWN


def _groups(family: str, base: Base | None, names: tuple[str, ...]) -> tuple[frozenset[int], frozenset[int]] | None:
    """The groups of packages that all of `names` need, and those that come with their recommendations; None where one is unknown."""
    if family != "apt" or base is None or base.distribution != "debian" or base.ubuntu or not base.slim:
        return None
    from dfopt import debian

    needed: set[int] = set()
    more: set[int] = set()
    for name in names:
        start = debian.INSTALLS.find(f"\n{name.partition('=')[0]} | ")
        if start < 0:
            return None
        _, lean, extra = debian.INSTALLS[start + 1 : debian.INSTALLS.index("\n", start + 1)].split(" |")
        needed.update(_numbers(lean))
        more.update(_numbers(extra))
    return frozenset(needed), frozenset(more)


def _numbers(text: str) -> list[int]:
    """`1 4-6` as 1, 4, 5, 6."""
    found: list[int] = []
    for part in text.split():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


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
