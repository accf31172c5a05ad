"""BuildKit's own reading of Dockerfiles and words: builds the Go program in `oracle/` once and talks to it.

`oracle_or_skip()` is what tests call. Without Go or the module proxy it skips the test and says why; where the environment
variable DFOPT_REQUIRE_ORACLE is 1 it fails it instead.
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
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

SOURCES = pathlib.Path(__file__).parent / "oracle"
BUILD_SECONDS = 600


class Unavailable(Exception):
    """The oracle cannot be built or run here; the argument says why."""


class Parsed(NamedTuple):
    """What BuildKit says of a file; `nodes` are as in the corpus's truth file."""

    error: str | None  # of parser.Parse
    instruction_error: str | None  # of instructions.Parse
    escape: str
    sexp: str
    nodes: list[dict[str, Any]]
    warnings: int
    stages: int
    check_error: str | None  # of `# check=`
    mount_error: str | None  # of RUN --mount, which BuildKit reads when it builds the stage
    mount_unknown: bool  # a mount's value is not plain text, so that BuildKit may still refuse it

    @property
    def refusal(self) -> str | None:
        """Why BuildKit refuses the file before it looks at images, the context and the values of variables."""
        no_stage = "there is no stage" if self.stages == 0 else None
        return self.error or self.instruction_error or no_stage or self.check_error or self.mount_error

    @property
    def refused(self) -> bool:
        return self.refusal is not None


class Expanded(NamedTuple):
    """What BuildKit's ProcessWordWithMatches and ProcessWords say of a word."""

    error: str | None
    result: str
    words: list[str]
    matched: list[str]
    unmatched: list[str]


class Oracle:
    """One running oracle."""

    def __init__(self) -> None:
        self._program = _built()
        self._process: subprocess.Popen[bytes] | None = None

    def parse(self, data: bytes) -> Parsed:
        answer = self._ask({"op": "parse", "data": _packed(data)})
        return Parsed(
            answer.get("error"),
            answer.get("instruction_error"),
            answer.get("escape", ""),
            answer["sexp"],
            answer["nodes"],
            answer["warnings"],
            answer["stages"],
            answer.get("check_error"),
            answer.get("mount_error"),
            answer["mount_unknown"],
        )

    def expand(self, word: str, variables: Mapping[str, str], escape: str) -> Expanded:
        environment = {name: _packed(_encoded(value)) for name, value in variables.items()}
        answer = self._ask({"op": "expand", "data": _packed(_encoded(word)), "env": environment, "escape": escape})
        error = answer.get("error")
        if error != answer.get("words_error"):
            raise AssertionError(f"ProcessWord and ProcessWords differ in their error: {answer}")
        words = [_unpacked(each) for each in answer["words"] or ()]
        return Expanded(error, _unpacked(answer["result"]), words, answer["matched"], answer["unmatched"])

    def split(self, text: str, escape: str) -> list[str]:
        """BuildKit's `parseWords`. White space round the text and a continuation at its end go before that."""
        answer = self._ask({"op": "split", "data": _packed(_encoded(text)), "escape": escape})
        if "error" in answer:
            raise AssertionError(answer["error"])
        return [_unpacked(each) for each in answer["words"]]

    def hides(self, ignore: str, paths: Sequence[str]) -> list[bool] | None:
        """Which paths an ignore file keeps out of the context; None where it is refused."""
        answer = self._ask({"op": "ignore", "data": _packed(_encoded(ignore)), "paths": list(paths)})
        return None if answer.get("error") else list(answer["hides"])

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            # Go's text/scanner complains on stderr of every byte that is not UTF-8.
            self._process = subprocess.Popen(
                [self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            process.kill()
            process.communicate()
            self._process = None
            raise RuntimeError(f"the oracle died on {question}")
        answer: dict[str, Any] = json.loads(line)
        if str(answer.get("error", "")).startswith(("bad request", "unknown op")):
            raise RuntimeError(answer["error"])
        return answer


def oracle_or_skip() -> Oracle:
    """The one oracle of this run; skips the calling test where there is none, or fails it if it is required."""
    found = _started()
    if isinstance(found, Oracle):
        return found
    reason = f"no BuildKit oracle: {found}"
    if os.environ.get("DFOPT_REQUIRE_ORACLE") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@functools.cache
def _started() -> Oracle | str:
    try:
        oracle = Oracle()
    except Unavailable as reason:
        return str(reason)
    atexit.register(oracle.close)
    return oracle


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _packed(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unpacked(data: str | None) -> str:
    return base64.b64decode(data or "").decode("utf-8", "surrogateescape")


def _built() -> str:
    """The program's path; built on the first call for these sources, in the user's cache."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    folder = _cache() / digest.hexdigest()[:16]
    program = folder / ("oracle.exe" if os.name == "nt" else "oracle")
    if program.exists():
        return str(program)
    go = shutil.which("go")
    if go is None:
        raise Unavailable("there is no `go` on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fresh = pathlib.Path(scratch) / program.name
        try:
            # Read-only modules: a build that would have to change go.mod or go.sum is a fault.
            subprocess.run(
                [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", str(fresh), "."],
                cwd=SOURCES,
                check=True,
                capture_output=True,
                timeout=BUILD_SECONDS,
            )
        except subprocess.CalledProcessError as failed:
            said = failed.stderr.decode("utf-8", "replace").strip().splitlines()
            raise Unavailable(f"`go build` failed (no module proxy?): {' / '.join(said[-3:])}") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"`go build` took more than {BUILD_SECONDS} seconds") from None
        fresh.replace(program)
    return str(program)


def _cache() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = pathlib.Path(base) / "dfopt-tests"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return pathlib.Path(tempfile.gettempdir()) / "dfopt-tests"
