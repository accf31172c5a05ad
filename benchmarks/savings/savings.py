"""What fixes save: small projects, each built as written, as fixed, and as fixed with what wants consent, all by `dfopt verify`.

    python benchmarks/savings/savings.py [--write] [--engine NAME] [WORD ...]

Prints a table; `--write` keeps it in docs/savings.md. WORD takes only projects whose name holds one. Needs an engine and base images
(`tools/engine.py`). Exit code: 0 all proved, 1 not.
"""

import argparse
import datetime
import http.server
import io
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from typing import Any, NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/savings.md"
PORT = 8931  # written in archive-download/Dockerfile

Side = dict[str, Any]  # as in `dfopt verify --format json`
LABELS = (("fixed", False), ("fixed, unsafe", True))


class Row(NamedTuple):
    """What was measured of a project: as written, or as fixed; `told` is the verdict, or why nothing was built."""

    project: str
    label: str
    told: str
    side: Side | None = None


def fill(name: str, folder: pathlib.Path) -> None:
    """Make what is too large to be kept beside the project."""
    if name == "data-removed":
        lines = (f"{number},{number * number % 9973}\n" for number in range(1_500_000))
        (folder / "data.csv").write_text("".join(lines), encoding="ascii")


class _Server(http.server.BaseHTTPRequestHandler):
    """Has one archive: 20 MB that hardly shrink."""

    archive = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.archive)))
        self.end_headers()
        self.wfile.write(self.archive)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def serve() -> http.server.ThreadingHTTPServer:
    """Serve the archive on this machine only."""
    state, noise = 1, bytearray()
    for _ in range(20 * 1024 * 128):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        noise += (state >> 3).to_bytes(8, "little")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("tool/data")
        member.size = len(noise)
        archive.addfile(member, io.BytesIO(noise))
    _Server.archive = packed.getvalue()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def verified(path: pathlib.Path, engine: str, unsafe: bool) -> dict[str, Any]:
    """The report of `dfopt verify`."""
    words = [sys.executable, "-m", "dfopt", "verify", "--quiet", "--format", "json"]
    words += [
        "--engine-option=--network=host",
        *(["--unsafe"] if unsafe else []),
        *(["--engine", engine] if engine else []),
    ]
    done = subprocess.run([*words, str(path)], capture_output=True, text=True, timeout=1200, check=False)
    if not done.stdout.startswith("{"):
        raise SystemExit(f"{path}: {done.stdout}{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def measured(project: pathlib.Path, engine: str) -> tuple[list[Row], str]:
    """As written, fixed, and fixed with what wants consent; and the engine that built them."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name, project.name)
        shutil.copytree(project, folder)
        fill(project.name, folder)
        path = folder / "Dockerfile"
        written: list[Row] = []
        found: list[Row] = []
        by = ""
        known = {"": "nothing is fixed"}
        for label, unsafe in LABELS:
            diff = change(path, unsafe)
            if diff in known:
                found.append(Row(project.name, label, known[diff]))
                continue
            known[diff] = "the same as fixed"
            report = verified(path, engine, unsafe)
            by = report["engine"]
            written = written or [Row(project.name, "as written", "", report["before"])]
            told = report["verdict"] if report["failure"] is None else f"{report['verdict']}: {report['failure']}"
            found.append(Row(project.name, label, told, report["after"]))
        return [*written, *found], by


def change(path: pathlib.Path, unsafe: bool) -> str:
    """What `dfopt fix` would change, as a diff."""
    words = [sys.executable, "-m", "dfopt", "fix", "--diff", "--exit-zero"]
    words += ["--unsafe"] if unsafe else []
    done = subprocess.run([*words, str(path)], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


# The columns: heading, key of `dfopt verify --format json`, what is shown of the value, and how much more than as written is told
# as worse (times of one build vary, bytes and layers do not).
def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.2f}"


def _seconds(value: float) -> str:
    return f"{value:.1f}"


COLUMNS = (
    ("size, MB", "size", _megabytes, 0.0),
    ("layers", "layers", str, 0.0),
    ("clean build, s", "clean", _seconds, 2.0),
    ("after a source, s", "source", _seconds, 1.0),
    ("pushed, MB", "source_pushed", _megabytes, 10_000.0),
    ("after dependencies, s", "dependency", _seconds, 1.0),
    ("pushed, MB", "dependency_pushed", _megabytes, 10_000.0),
)


WORDS = {
    "size": "MB of files", "layers": "layers", "clean": "seconds of clean builds", "source": "seconds after a source",
    "source_pushed": "MB pushed then", "dependency": "seconds after dependencies", "dependency_pushed": "MB pushed then",
}  # fmt: skip


def cells(row: Row, base: Row) -> list[str]:
    """A row of the table; what is worse than as written is bold."""
    line = [row.project, row.label, row.told]
    for _, key, shown, margin in COLUMNS:
        value, old = (side[key] if side is not None else None for side in (row.side, base.side))
        cell = "" if value is None else shown(value)
        line.append(f"**{cell}**" if value is not None and old is not None and value > old + margin else cell)
    return line


def table(lines: list[list[str]]) -> str:
    """A table in Markdown."""
    head = ["project", "", "verdict", *(column[0] for column in COLUMNS)]
    widths = [max(len(row[at]) for row in (head, *lines)) for at in range(len(head))]
    left = 3

    def line(cells: list[str]) -> str:
        padded = (
            cell.ljust(width) if at < left else cell.rjust(width) for at, (cell, width) in enumerate(zip(cells, widths))
        )
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *(line(row) for row in lines)])


PROSE = """\
# What fixes save

Small projects, each as it is written, as `dfopt fix` leaves it, and as `dfopt fix --unsafe` does. All are built by `dfopt verify`, which proves that the images differ in nothing but what the fixes
declare. `python benchmarks/savings/savings.py --write` makes this page; the projects are in `benchmarks/savings/projects`.

{where}. The base images are what `python tools/engine.py setup` provides: stand-ins from Debian's packages where a registry cannot be reached, so that sizes are not those of the official images.

- Size is the bytes of the files in all layers. Rebuilds follow a change of one source, or of the file that names the dependencies (none: the project has no such file).
- Pushed is what a registry that has the image from before the change is sent, compressed by gzip.
- Times are of one build each, in seconds, and other work on the machine shows in them. In all the builds packages come from archives near by.
- **Bold** is worse than as written: any byte or layer, 10 kB of a push, 2 s of a clean build, 1 s of a rebuild.

{table}

{totals}
"""


def totals(found: list[list[Row]]) -> str:
    """Sums over the projects that are changed."""
    lines = ["Sums, over the projects that the fixes change:", ""]
    for wanted, _ in LABELS:
        pairs = [
            (written.side, row.side)
            for written, *others in found
            for row in others
            if row.label == wanted and written.side is not None and row.side is not None
        ]
        parts = []
        for _, key, shown, _ in COLUMNS:
            both = [(old[key], new[key]) for old, new in pairs if old[key] is not None and new[key] is not None]
            parts.append(f"{WORDS[key]} {shown(sum(old for old, _ in both))} -> {shown(sum(new for _, new in both))}")
        lines.append(f"- {wanted} ({len(pairs)} projects): {'; '.join(parts)}.")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the result in docs/savings.md")
    parser.add_argument("--engine", default="", help="as for `dfopt verify`")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only projects whose name holds one of these")
    options = parser.parse_args(arguments)
    server = serve()
    started = time.monotonic()
    found, engines = [], {""}
    for project in sorted((HERE / "projects").iterdir()):
        if not options.words or any(word in project.name for word in options.words):
            rows, engine = measured(project, options.engine)
            found.append(rows)
            engines.add(engine)
            print("\n".join(" | ".join(cells(row, rows[0])) for row in rows), flush=True)
    server.shutdown()
    text = PROSE.format(
        where=f"{datetime.date.today()}; {', '.join(sorted(engines - {''}))}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores;"
        f" {time.monotonic() - started:.0f} s for all of it",
        table=table([cells(row, rows[0]) for rows in found for row in rows]),
        totals=totals(found),
    )
    print(f"\n{text}")
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    good = ("", "proved", "nothing is fixed", "the same as fixed")
    return int(any(row.told not in good for rows in found for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
