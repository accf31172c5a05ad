"""A plan to edits and effects: the author's own lines stay or move with their comments, only FROM, COPY and set-up lines are new."""

from dfopt import rewrite
from dfopt.build import Build
from dfopt.rule import Copied, Effect, Keeps, Layers, Repeated, Setting, SetUp, SplitsStage
from dfopt.source import Edit, Span
from dfopt.synthesis import Kept, NewCopy, NewRun, NewSetting, Plan


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
    flags = "".join(f"{flag.text} " for flag in opening.flags)
    lines = ["", f"{case('FROM')} {flags}{plan.image}" + (f" {case('AS')} {name}" if name else "")]
    edits: list[Edit] = []
    steps = [index for index in stage.indexes if build.instructions[index].name in ("RUN", "COPY", "ADD")]
    last = steps[-1]
    for line in plan.lines:
        if isinstance(line, NewRun):
            joint = f" {build.syntax.escape}\n    && "
            lines += f"{case('RUN')} {joint.join(' '.join(words) for words in line.commands)}".split("\n")
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
    split = SplitsStage(plan.stage, plan.builder, plan.image, tuple(lines), tuple(changed))
    return (split, Keeps(plan.keeps, plan.stage), Layers(plan.stage, 0))
