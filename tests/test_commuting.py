"""What instructions read and write, and which of them commute."""

import os
import random
from collections import Counter
from collections.abc import Sequence

import commuting_lists
import model
import pytest
import real_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from dfopt import commuting
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse

# How many random lists; DFOPT_COMMUTE_FIRST is the first seed.
COUNT = int(os.environ.get("DFOPT_COMMUTE", "1500"))
FIRST = int(os.environ.get("DFOPT_COMMUTE_FIRST", "0"))
# How many lists are built for real where DFOPT_PROVE=1 asks for that.
PROVED = int(os.environ.get("DFOPT_PROVE_LISTS", "300"))


def build_of(text: str, base: str = "debian:12") -> Build:
    return Build(parse(Source(f"FROM {base}\n{text}\n")))


def verdict(text: str, base: str = "debian:12") -> commuting.Verdict:
    """Of the last two instructions."""
    build = build_of(text, base)
    last = len(build.instructions) - 1
    return commuting.commute(build, last - 1, last)


FREE = [
    "COPY x.txt /x/\nRUN curl -fsSL -o /y https://example.com/x/y && chmod +x /y && chown 1:1 /y",
    "WORKDIR /x\nCOPY . /x",
    "RUN mkdir -p /x/a\nCOPY b.txt /x/b/",
    "COPY --chown=1:1 a.txt /x/a.txt\nCOPY --chown=1 b.txt /x/b.txt",
    "LABEL a=1\nRUN make",
    "LABEL a=1\nLABEL b=1",
    "RUN make\nEXPOSE 80",
    "EXPOSE 80\nEXPOSE 81",
    'RUN make\nCMD ["x"]',
    "COPY a.txt /srv/a.txt\nCOPY b.txt /opt/b.txt",
    "WORKDIR /x\nCOPY a.txt /x/a.txt",
    "COPY a.txt /x/a.txt\nCOPY b.txt /x/b.txt",
    "COPY --chown=1:1 a.txt /x/a.txt\nCOPY --chown=1:1 b.txt /x/b.txt",
    "COPY src /app/src/\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*",
    "ENV A=1\nENV B=2",
    "ENV A=1\nCOPY x.txt /x/",
    "ARG GIT_SHA\nRUN mkdir -p /x && echo hello > /x/y",
    "USER app\nCOPY x.txt /x/",
    "USER app\nENV A=1",
    "WORKDIR /a\nCOPY x.txt /b/",
    "WORKDIR /app\nRUN mkdir -p /srv/y\nENV A=1",
    'SHELL ["/bin/bash", "-c"]\nCOPY x.txt /b/',
    "RUN mkdir -p /a\nRUN mkdir -p /b",
    "COPY --from=other /x /a/\nCOPY b.txt /b/",
    "ONBUILD RUN make\nRUN make",
]

BOUND = [
    (
        "WORKDIR /x\nCOPY shop.web /x/\nCOPY --from=other /b.txt /x/b.txt",
        "writes `/x/**`",
    ),  # a folder may have such a name
    ("COPY --chown=7 a.txt /var/run/a/a.txt\nCOPY b.txt /run/a/b.txt", "both make `/run/a`"),
    ("RUN ln -s ../b /var/run/a\nCOPY a.txt /run/a/a.txt\nCOPY b.txt /b", "link"),
    ("WORKDIR /w\nRUN rm -rf /w\nRUN mkdir -p /x", "`/w`"),
    ('LABEL "a"=1\nLABEL a=2', "both set"),
    ("RUN git config --global a.b c\nCOPY x.txt /root/.gitconfig", "/root"),
    ("COPY --chmod=600 a.txt /x/a.txt\nCOPY b.txt /x/b.txt", "both make `/x`"),
    ("COPY --chown=0:0 a.txt /x/a.txt\nCOPY b.txt /x/b.txt", "both make `/x`"),
    ("RUN ln -s /srv /x/l\nADD a.tar /x/\nCOPY b.txt /opt/b.txt", "link"),
    ("RUN --mount=type=bind,target=/x/y mkdir -p /a\nCOPY --chown=1 b.txt /x/b.txt", "both make `/x`"),
    ("ENV PATH=/x/bin:$PATH\nCOPY a.txt /x/bin/a.txt\nRUN mkdir -p /a", "writes `/x/bin/a.txt`"),
    ("RUN make\nCOPY x.txt /x/", "`make` may read and write anything"),
    ("LABEL a=1\nLABEL a=2", "both set `LABEL a`"),
    ("CMD x\nENTRYPOINT y", "both set `CMD`"),
    ('SHELL ["/bin/bash", "-c"]\nCMD x', "`SHELL`"),
    ('SHELL ["/bin/bash", "-c"]\nRUN x', "`SHELL`"),
    ("ENV A=1\nRUN make", "`A`"),
    ("ENV A=1\nRUN echo $A > /x", "`A`"),
    ("ENV A=1\nRUN apt-get install -y x", "`A`"),
    ("ENV A=1\nENV B=$A", "`A`"),
    ("ENV A=1\nCOPY x.txt $A", "`A`"),
    ("ENV A=1\nARG A", "`A`"),
    ("ENV PATH=/x:$PATH\nRUN mkdir -p /y", "`PATH`"),
    ("USER app\nRUN mkdir -p /y", "`USER`"),
    ("USER app\nWORKDIR /x", "`USER`"),
    ("WORKDIR /x\nCOPY a.txt .", "`WORKDIR`"),
    ("WORKDIR /x\nWORKDIR y", "`WORKDIR`"),
    ("WORKDIR /x\nRUN mkdir -p /y", "`WORKDIR`"),
    ("COPY a.txt /x/a.txt\nCOPY --chown=1:1 b.txt /x/b.txt", "both make `/x`"),
    ("WORKDIR /x\nCOPY --chown=1:1 b.txt /x/b.txt", "both make `/x`"),
    ("USER 5\nWORKDIR /x\nCOPY b.txt /x/b.txt", "both make `/x`"),
    ("COPY a.txt /x/a.txt\nCOPY b.txt /x/a.txt", "writes `/x/a.txt`"),
    ("COPY a.txt /bin/a\nCOPY a.txt /usr/bin/a", "writes"),
    ("COPY a.txt /var/run/a.txt\nCOPY b.txt /run/a.txt", "writes"),
    ("COPY a.txt /x\nCOPY b.txt /x/b.txt", "writes `/x`"),
    ("COPY dir /x/\nCOPY b.txt /x/b.txt", "link"),
    ("COPY a.sh /usr/local/bin/mkdir\nRUN mkdir -p /a", "writes"),
    ("COPY a.conf /etc/ld.so.conf\nRUN mkdir -p /a", "writes"),
    ("COPY a.txt /x/\nRUN rm -rf /x", "`/x/**`"),
    ("COPY a.txt /x/\nRUN cat /x/a.txt", "`/x/a.txt`"),
    ("COPY --chown=app a.txt /x/\nRUN useradd app", "`/etc/passwd`"),
    ("RUN ln -s /srv /app\nCOPY a.txt /app/a.txt\nCOPY b.txt /srv/a.txt", "writes"),
    ("RUN ln -s ../srv /app\nCOPY a.txt /app/a.txt\nCOPY b.txt /opt/a.txt", "link"),
    ("COPY d /app\nCOPY a.txt /app/l/a.txt\nCOPY b.txt /opt/a.txt", "link"),
    ("COPY --link a.txt /x/a.txt\nCOPY --chown=1 b.txt /x/b.txt", "both make `/x`"),
    ("RUN --mount=type=cache,target=/c mkdir -p /x\nRUN --mount=type=cache,target=/c mkdir -p /y", "`cache /c`"),
    ("ONBUILD RUN a\nONBUILD RUN b", "`ONBUILD`"),
    ("VOLUME /x\nCOPY a.txt /x/a.txt", "works with `/x/**`"),
    ('RUN ["mkdir", "/x"]\nCOPY a.txt /y/', "JSON form"),
]


@pytest.mark.parametrize("text", FREE)
def test_what_is_free(text: str) -> None:
    found = verdict(text)
    assert found.free, found.why
    assert found.why


@pytest.mark.parametrize(("text", "why"), BOUND)
def test_what_is_bound(text: str, why: str) -> None:
    found = verdict(text)
    assert not found.free
    assert why in found.why


def test_who_has_looked_at_the_context_knows_more() -> None:
    build = build_of("COPY . /app\nCOPY a.txt /app/l/a.txt\nCOPY b.txt /opt/b.txt")
    assert not commuting.commute(build, 2, 3).free
    assert commuting.commute(build, 2, 3, linkless=True).free
    build = build_of("COPY --from=other /x /app\nCOPY a.txt /app/l/a.txt\nCOPY b.txt /opt/b.txt")
    assert not commuting.commute(build, 2, 3, linkless=True).free


# ------------------------------------------------------------------------------------ what is free changes nothing


def check(instructions: list[model.Instruction], seen: Counter[tuple[str, str]]) -> None:
    """Each move that is called free leaves the files and the configuration of a list as they are, and does not make it fail."""
    before = model.run(instructions)
    if before is None:
        return
    for start, end in commuting_lists.free_moves(instructions):
        after = model.run(commuting_lists.moved(instructions, start, end))
        assert after == before, f"move {start} to {end} of {list(map(model.text, instructions))}"
        if end == start + 1:
            seen[instructions[start][0], instructions[end][0]] += 1


@settings(max_examples=max(COUNT // 10, 1), derandomize=True)
@given(st.data())
def test_free_moves_change_nothing(data: st.DataObject) -> None:
    def pick(options: Sequence[str]) -> str:
        return data.draw(st.sampled_from(options))

    check(commuting_lists.several(pick, data.draw(st.integers(2, 5))), Counter())


def test_free_moves_change_nothing_in_many_lists() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(FIRST, FIRST + COUNT):
        rng = random.Random(seed)
        check(commuting_lists.several(rng.choice, rng.randint(2, 6)), seen)
    # Else it would show nothing: pairs that both touch files are among those that are free.
    for pair in (
        ("COPY", "COPY"),
        ("COPY", "RUN"),
        ("RUN", "COPY"),
        ("COPY", "WORKDIR"),
        ("WORKDIR", "COPY"),
        ("RUN", "RUN"),
    ):
        assert seen[pair] * 1000 > COUNT, pair


@pytest.mark.parametrize(
    "swapped",
    [
        [("COPY", "f.txt", "/a/f.txt", "", ""), ("COPY", "g.txt", "/a/g.txt", "7:7", "")],
        [("COPY", "f.txt", "/a/f.txt", "", "600"), ("WORKDIR", "/a/b")],
        [("COPY", "f.txt", "/var/run/a/f.txt", "", ""), ("COPY", "d/f.txt", "/run/a/f.txt", "", "")],
        [("COPY", "d", "/a/", "", ""), ("COPY", "f.txt", "/a/sub/h.txt", "", "")],
        [("USER", "9:9"), ("WORKDIR", "/a")],
        [("RUN", "ln -s /srv /l"), ("COPY", "f.txt", "/l/f.txt", "", "")],
        [("ENV", "A", "b"), ("RUN", "echo $A > /x")],
        [("WORKDIR", "/var/local/a"), ("COPY", "f.txt", "/var/local/a/", "0:0", "")],
    ],
)
def test_the_model_tells_orders_apart(swapped: list[model.Instruction]) -> None:
    """What the property stands on: where order matters, the model shows it, and `commute` does not call it free."""
    assert model.run(swapped) != model.run(swapped[::-1])
    assert list(commuting_lists.free_moves(swapped)) == []


def test_the_model_does_as_real_builds_do() -> None:
    if os.environ.get("DFOPT_PROVE") != "1":
        pytest.skip("builds some hundred lists with docker; DFOPT_PROVE=1 asks for it")
    if not real_lists.available():
        pytest.fail("DFOPT_PROVE=1, but docker has no image `debian:bookworm-slim` to build with")
    lists: list[list[model.Instruction]] = []
    seed = FIRST
    while len(lists) < PROVED:
        rng = random.Random(seed)
        seed += 1
        found = commuting_lists.several(rng.choice, rng.randint(3, 8))
        # A list that touches no file shows nothing.
        if real_lists.may_be_built(found) and len(real_lists.expected(found) or ()) > 1:
            lists.append(found)
    wrong: list[str] = []
    for start in range(0, len(lists), 30):
        part = lists[start : start + 30]
        for instructions, report in zip(part, real_lists.reports(part), strict=True):
            expected = real_lists.expected(instructions) or set()
            if report != expected:
                text = "\n".join(map(model.text, instructions))
                wrong.append(f"{text}\n{report if isinstance(report, str) else sorted(report ^ expected)}")
    print(f"{len(lists)} lists built, {len(wrong)} differ from the model")
    assert not wrong, "\n\n".join(wrong[:5])
