"""Installs that download all again whenever their layer is built anew, where a cache mount would keep the downloads."""

import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise

from dfopt import bases, caches, layers, lists, packages, policy, rewrite
from dfopt.build import Build, Run, Stage, once
from dfopt.normal import json_text
from dfopt.packages import Folder, Use
from dfopt.rule import (
    Adds,
    AddsCommand,
    AddsMount,
    ChangesConfig,
    ChangesDirective,
    ChangesSource,
    Effect,
    Finding,
    Fix,
    Given,
    Removes,
    Saving,
)
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern

# What commands of these leave in the cache folder is not only a copy: later commands build from it, so all of them need the mount.
_STORES = frozenset(("go", "cargo", "maven", "gradle", "nuget", "pnpm", "conda"))

# What fills a cache; `npm run build` and its like do not.
_FILLING = frozenset(("install", "upgrade", "download", "build"))

# Options and variables by which a command takes all from the cache: the cache of a builder may be empty at any time, a layer's is not.
_OFFLINE = {"cargo": ("--offline", "--frozen"), "nuget": ("--no-restore", "--no-build")}
_OFFLINE_VARIABLES = {
    "GOPROXY": "off", "CARGO_NET_OFFLINE": "true", "UV_OFFLINE": "1", "npm_config_offline": "true",
    "NPM_CONFIG_OFFLINE": "true", "COMPOSER_DISABLE_NETWORK": "1", "YARN_ENABLE_OFFLINE_MODE": "1",
}  # fmt: skip

# Commands that put the cache elsewhere in a way that is not looked into: then the author has thought of it.
_MOVED = pattern(
    r"\b(?:npm|yarn|pnpm|pip3?|bun|composer|poetry|conda|go|nuget)\s+(?:config\b|set\b|env\s+-w)(?:[^&;|\\\n]|\\.|\\\r?\n)*(?:cache|store|packages)",
    re.I,
)

_MAY_MOVE = pattern(r"\s(?:config|set|env)\s", re.I)

_DOCKER_CLEAN = (
    ("rm", "-f", "/etc/apt/apt.conf.d/docker-clean"),
    ("echo", "'Binary::apt::APT::Keep-Downloaded-Packages \"true\";'", ">", "/etc/apt/apt.conf.d/keep-cache"),
)


# Where apt keeps archives in the mount of a stage that is shipped: docker-clean deletes in `archives` (tried).
_KEPT = Folder("/var/cache/apt/kept", identity=("distribution", "architecture"))

# Without a base image that is known nothing says where these keep their files.
_BY_BASE = frozenset(("apt", "dnf", "zypper", "go", "cargo", "gem", "conda"))

# What a syntax line names that is too old for mounts, and what takes its place.
_OLD_FRONTEND = pattern(r"(?:docker\.io/)?docker/dockerfile:1\.[01](?:\.\d+)?")
_FRONTEND = "docker/dockerfile:1"


class _Member(NamedTuple):
    """A RUN of one stage that works with the folders of one manager, and the mounts that it lacks. `assumed` are facts of a base
    image that is not known."""

    instruction: int
    run: Run
    use: Use
    missing: tuple[tuple[Folder, str], ...]
    assumed: bases.Base | None = None


def check(build: Build, given: Given) -> Iterator[Finding]:
    if policy.cache(build, given) != "mount":
        return
    pending: set[int] = set()
    for stage in build.stages:
        groups: dict[tuple[str, ...], list[tuple[int, Run, Use]]] = {}
        for index in stage.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in run.uses if run is not None else ():
                manager = use.manager
                if run is not None and manager.mounts:
                    key = ("dnf",) if manager.family == "dnf" else tuple(folder.path for folder in manager.mounts)
                    groups.setdefault(key, []).append((index, run, use))
        for group in groups.values():
            findings = list(_group(build, stage, group, stage.base.stage in pending))
            if group[0][2].manager.family == "apt" and findings and not build.is_shipped(stage):
                pending.add(stage.index)
            yield from findings
        if stage.base.stage in pending:
            pending.add(stage.index)
        yield from _compiled(build, stage)


def _group(build: Build, stage: Stage, group: list[tuple[int, Run, Use]], pending: bool) -> Iterator[Finding]:
    """The findings on one manager's commands in one stage; each carries the one fix for all of them. `pending` says that apt has
    no mounts yet in a stage below, where its configuration is to be changed if it is at all."""
    family = group[0][2].manager.family
    lacking: dict[int, tuple[Run, Use]] = {}
    for index, run, use in group:
        if family == "apt" and use.action == "update":
            filling = any(at == index and other.action in _FILLING for at, _, other in group)
        else:
            filling = _needs(use) if family in _STORES else use.action in _FILLING
        # The command to speak of is the install, not the update before it.
        known = lacking.get(index)
        if filling and (known is None or known[1].action not in _FILLING) and not _has_mount(build, index, use):
            lacking[index] = (run, use)
    if not any(use.action in _FILLING for _, use in lacking.values()):
        return
    refusal, agree, members = _members(build, stage, lacking)
    if not refusal and not policy.has_mounts(build):
        old = policy.frontend(build)
        agree = f"the frontend `{old}` has no mounts, so the syntax line names `{_FRONTEND}`"
        if not _OLD_FRONTEND.fullmatch(old):
            refusal = f"the frontend `{old}` has no mounts"
    if not refusal:
        refusal, other = _why_not(build, stage, family, members, group)
        agree = agree or other
    if not refusal and pending and family == "apt":
        refusal = "the stage that this one stands on comes first"
    fix: Fix | None = None
    if not refusal:
        fix, refusal = _fix(build, stage, family, members, agree)
    for index, (run, use) in lacking.items():
        where = " and ".join(
            f"`{path}`" for member in members if member.instruction == index for _, path in member.missing
        )
        yield Finding(
            caches.span_of(run, use),
            f"`{caches.label(use)}` downloads all again whenever its layer is built anew -> mount a cache"
            + (f" on {where}" if where else ""),
            fix,
            Saving(
                "the downloads, at each rebuild on a builder that keeps its cache mounts; nothing on a fresh CI runner",
                source="",
            ),
            (),
            refusal,
        )


def _needs(use: Use) -> bool:
    """Whether a command reads or fills the store of its manager."""
    if use.action in _FILLING:
        return True
    return use.action == "run" and use.manager.family not in ("pnpm", "conda")


def _has_mount(build: Build, index: int, use: Use) -> bool:
    """Whether a RUN has a mount for a manager already: at or above its folder, or one that is called after it."""
    places = caches.places(build, index, use, use.manager.mounts)
    assumed = caches.assumed_base(build, index)
    if assumed is not None:
        # Where the base image is not known, the mount stands where the fix took its folder to be.
        places = [*places, *caches.places(build, index, use, use.manager.mounts, assumed)]
    for _, path in places:
        if path is not None and layers.mounted(build, index, path):
            return True
    words = {_called(use)} | {posixpath.basename(folder.path).strip(".") for folder in use.manager.mounts}
    words -= {"cache", "caches", "lists", "packages", "wrapper", "db", "store", "repository"}
    for mount in caches.mounts(build, index):
        parts = {part.strip(".") for part in mount.target.lower().split("/")}
        parts.add(re.split(r"[-_.]", mount.options.get("id", "").lower())[0])
        if parts & words:
            return True
    return False


def _called(use: Use) -> str:
    """What a mount's id begins with: the managers of a family share their folders, but for pip and uv."""
    return use.manager.name if use.manager.family == "pip" else use.manager.family


def _members(build: Build, stage: Stage, lacking: dict[int, tuple[Run, Use]]) -> tuple[str, str, list[_Member]]:
    """The RUNs with the folders to mount; why they are not known, or what must be agreed to, else ""."""
    members = []
    agree = ""
    for index, (run, use) in lacking.items():
        family = use.manager.family
        folders = caches.mount_folders(build, index, use)
        assumed = caches.assumed_base(build, index) if family not in _BY_BASE else None
        if family in ("go", "cargo"):
            assumed = caches.assumed_base(build, index)
            assumed = assumed if assumed is not None and assumed.repository else None
        if family == "apt" and build.is_shipped(stage) and not _keeps_archives(build, index):
            folders = (_KEPT, *folders[1:])
        found = caches.places(build, index, use, folders)
        if assumed is not None and any(path is None for _, path in found):
            found = caches.places(build, index, use, folders, assumed)
            agree = agree or (
                f"the base image is not known: it is taken for one like `{assumed.repository}`"
                if assumed.repository
                else "the base image is not known: it is taken to run as root, and to move no cache"
            )
        elif assumed is not None and family != "apk":
            assumed = None
        if family in packages.SYSTEM_FAMILIES and (
            use.has("--root") or any(layers.ELSEWHERE.search(word.text) for word in use.command.words)
        ):
            return f"`{caches.label(use)}` works in another root, or keeps its files elsewhere", "", []
        if family == "apk" and not _is_alpine(build, index):
            agree = agree or "the base image is not known: it is taken to be Alpine Linux"
        if family == "zypper":
            agree = agree or "what zypper made of its repositories is shared with other builds"
        if layers.YUM_FOLDER in (path for _, path in found):
            agree = agree or "yum takes repository metadata of some hours' age from the cache"
        if use.manager.name == "composer":
            found = found[:1]
            if not any(build.state(index).lookup(name)[0] for name in ("COMPOSER_CACHE_DIR", "COMPOSER_HOME")):
                agree = "which folder Composer takes depends on what the home folder holds"
        if use.manager.name in ("microdnf", "tdnf"):
            return f"which folder `{use.manager.name}` takes, and what it keeps there, hangs on its version", "", []
        if not found or any(path is None for _, path in found):
            return "it is not known where the cache is: that depends on the base image, the user or a variable", "", []
        missing = tuple((folder, path) for folder, path in found if path is not None)
        members.append(_Member(index, run, use, missing, assumed))
        who = caches.owner(build, index)
        if family not in packages.SYSTEM_FAMILIES and who.uid is None and assumed is None:
            user = build.state(index).user
            return (
                f"the numeric id of the user{f' `{user}`' if user else ''} is not known, and a mount is root's",
                "",
                [],
            )
        if who.uid and any(who.home is None or posixpath.dirname(path) != who.home.rstrip("/") for _, path in missing):
            agree = (
                agree or "the folders above the mount are root's while the RUN works, where they do not exist already"
            )
    return "", agree, members


def _is_alpine(build: Build, index: int) -> bool:
    base = build.state(index).base
    return base is not None and base.distribution == "alpine"


def _why_not(
    build: Build, stage: Stage, family: str, members: list[_Member], group: list[tuple[int, Run, Use]]
) -> tuple[str, str]:
    """Why there is no fix, and what must be agreed to where there is one."""
    line = build.syntax.source.line_of
    paths = tuple(dict.fromkeys(path for member in members for _, path in member.missing))
    if _KEPT.path in paths:
        # Archives that are no longer where apt has them.
        paths += (posixpath.dirname(_KEPT.path),)
    taken = layers.copied_from(build, stage, paths)
    if taken is not None:
        return f"the folder is needed: {taken.why}", ""
    for member in members:
        for use in member.run.uses:
            if use.manager.mounts == member.use.manager.mounts and use.prefix and use.prefix[0] == "sudo":
                return "`sudo` may change the user and with it the folder", ""
        why = _moved(build, member, family) or _refused_by_manager(build, member)
        if why:
            return why, ""
        off = caches.switched_off(build.state(member.instruction), member.use)
        if off:
            return f"`{off}` is set, which switches the cache off", ""
    for index, run, use in group:
        why = _offline(build, index, use)
        if why:
            place = line(run.span(use.command.start, use.command.end).start)
            return f"{why} (line {place}), and a cache may be empty at any time", ""
    for index in _seeing(build, stage, members[0].instruction):
        own = next((member for member in members if member.instruction == index), None)
        why = caches.named(build, index, paths, mounted=own is not None and family in _STORES)
        if why:
            return why, ""
    for member in members:
        for one in layers.brought(build, member.instruction):
            why = lists.at_run_time(build, stage, one) if one.kind == "lists" and one.use is not None else ""
            if why and one.use is not None and one.use.manager.family == family:
                return f"{why}, and the image would have no lists", ""
    if family == "apt":
        return _why_not_apt(build, stage, members, group)
    if family in _STORES:
        return _why_not_store(build, stage, family, members, paths)
    mounted = {member.instruction for member in members}
    for index, one in _lists_elsewhere(build, members):
        found = lists.readers(build, index, one)
        other = next((reader for reader in found.certain if reader.instruction not in mounted), None)
        if other is not None:
            return f"`{caches.label(other.use)}` in another RUN counts on the lists, which go to the mount", ""
        if found.conditional or found.doubt:
            return "", f"{found.conditional or found.doubt}, and the lists go to the mount"
    return "", ""


def _lists_elsewhere(build: Build, members: list[_Member]) -> Iterator[tuple[int, layers.Brought]]:
    """The package lists that a RUN leaves outside the folder to mount, and in it once that is there: apk's index, which an install
    fetches too where there is none."""
    for member in members:
        mounted = tuple(path for _, path in member.missing)
        state = build.state(member.instruction)
        for use in member.run.uses:
            if use.manager is not member.use.manager or use.no_cache or use.action not in (*_FILLING, "update"):
                continue
            for folder in use.manager.lists:
                path = packages.locate(folder, state.home, layers.environment(state), use)
                if path is not None and not any(layers.overlaps(one, path) for one in mounted):
                    place = use.command
                    yield (
                        member.instruction,
                        layers.Brought(member.instruction, "lists", path, place.start, place.end, use),
                    )


def _seeing(build: Build, stage: Stage, first: int) -> list[int]:
    return [first, *layers.later(build, first)]


def _moved(build: Build, member: _Member, family: str) -> str:
    """Why the folder may be another one than the variables say."""
    for start, end in _chain(build, member.instruction) if _moves(build) else ():
        found = _MOVED.search(build.syntax.source.text, start, end)
        if found is not None:
            return f"line {build.syntax.source.line_of(found.start())} configures where the cache is"
    names = {"HOME", *(name for folder, _ in member.missing for name in folder.variables)}
    for command in member.run.commands:
        words = command.simple.words
        set_here = {one.name for one in command.simple.assignments} if not words else set()
        if words and words[0].value in ("export", "declare", "readonly"):
            set_here = {word.text.partition("=")[0] for word in words[1:]}
        if set_here & names:
            return f"`{sorted(set_here & names)[0]}` is set inside the RUN"
    return ""


@once
def _moves(build: Build) -> bool:
    """Whether anything in the file configures where a cache is; most files have no such thing, and are long."""
    text = build.syntax.source.text
    # The long pattern takes longer to be compiled than the rest of a check of a short file.
    return _MAY_MOVE.search(text) is not None and _MOVED.search(text) is not None


def _root(build: Build, index: int) -> int:
    """The index of the stage at the bottom of an instruction's stage."""
    stage = build.stage(index)
    assert stage is not None, "a RUN in no stage"
    while stage.base.stage is not None:
        stage = build.stages[stage.base.stage]
    return stage.index


def _refused_by_manager(build: Build, member: _Member) -> str:
    """What a manager does with its cache that a mount would break."""
    use, state = member.use, build.state(member.instruction)
    if use.manager.name == "uv":
        mode = use.value_of("--link-mode")
        is_set, value = state.lookup("UV_LINK_MODE") if not use.has("--link-mode") else (True, mode)
        is_set = is_set and (member.assumed is None or value is not None or use.has("--link-mode"))
        if is_set and value not in ("copy", "hardlink", "clone"):
            return "uv may link to the cache instead of copying from it (`UV_LINK_MODE`)"
    if use.manager.name == "pnpm" and re.search(
        r"package[-_]import[-_]method|enable[-_]?global[-_]?virtual[-_]?store", build.syntax.source.text, re.I
    ):
        return "hard links and the global virtual store of pnpm do not reach into a mount"
    if use.manager.name == "yarn":
        text = build.syntax.source.text
        if re.search(r"corepack|\.yarn\b|\.yarnrc\.yml|--immutable|yarn set version|berry", text, re.I):
            return "Yarn 2 and later may run packages from this folder"
    if use.manager.name == "composer" and use.verb.startswith("global"):
        return "a mount in Composer's home may change where it installs global packages"
    return ""


def _offline(build: Build, index: int, use: Use) -> str:
    """By what a command gets nothing from the network, "" where it may."""
    for flag in build.instructions[index].flags:
        if flag.name == "network" and flag.value == "none":
            return "`--network=none`"
    if use.has(*_OFFLINE.get(use.manager.family, ("--offline", "--cacheonly", "--cache-only"))):
        return f"`{caches.label(use)}` counts on what an earlier command fetched"
    state = build.state(index)
    own = dict(use.environment)
    for name, off in _OFFLINE_VARIABLES.items():
        value = own[name] if name in own else state.lookup(name)[1]
        if value is not None and value.lower() == off:
            return f"`{name}={value}`"
    return ""


def _why_not_store(
    build: Build, stage: Stage, family: str, members: list[_Member], paths: tuple[str, ...]
) -> tuple[str, str]:
    """Why a mount on a folder that later commands build from would break something: all who work with it must have the mount."""
    root = build.stages[_root(build, members[0].instruction)]
    tree = [root, *build.children(root)]
    mounted = {member.instruction for member in members}
    doubt = ""
    for one in tree:
        for index in one.indexes:
            if index in mounted or build.instructions[index].name not in ("RUN", "COPY", "ADD"):
                continue
            if any(layers.mounted(build, index, path) for path in paths):
                continue
            run = build.run(index)
            for use in run.uses if run is not None else ():
                if use.manager.family == family and _needs(use):
                    return f"`{caches.label(use)}` in another stage works with it too", ""
            veto = layers.touches(build, index, paths, families=(family,))
            if veto is not None and not veto.certain and build.instructions[index].name != "RUN":
                doubt = doubt or f"{veto.why}, and it may need what the mount holds"
            elif veto is not None:
                return f"{veto.why}, and it may need what the mount would hold", ""
    for one in tree:
        for index in one.indexes:
            instruction = build.instructions[index]
            if instruction.name in ("CMD", "ENTRYPOINT", "HEALTHCHECK") and re.search(
                r"\b(?:go|cargo|mvnw?|gradlew?|dotnet run|dotnet watch|dotnet test|pnpm|conda|mamba)\b",
                instruction.body.text,
            ):
                return "the image runs its packages from this folder, or may", ""
    if any(build.is_shipped(one) for one in tree):
        return "", "what is in the mount is not in the image: nothing may need it at run time"
    return "", doubt


def _why_not_apt(
    build: Build, stage: Stage, members: list[_Member], group: list[tuple[int, Run, Use]]
) -> tuple[str, str]:
    """Why mounts on apt's folders would break something, or what must be agreed to: the lists must be fetched in the RUN that
    needs them."""
    agree = ""
    for index, run, use in group:
        if not use.needs_lists:
            continue
        before = [
            other
            for at, _, other in group
            if at == index and other.action == "update" and other.command.start < use.command.start
        ]
        if not before:
            place = build.syntax.source.line_of(caches.span_of(run, use).start)
            return f"`{caches.label(use)}` on line {place} has no update in its own RUN", ""
    left = {one.path for member in members for one in layers.brought(build, member.instruction) if one.kind == "lists"}
    if left:
        for chain in (
            range(members[0].instruction + 1, stage.last + 1),
            *(child.indexes for child in build.children(stage)),
        ):
            for index in chain:
                if any(index == member.instruction for member in members):
                    continue
                # From an update of its own on, a RUN has other lists.
                renewed = _first_update(build, index)
                veto = layers.touches(build, index, tuple(left), renewed, families=("apt",))
                if veto is not None and veto.certain:
                    return f"{veto.why}, and it may need the lists", ""
                if veto is not None and not agree:
                    agree = f"{veto.why}, and it may need the lists"
                if renewed is not None:
                    break
    return "", agree


def _first_update(build: Build, index: int) -> int | None:
    """Where in its script a RUN first fetches apt's lists, if it does so in any case."""
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    if run is None or any(step.operator == "||" for step in run.script.steps):
        return None
    for command in run.commands:
        if command.use is not None and command.use.manager.family == "apt" and not command.nesting:
            return command.simple.start if command.use.action == "update" else None
    return None


# ---------------------------------------------------------------------------------------------------------- the fix


def _fix(build: Build, stage: Stage, family: str, members: list[_Member], agree: str) -> tuple[Fix | None, str]:
    edits: list[Edit] = []
    effects: list[Effect] = []
    removed: dict[str, None] = {}
    made: dict[str, None] = {}
    for member in members:
        values = []
        for folder, path in member.missing:
            value, told = _mount(build, stage, member, folder, path)
            if not told and not agree:
                agree = "other projects and other versions of the base image share the cache"
            values.append(value)
            removed[path] = None
            made.update(dict.fromkeys(caches.above(build, member.instruction, path)))
            effects.append(AddsMount(member.instruction, value))
        edits.append(rewrite.add_flags(build, member.instruction, [f"--mount={value}" for value in values]))
        # The fix owns the RUN to its end: what another would add there may contradict the mount.
        end = member.run.span(member.run.script.start, member.run.script.end).end
        edits.append(Edit(Span(end, end), ""))
        targets = tuple(path for _, path in member.missing)
        for one in caches.contradictions(build, member.instruction, targets, member.assumed):
            if not one.edits:
                return None, f"{one.what}, and {one.refusal}"
            edits += one.edits
            effects += one.effects
        told_to, refusal = _switching_on(build, stage, member)
        if refusal:
            return None, refusal
        edits += told_to[0]
        effects += told_to[1]
    if family == "apt" and not build.is_shipped(stage):
        added, refusal = _keeping_archives(build, stage, members[0])
        if refusal:
            return None, refusal
        if added is not None:
            edits.append(added[0])
            effects += added[1]
    if not policy.has_mounts(build):
        for directive in build.syntax.directives:
            if directive.name == "syntax":
                edits.append(Edit(directive.value_span, _FRONTEND))
                effects.append(ChangesDirective("syntax", directive.value, _FRONTEND))
    edits.sort()
    if any(one.span.end > two.span.start for one, two in pairwise(edits)):
        return None, "what contradicts the mount cannot be taken out in one go"
    images = (stage, *build.children(stage))
    # A folder of the mount's own was never in the image.
    kept = {path: None for path in removed if path != _KEPT.path}
    gone = tuple(pattern for path in kept for pattern in (path, path + "/**"))
    made.update((one.path + "/**", None) for _, one in _lists_elsewhere(build, members))
    for image in images:
        # BuildKit takes the places that it makes for mounts away again, with the folders above that it made (tried).
        effects.append(Removes((*made, *gone), image.index))
        if family in packages.SYSTEM_FAMILIES:
            # What the base image has there stays, which a deletion in the RUN took away (tried: apt's `lists/partial`).
            effects.append(Adds(gone, image.index))
    where = " and ".join(f"`{path}`" for path in removed)
    because = (
        f"to agree: {agree}"
        if agree
        else "what is there is only a copy of what was downloaded, and nothing else reads it"
    )
    if not agree and family == "apt":
        because = "each install fetches the lists in its own RUN" + (
            ", and the image's configuration stays as it is"
            if build.is_shipped(stage)
            else ", and this stage's files are thrown away"
        )
    if not agree and family in ("apk", "dnf"):
        because = "each RUN asks for the newest lists, and the image's configuration stays as it is"
    if not agree and family in _STORES:
        because = "every RUN that works with it gets the mount, and this stage's files are thrown away"
    return Fix(f"mount a cache on {where}", tuple(edits), not agree, because, tuple(effects)), ""


def _switching_on(build: Build, stage: Stage, member: _Member) -> tuple[tuple[list[Edit], list[Effect]], str]:
    """The options by which the commands of a RUN keep what they download in the mount, and trust no old lists in it."""
    edits: list[Edit] = []
    effects: list[Effect] = []
    for use in member.run.uses:
        manager = use.manager
        if manager.family != member.use.manager.family or use.action not in _FILLING:
            continue
        flags: tuple[str, ...] = ()
        if manager.family == "apt" and any(folder is _KEPT for folder, _ in member.missing):
            flags = (f"-oDir::Cache::archives={posixpath.basename(_KEPT.path)}",)
            if manager.name != "apt-get":
                # Of itself only apt-get keeps what it has installed.
                flags += ("-oAPT::Keep-Downloaded-Packages=true",)
        elif manager.family == "dnf" and any(path == layers.YUM_FOLDER for _, path in member.missing):
            flags = manager.keep_flags
        elif manager.family in ("apk", "dnf") and not (manager.family == "apk" and use.no_cache):
            flags = (*caches.fresh_flags(member.run, use), *manager.keep_flags)
        flags = tuple(flag for flag in flags if flag not in {word.value for word in use.command.words})
        added = caches.with_flags(member.instruction, member.run, use, flags)
        if added is None:
            return ([], []), "it is not known where another option may stand"
        edits += added[0]
        effects += added[1]
    return (edits, effects), ""


def _mount(build: Build, stage: Stage, member: _Member, folder: Folder, path: str) -> tuple[str, bool]:
    """A mount's value, and whether its id tells apart all that the folder's content depends on."""
    for index in stage.indexes:
        if build.instructions[index].name == "RUN":
            for mount in caches.mounts(build, index):
                if mount.target == path:
                    # The author's own mount of this folder: the same cache.
                    return mount.value, True
    who = caches.owner(build, member.instruction)
    told = "project" not in folder.identity
    name = _called(member.use)
    leaf = posixpath.basename(path).strip(".")
    identity = leaf if leaf.startswith(name) else f"{name}-{leaf}"
    parts = []
    if {"distribution", "language"} & set(folder.identity):
        image = _image(build, stage)
        told = told and image is not None
        if image:
            parts.append(image)
        if "TARGETARCH" in dict(build.state(member.instruction).arguments):
            parts.append("$TARGETARCH")
    if who.uid:
        parts.append(str(who.uid))
    options = ["type=cache"]
    if parts:
        options.append("id=" + "-".join((identity, *parts)))
    options.append(f"target={path}")
    if member.use.manager.sharing != "shared":
        options.append(f"sharing={member.use.manager.sharing}")
    if who.uid:
        options.append(f"uid={who.uid}")
        if who.gid is not None:
            options.append(f"gid={who.gid}")
    return ",".join(options), told


def _image(build: Build, stage: Stage) -> str | None:
    """The image at the bottom of a stage in words that an id may hold (`python-3.12-slim`); None where it is not known."""
    root = build.stages[_root(build, stage.first)]
    if root.image is None or root.base.kind != "image":
        return None
    repository, tag = bases.repository_of(root.image)
    digest = root.image.partition("@sha256:")[2][:12]
    # The host says where the image comes from, the path which one it is: `ubi9/ubi`.
    host, _, path = repository.partition("/")
    if "." in host or ":" in host or host == "localhost":
        repository = path.removeprefix("library/") or host
    return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(filter(None, (repository, tag or digest or "latest"))))


def _chain(build: Build, index: int) -> Iterator[Span]:
    """The places of a stage up to instruction `index`, its end included, and of all stages that it stands on."""
    stage, last = build.stage(index), index
    while stage is not None:
        yield Span(build.instructions[stage.first].span.start, build.instructions[last].span.end)
        stage = build.stages[stage.base.stage] if stage.base.stage is not None else None
        last = stage.last if stage is not None else 0


def _keeps_archives(build: Build, index: int) -> bool:
    """Whether the file itself has seen to docker-clean before an instruction."""
    text = "\n".join(build.syntax.source.text[slice(*span)] for span in _chain(build, index))
    return "docker-clean" in text or "Keep-Downloaded-Packages" in text


def _keeping_archives(
    build: Build, stage: Stage, member: _Member
) -> tuple[tuple[Edit, tuple[Effect, ...]] | None, str]:
    """The commands by which apt keeps what it downloads, before its first command; None where the file has seen to that."""
    if _keeps_archives(build, member.instruction):
        return None, ""
    state = build.state(member.instruction)
    if not (state.is_root or state.user is None):
        return None, "only root can make apt keep its archives"
    steps = member.run.script.steps
    first = None
    for number, step in enumerate(steps):
        inner = [
            command
            for command in member.run.commands
            if step.pipeline.start <= command.simple.start < step.pipeline.end
        ]
        if any(command.use is not None and command.use.manager.family == "apt" for command in inner):
            first = number
            break
    if first is None:
        return None, "it is not known when apt runs"
    following = steps[first + 1].operator if first + 1 < len(steps) else ""
    operator = steps[first].operator or "&&"
    if operator not in ("&&", ";", "\n") or following == "||" or (first == 0 and following not in ("", "&&")):
        return None, "nothing can be put before apt's first command without a change of when the others run"
    if operator == "\n":
        return None, "commands on lines of their own are not added to"
    edit = rewrite.insert_commands(
        build, member.instruction, first, [" ".join(words) for words in _DOCKER_CLEAN], operator
    )
    effects: list[Effect] = [AddsCommand(member.instruction, first - 1, operator, words) for words in _DOCKER_CLEAN]
    for image in (stage, *build.children(stage)):
        effects.append(Removes(("/etc/apt/apt.conf.d/docker-clean",), image.index))
        effects.append(Adds(("/etc/apt/apt.conf.d/keep-cache",), image.index))
    return (edit, tuple(effects)), ""


# --------------------------------------------------------------------------------------------------- what cargo compiles

# These write below `target`.
_COMPILING = (
    "build",
    "check",
    "rustc",
    "run",
    "test",
    "bench",
    "doc",
    "clippy",
    "install",
    "fix",
    "chef cook",
    "package",
)

_BINARIES = "/usr/local/bin"


class _Named(NamedTuple):
    """A place that names an artefact of cargo: a word of the COPY or CMD `instruction`, whose text is `written`."""

    instruction: int
    written: str
    path: str
    span: Span


def _compiled(build: Build, stage: Stage) -> Iterator[Finding]:
    """The finding that cargo compiles all dependencies again, where a mount can hold them and each artefact is known by name: the
    RUN itself copies these out of the mount, and who named them in it names the copy."""
    found = [
        (index, run, command)
        for one in build.chain(stage)
        for index in one.indexes
        if (run := build.run(index) if build.instructions[index].name == "RUN" else None) is not None
        for command in run.commands
        if command.use is not None and command.use.manager.name == "cargo" and command.use.verb in _COMPILING
    ]
    if len(found) != 1 or not policy.has_mounts(build):
        return
    index, run, command = found[0]
    use, state = command.use, build.state(index)
    assumed = caches.assumed_base(build, index)
    if use is None or use.verb != "build" or command.nesting or use.prefix or use.directories or state.workdir is None:
        return
    if not state.is_root and assumed is None:
        return
    if use.has("--target-dir", "--manifest-path", "--artifact-dir", "--out-dir") or layers.moves(run):
        return
    own = dict(use.environment)
    if any(
        name in own or state.environment.sets(name) or state.arguments.sets(name)
        for name in ("CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR")
    ):
        return
    target = posixpath.join(state.workdir, "target")
    if index not in stage.indexes or _brought_along(build, stage, index, target):
        return
    if layers.mounted(build, index, target) or not rewrite.can_append(build, index) or build.children(stage):
        return
    named = _named(build, stage, target)
    if not named or any(layers.touches(build, later, (target,)) for later in range(index + 1, stage.last + 1)):
        return
    paths = tuple(dict.fromkeys(one.path for one in named))
    copies = {path: f"{_BINARIES}/{posixpath.basename(path)}" for path in paths}
    body = build.syntax.source.text[
        build.instructions[stage.first].span.start : build.instructions[stage.last].span.end
    ]
    if len(set(copies.values())) < len(paths) or any(copy in body for copy in copies.values()):
        return
    fix = _copied_out(build, stage, index, run, use, target, named, copies)
    if fix is not None:
        yield Finding(
            caches.span_of(run, use),
            f"`{caches.label(use)}` compiles all again whenever its layer is built anew -> mount a cache on `{target}`, "
            "and copy the artefact out of it",
            fix,
            Saving(
                "the time to compile dependencies, at each rebuild on a builder that keeps its cache mounts", source=""
            ),
        )


def _brought_along(build: Build, stage: Stage, index: int, target: str) -> bool:
    """Whether something before the RUN may have put there what cargo is to start from (`COPY --from=cacher target target`), which a
    mount would hide. What the build context has there is not meant."""
    for one in build.chain(stage):
        for earlier in one.indexes:
            instruction = build.instructions[earlier]
            if earlier >= index or instruction.name not in ("RUN", "COPY", "ADD"):
                continue
            copy = build.copy(earlier)
            if copy is not None and copy.origin is None and instruction.name == "COPY" and copy.destination is not None:
                continue
            veto = layers.touches(build, earlier, (target,))
            if veto is not None and (veto.certain or instruction.name != "RUN"):
                return True
    return False


def _named(build: Build, stage: Stage, target: str) -> list[_Named]:
    """Who names files below cargo's folder: `COPY --from` in other stages, CMD and ENTRYPOINT in this one; none where that is not
    known exactly."""
    found: list[_Named] = []
    text = build.syntax.source.text
    for reference in build.users(stage):
        copy = build.copy(reference.instruction)
        instruction = build.instructions[reference.instruction]
        if instruction.name != "COPY" or copy is None or copy.sources is None:
            return []
        for source, word in zip(copy.sources, instruction.words):
            path = posixpath.normpath("/" + source.lstrip("/"))
            if not layers.overlaps(path, target):
                continue
            written = text[word.span.start : word.span.end]
            if (
                not path.startswith(target + "/")
                or written != source
                or set(source) & set("*?[")
                or source.endswith("/")
            ):
                return []
            found.append(_Named(reference.instruction, written, path, word.span))
    for index in stage.indexes:
        instruction = build.instructions[index]
        if (
            instruction.name in ("CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD", "VOLUME")
            and "target" in instruction.body.text
        ):
            for argument in (
                instruction.arguments if instruction.json and instruction.name in ("CMD", "ENTRYPOINT") else ()
            ):
                path = posixpath.normpath(posixpath.join(build.state(stage.last).workdir or "/", argument))
                if path.startswith(target + "/"):
                    quoted = f'"{argument}"'
                    start = text.find(quoted, instruction.span.start, instruction.span.end)
                    if start < 0 or text.count(quoted, instruction.span.start, instruction.span.end) > 1:
                        return []
                    found.append(_Named(index, argument, path, Span(start + 1, start + 1 + len(argument))))
            if not instruction.json or instruction.body.text.count("target/") != sum(
                one.instruction == index for one in found
            ):
                return []
    # A name without an ending is a program's; a folder would look the same, and `deps`, `build` are cargo's own.
    return (
        found
        if all(re.fullmatch(r".*/(?:release|debug)/[\w.-]+", one.path) and _is_program(one.path) for one in found)
        else []
    )


def _is_program(path: str) -> bool:
    return posixpath.basename(path) not in (
        "deps",
        "build",
        "examples",
        "incremental",
        ".fingerprint",
        "release",
        "debug",
    )


def _copied_out(
    build: Build, stage: Stage, index: int, run: Run, use: Use, target: str, named: list[_Named], copies: dict[str, str]
) -> Fix | None:
    workdir = build.state(index).workdir or "/"
    image = _image(build, stage)
    # Two projects may have one folder name: the artefact's name tells them apart, as far as anything here does.
    parts = ["cargo-target", posixpath.basename(next(iter(copies)))] + ([image] if image else [])
    if "TARGETARCH" in dict(build.state(index).arguments):
        parts.append("$TARGETARCH")
    value = f"type=cache,id={'-'.join(parts)},target={target},sharing=locked"
    operator = rewrite.joint(build, index)
    commands = [("cp", posixpath.relpath(path, workdir), copy) for path, copy in copies.items()]
    appended = rewrite.append_commands(build, index, [rewrite.Added(" ".join(words)) for words in commands], operator)
    if appended is None or any(re.search(r"[^\w./+-]", word) for words in commands for word in words):
        return None
    edits = [rewrite.add_flags(build, index, [f"--mount={value}"]), appended]
    effects: list[Effect] = [AddsMount(index, value)]
    effects += (AddsCommand(index, None, operator.replace("\n", ";"), words) for words in commands)
    for one in named:
        edits.append(Edit(one.span, copies[one.path]))
        instruction = build.instructions[one.instruction]
        if instruction.name == "COPY":
            effects.append(ChangesSource(one.instruction, one.written, copies[one.path]))
        else:
            after = (copies[one.path] if argument == one.written else argument for argument in instruction.arguments)
            key = instruction.name.title()
            effects.append(ChangesConfig(stage.index, key, json_text(instruction.arguments), json_text(after)))
    effects.append(Removes((target, target + "/**"), stage.index))
    effects.append(Adds(tuple(copies.values()), stage.index))
    because = "to agree: the artefact has another path, and cargo goes by the times of files, so an older source may count as built"
    return Fix(
        f"mount a cache on `{target}` and copy the artefact out of it",
        tuple(sorted(edits)),
        False,
        because,
        tuple(effects),
    )
