"""Each way in which rewriters of Dockerfiles are known to go wrong, and each that was found in dfopt: all rules, safe and unsafe.

`fixtures/pitfalls/NAME.Dockerfile` is the file; `NAME.findings` says what is found there, and `NAME.safe` and `NAME.unsafe` hold what
`dfopt fix` and `dfopt fix --unsafe` make of it where they change it. `DFOPT_UPDATE_GOLDENS=1 pytest tests/test_pitfalls.py` writes these
anew: read the difference before you commit it.
"""

import os
import pathlib

import pytest
from buildkit_oracle import oracle_or_skip

from dfopt import catalogue, engine
from dfopt.source import Source

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "pitfalls"
UPDATE = os.environ.get("DFOPT_UPDATE_GOLDENS") == "1"
NAMES = sorted(path.stem for path in FOLDER.glob("*.Dockerfile"))


def _fixed(data: bytes, unsafe: bool) -> engine.Fixed:
    return engine.fix(Source.from_bytes(data, "Dockerfile"), catalogue.rules(["ALL"]), unsafe=unsafe)


def _golden(path: pathlib.Path, found: bytes | None) -> None:
    """Hold `found` against a golden file; None: there is none."""
    if UPDATE:
        if found is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(found)
    assert (path.read_bytes() if path.exists() else None) == found


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    source = Source.from_bytes((FOLDER / f"{name}.Dockerfile").read_bytes(), "Dockerfile")
    lines = []
    for one in engine.check(source, catalogue.rules(["ALL"])).diagnostics:
        made = "no fix" if one.fix is None else "safe" if one.fix.safe else "unsafe"
        why = one.fix.because if one.fix is not None else one.refusal
        lines.append(f"line {source.line_of(one.span.start)}: {one.name}: {made}{f': {why}' if why else ''}\n")
    _golden(FOLDER / f"{name}.findings", "".join(lines).encode())


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("name", NAMES)
def test_fixed(name: str, unsafe: bool) -> None:
    data = (FOLDER / f"{name}.Dockerfile").read_bytes()
    result = _fixed(data, unsafe)
    assert result.faults == ()
    after = result.source.to_bytes()
    _golden(FOLDER / f"{name}.{'unsafe' if unsafe else 'safe'}", None if after == data else after)
    assert _fixed(after, unsafe).source.to_bytes() == after, "a second run changes it again"


def test_buildkit_accepts_all() -> None:
    oracle = oracle_or_skip()
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".Dockerfile", ".safe", ".unsafe"):
            assert oracle.parse(path.read_bytes()).refusal is None, path.name


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir() if path.suffix} <= {*NAMES, ".gitattributes"}
