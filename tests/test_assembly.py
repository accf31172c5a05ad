"""What the assembly of COPYs counts and names: layers, whose change copies how much again, and which RUNs run again."""

import pathlib
import random

import assembly_model
import pytest
from proof import random_copies

from dfopt import catalogue, engine
from dfopt.rule import Given, Place
from dfopt.source import Source

BUILDER = "FROM debian:bookworm-slim AS builder\nCOPY . .\nRUN mkdir /out\nFROM debian:bookworm-slim\n"


def savings(text: str, given: Given = Given(assembly="always")) -> list[str]:
    found = engine.check(Source(BUILDER + text), catalogue.rules(["DF302"]), given).diagnostics
    return [one.saves.text for one in found if one.saves is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "COPY --from=builder /out/a.txt /data/\nCOPY --from=0 /out/b.txt /data/\n",
            "2 layers become 1; a change in `builder` or stage 0 then copies all of it again: how much is unknown",
        ),
        (
            "COPY --from=builder /out/a.txt /data/\nRUN useradd a\nRUN useradd b\nCOPY --from=busybox /b.txt /data/\n",
            "2 layers become 1; a change in `builder` or `busybox` then copies all of it again: how much is unknown; and the RUNs on"
            " lines 6 and 7 run again",
        ),
        (
            "COPY a.txt /data/\nRUN useradd a\nCOPY b.txt /data/\nCOPY --from=builder /c.txt /data/\n",
            "3 layers become 1; a change in `builder` or the build context then copies all of it again: how much is unknown; and the"
            " RUN on line 6 runs again",
        ),
        (
            "COPY <<E /data/a.txt\n123\nE\nCOPY <<E /data/b.txt\n45\nE\n",
            "2 layers become 1; any change in the build context then copies all of it again: 7 bytes",
        ),
    ],
)
def test_what_it_saves_and_costs(text: str, expected: str) -> None:
    assert savings(text) == [expected]


def test_sizes_are_those_of_the_context(tmp_path: pathlib.Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "one").write_bytes(b"1" * 700)
    (tmp_path / "conf" / "hidden").write_bytes(b"1" * 900)
    (tmp_path / ".dockerignore").write_text("conf/hidden\n")
    (tmp_path / "large.bin").write_bytes(b"1" * 1_000_001)
    text = "COPY --from=builder /out/a.txt /data/\nCOPY conf /data/conf\nCOPY large.bin /data/\n"
    place = Place(str(tmp_path / "Dockerfile"), str(tmp_path))
    small = savings(text, Given(place=place))
    assert small == [
        "2 layers become 1; a change in `builder` or the build context then copies all of it again: 700 bytes of the context,"
        " the rest unknown"
    ]
    everything = savings(text, Given(assembly="always", place=place))
    assert everything[0].endswith("1.0 MB of the context, the rest unknown")
    # Without the context, and for what comes from it alone, nothing is merged but where everything is asked for.
    assert savings(text, Given()) == []
    assert savings("COPY conf /data/conf\nCOPY large.bin /data/\n", Given(place=place)) == []
    # What changes with each commit is not laid beside what a stage fetches.
    assert savings("COPY --from=busybox /a.txt /data/\nCOPY conf /data/conf\n", Given(place=place)) == []
    assert savings(text, Given(assembly="off", place=place)) == []


def test_a_far_copy_stays_and_long_files_take_no_longer_than_they_must() -> None:
    others = "".join(f"COPY --from=builder --chown=app /out/{n}.txt /srv/{n}/\n" for n in range(40))
    text = f"COPY --from=builder /out/a.txt /data/\n{others}COPY --from=builder /out/b.txt /data/\n"
    assert savings(text) == []
    assert len(savings(text.replace(others, others[: others.index("/srv/20/")].rpartition("COPY")[0]))) == 1


@pytest.mark.parametrize(("first", "before", "safe"), [
    ("", "", True),
    ("--chown=0:0 ", "", True),
    ("--chown=0:5 ", "", False),
    ("--chown=5 ", "", False),
    ("--chown=5 ", "WORKDIR /data\n", True),
])  # fmt: skip
def test_a_new_folder_stays_its_owners(first: str, before: str, safe: bool) -> None:
    text = f"{BUILDER}{before}COPY {first}--from=builder /out/a.txt /data/\nCOPY --chown=7 --from=builder /out/b.txt /data/\n"
    found = engine.check(Source(text), catalogue.rules(["DF302"]), Given(assembly="always")).diagnostics
    assert [one.fix.safe for one in found if one.fix is not None] == [safe]


@pytest.mark.parametrize("first", [0, 100, 200, 300, 1400, 2600])
def test_the_model_finds_the_files_as_they_were(first: int) -> None:
    """Random images with every safe assembly made, by the model of a build; `proof/random_copies.py` builds them for real."""
    made = 0
    for seed in range(first, first + 100):
        text = random_copies.image(random.Random(seed))
        fixed = engine.fix(Source(text), catalogue.rules(["DF302"]), Given(assembly="always"))
        assert not fixed.faults, text
        if fixed.source.text == text:
            continue
        try:
            before = assembly_model.final(text)
        except assembly_model.NotModelled:
            continue
        if before is not None:
            made += 1
            assert assembly_model.final(fixed.source.text) == before, f"seed {seed}:\n{text}\n{fixed.source.text}"
    assert made > 10
