"""What each step of a Dockerfile costs at a change, and the cheaper order, for people and for programs (docs/order.md)."""

from __future__ import annotations

from collections.abc import Iterator

from dfopt import costs, order, reorder
from dfopt.costs import Figure
from dfopt.order import Expected, Model
from dfopt.reorder import Change, Proposal
from dfopt.report import visible
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any


class Result(NamedTuple):
    """A proposal, and whether it was written."""

    proposal: Proposal
    written: bool


def text_of(results: list[Result]) -> str:
    """The report for people."""
    return "".join(visible(line) + "\n" for one in results for line in _lines(one))


def _lines(result: Result) -> Iterator[str]:
    proposal = result.proposal
    old, new = proposal.old, proposal.new
    yield proposal.path
    root = reorder.relative(proposal.root) if proposal.root is not None else None
    yield f"  how often files change: {_source(old)}" + (f"; build context `{root}`" if root is not None else "")
    yield from _table("as it is", old, set(old.build.reached()))
    yield _mean(old)
    causes = order.blamed(old)
    if causes:
        yield "  because of: " + ", ".join(f"{name} {share:.0%}" for name, share in causes)
    yield ""
    if proposal.changes:
        changed = {stage.index for stage in new.build.stages if _steps(old, stage.index) != _steps(new, stage.index)}
        yield from _table("as written" if result.written else "as proposed", new, changed)
        yield _mean(new) + _less(order.expected(old), order.expected(new))
        yield ""
        yield (
            "  what is moved, and why that is safe"
            if all(one.safe for one in proposal.changes)
            else "  what is moved, and why"
        )
        for change in proposal.changes:
            yield from _change(change)
    elif proposal.locked:
        yield f"  the order stays: {proposal.locked}"
    else:
        consent = " without your consent" if proposal.left else ""
        yield f"  nothing to gain{consent}: no cheaper order is shown to build the same image"
    if proposal.left:
        yield "  more with your consent (--unsafe)"
        for change in proposal.left:
            yield from _change(change)
    if proposal.stays:
        yield "  what stays"
        for text in proposal.stays:
            yield f"    {text}"
    for text in (*_parallel(new), *proposal.notes):
        yield f"  {text}"
    if any(figure.source == "typical" for figure in old.figures.values()):
        yield "  typical figures are of an undated document, no measurement of this build: --costs takes a log of one"
    yield ""


def _source(model: Model) -> str:
    changes = model.changes
    if changes.shares:
        return changes.source
    return f"{changes.source}: defaults by kind of file, {order.COMMITS_A_WEEK / 7:.1f} commits a day"


def _steps(model: Model, stage: int) -> list[str]:
    return [reorder.shown(model.build, index, 1000) for index in model.steps if model.build.stage_of[index] == stage]


def _table(title: str, model: Model, stages: set[int]) -> Iterator[str]:
    """The steps of some stages."""
    rest = "; the other stages stay" if len(stages) < len(model.build.reached()) else ""
    yield f"  {title}{rest}"
    source = model.build.syntax.source
    rows = [("line", "seconds", "source", "rebuilt", "")]
    for index in model.steps:
        if model.build.stage_of[index] not in stages:
            continue
        instruction = model.build.instructions[index]
        line = str(source.line_of(instruction.keyword_span.start))
        step = reorder.shown(model.build, index)
        if instruction.name == "FROM":
            rows.append((line, "", "", "", step))
        else:
            figure = model.figures[index]
            rows.append((line, _seconds(figure), _origin(figure), f"{model.chance(index):.0%}", step))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for line, seconds, origin, share, step in rows:
        cells = (line.rjust(widths[0]), seconds.rjust(widths[1]), origin.ljust(widths[2]), share.rjust(widths[3]), step)
        yield ("    " + "  ".join(cells)).rstrip()


def _seconds(figure: Figure) -> str:
    return "unknown" if figure.seconds is None else f"{figure.seconds:.1f}"


_WORDS = {"log": "build log", "record": "earlier builds", "typical": "typical, undated", "unknown": ""}


def _origin(figure: Figure) -> str:
    return f"measured {figure.date}" if figure.source == "measured" else _WORDS[figure.source]


def _mean(model: Model) -> str:
    expected = order.expected(model)
    a_day = model.changes.a_day
    unknown = f" and {expected.unknown:.2g} steps of unknown time" if expected.unknown >= 0.005 else ""
    daily = f"; {expected.seconds * a_day:.0f} s a day at {a_day:.1f} commits a day" if a_day else ""
    return f"  a commit rebuilds {expected.seconds:.1f} s{unknown} in the mean{daily}"


def _less(old: Expected, new: Expected) -> str:
    if old.seconds <= 0 or new.seconds >= old.seconds:
        return ""
    return f" ({1 - new.seconds / old.seconds:.0%} less)"


def _change(change: Change) -> Iterator[str]:
    parts = [f"{change.saves.seconds:.1f} s"] if change.saves.seconds >= 0.05 else []
    parts += [f"{change.saves.unknown:.2g} steps of unknown time"] if change.saves.unknown >= 0.005 else []
    saved = f" (saves {' and '.join(parts)} a commit)" if parts else ""
    code = f" [{change.code}]" if change.code else ""
    yield f"    {change.title}{code}{saved}"
    yield f"      {change.why}"


def _parallel(model: Model) -> Iterator[str]:
    found = order.parallel(model)
    build = model.build
    if found.apart:
        named = [" and ".join(costs.stage_label(build, build.stages[one]) for one in pair) for pair in found.apart[:4]]
        unknown = f", {found.unknown} steps of unknown time aside" if found.unknown else ""
        yield f"built at the same time: {'; '.join(named)}{'; ...' if len(found.apart) > 4 else ''}"
        stages = dict.fromkeys(
            costs.stage_label(build, build.stages[build.stage_of[index] or 0]) for index in found.path
        )
        yield (
            f"a full build: {found.whole:.0f} s of steps, {found.seconds:.0f} s along the longest way ({' -> '.join(stages)}){unknown}"
        )
    for index in sorted(build.reached()):
        for one, other in order.could_be_parallel(model, build.stages[index]):
            lines = [build.syntax.source.line_of(build.instructions[each].keyword_span.start) for each in (one, other)]
            yield f"the RUNs on lines {lines[0]} and {lines[1]} do not need each other: in stages of their own they are built at the same time"


def json_of(results: list[Result]) -> str:
    """The report for programs."""
    import json

    value = {"version": 1, "files": [_object(one) for one in results]}
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def _object(result: Result) -> dict[str, Any]:
    proposal = result.proposal
    return {
        "path": proposal.path,
        "context": proposal.root,
        "history": {
            "source": proposal.old.changes.source,
            "recorded": bool(proposal.old.changes.shares),
            "commits_a_day": proposal.old.changes.a_day,
        },
        "before": _state(proposal.old),
        "after": _state(proposal.new),
        "text": proposal.after.text if proposal.changes else None,
        "changes": [_changed(change) for change in proposal.changes],
        "left": [_changed(change) for change in proposal.left],
        "stays": list(proposal.stays),
        "notes": [*proposal.notes],
        "locked": proposal.locked or None,
        "written": result.written,
    }


def _changed(change: Change) -> dict[str, Any]:
    return {
        "title": change.title,
        "code": change.code or None,
        "why": change.why,
        "safe": change.safe,
        "saves": {"seconds_a_commit": change.saves.seconds, "unknown_steps_a_commit": change.saves.unknown},
    }


def _state(model: Model) -> dict[str, Any]:
    expected, parallel = order.expected(model), order.parallel(model)
    source = model.build.syntax.source
    steps = []
    for index in model.steps:
        instruction, figure = model.build.instructions[index], model.figures[index]
        steps.append(
            {
                "line": source.line_of(instruction.keyword_span.start),
                "stage": model.build.stage_of[index],
                "text": reorder.shown(model.build, index, 1000),
                "seconds": figure.seconds,
                "source": figure.source,
                "origin": figure.origin,
                "date": figure.date or None,
                "rebuilt": None if instruction.name == "FROM" else model.chance(index),
            }
        )
    a_day = model.changes.a_day
    return {
        "steps": steps,
        "seconds_a_commit": expected.seconds,
        "unknown_steps_a_commit": expected.unknown,
        "seconds_a_day": expected.seconds * a_day if a_day else None,
        "causes": [{"name": name, "share": share} for name, share in order.blamed(model)],
        "critical_path": {
            "seconds": parallel.seconds,
            "all": parallel.whole,
            "lines": [source.line_of(model.build.instructions[index].keyword_span.start) for index in parallel.path],
        },
        "independent_stages": [list(pair) for pair in parallel.apart],
    }
