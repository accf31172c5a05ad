"""The form for editors: an array of the Language Server Protocol's `PublishDiagnosticsParams`, positions in UTF-16."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from urllib.parse import quote

from dfopt.report import Outcome, Results, Run, documentation, effect, expressible, figure, refusal, sound
from dfopt.rule import Diagnostic
from dfopt.source import Source, Span
from dfopt.startup import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SEVERITY = {"error": 1, "warning": 2, "info": 3}


def render(results: Results, run: Run) -> Iterator[str]:
    """One JSON array with an entry for each file, those without findings too: they clear what an editor shows."""
    yield "["
    separator = "\n"
    for result in results:
        if isinstance(result, Outcome):
            yield separator + json.dumps(parameters(uri(result.path), result.report.source, result.report.diagnostics))
            separator = ",\n"
    yield "\n]\n"


def uri(path: str) -> str:
    """The `file:` address of a path; a name in angle brackets (standard input) becomes an `untitled:` one."""
    if path.startswith("<"):
        return "untitled:" + quote(path.strip("<>"))
    absolute = os.fsencode(os.path.abspath(path))
    if os.sep == "\\":
        absolute = b"/" + absolute.replace(b"\\", b"/")
    return "file://" + quote(absolute)


def parameters(address: str, source: Source, diagnostics: tuple[Diagnostic, ...]) -> dict[str, Any]:
    """The `PublishDiagnosticsParams` of one document."""
    lines = Lines(source.text)
    return {"uri": address, "diagnostics": [diagnostic(address, lines, item) for item in diagnostics]}


def diagnostic(address: str, lines: Lines, item: Diagnostic) -> dict[str, Any]:
    """One `Diagnostic`; its `data` holds the fix as `TextEdit`s."""
    fix = item.fix
    return {
        "range": lines.range(item.span),
        "severity": SEVERITY.get(item.severity, 3),
        "code": item.code,
        "codeDescription": {"href": documentation(item.name)},
        "source": "dfopt",
        "message": sound(item.message),
        "relatedInformation": [
            {"location": {"uri": address, "range": lines.range(related.span)}, "message": sound(related.message)}
            for related in item.related
        ],
        "data": {
            "name": item.name,
            "saves": sound(figure(item.saves)),
            "refusal": sound(refusal(item)),
            "fixes": [
                {
                    "title": sound(fix.title),
                    "safe": fix.safe,
                    "because": sound(fix.because),
                    "edits": [{"range": lines.range(edit.span), "newText": edit.text} for edit in fix.edits],
                    "effects": [effect(each) for each in fix.effects],
                }
            ]
            if fix is not None and expressible(fix)
            else [],
        },
    }


class Lines:
    """Positions as the protocol counts them: lines end at LF, CRLF and a lone CR; a byte order mark is not counted."""

    __slots__ = ("starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [int(text.startswith("\ufeff"))]
        at = 0
        if "\r" in text:
            for at, character in enumerate(text):
                if character == "\n" or (character == "\r" and text[at + 1 : at + 2] != "\n"):
                    self.starts.append(at + 1)
        else:
            at = text.find("\n")
            while at >= 0:
                self.starts.append(at + 1)
                at = text.find("\n", at + 1)

    def position(self, offset: int) -> dict[str, int]:
        """The `Position` of an offset."""
        offset = max(offset, self.starts[0])
        line = bisect_right(self.starts, offset) - 1
        before = self.text[self.starts[line] : offset]
        return {"line": line, "character": len(before) + sum(character > "\uffff" for character in before)}

    def range(self, span: Span) -> dict[str, dict[str, int]]:
        """The `Range` of a span."""
        return {"start": self.position(span.start), "end": self.position(span.end)}
