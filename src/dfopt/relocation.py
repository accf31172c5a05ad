"""Large components out of the image: where each of them lies and where else it may come from, as a plan; and the rewriting.

A component comes by a COPY, an ADD or a RUN of a stage that is shipped. Three ways lead out, and the configuration's answer `components`
says which one is meant:

- `stage`: a stage of its own, `COPY --from=models`. It is fetched and cached apart, and `--build-context models=...` stands in for it;
- `context`: a named context that the configuration declares (`build-contexts`), which need not lie beside the source;
- `volume`: no part of the image; it is mounted, or fetched at the start.

The first two are rewritten where the image is shown to have the same files. What would make the program find its files elsewhere, as a volume
does, is never written.
"""

import posixpath
import re
from collections.abc import Callable, Iterator

from dfopt import archives, bases, commuting, components, context, families, layers, packages, policy, rebase, rewrite
from dfopt.build import Build, Stage
from dfopt.components import Lying, Taken
from dfopt.context import Context
from dfopt.normal import FETCHING
from dfopt.rule import AddsFlag, Changes, Effect, Fix, Given, Layers, Relocates, Removes
from dfopt.shell import Compound, Word
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern
from dfopt.synthesis import Plan, Question, plan_of

CHOICES = ("stage", "context", "volume")

_AMONG_SOURCES = "COPY takes all but some folders only with `--exclude`, which not each frontend has"


class Part(NamedTuple):
    """A component: what brings it (`text`, instruction), what it is, where it lies in the image (None: not known) and its bytes (0: not
    known). `taken` is what a COPY or ADD takes, None for a RUN."""

    instruction: int
    kind: str
    text: str
    path: str | None
    size: int
    taken: Taken | None


class Way(NamedTuple):
    """One way out of the image: the lines of the file that change, what is to be done outside of it, and the rewriting, or why there is
    none."""

    name: str
    changes: tuple[str, ...]
    outside: tuple[str, ...]
    refusal: str
    fix: Fix | None


class Relocation(NamedTuple):
    """The plan for a stage: its components, each with its ways (one where the way is chosen), and the question that decides."""

    stage: int
    parts: tuple[tuple[Part, tuple[Way, ...]], ...]
    question: Question | None


def plan(build: Build, given: Given, stage: Stage) -> Relocation | None:
    """The plan for the components of a stage; None where it is not shipped or has none."""
    parts = parts_of(build, given, stage) if components.ships(build, stage) else ()
    if not parts:
        return None
    answer = answered(given)
    question = None
    if answer not in CHOICES:
        unknown = f"`{answer}` is no answer: " if answer else ""
        question = Question(
            "components",
            f"{unknown}do the large components come from a stage of their own, from a named context, or from a volume when the image runs?",
            CHOICES,
        )
    names = (answer,) if question is None else CHOICES
    found = tuple((part, tuple(way(build, given, stage, part, name) for name in names)) for part in parts)
    return Relocation(stage.index, found, question)


def answered(given: Given) -> str:
    """The configuration's answer; "" where it gives none."""
    return next((" ".join(answer) for name, answer in given.answers if name == "components"), "")


def parts_of(build: Build, given: Given, stage: Stage) -> tuple[Part, ...]:
    """The components that the instructions of a stage bring, in order."""
    found = (part_at(build, given, index) for index in stage.indexes)
    return tuple(part for part in found if part is not None)


def part_at(build: Build, given: Given, index: int) -> Part | None:
    """The component that an instruction brings; None where it brings none."""
    name = build.instructions[index].name
    if name in ("COPY", "ADD"):
        taken = components.taken(build, index, context.of(build, given))
        if taken is not None:
            return Part(index, taken.kind, _written(build, index), _lies(build, index), taken.size, taken)
    elif name == "RUN":
        fetches = components.fetched(build, index)
        if fetches:
            return Part(index, fetches[0].kind, fetches[0].label, fetches[0].path, 0, None)
    return None


def _written(build: Build, index: int) -> str:
    instruction = build.instructions[index]
    return " ".join((instruction.name, *instruction.arguments))


def _lies(build: Build, index: int) -> str | None:
    """Where a COPY or ADD lays what it brings: the file, or the folder that takes it."""
    laid = layers.laid(build, index)
    copy = build.copy(index)
    if laid is not None and len(laid) == 1 and laid[0].kind == "file":
        return laid[0].path
    return copy.destination.rstrip("/") or "/" if copy is not None and copy.destination is not None else None


def way(build: Build, given: Given, stage: Stage, part: Part, name: str) -> Way:
    """One way out for a component."""
    return _WAYS[name](build, given, stage, part)


def _line(build: Build, index: int) -> int:
    return build.syntax.source.line_of(build.instructions[index].keyword_span.start)


def _split_first(build: Build, given: Given, stage: Stage) -> str:
    """Why nothing is rewritten in a stage that is to become a builder: its components are no longer shipped with it."""
    proposal = plan_of(build, given, stage) if stage is build.final else None
    if isinstance(proposal, Plan) and not proposal.questions:
        return "the stage becomes a builder first (`toolchain-shipped`)"
    return ""


# ------------------------------------------------------------------------------------------------------- a stage of its own


class _Layout(NamedTuple):
    """A component in a stage of its own: the lines of that behind its FROM, and the same as people read them; the image of its FROM with
    the flags; what stands in the old place, and the edits and effects that make it so, by the stage's name."""

    lines: tuple[str, ...]
    shown_lines: tuple[str, ...]
    image: str
    shown: Callable[[str], str]
    edits: Callable[[str], tuple[Edit, ...]]
    effects: Callable[[str], tuple[Effect, ...]]


def _of_stage(build: Build, given: Given, stage: Stage, part: Part) -> Way:
    layout = _layout(build, stage, part, context.of(build, given))
    line = _line(build, part.instruction)
    if isinstance(layout, str):
        outside = (f"fetch them in a stage of their own, and copy them in place of line {line}",)
        return Way("stage", (), outside if part.taken is None else (), layout, None)
    name = _fresh(build, given, part)
    renumbered = rewrite.renumbered(build, stage)
    refusal = _split_first(build, given, stage)
    if name is None:
        refusal = "no name is left for another stage"
    elif renumbered is None:
        refusal = "an ONBUILD, or a COPY of no stage yet, names a number that a stage before this one would move"
    name = name or "models"
    opening = build.instructions[stage.first]
    lower = opening.keyword.islower()
    head = f"{'from' if lower else 'FROM'} {layout.image} {'as' if lower else 'AS'} {name}"
    changes = (
        f"before line {_line(build, stage.first)}: {'; '.join((head, *layout.shown_lines))}",
        f"line {line}: {layout.shown(name)}",
    )
    outside = (
        f"a build with `--build-context {name}=...` (a folder, `docker-image://...`) takes them from there instead",
    )
    if refusal or renumbered is None:
        return Way("stage", changes, outside, refusal, None)
    lines = [text for block in layout.lines for text in block.split("\n")]
    edits = (rewrite.insert_stage(build, stage, [head, *lines]), *layout.edits(name), *renumbered)
    fix = Fix(
        f"take them from a stage `{name}`",
        edits,
        False,
        "to agree: the files come by another stage, at the same place with the same mode and owner"
        + (
            "; the download runs on the base image, and sees nothing of the steps above it"
            if part.taken is None
            else ""
        ),
        (*layout.effects(name), Layers(stage.index, 0)),
    )
    return Way("stage", changes, outside, "", fix)


def _fresh(build: Build, given: Given, part: Part) -> str | None:
    """The name of a component's stage. It is numbered by place, so that it does not depend on which stage is made first."""
    stem = _stem(part)
    place = context.of(build, given)
    before = sum(
        _stem(other) == stem and not isinstance(_layout(build, one, other, place), str)
        for one in build.stages
        if components.ships(build, one)
        for other in parts_of(build, given, one)
        if other.instruction < part.instruction
    )
    taken = build.names()
    free = [name for name in (stem, *(f"{stem}-{number}" for number in range(2, 100))) if name not in taken]
    return free[before] if before < len(free) else None


def _stem(part: Part) -> str:
    return "data" if part.kind == components.DATA else "models"


def _layout(build: Build, stage: Stage, part: Part, place: Context | None) -> _Layout | str:
    """A component in a stage of its own, or why that cannot be shown to give the same image."""
    if build.windows:
        return "a Windows image has no stage `FROM scratch`"
    if part.taken is None:
        return _run(build, stage, part.instruction)
    if not part.taken.alone:
        return _AMONG_SOURCES
    return _copy(build, part.instruction, place)


# What may be written into another stage as it is, without quotes.
_PLAIN = pattern(r"[\w@%+=:,./~*?-]+")

_KEPT_FLAGS = frozenset(("chown", "chmod", "link"))


def _why_not(build: Build, index: int) -> str:
    """Why a COPY or ADD is not taken apart; "" where it may be."""
    instruction, copy = build.instructions[index], build.copy(index)
    if (
        copy is None
        or copy.sources is None
        or copy.destination is None
        or any("$" in one for one in instruction.arguments)
    ):
        return "what it copies, or where to, hangs on a variable"
    if instruction.json or not all(map(_PLAIN.fullmatch, instruction.arguments)):
        return "a path has characters that would have to be quoted"
    names = [flag.name for flag in instruction.flags]
    fetching = {flag.removeprefix("--") for flag in FETCHING}
    other = next((name for name in names if name not in _KEPT_FLAGS | fetching or names.count(name) > 1), "")
    if other:
        return f"`--{other}` says something of where the files come from"
    return ""


def _names(build: Build, index: int, place: Context | None) -> list[str] | str:
    """The sources of a COPY by their own names, as they lie in a folder of their own; a text says why they cannot. COPY lays a source out
    by its name and by what it is, so that the same names give the same files."""
    copy = build.copy(index)
    sources = copy.sources or () if copy is not None else ()
    names = [posixpath.basename(source.rstrip("/")) for source in sources]
    if any(name in ("", ".", "..") for name in names):
        return "what it copies has no name of its own"
    if len(sources) == 1 and not set(sources[0]) & set("*?["):
        return names
    if len(set(names)) < len(names):
        return "two of its sources have one name"
    for source in sources:
        entries = [place.entry(path) for path in place.matching(source)] if place is not None else []
        known = bool(entries) and all(entry is not None and entry.kind == "file" for entry in entries)
        if not known and (entries or set(source) & set("*?[") or not layers.is_file_name(source)):
            return f"it is not known that `{source}` names files alone"
    return names


def _copy(build: Build, index: int, place: Context | None) -> _Layout | str:
    instruction = build.instructions[index]
    copy = build.copy(index)
    names: list[str] | str = _why_not(build, index)
    if names or copy is None or copy.sources is None:
        return str(names)
    if instruction.name == "ADD":
        source = copy.sources[0]
        name = posixpath.basename(source.partition("?")[0])
        if len(copy.sources) != 1 or not re.match(r"https?://", source) or not layers.is_file_name(name):
            return "ADD unpacks what is an archive, and fetches what is no file -> COPY"
        names = [name]
    else:
        names = _names(build, index, place)
    if isinstance(names, str):
        return names
    several = len(names) > 1 or bool(set(names[0]) & set("*?["))
    slash = "/" if copy.sources[0].endswith("/") else ""
    target = "/" if several else f"/{names[0]}{slash}"
    sources = tuple(f"/{name}{slash}" for name in names)
    kept = [flag for flag in instruction.flags if f"--{flag.name}" not in FETCHING]
    fetching = [flag.text for flag in instruction.flags if f"--{flag.name}" in FETCHING]
    keyword = "copy" if instruction.keyword.islower() else "COPY"
    line = " ".join((instruction.keyword, *fetching, *instruction.arguments[:-1], target))

    def shown(name: str) -> str:
        flags = [flag.text for flag in kept]
        return " ".join((keyword, f"--from={name}", *flags, *sources, instruction.arguments[-1]))

    def edits(name: str) -> tuple[Edit, ...]:
        end = instruction.keyword_span.end
        found = [Edit(Span(instruction.keyword_span.start, end), f"{keyword} --from={name}")]
        for flag in instruction.flags:
            if f"--{flag.name}" in FETCHING:
                found.append(Edit(Span(end, flag.span.end), ""))
            end = flag.span.end
        return (*found, *(Edit(word.span, source) for word, source in zip(instruction.words, sources)))

    def effects(name: str) -> tuple[Effect, ...]:
        return (Relocates(index, name, sources, target),)

    return _Layout((line,), (line,), "scratch", shown, edits, effects)


# Options that make a download neither read nor write another file (curl(1), wget(1)).
_OPTIONS = {
    "curl": re.compile(
        r"-[fsSLkv#46]*[oO]?|--(?:fail|silent|show-error|location|insecure|output|remote-name|retry|retry-delay|retry-max-time|retry-connrefused"
        r"|retry-all-errors|connect-timeout|max-time|progress-bar|compressed|proto|tlsv1\.[23]|http1\.1|header)(?:=.*)?|-[HA]"
    ),
    "wget": re.compile(
        r"-[qO]*|-nv|-[tT]\d*|--(?:quiet|no-verbose|show-progress|progress|output-document|no-check-certificate|tries|timeout|waitretry"
        r"|retry-connrefused|https-only|header|user-agent)(?:=.*)?"
    ),
}

# Of these the next word is the value.
_VALUED = frozenset(
    "-H -A -t -T --header --user-agent --retry --retry-delay --retry-max-time --connect-timeout --max-time --proto --tries --timeout"
    " --waitretry".split()
)


def _run(build: Build, stage: Stage, index: int) -> _Layout | str:
    """A RUN that does nothing but download to files with literal names: on the base image it leaves the same files."""
    instruction, run, state = build.instructions[index], build.run(index), build.state(index)
    if run is None or run.script.opaque is not None:
        return "its script is not read"
    steps = run.script.steps
    if any(flag.name != "mount" for flag in instruction.flags) or any(
        options["type"] not in ("secret", "ssh") for _, options in build.mounts(index)
    ):
        return "it has mounts, or rights, of its own"
    if run.script.terminator == "&" or any(step.operator not in ("", "&&") for step in steps):
        return "its commands are not joined by `&&` alone"
    if any(len(step.pipeline.commands) > 1 or isinstance(step.pipeline.commands[0], Compound) for step in steps):
        return "it does more than to download files"
    if "$" in run.script.text or "`" in run.script.text:
        return "it reads a variable, which another stage may not have"
    made: list[str] = []
    paths: list[str] = []
    relative = False
    programs: set[str] = set()
    for one in archives.placed(build, index):
        simple = one.command.simple
        name = simple.words[0].value or "" if simple.words else ""
        if simple.assignments or any(word.value is None for word in simple.words):
            return "it does more than to download files to literal paths"
        if name == "mkdir":
            words = [word for word in simple.words[1:] if word.text not in ("-p", "-pv", "--parents")]
            if simple.redirections or any(word.text.startswith("-") for word in words):
                return "it gives a folder a mode of its own"
            made += [archives.file_of(build, index, one, word.text).path or "" for word in words]
            relative = relative or any(not (word.value or "").startswith("/") for word in words)
            continue
        outputs = archives.fetched(simple)
        if name not in _OPTIONS or len(outputs) != 1 or not _plainly_fetches(name, simple.words):
            return "it does more than to download files to literal paths"
        if simple.redirections and (len(simple.redirections) > 1 or outputs[0] != simple.redirections[0].target.text):
            return "it does more than to download files to literal paths"
        path = archives.file_of(build, index, one, outputs[0]).path
        if path is None or not _PLAIN.fullmatch(path) or set(path) & set("*?"):
            return "the path that it downloads to is not known"
        named = any(re.fullmatch(r"-q?O|--output-document(?:=.*)?", word.text) for word in simple.words)
        if name == "wget" and not named and layers.occupied(build, stage, (path,), index):
            return f"a file may lie at `{path}` before, and `wget` would give it another name"
        paths.append(path)
        programs.add(name)
        relative = relative or not outputs[0].strip("\"'").startswith("/")
    folders = {posixpath.dirname(path) for path in paths}
    if len(folders) != 1:
        return "it downloads into several folders"
    folder = folders.pop()
    if any(not (folder + "/").startswith(path + "/") for path in made):
        return "it makes a folder that no download goes to"
    why = _differs(build, stage, index) or next(
        filter(None, (_lacks(build, stage, program) for program in sorted(programs))), ""
    )
    if why:
        return why
    workdir = ""
    if relative:
        if state.workdir is None:
            return "the folder that it runs in is not known"
        workdir = state.workdir
    has = {*made, workdir, "/"}
    if not any((one + "/").startswith(folder + "/") for one in has) and not layers.exists(
        build, stage, folder, stage.first
    ):
        if relative:
            return f"`{folder}` is made by a step that another stage lacks"
        workdir = folder
    if workdir == (build.state(stage.first).workdir or "/"):
        workdir = ""
    destination = folder.rstrip("/") + "/"
    lower = instruction.keyword.islower()
    opening = build.instructions[stage.first]
    image = " ".join((*(flag.text for flag in opening.flags), build.syntax.source.text[slice(*opening.words[0].span)]))
    start = rewrite.block_start(build, index)
    block = build.syntax.source.text[start : instruction.span.end].rstrip("\r\n").replace("\r\n", "\n")
    head = (f"{'workdir' if lower else 'WORKDIR'} {workdir}",) if workdir else ()
    script = " ".join(instruction.logical.text.split())
    # GNU wget, not Alpine's, notes there which hosts want HTTPS.
    gnu = "wget" in programs and (state.base is None or state.base.distribution != "alpine")
    notes = f"{state.home}/.wget-hsts" if gnu and state.home is not None else ""

    def shown(name: str) -> str:
        return f"{'copy' if lower else 'COPY'} --from={name} {' '.join(paths)} {destination}"

    def edits(name: str) -> tuple[Edit, ...]:
        return (Edit(Span(start, instruction.text_span.end), shown(name)),)

    def effects(name: str) -> tuple[Effect, ...]:
        found: list[Effect] = [Relocates(index, name, tuple(paths), "", workdir, destination)]
        if notes:
            found.append(Removes((notes,), stage.index))
        # A download into a file that is there keeps its mode and owner; a COPY brings its own.
        there = tuple(path for path in paths if layers.occupied(build, stage, (path,), index))
        if there:
            found.append(Changes(there, stage.index))
        return tuple(found)

    return _Layout((*head, block), (*head, script), image, shown, edits, effects)


def _plainly_fetches(name: str, words: tuple[Word, ...]) -> bool:
    """Whether curl or wget is called with literal addresses, and options that do nothing else."""
    addresses, waiting = 0, ""
    for word in words[1:]:
        text = word.value or ""
        if waiting:
            waiting = ""
        elif text.startswith("-") and text != "-":
            if _OPTIONS[name].fullmatch(text) is None:
                return False
            takes = text in _VALUED or re.fullmatch(r"-[A-Za-z#46]*[o]|--output|-[q]*O|--output-document", text)
            waiting = text if takes and not (name == "curl" and text.endswith("O")) else ""
        elif re.match(r"(?:https?|ftp)://", text):
            addresses += 1
        else:
            return False
    return addresses == 1


# What a download reads of the system: what it trusts, and its settings.
_TRUST = pattern(
    r"update-ca-|ca-certificates|/etc/(?:ssl|pki|hosts|resolv|wgetrc|ca-cert)|\.(?:curlrc|wgetrc|netrc)\b",
    re.IGNORECASE,
)


# What other programs read, and change nothing of a file that is fetched: languages, time zones, terminals, questions of packages.
_UNREAD = frozenset("DEBIAN_FRONTEND LANG LANGUAGE LC_ALL LC_CTYPE TERM TZ".split())


def _differs(build: Build, stage: Stage, index: int) -> str:
    """Why a RUN may see something else on the base image of its stage; "" where it does not."""
    if not build.state(index).is_root:
        return "it does not run as root, or it is not known that it does"
    if any(build.instructions[other].name == "ONBUILD" for one in build.chain(stage)[1:] for other in one.indexes):
        return "an ONBUILD would run in another stage as well"
    for other in range(stage.first + 1, index):
        instruction = build.instructions[other]
        line = _line(build, other)
        if instruction.name in ("SHELL", "USER"):
            return f"`{instruction.name}` on line {line} holds for it, and not in another stage"
        named = {key.text for key, _ in instruction.pairs} if instruction.name in ("ENV", "ARG") else set()
        if not named <= _UNREAD:
            verdict = commuting.commute(build, other, index)
            if not verdict.free:
                return verdict.why
        if instruction.name in ("RUN", "COPY", "ADD") and _TRUST.search(instruction.logical.text):
            return f"line {line} may change which hosts it trusts"
    return ""


# Images on buildpack-deps, whose tags of other variants say so; what these lack a RUN must install.
_FULL = frozenset(("buildpack-deps", "gcc", "golang"))


def _lacks(build: Build, stage: Stage, program: str) -> str:
    """Why a program may not be there in a stage on the same base image; "" where it is."""
    below = build.chain(stage)[1:]
    if any(_installs(build, one, program) for one in below):
        return ""
    bottom = build.chain(stage)[-1]
    image = rebase.default_image(build, bottom) or bottom.reference
    repository, tag = bases.repository_of(image)
    full = repository != "debian" and families.variant(image, "slim") is not None
    if full or (repository in _FULL and not re.search(r"alpine|windows|nanoserver|slim|curl", tag)):
        return ""
    if program == "wget" and bottom.facts is not None and bottom.facts.distribution == "alpine":
        # Another one may take other options.
        return "" if not _installs(build, stage, program) else "the `wget` that its stage installs is another one"
    return f"`{program}` is not known to be in `{bottom.base.text}`"


def _installs(build: Build, stage: Stage, program: str) -> bool:
    """Whether a stage installs a program by its system's package manager."""
    runs = [run for index in stage.indexes if (run := build.run(index)) is not None]
    return any(
        use.action == "install" and use.manager.family in packages.SYSTEM_FAMILIES and word.value == program
        for run in runs
        for use in run.uses
        for word in use.operands
    )


# ---------------------------------------------------------------------------------------------------------- a named context


def _of_context(build: Build, given: Given, stage: Stage, part: Part) -> Way:
    line = _line(build, part.instruction)
    name, declared = _declared(build, given, part)
    if part.taken is not None and not part.taken.alone:
        pairs = list(mounts_of(build, given, part)) or [("SOURCE", "PATH")]
        changes = tuple(f"behind line {line}: COPY --from={name} {source} {target}" for source, target in pairs)
        option = f"`docker build --build-context {name}=FOLDER`, a folder apart from the source that holds them"
        return Way("context", changes, (_kept_out(part.taken.files, line), option), _AMONG_SOURCES, None)
    if part.taken is None or "://" in part.text:
        option = f"fetch them once into a folder; `docker build --build-context {name}=FOLDER`"
        change = f"line {line}: COPY --from={name} . {_folder_of(part) or 'PATH'}"
        return Way("context", (change,), (option,), "what is fetched must lie in a folder first", None)
    instruction = build.instructions[part.instruction]
    words = ["COPY", f"--from={name}", *(flag.text for flag in instruction.flags), *instruction.arguments]
    copy = build.copy(part.instruction)
    sources = ", ".join(f"`{source}`" for source in (copy.sources if copy is not None else None) or ())
    refusal = _why_not_context(build, part.instruction, context.of(build, given))
    if not policy.has_named_contexts(build, given):
        refusal = "what builds the file, or its syntax line, is older than named contexts"
    if not refusal and not declared:
        refusal = f'the configuration does not declare the context: `build-contexts = ["{name}"]`'
    refusal = refusal or _split_first(build, given, stage)
    fix = None
    if not refusal:
        end = instruction.keyword_span.end
        fix = Fix(
            f"take them from the named context `{name}`",
            (Edit(Span(end, end), f" --from={name}"),),
            False,
            f"to agree: each build must be given `--build-context {name}=.`, or it asks a registry for an image of that name",
            (AddsFlag(part.instruction, f"--from={name}"), Layers(stage.index, 0)),
        )
    outside = (f"`docker build --build-context {name}=.` at each build, or another folder that holds {sources}",)
    return Way("context", (f"line {line}: {' '.join(words)}",), outside, refusal, fix)


def _why_not_context(build: Build, index: int, place: Context | None) -> str:
    """Why a COPY would not bring the same files from a named context that is the folder of the build context; "" where it does."""
    if build.instructions[index].name == "ADD":
        return "ADD takes nothing from a named context -> COPY"
    copy = build.copy(index)
    if copy is None or copy.sources is None or any("$" in one for one in build.instructions[index].arguments):
        return "what it copies, or where to, hangs on a variable"
    if place is None:
        return "it is not known what keeps files out of the build context"
    if place.ignore.path and posixpath.basename(place.ignore.path.replace("\\", "/")) != ".dockerignore":
        return "the ignore file of this Dockerfile alone does not count for a named context"
    return ""


def _declared(build: Build, given: Given, part: Part) -> tuple[str, bool]:
    """The named context that a component comes from, and whether the configuration declares it: one of the usual name, else the only one
    that the file does not use."""
    used = {reference.text for reference in build.references} | {stage.base.text for stage in build.stages}
    stages = {stage.name for stage in build.stages}
    free = [name for name in given.contexts if name not in used and name not in stages]
    stem = _stem(part)
    if stem in given.contexts and stem not in stages:
        return stem, True
    return (free[0], True) if len(free) == 1 else (stem, False)


# ----------------------------------------------------------------------------------------------------------------- a volume


def _of_volume(build: Build, given: Given, stage: Stage, part: Part) -> Way:
    line, name = _line(build, part.instruction), _stem(part)
    folder = _folder_of(part)
    changes: tuple[str, ...] = (f"line {line} goes",)
    outside: tuple[str, ...] = ()
    if part.taken is not None:
        outside = tuple(
            f'`docker run -v "$PWD/{source}:{target}:ro"`' for source, target in mounts_of(build, given, part)
        )
        if not part.taken.alone:
            changes, outside = (), (_kept_out(part.taken.files, line), *outside)
        store = "or put them into an object store, and let the start fetch them into a volume"
    else:
        store = f"`docker volume create {name}`, filled by the download at the first start"
    if folder is not None and (folder == "/" or _holds_more(build, stage, part, folder)):
        store += f"; the program must look for them in a folder of their own: a volume at `{folder}` would hide the rest of it"
    elif folder is not None:
        store += f"; `docker run -v {name}:{folder}`"
    refusal = "the image no longer has them, and whoever runs it must mount them"
    return Way("volume", changes, (*outside, store), refusal, None)


def _folder_of(part: Part) -> str | None:
    """The folder that a component lies in, or is."""
    return posixpath.dirname(part.path) if part.path and components.kind_of(part.path) else part.path


def _holds_more(build: Build, stage: Stage, part: Part, folder: str) -> bool:
    """Whether a folder is known to hold something else as well."""
    if folder in layers.STANDARD_FOLDERS or (part.taken is not None and not part.taken.alone):
        return True
    for index in stage.indexes:
        if build.instructions[index].name == "WORKDIR" and layers.workdir_after(build, index) == folder:
            return True
        laid = layers.laid(build, index) if index != part.instruction else None
        if any((one.path + "/").startswith(folder + "/") for one in laid or ()):
            return True
    return False


def _kept_out(files: tuple[Lying, ...], line: int) -> str:
    names = [f"`{one.entry.path}`" for one in sorted(files, key=lambda one: -one.size)]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"{shown}: keep them out by the ignore file, so that line {line} no longer takes them"


def mounts_of(build: Build, given: Given, part: Part) -> Iterator[tuple[str, str]]:
    """What of the build context is to be mounted where, so that a program finds the component where it was; nothing where that is not known
    for certain."""
    place = context.of(build, given)
    laid = layers.laid(build, part.instruction) or ()
    copy = build.copy(part.instruction)
    if place is None or part.taken is None or len(laid) != 1 or copy is None or copy.destination is None:
        return
    source, target = context.normal(laid[0].source), laid[0].path
    entry = place.entry(source)
    if entry is None:
        return
    if not part.taken.alone:
        for one in sorted(part.taken.files, key=lambda one: -one.size)[:4]:
            if entry.kind == "folder":
                below = one.entry.path[len(entry.path) :].lstrip("/")
                yield one.entry.path, posixpath.join(target, below)
        return
    if not source:
        return
    if entry.kind == "file" and laid[0].kind != "file":
        if not copy.destination.endswith("/"):
            return
        target = copy.destination + posixpath.basename(source)
    yield source, target.rstrip("/")


_WAYS: dict[str, Callable[[Build, Given, Stage, Part], Way]] = {
    "stage": _of_stage,
    "context": _of_context,
    "volume": _of_volume,
}
