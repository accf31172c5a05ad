"""What a rebuild costs by the order of a stage's steps, and the cheapest order that commuting allows.

A commit touches some steps: a COPY whose sources it changes, a RUN that mounts them. Such a step is built anew, and with it all behind it in
its stage, the stages FROM that one, and what is copied from it; that what is copied came out the same is presumed nowhere. So the
cost of a commit is, summed over the steps, a step's seconds times the chance that it or one before it is touched: a function of the set of
steps that stand before it, not of their order.
"""

from __future__ import annotations

import fnmatch
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from dfopt import commuting, context, costs
from dfopt.build import Build, Stage
from dfopt.context import Context
from dfopt.costs import Figure, Log
from dfopt.history import History
from dfopt.packages import MANAGERS
from dfopt.startup import NamedTuple, pattern

# ------------------------------------------------------------------------------------------- how often files change

# How often files of a kind change, a week, where no history tells: 5 a day for sources, 2 and 1 a week for dependencies and configuration
# stand in the document that this project started from (undated); the others are guesses beside them.
RATES = {
    "sources": 35.0,
    "dependencies": 2.0,
    "configuration": 1.0,
    "documentation": 1.0,
    "assets": 0.25,
}
# Each change is a commit of its own.
COMMITS_A_WEEK = sum(RATES.values())

_CONFIGURATION = pattern(
    r"(?:.*\.(?:conf|cfg|ini|ya?ml|toml|json|jsonc|properties|env|service|crontab|repo|list)|\.[a-z]+rc(?:\.[a-z]+)?|\.env.*|config|conf|etc"
    r"|nginx|conf\.d|tsconfig.*|.*\.config\.[cm]?[jt]s|Makefile|Procfile)$",
    re.IGNORECASE,
)
_DOCUMENTATION = pattern(r"(?:.*\.(?:md|rst|adoc|txt)|LICENSE.*|NOTICE.*|README.*|docs?|man)$", re.IGNORECASE)
_ASSETS = pattern(
    r"(?:.*\.(?:png|jpe?g|gif|svg|ico|webp|woff2?|ttf|otf|mp[34]|pdf|pem|crt|gpg|asc|zip|t?gz|xz|jar|whl|deb|so|bin|pt|onnx|safetensors)"
    r"|assets|images|img|fonts|models?|certs?)$",
    re.IGNORECASE,
)


def kind_of(path: str) -> str:
    """The kind of a file or folder of the context by its name, as in `RATES`."""
    name = path.rstrip("/").rpartition("/")[2]
    if name in ("", "."):
        return "sources"
    if any(fnmatch.fnmatchcase(name, text) for text in _manifests()):
        return "dependencies"
    if _CONFIGURATION.match(name):
        return "configuration"
    if _DOCUMENTATION.match(name):
        return "documentation"
    return "assets" if _ASSETS.match(name) else "sources"


@cache
def _manifests() -> tuple[str, ...]:
    """The names of the files that declare dependencies, by the table of package managers."""
    names = (name for manager in MANAGERS.values() for name in (*manager.manifests, *manager.locks))
    return tuple(dict.fromkeys(name.removeprefix("**/") for name in names if "/" not in name.removeprefix("**/")))


# Arguments that have another value in each build, by their names.
_VOLATILE = pattern(
    r"(?:(?:GIT|VCS|CI|SOURCE|BUILD|SHORT)_?)?(?:COMMIT|SHA|SHA1|REVISION|REV|HASH|DATE|TIME|TIMESTAMP|NUMBER|ID|CREATED)"
    r"(?:_?(?:SHA|SHA1|HASH|ID|REF|DATE|TIME|SHORT))?$"
)


def is_volatile(name: str) -> bool:
    """Whether a build argument's name says that each build gives it another value (`GIT_SHA`, `BUILD_DATE`)."""
    return "_" in name and _VOLATILE.fullmatch(name) is not None


# ------------------------------------------------------------------------------------------------------- the model


class Cause(NamedTuple):
    """Something that makes steps be built anew: a path of the context, or a build argument; `mask` has the bits of the steps that it
    touches, `chance` is that of a commit to change it."""

    name: str
    mask: int
    chance: float


class Changes(NamedTuple):
    """What commits touch. `commits` are sets of steps (bits by the index of the instruction) that a recorded commit touched, with their
    share of all commits; `causes` change independently of these and of each other. `a_day` is how many commits a day has (None: not
    known). `source` says in words where it is from; `shares` is what recorded paths touch, path by path, for each commit that counts."""

    commits: tuple[tuple[int, float], ...]
    causes: tuple[Cause, ...]
    a_day: float | None
    source: str
    shares: tuple[tuple[float, tuple[tuple[str, int], ...]], ...] = ()

    def chance(self, steps: int) -> float:
        """The chance that a commit touches one of the steps."""
        recorded = sum(share for mask, share in self.commits if mask & steps)
        none = 1.0
        for cause in self.causes:
            if cause.mask & steps:
                none *= 1.0 - cause.chance
        return 1.0 - (1.0 - recorded) * none


class Model(NamedTuple):
    """A build with its costs. `steps` are those of the stages that the image needs, in order of the file; `figures` their times; `own` the
    steps (bits) whose change is a step's own: itself, and all of the stages that it copies from; `base` all of the stages that a stage
    stands on."""

    build: Build
    changes: Changes
    steps: tuple[int, ...]
    figures: Mapping[int, Figure]
    own: Mapping[int, int]
    base: Mapping[int, int]

    def weight(self, index: int) -> float:
        """The seconds of a step for comparing orders: where they are not known, what the table of weights has."""
        figure = self.figures[index]
        if figure.seconds is not None:
            return figure.seconds
        name = self.build.instructions[index].name
        return 0.0 if name == "FROM" else costs.WEIGHT.get(name, costs.OTHER_WEIGHT)

    def above(self, index: int) -> int:
        """The steps (bits) of which a change builds a step anew, as the file stands."""
        stage = self.build.stage(index)
        assert stage is not None, "a step of a stage"
        found = self.base[stage.index]
        for other in self.steps:
            if stage.first <= other <= index:
                found |= self.own[other]
        return found

    def chance(self, index: int) -> float:
        """The chance that a commit builds a step anew."""
        return self.changes.chance(self.above(index))


class Expected(NamedTuple):
    """What a commit rebuilds in the mean: seconds of the steps whose time is known, and how many steps of unknown time."""

    seconds: float
    unknown: float


def expected(model: Model) -> Expected:
    """The expected rebuild of a commit, as the file stands."""
    seconds = unknown = 0.0
    for index in model.steps:
        if model.build.instructions[index].name == "FROM":
            continue
        chance, figure = model.chance(index), model.figures[index]
        if figure.seconds is None:
            unknown += chance
        else:
            seconds += chance * figure.seconds
    return Expected(seconds, unknown)


def weighed(model: Model) -> float:
    """The expected rebuild in seconds with steps of unknown time weighed: for comparing orders, not for people."""
    return sum(model.weight(index) * model.chance(index) for index in model.steps)


def model(build: Build, past: History, logs: Sequence[Log], place: Context | None) -> Model:
    """The costs of a file: `past` is the history of its context, `logs` tell of earlier builds, `place` is the context on disk."""
    reached = build.reached()
    stages = [stage for stage in build.stages if stage.index in reached]
    steps = [index for stage in stages for index in costs.vertices(build, stage)]
    own: dict[int, int] = {}
    base: dict[int, int] = {}
    whole: dict[int, int] = {}
    for stage in build.stages:
        base[stage.index] = whole[stage.index] = 0
        for parent in stage.parents:
            base[stage.index] |= whole.get(parent, 0)
        whole[stage.index] = base[stage.index]
        arguments = 0
        for index in stage.indexes:
            instruction = build.instructions[index]
            if instruction.name == "ARG" and any(is_volatile(key.text) for key, _ in instruction.pairs):
                arguments |= 1 << index
            own[index] = 1 << index
            for reference in build.references_of(index):
                if reference.stage is not None:
                    own[index] |= whole.get(reference.stage, 0)
            # Whatever a RUN does, the arguments above it are part of what its cache is looked up by.
            if instruction.name == "RUN":
                own[index] |= arguments
            elif instruction.name in ("COPY", "ADD", "WORKDIR"):
                own[index] |= _named(build, index, arguments)
            whole[stage.index] |= own[index] if instruction.name in costs.VERTICES else 0
    figures = {index: costs.of(build, index, logs, place) for index in steps}
    return Model(build, changes(build, steps, past, place), tuple(steps), figures, own, base)


def _named(build: Build, index: int, arguments: int) -> int:
    """Which of the arguments an instruction names."""
    text = build.instructions[index].logical.text
    found = 0
    while arguments:
        low = arguments & -arguments
        arguments ^= low
        keys = [key.text for key, _ in build.instructions[low.bit_length() - 1].pairs]
        if any(re.search(rf"\$\{{?{re.escape(key)}\b", text) for key in keys):
            found |= low
    return found


# ----------------------------------------------------------------------------------------------------- what is touched


def changes(build: Build, steps: Sequence[int], past: History, place: Context | None) -> Changes:
    """What commits touch of the steps: by the history, else by the kinds of the files that are copied."""
    reading: dict[int, tuple[str, ...] | None] = {}
    for index in steps:
        if build.instructions[index].name != "FROM":
            found = taken(build, index)
            if found is None or found:
                reading[index] = found
    causes = []
    for stage in build.stages:
        for index in stage.indexes:
            instruction = build.instructions[index]
            if instruction.name == "ARG":
                names = [key.text for key, _ in instruction.pairs if is_volatile(key.text)]
                if names:
                    causes.append(Cause(f"ARG {names[0]}", 1 << index, 1.0))
    if not past.commits:
        return Changes((), (*causes, *_usual(reading)), COMMITS_A_WEEK / 7, past.source)
    known = {path for path in past.seen if place is None or not place.ignore.hides(path)}
    for source in _sources(reading):
        if source == "." or not past.complete or any(_covers(source, path) for path in known):
            continue
        # What lies there without git knowing it is made anew by whoever builds; of what is not there nothing is known but its name.
        there = place is not None and bool(place.matching(source))
        chance = 1.0 if there else RATES[kind_of(source)] / COMMITS_A_WEEK
        causes.append(Cause(f"{source} (not in git)", _mask(reading, source), chance))
    masks: dict[str, int] = {}
    counted: Counter[int] = Counter()
    shares = []
    for commit in past.commits:
        parts = []
        for path in commit:
            mask = masks.get(path)
            if mask is None:
                hidden = place is not None and place.ignore.hides(path)
                mask = masks[path] = 0 if hidden else _mask(reading, path)
            if mask:
                parts.append((path, mask))
        together = 0
        for _, mask in parts:
            together |= mask
        counted[together] += 1
        if parts:
            shares.append((1 / len(past.commits), tuple(parts)))
    share = 1 / len(past.commits)
    commits = tuple((mask, number * share) for mask, number in sorted(counted.items()) if mask)
    a_day = len(past.commits) / past.days if past.days >= 1 else None
    return Changes(commits, tuple(causes), a_day, past.source, tuple(shares))


def taken(build: Build, index: int) -> tuple[str, ...] | None:
    """What a step takes of the build context; None for what may be anything."""
    copy = build.copy(index)
    if copy is None:
        return commuting.access(build, index).context
    if copy.origin is not None:
        return ()
    if copy.sources is None:
        return None
    heredocs = {heredoc.name for heredoc in build.instructions[index].heredocs}
    named = [source for source in copy.sources if source not in heredocs and "://" not in source]
    return tuple(context.normal(source) or "." for source in named if not source.startswith("git@"))


def _usual(reading: Mapping[int, tuple[str, ...] | None]) -> Iterator[Cause]:
    """A cause for each source that is copied, with the rate of its kind. A folder that holds others stands for the rest in it."""
    for source in _sources(reading):
        yield Cause(source, _mask(reading, source), RATES[kind_of(source)] / COMMITS_A_WEEK)


def _sources(reading: Mapping[int, tuple[str, ...] | None]) -> list[str]:
    return list(dict.fromkeys(source for sources in reading.values() for source in (sources or (".",))))


def _mask(reading: Mapping[int, tuple[str, ...] | None], path: str) -> int:
    """The steps (bits) that take a path of the context."""
    mask = 0
    for index, sources in reading.items():
        if sources is None or any(_covers(source, path) for source in sources):
            mask |= 1 << index
    return mask


def _covers(source: str, path: str) -> bool:
    """Whether a source of COPY takes a path, or what lies below it (a submodule is one path to git)."""
    if source in (".", ""):
        return True
    if source == path or path.startswith(source + "/"):
        return True
    if not set(source) & set("*?[\\"):
        return source.startswith(path + "/")
    given, wanted = path.split("/"), source.split("/")
    if "**" in wanted:
        given, wanted = given[: wanted.index("**")], wanted[: wanted.index("**")]
    return all(context.name_matches(pattern, name) for pattern, name in zip(wanted, given)) and len(given) >= len(
        wanted
    )


def blamed(model: Model, most: int = 5) -> list[tuple[str, float]]:
    """What causes the expected rebuild, by files and folders at the top of the context: each with its share of the seconds, the largest
    first. The cost of a commit is shared by what it changes, by what each would have cost alone."""
    stage_above = {index: model.above(index) for index in model.steps}
    known: dict[int, float] = {}

    def cost(mask: int) -> float:
        if mask not in known:
            known[mask] = sum(model.weight(index) for index in model.steps if stage_above[index] & mask)
        return known[mask]

    found: dict[str, float] = {}
    for share, parts in model.changes.shares:
        together = 0
        for _, mask in parts:
            together |= mask
        alone = [(path, cost(mask)) for path, mask in parts]
        total = sum(one for _, one in alone) or 1.0
        for path, one in alone:
            head, slash, _ = path.partition("/")
            found[head + slash] = found.get(head + slash, 0.0) + share * cost(together) * one / total
    for cause in model.changes.causes:
        found[cause.name] = found.get(cause.name, 0.0) + cause.chance * cost(cause.mask)
    total = sum(found.values())
    largest = sorted(found, key=lambda name: (-found[name], name))
    return [(name, found[name] / total) for name in largest[:most] if found[name]] if total else []


# --------------------------------------------------------------------------------------------------- the best order

# A step is put behind another one only where that saves more than so many seconds a commit.
LEAST = 0.1
# Beyond so many sets of steps the search is not exact.
MOST_SETS = 20_000
# Longer stages are not ordered: each two of their steps would have to be compared.
MOST_STEPS = 120


class Arrangement(NamedTuple):
    """An order of items `0..n-1`: its value (seconds a commit), a bound that no order goes below, and whether it is the best one."""

    order: tuple[int, ...]
    value: float
    bound: float
    exact: bool


def arrange(
    weights: Sequence[float],
    own: Sequence[int],
    before: Sequence[int],
    chance: Callable[[int], float],
    most: int = MOST_SETS,
) -> Arrangement:
    """The order of items in which the sum of each one's weight times `chance(own of it and of all before it)` is least.

    `before[i]` has the bits of the items that must stand before item i; they are in a right order as given. Exact while there are no more
    than `most` sets that an order can begin with: the cheapest way to each of them is found from smaller ones. Beyond it groups of
    items go first whose weight is largest for what they add to the chance of a change, as Sidney's decomposition does it for the linear
    case; then items are put elsewhere one by one while that helps.
    """
    count = len(weights)
    memo: dict[int, float] = {}

    def risk(steps: int) -> float:
        if steps not in memo:
            memo[steps] = chance(steps)
        return memo[steps]

    bound = 0.0
    for item in range(count):
        steps = own[item]
        for other in _bits(_ancestors(before, item)):
            steps |= own[other]
        bound += weights[item] * risk(steps)
    found = _exact(weights, own, before, risk, most)
    exact = found is not None
    order = found if found is not None else _improved(weights, own, before, risk, _grouped(weights, own, before, risk))
    value = _value(order, weights, own, risk)
    return Arrangement(tuple(order), value, value if exact else bound, exact)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        mask ^= low
        yield low.bit_length() - 1


def _ancestors(before: Sequence[int], item: int) -> int:
    found, todo = 0, before[item]
    while todo:
        low = todo & -todo
        found |= low
        todo = (todo | before[low.bit_length() - 1]) & ~found
    return found


def _value(order: Sequence[int], weights: Sequence[float], own: Sequence[int], risk: Callable[[int], float]) -> float:
    steps, value = 0, 0.0
    for item in order:
        steps |= own[item]
        value += weights[item] * risk(steps)
    return value


def _inversions(order: Sequence[int]) -> int:
    return sum(one > other for at, one in enumerate(order) for other in order[at + 1 :])


def _exact(
    weights: Sequence[float], own: Sequence[int], before: Sequence[int], risk: Callable[[int], float], most: int
) -> list[int] | None:
    """The best order by way of the sets that an order can begin with; None where there are too many."""
    count = len(weights)
    # For each set: the cost of the cheapest way to it, its last item, and the steps in it.
    level: dict[int, tuple[float, int]] = {0: (0.0, -1)}
    steps_of = {0: 0}
    came: dict[int, int] = {}
    total = 1
    for _ in range(count):
        following: dict[int, tuple[float, int]] = {}
        for placed, (cost, _last) in level.items():
            for item in range(count):
                bit = 1 << item
                if placed & bit or before[item] & ~placed:
                    continue
                steps = steps_of[placed] | own[item]
                passed = bin(((1 << item) - 1) & ~placed).count("1")
                value = cost + weights[item] * risk(steps) + LEAST * passed
                new = placed | bit
                if new not in following or value < following[new][0] - 1e-12:
                    following[new] = (value, item)
                    steps_of[new] = steps
        total += len(following)
        if total > most:
            return None
        came.update((placed, item) for placed, (_, item) in following.items())
        level = following
    order: list[int] = []
    placed = (1 << count) - 1
    while placed:
        order.append(came[placed])
        placed ^= 1 << came[placed]
    return order[::-1]


def _grouped(
    weights: Sequence[float], own: Sequence[int], before: Sequence[int], risk: Callable[[int], float]
) -> list[int]:
    """Again and again the item, with all that it still needs before it, whose weight is largest for the risk that it adds."""
    count = len(weights)
    ancestors = [_ancestors(before, item) | 1 << item for item in range(count)]
    order: list[int] = []
    placed = steps = 0
    while len(order) < count:
        best: tuple[float, int, int] | None = None
        for item in range(count):
            if placed >> item & 1:
                continue
            group = ancestors[item] & ~placed
            together, weight = steps, 0.0
            for other in _bits(group):
                together |= own[other]
                weight += weights[other]
            added = risk(together) - risk(steps)
            ratio = weight / added if added > 1e-12 else math.inf
            if best is None or ratio > best[0] * (1 + 1e-9) or (ratio == best[0] == math.inf and group < best[2]):
                best = (ratio, item, group)
        assert best is not None, "items are left"
        for other in _bits(best[2]):
            order.append(other)
            steps |= own[other]
        placed |= best[2]
    return order


def _improved(
    weights: Sequence[float], own: Sequence[int], before: Sequence[int], risk: Callable[[int], float], start: list[int]
) -> list[int]:
    """The better of `start` and the order as given, with items put elsewhere while that helps."""

    def price(order: Sequence[int]) -> float:
        return _value(order, weights, own, risk) + LEAST * _inversions(order)

    order = min(start, list(range(len(weights))), key=price)
    best = price(order)
    for _ in range(_ROUNDS):
        moved = False
        for item in range(len(order)):
            at = order.index(item)
            rest = order[:at] + order[at + 1 :]
            low = max((rest.index(other) + 1 for other in _bits(before[item])), default=0)
            high = min((place for place, other in enumerate(rest) if before[other] >> item & 1), default=len(rest))
            for place in range(max(low, at - _REACH), min(high, at + _REACH) + 1):
                tried = [*rest[:place], item, *rest[place:]]
                value = price(tried)
                if value < best - 1e-9:
                    order, best, moved = tried, value, True
        if not moved:
            break
    return order


_ROUNDS = 6
_REACH = 30


# ------------------------------------------------------------------------------------------------------- of a stage


class Ordered(NamedTuple):
    """The order of a stage's steps and settings, by the indexes of the instructions, that is proposed. `steps` are those that may be moved,
    each with what stands against moving it; `reasons` are why pairs may change places; `gap` is how many
    seconds a commit a better order could save at most, where the order is not `exact`."""

    stage: Stage
    before: tuple[int, ...]
    after: tuple[int, ...]
    steps: Mapping[int, float]
    exact: bool
    gap: float
    reasons: Mapping[tuple[int, int], str]

    @property
    def moved(self) -> list[int]:
        """The steps that are moved, in the new order: files rather than commands, and never the first (it stands behind no step)."""
        build_steps = [item for item in self.after if item in self.steps]
        first = build_steps[0] if build_steps else -1
        return moved(self.before, self.after, lambda item: 1e12 if item == first else self.steps.get(item, 1e9))


_STATE = ("ENV", "ARG", "USER", "WORKDIR", "SHELL", "VOLUME")
_STEPS = ("RUN", "COPY", "ADD")


class Constraints(NamedTuple):
    """Which steps and settings of a stage keep their order: `before` has for each of `items` (indexes of instructions) the places (bits) of
    those that stay before it; `reasons` are why pairs may change places, `ties` why others may not."""

    items: tuple[int, ...]
    before: tuple[int, ...]
    reasons: Mapping[tuple[int, int], str]
    ties: Mapping[tuple[int, int], str]


def constraints(
    build: Build, stage: Stage, commute: Callable[[Build, int, int], commuting.Verdict] = commuting.commute
) -> Constraints | None:
    """What commuting allows in a stage; None where it is too long to be looked at."""
    items = [index for index in stage.indexes if build.instructions[index].name in (*_STEPS, *_STATE)]
    if len(items) > MOST_STEPS:
        return None
    reasons: dict[tuple[int, int], str] = {}
    ties: dict[tuple[int, int], str] = {}
    before = [0] * len(items)
    for second, index in enumerate(items):
        for first in range(second):
            why = _tied(build, items[first], index)
            if not why:
                verdict = commute(build, items[first], index)
                if verdict.free:
                    reasons[items[first], index] = verdict.why
                else:
                    why = verdict.why
            if why:
                ties[items[first], index] = why
                before[second] |= 1 << first
    return Constraints(tuple(items), tuple(before), reasons, ties)


def ordered(model: Model, stage: Stage, limits: Constraints) -> Ordered:
    """The cheapest order of a stage within its constraints."""
    build = model.build
    items = limits.items
    weights = [model.weight(index) if index in model.figures else 0.0 for index in items]
    own = [model.own[index] if build.instructions[index].name in costs.VERTICES else 0 for index in items]
    ground = model.base[stage.index]
    found = arrange(weights, own, limits.before, lambda steps: model.changes.chance(steps | ground))
    after = tuple(items[number] for number in found.order)
    steps = {
        index: 1e3 if build.instructions[index].name == "RUN" else 1.0
        for index in items
        if build.instructions[index].name in _STEPS
    }
    return Ordered(stage, items, after, steps, found.exact, found.value - found.bound, limits.reasons)


def _tied(build: Build, first: int, second: int) -> str:
    """Why two instructions keep their order whatever they read and write; "" where that decides."""
    names = (build.instructions[first].name, build.instructions[second].name)
    if names[0] in _STATE and names[1] in _STATE:
        return "the order of settings stays"
    for index, other in ((first, second), (second, first)):
        name = build.instructions[index].name
        if build.instructions[other].name in _STATE and name in _STEPS and not _is_fixed(build, index):
            return f"`{build.instructions[other].name}` is part of what the step sees"
    return ""


def _is_fixed(build: Build, index: int) -> bool:
    """Whether a COPY or ADD means the same wherever it stands: its words are known, and it runs nothing."""
    copy = build.copy(index)
    if copy is None or copy.sources is None or copy.destination is None:
        return False
    instruction = build.instructions[index]
    return "$" not in "".join((*instruction.arguments, *(flag.text for flag in instruction.flags)))


def moved(before: Sequence[int], after: Sequence[int], heavy: Callable[[int], float]) -> list[int]:
    """Which of the items have to be moved so that one order becomes the other, in the new order: all but a rising chain of the largest
    weight."""
    place = {item: number for number, item in enumerate(before)}
    best: list[tuple[float, int]] = []
    for at, item in enumerate(after):
        value, came = max(
            ((best[other][0], other) for other in range(at) if place[after[other]] < place[item]), default=(0.0, -1)
        )
        best.append((value + heavy(item), came))
    at = max(range(len(after)), key=lambda number: best[number][0], default=-1)
    kept = set()
    while at >= 0:
        kept.add(after[at])
        at = best[at][1]
    return [item for item in after if item not in kept]


# ----------------------------------------------------------------------------------------------------- parallel builds


class Parallel(NamedTuple):
    """What BuildKit does at the same time: `whole` is a full build one step after another, `path` the longest way through the stages with
    its steps and seconds, `apart` the groups of stages that do not need each other, `unknown` how many steps have no time."""

    whole: float
    path: tuple[int, ...]
    seconds: float
    apart: tuple[tuple[int, int], ...]
    unknown: int


def parallel(model: Model) -> Parallel:
    """What can be done at the same time, and the critical path, by the steps whose time is known."""
    build = model.build
    finish: dict[int, float] = {}
    came: dict[int, int] = {}
    last: dict[int, int] = {}
    for stage in build.stages:
        previous = -1
        for index in (index for index in model.steps if build.stage_of[index] == stage.index):
            needed = [previous] if previous >= 0 else [last[parent] for parent in stage.parents if parent in last]
            needed += [
                last[reference.stage]
                for reference in build.references_of(index)
                if reference.stage is not None and reference.stage in last
            ]
            longest = max(needed, key=lambda other: finish[other], default=-1)
            came[index] = longest
            finish[index] = (finish[longest] if longest >= 0 else 0.0) + (model.figures[index].seconds or 0.0)
            previous = index
        if previous >= 0:
            last[stage.index] = previous
    path: list[int] = []
    at = last.get(build.final.index, -1) if build.final is not None else -1
    seconds = finish.get(at, 0.0)
    while at >= 0:
        path.append(at)
        at = came[at]
    reached = sorted(last)
    above = {index: build.reached(build.stages[index]) for index in reached}
    apart = tuple(
        (one, other)
        for at, one in enumerate(reached)
        for other in reached[at + 1 :]
        if one not in above[other] and other not in above[one]
    )
    known = [model.figures[index].seconds for index in model.steps if build.instructions[index].name != "FROM"]
    whole = sum(time for time in known if time is not None)
    return Parallel(whole, tuple(reversed(path)), seconds, apart, sum(time is None for time in known))


def could_be_parallel(model: Model, stage: Stage, least: float = 5.0) -> list[tuple[int, int]]:
    """RUNs of a stage that follow each other without needing each other, each of at least so many seconds."""
    runs = [index for index in stage.indexes if model.build.instructions[index].name == "RUN"]
    return [
        (one, other)
        for one, other in itertools.pairwise(runs)
        if min(model.figures[one].seconds or 0, model.figures[other].seconds or 0) >= least
        and commuting.commute(model.build, one, other).free
    ]
