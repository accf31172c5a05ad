"""What the file tells of a project's dependencies: folders, lock files, versions of the managers, what an image is started for."""

import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable

from dfopt import bases
from dfopt.build import Build, Copy, Run, Stage, once
from dfopt.packages import Use
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec, TypeVar

    Arguments = ParamSpec("Arguments")
    Fact = TypeVar("Fact")

# Node's releases by the names that the tags of its images use (nodejs/Release on GitHub).
_NODE_NAMES = {
    "argon": 4, "boron": 6, "carbon": 8, "dubnium": 10, "erbium": 12, "fermium": 14, "gallium": 16, "hydrogen": 18, "iron": 20,
    "jod": 22, "krypton": 24,
}  # fmt: skip
# A tag without a number is of the newest release, or of the newest one with long-term support: newer than all that is asked for.
NEWEST = 99

_NODE_TAG = pattern(r"(?:v?([0-9]+)(?:[.-]|$))|([a-z]+)")

# What in a script speaks of a Yarn other than the image's own: its number where it is written.
_OTHER_YARN = pattern(r"\bcorepack\b|\byarn (?:policies )?set[- ]version\b|\byarn@|\.yarnrc\.yml|\.yarn/releases")

_LATER_YARN = pattern(r"\byarn@(?:stable|berry|[2-9])|\bset[- ]version (?:stable|berry|[2-9])")

# Words of a command that make an image one to develop, test or build in (`npm run dev`, `nodemon`, `--reload`).
_DEVELOPMENT = frozenset(
    "dev devel development develop debug debugpy watch hot nodemon ts-node tsx vite ng webpack vue-cli-service react-scripts storybook"
    " test tests testing jest vitest mocha karma cypress playwright protractor lint eslint prettier pytest tox nox mypy ruff rspec guard"
    " phpunit foreman build serve reload runserver livereload browser-sync air".split()
)

# Started like this an image is a place to work in, whatever it holds.
_SHELLS = frozenset("sh bash ash dash zsh fish".split())
_PLACES = frozenset(
    "tail sleep cat true tmux sshd jupyter jupyterhub jupyter-lab jupyter-notebook code-server start-notebook.sh start-notebook.py ttyd irb"
    " ipython rstudio-server".split()
)


# Images whose own command is a server: a stage on one needs no CMD.
_SERVERS = frozenset(
    "nginx httpd redis postgres mysql mariadb mongo tomcat caddy haproxy rabbitmq memcached elasticsearch grafana/grafana nextcloud wordpress"
    " ghost drupal joomla".split()
)


class Lock(NamedTuple):
    """A lock file that an install finds in its folder: `name` as it is there, `source` as the COPY or mount names it.

    `sure` is whether it is named; a pattern may match no file.
    """

    name: str
    source: str
    sure: bool


def last_before(
    build: Build, index: int, facts: "Callable[Concatenate[Build, Stage, Arguments], tuple[tuple[int, Fact], ...]]",
    *arguments: "Arguments.args", **named: "Arguments.kwargs",
) -> "Fact | None":  # fmt: skip
    """The last fact that holds before (or at) an instruction, of those that `facts` gives for each stage, by instruction."""
    stage = build.stage(index)
    while stage is not None:
        found = facts(build, stage, *arguments, **named)
        at = bisect_right(found, index, key=lambda fact: fact[0])
        if at:
            return found[at - 1][1]
        if stage.base.stage is None:
            return None
        stage = build.stages[stage.base.stage]
        index = stage.last
    return None


def folder(build: Build, index: int, run: Run, use: Use) -> str | None:
    """The folder that a package manager's command works in: WORKDIR, what `cd` before it and its own options make of that. None
    where it is not known."""
    path = build.state(index).workdir
    for command in run.commands:
        if command.simple.start >= use.command.start or path is None:
            break
        if command.name in ("pushd", "popd"):
            return None
        if command.name == "cd":
            words = command.simple.words
            inside = set(command.nesting) - {"subshell"}
            if inside or len(words) != 2 or words[1].value is None or words[1].value.startswith("-"):
                return None
            if command.nesting and command.nesting != _nesting(run, use):
                return None
            path = posixpath.join(path, words[1].value)
    for word in use.directories:
        if path is None or word.value is None:
            return None
        path = posixpath.join(path, word.value)
    return posixpath.normpath(path) if path is not None else None


def _nesting(run: Run, use: Use) -> tuple[str, ...]:
    return next((command.nesting for command in run.commands if command.use is use), ())


def lock(build: Build, index: int, run: Run, use: Use) -> Lock | None:
    """The lock file that an install is known to find, copied by name or by a pattern, or mounted. None also where a script
    speaks of it: it may delete it."""
    place = folder(build, index, run, use)
    if place is None:
        return None
    found: Lock | None = None
    for _, options in build.mounts(index):
        target = build.absolute(options.get("target"), index)
        if options["type"] == "bind" and target and posixpath.basename(target) in use.manager.locks:
            if posixpath.dirname(target) == place:
                name = posixpath.basename(target)
                found = Lock(name, name, True)
    for sure in (True, False):
        found = found or last_before(build, index, _locks, place, use.manager.locks, sure)
    if found is None or last_before(build, index, _naming, found.name):
        return None
    return found


@once
def _locks(build: Build, stage: Stage, place: str, locks: tuple[str, ...], sure: bool) -> tuple[tuple[int, Lock], ...]:
    """The lock files that a stage's COPYs and ADDs bring into the folder `place`, surely or perhaps."""
    found = []
    for index in stage.indexes:
        copy = build.copy(index)
        if copy is not None and copy.destination is not None and copy.sources is not None:
            lock = _copied(copy, place, locks)
            if lock is not None and lock.sure is sure:
                found.append((index, lock))
    return tuple(found)


@once
def _naming(build: Build, stage: Stage, name: str) -> tuple[tuple[int, bool], ...]:
    """The RUNs of a stage that speak of a file by its name."""
    return tuple((index, True) for index in _runs(build, stage) if name in build.instructions[index].body.text)


@once
def _configuring(build: Build, stage: Stage, words: "re.Pattern[str]") -> tuple[tuple[int, bool], ...]:
    """The RUNs of a stage that set a manager's configuration with one of the words."""
    texts = ((index, build.instructions[index].body.text) for index in _runs(build, stage))
    return tuple((index, True) for index, text in texts if "config" in text and words.search(text))


def _runs(build: Build, stage: Stage) -> list[int]:
    return [index for index in stage.indexes if build.instructions[index].name == "RUN"]


def _copied(copy: Copy, place: str, locks: tuple[str, ...]) -> Lock | None:
    """A lock file that a COPY or ADD brings into the folder `place`."""
    assert copy.destination is not None and copy.sources is not None, "only what is known is asked for"
    destination = copy.destination.rstrip("/") or "/"
    found: Lock | None = None
    for source in copy.sources:
        name = posixpath.basename(source)
        into = destination == place
        if posixpath.dirname(destination) == place and len(copy.sources) == 1 and not copy.destination.endswith("/"):
            # A file under the name that the destination gives it.
            name = posixpath.basename(destination) if "." in name else ""
        elif not into:
            continue
        for known in locks:
            if name == known:
                return Lock(known, source, True)
            import fnmatch

            # `*` alone takes all that is there, and speaks of no lock file.
            if set(name) & set("*?[") and len(re.sub(r"[^a-zA-Z]", "", name)) > 3 and fnmatch.fnmatchcase(known, name):
                found = found or Lock(known, source, False)
    return found


@once
def node_major(build: Build, stage: Stage) -> int | None:
    """The release of Node that the stage's base image brings, NEWEST where its tag moves with the releases; None where the base is
    no image of Node, or not known."""
    bottom = build.chain(stage)[-1]
    if bottom.image is None:
        return None
    repository, tag = bases.repository_of(bottom.image)
    if repository != "node" or ("@" in bottom.image and not tag):
        return None
    found = _NODE_TAG.match(tag)
    if found is None:
        return NEWEST if not tag else None
    if found.group(1):
        return int(found.group(1))
    return _NODE_NAMES.get(found.group(2), NEWEST)


def npm_is_new(build: Build, index: int) -> bool | None:
    """Whether npm is version 7 or later, which came with Node 15; None where it is not known."""
    stage = build.stage(index)
    chosen = last_before(build, index, _npm_versions)
    if chosen is not None:
        return chosen >= 7 if chosen else None
    major = node_major(build, stage) if stage is not None else None
    return major >= 15 if major is not None else None


@once
def _npm_versions(build: Build, stage: Stage) -> tuple[tuple[int, int], ...]:
    """The versions of npm that npm installs in a stage, 0 where that is not known."""
    found = []
    for index in _runs(build, stage):
        run = build.run(index)
        for use in run.uses if run is not None else ():
            for word in use.operands if use.manager.name == "npm" and use.action == "install" else ():
                name, at, version = word.text.partition("@")
                if name == "npm":
                    number = version.split(".")[0].lstrip("^~v")
                    found.append(
                        (index, int(number) if number.isdecimal() else NEWEST if not at or number == "latest" else 0)
                    )
    return tuple(found)


def yarn_is_first(build: Build, index: int) -> bool | None:
    """Whether `yarn` is version 1, False where it is a later one, None where it is not known: a project brings its own Yarn in
    `.yarnrc.yml`, which a COPY of the whole project may hold."""
    stage = build.stage(index)
    chosen = last_before(build, index, _yarns)
    if chosen is not None:
        return {"first": True, "later": False}.get(chosen)
    return True if stage is not None and node_major(build, stage) is not None else None


@once
def _yarns(build: Build, stage: Stage) -> tuple[tuple[int, str], ...]:
    """What in a stage speaks for a Yarn: "first" for version 1, "later", or "" where it may be any."""
    found = []
    for index in stage.indexes:
        instruction = build.instructions[index]
        if instruction.name == "RUN":
            text = instruction.body.text
            run = build.run(index)
            if _OTHER_YARN.search(text):
                found.append((index, "later" if _LATER_YARN.search(text) else ""))
            for use in run.uses if run is not None else ():
                if use.manager.name == "npm" and any(word.value in ("yarn", "yarn@1") for word in use.operands):
                    found.append((index, "first"))
                if use.manager.name == "yarn" and use.has("--immutable", "--immutable-cache"):
                    found.append((index, "later"))
            continue
        copy = build.copy(index)
        for source in (copy.sources or ("",)) if copy is not None else ():
            name = posixpath.basename(source.rstrip("/"))
            if name in (".yarnrc.yml", ".yarn", ".pnp.cjs", ".pnp.loader.mjs") or "/.yarn/" in f"/{source}":
                found.append((index, "later"))
            elif (
                copy is not None
                and copy.origin is None
                and (name in ("", ".", "..", "*") or ("*" in name and ".yarn" in name))
            ):
                found.append((index, ""))
    return tuple(found)


def configured(build: Build, index: int, words: "re.Pattern[str]") -> bool:
    """Whether an earlier RUN, or the same one, sets a manager's own configuration with one of these words (`bundle config set
    frozen true`)."""
    return last_before(build, index, _configuring, words) is not None


def start(build: Build, stage: Stage) -> str | None:
    """What an image of the stage starts: the words of its ENTRYPOINT and CMD, or its base image where that is known for a server; None
    where it has neither."""
    found: dict[str, str] = {}
    for one in build.chain(stage):
        for index in reversed(one.indexes):
            instruction = build.instructions[index]
            if instruction.name in ("CMD", "ENTRYPOINT") and instruction.name not in found and instruction.arguments:
                found[instruction.name] = " ".join(instruction.arguments)
    if not found:
        repository, tag = bases.repository_of(build.chain(stage)[-1].image or "")
        if repository in _SERVERS or (repository == "php" and ("fpm" in tag or "apache" in tag)):
            return posixpath.basename(repository)
    return " ".join(found[name] for name in ("ENTRYPOINT", "CMD") if name in found) or None


def serves(build: Build, stage: Stage) -> bool:
    """Whether an image of the stage is known to run a program of its own: it starts something that is no shell and speaks of no
    development, test or build, and neither do its stage's name and environment."""
    words = start(build, stage)
    names = [word for word in re.split(r"[\s\"'\[\],;&|]+", words or "") if word]
    if any(map(_speaks_of_development, (*names, stage.name))):
        return False
    while names and posixpath.basename(names[0]) in ("tini", "dumb-init", "exec", "--", "-g", "env"):
        del names[0]
    if not names:
        return False
    first = posixpath.basename(names[0])
    if first in _PLACES or (first in _SHELLS and all(name.startswith("-") or name in _SHELLS for name in names[1:])):
        return False
    environment = build.after(stage).environment
    return not any(
        environment.sets(name) and _speaks_of_development(environment[name] or "")
        for name in ("NODE_ENV", "RAILS_ENV", "RACK_ENV", "APP_ENV", "FLASK_ENV", "ENVIRONMENT")
    )


def _speaks_of_development(word: str) -> bool:
    name = posixpath.basename(word).lower()
    if "." in name.strip("."):
        return False  # a file's name
    return (
        name.startswith("build") or name in _DEVELOPMENT or not _DEVELOPMENT.isdisjoint(re.split(r"[^a-z0-9]+", name))
    )
