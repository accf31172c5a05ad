"""Installs and builds that leave in a layer of the image what their package manager downloaded: out by flag, else by clean-up."""

import re
from collections.abc import Iterator

from dfopt import caches, layers, policy, rewrite, sizes
from dfopt.build import Build, Run, Stage
from dfopt.packages import Folder, Use
from dfopt.rule import Adds, AddsCommand, AddsWord, Effect, Finding, Fix, Given, Removes, Saving
from dfopt.startup import NamedTuple, pattern

_FILLING = ("install", "upgrade", "download", "build")

# What these keep is also what later builds, and some programs, work with: not only a copy.
_STORES = frozenset(("go", "cargo", "maven", "gradle", "nuget"))

# What of it a later layer cannot take away is for other rules: indexes with their packages (`dnf clean all`), Alpine's.
_WITH_LISTS = frozenset(("dnf", "zypper", "apk"))

# In a CMD or ENTRYPOINT: what fetches packages when the container starts.
_RUNNERS = pattern(r"\b(?:npx|bunx|uvx|pipx|pnpx|dlx)\b")
_FETCHING = r"\b(?:%s)\b[\s\",]+(?:-\S+[\s\",]+)*(?:install|ci|i|add|exec|x|dlx|sync|update|create|require|download|run\s+--with)\b"
_WORDS = {
    "pip": "pip3?|uv|uv pip", "npm": "npm", "yarn": "yarn", "pnpm": "pnpm", "bun": "bun", "poetry": "poetry", "pipenv": "pipenv",
    "conda": "conda|mamba|micromamba", "gem": "gem|bundler?", "composer": "composer", "apt": "apt|apt-get|aptitude",
}  # fmt: skip
_BUILDING = {
    "go": r"\bgo\b", "cargo": r"\bcargo\b", "maven": r"\bmvnw?\b", "gradle": r"\bgradlew?\b", "nuget": r"\bdotnet[\s\",]+(?:run|watch|test|build|publish|msbuild)\b",
}  # fmt: skip

# What runs a command as the same user, from the same folder, so that the clean-up may be called in the same way.
_PLAIN_PREFIXES = frozenset(("python", "python3", "corepack", "time", "command", "env", "exec"))


class _Kept(NamedTuple):
    """What commands of one family leave in a RUN: the last of them, what each of them keeps, and where (None: not known)."""

    use: Use
    filling: tuple[Use, ...]
    folders: tuple[tuple[Folder, str | None], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for _, path in self.folders if path is not None)

    @property
    def known(self) -> bool:
        return all(path is not None for _, path in self.folders)


def check(build: Build, given: Given) -> Iterator[Finding]:
    if policy.cache(build, given) != "clean":
        return
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            families: dict[str, list[Use]] = {}
            for use in run.uses if run is not None else ():
                if use.manager.family in _WITH_LISTS or not _leaves(build, index, use):
                    continue
                if run is not None and use.manager.no_cache_flags:
                    found = _flagged(build, stage, index, run, use)
                    if found is not None:
                        yield found
                else:
                    families.setdefault(use.manager.family, []).append(use)
            for uses in families.values():
                found = _unclean(build, stage, index, run, tuple(uses)) if run is not None else None
                if found is not None:
                    yield found


def _leaves(build: Build, index: int, use: Use) -> bool:
    """Whether a command may leave downloads behind."""
    if use.action not in _FILLING or not use.fills_caches or caches.switched_off(build.state(index), use):
        return False
    if use.has("--offline") or _without_network(build, index):
        return False
    if use.has("--download-only", "--print-uris", "--simulate", "--dry-run"):
        return False  # nothing is fetched, or it is fetched to be kept
    if use.manager.family == "nuget" and use.has("--no-restore", "--no-build"):
        return False
    if use.manager.family == "gem" and use.action == "download":
        return False  # into the project's own vendor/cache
    return use.manager.family != "apt" or caches.keeps_archives(build, index, use.command.start)


# ------------------------------------------------------------------------------------------------------- by flag


def _flagged(build: Build, stage: Stage, index: int, run: Run, use: Use) -> Finding | None:
    flag = use.manager.no_cache_flags[0]
    located = caches.places(build, index, use, use.manager.caches)
    kept = _Kept(use, (use,), tuple(located))
    if _is_out(build, stage, index, kept):
        return None
    message = f"`{caches.label(use)}` leaves its downloads in the layer -> add `{flag}`"
    span, saves = caches.span_of(run, use), _saves(build, index, use)
    verb = caches.behind_verb(use)
    if verb is None:
        return Finding(span, message, None, saves, (), "it is not known where the flag may stand")
    word = use.command.words[verb]
    edit = rewrite.add_word_behind(run, word.start, word.end, flag)
    refusal = _refused(build, stage, index, kept, use.command.end)
    if not refusal and use.manager.name == "uv" and _links(build, index, use):
        refusal = "uv links to the cache, or keeps the script's environment there"
    if refusal:
        return Finding(span, message, None, saves, (), refusal)
    agreed = "" if kept.known else "it is not known where the cache is"
    if not agreed and caches.uncertain(build, index, use):
        agreed = "a word that is not known may move the cache"
    if not agreed and use.manager.name == "composer":
        agreed = "an old Composer may not know the flag"
    agreed = agreed or _fetched_at_start(build, stage, use)
    effects: list[Effect] = [AddsWord(index, word.end, (flag,))]
    for image in (stage, *build.children(stage)):
        for path in kept.paths:
            # Nothing else need have made the folders above, such as ~/.cache.
            effects.append(Removes((*caches.above(build, index, path), path, path + "/**"), image.index))
        if use.manager.name == "uv":
            # Where it builds without a cache it leaves locks of its temporary folder (built).
            folder = build.state(index).lookup("TMPDIR")[1] or "/tmp"
            effects.append(Adds((f"{folder.rstrip('/')}/uv-*.lock",), image.index))
    because = f"to agree: {agreed}" if agreed else _BECAUSE
    return Finding(span, message, Fix(f"add `{flag}`", (edit,), not agreed, because, tuple(effects)), saves)


_BECAUSE = "what goes is only a copy of what was downloaded, and nothing else reads it"


def _saves(build: Build, index: int, use: Use) -> Saving:
    if use.manager.family in _STORES:
        return Saving("what the build downloaded and kept for the next one")
    if use.manager.name == "pnpm":
        return Saving("what the registry says of each package")
    known = sizes.caches(use.manager.family, build.state(index).base)
    return Saving("the packages as downloaded, beside the installed ones", *known)


def _links(build: Build, index: int, use: Use) -> bool:
    """Whether uv makes its result depend on the cache: by symbolic links, or by a script's environment, which lies there."""
    if use.has("--script"):
        return True
    if use.has("--link-mode"):
        return use.value_of("--link-mode") not in ("copy", "hardlink", "clone")
    is_set, value = build.state(index).lookup("UV_LINK_MODE")
    # A base image that is not known mostly sets none.
    return (value == "symlink") or (is_set and value is None and build.state(index).environment.sets("UV_LINK_MODE"))


# --------------------------------------------------------------------------------------------------- by clean-up


def _unclean(build: Build, stage: Stage, index: int, run: Run, filling: tuple[Use, ...]) -> Finding | None:
    """The finding on commands of one family that leave their downloads in a RUN, on the last of them."""
    use = filling[-1]
    found = dict.fromkeys(pair for one in filling for pair in caches.kept(build, index, one))
    stored = use.manager.family in _STORES
    folders = tuple(
        (folder, path)
        for folder, path in found
        if path is None or not (stored and _in_earlier_layer(build, stage, index, use, path))
    )
    kept = _Kept(use, filling, folders)
    if not folders or _is_out(build, stage, index, kept):
        return None
    span, saves = caches.span_of(run, use), _saves(build, index, use)
    refusal = _refused(build, stage, index, kept, use.command.end) or _store_needed(build, stage, index, use)
    if stored and not refusal and all(one.action == "download" for one in filling):
        # Fetched for nobody in the file: for what runs in the container.
        return None
    words, why = _cleaning(build, index, kept)
    start = f"`{caches.label(use)}` leaves {'what it fetched or built' if stored else 'its downloads'} in the layer"
    if words is None:
        return Finding(
            span, f"{start} -> delete {'it' if stored else 'them'} in the same RUN", None, saves, (), refusal or why
        )
    command = " ".join(words)
    message = f"{start} -> {'build in a stage of its own' if stored and refusal else f'add `{command}` to the RUN'}"
    if refusal:
        return Finding(span, message, None, saves, (), refusal)
    step = _step(run, [one for one in run.uses if one.manager.family == use.manager.family])
    operator = rewrite.joint_behind(build, index, step)
    after = None if step + 1 == len(run.script.steps) else step
    edit = rewrite.append_commands(build, index, [rewrite.Added(command)], operator or "&&", after)
    if operator is None or edit is None:
        return Finding(span, message, None, saves, (), "nothing can be put behind it without a change of meaning")
    agreed = _agreed(build, stage, index, run, kept, words)
    effects: list[Effect] = [AddsCommand(index, after, operator.replace("\n", ";"), words)]
    for image in (stage, *build.children(stage)):
        effects += _gone(build, index, run, kept, words, image)
    because = f"to agree: {agreed}" if agreed else _BECAUSE
    return Finding(span, message, Fix(f"add `{command}`", (edit,), not agreed, because, tuple(effects)), saves)


def _in_earlier_layer(build: Build, stage: Stage, index: int, use: Use, path: str) -> bool:
    """Whether an earlier layer keeps the folder, so that deleting it here would only hide it."""
    family = use.manager.family
    for other in build.chain(stage):
        for at in other.indexes:
            run = build.run(at) if at < index and build.instructions[at].name == "RUN" else None
            for earlier in run.uses if run is not None else ():
                if earlier.manager.family == family and earlier.action in _FILLING:
                    folders = tuple(pair for pair in caches.kept(build, at, earlier) if pair[1] == path)
                    if folders and not _is_out(build, other, at, _Kept(earlier, (earlier,), folders)):
                        return True
    return False


def _step(run: Run, uses: list[Use]) -> int:
    """The index of the script's step that holds the last of the commands that may download."""
    last = max(use.command.start for use in uses if use.action in (*_FILLING, "run", "init"))
    return max(number for number, step in enumerate(run.script.steps) if step.pipeline.start <= last)


def _cleaning(build: Build, index: int, kept: _Kept) -> tuple[tuple[str, ...] | None, str]:
    """The words of the clean-up, or None and why there are none."""
    use = kept.use
    names = {name for folder, _ in kept.folders for name in folder.variables} | {"HOME"}
    if any(set(one.prefix) - _PLAIN_PREFIXES for one in kept.filling):
        return (
            None,
            f"`{next(name for one in kept.filling for name in one.prefix)}` may change the user and with it the folder",
        )
    if any(name in names for one in kept.filling for name, _ in one.environment):
        return None, "a variable of the command moves the folder"
    moved = any(one.has(name) for one in kept.filling for name in names if name.startswith("-"))
    commands = use.manager.clean_commands
    if use.manager.name == "yarn" and caches.yarn_version(build, index, use) == "2":
        commands = tuple((*words, "--all") for words in commands)
    if commands and not moved:
        called = tuple(word.text for word in use.command.words[: use.name_index + 1])
        there = {folder.path for folder, _ in kept.folders}
        # An option that empties one of several folders goes where nothing was left in that.
        idle = {
            need
            for cleaning in use.manager.cleanings
            for need in cleaning.needs
            if not there & set(cleaning.empties) and need.startswith("-")
        }
        return (*called, *(word for word in commands[0][1:] if word not in idle)), ""
    if not kept.known:
        return None, "it is not known where they are: that depends on the base image, the user or a variable"
    operands = dict.fromkeys(
        f"{path}/{folder.copies}" if folder.copies else path for folder, path in kept.folders if path
    )
    if any(re.search(r"[^\w./*+@:-]", operand) for operand in operands):
        return None, "the folder's name would have to be quoted"
    return ("rm", "-rf", *operands), ""


def _gone(build: Build, index: int, run: Run, kept: _Kept, words: tuple[str, ...], image: Stage) -> Iterator[Effect]:
    """What the clean-up changes in the image of a stage."""
    if words[0] == "rm":
        for operand in words[2:]:
            yield Removes((operand,) if "*." in operand else (operand, operand + "/**"), image.index)
        return
    paths = kept.paths
    if kept.use.manager.name == "pnpm":
        # The metadata, and what of the store no package is linked to.
        found = caches.places(build, index, kept.use, kept.use.manager.caches)
        paths = tuple(path for _, path in found if path is not None)
    for path in paths:
        yield Removes((path + "/**",) if kept.use.manager.family == "apt" else (path, path + "/**"), image.index)
    if kept.use.manager.name == "npm":
        # Each call of npm leaves a log, and the first one the folder that it lies in.
        for path in kept.paths:
            folder = path.rpartition("/")[0]
            added = (folder, folder + "/**") if _may_not_run(run, kept) else (f"{folder}/_logs/**",)
            yield Adds(added, image.index)
    if kept.use.manager.family == "apt":
        # `apt-get clean` makes these where they are missing.
        yield Adds(tuple(f"/var/lib/apt/lists/{name}" for name in ("auxfiles", "lock", "partial")), image.index)


def _agreed(build: Build, stage: Stage, index: int, run: Run, kept: _Kept, words: tuple[str, ...]) -> str:
    """What must be agreed to, "" where the clean-up is safe."""
    use = kept.use
    if use.manager.family in _STORES:
        return "nothing may build from it, or need it in another way, at run time"
    if not kept.known:
        return "it is not known where the cache is"
    if any(caches.uncertain(build, index, one) for one in kept.filling):
        return "a word that is not known may move the cache"
    version = caches.yarn_version(build, index, use) if use.manager.name == "yarn" else "1"
    if version != "1":
        return "no package may run from the folder, as Yarn 2 and later have it without `nodeLinker: node-modules`"
    if words[0] != "rm" and _may_not_run(run, kept):
        return "it runs also where the install does not, and fails without the package manager"
    return _fetched_at_start(build, stage, use)


def _may_not_run(run: Run, kept: _Kept) -> bool:
    """Whether one of the installs stands under a condition."""
    nested = {kind for command in run.commands if command.use in kept.filling for kind in command.nesting}
    return bool(nested - {"subshell", "group"})


# ------------------------------------------------------------------------------------------------- who needs it


def _is_out(build: Build, stage: Stage, index: int, kept: _Kept) -> bool:
    """Whether nothing stays in the layer, or it is another rule's to say: it is mounted, deleted in the RUN, or deleted too late."""
    paths = kept.paths
    if any(layers.mounted(build, index, path) or path.startswith(("/dev/", "/proc/", "/sys/")) for path in paths):
        return True
    if caches.emptied(build, index, kept.use, paths):
        return True
    return any(layers.deleted_later(build, stage, index, path) for path in paths)


def _refused(build: Build, stage: Stage, index: int, kept: _Kept, since: int) -> str:
    """Who needs the cache that the RUN leaves, "" where nobody does."""
    use, paths = kept.use, kept.paths
    taken = layers.copied_from(build, stage, paths)
    if taken is not None:
        return f"the cache is needed: {taken.why}"
    for other in (index, *layers.later(build, index)):
        why = caches.named(build, other, paths, since if other == index else -1)
        if why:
            return why
        run = build.run(other) if build.instructions[other].name == "RUN" else None
        for later in run.uses if run is not None else ():
            if other == index and later.command.start <= use.command.start:
                continue
            if later.manager.mounts == use.manager.mounts and (
                later.has("--offline") or _without_network(build, other)
            ):
                line = build.syntax.source.line_of(build.instructions[other].keyword_span.start)
                return f"the RUN on line {line} installs from the cache, without a network"
    return ""


def _without_network(build: Build, index: int) -> bool:
    return any(flag.name == "network" and flag.value == "none" for flag in build.instructions[index].flags)


def _store_needed(build: Build, stage: Stage, index: int, use: Use) -> str:
    """Which later command, or what runs in the container, works with what a build kept; "" where none is known to."""
    family = use.manager.family
    if family not in _STORES:
        return ""
    line_of = build.syntax.source.line_of
    for other in layers.later(build, index):
        run = build.run(other) if build.instructions[other].name == "RUN" else None
        for later in run.uses if run is not None else ():
            if later.manager.family == family and later.action not in ("clean", "query"):
                assert run is not None, "only a RUN that is read has commands"
                line = line_of(caches.span_of(run, later).start)
                return f"`{caches.label(later)}` on line {line} works with it"
    for instruction in _started(build, stage):
        if build.instructions[instruction].body and re.search(
            _BUILDING[family], build.instructions[instruction].body.text
        ):
            line = line_of(build.instructions[instruction].keyword_span.start)
            return f"the {build.instructions[instruction].name} on line {line} works with it"
    if family == "gradle" and not use.has("--no-daemon"):
        return "Gradle's daemon may still write there: `--no-daemon` ends it with the command"
    return ""


def _started(build: Build, stage: Stage) -> Iterator[int]:
    """What a container of the stage, or of one FROM it, runs, and what a build on top of it does."""
    for one in (*build.chain(stage), *build.children(stage)):
        for index in one.indexes:
            if build.instructions[index].name in ("CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD"):
                yield index


def _fetched_at_start(build: Build, stage: Stage, use: Use) -> str:
    """What installs packages when the container starts, and might take them from the cache; "" where nothing does."""
    words = _WORDS.get(use.manager.family)
    for index in _started(build, stage) if words else ():
        text = build.instructions[index].body.text
        if _RUNNERS.search(text) or re.search(_FETCHING % words, text):
            line = build.syntax.source.line_of(build.instructions[index].keyword_span.start)
            return f"the {build.instructions[index].name} on line {line} may take packages from the cache"
    return ""
