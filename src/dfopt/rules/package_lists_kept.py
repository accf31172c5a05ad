"""Package lists that an update leaves in a layer of the image."""

from collections.abc import Iterator

from dfopt import layers, merging, rewrite
from dfopt.build import Build, Stage
from dfopt.layers import Brought
from dfopt.rule import AddsCommand, Effect, Finding, Fix, Given, Layers, Removes

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
                    if not _deleted_later(build, stage, index, one.path):
                        yield _finding(build, stage, index, one)


def _deleted_later(build: Build, stage: Stage, index: int, path: str) -> bool:
    """Whether a later RUN of the stage deletes the lists: then they are a clean-up that comes too late, which has its own rule."""
    for later in range(index + 1, stage.last + 1):
        for cleaning in layers.cleaned(build, later):
            certain = (
                cleaning.exact
                and cleaning.command is not None
                and not layers.mount_within(build, later, cleaning.paths)
            )
            if certain and any(layers.covers(pattern, path) for pattern in cleaning.paths):
                return not any(one.path == path for one in layers.written(build, later))
    return False


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
    # A later install that needs the lists belongs into the RUN that fetches them.
    last = index
    reader, needs = _reader(build, stage, last, one)
    while needs is not None:
        why = merging.why_not_one(build, index, needs)
        if needs > stage.last or why:
            return Finding(span, message, None, saves, (), f"{reader}{f', and {why}' if why else ''}")
        last = needs
        reader, needs = _reader(build, stage, last, one)
    if (
        last == index
        and use.action == "update"
        and not any(
            other.command.start > one.start and other.manager.family == use.manager.family for other in run.uses
        )
    ):
        return Finding(
            span, message, None, saves, (), f"`{name}` alone installs nothing: join it with the install that needs it"
        )
    if layers.mount_within(build, last, (one.path,)):
        return Finding(span, message, None, saves, (), "a mount lies in the folder")
    if last > index and rewrite.merges_suppression(build, index, last):
        return Finding(
            span, message, None, saves, (), "a comment switches a check off for an instruction that would go"
        )
    effects: list[Effect] = []
    if last == index:
        operator = rewrite.joint(build, last)
        added = rewrite.append_commands(build, last, [rewrite.Added(command)], operator)
        effects.append(AddsCommand(last, None, operator.replace("\n", ";"), words))
        merged = merging.Merge((added,) if added is not None else (), (), "")
    else:
        merged = merging.merge(build, index, last, [rewrite.Added(command)])
    if not merged.edits:
        why = merged.refusal or "nothing can be added to this RUN without a change of meaning"
        return Finding(span, message, None, saves, (), why)
    effects += merged.effects
    effects += (Removes((one.path + "/**",), image.index) for image in (stage, *build.children(stage)))
    title, because = f"add `{command}`", "no later command reads the lists, and an update fetches them anew"
    if last > index:
        title = f"merge {last - index + 1} RUNs and add `{command}`"
        because += f"; {merged.because}"
        effects.append(Layers(stage.index, index - last))
        reader = reader or merging.may_stay_running(build, index, last)
    fix = Fix(title, merged.edits, not reader, f"to agree: {reader}" if reader else because, tuple(effects))
    return Finding(span, message, fix, saves)


def _reader(build: Build, stage: Stage, index: int, one: Brought) -> tuple[str, int | None]:
    """Why a later step may read the lists ("" where none does), and the index of the instruction that certainly does."""
    assert one.use is not None, "package lists are brought by a package manager"
    family = one.use.manager.family
    for chain in _chains(build, stage, index):
        for later in chain:
            run = build.run(later) if build.instructions[later].name == "RUN" else None
            if run is not None and run.script.opaque is None:
                fetched: int | None = None
                perhaps = False
                tops = {id(step.pipeline.commands[0]): number for number, step in enumerate(run.script.steps)}
                for simple, _, use in run.commands:
                    if use is None or use.manager.family != family:
                        continue
                    if use.fetches_lists:
                        top = tops.get(id(simple))
                        if top is not None and rewrite.always_runs(build, later, top, True):
                            fetched = simple.start
                            break
                        perhaps = True
                    elif use.needs_lists and perhaps:
                        line = build.syntax.source.line_of(run.span(simple.start, simple.end).start)
                        return (
                            f"`{use.manager.name} {use.verb}` on line {line} needs them where the update before it does not run",
                            None,
                        )
                    elif use.needs_lists:
                        line = build.syntax.source.line_of(run.span(simple.start, simple.end).start)
                        return f"`{use.manager.name} {use.verb}` on line {line} still needs them", later
                veto = layers.touches(build, later, (one.path,), fetched, (family,))
                if fetched is not None and veto is None:
                    break
            elif build.instructions[later].name == "RUN":
                veto = layers.touches(build, later, (one.path,))
            else:
                # COPY and ADD only write.
                continue
            if veto is not None:
                return f"{veto.why}, and it may read them", None
    for image in (stage, *build.children(stage)):
        for later in image.indexes:
            instruction = build.instructions[later]
            line = build.syntax.source.line_of(instruction.keyword_span.start)
            if instruction.name == "ONBUILD" and instruction.inner is not None and instruction.inner.name == "RUN":
                return (
                    f"the ONBUILD on line {line} runs in builds on top of this image, and it is not known whether it reads them",
                    None,
                )
            if (
                instruction.name in ("CMD", "ENTRYPOINT", "HEALTHCHECK")
                and one.use.manager.name in instruction.body.text
            ):
                return f"the {instruction.name} on line {line} names `{one.use.manager.name}`", None
    taken = layers.copied_from(build, stage, (one.path,))
    return (f"{taken.why}", None) if taken is not None else ("", None)


def _chains(build: Build, stage: Stage, index: int) -> Iterator[list[int]]:
    """What follows `index`: the rest of its stage, then for each stage on top of it that stage's own instructions."""
    yield list(range(index + 1, stage.last + 1))
    for child in build.children(stage):
        yield list(range(child.first + 1, child.last + 1))
