"""Base images with the defaults of their arguments, and another image in place of one: in the FROM, or in the ARG that holds its tag."""

import re

from dfopt import bases, layers
from dfopt.build import Build, Stage, once
from dfopt.rule import ChangesArgument, ChangesBase, Effect, Keeps
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern

# A part of a FROM: text, or a variable without substitution.
_PART = pattern(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})|[^$]+")
_PLAIN_NUMBER = pattern(r"[0-9][0-9.]*")


class _Part(NamedTuple):
    """A part of an image reference: `text` as expanded; `start` is its place in the reference and `span` in the file; `argument` names
    the ARG whose default it is, and `default` is where that stands."""

    text: str
    start: int
    span: Span
    argument: str = ""
    default: Span | None = None


@once
def default_image(build: Build, stage: Stage) -> str | None:
    """The reference of a stage's base image, with the defaults of its ARGs; None where it stands on no image, or that is not known."""
    parts = _parts_of_base(build, stage)
    return "".join(part.text for part in parts) if parts is not None else None


def _parts_of_base(build: Build, stage: Stage) -> list[_Part] | None:
    instruction = build.instructions[stage.first]
    if stage.base.kind not in ("image", "unknown") or not instruction.words:
        return None
    word = instruction.words[0]
    if word.span.end - word.span.start != len(word.text):
        return None  # it goes over a line's end
    defaults = _defaults(build)
    found: list[_Part] = []
    at = length = 0
    while at < len(word.text):
        match = _PART.match(word.text, at)
        name = match and (match[1] or match[2] or "")
        if match is None or name is None or (name and name not in defaults):
            return None
        span = instruction.logical.span(word.start + at, word.start + match.end())
        text, default = defaults[name] if name else (match[0], None)
        found.append(_Part(text, length, span, name, default))
        length += len(text)
        at = match.end()
    text = "".join(part.text for part in found)
    if not text or set(text) & set("\"'\\ $") or text.lower() in {one.name for one in build.stages}:
        return None
    return found


@once
def _defaults(build: Build) -> dict[str, tuple[str, Span]]:
    """The plain defaults of the ARGs before the first FROM, with their places; none of those that are declared twice."""
    found: dict[str, tuple[str, Span]] = {}
    twice = set()
    for index, instruction in enumerate(build.instructions):
        if build.stage_of[index] is not None:
            break
        for key, value in instruction.pairs if instruction.name == "ARG" else ():
            if key.text in found:
                twice.add(key.text)
            if value is None:
                continue
            text, span = value.text, value.span
            if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
                text, span = text[1:-1], Span(span.start + 1, span.end - 1)
            if text and not set(text) & set("\"'\\ $"):
                found[key.text] = (text, span)
    return {name: value for name, value in found.items() if name not in twice}


def change_base(build: Build, stage: Stage, new: str) -> tuple[Edit, Effect] | str:
    """Put a stage on the image `new` in place of `default_image`, or why that is not done: in the FROM, or in the default of the ARG that
    holds what changes, where nobody else uses that."""
    parts = _parts_of_base(build, stage)
    if parts is None:
        return "the base image is not known"
    old = "".join(part.text for part in parts)
    first = _common(old, new)
    rest = min(_common(old[::-1], new[::-1]), len(old) - first, len(new) - first)
    last, text = len(old) - rest, new[first : len(new) - rest]
    before = stage.base.text
    for part in parts:
        end = part.start + len(part.text)
        if not part.argument and part.start <= first and last <= end:
            edit = Edit(Span(part.span.start + first - part.start, part.span.start + last - part.start), text)
            return edit, _changed_base(build, stage, edit, before)
        if part.argument and first == last == end and _PLAIN_NUMBER.fullmatch(part.text):
            # The ARG is a version, and stays one.
            edit = Edit(Span(part.span.end, part.span.end), text)
            return edit, _changed_base(build, stage, edit, before)
    for part in parts:
        end = part.start + len(part.text)
        if part.default is not None and part.start <= first and last <= end:
            if _is_used_elsewhere(build, stage, part.argument):
                return f"`{part.argument}` is used elsewhere too"
            at = part.default.start - part.start
            value = part.text[: first - part.start] + text + part.text[last - part.start :]
            mark = build.syntax.source.text[part.default.start - 1].strip("=")
            effect = ChangesArgument(part.argument, mark + part.text + mark, mark + value + mark)
            return Edit(Span(at + first, at + last), text), effect
    return "several variables hold what would change"


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))


def _changed_base(build: Build, stage: Stage, edit: Edit, before: str) -> ChangesBase:
    word = build.instructions[stage.first].words[0]
    at = edit.span.start - word.span.start
    return ChangesBase(stage.index, before, before[:at] + edit.text + before[at + edit.span.end - edit.span.start :])


def _is_used_elsewhere(build: Build, stage: Stage, name: str) -> bool:
    speaks = re.compile(rf"\$(?:{name}\b|\{{{name}\b)")
    declared = 0
    for index, instruction in enumerate(build.instructions):
        if index != stage.first and speaks.search(instruction.logical.text):
            return True
        declared += instruction.name == "ARG" and any(key.text == name for key, _ in instruction.pairs)
    return declared > 1


# Folders of the system in which an image's own files lie by themselves.
_OWN = ("/usr/src/", "/var/www/", "/srv/", "/opt/", "/home/")


def keeps(build: Build, stage: Stage) -> tuple[Keeps, ...]:
    """What another base must leave as it is, in the stage and in those that stand on it: all that they copy in."""
    return tuple(Keeps(_copied(build, one), one.index) for one in (stage, *build.children(stage)))


def _copied(build: Build, stage: Stage) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for index in stage.indexes:
        for one in (layers.laid(build, index) if build.instructions[index].name in ("COPY", "ADD") else None) or ():
            if one.kind == "file":
                found[one.path] = None
            elif one.path.split("/")[1] not in bases.SYSTEM_FOLDERS | {""} or f"{one.path}/".startswith(_OWN):
                found[one.path.rstrip("/") + "/**"] = None
    return tuple(found)
