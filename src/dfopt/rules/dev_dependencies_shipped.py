"""Dependencies that only development and tests need, installed in the image that is shipped."""

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator

from dfopt import bases, caches, packages, projects, rewrite
from dfopt.build import Build, Command, Run, Stage, once
from dfopt.packages import Use
from dfopt.rule import (
    AddsCommand,
    Changes,
    DropsWord,
    Effect,
    Finding,
    Fix,
    Given,
    PackagesRemoved,
    Related,
    Removes,
    Saving,
)
from dfopt.source import Edit
from dfopt.startup import NamedTuple, pattern

# The verbs that install what the project declares, development dependencies too where nothing else is said.
_VERBS = {
    "npm": ("install", "ci"), "yarn": ("install",), "pnpm": ("install", "ci"), "bun": ("install", "ci"), "composer": ("install",),
    "poetry": ("install", "sync"), "uv": ("sync",), "bundler": ("install",),
}  # fmt: skip
_NODE = ("npm", "yarn", "pnpm", "bun")

# Options by which the author chooses what is installed, or with which nothing is.
_CHOSEN = pattern(
    r"--(?:(?:no-)?(?:dev|production|prod|optional)|only|omit|include|also|without|with|deployment|standalone|group|all-groups|only-.*"
    r"|no-group|no-default-groups|dev-only|all|global|dry-run|package-lock-only|lockfile-only|resolution-only|no-install|download-only"
    r"|help|version|focus)|-[gDd]"
)
_CONFIGURED = pattern(r"\bomit\b|production|without|deployment|\bonly\b", re.IGNORECASE)
# Variables beside those in the table by which ENV chooses.
_VARIABLES = {
    "npm": ("NPM_CONFIG_PRODUCTION", "npm_config_production", "NPM_CONFIG_OMIT", "npm_config_omit", "NPM_CONFIG_ONLY", "npm_config_only"),
    "yarn": ("YARN_PRODUCTION", "npm_config_production", "NPM_CONFIG_PRODUCTION"),
    "pnpm": ("npm_config_production", "NPM_CONFIG_PRODUCTION", "npm_config_omit", "NPM_CONFIG_OMIT"),
    "uv": ("UV_NO_DEFAULT_GROUPS", "UV_NO_GROUP"),
    "bundler": ("BUNDLE_DEPLOYMENT", "BUNDLE_ONLY"),
}  # fmt: skip

# Requirement files and extras for developers.
_FOR_DEVELOPERS = pattern(
    r"(?:^|[^a-z])(?:dev|devel|develop|development|test|tests|testing|lint|linting|typing)(?:$|[^a-z])", re.IGNORECASE
)

_OLD_POETRY = pattern(r"poetry==(?:0|1\.[01])\.")


class _After(NamedTuple):
    """The first command behind an install that may need development dependencies; `known` says that it is a script of the project's or a build tool."""

    instruction: int
    run: Run
    command: Command
    known: bool


def check(build: Build, given: Given) -> Iterator[Finding]:
    stage = build.final
    if stage is None or not projects.serves(build, stage):
        return
    for one in reversed(build.chain(stage)):
        for index in one.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in run.uses if run is not None else ():
                if run is not None:
                    yield from _use(build, given, stage, index, run, use)
            yield from _copied(build, index)


def _use(build: Build, given: Given, stage: Stage, index: int, run: Run, use: Use) -> Iterator[Finding]:
    name = use.manager.name
    if name == "pipenv" and use.action == "install" and use.has("--dev"):
        yield _pipenv(build, stage, index, run, use)
    elif use.manager.family == "pip" and use.action == "install" and use.verb != "sync":
        found = list(_pip(run, use))
        yield from found or _tools(build, given, stage, index, run, use)
    elif _brings(build, index, use) and not _taken_away(run, use):
        after = _needed_after(build, stage, index, use)
        if (
            after is not None
            and after.known
            and name in _NODE
            and projects.node_major(build, stage) is not None
            and _builds(after.command)
        ):
            return  # the whole tool chain is shipped, which is another rule's
        if name == "bundler" and not _is_production(build, stage):
            return
        yield _finding(build, stage, index, run, use, after)


def _brings(build: Build, index: int, use: Use) -> bool:
    """Whether an install brings development dependencies, as far as the file tells."""
    name = use.manager.name
    if use.verb not in _VERBS.get(name, ()) or use.operands or use.production:
        return False
    if any(_CHOSEN.fullmatch(option.canonical) for option in use.options):
        return False
    state = build.state(index)
    variables = [variable.partition("=")[0] for variable in use.manager.production_variables]
    if any(
        state.lookup(variable)[0] and _is_set(build, index, variable)
        for variable in (*variables, *_VARIABLES.get(name, ()))
    ):
        return False
    return not projects.configured(build, index, _CONFIGURED)


def _is_set(build: Build, index: int, name: str) -> bool:
    """Whether the file sets a variable before an instruction; what a base image that is not known may set does not count."""
    state = build.state(index)
    return state.environment.sets(name) or state.arguments.sets(name)


def _taken_away(run: Run, use: Use) -> bool:
    """Whether a later command of the RUN deletes what was installed, prunes it, or installs the same project again: then that one is
    spoken of."""
    moved = False
    for command in run.commands:
        if command.simple.start <= use.command.start:
            continue
        moved = moved or command.name in ("cd", "pushd", "popd")
        other = command.use
        if other is not None and other.manager.name == use.manager.name and not moved:
            if other.verb == "prune" or (other.action == use.action and other.reads_project):
                return True
        text = " ".join(word.text for word in command.simple.words[1:])
        if command.name == "rm" and re.search(r"node_modules|vendor|\.venv|-\w*r\w* \S*/(?:src|build|tmp)\b|\$", text):
            return True
    return False


def _needed_after(build: Build, stage: Stage, index: int, use: Use) -> _After | None:
    """What may need development dependencies behind an install, in the rest of the image's build."""
    for known in (True, False):
        places, commands = _needing(build, stage, known)
        at = bisect_right(places, (index, use.command.start))
        if at < len(places):
            return commands[at]
    return None


@once
def _needing(build: Build, stage: Stage, known: bool) -> tuple[list[tuple[int, int]], list[_After]]:
    """The commands of an image's build that may need development dependencies, and where they stand."""
    places: list[tuple[int, int]] = []
    commands: list[_After] = []
    for one in reversed(build.chain(stage)):
        for index in one.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for command in run.commands if run is not None else ():
                if run is not None and _needs(command) is known:
                    places.append((index, command.simple.start))
                    commands.append(_After(index, run, command, known))
    return places, commands


def _needs(command: Command) -> bool | None:
    """Whether a command is known to run a project's script or a build tool; False where it may need anything, None where it needs no dependencies."""
    simple, _, use = command
    if use is not None:
        if use.manager.name in (*_NODE, "composer", "poetry", "uv", "bundler"):
            if use.action == "run" or (use.action == "build" and use.verb not in ("dump-autoload", "rebuild")):
                return True
        return None
    name = posixpath.basename(command.name or "?")
    if name in (
        "npx",
        "pnpx",
        "bunx",
        "tsc",
        "webpack",
        "vite",
        "rollup",
        "esbuild",
        "ng",
        "next",
        "nuxt",
        "gulp",
        "grunt",
        "jest",
        "pytest",
        "rake",
        "rails",
    ):
        return True
    if name in ("corepack", "chmod", "chown", "set") or packages.touches_only_its_words(simple):
        return None
    return False


def _builds(command: Command) -> bool:
    """Whether a command is one by which a project's result is built."""
    use = command.use
    if use is not None:
        named = [use.verb, *((word.value or "") for word in use.operands)]
        return any(name == "build" or name.startswith("build:") for name in named)
    return posixpath.basename(command.name or "") not in ("jest", "pytest", "rake", "rails")


def _is_production(build: Build, stage: Stage) -> bool:
    """Whether a Ruby program is known to run without its development groups."""
    environment = build.after(stage).environment
    return any(
        environment.sets(name) and environment[name] == "production" for name in ("RAILS_ENV", "RACK_ENV", "APP_ENV")
    )


def _finding(build: Build, stage: Stage, index: int, run: Run, use: Use, after: _After | None) -> Finding:
    flag, refusal = _flag(build, index, use)
    label = caches.label(use)
    related: tuple[Related, ...] = ()
    if after is not None:
        place = after.run.span(after.command.simple.start, after.command.simple.end)
        related = (Related(place, "this may need them"),)
        line = build.syntax.source.line_of(place.start)
        refusal = f"{_named(after.command)} on line {line} may need them"
    advice = f"add `{flag}`" if flag else _ADVICE.get(use.manager.name, "leave them out")
    if use.manager.name == "bundler":
        advice = "leave the groups out with `bundle config set without`"
    if after is not None and after.known:
        advice = f"build in a stage of its own, and install here without them{f' (`{flag}`)' if flag else ''}"
    message = f"`{label}` installs development dependencies too, in the image that is shipped -> {advice}"
    fix = None
    if not refusal:
        refusal = _started(build, stage, use)
    if not refusal and use.uncertain:
        refusal = "a word of the command is not known"
    if not refusal:
        fix, refusal = _fix(build, stage, index, run, use, flag)
    return Finding(caches.span_of(run, use), message, fix, Saving("the development dependencies"), related, refusal)


_ADVICE = {"yarn": "leave them out with `--production` (Yarn 1) or `yarn workspaces focus --production` (later ones)"}


def _named(command: Command) -> str:
    words = [word.text for word in command.simple.words]
    return f"`{' '.join(words[:3])}`" if len(" ".join(words[:3])) <= 40 else f"`{words[0]}`"


def _flag(build: Build, index: int, use: Use) -> tuple[str, str]:
    """The flag that leaves development dependencies out for the manager's version, or "" and why there is none."""
    name = use.manager.name
    if name == "npm":
        is_new = projects.npm_is_new(build, index)
        if is_new is None:
            return (
                "--omit=dev",
                "npm's version is not known: `--omit=dev` is of npm 7, `--only=production` of those before",
            )
        return ("--omit=dev" if is_new else "--only=production"), ""
    if name == "yarn":
        first = projects.yarn_is_first(build, index)
        if first:
            return "--production", ""
        return (
            "",
            "it is not known which Yarn the project uses"
            if first is None
            else "only `yarn workspaces focus` can leave them out",
        )
    if name == "poetry":
        return ("--no-dev" if projects.last_before(build, index, _old_poetry) else "--only=main"), ""
    if name == "uv":
        return "--no-dev", ""
    return (use.manager.production_flags[0] if name != "bundler" else ""), ""


@once
def _old_poetry(build: Build, stage: Stage) -> tuple[tuple[int, bool], ...]:
    """Where a stage installs a Poetry that knows no groups: one before 1.2."""
    texts = ((index, build.instructions[index]) for index in stage.indexes)
    return tuple((index, True) for index, one in texts if one.name == "RUN" and _OLD_POETRY.search(one.body.text))


def _started(build: Build, stage: Stage, use: Use) -> str:
    """Why what the image starts may need development dependencies, or install them again; "" where nothing speaks for it."""
    words = re.split(r"[\s\"'\[\],;&|]+", projects.start(build, stage) or "")
    first = next((word for word in words if word), "")
    name = use.manager.name
    if name in _NODE and posixpath.basename(first) in ("npm", "yarn", "pnpm", "bun", "npx"):
        return (
            f"what `{' '.join(word for word in words if word)[:40]}` starts is not in the file, and may be one of them"
        )
    if (
        name in _NODE
        and (first.endswith(".sh") or "entrypoint" in first)
        and len([word for word in words if word]) == 1
    ):
        return f"what `{first}` starts is not in the file"
    if (
        name == "uv"
        and "uv" in (posixpath.basename(word) for word in words)
        and not {"--no-dev", "--no-sync", "--frozen"} & set(words) - {"--frozen"}
    ):
        return "`uv run` would install them when the image is started: give it `--no-dev` too"
    return ""


def _fix(build: Build, stage: Stage, index: int, run: Run, use: Use, flag: str) -> tuple[Fix | None, str]:
    because = "to agree: neither the program, nor a script that the install runs, needs a development dependency"
    removed: tuple[Effect, ...] = (PackagesRemoved(stage.index, "development dependencies"),)
    place = projects.folder(build, index, run, use)
    written = tuple(path for _, path in caches.places(build, index, use, use.manager.caches) if path is not None)
    if place is not None:
        written += tuple(f"{place.rstrip('/')}/{name}" for name in use.manager.writes)
    if written:
        gone = tuple(path for name in written for path in (name, f"{name}/**"))
        # Their downloads go too, and the list of what is installed changes.
        removed += (Removes(gone, stage.index), Changes(gone, stage.index))
    if use.manager.name == "bundler":
        return _without_groups(build, stage, index, run, use, because, removed)
    added = caches.with_flag(run, index, use, flag)
    if added is None:
        return None, caches.NO_PLACE
    return Fix(f"add `{flag}`", (added[0],), False, because, (added[1], *removed)), ""


def _without_groups(
    build: Build, stage: Stage, index: int, run: Run, use: Use, because: str, removed: tuple[Effect, ...]
) -> tuple[Fix | None, str]:
    """Bundler must find the setting at run time too, so that it goes into its configuration."""
    repository, tag = bases.repository_of(build.chain(stage)[-1].image or "")
    version = re.match(r"(\d+)\.(\d+)", tag)
    if (
        repository != "ruby"
        or (version is not None and (int(version[1]), int(version[2])) < (2, 7))
        or (version is None and tag[:1].isdigit() and len(tag.split(".")) < 2 and tag[:1] < "3")
    ):
        return None, "Bundler's version is not known: before 2.1 the setting is spelled in another way"
    steps = run.script.steps
    at = next((number for number, step in enumerate(steps) if step.pipeline.commands[0] is use.command), None)
    if at is None or any(step.operator not in ("", "&&") for step in steps):
        return None, "the commands of the RUN are not all joined by `&&`"
    command = ("bundle", "config", "set", "--local", "without", "'development test'")
    edit = rewrite.insert_commands(build, index, at, [" ".join(command)])
    return Fix(
        "leave the groups out", (edit,), False, because, (AddsCommand(index, at - 1, "&&", command), *removed)
    ), ""


def _pipenv(build: Build, stage: Stage, index: int, run: Run, use: Use) -> Finding:
    message = (
        f"`{caches.label(use)} --dev` installs development dependencies in the image that is shipped -> drop `--dev`"
    )
    option = next(option for option in use.options if option.canonical == "--dev")
    words = use.command.words
    word = words[option.index]
    span = run.span(word.start, word.end)
    saves = Saving("the development dependencies")
    after = _needed_after(build, stage, index, use)
    if after is not None:
        line = build.syntax.source.line_of(after.run.span(after.command.simple.start, after.command.simple.end).start)
        return Finding(span, message, None, saves, (), f"{_named(after.command)} on line {line} may need them")
    if word.value not in ("--dev", "-d"):
        return Finding(span, message, None, saves, (), "the flag stands in one word with others")
    edits: tuple[Edit, ...] = (rewrite.drop_word(build, run, words[option.index - 1].end, word.start, word.end),)
    effects = (DropsWord(index, word.start), PackagesRemoved(stage.index, "development dependencies"))
    because = "to agree: the program needs no development dependency"
    return Finding(span, message, Fix("drop `--dev`", edits, False, because, effects), saves)


def _pip(run: Run, use: Use) -> Iterator[Finding]:
    for word in (*use.manifests, *use.operands):
        value = word.value or word.glob or ""
        extras = re.search(r"\[([^\]]*)\]", value)
        named = extras.group(1) if extras is not None else posixpath.basename(value) if word in use.manifests else ""
        if extras is None and value.endswith((".txt", ".in")):
            named = posixpath.basename(value).rpartition(".")[0]
        if _FOR_DEVELOPERS.search(named):
            message = f"`{word.text}` brings what developers need into the image that is shipped -> install it in a stage or image of its own"
            refusal = "what of it the program needs is not in the file"
            yield Finding(
                run.span(word.start, word.end), message, None, Saving("the development dependencies"), (), refusal
            )


# Programs and their plug-ins that test, check and format Python; the running program has no use for them.
_TOOLS = pattern(
    r"(?:pytest|flake8|pylint|mypy|types)(?:-[a-z0-9-]+)?|black|ruff|isort|coverage|tox|nox|pre-commit|bandit|autopep8|yapf|pycodestyle|pyflakes"
    r"|pydocstyle|pyright|codecov|twine|ipdb|pip-tools"
)


def _tools(build: Build, given: Given, stage: Stage, index: int, run: Run, use: Use) -> Iterator[Finding]:
    """Tools for tests and checks among the requirements of a program that, by its imports, uses none of them."""
    from dfopt import distributions, imports, needs

    named: dict[str, None] = {}
    for _, name in needs.requirements(build, given, index, use) if use.manifests and not use.operands else ():
        if name is not None and _TOOLS.fullmatch(distributions.normal(name)) and name != "mypy-extensions":
            named[distributions.normal(name)] = None
    graph = imports.graph(build, given, stage) if named else ""
    if isinstance(graph, str) or graph.doubts:
        return
    imported = {one.name.partition(".")[0] for one in graph.outside} | graph.named
    texts = [instruction.body.text for instruction in build.instructions if instruction.name in ("RUN", "ONBUILD")]
    tools = [name for name in named if not name.startswith(("types-", "pytest-", "flake8-"))]
    if any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.[a-z])", text) for name in tools for text in texts):
        return  # they are used while the image is built
    left = [name for name in named if imported.isdisjoint(distributions.modules_of(name))]
    if not left:
        return
    first, last = use.manifests[0], use.manifests[-1]
    listed = ", ".join(f"`{name}`" for name in left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    message = (
        f"`{' '.join(word.text for word in use.manifests)}` brings {listed} into the image that is shipped, and no file that"
        f" `{graph.entries[0]}` imports uses {'it' if len(left) == 1 else 'them'} -> keep tools in a list of their own, for the place where tests run"
    )
    yield Finding(
        run.span(first.start, last.end),
        message,
        None,
        Saving("the tools and what they bring along"),
        (),
        "the list is another file",
    )


def _copied(build: Build, index: int) -> Iterator[Finding]:
    """`node_modules` copied from a stage that installed all dependencies and left none out since."""
    copy = build.copy(index)
    if copy is None or copy.origin is None or copy.origin.stage is None or copy.sources is None:
        return
    origin = build.stages[copy.origin.stage]
    for source in copy.sources:
        if posixpath.basename(source.rstrip("/")) != "node_modules":
            continue
        found: Use | None = None
        place: tuple[Run, int] | None = None
        for one in reversed(build.chain(origin)):
            for earlier in one.indexes:
                run = build.run(earlier) if build.instructions[earlier].name == "RUN" else None
                for use in run.uses if run is not None else ():
                    if run is None or use.manager.name not in _NODE:
                        continue
                    if _brings(build, earlier, use) and projects.folder(build, earlier, run, use) == posixpath.dirname(
                        "/" + source.strip("/")
                    ):
                        found, place = use, (run, earlier)
                    elif (
                        use.verb in ("prune", "deploy")
                        or use.production
                        or "focus" in use.verb
                        or _CHOSEN.search(" ".join(option.canonical for option in use.options))
                    ):
                        found = None
                text = build.instructions[earlier].body.text if build.instructions[earlier].name == "RUN" else ""
                if "node_modules" in text or "prune" in text:
                    found = None
        if found is not None and place is not None:
            related = (Related(caches.span_of(place[0], found), "installed here, with development dependencies"),)
            message = (
                f"`{source}` is copied with the development dependencies of the stage `{origin.name or origin.index}`"
                f" -> install the others in a stage of their own, or `{found.manager.name} prune` there first"
            )
            if found.manager.name == "yarn":
                message = message.replace("`yarn prune` there first", "`yarn install --production` there first")
            span = build.instructions[index].text_span
            yield Finding(
                span,
                message,
                None,
                Saving("the development dependencies"),
                related,
                "how they are left out is for the author to choose",
            )
