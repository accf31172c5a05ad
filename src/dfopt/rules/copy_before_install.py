"""The whole source is copied before the dependencies are installed, so that every change of a file installs them anew."""

import posixpath
from collections.abc import Iterator

from dfopt import layers, rewrite
from dfopt.build import Build, Copy, Stage
from dfopt.packages import Use
from dfopt.rule import AddsCopy, Finding, Fix, Given, Layers, Moves, Related, Saving
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple

# Manifest and lock files that an install of nothing but dependencies reads, below its working directory. A pattern that
# matches nothing is no error for COPY, so files that may be missing are written as one.
_MANIFESTS = {
    "npm": ("package*.json", ".npmrc*"),
    "yarn": ("package.json", "yarn.lock*", ".yarnrc*"),
    "pnpm": ("package.json", "pnpm-lock.yaml*", "pnpm-workspace.yaml*", ".npmrc*"),
    "bun": ("package.json", "bun.lock*", "bunfig.toml*"),
    "pipenv": ("Pipfile", "Pipfile.lock*"),
    "poetry": ("pyproject.toml", "poetry.lock*", "poetry.toml*"),
    "uv": ("pyproject.toml", "uv.lock*"),
    "bundler": ("Gemfile", "Gemfile.lock*"),
    "composer": ("composer.json", "composer.lock*", "symfony.lock*"),
    "go": ("go.mod", "go.sum*"),
}  # fmt: skip

# Options without which an install reads the project's own sources too.
_WITHOUT_PROJECT = {
    "poetry": (("--no-root",), ("--only-root",)),
    "uv": (("--no-install-project",), ()),
    "composer": (("--no-autoloader", "--no-scripts"), ()),
}


class _Install(NamedTuple):
    """An install and the context files it reads, relative to its working directory or absolute in the image."""

    instruction: int
    use: Use
    files: tuple[str, ...]


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        copies: list[int] = []
        for index in stage.indexes:
            name = build.instructions[index].name
            if name in ("COPY", "ADD") and _is_wide(build, index):
                copies.append(index)
            elif name == "RUN" and copies:
                found = _finding(build, stage, copies, index)
                if found is not None:
                    yield found


def _is_wide(build: Build, index: int) -> bool:
    """Whether a COPY takes a folder of the build context."""
    copy = build.copy(index)
    if copy is None or copy.origin is not None or copy.sources is None or copy.destination is None:
        return False
    return len(copy.sources) == 1 and _may_be_folder(copy.sources[0]) and not build.instructions[index].heredocs


def _may_be_folder(source: str) -> bool:
    if "://" in source or source.startswith("git@") or set(source) & set("*?["):
        return False
    name = posixpath.basename(source.rstrip("/"))
    return name in ("", ".", "..") or source.endswith("/") or "." not in name


def _finding(build: Build, stage: Stage, copies: list[int], index: int) -> Finding | None:
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return None
    workdir = build.state(index).workdir
    installs: list[Use] = []
    for _, _, use in run.commands:
        if use is not None and use.reads_project and use.action in ("install", "download"):
            installs.append(use)
    if not installs or workdir is None:
        return None
    # The copy whose destination holds the folder that the install works in.
    copied = next((number for number in reversed(copies) if _relative(build.copy(number), workdir) is not None), None)
    if copied is None:
        return None
    copy, instruction = build.copy(copied), build.instructions[copied]
    assert copy is not None, "only a COPY or ADD is held"
    use = installs[0]
    name = f"{use.manager.name} {use.verb}".strip()
    span = instruction.text_span
    message = (
        f"`{instruction.name} {' '.join(instruction.arguments)}` comes before `{name}`: every changed file installs all dependencies anew"
        f" -> copy the manifests, install, then copy the rest"
    )
    place = run.span(use.command.start, use.command.end)
    related = (Related(place, f"`{name}` runs again after every change"),)
    saves = Saving(f"`{name}` in every rebuild that changes no manifest")
    fix, refusal = _split(build, stage, copied, copy, index, installs, workdir)
    return Finding(span, message, fix, saves, related, refusal)


def _relative(copy: Copy | None, path: str) -> str | None:
    """Where `path` lies below a COPY's destination folder; None where it does not."""
    if copy is None or copy.destination is None:
        return None
    destination = copy.destination.rstrip("/") or "/"
    if path == destination:
        return ""
    head = destination.rstrip("/") + "/"
    return path[len(head) :] if path.startswith(head) else None


def _split(
    build: Build, stage: Stage, copied: int, copy: Copy, index: int, installs: list[Use], workdir: str
) -> tuple[Fix | None, str]:
    run = build.run(index)
    assert run is not None, "the install stands in a RUN"
    assert copy.destination is not None and copy.sources is not None, "a wide COPY is known"
    if set(copy.flags) & {"parents", "exclude"}:
        return None, "its flags decide which files come where"
    if any(set(text) & set(" \t\"'\\$[]*?") for text in (*copy.sources, copy.destination, workdir)):
        return None, "its paths hold characters that have a meaning"
    inside = ((copy.destination.rstrip("/") or "") + "/*",)
    files: list[str] = []
    for command in run.commands:
        simple, nesting, use = command
        label = command.label
        place = build.syntax.source.line_of(run.span(simple.start, simple.end).start)
        if command.name in ("cd", "pushd", "popd"):
            return None, f"`{label}` on line {place} changes the folder"
        if use is not None and use in installs:
            read = _reads(use, workdir)
            if isinstance(read, str):
                return None, f"{read} on line {place}"
            if use.uncertain or use.directories or nesting:
                return None, f"it is not known what `{label}` reads on line {place}"
            files += [file for file in read if file not in files]
        elif use is not None and use.reads_project:
            return (
                None,
                f"`{label} {use.verb}` on line {place} needs the sources: give it a RUN of its own behind the COPY",
            )
        elif use is None and (why := layers.touches_here(command, build.state(index), inside)):
            return None, f"{why} on line {place}"
    for between in range(copied + 1, index):
        if build.instructions[between].name in ("ENV", "ARG", "WORKDIR", "USER", "LABEL", "EXPOSE", "SHELL"):
            continue
        veto = layers.touches(build, between, inside)
        if veto is not None:
            return None, veto.why
    written = build.instructions[copied].arguments[-1]
    if build.absolute(written, index) != build.absolute(written, copied):
        return None, f"behind the WORKDIR that follows, `{written}` is another folder"
    groups: dict[str, list[str]] = {}
    for file in files:
        path = posixpath.normpath(posixpath.join(workdir, file))
        below = _relative(copy, path)
        if below is None:
            return None, f"`{path}` is not brought by this COPY"
        source = posixpath.join(copy.sources[0], below)
        source = source.removeprefix("./") if copy.sources[0] in (".", "./", "/") else source
        groups.setdefault(posixpath.dirname(path), []).append(source.lstrip("/") if copy.sources[0] == "/" else source)
    edits, effects = _edits(build, copied, index, groups)
    if edits is None:
        return None, "comments stand where the COPY would be cut"
    return Fix(
        "copy the manifests first, the rest behind the install",
        edits,
        False,
        "to agree: the install reads nothing but these files, and .dockerignore keeps what it writes out of the later COPY",
        (*effects, Moves(copied, index), Layers(stage.index, len(effects))),
    ), ""


def _reads(use: Use, workdir: str) -> tuple[str, ...] | str:
    """The files that an install reads, or why it needs more than manifests."""
    manager = use.manager.name
    label = f"`{manager} {use.verb}`"
    if manager == "pip" or (manager == "uv" and use.verb.startswith("pip")):
        if use.operands and any((word.value or ".").startswith((".", "/")) for word in use.operands):
            return f"{label} installs the project itself"
        found = []
        for word in use.manifests:
            value = word.value
            if value is None or not value.endswith((".txt", ".in", ".pip", ".lock")) or value.startswith(("-", "http")):
                return f"{label} reads `{word.text}`, which is more than a list of requirements"
            found.append(value)
        return tuple(found)
    needed, refused = _WITHOUT_PROJECT.get(manager, ((), ()))
    if any(not use.has(flag) for flag in needed) or any(use.has(flag) for flag in refused):
        return f"{label} without `{' '.join(needed)}` reads the sources of the project too"
    if manager == "go" and use.action != "download":
        return f"{label} builds the sources"
    files = _MANIFESTS.get(manager)
    if files is None:
        return f"{label} reads files all over the project"
    return files


def _edits(
    build: Build, copied: int, index: int, groups: dict[str, list[str]]
) -> tuple[tuple[Edit, ...] | None, tuple[AddsCopy, ...]]:
    source = build.syntax.source
    text, newline = source.text, source.newline
    instruction, run = build.instructions[copied], build.instructions[index]
    keyword = "copy" if instruction.keyword.islower() else "COPY"
    flags = [flag.text for flag in instruction.flags if flag.name in ("chown", "chmod")]
    workdir = build.state(copied).workdir
    lines, effects = [], []
    for folder, sources in groups.items():
        destination = "./" if folder == workdir else folder.rstrip("/") + "/"
        lines.append(" ".join([keyword, *flags, *sources, destination]))
        effects.append(AddsCopy(copied, tuple(sources), destination, tuple(flags)))
    start = rewrite.block_start(build, copied)
    block = text[start : instruction.span.end]
    end = run.span.end
    if not block.endswith("\n"):
        return None, ()
    blank = newline if text[:start].endswith(("\n\n", "\n\r\n")) and start else ""
    if end == len(text) and not text.endswith("\n"):
        moved = newline + blank + block.removesuffix("\n").removesuffix("\r")
    else:
        moved = blank + block
    added = "".join(line + newline for line in lines)
    return (Edit(Span(start, instruction.span.end), added), Edit(Span(end, end), moved)), tuple(effects)
