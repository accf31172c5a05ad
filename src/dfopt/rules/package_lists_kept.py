"""Package lists that an update leaves in a layer of the image."""

from collections.abc import Iterator

from dfopt import installed, layers, lists, merging, rewrite
from dfopt.build import Build, Stage
from dfopt.layers import Brought
from dfopt.packages import Use
from dfopt.rule import AddsCommand, Effect, Finding, Fix, Given, Removes

# How each family's lists are deleted by those who know it; the others by their own command (`dnf clean all`).
_COMMANDS = {"apt": ("rm", "-rf", "/var/lib/apt/lists/*")}


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            seen: set[str] = set()
            for one in layers.brought(build, index) if build.instructions[index].name == "RUN" else ():
                # apk's index has a rule of its own, since there a flag does it.
                if one.kind == "lists" and one.use is not None and one.use.manager.family not in {"apk", *seen}:
                    seen.add(one.use.manager.family)
                    if not lists.deleted_later(build, stage, index, one.path) and not _is_apart(
                        build, index, one, one.use
                    ):
                        yield _finding(build, stage, index, one)


def _is_apart(build: Build, index: int, one: Brought, use: Use) -> bool:
    """Whether the lists are for a later RUN, or for nobody: the update stands in the wrong place, which has a rule of its own."""
    found = lists.readers(build, index, one)
    if use.manager.refresh == "itself" and use.action != "update":
        return False
    return bool(found.certain) or (use.action == "update" and not (found.own or found.own_doubt or found.conditional))


def _become_one(build: Build, first: int, last: int) -> bool:
    """Whether RUNs can be made one without anybody's leave."""
    return (
        build.instructions[first].name == "RUN"
        and not rewrite.merges_suppression(build, first, last)
        and not merging.why_not_one(build, first, last)
        and not merging.may_stay_running(build, first, last)
    )


def _finding(build: Build, stage: Stage, index: int, one: Brought) -> Finding:
    run, use = build.run(index), one.use
    assert run is not None and use is not None, "package lists are brought by a RUN's package manager"
    words = _COMMANDS.get(use.manager.family) or use.manager.clean_commands[0]
    if use.prefix[:1] == ("sudo",):
        words = ("sudo", *words)
    command = " ".join(words)
    span = run.span(one.start, one.end)
    name = f"{use.manager.name} {use.verb}"
    message = f"`{name}` leaves its package lists in the layer -> delete them in the same RUN with `{command}`"
    saves = layers.saving(build, one, "the package lists")
    found = lists.readers(build, index, one)
    if layers.mount_within(build, index, (one.path,)):
        return Finding(span, message, None, saves, (), "a mount lies in the folder")
    for removed in installed.removed(build, stage):
        first, last = removed.origins[0], removed.instruction
        if first <= index < last and _become_one(build, first, last):
            line = build.syntax.source.line_of(build.instructions[last].keyword_span.start)
            why = f"line {line} removes packages that this layer keeps: once the two are one RUN, its end decides what stays"
            return Finding(span, message, None, saves, (), why)
    operator = rewrite.joint(build, index)
    added = rewrite.append_commands(build, index, [rewrite.Added(command)], operator)
    if added is None:
        return Finding(span, message, None, saves, (), "nothing can be added to this RUN without a change of meaning")
    effects: list[Effect] = [AddsCommand(index, None, operator.replace("\n", ";"), words)]
    effects += (Removes((one.path + "/**",), image.index) for image in (stage, *build.children(stage)))
    because = "no later command reads the lists, and an update fetches them anew"
    reader = found.conditional or found.doubt
    because = f"to agree: {reader}" if reader else because
    return Finding(span, message, Fix(f"add `{command}`", (added,), not reader, because, tuple(effects)), saves)
