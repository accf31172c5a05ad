"""Packages that one step installs and a later one removes again, by the names that the commands give them."""

import re

from dfopt.build import Build, Stage, once
from dfopt.packages import Use
from dfopt.startup import NamedTuple

DEVELOPMENT = "development dependencies"


class Removed(NamedTuple):
    """A command `use` of RUN `instruction` that removes packages `names`, which the earlier RUNs `origins` installed (ascending)."""

    instruction: int
    use: Use
    names: tuple[str, ...]
    origins: tuple[int, ...]


@once
def removed(build: Build, stage: Stage) -> tuple[Removed, ...]:
    """The commands of a stage that remove what earlier RUNs of it, or of the stages below, have installed by name."""
    return _followed(build, stage)[0]


_Known = dict[tuple[str, str], int]


@once
def _followed(build: Build, stage: Stage) -> tuple[tuple[Removed, ...], _Known]:
    """Those commands, and which RUN installed what is there at the end."""
    there: _Known = {}
    if stage.base.stage is not None:
        there.update(_followed(build, build.stages[stage.base.stage])[1])
    found: list[Removed] = []
    for index in stage.indexes:
        run = build.run(index) if build.instructions[index].name == "RUN" else None
        for use in run.uses if run is not None else ():
            keys = [(use.manager.family, name) for name in _names(build, index, use)]
            if use.action == "install":
                # What is there already is not installed anew.
                there.update((key, index) for key in keys if key not in there)
            elif use.action == "remove" or use.verb == "prune":
                hidden = [(key, there.pop(key)) for key in keys if key in there]
                earlier = [(key[1], origin) for key, origin in hidden if origin < index]
                if earlier:
                    origins = tuple(sorted({origin for _, origin in earlier}))
                    found.append(Removed(index, use, tuple(name for name, _ in earlier), origins))
    return tuple(found), there


def _names(build: Build, index: int, use: Use) -> list[str]:
    """What a command installs or removes, as both name it: packages, apk's virtual package, or a project's development dependencies."""
    if use.manager.family == "npm" and not use.operands:
        production = use.production or build.state(index).lookup("NODE_ENV") != (False, None)
        whole = use.verb in ("install", "ci") and use.reads_project and not production
        return [DEVELOPMENT] if whole or (use.verb == "prune" and use.production) else []
    if use.manager.family == "apk" and use.action == "install":
        virtual = use.value_of("--virtual")
        # Without the virtual package those that it stands for go, and are asked for by no other name.
        return [virtual] if virtual else _plain(use)
    return _plain(use)


def _plain(use: Use) -> list[str]:
    """The packages that a command names, without versions, extras and architectures; paths and addresses are none."""
    found = []
    for word in use.operands:
        name = re.split(r"[=<>~!:\[;]", word.value or "")[0] if use.manager.family != "npm" else _node(word.value or "")
        if (
            name
            and ("/" not in name or name.startswith("@"))
            and not name.endswith((".deb", ".rpm", ".whl", ".apk", "-"))
        ):
            found.append(re.sub(r"[-_.]+", "-", name.lower()) if use.manager.family == "pip" else name)
    return found


def _node(text: str) -> str:
    """A package of npm's without its version: `@scope/name@1`."""
    head, at, _ = text[1:].partition("@")
    return text[:1] + head if at else text
