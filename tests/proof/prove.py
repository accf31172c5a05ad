"""Proves fixes by real builds: builds each example before and after, and holds the two images to the declared effects.

    PYTHONPATH=src:tests python -m proof.prove [--all] [NAME ...]

The cases are the rules' examples that are marked `build` (`--all`: every `before`), the files in `fixtures/` and the
projects in `examples/`. Needs docker
with BuildKit, found on the PATH (DOCKER_HOST is obeyed), and the package registries; without it nothing is proved, which is said.
Exit code: 0 all proved, 1 a fix that keeps not to its word, 2 wrong use. `DFOPT_REQUIRE_ENGINE=1` makes a missing engine a 1.
"""

import argparse
import itertools
import os
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pages

from dfopt import catalogue, engine, images
from dfopt.build import Build
from dfopt.rule import Given, Place
from dfopt.source import Source
from dfopt.syntax import parse
from dfopt.verify import compare, declared, unique_mounts

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"

# The build context of every case: small projects whose packages leave a trace in their manager's cache (docopt has no wheel,
# so pip builds and keeps one).
PROJECT = {
    ".dockerignore": "**/node_modules\n**/.git\n",
    "requirements.txt": "docopt==0.6.2\n",
    "pyproject.toml": '[project]\nname = "app"\nversion = "1.0.0"\ndependencies = ["docopt==0.6.2"]\n\n'
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n'
    '[tool.setuptools]\npackages = ["app"]\n',
    "requirements/base.txt": "docopt==0.6.2\n",
    "main.py": 'print("main")\n',
    "app.py": 'print("app")\n',
    "app/__init__.py": '"""The application."""\n',
    "src/main.py": 'print("source")\n',
    "package.json": '{\n  "name": "app",\n  "version": "1.0.0",\n  "private": true,\n'
    '  "scripts": {\n    "build": "node build.js",\n    "start": "node server.js"\n  },\n'
    '  "dependencies": {\n    "is-number": "7.0.0"\n  },\n  "devDependencies": {\n    "ms": "2.1.3"\n  }\n}\n',
    "package-lock.json": '{\n  "name": "app",\n  "version": "1.0.0",\n  "lockfileVersion": 3,\n  "requires": true,\n'
    '  "packages": {\n    "": {\n      "name": "app",\n      "version": "1.0.0",\n'
    '      "dependencies": {\n        "is-number": "7.0.0"\n      },\n      "devDependencies": {\n        "ms": "2.1.3"\n      }\n    },\n'
    '    "node_modules/is-number": {\n      "version": "7.0.0",\n'
    '      "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==",\n'
    '      "license": "MIT",\n      "engines": {\n        "node": ">=0.12.0"\n      }\n    },\n'
    '    "node_modules/ms": {\n      "version": "2.1.3",\n'
    '      "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==",\n'
    '      "dev": true,\n      "license": "MIT"\n    }\n  }\n}\n',
    "server.js": 'require("is-number");\nconsole.log("server");\n',
    "index.js": 'console.log("index");\n',
    "build.js": 'const fs = require("fs");\nfs.mkdirSync("dist", { recursive: true });\n'
    'fs.writeFileSync("dist/index.js", "console.log(1);\\n");\n',
    "dist/index.js": 'console.log("built");\n',
    "go.mod": "module example.com/app\n\ngo 1.19\n",
    "go.sum": "",
    "main.go": 'package main\n\nfunc main() {\n\tprintln("main")\n}\n',
    "config.json": "{}\n",
    "setup.sh": "#!/bin/sh\nset -e\ntrue\n",
    "Makefile": "all:\n\ttrue\ninstall:\n\ttrue\n",
}


class Case(NamedTuple):
    """A Dockerfile to be fixed and built. `codes` are the rules that fix it, `expected` those that must have; `skipped` says why
    it is not built; `context` is the folder to build in, None for the small project above."""

    name: str
    text: str
    codes: tuple[str, ...]
    expected: tuple[str, ...]
    given: Given
    unsafe: bool
    skipped: str
    context: pathlib.Path | None = None


class Ran(NamedTuple):
    """What a container printed, and its exit code, -1 where it did not end by itself."""

    output: bytes
    code: int


class Verdict(NamedTuple):
    """`state` is `proved`, `left alone` (a hazard that nothing fixes), `text only` (not built: `detail` says why), or how the fix
    broke its word: `uncovered`, `broken`, `nothing fixed`, `runs otherwise`. `applied` are the codes of the rules whose fixes were built."""

    case: Case
    state: str
    detail: tuple[str, ...]
    idle: tuple[str, ...] = ()
    saved: int = 0
    seconds: float = 0
    applied: tuple[str, ...] = ()

    @property
    def is_fault(self) -> bool:
        return self.state not in ("proved", "left alone", "text only")


# --------------------------------------------------------------------------------------------------------- cases


def page_cases(everything: bool = False) -> Iterator[Case]:
    """The `before` examples of the rules' pages; those without `build` are skipped unless `everything`."""
    for example in pages.examples():
        if example.kind != "before":
            continue
        label = (pages.FOLDER / f"{example.rule}.md").read_text(encoding="utf-8").split("\n")[example.line - 1]
        marked = everything or "build" in label.split()
        yield Case(
            f"{example.rule}:{example.line}",
            example.text,
            (example.code,),
            (example.code,),
            example.given,
            example.unsafe,
            "" if marked else "the example is not marked `build`",
            pathlib.Path(example.given.place.root) if example.given.place and example.given.place.root else None,
        )


_OPTIONS = re.compile(r"^# proof:(.*)$", re.MULTILINE)


def fixture_cases(folder: pathlib.Path = FIXTURES) -> Iterator[Case]:
    """The files in `fixtures/`; the comment `# proof: DF101 unsafe cache=mount` names the rules that must fix it (all rules
    are on) and the options; `any` stands for none: what is fixed is proved, and nothing need be. Raises ValueError for a
    file that says neither."""
    for path in sorted(folder.glob("*.dockerfile")):
        text = path.read_text(encoding="utf-8")
        found = _OPTIONS.search(text)
        words = found[1].split() if found else []
        expected = tuple(word for word in words if word.startswith("DF"))
        if not expected and "any" not in words:
            raise ValueError(f"{path}: no rule is named -> `# proof: DF101`, or `# proof: any`")
        policies = dict(word.split("=", 1) for word in words if "=" in word)
        given = Given(cache=policies.get("cache", "auto"), assembly=policies.get("assembly", "auto"))
        yield Case(f"fixtures/{path.stem}", text, ("ALL",), expected, given, "unsafe" in words, "")


def example_cases(folder: pathlib.Path = EXAMPLES) -> Iterator[Case]:
    """The naive projects in `examples/`, each with its own context, all rules on that are on by default."""
    for path in sorted(folder.glob("*/Dockerfile")):
        text = path.read_text(encoding="utf-8")
        for unsafe in (False, True):
            name = f"examples/{path.parent.name}"
            yield Case(name, text, (), (), Given(place=Place(str(path))), unsafe, "", path.parent)


# ------------------------------------------------------------------------------------------------------- building


class Docker:
    """The engine that the client on the PATH speaks to. Images are named for this run and removed by `close`."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.known: dict[str, images.Layer] = {}
        self._names: list[str] = []
        self._count = itertools.count(1)

    def build(self, text: str, case: Case, target: str | None, fresh: bool = False) -> tuple[str, str]:
        """The name of the image of `text` in the context of `case`, or "" and why there is none. `fresh` runs each step again."""
        name, why = self._build(text, case, target, fresh)
        plain = without_frontend(text)
        if not name and "docker/dockerfile" in why and plain != text:
            # Without a registry the frontend that a `# syntax=` names cannot be had; the one built in does as well.
            name, why = self._build(plain, case, target, fresh)
        if not name and "failed to resolve source metadata" not in why:
            # The registries of packages do not answer each time: only what fails twice fails.
            name, why = self._build(plain, case, target, fresh)
        return name, why

    def _build(self, text: str, case: Case, target: str | None, fresh: bool) -> tuple[str, str]:
        name = f"dfopt-proof:{os.getpid()}-{next(self._count)}"
        with tempfile.TemporaryDirectory() as folder:
            context = case.context or pathlib.Path(folder, "context")
            if case.context is None:
                _write_project(context)
                write_sources(context, case.text)
            dockerfile = pathlib.Path(folder, "Dockerfile")
            dockerfile.write_bytes(Source(text).to_bytes())
            command = [
                self.client,
                "build",
                "--network",
                "host",
                "--progress",
                "plain",
                "-t",
                name,
                "-f",
                str(dockerfile),
            ]
            command += [] if target is None else ["--target", target]
            command += ["--no-cache"] if fresh else []
            done = subprocess.run(
                [*command, str(context)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=1200,
                env={**os.environ, "DOCKER_BUILDKIT": "1"},
            )
        if done.returncode:
            lines = [line for line in done.stderr.split("\n") if line.strip()]
            error = next(
                (line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "the build failed"
            )
            return "", error.removeprefix("ERROR: failed to build: failed to solve: ")[:240]
        self._names.append(name)
        return name, ""

    def read(self, name: str) -> compare.Image:
        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            subprocess.run([self.client, "save", "-o", archive.name, name], check=True, capture_output=True)
            return compare.view(images.read(archive.name, name, known=self.known))

    def run(self, image: str, words: Iterable[str] = ()) -> Ran:
        """Run an image, without a network and not for long: by its own command, or by `words`."""
        name = f"dfopt-proof-{os.getpid()}-{next(self._count)}"
        command = [self.client, "run", "--rm", "--name", name, "--network", "none", image, *words]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=15, check=False)
        except subprocess.TimeoutExpired:
            # A server; what it logs holds times.
            subprocess.run([self.client, "rm", "-f", name], capture_output=True)
            return Ran(b"still runs", -1)
        return Ran(done.stdout, done.returncode)

    def close(self) -> None:
        if self._names:
            subprocess.run([self.client, "image", "rm", "-f", *self._names], capture_output=True)


def _write_project(folder: pathlib.Path) -> None:
    for path, content in PROJECT.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        file.chmod(0o755 if path.endswith(".sh") else 0o644)


def write_sources(folder: pathlib.Path, text: str) -> None:
    """Make what the file copies and the project lacks: a file, or a folder with one where the name ends in a slash."""
    build = Build(parse(Source(text)))
    for index, instruction in enumerate(build.instructions):
        copy = build.copy(index) if instruction.name in ("COPY", "ADD") else None
        if copy is None or copy.origin is not None or instruction.heredocs:
            continue
        for source in copy.sources or ():
            name = posixpath.normpath("/" + source).strip("/")
            if not name or "://" in source or any(character in name for character in "*?[<"):
                continue
            path = folder / name / "content" if source.endswith("/") else folder / name
            if not (folder / name).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{name}\n", encoding="utf-8")


def find_docker() -> tuple[Docker | None, str]:
    """The engine, or None and why there is none."""
    client = shutil.which("docker")
    if client is None:
        return None, "there is no `docker` on the PATH"
    for command in (["version", "--format", "{{.Server.Version}}"], ["buildx", "version"]):
        done = subprocess.run([client, *command], capture_output=True, text=True)
        if done.returncode:
            return None, (done.stderr.strip().split("\n") or ["no engine answers"])[-1]
    return Docker(client), ""


# -------------------------------------------------------------------------------------------------------- proving


def prove(case: Case, docker: Docker | None, reason: str) -> Verdict:
    """Build the case before and after its fixes, every stage that is shipped, and compare."""
    if case.skipped:
        return Verdict(case, "text only", (case.skipped,))
    fixed = engine.fix(Source(case.text, case.name), catalogue.rules(case.codes), case.given, unsafe=case.unsafe)
    if fixed.faults:
        return Verdict(case, "broken", tuple(fault.message for fault in fixed.faults))
    missing = [code for code in case.expected if code not in {one.code for one in fixed.applied}]
    if missing:
        return Verdict(case, "nothing fixed", tuple(missing))
    if not fixed.applied:
        return Verdict(case, "left alone", ())
    if docker is None:
        return Verdict(case, "text only", (reason,))
    started = time.monotonic()
    build = Build(parse(Source(case.text)), case.given.contexts)
    # The original may have mounts of its own, which must hold nothing of other builds either.
    before_text = unique_mounts(case.text, f"{os.getpid()}before{case.name}")
    after_text = unique_mounts(fixed.source.text, str(os.getpid()) + case.name)
    uncovered: list[str] = []
    idle: list[str] = []
    saved = 0
    # Files that come from several stages, as written or as fixed: what was built is run as well.
    several = len(build.stages) > 1 or len(Build(parse(fixed.source)).stages) > 1
    for stage in build.stages:
        # The last stage and those that no other one uses; BuildKit takes no stage without a name for a target.
        if stage is not build.final and (not stage.name or any(stage.index in other.needs for other in build.stages)):
            continue
        effects = [effect for _, effect in declared(fixed, build, stage.index)]
        target = None if stage is build.final else stage.name
        before, why = docker.build(before_text, case, target)
        if not before:
            return Verdict(case, "text only", (f"the original does not build here: {why}",))
        runs = ["cold", "warm"] if after_text != fixed.source.text else ["cold"]
        for run in runs:
            after, why = docker.build(after_text, case, target, fresh=run == "warm")
            if not after and "failed to resolve source metadata" in why:
                return Verdict(case, "text only", (f"the base image of the fixed file cannot be had here: {why}",))
            if not after:
                return Verdict(case, "broken", (f"the fixed file does not build ({run}): {why}",))
            old, new = docker.read(before), docker.read(after)
            result = compare.compare(old, new, effects)
            if result.uncovered:
                drift = _drift(docker, before_text, case, target, old)
                result = result._replace(
                    uncovered=tuple(one for one in result.uncovered if (one.kind, one.path) not in drift)
                )
            uncovered += [f"{run}: {one}" if len(runs) > 1 else str(one) for one in result.uncovered]
            idle += result.idle
        saved += old.size - new.size
        if not uncovered and several and {"Cmd", "Entrypoint"} & set(new.configuration):
            one, two = docker.run(before), docker.run(after)
            if one != two:
                told = f"before {one.code} {one.output[-300:]!r}, after {two.code} {two.output[-300:]!r}"
                return Verdict(case, "runs otherwise", (told,))
    state = "uncovered" if uncovered else "proved"
    codes = tuple(dict.fromkeys(one.code for one in fixed.applied))
    return Verdict(case, state, tuple(uncovered), tuple(dict.fromkeys(idle)), saved, time.monotonic() - started, codes)


def _drift(docker: Docker, text: str, case: Case, target: str | None, old: compare.Image) -> set[tuple[str, str]]:
    """What differs between two builds of the original: kinds and paths."""
    again, _ = docker.build(text, case, target, fresh=True)
    if not again:
        return set()
    return {(one.kind, one.path) for one in compare.file_differences(old.files, docker.read(again).files)}


def without_frontend(text: str) -> str:
    """The text without its `# syntax=` line; other directives stay directives."""
    spans = [directive.span for directive in parse(Source(text)).directives if directive.name == "syntax"]
    if not spans:
        return text
    end = text.find("\n", spans[0].start)
    return text[: spans[0].start] + (text[end + 1 :] if end >= 0 else "")


# ------------------------------------------------------------------------------------------------------ the table


def show(verdict: Verdict) -> str:
    """The lines of the table for one verdict."""
    case = verdict.case
    kind = "unsafe" if case.unsafe else "safe"
    line = f"{case.name:42} {kind:7} {verdict.state:14}"
    if verdict.state == "proved":
        line += f" {verdict.saved:>12,} bytes less, {verdict.seconds:.0f} s"
    elif verdict.state == "text only":
        line += f" {verdict.detail[0]}"
    lines = [line.rstrip()]
    if verdict.is_fault:
        lines += [f"    {one}" for one in verdict.detail[:20]]
        if len(verdict.detail) > 20:
            lines.append(f"    and {len(verdict.detail) - 20} more")
    lines += [f"    declared, not seen: {one}" for one in verdict.idle]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every `before` example, not only those marked `build`")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only cases whose name holds one of these")
    options = parser.parse_args(arguments)
    cases = [*page_cases(options.all), *fixture_cases(), *example_cases()]
    if options.names:
        cases = [case for case in cases if any(name in case.name for name in options.names)]
    docker, reason = find_docker()
    if docker is None:
        print(f"no engine: {reason}; nothing is built")
    verdicts = []
    try:
        for case in cases:
            verdict = prove(case, docker, reason)
            verdicts.append(verdict)
            print(show(verdict), flush=True)
    finally:
        if docker is not None:
            docker.close()
    counts = {
        state: sum(one.state == state for one in verdicts) for state in dict.fromkeys(one.state for one in verdicts)
    }
    print(", ".join(f"{count} {state}" for state, count in counts.items()) or "no cases")
    if not cases or docker is None and os.environ.get("DFOPT_REQUIRE_ENGINE"):
        return 1
    return int(any(verdict.is_fault for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
