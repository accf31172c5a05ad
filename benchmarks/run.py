"""What dfopt costs beside hadolint: CPU time and peak memory of whole processes, measured in turns in one run.

    python benchmarks/run.py [--rounds N] [--corpus FOLDER]

dfopt is built as a wheel and installed into an environment of its own, with its bytecode, as pip does; hadolint is the one
beside this Python or on the path (`pip install dfopt[benchmark]`). FOLDER (or $DFOPT_CORPUS, or ../shared/corpus) holds real
Dockerfiles below `files/`. Prints one table; exits with 0 whatever it shows. Needs an operating system with `wait4`.
"""

import argparse
import datetime
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent
FILES = 500
MEBIBYTE = 1 << 20


class Cost(NamedTuple):
    """The CPU time of a process with its children, in seconds, and its peak resident memory, in bytes."""

    seconds: float
    memory: int


class Task(NamedTuple):
    """A command to measure; `prepare` is run before each round, outside the measurement."""

    label: str
    words: tuple[str, ...]
    prepare: Callable[[], object] = lambda: None


# ---------------------------------------------------------------------------------------------------------- measuring


def cost(words: Sequence[str], folder: str, environment: dict[str, str]) -> Cost:
    """Run a command, its output thrown away, and give what it took. Raises SystemExit where it failed."""
    with open(os.devnull, "r+b") as nothing:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):  # 1: something was found
        raise SystemExit(f"`{' '.join(words[:4])}` ended with {process.returncode}")
    # Linux gives kibibytes, macOS bytes. A child's peak is at least this process's own, so this one stays small.
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def measure(tasks: Sequence[Task], rounds: int, folder: str, environment: dict[str, str]) -> dict[str, Cost]:
    """The medians by label. The commands are run in turns, so that what else the machine does falls on all alike."""
    seen: dict[str, list[Cost]] = {task.label: [] for task in tasks}
    for number in range(rounds + 1):
        for task in tasks:
            task.prepare()
            one = cost(task.words, folder, environment)
            if number or rounds == 1:  # the first round fills the caches of the operating system
                seen[task.label].append(one)
    return {
        label: Cost(
            statistics.median(one.seconds for one in costs), int(statistics.median(one.memory for one in costs))
        )
        for label, costs in seen.items()
    }


# ------------------------------------------------------------------------------------------------------------- inputs


def generated(lines: int) -> str:
    """A Dockerfile of about so many lines in five stages, however long: ENV, ARG, long RUNs with comments in them, heredocs, clean-up in
    a RUN of its own, COPY from the context and from stages; no two parts alike. Behind a heredoc there is an empty line, since
    hadolint stops reading at another one."""
    written: list[str] = ["# syntax=docker/dockerfile:1"]
    number = stages = 0
    while len(written) < lines:
        if stages * lines <= 5 * len(written):
            base = ("debian:bookworm-slim", "stage0", "python:3.12-slim", "node:20", "stage3")[stages % 5]
            origin = f"--from=stage{stages - 1}" if stages else "--from=busybox:1"
            written += f"\nFROM {base} AS stage{stages}".split("\n")
            stages += 1
        written += f"""
# Part {number}.
ARG VERSION_{number}=1.{number}
ENV HOME_{number}=/opt/app{number} \\
    MODE="production" \\
    PATH=/opt/app{number}/bin:$PATH
WORKDIR /opt/app{number}
RUN apt-get update && \\
    # what part {number} is built with
    apt-get install -y \\
      build-essential \\
      curl \\
      libfoo{number}-dev && \\
    curl -fsSL -o /tmp/tool{number}.tar.gz "https://example.org/tool-$VERSION_{number}.tar.gz" && \\
    tar -xzf /tmp/tool{number}.tar.gz -C /usr/local --strip-components=1
RUN rm -rf /var/lib/apt/lists/* /tmp/tool{number}.tar.gz
COPY . .
RUN set -eux; \\
    for file in *.conf; do \\
      if [ -f "$file" ]; then sed -i "s/@MODE@/$MODE/" "$file"; fi; \\
    done; \\
    pip install -r requirements.txt
RUN <<SCRIPT
set -e
npm ci
npm run build -- --target=app{number}
SCRIPT

COPY {origin} /opt/app{number}/first /opt/shared/first{number}
COPY {origin} /opt/app{number}/second /opt/shared/second{number}
EXPOSE {1024 + number % 60000}
USER {f"app{number}" if number % 2 else "root"}""".split("\n")
        number += 1
    return "\n".join(written) + "\n"


def corpus(folder: pathlib.Path) -> list[pathlib.Path]:
    """The first 500 of the real Dockerfiles, by path."""
    return sorted(path for path in (folder / "files").rglob("*") if path.is_file())[:FILES]


# ------------------------------------------------------------------------------------------------------------ programs


def installed(folder: pathlib.Path, environment: dict[str, str]) -> pathlib.Path:
    """The folder of programs of a fresh environment with dfopt's wheel, compiled. Its dependencies are left out: what is
    measured here does without them."""
    wheels, made = str(folder / "wheels"), str(folder / "environment")

    def run(*words: str) -> None:
        subprocess.run([sys.executable, "-m", *words], check=True, stdout=sys.stderr, env=environment)

    run("pip", "-q", "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, str(CHECKOUT))
    run("venv", "--without-pip", made)
    wheel = next(pathlib.Path(wheels).glob("*.whl"))
    run("pip", "-q", "--python", made, "install", "--no-deps", "--no-index", "--compile", str(wheel))
    return pathlib.Path(made) / "bin"


def hadolint() -> str | None:
    beside = pathlib.Path(sys.executable).parent / "hadolint"
    return str(beside) if beside.is_file() else shutil.which("hadolint")


def version_of(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """The processor's name where the operating system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        name = ""
    return f"{name or platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


# -------------------------------------------------------------------------------------------------------------- report


class Row(NamedTuple):
    """A line of the table: what dfopt and hadolint took, and the budget for it: a text, and whether it was met (None: none)."""

    label: str
    ours: Cost
    peer: Cost | None = None
    budget: str = ""
    met: bool | None = None


def table(rows: Sequence[Row]) -> str:
    heads = ("", "dfopt", "peak", "hadolint", "peak", "hadolint / dfopt", "budget")
    cells = [heads] + [
        (
            one.label, shown(one.ours.seconds), mebibytes(one.ours), shown(one.peer.seconds) if one.peer else "",
            mebibytes(one.peer) if one.peer else "", f"{one.peer.seconds / one.ours.seconds:.1f}" if one.peer else "",
            f"{one.budget}: {'met' if one.met else 'MISSED'}" if one.met is not None else one.budget,
        )
        for one in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if 0 < at < 6 else cell.ljust(width) for at, (cell, width) in enumerate(zip(line, widths))
        )
        + " |"
        for line in cells
    ]
    rule = "| " + " | ".join("-" * (width - 1) + (":" if 0 < at < 6 else "-") for at, width in enumerate(widths)) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def shown(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{seconds * 1000:.1f} ms"
        if seconds < 0.1
        else f"{seconds * 1000:.0f} ms"
    )


def mebibytes(one: Cost) -> str:
    return f"{one.memory / MEBIBYTE:.0f} MiB"


def rows(costs: dict[str, Cost], files: int) -> list[Row]:
    """The table's lines, with the budgets of the project: beside hadolint they count only where it is there."""
    peer = costs.get
    one, many, long, longer = costs["one"], costs.get("many"), costs["long"], costs["longer"]
    found = [
        Row("bare Python", costs["python"]),
        Row("import dfopt", costs["import"]),
        beside("check one file of 40 lines", one, peer("one, hadolint"), 1),
        Row("check 2,000 lines", long, peer("long, hadolint"), "under 1 s", long.seconds < 1),
        Row(
            "check 20,000 lines", longer, None, "linear: at most 11 x 2,000 lines", longer.seconds <= 11 * long.seconds
        ),
        Row("fix --diff 2,000 lines", costs["long, fix"]),
    ]
    if many is not None:
        found += [
            beside(f"check {files} real files", many, peer("many, hadolint"), 10),
            Row("  its memory", many, None, "under 80 MiB", many.memory < 80 * MEBIBYTE),
            Row(f"fix {files} real files", costs["many, fix"]),
        ]
    return found


def beside(label: str, ours: Cost, peer: Cost | None, times: int) -> Row:
    budget = "no more than hadolint" if times == 1 else f"a {'tenth' if times == 10 else times} of hadolint"
    return Row(label, ours, peer, budget, None if peer is None else ours.seconds * times <= peer.seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=21, help="rounds for what takes milliseconds; the rest gets a seventh"
    )
    parser.add_argument("--corpus", type=pathlib.Path, help="the folder that holds `files/`")
    arguments = parser.parse_args()
    many, few = max(1, arguments.rounds), max(1, arguments.rounds // 7)
    folder = arguments.corpus or pathlib.Path(os.environ.get("DFOPT_CORPUS") or CHECKOUT.parent / "shared" / "corpus")
    # No variable of the caller's may change what Python does: PYTHONDONTWRITEBYTECODE doubles the time of a start.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    with tempfile.TemporaryDirectory(prefix="dfopt-benchmark-") as name:
        work = pathlib.Path(name)
        programs = installed(work, environment)
        python, dfopt, peer = str(programs / "python"), str(programs / "dfopt"), hadolint()
        place = work / "files"
        place.mkdir()
        shutil.copy(HERE / "Dockerfile", place)
        for lines in (2_000, 20_000):
            (place / f"{lines}.Dockerfile").write_text(generated(lines), encoding="utf-8")
        real = [str(path) for path in corpus(folder)]
        copies = [str(place / f"copy{number}.Dockerfile") for number in range(len(real))]

        def copy() -> None:
            for path, target in zip(real, copies):
                shutil.copyfile(path, target)

        quick = [
            Task("python", (python, "-c", "pass")),
            Task("import", (python, "-c", "import dfopt")),
            Task("one", (dfopt, "check", "Dockerfile")),
        ]
        slow = [
            Task("long", (dfopt, "check", "2000.Dockerfile")),
            Task("longer", (dfopt, "check", "20000.Dockerfile")),
            Task("long, fix", (dfopt, "fix", "--diff", "2000.Dockerfile")),
        ]
        if real:
            slow += [Task("many", (dfopt, "check", *real)), Task("many, fix", (dfopt, "fix", *copies), copy)]
        if peer:
            quick.append(Task("one, hadolint", (peer, "Dockerfile")))
            slow.append(Task("long, hadolint", (peer, "2000.Dockerfile")))
            if real:
                slow.append(Task("many, hadolint", (peer, *real)))
        costs = measure(quick, many, str(place), environment) | measure(slow, few, str(place), environment)
        print(
            f"{datetime.date.today()}; {machine()}; Python {platform.python_version()}; "
            f"dfopt {version_of(python, '-c', 'import dfopt; print(dfopt.__version__)')}; "
            f"hadolint {version_of(peer, '--version').split()[-1] if peer else 'not found'}\n"
            f"CPU time and peak memory of whole processes, run in turns: medians of {many} rounds, {few} from the 2,000 lines on\n"
        )
        print(table(rows(costs, len(real))))
        if not real:
            print(f"\nno real files at {folder}: these rows are left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
