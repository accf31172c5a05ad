"""A plan to edits and effects: the author's own lines stay or move with their comments, only FROM, COPY and set-up lines are new."""

from dfopt import layers, rewrite
from dfopt.build import Build
from dfopt.rule import (
    Adds,
    AddsCommand,
    Changes,
    Copied,
    Effect,
    Keeps,
    Layers,
    Removes,
    Repeated,
    Setting,
    SetUp,
    SplitsStage,
)
from dfopt.source import Edit, Span
from dfopt.synthesis import Kept, NewCopy, NewRun, NewSetting, Plan, last_step


def edits_of(build: Build, plan: Plan) -> tuple[Edit, ...]:
    """The edits that make a plan true. The new lines are of four kinds and so plain text: a fix is made while a file is checked, and a
    template engine takes longer to be imported than that."""
    source = build.syntax.source
    stage = build.stages[plan.stage]
    opening = build.instructions[stage.first]
    lower = opening.keyword.islower()

    def case(word: str) -> str:
        return word.lower() if lower else word

    name = _written_name(build, plan)
    # A stage on another one has that one's platform, whatever its own FROM says.
    bottom = build.instructions[build.chain(stage)[-1].first]
    flags = "".join(f"{flag.text} " for flag in bottom.flags)
    ending = _ending(build, plan)
    lines: list[str] = []
    if plan.finish.commands and ending is None:
        lines = _joined(case("RUN"), plan.finish.commands, build.syntax.escape)
    lines += ["", f"{case('FROM')} {flags}{plan.image}" + (f" {case('AS')} {name}" if name else "")]
    edits: list[Edit] = [ending] if ending is not None else []
    last = last_step(build, stage)
    for line in plan.lines:
        if isinstance(line, NewRun):
            lines += _joined(case("RUN"), line.commands, build.syntax.escape)
        elif isinstance(line, NewCopy):
            owner = f"--chown={line.owner} " if line.owner else ""
            lines.append(f"{case('COPY')} --from={plan.builder} {owner}{' '.join(line.sources)} {line.destination}")
        elif isinstance(line, NewSetting):
            lines.append(f"{case(line.keyword)} {f'{line.name}=' if line.name else ''}{line.value}")
        elif line.instruction < last:
            span = build.instructions[line.instruction].span
            start = rewrite.block_start(build, line.instruction) if line.moves else span.start
            lines += (
                source.text[start : span.end].removesuffix("\n").removesuffix("\r").replace("\r\n", "\n").split("\n")
            )
            if line.moves:
                edits += rewrite.drop_instruction(build, line.instruction).edits
    if stage.name_span is not None:
        edits.append(Edit(stage.name_span, plan.builder))
    else:
        end = opening.words[0].span.end
        edits.append(Edit(Span(end, end), f" {case('AS')} {plan.builder}"))
    edits.append(rewrite.insert_lines(build, build.instructions[last].span.end, lines))
    return tuple(sorted(edits))


def _joined(keyword: str, commands: tuple[tuple[str, ...], ...], escape: str) -> list[str]:
    """The lines of a RUN of some commands."""
    joint = f" {escape}\n    && "
    return f"{keyword} {joint.join(' '.join(words) for words in commands)}".split("\n")


def _ending(build: Build, plan: Plan) -> Edit | None:
    """The commands that end the builder, joined to its last RUN; None where they are no part of it."""
    stage = build.stages[plan.stage]
    last = last_step(build, stage)
    run = build.run(last)
    follows = build.syntax.source.text[build.instructions[last].text_span.end :].strip() != ""
    if not plan.finish.commands or run is None or layers.moves(run) or not follows or build.instructions[last].flags:
        return None
    added = [rewrite.Added(" ".join(words)) for words in plan.finish.commands]
    return rewrite.append_commands(build, last, added, rewrite.joint(build, last))


def _written_name(build: Build, plan: Plan) -> str:
    """The stage's name as the author wrote it."""
    span = build.stages[plan.stage].name_span
    return build.syntax.source.text[span.start : span.end] if span is not None else ""


def effects_of(build: Build, plan: Plan) -> tuple[Effect, ...]:
    """What a plan declares."""
    lines: list[Repeated | SetUp | Copied | Setting] = []
    for line in plan.lines:
        if isinstance(line, Kept):
            lines.append(Repeated(line.instruction, line.moves))
        elif isinstance(line, NewRun):
            lines.append(SetUp(line.commands))
        elif isinstance(line, NewCopy):
            lines.append(Copied(line.sources, line.destination, line.owner))
        else:
            lines.append(Setting(line.keyword, line.name, line.value))
    own = dict(plan.changed)
    changed: list[tuple[str, str | None, str | None]] = []
    changed += ((f"Env.{name}", value, None) for name, value in plan.lost if f"Env.{name}" not in own)
    changed += ((key, None, value or None) for key, value in plan.changed)
    ending = _ending(build, plan)
    last = last_step(build, build.stages[plan.stage])
    joined = tuple(
        AddsCommand(last, None, rewrite.joint(build, last), words)
        for words in plan.finish.commands
        if ending is not None
    )
    split = SplitsStage(
        plan.stage,
        plan.builder,
        plan.image,
        tuple(lines),
        tuple(changed),
        plan.finish.commands if ending is None else (),
    )
    finished = (
        Removes(plan.finish.removes, plan.stage),
        Changes(plan.finish.changes, plan.stage),
        Adds(plan.beside, plan.stage),
    )
    return (
        *joined,
        split,
        *(one for one in finished if one.paths),
        Keeps(plan.keeps, plan.stage),
        Layers(plan.stage, 0),
    )
