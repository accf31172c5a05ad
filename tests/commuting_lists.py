"""Random short lists of instructions for `model.py`, and which moves of theirs dfopt calls free."""

from collections.abc import Callable, Iterator, Sequence

import model

from dfopt import commuting
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse

Pick = Callable[[Sequence[str]], str]

FOLDERS = (
    "/a",
    "/a/b",
    "/b",
    "/srv/a",
    "/opt",
    "/var/run/a",
    "/run/a",
    "/var/local/a",
    "/a/sub",
    "/c/lnk",
    "/l",
    "q",
    "/bin",
)
FILES = ("/a/f.txt", "/a/b/f.txt", "/b/g.txt", "/srv/a/f.txt", "/srv/f.txt", "/l/f.txt", "/run/a/g.txt", "/var/run/a/g.txt", "zz",
         "/bin/zz", "/usr/bin/zz", "/var/local/a/f.txt", "/b")  # fmt: skip
SOURCES = (
    "f.txt",
    "g.txt",
    "f.txt g.txt",
    "run.sh",
    "plain",
    "conf.d",
    "shop.web",
    "d",
    "e",
    "d/sub",
    "d/f.txt",
    "d e",
    ".",
)
OWNERS = ("", "", "", "0:0", "7:7", "7:8")
COMMANDS = ("mkdir -p {}", "mkdir {}", "touch {f}", "echo hello > {f}", "echo $A > {f}", "echo $B >> {f}", "rm -rf {}", "rm -f {f}",
            "chmod 700 {}", "chmod -R 711 {}", "chown 5:5 {}", "chown -R 6:6 {}", "ln -s {} /l", "ln -s /srv {}", "ln -s ../b {}",
            "cp {f} {}", "cp -r {} {}", "mv {} {}", "cat {f} > {f}", "mkdir -p {} {}", "true")  # fmt: skip


def one(pick: Pick, root: bool, folders: tuple[str, ...], files: tuple[str, ...]) -> model.Instruction:
    """An instruction about some of these places; a RUN only where the user is `root`, since the model knows no permissions."""
    kinds = ("COPY", "COPY", "COPY", "COPY", "RUN", "RUN", "RUN", "WORKDIR", "WORKDIR", "ENV", "ARG", "USER", "LABEL", "EXPOSE", "CMD",
             "ENTRYPOINT", "SHELL")  # fmt: skip
    kind = pick(kinds)
    if kind == "RUN" and not root:
        kind = "WORKDIR"
    if kind == "COPY":
        place = pick(folders + files + tuple(f"{folder}/" for folder in folders) + (".", "./", "$A/x", "/$B/"))
        return kind, pick(SOURCES), place, pick(OWNERS), pick(("", "", "", "600", "755"))
    if kind == "WORKDIR":
        return kind, pick((*folders, "$A"))
    if kind == "RUN":
        commands = []
        for _ in pick(("1", "1", "12")):
            command = pick(COMMANDS)
            while "{" in command:
                hole = command[command.index("{") : command.index("}") + 1]
                command = command.replace(hole, pick(files if hole == "{f}" else folders), 1)
            commands.append(command)
        return kind, *commands
    values = {
        "ENV": (("A", "C"), ("/a", "b", "/srv/$B", "$C")),
        "ARG": (("B",), ("a", "b", "$A")),
        "USER": (("0:0", "9:9"),),
        "LABEL": (("a", "b"), ("1", "$A", "$B")),
        "EXPOSE": (("80", "81"),),
        "CMD": (("x",),),
        "ENTRYPOINT": (("y",),),
        "SHELL": (("/bin/sh", "/bin/dash"),),
    }
    return kind, *(pick(options) for options in values[kind])


def several(pick: Pick, count: int) -> list[model.Instruction]:
    """A list of instructions about few places, so that they meet."""
    folders: tuple[str, ...] = tuple(pick(FOLDERS) for _ in range(3))
    files: tuple[str, ...] = (*(pick(FILES) for _ in range(2)), f"{folders[0]}/f.txt", f"{folders[1]}/sub/f.txt")
    found: list[model.Instruction] = []
    if pick(("", "link")):
        place = folders[0]
        found.append(("RUN", f"mkdir -p {place}", f"ln -s {place} /l"))
        folders, files = (
            (place, "/l", folders[2]),
            (f"{place}/f.txt", f"{place}/b.txt", "/l/f.txt", "/l/sub/f.txt", files[0]),
        )
    root = True
    while len(found) < count:
        found.append(one(pick, root, folders, files))
        if found[-1][0] == "USER":
            root = found[-1][1] == "0:0"
    return found


def build_of(instructions: list[model.Instruction]) -> Build:
    lines = ["FROM debian:bookworm-slim", *map(model.text, instructions)]
    return Build(parse(Source("\n".join(lines) + "\n")))


def free_moves(instructions: list[model.Instruction]) -> Iterator[tuple[int, int]]:
    """Where an instruction may go by what `commute` says of each that it passes: from where, to where."""
    build = build_of(instructions)
    count = len(instructions)
    for start in range(count):
        for end in range(start + 1, count):
            if not commuting.commute(build, start + 1, end + 1).free:
                break
            yield start, end
        for end in range(start - 1, -1, -1):
            if not commuting.commute(build, end + 1, start + 1).free:
                break
            yield start, end


def moved(instructions: list[model.Instruction], start: int, end: int) -> list[model.Instruction]:
    rest = [*instructions[:start], *instructions[start + 1 :]]
    return [*rest[:end], instructions[start], *rest[end:]]
