"""The order that `dfopt order` proposes: what rules move, then the cheapest order of each stage; every text is held to what was declared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from dfopt import context, costs, engine, history, order, rewrite
from dfopt.build import Build, Stage
from dfopt.context import Context
from dfopt.costs import Log
from dfopt.history import History
from dfopt.order import Expected, Model, Ordered
from dfopt.plan import Plan
from dfopt.rule import AddsCopy, Fix, Layers, Moves
from dfopt.source import Edit, Source
from dfopt.startup import NamedTuple
from dfopt.syntax import parse

# A proposal saves at least so many seconds a commit: less is not worth another order.
LEAST = 0.1

_WEIGHED = f", a RUN of unknown time taken for {costs.WEIGHT['RUN']:.0f} s"

# How many changes one after another are looked for.
_ROUNDS = 20


class Change(NamedTuple):
    """A change of the order: what is done, from which rule (its code, "" where commuting alone allows it), why it may be done, whether it is
    safe, and what a commit need not rebuild (nothing where another change of the list has it: the moves of a stage save together).
    `weight` is the same in seconds with steps of unknown time weighed, for deciding and not for people."""

    title: str
    code: str
    why: str
    safe: bool
    saves: Expected
    weight: float


class Proposal(NamedTuple):
    """A file as it is and as it is proposed. `left` are the changes that want consent and were not made; `stays` says of costly steps that
    are built anew often why they do not come earlier; `notes` what else is to be known; `locked` why the file is never rewritten."""

    path: str
    before: Source
    after: Source
    old: Model
    new: Model
    root: str | None
    changes: tuple[Change, ...]
    left: tuple[Change, ...]
    stays: tuple[str, ...]
    notes: tuple[str, ...]
    locked: str


class Refused(ValueError):
    """BuildKit would refuse the file."""


def propose(source: Source, plan: Plan, logs: Sequence[Log], unsafe: bool) -> Proposal:
    """The proposal for a file. With `unsafe` it has the changes too that want consent. Raises Refused."""
    build = _read(source, plan)
    if build.syntax.fatal or build.final is None:
        raise Refused("BuildKit refuses it -> `dfopt check` says why")
    place = context.of(build, plan.given)
    past = _history(plan, place)
    locked = engine.lock(build.syntax)
    old = model = order.model(build, past, logs, place)
    current, changes, notes = source, [], []
    left: list[Change] = []
    for _ in range(0 if locked else _ROUNDS):
        found = _by_rule(current, model, plan, past, logs, place, unsafe, left)
        if found is None:
            break
        current, model, change = found
        changes.append(change)
    for number in range(0 if locked else len(build.stages)):
        stage = model.build.stages[number]
        if stage.index not in model.build.reached():
            continue
        limits = order.constraints(model.build, stage)
        label = _label(model.build, stage)
        if limits is None:
            notes.append(f"{label} has more than {order.MOST_STEPS} steps: its order was not looked at")
            continue
        ordered = order.ordered(model, stage, limits)
        if not ordered.exact and ordered.gap >= LEAST:
            notes.append(
                f"{label} is too long for an exact answer: a better order saves {ordered.gap:.1f} s a commit more at most"
                + (_WEIGHED if order.expected(model).unknown else "")
            )
        moved = _moved(current, model, plan, past, logs, place, ordered)
        if isinstance(moved, str):
            notes.append(moved)
        elif moved is not None:
            current, model, made = moved
            changes += made
    if order.weighed(old) - order.weighed(model) < LEAST:
        current, model, changes = source, old, []
    left = [change for change in left if change.weight >= LEAST]
    return Proposal(
        source.name, source, current, old, model, place.root if place is not None else None, tuple(changes),
        tuple({change.title: change for change in left}.values()), tuple(_stays(model, left)), tuple(notes), locked,
    )  # fmt: skip


def _read(source: Source, plan: Plan) -> Build:
    return Build(parse(source), plan.given.contexts)


def _history(plan: Plan, place: Context | None) -> History:
    if place is not None:
        return history.of(place.root)
    if plan.given.place is None:
        return history.none("standard input has no history")
    return history.none("no folder holds all that the file copies, so that the build context is not known")


def _label(build: Build, stage: Stage) -> str:
    return f"stage `{stage.name}`" if stage.name else "the stage" if len(build.stages) == 1 else f"stage {stage.index}"


# --------------------------------------------------------------------------------------------------- what rules move


def _by_rule(
    current: Source, model: Model, plan: Plan, past: History, logs: Sequence[Log], place: Context | None, unsafe: bool,
    left: list[Change],
) -> tuple[Source, Model, Change] | None:  # fmt: skip
    """The first fix of a rule that does nothing but move, and makes a rebuild cheaper; what would, but wants consent, goes to `left`."""
    worth = order.weighed(model)
    left.clear()
    for diagnostic in engine.check(current, plan.rules, plan.given, plan.severities).diagnostics:
        fix = diagnostic.fix
        if fix is None or not any(isinstance(effect, Moves) for effect in fix.effects):
            continue
        if not all(isinstance(effect, Moves | AddsCopy | Layers) for effect in fix.effects):
            continue
        try:
            after = engine.apply_fix(current, fix, plan.given)
        except ValueError:
            continue
        new = order.model(_read(after, plan), past, logs, place)
        saves = worth - order.weighed(new)
        if saves < order.LEAST:
            continue
        line = current.line_of(diagnostic.span.start)
        change = Change(f"line {line}: {fix.title}", diagnostic.code, fix.because, fix.safe, _saved(model, new), saves)
        if fix.safe or unsafe:
            return after, new, change
        left.append(change)
    return None


# --------------------------------------------------------------------------------------------- what commuting allows


def _moved(
    current: Source,
    model: Model,
    plan: Plan,
    past: History,
    logs: Sequence[Log],
    place: Context | None,
    ordered: Ordered,
) -> tuple[Source, Model, list[Change]] | str | None:
    """The text with a stage in its cheapest order, and the moves; or why it was not made. None where nothing is to be moved."""
    build = model.build
    items = ordered.moved
    if not items:
        return None
    label = _label(build, ordered.stage)
    if any(item not in ordered.steps for item in items):
        return f"{label}: settings would have to move"
    spans = [build.instructions[item].span for item in items]
    if any(span.start <= problem.span.start < span.end for span in spans for problem in build.syntax.problems):
        return f"{label}: an instruction that would move goes on over an empty line and may have swallowed another"
    fix = Fix("order the steps", tuple(_edits(build, ordered, items)), True, "", tuple(_effects(ordered, items)))
    try:
        after = engine.apply_fix(current, fix, plan.given)
    except ValueError as error:
        return f"{label}: a cheaper order was not written: {error}"
    new = order.model(_read(after, plan), past, logs, place)
    saves = order.weighed(model) - order.weighed(new)
    if saves < order.LEAST:
        return None
    made = []
    for number, item in enumerate(items):
        behind = ordered.after[ordered.after.index(item) - 1]
        passed = [other for other in ordered.before if _passes(ordered, item, other)]
        why = dict.fromkeys(
            ordered.reasons.get((min(item, other), max(item, other)), "") for other in passed if other in ordered.steps
        )
        line = build.syntax.source.line_of(build.instructions[item].keyword_span.start)
        target = build.syntax.source.line_of(build.instructions[behind].keyword_span.start)
        title = f"line {line}: `{shown(build, item)}` goes behind line {target}"
        reason = "; ".join(filter(None, why)) or "nothing that it passes reads or writes files"
        saved = _saved(model, new) if number == 0 else Expected(0.0, 0.0)
        made.append(Change(title, "", reason, True, saved, saves if number == 0 else 0.0))
    return after, new, made


def _saved(old: Model, new: Model) -> Expected:
    before, after = order.expected(old), order.expected(new)
    return Expected(before.seconds - after.seconds, before.unknown - after.unknown)


def _passes(ordered: Ordered, item: int, other: int) -> bool:
    """Whether a step and another one have changed places."""
    place = {one: number for number, one in enumerate(ordered.after)}
    return other != item and (item < other) != (place[item] < place[other])


def _effects(ordered: Ordered, items: Sequence[int]) -> Iterator[Moves]:
    for item in items:
        yield Moves(item, ordered.after[ordered.after.index(item) - 1])


def _edits(build: Build, ordered: Ordered, items: Sequence[int]) -> Iterator[Edit]:
    """The moves as text, those together that go together."""
    groups: list[tuple[int, list[int]]] = []
    for item in items:
        behind = ordered.after[ordered.after.index(item) - 1]
        if groups and groups[-1][1][-1] == behind and item == behind + 1:
            groups[-1][1].append(item)
        elif groups and groups[-1][1][-1] == behind:
            groups.append((groups[-1][0], [item]))
        else:
            groups.append((behind, [item]))
    insertions: dict[int, list[Edit]] = {}
    for behind, group in groups:
        dropped, added = rewrite.move_behind(build, group[0], group[-1], behind)
        yield dropped
        insertions.setdefault(behind, []).append(added)
    for edits in insertions.values():
        yield Edit(edits[0].span, "".join(edit.text for edit in edits))


def shown(build: Build, index: int, width: int = 70) -> str:
    """An instruction on one line."""
    text = " ".join(build.instructions[index].logical.text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


# ----------------------------------------------------------------------------------------------------- what stays, why

_COSTLY = 5.0
_OFTEN = 0.2
_MOST = 4


def _stays(model: Model, left: Sequence[Change]) -> Iterator[str]:
    """For costly steps that are built anew often: what they stay behind, and why; of installs that `left` speaks of nothing."""
    spoken = {change.title.partition(":")[0] for change in left}
    build = model.build
    known: dict[int, order.Constraints | None] = {}
    dear = [
        (model.weight(index) * model.chance(index), index)
        for index in model.steps
        if build.instructions[index].name == "RUN" and model.weight(index) >= _COSTLY and model.chance(index) >= _OFTEN
    ]
    for _, index in sorted(dear, reverse=True)[:_MOST]:
        stage = build.stage(index)
        assert stage is not None, "a step of a stage"
        if stage.index not in known:
            known[stage.index] = order.constraints(build, stage)
        limits = known[stage.index]
        if limits is None:
            continue
        earlier = [
            (model.changes.chance(model.own[other]), -other)
            for other in stage.indexes
            if other < index
            and (other, index) in limits.ties
            and build.instructions[other].name in ("COPY", "ADD", "RUN")
        ]
        chance, place = max(earlier, default=(0.0, 0))
        line = build.syntax.source.line_of(build.instructions[index].keyword_span.start)
        label = f"line {line} `{shown(build, index, 50)}`"
        if chance >= _OFTEN:
            target = build.syntax.source.line_of(build.instructions[-place].keyword_span.start)
            run = build.run(index)
            if f"line {target}" in spoken and any(
                use.action == "install" for use in (run.uses if run is not None else ())
            ):
                continue
            yield f"{label} stays behind line {target} `{shown(build, -place, 50)}`: {limits.ties[-place, index]}"
        elif model.changes.chance(model.own[index]) >= _OFTEN:
            touching = [
                cause.name for cause in model.changes.causes if cause.mask & model.own[index] and cause.chance == 1
            ]
            what = (
                f"reads `{touching[0]}`, which stands above it and has another value in each build" if touching else ""
            )
            yield f"{label} {what or 'takes files that change as often'}"
        elif model.changes.chance(model.base[stage.index]) >= _OFTEN:
            yield f"{label} stands on a stage that changes as often"


def relative(root: str) -> str:
    """A folder as people name it from where they are."""
    return os.path.relpath(root)
