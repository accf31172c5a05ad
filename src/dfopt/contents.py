"""What lies at a path of a stage when that is built, a file or a folder, by the commands that make it."""

import posixpath
from collections.abc import Iterator

from dfopt import archives, layers
from dfopt.build import Build, Stage, once
from dfopt.startup import pattern


@once
def kind_at(build: Build, stage: Stage, path: str) -> str:
    """Whether an absolute path is a `file` or a `folder` at the end of a stage; "" where no command of the stage, or of those that it
    stands on, tells.

    As everywhere in dfopt, a command is taken to make what it names: `go build -o server` a file, though a folder `server` would take it.
    """
    is_file = any(path in _files(build, index) for one in build.chain(stage) for index in one.indexes)
    is_file = is_file or (_OF_CARGO.search(path) is not None and _runs_cargo(build, stage))
    is_folder = layers.exists(build, stage, path, stage.last + 1)
    return "" if is_file == is_folder else "file" if is_file else "folder"


# Programs that cargo built, by profile and perhaps by target; beside them are only folders of its own.
_OF_CARGO = pattern(
    r"/target/(?:[^/]+/)?(?:release|debug|release-[\w-]+)/(?!(?:build|deps|examples|incremental|release|debug)$)\w[\w-]*$"
)


def _runs_cargo(build: Build, stage: Stage) -> bool:
    return any(
        use.manager.name == "cargo" and use.verb == "build"
        for one in build.chain(stage)
        for index in one.indexes
        if (run := build.run(index)) is not None
        for use in run.uses
    )


@once
def _files(build: Build, index: int) -> frozenset[str]:
    """The paths that an instruction makes as files."""
    if build.instructions[index].name in ("COPY", "ADD"):
        return frozenset(one.path for one in layers.laid(build, index) or () if one.kind == "file")
    found = set()
    for place in archives.placed(build, index):
        for text in _stored(place):
            path = archives.file_of(build, index, place, text).path
            if path is not None and not set(path) & set("*?[") and not text.rstrip("\"'").endswith("/"):
                found.add(path)
    return frozenset(found)


_COMPILERS = frozenset(("gcc", "g++", "cc", "c++", "clang", "clang++"))


def _stored(place: archives.Placed) -> Iterator[str]:
    """The names, as written, under which a command stores a file."""
    command, simple = place.command, place.command.simple
    name, words = posixpath.basename(command.name or ""), simple.words
    yield from archives.fetched(simple)
    yield from (one.target.text for one in simple.redirections if one.operator in (">", ">>", ">|"))
    if command.use is not None and command.use.manager.name == "go":
        output = command.use.value_of("-o") if command.use.verb == "build" and not command.use.has("-C") else None
        # Into a folder of that name, as `go build -o server ./server` has it, the program comes under its own name.
        named = [posixpath.normpath(word.value or "") + "/" for word in command.use.operands]
        if output is not None and not any(one.startswith(posixpath.normpath(output) + "/") for one in named):
            yield output
    elif name in _COMPILERS:
        yield from (words[at + 1].text for at, word in enumerate(words[:-1]) if word.value == "-o")
