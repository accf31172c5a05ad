"""The rules that there are: their pages' heads read from the folder, their modules imported when a file needs them."""

from typing import Iterable

from dfopt.rule import Info, Rule


def infos() -> tuple[Info, ...]:
    """The heads of all pages, in order of code. Raises ValueError, naming the file and line, for a page whose head is wrong."""


def page(name: str) -> str:
    """The text of the page of the rule with this code or name. Raises KeyError where there is none."""


def rules(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules to run: those on by default, or those selected (`DF101`, a name, a prefix `DF1`, `ALL`), without those ignored.

    A more specific entry wins over a less specific one. Raises KeyError with the unknown entry's text and `nearest` name for an unknown entry.
    The returned rules import their module at the first call of `check`.
    """
