"""BuildKit's word splitting and `${...}` expansion, in all forms."""

import re
from typing import Mapping, NamedTuple

# White space as Go's unicode.IsSpace has it; Python's `\s` also takes U+001C to U+001F, Go does not.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def _word_pattern(escape: str) -> re.Pattern[str]:
    # An unclosed quote runs to the end; a lone escape token at the very end belongs to no word.
    return re.compile(
        rf"""(?:[^{_SPACE}'"{escape}]+|{escape}.|'[^']*'?|"(?:[^"{escape}]+|{escape}.)*"?)+""", re.DOTALL
    )


_WORDS = {"\\": _word_pattern(r"\\"), "`": _word_pattern("`")}
_NOT_BLANK = re.compile(r"[^\t\v\f\r ]+")


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
    """The words of ENV, LABEL and ARG, split as BuildKit does: quotes and the escape token respected, both kept.

    BuildKit drops an escape token that is the last character of the text; so it lies in no piece.
    (`parseWords` in BuildKit's frontend/dockerfile/parser/line_parsers.go)
    """
    return [Piece(match[0], match.start(), match.end()) for match in _WORDS[escape].finditer(text)]


def split_blank(text: str) -> list[Piece]:
    r"""The words of COPY, ADD, VOLUME, FROM and EXPOSE: split on runs of `[\t\v\f\r ]`, no quotes."""
    return [Piece(match[0], match.start(), match.end()) for match in _NOT_BLANK.finditer(text)]


def expand(text: str, variables: Mapping[str, str | None], escape: str) -> Expansion:
    """Expand one word as BuildKit's `ProcessWord` does (quotes removed). A name that maps to None is set but not known."""


def expand_words(text: str, variables: Mapping[str, str | None], escape: str) -> tuple[list[str] | None, Expansion]:
    """As BuildKit's `ProcessWords`: expand, then split at blanks that are not quoted (used by EXPOSE and others)."""
