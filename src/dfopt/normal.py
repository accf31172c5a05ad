"""The normal form of a build, declared effects applied to it, and what differs: how the engine holds a fix to its word.

Two files with equal normal forms build the same image by the same commands: the same stages on the same bases, the same
steps (RUN, COPY, ADD) in the same order with the same words, each with the same state before it, and the same
configuration. White space, comments, continuations and the spelling of paths that resolve alike are not part of it.
"""

from collections.abc import Callable, Iterable

from dfopt import bases, shell, words
from dfopt.build import Build, Copy, Reference, Stage, mount_options
from dfopt.rule import (
    AddsCommand,
    AddsCopy,
    AddsFlag,
    AddsMount,
    AddsWord,
    Assembles,
    ChangesArgument,
    ChangesBase,
    ChangesConfig,
    ChangesDirective,
    ChangesSource,
    Copied,
    DropsCommand,
    DropsFlag,
    DropsStep,
    DropsWord,
    Effect,
    MergesRuns,
    Moves,
    Relocates,
    Repeated,
    Retargets,
    SetUp,
    SplitsStage,
)  # fmt: skip
from dfopt.shell import Token
from dfopt.startup import pattern
from dfopt.syntax import Instruction, Pair

STEPS = ("RUN", "COPY", "ADD")

# What a step sees: of these, the count before it is its input state, since their own order is compared as well.
_STATE = ("ENV", "ARG", "USER", "WORKDIR", "SHELL")


class Broken(Exception):
    """An effect does not fit the text that it was declared for."""


class Item:
    """A pipeline of a RUN with the operator before it; `index` is its place in the `Script`, None for one that was added."""

    __slots__ = ("index", "operator", "tokens")

    def __init__(self, index: int | None, operator: str, tokens: list[Token]) -> None:
        self.index = index
        self.operator = operator
        self.tokens = tokens


class Step:
    """A RUN, COPY or ADD. `key` is its instruction's index in the text it came from. `items` are a RUN's commands, None for
    other steps and for scripts that are not read, whose text is in `detail`. `prefix` counts the state entries before it."""

    __slots__ = ("key", "name", "prefix", "flags", "origin", "items", "terminator", "detail")

    def __init__(self, key: int, name: str, prefix: int, flags: list[str], origin: "Origin", items: list[Item] | None,
                 terminator: str, detail: object) -> None:  # fmt: skip
        self.key = key
        self.name = name
        self.prefix = prefix
        self.flags = flags
        self.origin = origin
        self.items = items
        self.terminator = terminator
        self.detail = detail


class StageForm:
    """A stage: `base` and every `origin` name other stages by the form itself, so that new stages move no index. `keys` are the
    instructions' indexes of the entries of `trace`, `order` those of all instructions of the text, FROM too, as they stand."""

    __slots__ = ("index", "name", "base", "platform", "trace", "keys", "steps", "order")

    def __init__(self, index: int, name: str, base: "Origin", platform: str | None) -> None:
        self.index = index
        self.name = name
        self.base = base
        self.platform = platform
        self.trace: list[tuple[str, ...]] = []
        self.keys: list[int] = []
        self.steps: list[Step] = []
        self.order: list[int] = []


Origin = StageForm | str | None


class Form:
    """A file: directives, global arguments, and its stages."""

    __slots__ = ("directives", "arguments", "stages", "build", "splits")

    def __init__(self, build: Build) -> None:
        self.build = build
        # Stages that were split: what their last images are started with is compared, too.
        self.splits: list[SplitsStage] = []
        self.directives = {directive.name: directive.value for directive in build.syntax.directives}
        self.arguments: list[tuple[str, ...]] = []
        self.stages: list[StageForm] = []


def form_of(build: Build) -> Form:
    """The normal form of a file that BuildKit accepts."""
    form = Form(build)
    for index, instruction in enumerate(build.instructions):
        stage_index = build.stage_of[index]
        if stage_index is None:
            form.arguments.append(_configuration(instruction))
        elif instruction.name == "FROM":
            stage = build.stages[stage_index]
            form.stages.append(StageForm(stage_index, stage.name, _origin(form, stage.base), stage.platform))
        else:
            form_stage = form.stages[-1]
            if instruction.name in STEPS:
                form_stage.steps.append(_step(form, build, index, instruction))
            else:
                form_stage.trace.append(_configuration(instruction))
                form_stage.keys.append(index)
        if stage_index is not None:
            form.stages[-1].order.append(index)
    return form


def _configuration(instruction: Instruction) -> tuple[str, ...]:
    entry = [instruction.name, "json" if instruction.json else "", *(flag.text for flag in instruction.flags)]
    if instruction.inner is not None:
        inner = instruction.inner
        entry += [inner.name, *(flag.text for flag in inner.flags), *inner.arguments]
        entry += [heredoc.body.text for heredoc in inner.heredocs]
    else:
        entry += instruction.arguments
    return tuple(entry)


def _origin(form: Form, reference: Reference) -> Origin:
    if reference.kind == "stage" and reference.stage is not None and reference.stage < len(form.stages):
        return form.stages[reference.stage]
    return reference.text


def _prefix(stage: StageForm) -> int:
    return sum(entry[0] in _STATE for entry in stage.trace)


def _step(form: Form, build: Build, index: int, instruction: Instruction) -> Step:
    stage = form.stages[-1]
    references = {reference.span: reference for reference in build.references_of(index)}
    origin: Origin = None
    flags: list[str] = []
    for flag in instruction.flags:
        reference = references.get(flag.span)
        if flag.name == "from" and reference is not None:
            origin = _origin(form, reference)
        elif flag.name == "mount":
            flags.append(_mount(flag.value or "", None if reference is None else _origin(form, reference)))
        else:
            flags.append(flag.text)
    if instruction.name == "RUN":
        run = build.run(index)
        if run is None:
            return Step(index, "RUN", _prefix(stage), flags, origin, None, "", ("json", *instruction.arguments))
        if run.script.opaque is not None:
            bodies = [(heredoc.name, heredoc.expand, heredoc.body.text) for heredoc in instruction.heredocs]
            return Step(index, "RUN", _prefix(stage), flags, origin, None, "", (instruction.body.text, tuple(bodies)))
        heredoc = instruction.heredocs[0] if run.heredoc else None
        first = run.script.text.partition("\n")[0] if heredoc else ""
        detail = ("heredoc", first if first.startswith("#!") else "") if heredoc else ""
        return Step(index, "RUN", _prefix(stage), flags, origin, items_of(run.script), _ending(run.script), detail)
    copy = build.copy(index)
    return Step(
        index,
        instruction.name,
        _copy_prefix(stage, copy, flags, instruction),
        flags,
        origin,
        None,
        "",
        _copied(instruction, copy),
    )


def _copy_prefix(stage: StageForm, copy: Copy | None, flags: list[str], instruction: Instruction) -> int:
    """A COPY whose words are all known depends on nothing before it: it runs no program, and as no user."""
    known = copy is not None and copy.sources is not None and copy.destination is not None
    texts = [*flags, *(heredoc.body.text for heredoc in instruction.heredocs if heredoc.expand)]
    return -1 if known and not any("$" in text for text in texts) else _prefix(stage)


def _ending(script: shell.Script) -> str:
    return "&" if script.terminator == "&" else ""


def _mount(value: str, origin: Origin) -> str:
    options = mount_options(value)
    if isinstance(origin, StageForm):
        options["from"] = f"stage:{id(origin)}"
    return "--mount=" + ",".join(f"{key}={text}" for key, text in sorted(options.items()))


def _copied(instruction: Instruction, copy: Copy | None) -> tuple[object, ...]:
    arguments = instruction.arguments
    sources = copy.sources if copy is not None and copy.sources is not None else tuple(arguments[:-1])
    destination = copy.destination if copy is not None and copy.destination is not None else arguments[-1]
    bodies = tuple((heredoc.name, heredoc.expand, heredoc.body.text) for heredoc in instruction.heredocs)
    return (sources, destination, bodies)


# ------------------------------------------------------------------------------------------------------ scripts


def items_of(script: shell.Script) -> list[Item]:
    """A script's pipelines with their tokens."""
    return [
        Item(index, ";" if step.operator == "\n" else step.operator, shell.step_tokens(step))
        for index, step in enumerate(script.steps)
    ]


# ------------------------------------------------------------------------------------------------------- effects


def apply(effects: Iterable[Effect], form: Form) -> None:
    """Make the declared effects on `form` in place. Raises Broken where one does not fit.

    Words come first, then commands, then whole steps, so that every effect speaks of the text as it was.
    """
    # A RUN of which nothing is left goes; one that never had a command stays.
    empty = {id(step) for stage in form.stages for step in stage.steps if not step.items}
    ordered = sorted(effects, key=_order)
    for effect in ordered:
        action = _ACTIONS.get(type(effect))
        if action is not None:
            action(form, effect)
    for stage in form.stages:
        stage.steps = [step for step in stage.steps if step.items or step.items is None or id(step) in empty]


def _order(effect: Effect) -> int:
    # What comes to the end of a RUN stands behind all that is merged into it.
    last = isinstance(effect, AddsCommand) and effect.after is None
    return _ORDER["MergesRuns"] + 1 if last else _ORDER.get(type(effect).__name__, 0)


# Commands are added before others go, since the one that they stand behind may go too.
_ORDER = {
    "AddsWord": 1,
    "DropsWord": 1,
    "DropsCommand": 3,
    "AddsCommand": 2,
    "MergesRuns": 4,
    "DropsStep": 5,
    "AddsCopy": 6,
    "Moves": 7,
    "Assembles": 8,
    "Relocates": 8,
    "SplitsStage": 9,
}


def _find(form: Form, key: int) -> tuple[StageForm, int]:
    for stage in form.stages:
        for position, step in enumerate(stage.steps):
            if step.key == key:
                return stage, position
    raise Broken(f"no step for instruction {key}")


def _items(form: Form, key: int) -> list[Item]:
    stage, position = _find(form, key)
    items = stage.steps[position].items
    if items is None:
        raise Broken(f"instruction {key} has no commands that are read")
    return items


def _drops_command(form: Form, effect: DropsCommand) -> None:
    items = _items(form, effect.step)
    for position, item in enumerate(items):
        if item.index == effect.command:
            del items[position]
            if position == 0 and items:
                items[0].operator = ""
            return
    raise Broken(f"instruction {effect.step} has no command {effect.command}")


def _adds_command(form: Form, effect: AddsCommand) -> None:
    items = _items(form, effect.step)
    position = len(items) if effect.after is None else 0
    if effect.after is not None and effect.after >= 0:
        found = [position for position, item in enumerate(items) if item.index == effect.after]
        if not found:
            raise Broken(f"instruction {effect.step} has no command {effect.after}")
        position = found[0] + 1
    while position < len(items) and items[position].index is None:
        position += 1
    items.insert(position, Item(None, effect.operator if position else "", [Token(word, -1) for word in effect.words]))
    if position == 0 and len(items) > 1:
        items[1].operator = effect.operator


def _adds_word(form: Form, effect: AddsWord) -> None:
    added = [Token(word, -1) for word in effect.words]
    for item in _items(form, effect.step):
        for position, token in enumerate(item.tokens):
            if token.start == effect.offset:
                item.tokens[position:position] = added
                return
            if token.start >= 0 and token.start + len(token.text) == effect.offset:
                item.tokens[position + 1 : position + 1] = added
                return
    raise Broken(f"no word at {effect.offset} of instruction {effect.step}")


def _drops_word(form: Form, effect: DropsWord) -> None:
    for item in _items(form, effect.step):
        for position, token in enumerate(item.tokens):
            if token.start == effect.offset:
                del item.tokens[position]
                return
    raise Broken(f"no word at {effect.offset} of instruction {effect.step}")


def _merges_runs(form: Form, effect: MergesRuns) -> None:
    stage, first = _find(form, effect.first)
    other, second = _find(form, effect.second)
    one, two = stage.steps[first], other.steps[second]
    between = stage.steps[first + 1 : second]
    if stage is not other or first >= second or any(step.items != [] for step in between):
        raise Broken(f"instructions {effect.first} and {effect.second} cannot become one")
    if (
        one.items is None
        or two.items is None
        or (one.flags, one.prefix, one.detail) != (two.flags, two.prefix, two.detail)
    ):
        raise Broken(f"instructions {effect.first} and {effect.second} differ in more than their commands")
    if effect.wraps_first:
        one.items[effect.outside :] = [_wrapped(one.items[effect.outside :], one.terminator)]
    elif one.terminator == "&":
        raise Broken(f"instruction {effect.first} ends in the background")
    moved = [_wrapped(two.items, two.terminator)] if effect.wraps_second else two.items
    if moved:
        moved[0].operator = effect.operator if one.items else ""
    for item in moved:
        item.index = None
    one.items += moved
    one.terminator = "" if effect.wraps_second else two.terminator
    del stage.steps[second]


def _wrapped(items: list[Item], terminator: str) -> Item:
    """A list in a subshell."""
    if not items:
        raise Broken("nothing is left to stand in a subshell")
    tokens = [Token("(", -1)]
    for position, item in enumerate(items):
        if position:
            tokens.append(Token(item.operator, -1))
        tokens.extend(item.tokens)
    if terminator:
        tokens.append(Token(terminator, -1))
    return Item(None, items[0].operator, [*tokens, Token(")", -1)])


def _moves(form: Form, effect: Moves) -> None:
    stage = next((stage for stage in form.stages if effect.step in stage.order[1:]), None)
    if stage is None or effect.behind not in stage.order or effect.behind == effect.step:
        raise Broken(f"instruction {effect.step} would leave its stage")
    old = stage.order.index(effect.step)
    del stage.order[old]
    new = stage.order.index(effect.behind) + 1
    stage.order.insert(new, effect.step)
    # Those that it passes, and by how many more (or fewer) it then stands before them.
    passed, change = (set(stage.order[old:new]), -1) if new > old else (set(stage.order[new + 1 : old + 1]), 1)
    if effect.step in stage.keys:
        _moves_entry(form, stage, effect.step, passed, change)
        return
    _, position = _find(form, effect.step)
    step = stage.steps.pop(position)
    if step.prefix >= 0:
        step.prefix -= change * sum(entry[0] in _STATE and key in passed for key, entry in zip(stage.keys, stage.trace))
    above = set(stage.order[:new])
    behind = max((at for at, other in enumerate(stage.steps) if other.key in above), default=-1)
    stage.steps.insert(behind + 1, step)


def _moves_entry(form: Form, stage: StageForm, key: int, passed: set[int], change: int) -> None:
    """What makes the state or the configuration goes elsewhere: a step that it passes sees it no more, or newly, and nothing else."""
    from dfopt import commuting

    for other in stage.keys:
        if other in passed:
            verdict = commuting.commute(form.build, min(key, other), max(key, other))
            if not verdict.free:
                raise Broken(f"instruction {key} cannot pass instruction {other}: {verdict.why}")
    at = stage.keys.index(key)
    entry = stage.trace.pop(at)
    del stage.keys[at]
    place = {one: number for number, one in enumerate(stage.order)}
    new = sum(place[other] < place[key] for other in stage.keys)
    stage.trace.insert(new, entry)
    stage.keys.insert(new, key)
    for step in stage.steps:
        if entry[0] in _STATE and step.key in passed and step.prefix >= 0:
            step.prefix += change


def _adds_copy(form: Form, effect: AddsCopy) -> None:
    stage, position = _find(form, effect.before)
    destination = form.build.absolute(effect.destination, effect.before) or effect.destination
    named = [flag.removeprefix("--from=") for flag in effect.flags if flag.startswith("--from=")]
    flags = [flag for flag in effect.flags if not flag.startswith("--from=")]
    origin = _named(form, stage, named[0]) if named else None
    stage.steps.insert(position, Step(-1, "COPY", -1, flags, origin, None, "", (effect.sources, destination, ())))


def _named(form: Form, stage: StageForm, name: str) -> Origin:
    """What a `--from` in a stage names: the last stage of the name before it, else an image."""
    before = form.stages[: form.stages.index(stage)]
    return next((other for other in reversed(before) if other.name and other.name == name.lower()), name)


def _adds_mount(form: Form, effect: AddsMount) -> None:
    stage, position = _find(form, effect.step)
    name = mount_options(effect.mount).get("from", "")
    stage.steps[position].flags.append(_mount(effect.mount, _named(form, stage, name) if name else None))


def _retargets(form: Form, effect: Retargets) -> None:
    stage, position = _find(form, effect.step)
    step = stage.steps[position]
    if step.name not in ("COPY", "ADD") or not isinstance(step.detail, tuple):
        raise Broken(f"instruction {effect.step} has no destination")
    sources, _, bodies = step.detail
    step.detail = (sources, effect.destination, bodies)


def _adds_flag(form: Form, effect: AddsFlag) -> None:
    stage, position = _find(form, effect.step)
    step = stage.steps[position]
    if step.name == "RUN" and effect.flag.startswith("--mount="):
        raise Broken("a mount is declared by AddsMount")
    if effect.flag.startswith("--from="):
        if step.name != "COPY" or step.origin is not None:
            raise Broken(f"instruction {effect.step} is no COPY of the build context")
        step.origin = _named(form, stage, effect.flag.removeprefix("--from="))
        return
    step.flags.append(effect.flag)
    if "$" in effect.flag and step.prefix < 0:
        # A COPY that was known whole now hangs on the variables before it.
        instructions = form.build.instructions
        own = form.build.stage(effect.step)
        assert own is not None, "a step stands in a stage"
        step.prefix = sum(instructions[index].name in _STATE for index in range(own.first, effect.step))


def _drops_flag(form: Form, effect: DropsFlag) -> None:
    stage, position = _find(form, effect.step)
    flag = effect.flag
    if flag.startswith("--mount="):
        flag = _mount(flag.removeprefix("--mount="), None)
    if flag not in stage.steps[position].flags:
        raise Broken(f"instruction {effect.step} has no `{effect.flag}`")
    stage.steps[position].flags.remove(flag)


def _drops_step(form: Form, effect: DropsStep) -> None:
    stage, position = _find(form, effect.step)
    del stage.steps[position]


def _changes_source(form: Form, effect: ChangesSource) -> None:
    instructions = form.build.instructions
    instruction = instructions[effect.step] if 0 <= effect.step < len(instructions) else None
    if instruction is not None and instruction.name == "COPY":
        stage, position = _find(form, effect.step)
        step = stage.steps[position]
        sources, *rest = step.detail if isinstance(step.detail, tuple) else ((),)
        if isinstance(sources, tuple) and sources.count(effect.old) == 1:
            step.detail = (tuple(effect.new if one == effect.old else one for one in sources), *rest)
            return
    raise Broken(f"instruction {effect.step} does not name `{effect.old}` in one place")


# An owner that needs no list of users.
NUMERIC = pattern(r"[0-9]+(?::[0-9]+)?")


def _assembles(form: Form, effect: Assembles) -> None:
    build = form.build
    found = [_find(form, key) for key in effect.steps]
    stage = found[0][0]
    steps = [stage.steps[position] for _, position in found]
    if (
        len({id(other) for other, _ in found}) > 1
        or len(steps) < 2
        or [p for _, p in found] != sorted({p for _, p in found})
        or any(step.name not in ("COPY", "ADD") for step in steps)
    ):
        raise Broken("the copies of an assembly are no COPYs, stand in different stages or out of order")
    moved, staying = _moved_flags(build, steps)
    if effect.stage in {other.name for other in form.stages} or effect.stage in build.names():
        raise Broken(f"the name `{effect.stage}` is taken")
    assembly = StageForm(-1, effect.stage, "scratch", stage.platform)
    needed = [carried(build, step.key) for step in steps]
    declared = sorted({one for some in needed for one in some or ()})
    assembly.trace = [("ARG", "", text) for _, _, text in declared]
    if None in needed or len({name for _, name, _ in declared}) < len(declared):
        raise Broken("a copy of an assembly hangs on what only its stage knows")
    for step, flags in zip(steps, staying):
        sources, destination, *rest = step.detail if isinstance(step.detail, tuple) else ((), "")
        if step.key in effect.folders:
            destination = f"{destination}/"
        prefix = _copy_prefix(assembly, build.copy(step.key), flags, build.instructions[step.key])
        assembly.steps.append(Step(-1, step.name, prefix, flags, step.origin, None, "", (sources, destination, *rest)))
    prefix = steps[0].prefix if any("$" in flag for flag in moved) else -1
    merged = Step(-1, "COPY", prefix, moved, assembly, None, "", ((effect.root,), effect.root, ()))
    stage.steps = [merged if step is steps[0] else step for step in stage.steps if step not in steps[1:]]
    form.stages.insert(form.stages.index(stage), assembly)


# The flags of an ADD that say what is fetched, not how it lies in the image.
FETCHING = frozenset(("--checksum", "--keep-git-dir"))


def _relocates(form: Form, effect: Relocates) -> None:
    build = form.build
    stage, position = _find(form, effect.step)
    step = stage.steps[position]
    if effect.stage in {other.name for other in form.stages} or effect.stage in build.names():
        raise Broken(f"the name `{effect.stage}` is taken")
    if step.name == "RUN":
        # It no longer sees what makes its state: no variable may be among its words.
        if step.items is None or any("$" in token.text for item in step.items for token in item.tokens):
            raise Broken(f"instruction {effect.step} may read what only its stage knows")
        new = StageForm(-1, effect.stage, stage.base, stage.platform)
        new.trace = [("WORKDIR", "", effect.folder)] if effect.folder else []
        new.steps = [Step(-1, "RUN", _prefix(new), step.flags, step.origin, step.items, step.terminator, step.detail)]
        detail: tuple[object, ...] = (effect.sources, effect.destination, ())
        stage.steps[position] = Step(-1, "COPY", -1, [], new, None, "", detail)
    else:
        copy = build.copy(effect.step)
        sources, destination, bodies = step.detail if isinstance(step.detail, tuple) else ((), "", ())
        if copy is None or copy.sources is None or copy.destination is None or step.origin is not None or bodies:
            raise Broken(f"instruction {effect.step} is no COPY or ADD of known files of the build context")
        new = StageForm(-1, effect.stage, "scratch", None)
        fetching = [flag for flag in step.flags if flag.partition("=")[0] in FETCHING]
        new.steps = [Step(-1, step.name, -1, fetching, None, None, "", (sources, effect.place, ()))]
        flags = [flag for flag in step.flags if flag not in fetching]
        prefix = step.prefix if any("$" in flag for flag in flags) else -1
        detail = (effect.sources, destination, ())
        stage.steps[position] = Step(step.key, "COPY", prefix, flags, new, None, "", detail)
    form.stages.insert(form.stages.index(stage), new)


def _splits_stage(form: Form, effect: SplitsStage) -> None:
    build = form.build
    old = next((stage for stage in form.stages if stage.index == effect.stage), None)
    if old is None or old is not form.stages[-1]:
        raise Broken(f"stage {effect.stage} is not the last one")
    if effect.builder in {other.name for other in form.stages} or effect.builder in build.names():
        raise Broken(f"the name `{effect.builder}` is taken")
    if effect.image.lower() in {other.name for other in form.stages if other.name}:
        raise Broken(f"`{effect.image}` is no image")
    own = [index for index in build.stages[effect.stage].indexes if build.instructions[index].name != "FROM"]
    chain = build.chain(build.stages[effect.stage])
    for below in chain:
        trace = next((stage.trace for stage in form.stages if stage.index == below.index), None)
        if trace != [
            _configuration(build.instructions[one])
            for one in below.indexes
            if build.instructions[one].name not in (*STEPS, "FROM")
        ]:
            raise Broken(f"another effect changes the configuration of stage {below.index}")
    inherited = {index for below in chain[1:] for index in below.indexes if index != below.first}
    # A stage has the platform of what it stands on.
    new = StageForm(-1, old.name, effect.image, chain[-1].platform)
    moved: set[int] = set()
    for line in effect.lines:
        if isinstance(line, Repeated):
            if (
                line.instruction not in own
                and (line.moves or line.instruction not in inherited)
                or build.instructions[line.instruction].name in STEPS
            ):
                raise Broken(f"instruction {line.instruction} is no configuration of stage {effect.stage}")
            new.trace.append(_configuration(build.instructions[line.instruction]))
            moved.update([line.instruction] if line.moves else ())
        elif isinstance(line, SetUp):
            new.steps.append(Step(-1, "RUN", _prefix(new), [], None, _commands(line.commands), "", ""))
        elif isinstance(line, Copied):
            flags = [f"--chown={line.owner}"] if line.owner else []
            new.steps.append(Step(-1, "COPY", -1, flags, old, None, "", (line.sources, line.destination, ())))
        elif line.name:
            new.trace.append((line.keyword, "", line.name, line.value, "="))
        else:
            new.trace.append((line.keyword, "", line.value))
    # What a step of the old stage sees stays: nothing that makes its state moves from before it.
    last = max((index for index in own if build.instructions[index].name in STEPS), default=-1)
    for index in moved:
        if index < last and build.instructions[index].name in _STATE:
            raise Broken(f"instruction {index} moves, and a step behind it sees it")
    old.trace = [
        _configuration(build.instructions[index]) for index in own
        if index not in moved and build.instructions[index].name not in STEPS
    ]  # fmt: skip
    if effect.finish:
        # It stands directly behind the last step: what comes after that moves, or it would see another state.
        if any(index > last and index not in moved and build.instructions[index].name in _STATE for index in own):
            raise Broken("the RUN that ends the builder would see what stands behind the last step")
        old.steps.append(Step(-1, "RUN", _prefix(old), [], None, _commands(effect.finish), "", ""))
    old.name = effect.builder
    form.stages.append(new)
    form.splits.append(effect)


def _commands(commands: tuple[tuple[str, ...], ...]) -> list[Item]:
    """Commands given as words, joined by `&&`."""
    return [Item(None, "&&" if at else "", [Token(word, -1) for word in words]) for at, words in enumerate(commands)]


def configuration(build: Build, stage: Stage) -> dict[str, object]:
    """What the image of a stage is started with, as the file gives it: the keys of Docker's image configuration, variables as `Env.NAME`.
    A value is as expanded where that is known, else as written. Of the base image what its facts say."""
    found: dict[str, object] = {}
    bottom = build.chain(stage)[-1]
    if bottom.facts is not None:
        found.update((f"Env.{name}", value) for name, value in bottom.facts.variables.items() if value is not None)
    end = build.after(stage)
    found["WorkingDir"] = end.workdir
    found["User"] = end.user
    if end.shell:
        found["Shell"] = end.shell
    for one in reversed(build.chain(stage)):
        own_command = False
        for index in one.indexes:
            instruction = build.instructions[index]
            name, words = instruction.name, instruction.arguments
            own_command = own_command or name == "CMD"
            if name == "ENTRYPOINT" and not own_command:
                found.pop("Cmd", None)  # that of what the stage stands on (BuildKit's dispatchEntrypoint)
            if name in ("ENV", "LABEL"):
                kind = "Env" if name == "ENV" else "Labels"
                for key, value in instruction.pairs:
                    text = build.expand(value.text, index) if value is not None else ""
                    found[f"{kind}.{key.text}"] = (
                        text if text is not None or value is None else ("as written", value.text)
                    )
            elif name in ("EXPOSE", "VOLUME"):
                key_of = "ExposedPorts" if name == "EXPOSE" else "Volumes"
                known = found.get(key_of)
                expanded = frozenset(build.expand(word, index) or word for word in words)
                found[key_of] = known | expanded if isinstance(known, frozenset) else expanded
            elif name in ("CMD", "ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL", "MAINTAINER", "ONBUILD"):
                found[name.capitalize()] = _configuration(instruction)
    return found


def _unkept(old: Build, new: Build, effect: SplitsStage) -> list[str]:
    """The keys of the last image's configuration that a split changes and does not declare."""
    before = configuration(old, old.stages[effect.stage])
    after = configuration(new, new.stages[-1])
    declared = {key for key, _, _ in effect.changed}
    return [
        f"`{key}` of the image is {after.get(key)!r}, was {before.get(key)!r}"
        for key in sorted({*before, *after} - declared)
        if before.get(key) != after.get(key)
    ]


def _moved_flags(build: Build, steps: list[Step]) -> tuple[list[str], list[list[str]]]:
    """The flags of an assembly's COPYs that go to the one behind it, and for each those that stay with it, owners as numbers."""
    links = {is_linked(build, step.key) for step in steps}
    if len(links) > 1:
        raise Broken("only some of the copies of an assembly have `--link`")
    one_owner = len({owner_of(build, step.key) for step in steps}) == 1
    if not one_owner and True in links:
        raise Broken("the copies of an assembly have different owners")
    kept = [flag for flag in steps[0].flags if flag.startswith("--link") and True in links]
    kept += [flag for flag in steps[0].flags if flag.startswith("--chown=") and one_owner]
    staying = []
    for step in steps:
        flags = [flag for flag in step.flags if flag.partition("=")[0] not in ("--link", "--chown")]
        if not one_owner and any(flag.startswith("--chown=") for flag in step.flags):
            ids = numbers(build, step.key)
            if ids is None:
                raise Broken("the copies of an assembly have different owners, whose numbers are not known")
            flags.append(f"--chown={ids}")
        staying.append(flags)
    return kept, staying


def is_linked(build: Build, index: int) -> bool:
    """Whether a COPY or ADD has `--link`, which may be written as `--link=true`, or taken back as `--link=false`."""
    flags = [flag for flag in build.instructions[index].flags if flag.name == "link"]
    return bool(flags) and (flags[-1].value or "true").lower() == "true"


def owner_of(build: Build, index: int) -> tuple[object, ...]:
    """Whom the `--chown` of a COPY or ADD names: two of a stage whose owners are equal here give their files to the same one. A name is
    its numbers where these are known; a value that is not known is the same where nothing between sets its variables."""
    text, value = _owner(build, index)
    if value is not None:
        ids = numbers(build, index)
        return (f"{ids}:{ids}" if ids and ":" not in ids else ids or value,)
    stage = build.stage(index)
    own = range(stage.first, index) if stage is not None else range(0)
    names = words.expand(text, build.state(index).variables(), build.syntax.escape).used
    setting = [
        max((at for at in own if any(key.text == name or "$" in key.text for key, _ in _set_by(build, at))), default=-1)
        for name in names
    ]
    return (text, *zip(names, setting))


def _owner(build: Build, index: int) -> tuple[str, str | None]:
    """The value of `--chown` as written and as expanded, "" where there is none."""
    copy = build.copy(index)
    text = copy.flags.get("chown", "") if copy is not None else ""
    return text, build.expand(text, index)


def _set_by(build: Build, index: int) -> tuple[Pair, ...]:
    instruction = build.instructions[index]
    return instruction.pairs if instruction.name in ("ENV", "ARG") else ()


def numbers(build: Build, index: int) -> str | None:
    """The owner that a COPY or ADD gives its files as numbers, which need no list of users; "" where it names none, None where the
    numbers are not known."""
    value = _owner(build, index)[1]
    if not value or NUMERIC.fullmatch(value):
        return value
    from dfopt import caches  # few files name owners

    return caches.ids(build, index, value)


def carried(build: Build, index: int) -> tuple[tuple[int, str, str], ...] | None:
    """The ARGs that the words of a COPY with unknown values need in another stage: the index of the instruction, the name, and the
    declaration as written. None where they need more than ARGs: a variable of ENV, of an unknown base image, or of several ARGs.

    The owner, which does not go to the other stage with them, is left out where it is a flag with a variable.
    """
    instruction, copy, stage = build.instructions[index], build.copy(index), build.stage(index)
    if copy is None or stage is None:
        return None
    texts = [flag.text for flag in instruction.flags if flag.name not in ("from", "chown")]
    texts += [heredoc.body.text for heredoc in instruction.heredocs if heredoc.expand]
    sources = instruction.arguments[:-1] if copy.sources is None else ()
    texts += sources
    texts = [text for text in texts if "$" in text]
    if any(set(_PLAIN_VARIABLE.sub("", text)) & set("$\\`") for text in texts):
        return None
    names = {one[1] or one[2] for text in texts for one in _PLAIN_VARIABLE.finditer(text)}
    state = build.state(index)
    set_by_base = state.base.variables if state.base is not None else ()
    base_is_known = state.base is not None or build.chain(stage)[-1].base.kind == "scratch"
    found = []
    for name in sorted(names):
        if not state.arguments.sets(name) or state.environment.sets(name):
            # In a text it is set neither here nor there; a source without a value is not what the author meant.
            if state.lookup(name)[0] or any(name in source for source in sources):
                return None
            continue
        declarations = [
            (at, key.text if value is None else f"{key.text}={value.text}", value is None)
            for one in build.chain(stage)
            for at in one.indexes
            if build.instructions[at].name == "ARG" and (one is not stage or at < index)
            for key, value in build.instructions[at].pairs
            if key.text == name
        ]
        if len(declarations) != 1 or "$" in declarations[0][1]:
            return None
        at, text, is_bare = declarations[0]
        if is_bare and name not in build.global_arguments and (not base_is_known or name in set_by_base):
            return None  # where nobody gives a value, the base image's own holds
        found.append((at, name, text))
    return tuple(found)


# The forms of substitution that look at no other variable.
_PLAIN_VARIABLE = pattern(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


def _changes_base(form: Form, effect: ChangesBase) -> None:
    stage = next((stage for stage in form.stages if stage.index == effect.stage), None)
    if stage is None or stage.base != effect.old:
        raise Broken(f"the base of stage {effect.stage} is not `{effect.old}`")
    if effect.new == "scratch" or effect.new.lower() in {other.name for other in form.stages if other.name}:
        raise Broken(f"`{effect.new}` is no image")
    old, new = (None if "$" in image else bases.facts(image) for image in (effect.old, effect.new))
    if old is not None and new is not None and _seen(old) != _seen(new):
        raise Broken(f"`{effect.new}` has another user, folder, shell or other variables than `{effect.old}`")
    stage.base = effect.new


def _seen(facts: bases.Base) -> tuple[object, ...]:
    """What the steps of a stage see of its base image."""
    return (facts.distribution, facts.dialect, facts.user, facts.home, facts.workdir, dict(facts.variables))


def _changes_argument(form: Form, effect: ChangesArgument) -> None:
    old, new = f"{effect.name}={effect.old}", f"{effect.name}={effect.new}"
    places = [(at, entry.index(old)) for at, entry in enumerate(form.arguments) if entry[0] == "ARG" and old in entry]
    if len(places) != 1:
        raise Broken(f"no ARG gives `{effect.name}` the default `{effect.old}` in one place")
    at, word = places[0]
    entry = form.arguments[at]
    form.arguments[at] = (*entry[:word], new, *entry[word + 1 :])


def _changes_directive(form: Form, effect: ChangesDirective) -> None:
    if form.directives.get(effect.name) != effect.old:
        raise Broken(f"the directive `{effect.name}` is not `{effect.old}`")
    form.directives.pop(effect.name, None)
    if effect.new is not None:
        form.directives[effect.name] = effect.new


def json_text(words: Iterable[str]) -> str:
    """The words of a CMD or ENTRYPOINT as `ChangesConfig` has them."""
    import json

    return json.dumps(list(words))


def _changes_config(form: Form, effect: ChangesConfig) -> None:
    """A variable of ENV gets another value, or goes: the one place in the stage that sets it, and the instruction with its last.
    The stage's last CMD or ENTRYPOINT, in JSON form before and after, gets other words."""
    kind, _, name = effect.key.partition(".")
    stage = next((stage for stage in form.stages if stage.index == effect.stage), None)
    trace = stage.trace if stage is not None else []
    if kind in ("Cmd", "Entrypoint") and not name and effect.old is not None and effect.new is not None:
        last = max((at for at, entry in enumerate(trace) if entry[0] == kind.upper()), default=-1)
        if last < 0 or trace[last][1] != "json" or json_text(trace[last][2:]) != effect.old:
            raise Broken(f"the stage's {kind.upper()} is not {effect.old}")
        import json

        trace[last] = (*trace[last][:2], *json.loads(effect.new))
        return
    if kind != "Env" or effect.old is None:
        raise Broken(f"a change of `{effect.key}` is declared, which no rule can do yet")
    # An ENV's arguments are name, value and what stands between, for each variable.
    places = [
        (at, word)
        for at, entry in enumerate(trace)
        if entry[0] == "ENV"
        for word in range(2, len(entry), 3)
        if entry[word] == name
    ]
    if stage is None or len(places) != 1:
        raise Broken(f"`{name}` is not set in one place of the stage")
    at, word = places[0]
    entry = trace[at]
    if entry[word + 1] != effect.old:
        raise Broken(f"`{name}` is not `{effect.old}`")
    if effect.new is not None:
        trace[at] = (*entry[: word + 1], effect.new, *entry[word + 2 :])
    elif len(entry) > 5:
        trace[at] = (*entry[:word], *entry[word + 3 :])
    else:
        # What stands behind it sees one of the things that make its state less.
        before = sum(other[0] in _STATE for other in trace[:at])
        del trace[at]
        del stage.keys[at]
        for step in stage.steps:
            step.prefix -= step.prefix > before


_ACTIONS: dict[type, Callable[..., None]] = {
    DropsCommand: _drops_command, AddsCommand: _adds_command, AddsWord: _adds_word, DropsWord: _drops_word,
    MergesRuns: _merges_runs, Moves: _moves, AddsCopy: _adds_copy, AddsMount: _adds_mount, AddsFlag: _adds_flag, DropsFlag: _drops_flag,
    DropsStep: _drops_step, Retargets: _retargets, ChangesSource: _changes_source,
    Assembles: _assembles, Relocates: _relocates, SplitsStage: _splits_stage, ChangesDirective: _changes_directive, ChangesConfig: _changes_config,
    ChangesBase: _changes_base, ChangesArgument: _changes_argument,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- comparison


def differences(expected: Form, actual: Form) -> list[str]:
    """What stands differently in two forms, in words; empty where they are equal."""
    found: list[str] = []
    if expected.directives != actual.directives:
        found.append(f"directives {expected.directives} became {actual.directives}")
    if expected.arguments != actual.arguments:
        found.append("the global arguments differ")
    if len(expected.stages) != len(actual.stages):
        return [*found, f"{len(expected.stages)} stages became {len(actual.stages)}"]
    places = {id(stage): position for position, stage in enumerate(expected.stages)}
    matched = _matched(expected.stages, actual.stages)
    others = {id(stage): position for position, stage in enumerate(matched)}
    for old, new in zip(expected.stages, matched):
        label = f"stage `{old.name or places[id(old)]}`"
        if (old.name, old.platform, _place(old.base, places)) != (new.name, new.platform, _place(new.base, others)):
            found.append(f"{label} has another name, platform or base")
        if old.trace != new.trace:
            found.append(f"the configuration of {label} differs")
        olds = [_compared(step, places) for step in old.steps]
        news = [_compared(step, others) for step in new.steps]
        if olds != news:
            for number, (one, two) in enumerate(zip(olds, news)):
                if one != two:
                    found.append(f"step {number + 1} of {label} is {two}, declared was {one}")
                    break
            else:
                found.append(f"{label} has {len(news)} steps, declared were {len(olds)}")
    for split in expected.splits:
        found += _unkept(expected.build, actual.build, split)
    return found


def _matched(expected: list[StageForm], actual: list[StageForm]) -> list[StageForm]:
    """The stages of `actual` in the order of those of `expected` that they stand for: what is built hangs on names and on which
    stage is the last, not on the order of the others."""
    names = [stage.name for stage in expected]
    others = [stage.name for stage in actual]
    if names == others or names[-1] != others[-1] or sorted(map(str, names)) != sorted(map(str, others)):
        return actual
    left = list(actual[:-1])
    found = []
    for name in names[:-1]:
        found.append(left.pop(next(number for number, stage in enumerate(left) if stage.name == name)))
    return [*found, actual[-1]]


def _place(origin: Origin, places: dict[int, int]) -> object:
    return places.get(id(origin), -1) if isinstance(origin, StageForm) else origin


def _compared(step: Step, places: dict[int, int]) -> tuple[object, ...]:
    items = None
    if step.items is not None:
        items = tuple((item.operator, tuple(_plain(item.tokens))) for item in step.items)
    flags = tuple(sorted(_placed_flag(flag, places) for flag in step.flags))
    return (step.name, step.prefix, flags, _place(step.origin, places), items, step.terminator, step.detail)


def _plain(tokens: list[Token]) -> list[str]:
    """Tokens of one spelling: a line feed that ends a command is a `;`, and none stands before a `)`."""
    found: list[str] = []
    for token in tokens:
        if token.text == ")" and found and found[-1] == ";":
            found.pop()
        found.append(";" if token.text == "\n" else token.text)
    return found


def _placed_flag(flag: str, places: dict[int, int]) -> str:
    head, mark, tail = flag.partition("from=stage:")
    if not mark:
        return flag
    identity, comma, rest = tail.partition(",")
    return f"{head}{mark}{places.get(int(identity), -1)}{comma}{rest}"
