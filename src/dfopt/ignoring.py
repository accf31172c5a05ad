"""What an ignore file should hold for a build context, beside what stands in it, and what is wrong with what stands there."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence

from dfopt import context, unwanted
from dfopt.build import Build, Command, mount_options
from dfopt.context import Context, Entry, Ignore, Pattern
from dfopt.startup import NamedTuple
from dfopt.unwanted import Unwanted

# One block a kind, behind what stands there. jinja2's delimiters are others than its own: `{{` is Go's and shell's too.
_TEMPLATE = """\
[% for kind, patterns in groups %]
[% if above or not loop.first %]

[% endif %]
# [[ kind ]]
[% for pattern in patterns %]
[[ pattern ]]
[% endfor %]
[% endfor %]
"""


class Used(NamedTuple):
    """What a Dockerfile takes from the context by name: the path or pattern, and the instruction as people find it."""

    source: str
    label: str


class Note(NamedTuple):
    """Something to know: `line` of the ignore file from 1, 0 where it is about the context."""

    line: int
    text: str


class Proposal(NamedTuple):
    """The ignore file at `path`, before (None: there is none) and after. `added` are the new patterns by kind; `left` the ones not
    added, with the reason. `files` and `size` (bytes) are what a build can copy, before and after."""

    path: str
    before: str | None
    after: str
    added: tuple[tuple[str, tuple[str, ...]], ...]
    left: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    files: tuple[int, int]
    size: tuple[int, int]


def propose(place: Context, builds: Sequence[tuple[str, Build]]) -> Proposal:
    """What the ignore file of a context should be for the Dockerfiles (each with its name) that are built in it.

    What stands there stays. Nothing is hidden that a Dockerfile names, and nothing that the file brings back by `!`.
    """
    path = place.ignore.path or os.path.join(place.root, ".dockerignore")
    before: str | None = None
    if place.ignore.path:
        with open(path, "rb") as file:
            before = file.read().decode("utf-8", "surrogateescape")
    used = [one for name, build in builds for one in _used(name, build)]
    everything = list(place.walk(hidden=True))
    seen = [one for one in everything if not place.ignore.hides(one.path)]
    kept = seen
    patterns = place.ignore.patterns
    added: dict[str, list[str]] = {}
    left: list[tuple[str, str]] = []
    chosen = list(dict.fromkeys(pair for _, build in builds for pair in unwanted.rows(place, build)))
    for one in kept:
        if unwanted.is_private_key(place, one) and not set(one.path) & set("*?[]\\!# "):
            chosen += ((Unwanted(one.path, "secrets"), pattern) for pattern in context.read_patterns(one.path))
    for row, pattern in chosen:
        if any(not other.exception and other.text == pattern.text for other in patterns):
            continue
        wider = Ignore((*patterns, pattern))
        # What the pattern by itself does not match it does not hide behind the others either, and asking it alone is quick.
        alone = Ignore((pattern,))
        hidden = [one for one in kept if alone.hides(one.path) and wider.hides(one.path)]
        if pattern.exception:
            back = [one for one in everything if not wider.hides(one.path) and Ignore(patterns).hides(one.path)]
            if not back or row.kind not in added:
                continue
        elif not hidden and (not row.usual or _stands(pattern, patterns) or _lets_in_by_name(patterns)):
            continue
        else:
            why = _wanted(row, pattern, patterns, wider, place, used, builds)
            if why:
                if hidden:
                    left.append((row.pattern, why))
                continue
        patterns = (*patterns, pattern)
        gone = set(hidden)
        kept = (
            [one for one in everything if not Ignore(patterns).hides(one.path)]
            if pattern.exception
            else [one for one in kept if one not in gone]
        )
        added.setdefault(row.kind, []).append(row.pattern)
    groups = tuple((kind, tuple(found)) for kind, found in added.items())
    return Proposal(
        path,
        before,
        _text(before or "", groups),
        groups,
        tuple(left),
        tuple(_notes(place, everything, kept, used)),
        (len(seen), len(kept)),
        (sum(map(place.size, seen)), sum(map(place.size, kept))),
    )  # fmt: skip


def _stands(pattern: Pattern, patterns: Iterable[Pattern]) -> bool:
    """Whether a pattern stands in the file already, at any depth."""
    text = pattern.text.removeprefix("**/")
    return any(not other.exception and other.text.removeprefix("**/").rstrip("/") == text for other in patterns)


def _lets_in_by_name(patterns: Iterable[Pattern]) -> bool:
    """Whether the file keeps all out and brings back by `!` what is wanted."""
    return any(not pattern.exception and pattern.text in ("*", "**") for pattern in patterns)


def _wanted(
    row: Unwanted,
    pattern: Pattern,
    patterns: Iterable[Pattern],
    wider: Ignore,
    place: Context,
    used: list[Used],
    builds: Sequence[tuple[str, Build]],
) -> str:
    """Why what a pattern hides is wanted; "" where it is not."""
    for one in used:
        names = place.matching(one.source) or (one.source,)
        if any(name and wider.hides(name) and not place.ignore.hides(name) for name in names):
            return f"{one.label} copies it"
    for other in patterns:
        if other.exception and (pattern.matches(other.text) or Ignore((pattern,)).hides(other.text)):
            return f"`!{other.text}` brings it back on purpose"
    if row.kind == "version control":
        for name, build in builds:
            if any(
                command.name == "git" for index in range(len(build.instructions)) for command in _commands(build, index)
            ):
                return f"{name} runs `git`"
        for name in _MANIFESTS:
            hit = unwanted.READS_GIT.search(place.text(name) or "")
            if hit is not None:
                return f"`{name}` takes the version from it (`{hit[0]}`)"
    return ""


_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "package.json", "pom.xml", "build.gradle", "build.gradle.kts", "Cargo.toml",
              "build.rs", "Makefile", "Directory.Build.props", "Rakefile")  # fmt: skip


def _commands(build: Build, index: int) -> Iterable[Command]:
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    return run.commands if run is not None else ()


def _used(name: str, build: Build) -> Iterator[Used]:
    """What a Dockerfile names in its context; the root itself is no name."""
    for index, instruction in enumerate(build.instructions):
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        copy = build.copy(index) if instruction.name in ("COPY", "ADD") else None
        if copy is not None and copy.origin is None:
            heredocs = {heredoc.name for heredoc in instruction.heredocs}
            for source in copy.sources or ():
                path = context.normal(source)
                if path and source not in heredocs and "://" not in source:
                    yield Used(path, f"`{instruction.name} {source}` on line {line} of {name}")
        for flag in instruction.flags if instruction.name == "RUN" else ():
            options = mount_options(flag.value or "") if flag.name == "mount" else {}
            path = context.normal(options.get("source", ""))
            if options.get("type") == "bind" and "from" not in options and path:
                yield Used(path, f"the mount on line {line} of {name}")


def _text(before: str, groups: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    """The file with the new patterns behind what stands there, in its own line ends."""
    if not groups:
        return before
    import jinja2

    environment = jinja2.Environment(
        block_start_string="[%", block_end_string="%]", variable_start_string="[[", variable_end_string="]]",
        comment_start_string="[#", comment_end_string="#]", trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    text: str = environment.from_string(_TEMPLATE).render(groups=groups, above=bool(before.strip()))
    newline = "\r\n" if "\r\n" in before else "\n"
    if before and not before.endswith("\n"):
        before += newline
    return before + text.replace("\n", newline)


def _notes(place: Context, everything: list[Entry], kept: list[Entry], used: list[Used]) -> Iterator[Note]:
    """What is wrong with the patterns that stand there, and what else comes into the context."""
    for position, pattern in enumerate(place.ignore.patterns):
        above = Ignore(place.ignore.patterns[:position])
        own = Ignore((pattern._replace(exception=False),))
        named = [one for one in everything if own.hides(one.path)]
        if pattern.exception and not any(above.hides(one.path) for one in named):
            why = "nothing before it keeps that out" if named else "there is no such file"
            yield Note(pattern.line, f"`!{pattern.text}` brings nothing back: {why}")
        if not pattern.exception and "/" not in pattern.text and "*" not in pattern.text:
            deeper = next(
                (one.path for one in kept if pattern.text in one.path.split("/")[1:]),
                "",
            )
            if deeper:
                yield Note(
                    pattern.line,
                    f"`{pattern.text}` is looked for at the root alone, and `{_down_to(deeper, pattern.text)}` comes with the context -> write `**/{pattern.text}`",
                )
    for one in used:
        if not set(one.source) & set("*?[") and place.entry(one.source) is not None and not place.has(one.source):
            decided = place.ignore.decides(one.source)
            yield Note(
                decided.line if decided else 0,
                f"{one.label} finds nothing: `{decided.text if decided else ''}` keeps it out",
            )
    for entry in kept:
        if entry.kind == "link":
            why = _leads(place, entry)
            if why:
                yield Note(0, f"`{entry.path}` is a link {why}")
        elif (size := place.size(entry)) >= unwanted.LARGE:
            yield Note(0, f"`{entry.path}` has {size / 1e6:,.0f} MB -> keep it out where the image does not need it")


def _down_to(path: str, name: str) -> str:
    parts = path.split("/")
    return "/".join(parts[: parts.index(name, 1) + 1])


def _leads(place: Context, entry: Entry) -> str:
    """Where a link leads that a build cannot follow; "" where it stays inside."""
    try:
        target = os.readlink(os.path.join(place.root, entry.path))
    except OSError:
        return ""
    if os.path.isabs(target):
        return f"to `{target}`, which is a path of this machine: the image has only the link"
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
    if inside.startswith("../"):
        return f"to `{target}`, outside of the context: the image has only the link"
    return ""


def told(proposal: Proposal, path: str, would: bool) -> Iterator[str]:
    """What a person is told of a proposal, line by line."""
    count = sum(len(patterns) for _, patterns in proposal.added)
    if count:
        kinds = ", ".join(kind for kind, _ in proposal.added)
        done = ("would write" if proposal.before is None else "would add") if would else (
            "wrote" if proposal.before is None else "added"
        )  # fmt: skip
        yield f"{path}: {done} {count} {'pattern' if count == 1 else 'patterns'} ({kinds})"
    else:
        yield f"{path}: nothing to add"
    files, size = proposal.files, proposal.size
    if files[0] != files[1]:
        gone = files[0] - files[1]
        yield f"  keeps {gone:,} more {'file' if gone == 1 else 'files'} out, {unwanted.amount(size[0] - size[1])}; {files[1]:,} files, {unwanted.amount(size[1])} are left"
    for pattern, why in proposal.left:
        yield f"  left out: `{pattern}`: {why}"
    for note in proposal.notes:
        yield f"  {f'line {note.line}: ' if note.line else ''}{note.text}"
    if count:
        yield "  `COPY --from` takes files from stages and images, which no ignore file touches"
