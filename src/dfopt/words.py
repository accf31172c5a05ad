"""BuildKit's word splitting and `${...}` expansion, in all forms."""

from typing import Mapping, NamedTuple


class Piece(NamedTuple):
    """A word as written and its place `[start, end)` in the text that was split."""

    text: str
    start: int
    end: int


class Expansion(NamedTuple):
    """What a word expands to.

    `value` is None where it cannot be known: it needs a variable whose value is unknown (mapped to None), or BuildKit refuses it
    (`error` says why, else None). `used` names every variable that was looked at, in order, once each; `unset` those of them that had no value at all.
    """

    value: str | None
    used: tuple[str, ...]
    unset: tuple[str, ...]
    error: str | None


def split(text: str, escape: str) -> list[Piece]:
    """The words of ENV, LABEL and ARG, split as BuildKit does: quotes and the escape token respected, both kept."""


def split_blank(text: str) -> list[Piece]:
    r"""The words of COPY, ADD, VOLUME, FROM and EXPOSE: split on runs of `[\t\v\f\r ]`, no quotes."""


def expand(text: str, variables: Mapping[str, str | None], escape: str) -> Expansion:
    """Expand one word as BuildKit's `ProcessWord` does (quotes removed). A name that maps to None is set but not known."""


def expand_words(text: str, variables: Mapping[str, str | None], escape: str) -> tuple[list[str] | None, Expansion]:
    """As BuildKit's `ProcessWords`: expand, then split at blanks that are not quoted (used by EXPOSE and others)."""
