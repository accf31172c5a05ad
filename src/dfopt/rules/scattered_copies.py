"""Several COPYs from other stages into an image: laid out in an assembly stage, one COPY brings them in one layer."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, layers, rewrite
from dfopt.build import Build, Stage
from dfopt.rule import Assembles, Changes, Finding, Fix, Given, Layers, Saving
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple

_FLAGS = frozenset(("from", "chown", "chmod"))


# A name that ends like a file's: `app.jar`, `.env.local`; not `conf.d`, `python3.12`, `.venv`.
_FILE = re.compile(r"[^.]\.(?!d\b)[A-Za-z][A-Za-z0-9]{0,9}$")


class _Piece(NamedTuple):
    """A COPY that can be part of an assembly: `destination` is absolute, with a trailing `/` where it is a folder that
    takes the sources; `folder` is what must lie in the assembly's root."""

    instruction: int
    sources: tuple[str, ...]
    destination: str
    folder: str
    owner: str


def check(build: Build, given: Given) -> Iterator[Finding]:
    if given.assembly == "off":
        return
    for stage in build.stages:
        if not build.is_shipped(stage) or _is_assembly(build, stage):
            continue
        before = 0
        for group in _groups(build, stage):
            root = posixpath.commonpath([piece.folder for piece in group])
            doubt = _doubt(build, stage, group, root)
            if root == "/" or (doubt and _is_system(root) and given.assembly != "always"):
                continue
            yield _finding(build, stage, group, root, doubt, before)
            before += 1


def _is_assembly(build: Build, stage: Stage) -> bool:
    """Whether a stage is there only for others to copy from, as an assembly is; a `FROM $BASE` may name it, but hardly does."""
    names = {build.instructions[index].name for index in stage.indexes[1:]}
    return stage.base.kind == "scratch" and names == {"COPY"} and bool(build.users(stage))


def _groups(build: Build, stage: Stage) -> Iterator[list[_Piece]]:
    """Two or more COPYs of one owner that follow each other directly."""
    group: list[_Piece] = []
    for index in stage.indexes:
        piece = _piece(build, stage, index)
        if group and (piece is None or piece.owner != group[0].owner):
            if len(group) > 1:
                yield group
            group = []
        if piece is not None:
            group.append(piece)
    if len(group) > 1:
        yield group


def _piece(build: Build, stage: Stage, index: int) -> _Piece | None:
    instruction = build.instructions[index]
    if instruction.name != "COPY" or instruction.json or instruction.heredocs:
        return None
    names = [flag.name for flag in instruction.flags]
    copy = build.copy(index)
    if not set(names) <= _FLAGS or len(set(names)) < len(names) or copy is None or copy.origin is None:
        return None
    if copy.origin.kind not in ("stage", "image", "context") or copy.sources is None or copy.destination is None:
        return None
    # An assembly stage has neither the variables nor the platform of the stage that its files come from.
    if any("$" in argument for argument in (*instruction.arguments, *(flag.text for flag in instruction.flags))):
        return None
    if stage.platform is not None and copy.origin.kind != "stage":
        return None
    destination = copy.destination
    if destination == "/":
        return None
    if len(copy.sources) == 1 and not destination.endswith("/"):
        folder = posixpath.dirname(destination)
    else:
        folder = destination.rstrip("/")
    return _Piece(index, tuple(instruction.arguments[:-1]), destination, folder, copy.flags.get("chown", ""))


def _is_system(path: str) -> bool:
    return path.split("/")[1] in bases.SYSTEM_FOLDERS


def _doubt(build: Build, stage: Stage, group: list[_Piece], root: str) -> str:
    """Why the image might not be the same, "" where it is shown to be.

    COPY gives folders below its destination the source's mode and owner; so nothing may lie below the root before.
    """
    below = root + "/*"
    names: list[str] = []
    for piece in group:
        if piece.folder == piece.destination.rstrip("/"):
            for source in piece.sources:
                name = posixpath.basename(source.rstrip("/"))
                if not _FILE.search(name):
                    return f"`{source}` may be a folder, whose contents may meet those of another COPY"
                names.append(posixpath.join(piece.folder, name))
        else:
            names.append(piece.destination)
    for number, name in enumerate(names):
        for other in names[:number]:
            if layers.overlaps(name, other):
                return f"`{name}` and `{other}` lie in each other"
    chain = build.chain(stage)
    bottom = chain[-1]
    if bottom.base.kind != "scratch":
        folders = bases.folders_of(bottom.base.text, bottom.facts)
        if folders is None:
            return f"it is not known what the base image `{bottom.base.text}` holds below `{root}`"
        top = root.split("/")[1]
        if top in bases.SYSTEM_FOLDERS or top in folders:
            return f"the base image may hold something below `{root}`"
    for one in chain:
        for index in one.indexes:
            if one is stage and index >= group[0].instruction:
                break
            instruction = build.instructions[index]
            if instruction.name == "ONBUILD" and one is not stage:
                return f"the ONBUILD on line {build.syntax.source.line_of(instruction.keyword_span.start)} runs before"
            if instruction.name == "WORKDIR":
                path = build.states[index + 1] if index + 1 < len(build.states) else None
                workdir = path.workdir if path is not None and index < one.last else build.after(one).workdir
                if workdir is None or (
                    workdir != root and layers.overlaps(workdir, below) and workdir.startswith(root + "/")
                ):
                    return f"`WORKDIR` makes `{workdir or 'a folder that is not known'}` before"
                continue
            veto = layers.touches(build, index, (below,))
            if veto is not None:
                return veto.why
    return ""


def _finding(build: Build, stage: Stage, group: list[_Piece], root: str, doubt: str, before: int) -> Finding:
    source = build.syntax.source
    first, last = build.instructions[group[0].instruction], build.instructions[group[-1].instruction]
    span = first.text_span
    origins = dict.fromkeys(
        flag.value for piece in group for flag in build.instructions[piece.instruction].flags if flag.name == "from"
    )
    named = ", ".join(f"`{origin}`" for origin in origins)
    lines = f"lines {source.line_of(first.keyword_span.start)} to {source.line_of(last.keyword_span.start)}"
    message = (
        f"{len(group)} COPYs from {named} ({lines}) fill `{root}` layer by layer"
        " -> lay the files out in an assembly stage and copy them at once"
    )
    saves = Saving(
        f"{len(group) - 1} layer{'s' if len(group) > 2 else ''}; one layer is cached as a whole, so a change in one source copies all of them again",
        source="",
    )
    name = _fresh(build, stage, group[0].instruction, before)
    if name is None or _is_counted(build, stage):
        return Finding(
            span, message, None, saves, (), "a stage before this one would move stages that are named by number"
        )
    fix = Fix(
        f"copy `{root}` at once from a stage `{name}`",
        _edits(build, stage, group, root, name),
        not doubt,
        f"to agree: {doubt}" if doubt else f"nothing lies below `{root}` before, so modes and owners come out the same",
        (
            Assembles(tuple(piece.instruction for piece in group), name, root),
            Layers(stage.index, 1 - len(group)),
            *((Changes((root + "/**",), stage.index),) if doubt else ()),
        ),
    )
    return Finding(span, message, fix, saves)


def _fresh(build: Build, stage: Stage, index: int, before: int) -> str | None:
    """The name of the assembly stage for the COPYs at instruction `index`, with `before` others to be assembled above them.

    It speaks of the stage that it is for, unless that is the last, and is numbered by place, so that it does not depend on which
    assembly is made first.
    """
    stem = "assembly" if stage is build.final or not stage.name else f"assembly-{stage.name}"
    names = [stem, *(f"{stem}-{number}" for number in range(2, 100))]
    taken = build.names()
    made = {one.index: one.name for one in build.stages if one.name in names and _is_assembly(build, one)}
    copied = {reference.stage for at in range(stage.first, index) for reference in build.references_of(at)}
    usable = [name for name in names if name not in taken or name in made.values()]
    above = before + len(copied & made.keys())
    return next((name for name in usable[above:] if name not in taken), None)


def _is_counted(build: Build, stage: Stage) -> bool:
    """Whether a reference names this stage, or a later one, by its number."""
    return any(reference.text.isdigit() and (reference.stage or 0) >= stage.index for reference in build.references)


def _edits(build: Build, stage: Stage, group: list[_Piece], root: str, name: str) -> tuple[Edit, ...]:
    source = build.syntax.source
    opening = build.instructions[stage.first]
    lower = opening.keyword.islower()
    keyword = build.instructions[group[0].instruction].keyword
    lines = ["from scratch as " + name if lower else "FROM scratch AS " + name]
    previous = build.instructions[group[0].instruction].span.end
    for piece in group:
        instruction = build.instructions[piece.instruction]
        # The comments above the first COPY stay where they are, the others go with their COPY.
        if instruction.span.start > previous:
            lines += [
                line.strip() for line in source.text[previous : instruction.span.start].split("\n") if line.strip()
            ]
        lines += rewrite.inner_comments(build, piece.instruction)
        flags = [flag.text for flag in instruction.flags if flag.name != "chown"]
        lines.append(" ".join([instruction.keyword, *flags, *piece.sources, piece.destination]))
        previous = instruction.span.end
    top = rewrite.block_start(build, stage.first)
    if not source.text[:top].strip() or re.search(r"\n[ \t]*\r?\n[ \t]*\Z", source.text[:top]):
        # Stages are set apart as the author sets them apart.
        lines.append("")
    owner = [f"--chown={group[0].owner}"] if group[0].owner else []
    merged = " ".join([keyword, f"--from={name}", *owner, root, root])
    start = build.instructions[group[0].instruction].keyword_span.start
    end = build.instructions[group[-1].instruction].text_span.end
    return (
        rewrite.insert_lines(build, top, lines),
        Edit(Span(start, end), merged),
    )
