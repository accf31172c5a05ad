"""Lists of `commuting_lists.py` built for real, and what they leave in the terms of `model.py`."""

import os
import pathlib
import subprocess
import tempfile

import model

LISTING = r"""
export LC_ALL=C
now() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /mnt -o -path /report \) -prune -o -printf '%p|%y|%m|%U|%G|%l\n' | sort
}
"""
BASE = LISTING + "now > /base.lst\n"
REPORT = (
    LISTING
    + r"""
now > /report.now
comm -3 /mnt/base.lst /report.now | while IFS= read -r line; do
  case $line in "	"*) line=${line#?}; sign=+ ;; *) sign=- ;; esac
  path=${line%%|*}; content=
  case $path in /report.now|/base.lst|/base.sh|/report.sh) continue ;; esac
  if [ $sign = + ] && [ -f "$path" ] && [ ! -h "$path" ]; then content=$(od -An -v -tx1 "$path" | tr -d ' \n'); fi
  echo "$sign|$line|$content"
done > /report
"""
)


def write_context(folder: pathlib.Path, node: model.Node) -> None:
    """Lays out the context with its modes."""
    for name, entry in node.entries.items():
        path = folder / name
        if entry.kind == "d":
            path.mkdir()
            write_context(path, entry)
        elif entry.kind == "l":
            path.symlink_to(entry.data)
            continue
        else:
            path.write_text(entry.data)
        path.chmod(entry.mode)


def dockerfile(lists: list[list[model.Instruction]]) -> str:
    """One stage a list, each with a report of how it differs from its base image; the last holds the reports."""
    lines = [
        "FROM debian:bookworm-slim AS tools",
        "COPY <<'EOF' /base.sh",
        BASE,
        "EOF",
        "COPY <<'EOF' /report.sh",
        REPORT,
        "EOF",
    ]
    lines += ["RUN sh /base.sh"]
    for number, instructions in enumerate(lists):
        lines += [f"FROM debian:bookworm-slim AS list{number}", *map(model.text, instructions)]
        lines += ['SHELL ["/bin/sh", "-c"]', "USER 0:0", "WORKDIR /"]
        lines += ["RUN --mount=type=bind,from=tools,target=/mnt sh /mnt/report.sh"]
    lines += [
        "FROM scratch AS reports",
        *(f"COPY --from=list{number} /report /{number}" for number in range(len(lists))),
    ]
    return "\n".join(lines) + "\n"


def build(lists: list[list[model.Instruction]]) -> tuple[list[set[str]] | None, str]:
    """The reports of lists, or None where one of them fails, and what docker said."""
    with tempfile.TemporaryDirectory() as name:
        top = pathlib.Path(name)
        context, output = top / "context", top / "output"
        context.mkdir()
        write_context(context, model.CONTEXT)
        (top / "Dockerfile").write_text(dockerfile(lists))
        command = [
            "docker",
            "build",
            "-q",
            "--network",
            "host",
            "--target",
            "reports",
            "--output",
            f"type=local,dest={output}",
        ]
        done = subprocess.run(
            [*command, "-f", str(top / "Dockerfile"), str(context)],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode:
            return None, done.stderr
        return [set((output / str(number)).read_text().splitlines()) for number in range(len(lists))], ""


def reports(lists: list[list[model.Instruction]]) -> list[set[str] | str]:
    """The report of each list, or what docker said where it fails."""
    together, _ = build(lists)
    if together is not None:
        return [*together]
    found: list[set[str] | str] = []
    for one in lists:
        alone, said = build([one])
        found.append(said if alone is None else alone[0])
    return found


def expected(instructions: list[model.Instruction]) -> set[str] | None:
    """The report that the model gives; None where it fails."""
    found = model.run(instructions)
    if found is None:
        return None
    image = model.Image()
    before, after = image.listing(), found[0]
    lines = {_line("-", path, before[path]) for path in before if before[path] != after.get(path)}
    return lines | {_line("+", path, after[path]) for path in after if before.get(path) != after[path]}


def _line(sign: str, path: str, entry: tuple[str, str, int, int, str]) -> str:
    kind, mode, uid, gid, data = entry
    content = data.encode().hex() if kind == "f" and sign == "+" else ""
    return f"{sign}|{path}|{kind}|{mode}|{uid}|{gid}|{data if kind == 'l' else ''}|{content}"


def may_be_built(instructions: list[model.Instruction]) -> bool:
    """Whether a list leaves the programs alone that its own commands need."""
    for name, *rest in instructions:
        if name == "RUN" and any(word in ("/bin", "/bin/") for command in rest for word in command.split(" ")):
            return False
    return True


def available() -> bool:
    """Whether there is an engine that has the base image."""
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", "debian:bookworm-slim"],
            capture_output=True,
            timeout=60,
            check=False,
            env=os.environ,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
