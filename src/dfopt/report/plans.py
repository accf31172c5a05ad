"""Plans for builder and runtime stages, and for large components, for people and for programs (docs/cli.md)."""

from dfopt import unwanted
from dfopt.build import Build, Stage
from dfopt.relocation import Part, Relocation, Way
from dfopt.startup import TYPE_CHECKING, NamedTuple
from dfopt.synthesis import Kept, Plan, Question

if TYPE_CHECKING:
    from typing import Any


class Planned(NamedTuple):
    """A file, what `plan_of` said of its last stage, and the plans for the large components of its stages."""

    path: str
    build: Build
    plan: Plan | str | None
    relocations: tuple[Relocation, ...] = ()


def text_of(planned: list[Planned]) -> str:
    """The plans for people."""
    return "\n".join("".join(line + "\n" for line in _lines(one)) for one in planned)


def _lines(one: Planned) -> list[str]:
    lines = _split(one) if one.plan is not None or not one.relocations else []
    for relocation in one.relocations:
        lines += _relocated(one, relocation)
    return lines


def _split(one: Planned) -> list[str]:
    plan = one.plan
    if plan is None:
        return [f"{one.path}: nothing to plan: the last stage ships no tool chain that dfopt plans for"]
    if isinstance(plan, str):
        return [f"{one.path}: no plan: {plan}"]
    build = one.build
    line = build.syntax.source.line_of(build.instructions[plan.built.instruction].span.start)
    lines = [
        f"{one.path}: {plan.language}: `{plan.built.text}` on line {line}",
        f"  builder   `{plan.builder}` (the stage as it is)",
    ]
    lines += [f"  ended by  {' '.join(words)}" for words in plan.finish.commands]
    lines.append(f"  runtime   {plan.image}{f' AS {plan.name}' if plan.name else ''}: {plan.why}")
    for mark, texts in (
        ("carried", [f"{artefact.to or artefact.path}{'/' if artefact.kind == 'folder' else ''}: {artefact.why}" for artefact in plan.artefacts]),
        ("packages", [" ".join(plan.packages)] if plan.packages else []),
        ("set up", list(plan.users)),
        ("moved", _shown(build, plan, True)),
        ("repeated", _shown(build, plan, False)),
        ("not set", [f"{name} (only the build reads it)" for name in plan.build_only]
         + [f"{name}={value} (of the builder's image)" for name, value in plan.lost]),
        ("note", list(plan.notes)),
    ):  # fmt: skip
        lines += [f"  {mark if at == 0 else '':<9} {text}" for at, text in enumerate(texts)]
    return lines + (_asked(one, plan.questions) if plan.questions else ["  `dfopt fix --unsafe` applies it"])


def _asked(one: Planned, questions: tuple[Question, ...]) -> list[str]:
    lines = ["  questions, to be answered in dfopt.toml (in pyproject.toml below tool.dfopt):"]
    lines.append(f'    [answers."{_pattern(one.path)}"]')
    for question in questions:
        lines += [f"    # {question.words}", f"    {question.id} = {_example(question)}"]
    return lines


def _relocated(one: Planned, relocation: Relocation) -> list[str]:
    stage = one.build.stages[relocation.stage]
    lines = [f"{one.path}: large components of the {_stage_of(one.build, stage)}"]
    for part, ways in relocation.parts:
        where = f" at `{part.path}`" if part.path is not None else ", it is not known where"
        amount = f"{unwanted.amount(part.size)} of {part.kind}" if part.size else f"{part.kind} of unknown size"
        lines.append(f"  line {_line(one.build, part):<4} {amount}{where}: `{part.text}`")
        for way in ways:
            texts = [*way.changes, *way.outside, *_not_written(way)]
            lines += [f"    {way.name if at == 0 else '':<9} {text}" for at, text in enumerate(texts)]
    if relocation.question is not None:
        return lines + _asked(one, (relocation.question,))
    if any(way.fix is not None for _, ways in relocation.parts for way in ways):
        lines.append("  `dfopt fix --unsafe --select model-in-image` writes what it can")
    return lines


def _not_written(way: Way) -> list[str]:
    return [f"not written by dfopt: {way.refusal}"] if way.refusal else []


def _stage_of(build: Build, stage: Stage) -> str:
    return "last stage" if stage is build.final else f"stage `{stage.name or stage.index}`"


def _line(build: Build, part: Part) -> int:
    return build.syntax.source.line_of(build.instructions[part.instruction].keyword_span.start)


def _pattern(path: str) -> str:
    """The pattern under which a configuration beside the file would name it."""
    return path.replace("\\", "/").rpartition("/")[2]


def _example(question: Question) -> str:
    import json

    plain = [choice for choice in question.choices if not choice.isupper()]
    return json.dumps(plain[0] if plain else "...", ensure_ascii=False)


def _shown(build: Build, plan: Plan, moves: bool) -> list[str]:
    found = []
    for line in plan.lines:
        if isinstance(line, Kept) and line.moves is moves:
            instruction = build.instructions[line.instruction]
            text = " ".join(instruction.logical.text.split())
            found.append(text if len(text) < 100 else text[:97] + "...")
    return found


def json_of(planned: list[Planned]) -> str:
    """The plans for programs: an array with an object for each file."""
    import json

    return json.dumps([_object(one) for one in planned], indent=2, ensure_ascii=False) + "\n"


def _object(one: Planned) -> "dict[str, Any]":
    plan = one.plan
    components = [_relocation(one.build, relocation) for relocation in one.relocations]
    if not isinstance(plan, Plan):
        return {"path": one.path, "plan": None, "refusal": plan or "", "components": components}
    return {
        "path": one.path,
        "refusal": "",
        "components": components,
        "plan": {
            "language": plan.language,
            "built": {
                "line": one.build.syntax.source.line_of(one.build.instructions[plan.built.instruction].span.start),
                "command": plan.built.text,
            },
            "builder": plan.builder,
            "runtime": {"image": plan.image, "name": plan.name, "why": plan.why},
            "artefacts": [
                {
                    "path": artefact.path,
                    "to": artefact.to or artefact.path,
                    "kind": artefact.kind or None,
                    "why": artefact.why,
                }
                for artefact in plan.artefacts
            ],
            "packages": list(plan.packages),
            "ended_by": [" ".join(words) for words in plan.finish.commands],
            "set_up": list(plan.users),
            "moved": _shown(one.build, plan, True),
            "repeated": _shown(one.build, plan, False),
            "not_set": [*plan.build_only, *(name for name, _ in plan.lost)],
            "keeps": list(plan.keeps),
            "notes": list(plan.notes),
            "questions": [_question(question) for question in plan.questions],
        },
    }


def _question(question: Question) -> "dict[str, Any]":
    return {"id": question.id, "text": question.words, "choices": list(question.choices)}


def _relocation(build: Build, relocation: Relocation) -> "dict[str, Any]":
    return {
        "stage": build.stages[relocation.stage].name or relocation.stage,
        "parts": [
            {
                "line": _line(build, part),
                "text": part.text,
                "kind": part.kind,
                "path": part.path,
                "bytes": part.size or None,
                "ways": [
                    {
                        "name": way.name,
                        "changes": list(way.changes),
                        "outside": list(way.outside),
                        "refusal": way.refusal,
                        "fixable": way.fix is not None,
                    }
                    for way in ways
                ],
            }
            for part, ways in relocation.parts
        ],
        "questions": [] if relocation.question is None else [_question(relocation.question)],
    }
