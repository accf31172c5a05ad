"""The engines that build: docker (with buildx and its drivers), podman, buildah and buildctl, each by its own command line.

Nothing is pruned and no setting is changed. An image that had to be given a name is removed by it; what an engine keeps in its
build cache is its own affair.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from dfopt import images

NAMES = ("docker", "podman", "buildah", "buildctl")


class NoEngine(Exception):
    """No engine can be used; the message says why, and what to do."""


class BadOption(ValueError):
    """An option for an engine that is no words of a shell."""


class BuildFailed(Exception):
    """An engine could not build; `tail` are the last lines that it said."""

    def __init__(self, message: str, tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.tail = tail


class Wish(NamedTuple):
    """What is to be built: paths of the Dockerfile and the context; `arguments` (`NAME=value`) and `contexts` (`NAME=value`) as the
    engine takes them, `options` words for its command line; `fresh` builds every step anew."""

    dockerfile: str
    context: str
    target: str | None = None
    arguments: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    platform: str = ""
    options: tuple[str, ...] = ()
    fresh: bool = False


class Engine:
    """An engine at work. `name` is one of NAMES, `version` what it says of itself. Images it names are removed by `close`."""

    def __init__(self, name: str, program: str, version: str, exports: bool) -> None:
        self.name = name
        self.version = version
        self._program = program
        self._exports = exports  # whether it writes an image to a file instead of a store
        self._names: list[str] = []
        self._numbers = itertools.count(1)

    def build(self, wish: Wish, archive: str, say: Callable[[str], None]) -> float:
        """Build, and leave the image in the file `archive`; `say` gets each line of progress. The seconds that the build took, what
        came behind it left out. Raises BuildFailed."""
        name = f"dfopt-verify:{os.getpid()}-{next(self._numbers)}"
        if not self._exports:
            self._names.append(name)
        started = time.monotonic()
        _run(self._command(wish, name, archive), say, "the build failed")
        seconds = time.monotonic() - started
        if not self._exports:
            try:
                self.save(name, archive, say)
            finally:
                self._remove(name)
        return seconds

    def save(self, name: str, archive: str, say: Callable[[str], None]) -> None:
        """Write an image of the engine's store to a file. Raises BuildFailed."""
        if self.name == "buildctl":
            raise BuildFailed("`buildctl` has no store of images -> give an archive")
        with suppress(FileNotFoundError):
            os.unlink(archive)  # podman and buildah add to an archive, and refuse to
        _run(self._saving(name, archive), say, f"the image `{name}` could not be read")

    def close(self) -> None:
        """Remove what is left of the images that it named."""
        while self._names:
            self._remove(self._names[-1])

    def _remove(self, name: str) -> None:
        verb = {"docker": ("image", "rm", "-f"), "podman": ("image", "rm", "-f"), "buildah": ("rmi", "-f")}[self.name]
        subprocess.run([self._program, *verb, name], capture_output=True)
        self._names.remove(name)

    def _saving(self, name: str, archive: str) -> list[str]:
        if self.name == "buildah":
            return [self._program, "push", "--quiet", name, f"docker-archive:{archive}:{name}"]
        form = ["--format", "docker-archive"] if self.name == "podman" else []
        return [self._program, "save", *form, "--output", archive, name]

    def _command(self, wish: Wish, name: str, archive: str) -> list[str]:
        if self.name == "buildctl":
            return self._by_buildctl(wish, archive)
        words = [self._program, *(("buildx", "build") if self._exports else ("build",))]
        words += ["--progress", "plain"] if self.name == "docker" else ["--format", "docker"]
        if self.name == "buildah":
            words.append("--layers")
        words += ["--output", f"type=oci,dest={archive}"] if self._exports else ["--tag", name]
        words += ["--file", wish.dockerfile]
        words += ["--target", wish.target] if wish.target else []
        words += ["--platform", wish.platform] if wish.platform else []
        words += ["--no-cache"] if wish.fresh else []
        words += [word for one in wish.arguments for word in ("--build-arg", one)]
        words += [word for one in wish.contexts for word in ("--build-context", one)]
        return [*words, *wish.options, wish.context]

    def _by_buildctl(self, wish: Wish, archive: str) -> list[str]:
        folder, name = os.path.split(wish.dockerfile)
        words = [self._program, *wish.options, "build", "--frontend", "dockerfile.v0", "--progress", "plain"]
        words += ["--local", f"context={wish.context}", "--local", f"dockerfile={folder or '.'}"]
        options = [f"filename={name}"]
        options += [f"target={wish.target}"] if wish.target else []
        options += [f"platform={wish.platform}"] if wish.platform else []
        # Without a value it is taken from the environment, as docker does.
        values = (one if "=" in one else f"{one}={os.environ.get(one, '')}" for one in wish.arguments)
        options += [f"build-arg:{one}" for one in values]
        for one in wish.contexts:
            named, _, value = one.partition("=")
            if os.path.isdir(value):
                words += ["--local", f"{named}={value}"]
                value = f"local:{named}"
            options.append(f"context:{named}={value}")
        words += [word for option in options for word in ("--opt", option)]
        words += ["--no-cache"] if wish.fresh else []
        return [*words, "--output", f"type=oci,dest={archive}"]


def find(name: str = "", options: tuple[str, ...] = ()) -> Engine:
    """The engine `name`, or the first of NAMES that answers. Raises NoEngine."""
    told = []
    for one in (name,) if name else NAMES:
        program = shutil.which(one)
        if program is None:
            told.append(f"there is no `{one}` on the PATH")
            continue
        version = _said([program, *_VERSION[one]])
        if version is None:
            told.append(f"`{one}` does not answer: {_why([program, *_VERSION[one]])}")
            continue
        version = _number(version)
        if one != "docker":
            return Engine(one, program, version, one == "buildctl")
        driver = _driver(program, options)
        if driver is None:
            told.append(f"`docker` has no BuildKit: {_why([program, 'buildx', 'version'])} -> install buildx")
            continue
        return Engine(one, program, version, driver != "docker")
    raise NoEngine("no engine: " + "; ".join(told) + " -> install one of these, or name one with --engine")


_VERSION = {
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "podman": ("version", "--format", "{{.Client.Version}}"),
    "buildah": ("--version",),
    "buildctl": ("--version",),
}


def _number(said: str) -> str:
    """The version in what a program says of itself (`buildah version 1.28.2 (image-spec ...)`)."""
    found = re.search(r"\bv?(\d+\.\d[\w.+-]*)", said)
    return found[1] if found is not None else said.partition("\n")[0]


def _driver(program: str, options: tuple[str, ...]) -> str | None:
    """The driver of docker's builder: `docker` keeps images in the engine's store; those in containers, on Kubernetes and remote
    write them to files."""
    builder = next(
        (
            word.partition("=")[2] or (options[at + 1] if at + 1 < len(options) else "")
            for at, word in enumerate(options)
            if word.partition("=")[0] == "--builder"
        ),
        "",
    )
    told = _said([program, "buildx", "inspect", *([builder] if builder else [])])
    if told is None:
        return None
    lines = (line.partition(":") for line in told.split("\n"))
    return next((value.strip() for key, _, value in lines if key.strip() == "Driver"), "docker")


def _said(command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return done.stdout.strip() if done.returncode == 0 else None


def _why(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    lines = [line for line in done.stderr.split("\n") if line.strip()]
    return lines[-1].strip() if lines else f"exit code {done.returncode}"


def _run(command: list[str], say: Callable[[str], None], wrong: str) -> None:
    """Run a program, each of its lines to `say`; it ends with us, whatever ends us."""
    tail: list[str] = []
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                if line:
                    tail = [*tail[-39:], line]
                    say(line)
            process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if process.returncode:
        error = next((line for line in reversed(tail) if "ERROR" in line or line.lower().startswith("error")), "")
        reason = error.removeprefix("ERROR: failed to build: ").removeprefix("failed to solve: ")
        raise BuildFailed(f"{wrong}: {reason or f'exit code {process.returncode}'}", tuple(tail))


@contextmanager
def at_work(name: str, options: tuple[str, ...] = ()) -> Iterator[Engine]:
    """The engine, cleaned up behind, also where the process is told to end. Raises NoEngine."""
    engine = find(name, options)
    is_main = threading.current_thread() is threading.main_thread()  # only there signals are caught
    before = signal.signal(signal.SIGTERM, _end) if is_main else None
    try:
        yield engine
    finally:
        engine.close()
        if is_main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def read(archive: str, known: dict[str, images.Layer], platform: str = "") -> images.Image:
    """The image that a build left. Raises images.UnreadableImage."""
    return images.read(archive, platform=platform, known=known)


def words(entries: Iterable[str]) -> tuple[str, ...]:
    """Options for an engine's command line, each given as one text (`--network=host`, `--builder remote`). Raises BadOption."""
    import shlex

    found: list[str] = []
    for entry in entries:
        try:
            found += shlex.split(entry)
        except ValueError as error:
            raise BadOption(f"--engine-option: `{entry}`: {str(error).lower()}") from None
    return tuple(found)
