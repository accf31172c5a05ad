"""What a run came to, in the form that someone asked for: text, JSON, LSP, GitHub's annotations, SARIF.

Each module beside this one has `render(results, run)`, which gives the pieces of one form as the results come in.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dfopt.engine import Fixed, Report
from dfopt.rule import Diagnostic, Effect, Fix
from dfopt.source import Position, Source

REPOSITORY = "https://github.com/dfopt/dfopt"
ISSUES = REPOSITORY + "/issues"
FORMATS = ("text", "json", "lsp", "github", "sarif")


class Outcome(NamedTuple):
    """What came of one file. `report` speaks of the new text where `fixed` is given; `written` is whether that text is
    now in the file."""

    path: str
    report: Report
    fixed: Fixed | None = None
    written: bool = False

    @property
    def changed(self) -> bool:
        """Whether the new text differs from what was read."""
        return self.fixed is not None and self.fixed.before.text != self.fixed.source.text


class Failure(NamedTuple):
    """A file that could not be done; `fault` is whether dfopt is to blame. `path` is empty where no one file is meant."""

    path: str
    message: str
    fault: bool = False


class Run(NamedTuple):
    """What all forms want to know of the run: `command` is `check` or `fix`, `diff` whether nothing is written."""

    command: str
    version: str
    diff: bool = False
    unsafe: bool = False
    quiet: bool = False
    color: bool = False


Results = Iterable[Outcome | Failure]


def documentation(name: str) -> str:
    """The address of the page of the rule `name`."""
    return f"{REPOSITORY}/blob/main/rules/{name}.md"


def place(source: Source, offset: int) -> Position:
    """Line and column, both from 1, as editors count them: a byte order mark is no column."""
    position = source.position(offset)
    if position.line == 1 and position.column > 1 and source.text.startswith("\ufeff"):
        return Position(1, position.column - 1)
    return position


# Controls (a terminal obeys them), bytes that were not UTF-8, and marks that make text read otherwise than it runs.
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]").search
_UNSEEN_EACH = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]").sub


def visible(text: str) -> str:
    """`text` safe to show, character for character: controls as their pictures, what cannot be shown as U+FFFD."""
    return _UNSEEN_EACH(_picture, text) if _UNSEEN(text) else text


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 9:
        return "\t"
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def sound(text: str) -> str:
    """`text` as Unicode that every reader takes: what was not UTF-8 becomes U+FFFD."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


def expressible(fix: Fix | None) -> bool:
    """Whether a Unicode format can carry the fix: an edit that writes bytes which are not UTF-8 cannot be."""
    return fix is not None and all(sound(edit.text) == edit.text for edit in fix.edits)


def effect(value: Effect) -> dict[str, Any]:
    """An effect as a dictionary: its name under `kind`, then its fields."""
    fields: Mapping[str, Any] = value._asdict()
    return {"kind": type(value).__name__, **{key: clean(field) for key, field in fields.items()}}


def clean(value: Any) -> Any:
    """A value for JSON: sound text, lists for tuples, dictionaries for named tuples."""
    if isinstance(value, str):
        return sound(value)
    if hasattr(value, "_asdict"):
        return {key: clean(item) for key, item in value._asdict().items()}
    if isinstance(value, (tuple, list)):
        return [clean(item) for item in value]
    return value


def figure(saves: Any) -> str:
    """What is saved, in words; a figure in bytes only with its source."""
    if not saves:
        return ""
    text: str = saves.text
    if saves.bytes is not None and saves.source:
        amount, unit = float(saves.bytes), "B"
        for unit in ("B", "kB", "MB", "GB"):
            if amount < 1000 or unit == "GB":
                break
            amount /= 1000
        text += (
            f" ({amount:.0f} {unit}, {saves.source})"
            if unit == "B" or amount >= 10
            else f" ({amount:.1f} {unit}, {saves.source})"
        )
    return text


def refusal(diagnostic: Diagnostic) -> str:
    """Why there is no fix, in a format that cannot carry one that is not UTF-8."""
    if diagnostic.fix is not None and not expressible(diagnostic.fix):
        return "the fix writes bytes that are not UTF-8 -> use `dfopt fix`"
    return diagnostic.refusal
