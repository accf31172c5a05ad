"""A plan to edits and effects: the author's own lines stay or move with their comments, only FROM, COPY and set-up lines are new."""

from dfopt import rewrite
from dfopt.build import Build
from dfopt.rule import Copied, Effect, Keeps, Layers, Repeated, Setting, SetUp, SplitsStage
from dfopt.source import Edit, Span
from dfopt.synthesis import Kept, NewCopy, NewRun, NewSetting, Plan

# What is new of the runtime stage. The author's own lines stand as they are; without this they would be all that is left.
_TEMPLATE = """\
[% if kind == "from" %]
[[ FROM ]] [% for flag in flags %][[ flag ]] [% endfor %][[ image ]][% if name %] [[ AS ]] [[ name ]][% endif %]
[% elif kind == "run" %]
[[ RUN ]] [% for command in commands %][% if not loop.first %] [[ escape ]]\n    && [% endif %][[ command ]][% endfor %]
[% elif kind == "copy" %]
[[ COPY ]] --from=[[ builder ]] [% if owner %]--chown=[[ owner ]] [% endif %][[ sources ]] [[ destination ]]
[% elif kind == "setting" %]
[[ keyword ]] [% if name %][[ name ]]=[% endif %][[ value ]]
[% endif %]"""


def edits_of(build: Build, plan: Plan) -> tuple[Edit, ...]:
    """The edits that make a plan true."""
    import jinja2

    environment = jinja2.Environment(
        block_start_string="[%", block_end_string="%]", variable_start_string="[[", variable_end_string="]]",
        comment_start_string="[#", comment_end_string="#]", trim_blocks=False, undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    template = environment.from_string(_TEMPLATE)
    source = build.syntax.source
    stage = build.stages[plan.stage]
    opening = build.instructions[stage.first]
    lower = opening.keyword.islower()

    def case(word: str) -> str:
        return word.lower() if lower else word

    def made(kind: str, **values: object) -> list[str]:
        text: str = template.render(kind=kind, escape=build.syntax.escape, **values)
        return [line.rstrip() for line in text.strip("\n").split("\n")]

    flags = [flag.text for flag in opening.flags]
    lines = [
        "",
        *made("from", FROM=case("FROM"), AS=case("AS"), flags=flags, image=plan.image, name=_written_name(build, plan)),
    ]
    edits: list[Edit] = []
    steps = [index for index in stage.indexes if build.instructions[index].name in ("RUN", "COPY", "ADD")]
    last = steps[-1]
    for line in plan.lines:
        if isinstance(line, NewRun):
            lines += made("run", RUN=case("RUN"), commands=[" ".join(words) for words in line.commands])
        elif isinstance(line, NewCopy):
            lines += made("copy", COPY=case("COPY"), builder=plan.builder, owner=line.owner, sources=" ".join(line.sources),
                          destination=line.destination)  # fmt: skip
        elif isinstance(line, NewSetting):
            lines += made("setting", keyword=case(line.keyword), name=line.name, value=line.value)
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
