"""Installs that bring in recommended packages, which the image mostly does not need."""

import re
from collections.abc import Iterator

from dfopt import caches, sizes
from dfopt.build import Build, Run, Stage
from dfopt.packages import Use
from dfopt.rule import Finding, Fix, Given, PackagesRemoved, Saving
from dfopt.startup import pattern

_FAMILIES = frozenset(("apt", "zypper", "dnf"))
# CentOS 7's yum takes no notice of weak dependencies, and not every version knows the setting.
_NOT = frozenset(("yum",))

# What switches recommended packages off for all: apt's, zypper's and dnf's configuration.
_SETTING = pattern(r"install-recommends|onlyrequires|install_weak_deps", re.IGNORECASE)
_CONFIGURATION = ("/etc/apt/apt.conf", "/etc/apt", "/etc/zypp", "/etc/dnf", "/etc")


def check(build: Build, given: Given) -> Iterator[Finding]:
    configured: dict[int, str] = {}
    for stage in build.stages:
        state = configured.get(stage.base.stage, "") if stage.base.stage is not None else ""
        for index in stage.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in run.uses if run is not None else ():
                if run is not None and state != "off" and _brings(use):
                    yield _finding(build, stage, index, run, use, state)
            state = _configured(build, index, run) or state
        configured[stage.index] = state


def _brings(use: Use) -> bool:
    manager = use.manager
    return (
        manager.family in _FAMILIES
        and manager.name not in _NOT
        and bool(manager.no_recommends_flags)
        and use.action == "install"
        and use.verb in ("install", "groupinstall", "group install", "in")
        and not use.no_recommends
        and bool(use.operands)
    )


def _configured(build: Build, index: int, run: Run | None) -> str:
    """What an instruction does to the setting for all: "off", why that is not known, or "" for nothing."""
    instruction = build.instructions[index]
    if instruction.name == "RUN":
        text = instruction.body.text if run is None else run.script.text
        for command in run.commands if run is not None else ():
            # As an option it holds for that command alone.
            if command.use is not None:
                text = (
                    text.replace(run.script.text[command.simple.start : command.simple.end], "")
                    if run is not None
                    else text
                )
        return "off" if _SETTING.search(text) else ""
    copy = build.copy(index)
    if copy is None:
        return ""
    if any(_SETTING.search(heredoc.body.text) for heredoc in instruction.heredocs):
        return "off"
    destination = (copy.destination or "").rstrip("/")
    if destination.startswith(("/etc/apt/apt.conf", "/etc/zypp", "/etc/dnf")) or destination in _CONFIGURATION:
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        return f"line {line} copies configuration that may leave them out already"
    return ""


def _figure(build: Build, stage: Stage, index: int, use: Use) -> sizes.Figure:
    """The size of what is recommended, beside what this stage and those that it stands on installed before."""
    if sizes.recommended(use.manager.family, build.state(index).base, _names(use)).bytes is None:
        return sizes.UNKNOWN  # whatever was there before; a long file asks for this very often
    lean: list[str] = []
    rich: list[str] = []
    for one in build.chain(stage):
        for earlier in one.indexes:
            run = build.run(earlier) if earlier <= index and build.instructions[earlier].name == "RUN" else None
            for other in run.uses if run is not None else ():
                if other.action == "install" and other.manager.family == use.manager.family:
                    if earlier < index or other.command.start < use.command.start:
                        (lean if other.no_recommends else rich).extend(_names(other))
    return sizes.recommended(use.manager.family, build.state(index).base, _names(use), tuple(lean), tuple(rich))


def _names(use: Use) -> tuple[str, ...]:
    return tuple(word.value or "" for word in use.operands)


def _finding(build: Build, stage: Stage, index: int, run: Run, use: Use, unknown: str) -> Finding:
    flag = use.manager.no_recommends_flags[0]
    message = f"`{caches.label(use)}` installs recommended packages as well -> add `{flag}`"
    span = caches.span_of(run, use)
    saves = Saving("the packages that are only recommended", *_figure(build, stage, index, use))
    added = caches.with_flag(run, index, use, flag)
    if unknown or added is None:
        return Finding(span, message, None, saves, (), unknown or caches.NO_PLACE)
    edit, effect = added
    fix = Fix(
        f"add `{flag}`",
        (edit,),
        False,
        "to agree: fewer packages are installed; what the image needs of them must be named",
        (
            effect,
            *(PackagesRemoved(image.index, "recommended packages") for image in (stage, *build.children(stage))),
        ),
    )
    return Finding(span, message, fix, saves)
