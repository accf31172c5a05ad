"""BuildKit's own conversion of Dockerfiles (dockerfile2llb): builds the Go program in `oracle_state/` once and talks to it.

`state_oracle_or_skip()` is what tests call. Without Go or the module proxy it skips the test and says why; where the
environment variable DFOPT_REQUIRE_ORACLE is 1 it fails it instead.
"""

import atexit
import base64
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any, NamedTuple

import pytest

SOURCES = pathlib.Path(__file__).parent / "oracle_state"
BUILD_SECONDS = 600


class StageState(NamedTuple):
    """What BuildKit has at the end of a stage, or why it refuses the file up to there."""

    error: str | None
    environment: dict[str, str]  # of the image
    seen: dict[str, str]  # by a RUN there
    user: str
    workdir: str
    shell: tuple[str, ...] | None
    images: frozenset[str]  # that are needed for the stage


class StateOracle:
    """One running oracle. Its images are all alike: `PATH=/bin`, `BASE=base`, user `someone`, working directory `/base`."""

    def __init__(self, program: str) -> None:
        # BuildKit's scanner complains on stderr of every byte that is not UTF-8.
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def stages(self, data: bytes) -> list[StageState]:
        """The state at the end of each stage, of the file cut off behind it; none where BuildKit cannot parse it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(data) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the oracle died on {data!r}")
        answer = json.loads(line)
        return [_state(stage) for stage in answer["stages"] or ()]

    def close(self) -> None:
        self._process.communicate()


def _state(stage: dict[str, Any]) -> StageState:
    return StageState(
        stage.get("error"),
        dict(entry.partition("=")[::2] for entry in stage["env"] or ()),
        stage["seen"] or {},
        stage["user"],
        stage["workdir"],
        tuple(stage["shell"]) if stage["shell"] else None,
        frozenset(stage["images"] or ()),
    )


def state_oracle_or_skip() -> StateOracle:
    """The one oracle of this run; skips the calling test where there is none, or fails it if it is required."""
    found = _started()
    if isinstance(found, StateOracle):
        return found
    reason = f"no BuildKit state oracle: {found}"
    if os.environ.get("DFOPT_REQUIRE_ORACLE") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@functools.cache
def _started() -> StateOracle | str:
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    if not os.access(cache, os.W_OK):
        cache = pathlib.Path(tempfile.gettempdir())
    folder = cache / "dfopt-tests" / digest.hexdigest()[:16]
    program = folder / "oracle_state"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            return "there is no `go` on PATH"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            fresh = pathlib.Path(scratch) / program.name
            command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", str(fresh), "."]
            try:
                subprocess.run(command, cwd=SOURCES, check=True, capture_output=True, timeout=BUILD_SECONDS)
            except subprocess.CalledProcessError as failed:
                said = failed.stderr.decode("utf-8", "replace").strip().splitlines()
                return f"`go build` failed (no module proxy?): {' / '.join(said[-3:])}"
            except subprocess.TimeoutExpired:
                return f"`go build` took more than {BUILD_SECONDS} seconds"
            fresh.replace(program)
    oracle = StateOracle(str(program))
    atexit.register(oracle.close)
    return oracle
