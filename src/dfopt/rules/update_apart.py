"""An update of package lists in another layer than the install that reads them, or without any install."""

import re
from collections.abc import Iterator

from dfopt import caches, layers, lists, merging, rewrite
from dfopt.build import Build, Run, Stage
from dfopt.layers import Brought
from dfopt.lists import Readers
from dfopt.packages import Use
from dfopt.rule import DropsCommand, Effect, Finding, Fix, Given, Layers, Related, Removes, Saving
from dfopt.source import Edit, Span
from dfopt.startup import pattern


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        for index in stage.indexes:
            seen: set[str] = set()
            for one in reversed(layers.written(build, index)) if build.instructions[index].name == "RUN" else ():
                # Of several updates in a RUN the last one's lists stay; those of one manager lie in several folders.
                if one.kind == "lists" and one.use is not None and one.use.manager.family not in seen:
                    seen.add(one.use.manager.family)
                    yield from _checked(build, stage, index, one, one.use)


def _checked(build: Build, stage: Stage, index: int, one: Brought, use: Use) -> Iterator[Finding]:
    run = build.run(index)
    # In an image `apk add --no-cache` is what cures it, which has a rule of its own.
    if run is None or (use.manager.family == "apk" and build.is_shipped(stage)):
        return
    if use.action != "update" and use.manager.refresh == "itself":
        return
    found = lists.readers(build, index, one)
    kept = _kept(build, index, one)
    certain = found.certain if kept else ()
    if certain and (use.manager.refresh == "command" or not found.own):
        yield _apart(build, stage, index, run, one, use, found)
    elif use.action != "update" or found.own or found.own_doubt or found.conditional:
        return
    elif kept and found.doubt:
        if lists.deleted_later(build, stage, index, one.path):
            return  # a clean-up that comes too late
        message = f"`{caches.label(use)}` has a RUN of its own, and who installs from it later may see stale lists -> put it into the RUN that installs"
        yield Finding(caches.span_of(run, use), message, None, None, (), found.doubt)
    else:
        yield _unused(build, stage, index, run, one, use, kept)


def _kept(build: Build, index: int, one: Brought) -> bool:
    """Whether the lists are still there for the next step."""
    return any(other.path == one.path for other in layers.brought(build, index)) or layers.mounted(
        build, index, one.path
    )


# ----------------------------------------------------------------------------------------------------------- unused


def _unused(build: Build, stage: Stage, index: int, run: Run, one: Brought, use: Use, kept: bool) -> Finding:
    name = caches.label(use)
    message = f"nothing installs from the lists that `{name}` fetches -> drop it"
    span = caches.span_of(run, use)
    saves = Saving("a layer" if len(run.script.steps) == 1 else "the time of the update", source="")
    if kept and build.is_shipped(stage):
        saves = layers.saving(build, one, "the package lists")
    step = _top(run, use)
    dropped = rewrite.drop_command(build, index, step) if step is not None else None
    if step is None or dropped is None:
        why = "it cannot be taken out without a change of when the other commands run"
        return Finding(span, message, None, saves, (), why)
    if dropped.comments:
        return Finding(span, message, None, saves, (), "a comment speaks of it")
    effects: list[Effect] = [DropsCommand(index, step)]
    if len(run.script.steps) == 1:
        effects.append(Layers(stage.index, -1))
    folders = [found.path for found in layers.written(build, index) if found.use is use]
    # The update made the folder itself anew where a clean-up before it took it away.
    gone = [folder for folder in folders if _folder_deleted(build, stage, index, folder)]
    paths = dict.fromkeys((*(folder + "/**" for folder in folders), *gone))
    effects += (Removes(tuple(paths), image.index) for image in (stage, *build.children(stage)))
    because = "no later step reads the lists, and the next update fetches them anew"
    return Finding(span, message, Fix(f"drop `{name}`", dropped.edits, True, because, tuple(effects)), saves)


def _folder_deleted(build: Build, stage: Stage, index: int, folder: str) -> bool:
    """Whether a clean-up at or before an instruction takes a folder itself away, not only what is in it."""
    before = (other for one in build.chain(stage) for other in one.indexes if one is not stage or other <= index)
    return any(
        path.rstrip("/") == folder
        for other in before
        for cleaning in layers.cleaned(build, other)
        for path in cleaning.paths
    )


def _top(run: Run, use: Use) -> int | None:
    """The step of a RUN that is this command alone."""
    for number, step in enumerate(run.script.steps):
        if step.pipeline.commands == (use.command,) and not step.pipeline.negated:
            return number
    return None


# ------------------------------------------------------------------------------------------------------------ apart


def _apart(build: Build, stage: Stage, index: int, run: Run, one: Brought, use: Use, found: Readers) -> Finding:
    first = found.certain[0]
    reading = build.run(first.instruction)
    assert reading is not None, "an install stands in a RUN that is read"
    name, other = caches.label(use), caches.label(first.use)
    place, line = caches.span_of(run, use), _line(build, caches.span_of(reading, first.use))
    if use.manager.refresh == "itself":
        message = (
            f"`{name}` leaves its lists in a layer of their own, for the `{other}` on line {line} -> make them one RUN"
        )
        span, related = place, (Related(caches.span_of(reading, first.use), "this installs from them"),)
    elif not found.own:
        message = f"`{name}` is cached apart from the `{other}` on line {line}, which then sees stale lists -> make them one RUN"
        span, related = place, (Related(caches.span_of(reading, first.use), "this installs from them"),)
    else:
        message = f"`{other}` installs from the lists that line {_line(build, place)} fetched, which are stale once that layer is cached -> make them one RUN"
        span, related = caches.span_of(reading, first.use), (Related(place, "they are fetched here"),)
    fix, refusal = _fix(build, stage, index, run, use, found)
    return Finding(span, message, fix, None, related, refusal)


def _line(build: Build, span: Span) -> int:
    return build.syntax.source.line_of(span.start)


def _fix(build: Build, stage: Stage, index: int, run: Run, use: Use, found: Readers) -> tuple[Fix | None, str]:
    """One RUN of the update and the installs; or the update alone carried to the first of them; or, to be agreed to, an update in each."""
    inside = list(dict.fromkeys(one.instruction for one in found.certain if one.instruction <= stage.last))
    refusal = ""
    if inside:
        alone = _is_alone(run, use)
        if alone and inside[0] > index + 1:
            fix, refusal = _carried(build, stage, index, inside[0], run, use)
            if fix is not None:
                return fix, ""
        for last in reversed(inside):
            fix, why = _merged(build, stage, index, last)
            refusal = refusal or why
            if fix is not None:
                return fix, ""
    else:
        refusal = "the install stands in a stage of its own"
    fix = _repeated(build, found, run, use) if use.manager.refresh == "command" else None
    return fix, "" if fix is not None else refusal


def _is_alone(run: Run, use: Use) -> bool:
    return len(run.script.steps) == 1 and _top(run, use) == 0 and not run.heredoc


def _merged(build: Build, stage: Stage, first: int, last: int) -> tuple[Fix | None, str]:
    if rewrite.merges_suppression(build, first, last):
        return None, "a comment switches a check off for an instruction that would go"
    merged = merging.merge(build, first, last)
    if merged.refusal:
        return None, merged.refusal
    agreed = merging.may_stay_running(build, first, last)
    effects = (*merged.effects, Layers(stage.index, first - last))
    title = f"merge {last - first + 1} RUNs"
    return Fix(title, merged.edits, not agreed, f"to agree: {agreed}" if agreed else merged.because, effects), ""


# What apt reads to fetch lists, beside the lists themselves (apt.conf(5), sources.list(5), apt-secure(8)); dnf and zypper likewise.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "apt": ("/etc/apt", "/var/lib/apt", "/var/cache/apt", "/usr/share/keyrings", "/usr/lib/apt"),
    "apk": ("/etc/apk", "/var/cache/apk", "/lib/apk", "/usr/share/apk"),
    "dnf": ("/etc/yum", "/etc/yum.conf", "/etc/yum.repos.d", "/etc/dnf", "/etc/pki", "/var/cache/yum", "/var/cache/dnf"),
    "zypper": ("/etc/zypp", "/var/cache/zypp", "/etc/pki"),
}  # fmt: skip
_COMMON = ("/etc/ssl", "/usr/local/share/ca-certificates", "/etc/ca-certificates", "/etc/ca-certificates.conf",
           "/usr/share/ca-certificates", "/etc/hosts", "/etc/resolv.conf", "/tmp", "/var/tmp")  # fmt: skip

# These make no layer and change nothing that a RUN sees.
_INERT = frozenset(("LABEL", "EXPOSE", "CMD", "ENTRYPOINT", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER", "WORKDIR"))

# Variables that fetching may hang on: the managers' own, the shell's, those of the C library, TLS, GnuPG, Python and Perl.
_READ = pattern(
    r"(?:.*proxy|path|.*_path|home|te?mp.*|lang.*|lc_.*|ld_.*|gnupg.*|g?nutls.*|.*ssl.*|.*cert.*|res_.*|localdomain|hostaliases"
    r"|python.*|perl.*|apt.*|dpkg.*|deb.*|apk.*|rpm.*|yum.*|dnf.*|libdnf.*|zypp.*|ifs|env|bash_env|shellopts|malloc.*|glibc.*|locpath"
    r"|nlspath|gconv.*|tz.*|netrc|curl.*|wget.*)",
    re.IGNORECASE,
)

# debconf's, which no update asks.
_UNREAD = ("DEBIAN_FRONTEND", "DEBIAN_PRIORITY", "DEBCONF_NONINTERACTIVE_SEEN")


def _carried(build: Build, stage: Stage, index: int, target: int, run: Run, use: Use) -> tuple[Fix | None, str]:
    """The update, all that its RUN does, at the front of the RUN that installs, past what stands between."""
    reading = build.run(target)
    if reading is None or [one.text for one in build.instructions[index].flags] != [
        one.text for one in build.instructions[target].flags
    ]:
        return None, "the RUN that installs has other flags"
    why = _why_not_past(build, index, target, run, use)
    if why:
        return None, why
    dropped = rewrite.drop_instruction(build, index)
    if rewrite.switches_off(dropped.comments):
        return None, "a comment switches a check off for an instruction that would go"
    placed = lists.put_before(build, target, _front(reading), _text(run, use))
    if placed is None:
        return None, "nothing can be put before the install without a change of when the other commands run"
    edits: tuple[Edit, ...] = (placed[0],)
    if dropped.comments:
        edits = (rewrite.insert_lines(build, rewrite.block_start(build, target), dropped.comments), *edits)
    effects = (DropsCommand(index, 0), placed[1], Layers(stage.index, -1))
    line = build.syntax.source.line_of(build.instructions[target].keyword_span.start)
    title = f"move `{caches.label(use)}` into the RUN on line {line}"
    because = "nothing between works with package lists or with what an update reads"
    return Fix(title, (*dropped.edits, *edits), True, because, effects), ""


def _why_not_past(build: Build, index: int, target: int, run: Run, use: Use) -> str:
    """Why an update would see or do something else behind what stands between RUNs `index` and `target`."""
    paths = (*_SETTINGS.get(use.manager.family, ()), *_COMMON)
    own = any(layers.touches(build, index, (path,), None, (use.manager.family,)) for path in _COMMON[:4])
    if own or use.prefix or use.environment:
        return "it is not known what the update reads"
    for between in range(index + 1, target):
        instruction = build.instructions[between]
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        if instruction.name in ("ENV", "ARG"):
            names = [key.text for key, _ in instruction.pairs]
            if any(_may_be_read(name) for name in names) or "$" in _text(run, use):
                return f"`{instruction.name}` on line {line} may change what the update does"
        elif instruction.name in ("RUN", "COPY", "ADD"):
            veto = layers.touches(build, between, paths)
            inner = build.run(between)
            makes = [one for one in inner.commands if one.name == "update-ca-certificates"] if inner is not None else []
            if veto is not None or makes:
                return veto.why if veto is not None else f"`{makes[0].label}` on line {line} changes what is trusted"
        elif instruction.name not in _INERT:
            return f"`{instruction.name}` on line {line} stands between"
    return ""


def _may_be_read(name: str) -> bool:
    return name not in _UNREAD and ("$" in name or _READ.fullmatch(name) is not None)


def _front(run: Run) -> int:
    """The first command of a RUN behind a leading `set`."""
    steps = run.script.steps
    first = steps[0].pipeline.commands[0]
    is_set = first in [one.simple for one in run.commands if one.name == "set"]
    return 1 if is_set and len(steps) > 1 and len(steps[0].pipeline.commands) == 1 else 0


def _text(run: Run, use: Use) -> str:
    return run.script.text[use.command.start : use.command.end]


def _repeated(build: Build, found: Readers, run: Run, use: Use) -> Fix | None:
    """An update of its own in each RUN that installs from the lists; None where one of them cannot take it."""
    edits: list[Edit] = []
    effects: list[Effect] = []
    done: set[int] = set()
    for reader in found.certain:
        if reader.instruction in done:
            continue
        done.add(reader.instruction)
        reading = build.run(reader.instruction)
        step = lists.step_of(reading, reader.use) if reading is not None else None
        if reading is None or step is None or layers.mounted(build, reader.instruction, lists.APT_LISTS):
            return None
        placed = lists.put_before(build, reader.instruction, step, _text(run, use))
        if placed is None:
            return None
        edits.append(placed[0])
        effects.append(placed[1])
    because = "to agree: each install fetches lists of its own, which may name newer packages"
    return Fix(f"add `{caches.label(use)}` before the install", tuple(edits), False, because, tuple(effects))
