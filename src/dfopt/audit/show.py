"""An audit as text and as a page for people, as JSON for programs and as SARIF for code scanning."""

import json
from typing import Any

import dfopt
from dfopt.audit import KINDS, Audit, Row, Waste, folder_of, top
from dfopt.report import documentation, visible
from dfopt.unwanted import amount

# The text names the largest wastes, and none below so many bytes but secrets; the other forms have all.
_LINES, _WORTH_A_LINE = 15, 10_000


def told(waste: Waste) -> str:
    """What a waste is, in one line."""
    text = f"{amount(waste.size)} of {KINDS[waste.kind]}"
    if waste.kind == "duplicates":
        return f"{text}: {', '.join(path for path, _ in waste.paths[:3])}"
    where = folder_of(waste.paths) if len(waste.paths) > 3 else ""
    return f"{text}: {f'{len(waste.paths)} below {where}, ' if where else ''}{top(waste.paths, 2 if where else 3)}"


def text(audit: Audit, limits: list[str]) -> str:
    """The report for people."""
    lines = [
        f"{visible(audit.name)}: {amount(audit.size)} in {len(audit.layers)} layers, {amount(audit.shown)} of them in its file system",
        f"efficiency {audit.efficiency:.4f}, {amount(audit.wasted)} wasted, {audit.user_wasted:.4f} of what lies above the base layer (as dive counts)",
        "",
    ]
    rows = [("layer", "size", "hidden later", "made by")]
    rows += [
        (str(row.number + 1), amount(row.size), amount(row.hidden) if row.hidden else "", _made_by(row))
        for row in audit.layers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines += [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths)), visible(row[3])]).rstrip() for row in rows
    ]
    secrets = [waste for waste in audit.wastes if waste.kind == "secrets"]
    large = [waste for waste in audit.wastes if waste.size >= _WORTH_A_LINE and waste not in secrets]
    shown = [*secrets, *large[:_LINES]]
    if shown:
        lines += ["", "what it carries for nothing, or so it seems:"]
    for waste in shown:
        lines.append(f"  {visible(told(waste))}")
        lines.append(f"    layer {waste.layer + 1}{_hidden_by(waste)}{f' -> {waste.rule}' if waste.rule else ''}")
    if len(large) > _LINES:
        rest = sum(waste.size for waste in large[_LINES:])
        lines.append(f"  and {len(large) - _LINES} more of together {amount(rest)} (--format json has all)")
    if audit.notes:
        lines += ["", *audit.notes]
    if limits:
        lines += ["", "beyond the limits:", *(f"  {limit}" for limit in limits)]
    return "\n".join(lines) + "\n"


def _made_by(row: Row) -> str:
    text = row.instruction or "not known"
    text = text if len(text) <= 90 else text[:89] + "…"
    return f"{text} (line {row.line})" if row.line else text


def _hidden_by(waste: Waste) -> str:
    return f", hidden by layer {waste.by + 1}" if waste.by is not None else ""


def data(audit: Audit, limits: list[str]) -> str:
    """The report for programs: `version` 1 of its shape (docs/cli.md)."""
    shaped: dict[str, Any] = {
        "version": 1,
        "name": audit.name,
        "size": audit.size,
        "shown": audit.shown,
        "efficiency": audit.efficiency,
        "wasted": audit.wasted,
        "userWasted": audit.user_wasted,
        "layers": [{**row._asdict(), "line": row.line or None} for row in audit.layers],
        "wastes": [
            {
                "kind": one.kind,
                "message": told(one),
                "size": one.size,
                "layer": one.layer,
                "by": one.by,
                "rule": one.rule or None,
                "paths": [{"path": path, "size": size} for path, size in one.paths],
            }
            for one in audit.wastes
        ],
        "notes": list(audit.notes),
        "limits": limits,
    }
    return json.dumps(shaped, indent=2) + "\n"


def sarif(audit: Audit, limits: list[str], dockerfile: str) -> str:
    """SARIF 2.1.0: a result for each waste, at the line of the Dockerfile where that is known, else at the image's name."""
    rules = sorted({one.rule or one.kind.replace(" ", "-") for one in audit.wastes} | ({"limit"} if limits else set()))
    lines = {row.number: row.line for row in audit.layers}
    results = [
        _result(
            one.rule or one.kind.replace(" ", "-"),
            told(one),
            "error" if one.kind == "secrets" else "warning",
            lines[one.layer],
            dockerfile or audit.name,
        )
        for one in audit.wastes
    ]
    results += [_result("limit", limit, "error", 0, dockerfile or audit.name) for limit in limits]
    known = [{"id": rule, **({"helpUri": documentation(rule)} if "-" in rule else {})} for rule in rules]
    driver = {"name": "dfopt audit", "version": dfopt.__version__, "rules": known}
    shaped = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(shaped, indent=2) + "\n"


def _result(rule: str, message: str, level: str, line: int, where: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": where.replace(" ", "%20")}}
    if line:
        place["region"] = {"startLine": line}
    return {"ruleId": rule, "level": level, "message": {"text": message}, "locations": [{"physicalLocation": place}]}


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>[[ audit.name ]]: audit</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #ddd; vertical-align: top; }
.number { text-align: right; white-space: nowrap; }
.bar { display: flex; height: 1.4rem; min-width: 2px; }
.kept { background: #4a7fb5; } .hidden { background: #d0603f; }
.layers td:last-child { width: 45%; }
code { font-size: .9em; overflow-wrap: anywhere; }
summary { cursor: pointer; }
</style>
<h1>[[ audit.name ]]</h1>
<p>[[ amount(audit.size) ]] in [[ audit.layers | length ]] layers, [[ amount(audit.shown) ]] of them in its file system.
Efficiency [[ "%.4f" | format(audit.efficiency) ]], [[ amount(audit.wasted) ]] wasted, [[ "%.4f" | format(audit.user_wasted) ]] of what lies above the base layer (as dive counts).</p>
<% for limit in limits %><p><strong>Beyond the limits:</strong> [[ limit ]]</p>
<% endfor %><h2>Layers</h2>
<p><span class="kept">&emsp;</span> shown, <span class="hidden">&emsp;</span> hidden by a later layer</p>
<table class="layers">
<tr><th>layer</th><th>size</th><th>made by</th><th></th></tr>
<% for row in audit.layers %><tr><td class="number">[[ row.number + 1 ]]</td><td class="number">[[ amount(row.size) ]]</td>
<td><code>[[ row.instruction or "not known" ]]</code><% if row.line %> (line [[ row.line ]])<% endif %></td>
<td><div class="bar"><div class="kept" style="width: [[ "%.2f" | format(100 * (row.size - row.hidden) / largest) ]]%"></div><div class="hidden" style="width: [[ "%.2f" | format(100 * row.hidden / largest) ]]%"></div></div></td></tr>
<% endfor %></table>
<h2>What it carries for nothing, or so it seems</h2>
<table>
<tr><th>size</th><th>what</th><th>layer</th><th>cured by</th></tr>
<% for one in audit.wastes %><tr><td class="number">[[ amount(one.size) ]]</td>
<td><details><summary>[[ kinds[one.kind] ]] ([[ one.paths | length ]])</summary><ul><% for path, size in one.paths[:50] %><li><code>[[ path ]]</code> [[ amount(size) ]]</li><% endfor %></ul></details></td>
<td class="number">[[ one.layer + 1 ]]<% if one.by is not none %>, hidden by [[ one.by + 1 ]]<% endif %></td>
<td><% if one.rule %><a href="[[ documentation(one.rule) ]]">[[ one.rule ]]</a><% endif %></td></tr>
<% endfor %></table>
<% for note in audit.notes %><p>[[ note ]]</p>
<% endfor %></html>
"""


def page(audit: Audit, limits: list[str]) -> str:
    """A page by itself, with the layers as a picture; nothing is loaded from elsewhere."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        block_start_string="<%", block_end_string="%>", variable_start_string="[[", variable_end_string="]]",
        comment_start_string="<#", comment_end_string="#>", undefined=StrictUndefined, autoescape=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    largest = max((row.size for row in audit.layers), default=0) or 1
    return environment.from_string(_PAGE).render(
        audit=audit, limits=limits, kinds=KINDS, amount=amount, documentation=documentation, largest=largest
    )
