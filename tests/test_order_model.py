"""The expected cost of a rebuild, and the cheapest order under constraints, held against brute force."""

import itertools
import math
import pathlib
import random
from collections.abc import Callable, Sequence

import pytest

from dfopt import context, order
from dfopt.build import Build
from dfopt.costs import Log, Measured
from dfopt.history import History
from dfopt.order import LEAST
from dfopt.source import Source
from dfopt.syntax import parse

NONE = History((), 0.0, frozenset(), False, "no git repository")


def build_of(text: str) -> Build:
    return Build(parse(Source(text)))


def past(*commits: Sequence[str], days: float = 10.0) -> History:
    sets = tuple(frozenset(commit) for commit in commits)
    return History(sets, days, frozenset().union(*sets), True, "test")


def timed(*seconds: tuple[str, float]) -> tuple[Log, ...]:
    return (Log("test", tuple(Measured("", 0, 0, text, time) for text, time in seconds)),)


# ---------------------------------------------------------------------------------------------------------- the model

LINE = "FROM a\nCOPY package.json .\nRUN install\nCOPY . .\nRUN make\n"
TIMES = timed(("COPY package.json .", 1), ("RUN install", 60), ("COPY . .", 3), ("RUN make", 15))


def test_a_commit_rebuilds_what_it_touches_and_all_behind_it() -> None:
    model = order.model(build_of(LINE), past(["src/a"], ["package.json", "src/a"], ["src/b"], []), TIMES, None)
    assert [model.chance(index) for index in (1, 2, 3, 4)] == [0.25, 0.25, 0.75, 0.75]
    assert order.expected(model) == (0.25 * 61 + 0.75 * 18, 0)
    assert model.changes.a_day == 0.4


def test_stages_and_copies_from_them() -> None:
    text = "FROM a AS base\nCOPY one .\nRUN base\nFROM base AS two\nCOPY two .\nRUN two\nFROM a\nCOPY three .\nRUN before\nCOPY --from=two /x /x\nRUN behind\nFROM a AS idle\nRUN idle\nFROM a\nCOPY --from=2 /x /x\n"
    model = order.model(build_of(text), past(["one"], ["two"], ["three"], ["four"]), (), None)
    assert list(model.steps) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14], "`idle` is not built"
    chances = {index: model.chance(index) for index in model.steps if index not in (0, 3, 6, 13)}
    assert chances == {1: 0.25, 2: 0.25, 4: 0.5, 5: 0.5, 7: 0.25, 8: 0.25, 9: 0.75, 10: 0.75, 14: 0.75}


def test_a_bind_mount_is_read_as_well() -> None:
    text = "FROM a\nRUN --mount=type=bind,source=conf,target=/c make\nRUN --mount=type=bind,target=/c all\n"
    model = order.model(build_of(text), past(["conf/x"], ["other"]), (), None)
    assert [model.chance(index) for index in (1, 2)] == [0.5, 1.0]


def test_a_build_argument_of_each_build() -> None:
    text = "FROM a\nARG GIT_SHA\nCOPY one .\nRUN make\nCOPY $GIT_SHA .\n"
    model = order.model(build_of(text), past(["one"], ["two"]), (), None)
    assert [model.chance(index) for index in (2, 3, 4)] == [0.5, 1.0, 1.0]
    assert order.blamed(model)[0][0] == "ARG GIT_SHA"


@pytest.mark.parametrize(
    "name", ["GIT_SHA", "BUILD_DATE", "COMMIT_SHA", "VCS_REF_DATE", "GIT_COMMIT", "BUILD_NUMBER", "CI_COMMIT_SHA"]
)
def test_volatile_names(name: str) -> None:
    assert order.is_volatile(name) == (name != "VCS_REF_DATE")


@pytest.mark.parametrize(
    "name", ["NODE_ENV", "UID", "USER_ID", "VERSION", "DATE", "GROUP_ID", "NODE_VERSION", "TARGETARCH"]
)
def test_other_names(name: str) -> None:
    assert not order.is_volatile(name)


def test_without_a_history_kinds_change_independently() -> None:
    model = order.model(build_of(LINE), NONE, TIMES, None)
    manifest, sources = (order.RATES[kind] / order.COMMITS_A_WEEK for kind in ("dependencies", "sources"))
    assert model.chance(2) == pytest.approx(manifest)
    assert model.chance(4) == pytest.approx(1 - (1 - manifest) * (1 - sources))
    assert model.changes.source == "no git repository"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".", "sources"), ("src", "sources"), ("main.go", "sources"), ("entrypoint.sh", "sources"), ("package.json", "dependencies"),
        ("web/pnpm-lock.yaml", "dependencies"), ("requirements-dev.txt", "dependencies"), ("App.csproj", "dependencies"),
        ("nginx.conf", "configuration"), ("config/", "configuration"), ("tsconfig.json", "configuration"),
        (".eslintrc.json", "configuration"), ("README.md", "documentation"), ("docs", "documentation"), ("logo.png", "assets"),
        ("assets/", "assets"), ("app.jar", "assets"), ("configure.py", "sources"),
    ],
)  # fmt: skip
def test_kinds(path: str, kind: str) -> None:
    assert order.kind_of(path) == kind


@pytest.mark.parametrize(
    ("source", "path", "taken"),
    [
        (".", "a/b", True), ("a", "a/b", True), ("a", "ab", False), ("a/b", "a/b", True), ("a/b", "a", True), ("*.json", "x.json", True),
        ("*.json", "a/x.json", False), ("a/*.json", "a/x.json", True), ("p*", "pkg/x", True), ("a/*/b", "a", False),
        ("a/**/b", "a/x/y", True), ("[ab]", "a", True),
    ],
)  # fmt: skip
def test_what_a_source_takes(source: str, path: str, taken: bool) -> None:
    build = build_of(f"FROM a\nCOPY {source} /x/\n")
    assert bool(order.changes(build, [1], past([path], ["z"]), None).commits) == taken


def test_what_is_not_in_git_changes_with_each_commit(tmp_path: pathlib.Path) -> None:
    build, commits = build_of("FROM a\nCOPY dist .\n"), past(["src/a"], ["src/b"])
    place = context.open_context(str(tmp_path))
    assert order.model(build, commits, (), place).chance(1) == pytest.approx(
        order.RATES["sources"] / order.COMMITS_A_WEEK
    )
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/a").write_text("x")
    model = order.model(build, commits, (), context.open_context(str(tmp_path)))
    assert model.chance(1) == 1
    assert order.blamed(model) == [("dist (not in git)", 1.0)]


def test_causes_share_what_they_cost() -> None:
    model = order.model(build_of(LINE), past(["src/a"], ["src/b"], ["package.json"], ["src/c"]), TIMES, None)
    found = dict(order.blamed(model))
    assert found["src/"] == pytest.approx(54 / (54 + 79))
    assert found["package.json"] == pytest.approx(79 / (54 + 79))


# ------------------------------------------------------------------------------------------------------- the best order


class Instance:
    """Random items with constraints that agree with the order as given, and commits that touch some of them."""

    def __init__(self, seed: int, count: int) -> None:
        random_ = random.Random(seed)
        self.weights = [random_.choice([0.1, 1.0, 3.0, 20.0, 60.0]) for _ in range(count)]
        self.own = [1 << number if random_.random() < 0.7 else 0 for number in range(count)]
        density = random_.choice([0.0, 0.2, 0.5])
        self.before = [sum(1 << one for one in range(number) if random_.random() < density) for number in range(count)]
        commits = [sum(1 << number for number in range(count) if random_.random() < 0.3) for _ in range(20)]
        self.chance: Callable[[int], float] = lambda steps: (
            sum(bool(commit & steps) for commit in commits) / len(commits)
        )

    def value(self, items: Sequence[int]) -> float:
        steps, total = 0, 0.0
        for item in items:
            steps |= self.own[item]
            total += self.weights[item] * self.chance(steps)
        return total

    def feasible(self, items: Sequence[int]) -> bool:
        place = {item: at for at, item in enumerate(items)}
        return all(place[one] < place[item] for item in items for one in items if self.before[item] >> one & 1)

    def price(self, items: Sequence[int]) -> float:
        return self.value(items) + LEAST * sum(one > other for one, other in itertools.combinations(items, 2))

    def brute(self) -> float:
        return min(self.price(items) for items in itertools.permutations(range(len(self.own))) if self.feasible(items))

    def arrange(self, **most: int) -> order.Arrangement:
        return order.arrange(self.weights, self.own, self.before, self.chance, **most)


@pytest.mark.parametrize("seed", range(40))
def test_exact_as_brute_force(seed: int) -> None:
    instance = Instance(seed, 3 + seed % 4)
    found = instance.arrange()
    assert found.exact
    assert instance.feasible(found.order)
    assert instance.price(found.order) == pytest.approx(instance.brute())
    assert found.value == found.bound == pytest.approx(instance.value(found.order))


def test_nine_free_items_are_exact() -> None:
    instance = Instance(1, 9)
    instance.before = [0] * 9
    assert instance.arrange().exact


@pytest.mark.parametrize("seed", range(30))
def test_the_heuristic_keeps_the_constraints_and_its_bound(seed: int) -> None:
    instance = Instance(seed, 3 + seed % 4)
    found = instance.arrange(most=1)
    best = instance.brute()
    assert not found.exact
    assert instance.feasible(found.order)
    assert found.bound <= best + 1e-9
    assert best - 1e-9 <= instance.price(found.order) <= instance.price(range(len(instance.own))) + 1e-9
    assert found.bound <= found.value + 1e-9


def test_the_heuristic_is_near_the_best() -> None:
    gaps = []
    for seed in range(100, 140):
        instance = Instance(seed, 6)
        best = instance.brute()
        gaps.append(instance.price(instance.arrange(most=1).order) / best - 1 if best else 0.0)
    assert sum(gap < 1e-9 for gap in gaps) >= 36
    assert max(gaps) < 0.05


def test_the_seeds_theorem() -> None:
    """Rare changes that exclude each other: sorted by cost over frequency."""
    weights, rates = [3e3, 60e3, 1e3, 20e3], [0.1, 2 / 350, 1 / 350, 1 / 1500]
    found = order.arrange(
        weights, [1, 2, 4, 8], [0] * 4, lambda steps: sum(rate for bit, rate in enumerate(rates) if steps >> bit & 1)
    )
    assert list(found.order) == sorted(range(4), key=lambda item: -weights[item] / rates[item])


def test_independent_changes() -> None:
    """The key is c(1-p)/p."""
    weights, chances = [5e3, 8e3, 9e3, 40e3], [0.3, 0.6, 0.5, 0.9]
    found = order.arrange(
        weights,
        [1, 2, 4, 8],
        [0] * 4,
        lambda steps: 1 - math.prod(1 - p for bit, p in enumerate(chances) if steps >> bit & 1),
    )
    keys = [weights[item] * (1 - chances[item]) / chances[item] for item in found.order]
    assert keys == sorted(keys, reverse=True)


def test_a_stage_is_ordered_within_commuting() -> None:
    text = "FROM debian:bookworm-slim\nCOPY src /app/\nCOPY nginx.conf /opt/\nRUN apt-get update && apt-get install -y curl\nRUN ./build\n"
    build = build_of(text)
    model = order.model(build, past(*[["src/a"]] * 9, ["nginx.conf"]), (), None)
    limits = order.constraints(build, build.stages[0])
    assert limits is not None
    found = order.ordered(model, build.stages[0], limits)
    assert found.exact
    assert found.after.index(3) < found.after.index(1)
    assert found.after[-1] == 4, "what is not understood reads anything"


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ((1, 2, 3), (1, 2, 3), []),
        ((1, 2, 3), (2, 3, 1), [1]),
        ((1, 2, 3), (3, 1, 2), [3]),
        ((1, 2, 3, 4), (1, 3, 4, 2), [2]),
    ],
)
def test_what_has_to_be_moved(before: tuple[int, ...], after: tuple[int, ...], moves: list[int]) -> None:
    assert order.moved(before, after, lambda item: 1.0) == moves


def test_parallel() -> None:
    text = "FROM a AS one\nRUN a\nFROM a AS two\nRUN b\nFROM a\nCOPY --from=one /x /x\nCOPY --from=two /x /x\nRUN c\n"
    model = order.model(build_of(text), NONE, timed(("RUN a", 5), ("RUN b", 9), ("RUN c", 2)), None)
    found = order.parallel(model)
    assert found.apart == ((0, 1),)
    assert found.seconds == pytest.approx(9 + 0.1 + 2)
    assert list(found.path) == [2, 3, 6, 7]
    assert found.whole == pytest.approx(16.2)
