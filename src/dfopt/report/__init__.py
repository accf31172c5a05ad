"""What a run came to, in the form that someone asked for: text, JSON, LSP, GitHub's annotations, SARIF.

Each module beside this one has `render(results, run)`, which gives the pieces of one form as the results come in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dfopt.engine import Fixed, Report
from dfopt.rule import Diagnostic, Effect, Fix, Saving
from dfopt.source import Position, Source
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

REPOSITORY = "https://github.com/dfopt/dfopt"
ISSUES = REPOSITORY + "/issues"


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


# Marks that make text read otherwise than it runs.
_TURNS = "\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def visible(text: str) -> str:
    """`text` safe to show, character for character: controls (a terminal obeys them) as their pictures, bytes that were
    not UTF-8 and marks that turn the text round as U+FFFD. Tabs stay."""
    return text if text.isprintable() else "".join(map(_picture, text))


def _picture(character: str) -> str:
    if character.isprintable() or character == "\t":
        return character
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    hidden = character <= "\x9f" or "\ud800" <= character <= "\udfff" or character in _TURNS
    return "\ufffd" if hidden else character


def sound(text: str) -> str:
    """`text` as Unicode that every reader takes: what was not UTF-8 becomes U+FFFD."""
    if text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


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


def figure(saves: Saving | None) -> str:
    """What is saved, in words; a figure in bytes only with its source and date."""
    if saves is None:
        return ""
    if not saves.is_known or saves.bytes is None:
        return saves.text
    source = "measured on" if saves.source == "measured" else "by"
    return f"{saves.text} (about {size(saves.bytes)}, {source} {saves.origin}, {saves.date})"


def size(number: int) -> str:
    """Bytes as people read them: two digits at least, decimal units."""
    amount, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if round(amount) < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 9.95 else f"{amount:.1f} {unit}"


class Sum(NamedTuple):
    """What several findings save: the bytes of the `known` ones, and how many `unknown` ones save bytes that nobody counted."""

    bytes: int
    known: int
    unknown: int


def total(savings: Iterable[Saving | None]) -> Sum:
    """The sum of what is known, which is no estimate of the rest."""
    found = [one for one in savings if one is not None and one.source]
    known = [one.bytes for one in found if one.is_known and one.bytes is not None]
    return Sum(sum(known), len(known), len(found) - len(known))


def saving(saves: Saving | None) -> Any:
    """A saving for JSON: bytes without source and date are none."""
    if saves is None:
        return None
    return clean(saves if saves.is_known else saves._replace(bytes=None, origin="", date=""))


def refusal(diagnostic: Diagnostic) -> str:
    """Why there is no fix, in a format that cannot carry one that is not UTF-8."""
    if diagnostic.fix is not None and not expressible(diagnostic.fix):
        return "the fix writes bytes that are not UTF-8 -> use `dfopt fix`"
    return diagnostic.refusal
