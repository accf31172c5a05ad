"""check() and fix() to a fixed point: parse, find, take fixes, apply, read again and compare; no input or output, names no rule."""

from typing import Iterable, Mapping, NamedTuple

from dfopt.rule import Diagnostic, Effect, Given, Rule
from dfopt.source import Source, Span


class Report(NamedTuple):
    """What was found in a text, in order of place. `refused` is whether BuildKit would refuse the file."""

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    refused: bool


class Applied(NamedTuple):
    """A fix that was made. `line` is the line, from 1, of the finding in the text of that round; `round` counts from 1."""

    code: str
    name: str
    title: str
    because: str
    saves: str
    safe: bool
    line: int
    round: int
    effects: tuple[Effect, ...]


class Fault(NamedTuple):
    """A fix that broke its promise and was undone, or rules that never come to rest: a fault of dfopt, exit code 3."""

    codes: tuple[str, ...]
    message: str


class Fixed(NamedTuple):
    """The text before and after, what was made, and the report on the new text."""

    before: Source
    report: Report
    applied: tuple[Applied, ...]
    faults: tuple[Fault, ...]

    @property
    def source(self) -> Source:
        """The new text; the old one where nothing was fixed."""
        return self.report.source


def check(source: Source, rules: Iterable[Rule], given: Given = Given(), severities: Mapping[str, str] = {}) -> Report:
    """All findings of `rules` in `source`, in order of place, without those that a comment suppresses. `severities` maps codes to severities."""


def fix(
    source: Source, rules: Iterable[Rule], given: Given = Given(), severities: Mapping[str, str] = {}, unsafe: bool = False
) -> Fixed:
    """Make the safe fixes (with `unsafe` all) of `rules` until nothing changes. Where BuildKit refuses the file nothing is changed."""
