"""The form for code scanning: SARIF 2.1.0 with the fixes, columns in Unicode code points."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from urllib.parse import quote

from dfopt.report import REPOSITORY, Failure, Outcome, Results, Run, documentation, expressible, figure, place, sound
from dfopt.rule import Diagnostic, Info
from dfopt.source import Source, Span
from dfopt.startup import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVEL = {"error": "error", "warning": "warning", "info": "note"}


def render(results: Results, run: Run) -> Iterator[str]:
    """One SARIF log of one run; results are written as they come, the tool's rules (those that fired) behind them."""
    yield f'{{"$schema": {json.dumps(SCHEMA)}, "version": "2.1.0", '
    yield '"runs": [{"columnKind": "unicodeCodePoints", "results": ['
    rules: dict[str, tuple[int, Diagnostic]] = {}
    failures: list[Failure] = []
    separator = "\n"
    for result in results:
        if not isinstance(result, Outcome):
            failures.append(result)
            continue
        for item in result.report.diagnostics:
            index, _ = rules.setdefault(item.code, (len(rules), item))
            yield separator + json.dumps(one(address(result.path), result.report.source, item, index))
            separator = ",\n"
    yield f'\n], "tool": {json.dumps({"driver": driver(run, [item for _, item in rules.values()])})}, '
    yield f'"invocations": [{json.dumps(invocation(failures))}]}}]}}\n'


def driver(run: Run, fired: list[Diagnostic]) -> dict[str, Any]:
    """The tool, with the rules that fired."""
    from dfopt import catalogue

    infos = {info.code: info for info in catalogue.infos()}
    return {
        "name": "dfopt",
        "version": run.version,
        "semanticVersion": run.version,
        "informationUri": REPOSITORY,
        "rules": [descriptor(item, infos.get(item.code)) for item in fired],
    }


def descriptor(item: Diagnostic, info: Info | None) -> dict[str, Any]:
    """What SARIF wants to know of a rule; one that has no page is described by its name."""
    severity = info.severity if info is not None else item.severity
    return {
        "id": item.code,
        "name": item.name,
        "shortDescription": {"text": info.summary if info is not None and info.summary else item.name},
        "helpUri": documentation(item.name),
        "defaultConfiguration": {"level": LEVEL.get(severity, "none"), "enabled": info is None or info.default},
    }


def one(uri: str, source: Source, item: Diagnostic, index: int) -> dict[str, Any]:
    """One `result`."""
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": index,
        "level": LEVEL.get(item.severity, "note"),
        "message": {"text": sound(item.message)},
        "locations": [location(uri, source, item.span)],
    }
    if item.related:
        result["relatedLocations"] = [
            {"id": number, **location(uri, source, related.span), "message": {"text": sound(related.message)}}
            for number, related in enumerate(item.related, 1)
        ]
    if item.fix is not None and expressible(item.fix):
        fix = item.fix
        result["fixes"] = [
            {
                "description": {"text": sound(fix.title)},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": uri},
                        "replacements": [
                            {"deletedRegion": region(source, edit.span), "insertedContent": {"text": edit.text}}
                            for edit in fix.edits
                        ],
                    }
                ],
            }
        ]
        result["properties"] = {"safe": fix.safe, "because": sound(fix.because)}
    if item.saves is not None:
        result.setdefault("properties", {})["saves"] = sound(figure(item.saves))
    return result


def location(uri: str, source: Source, span: Span) -> dict[str, Any]:
    """Where a span lies."""
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region(source, span)}}


def region(source: Source, span: Span) -> dict[str, int]:
    """A region in lines and columns; `endColumn` is the column behind the last character, as SARIF counts."""
    start, end = place(source, span.start), place(source, span.end)
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def address(path: str) -> str:
    """A relative path as a relative address, an absolute one as a `file:` address."""
    data = os.fsencode(path)
    if os.sep == "\\":
        data = data.replace(b"\\", b"/")
    if os.path.isabs(path):
        return "file://" + ("" if data.startswith(b"/") else "/") + quote(data)
    return quote(data)


def invocation(failures: list[Failure]) -> dict[str, Any]:
    """How the run went."""
    return {
        "executionSuccessful": not failures,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": sound(failure.message)},
                **(
                    {"locations": [{"physicalLocation": {"artifactLocation": {"uri": address(failure.path)}}}]}
                    if failure.path
                    else {}
                ),
            }
            for failure in failures
        ],
    }
