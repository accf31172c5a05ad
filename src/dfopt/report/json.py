"""The form for programs: all that is known, in a documented shape with a version (docs/cli.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from dfopt.report import Outcome, Results, Run, clean, effect, expressible, place, refusal, saving, sound, total
from dfopt.rule import Diagnostic, Fix, Saving
from dfopt.source import Source, Span
from dfopt.startup import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

VERSION = 1  # goes up when something is taken away or changes its meaning, not when something is added


def render(results: Results, run: Run) -> Iterator[str]:
    """One JSON object; files are written as they come."""
    head = json.dumps({"version": VERSION, "dfopt": run.version, "command": run.command})
    yield f'{head[:-1]}, "files": ['
    errors: list[dict[str, Any]] = []
    offered: list[Saving | None] = []
    made: list[Saving | None] = []
    counts = dict.fromkeys(("files", "findings", "error", "warning", "info", "fixable", "unsafe", "fixed", "errors"), 0)
    separator = "\n"
    for result in results:
        if not isinstance(result, Outcome):
            errors.append({"path": sound(result.path), "message": sound(result.message), "fault": result.fault})
            continue
        yield separator + json.dumps(file(result))
        separator = ",\n"
        counts["files"] += 1
        for diagnostic in result.report.diagnostics:
            counts["findings"] += 1
            counts[diagnostic.severity] = counts.get(diagnostic.severity, 0) + 1
            if diagnostic.fix is not None:
                counts["fixable" if diagnostic.fix.safe else "unsafe"] += 1
        offered += [diagnostic.saves for diagnostic in result.report.diagnostics]
        if result.fixed is not None and result.changed:
            counts["fixed"] += len(result.fixed.applied)
            made += [applied.saves for applied in result.fixed.applied]
    counts["errors"] = len(errors)
    summary = {**counts, "saves": clean(total(offered)), "saved": clean(total(made))}
    yield f'\n], "errors": {json.dumps(errors)}, "summary": {json.dumps(summary)}}}\n'


def file(outcome: Outcome) -> dict[str, Any]:
    """One file's part."""
    fixed = outcome.fixed
    return {
        "path": sound(outcome.path),
        "refused": outcome.report.refused,
        "changed": outcome.changed,
        "written": outcome.written,
        "locked": sound(outcome.report.locked) or None,
        "diagnostics": [diagnostic(outcome.report.source, item) for item in outcome.report.diagnostics],
        "applied": [
            {
                **clean(item._replace(effects=())),
                "saves": saving(item.saves),
                "effects": [effect(each) for each in item.effects],
            }
            for item in (fixed.applied if fixed is not None and outcome.changed else ())
        ],
        "faults": [clean(item) for item in (fixed.faults if fixed is not None else ())],
    }


def diagnostic(source: Source, item: Diagnostic) -> dict[str, Any]:
    """One finding with everything."""
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity,
        "message": sound(item.message),
        **span(source, item.span),
        "fix": fix(source, item.fix) if item.fix is not None and expressible(item.fix) else None,
        "saves": saving(item.saves),
        "related": [{**span(source, related.span), "message": sound(related.message)} for related in item.related],
        "refusal": sound(refusal(item)) or None,
    }


def fix(source: Source, item: Fix) -> dict[str, Any]:
    """A fix with its edits and what it declares to change."""
    return {
        "title": sound(item.title),
        "safe": item.safe,
        "because": sound(item.because),
        "edits": [{**span(source, edit.span), "text": edit.text} for edit in item.edits],
        "effects": [effect(each) for each in item.effects],
    }


def span(source: Source, item: Span) -> dict[str, Any]:
    """Offsets in characters from 0 (a byte order mark counts) and lines and columns from 1 (it does not)."""
    start, end = place(source, item.start), place(source, item.end)
    return {
        "span": {"start": item.start, "end": item.end},
        "start": {"line": start.line, "column": start.column},
        "end": {"line": end.line, "column": end.column},
    }
