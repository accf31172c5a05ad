"""Byte code that pip writes beside every module that it installs."""

from collections.abc import Iterator

from dfopt import caches
from dfopt.build import Build, Run, Stage
from dfopt.packages import Use
from dfopt.rule import Changes, Finding, Fix, Given, Removes, Saving
from dfopt.startup import pattern

_FLAG = "--no-compile"
_GONE = ("/**/__pycache__", "/**/__pycache__/**")
# The list of what a package installed has its byte code as well.
_LISTS = ("/**/*.dist-info/RECORD",)

# What in a script shows that the author has decided about byte code, or configures pip. Not the flag, which each command has for itself.
_DECIDED = pattern(r"__pycache__|\.py\[?c|compileall|pip[ _.-]?config|PIP_NO_COMPILE|no_compile")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            instruction = build.instructions[index]
            run = build.run(index) if instruction.name == "RUN" else None
            if run is None or _DECIDED.search(instruction.body.text) or _decided(build, index):
                continue
            for use in run.uses:
                if _writes(use):
                    yield _finding(build, stage, index, run, use)


def _decided(build: Build, index: int) -> bool:
    state = build.state(index)
    return any(
        state.environment.sets(name) or state.arguments.sets(name) for name in ("PIP_NO_COMPILE", "PIP_CONFIG_FILE")
    )


def _writes(use: Use) -> bool:
    return (
        use.manager.name == "pip"
        and use.verb == "install"
        and not use.has("--no-compile", "--compile", "--dry-run")
        and not any(name == "PIP_NO_COMPILE" for name, _ in use.environment)
        and bool(use.operands or use.manifests)
    )


def _finding(build: Build, stage: Stage, index: int, run: Run, use: Use) -> Finding:
    message = f"`{caches.label(use)}` writes byte code beside every module -> add `{_FLAG}`"
    span, saves = caches.span_of(run, use), Saving("byte code, at the cost of a slower first start")
    added = caches.with_flag(run, index, use, _FLAG)
    if added is None or use.uncertain:
        return Finding(span, message, None, saves, (), caches.NO_PLACE)
    edit, effect = added
    images = (stage, *build.children(stage))
    fix = Fix(
        f"add `{_FLAG}`",
        (edit,),
        False,
        "to agree: Python compiles each module when it is first imported, in every new container",
        (
            effect,
            *(one for image in images for one in (Removes(_GONE, image.index), Changes(_LISTS, image.index))),
        ),
    )
    return Finding(span, message, fix, saves)
