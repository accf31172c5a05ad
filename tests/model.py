"""A model of what a build leaves: a small file system with links, modes and owners, and what instructions do to it as BuildKit does.

Instructions are given as tuples, not as text, so that nothing here stands on how dfopt reads a Dockerfile; `text` writes one down.
`test_commuting.py` holds it against real builds.
"""

import posixpath
import re
from typing import NamedTuple


class Failed(Exception):
    """The build stops."""


class Node:
    """A file, a folder or a link; `data` is the contents, or the target."""

    __slots__ = ("kind", "mode", "uid", "gid", "data", "entries")

    def __init__(self, kind: str, mode: int, uid: int = 0, gid: int = 0, data: str = "") -> None:
        self.kind, self.mode, self.uid, self.gid, self.data = kind, mode, uid, gid, data
        self.entries: dict[str, Node] = {}


def folder(mode: int = 0o755, uid: int = 0, gid: int = 0, **entries: Node) -> Node:
    node = Node("d", mode, uid, gid)
    node.entries.update({name.replace("_", "."): entry for name, entry in entries.items()})
    return node


def file(data: str, mode: int = 0o644) -> Node:
    return Node("f", mode, 0, 0, data)


def link(target: str) -> Node:
    return Node("l", 0o777, 0, 0, target)


# The build context of all lists; `shop.web` is named like a file.
CONTEXT = folder(
    f_txt=file("f\n"),
    g_txt=file("g\n", 0o600),
    run_sh=file("#!/bin/sh\n", 0o755),
    plain=file("plain\n"),
    conf_d=folder(0o750, c_txt=file("c\n")),
    shop_web=folder(0o705, f_txt=file("shop/f\n")),
    d=folder(0o711, f_txt=file("d/f\n"), sub=folder(0o700, h_txt=file("h\n", 0o640))),
    e=folder(f_txt=file("e/f\n", 0o755), lnk=link("/srv"), sub=folder(0o775, i_txt=file("i\n"))),
)


def base() -> Node:
    """What matters of debian:bookworm-slim: folders that lists work in, links of the system, one with a group of its own."""
    return folder(
        bin=link("usr/bin"),
        etc=folder(),
        home=folder(),
        opt=folder(),
        run=folder(),
        srv=folder(),
        tmp=folder(0o1777),
        usr=folder(bin=folder(), local=folder(bin=folder()), src=folder()),
        var=folder(local=folder(0o2775, 0, 50), run=link("/run")),
    )


Instruction = tuple[str, ...]


class Variables(NamedTuple):
    """What is set."""

    environment: dict[str, str]
    arguments: dict[str, str]

    def expand(self, text: str) -> str:
        return re.sub(
            r"\$([A-Z_]+)", lambda found: self.environment.get(found[1], self.arguments.get(found[1], "")), text
        )


class Image:
    """A file system and a configuration, changed by instructions."""

    def __init__(self) -> None:
        self.root = base()
        self.variables = Variables({}, {})
        self.config: dict[str, str] = {}
        self.user = ""
        self.workdir = "/"

    # ------------------------------------------------------------------------------------------------ the file system

    def find(self, path: str, follow: bool = True, depth: int = 0) -> tuple[Node | None, str]:
        """What a path leads to and the path without links; the last name is followed on demand. Raises Failed on a name below a file."""
        if depth > 20:
            raise Failed(f"links without end at {path}")
        node, real = self.root, ""
        parts = [part for part in posixpath.normpath(path).split("/") if part]
        for number, part in enumerate(parts):
            if node.kind != "d":
                raise Failed(f"{real} is no folder")
            inner = node.entries.get(part)
            rest = parts[number + 1 :]
            if inner is None:
                if any(one == ".." for one in rest):
                    raise Failed("a path through what is not there")
                return None, "/".join((real, part, *rest))
            if inner.kind == "l" and (rest or follow):
                target = posixpath.join(real or "/", inner.data)
                return self.find(posixpath.join(target, *rest), follow, depth + 1)
            node, real = inner, f"{real}/{part}"
        return node, real or "/"

    def parent(self, path: str) -> tuple[Node, str]:
        """The folder that holds a path, which must be there, and the name in it."""
        head, name = posixpath.split(path.rstrip("/"))
        node, _ = self.find(head)
        if node is None or node.kind != "d" or not name:
            raise Failed(f"{head} is no folder")
        return node, name

    def make(self, path: str, owner: tuple[int, int] | None, mode: int | None = None) -> None:
        """Makes a folder and those above it where they are missing. A folder in one with a set group ID takes that over; where an `owner`
        is named BuildKit then gives it to that one, else, as in a shell, it keeps the group."""
        at = ""
        for part in [part for part in path.split("/") if part]:
            at = f"{at}/{part}"
            node, real = self.find(at)
            if node is None:
                holder, name = self.parent(real)
                set_group = holder.mode & 0o2000
                uid, gid = owner or (0, holder.gid if set_group else 0)
                holder.entries[name] = folder((0o755 if mode is None else mode) | set_group, uid, gid)
            elif node.kind != "d":
                raise Failed(f"{at} is no folder")

    # ------------------------------------------------------------------------------------------------ instructions

    def do(self, instruction: Instruction) -> None:
        """Carries one out. Raises Failed."""
        name, *rest = instruction
        if name == "COPY":
            self.copy(*rest)
        elif name == "WORKDIR":
            self.workdir = posixpath.normpath(posixpath.join(self.workdir, self.variables.expand(rest[0])))
            _, real = self.find(self.workdir)
            self.make(real, owner_of(self.user) if self.user else None)
        elif name == "RUN":
            self.make(self.find(self.workdir)[1], None)  # an earlier one may have deleted it
            for command in rest:
                self.command(self.shell_words(command))
        elif name == "ENV":
            self.variables.environment[rest[0]] = self.variables.expand(rest[1])
        elif name == "ARG":
            self.variables.arguments[rest[0]] = self.variables.expand(rest[1])
        elif name == "USER":
            self.user = self.config["USER"] = rest[0]
        elif name == "LABEL":
            self.config[f"LABEL {rest[0]}"] = self.variables.expand(rest[1])
        elif name == "EXPOSE":
            self.config[f"EXPOSE {rest[0]}"] = ""
        elif name in ("CMD", "ENTRYPOINT"):
            self.config[name] = f"{self.config.get('SHELL', '/bin/sh')} {rest[0]}"
        elif name == "SHELL":
            self.config[name] = rest[0]
        else:
            raise AssertionError(name)
        self.config["WORKDIR"] = self.workdir

    def copy(self, sources: str, destination: str, chown: str, chmod: str) -> None:
        owner, given = owner_of(chown or "0:0"), owner_of(chown) if chown else None
        mode = int(chmod, 8) if chmod else None
        destination = self.variables.expand(destination)
        slash = destination.endswith(("/", "/.")) or destination == "."
        path = posixpath.normpath(posixpath.join(self.workdir, destination))
        named = sources.split()
        for source in named:
            found = CONTEXT
            for part in [part for part in source.split("/") if part not in ("", ".")]:
                found = found.entries[part]
            # The folder that is named is made first, or the one above a name without a slash.
            _, real = self.find(path if slash else posixpath.dirname(path))
            self.make(real, given, mode)
            there, real = self.find(path)
            if found.kind != "d":
                if there is not None and there.kind == "d":
                    real = posixpath.join(real, posixpath.basename(source))
                self.make(posixpath.dirname(real), given, mode)
            elif there is None:
                self.make(real, given, mode)
            self.lay(found, real, owner, mode, True)

    def lay(self, node: Node, path: str, owner: tuple[int, int], mode: int | None, top: bool = False) -> None:
        """Copies a tree to a path; the topmost folder, where it is there, keeps its mode and owner."""
        holder, name = self.parent(path) if path != "/" else (folder(), "/")
        there = self.root if path == "/" else holder.entries.get(name)
        if node.kind != "d":
            if there is not None and there.kind == "d":
                raise Failed(f"{path} is a folder")
            copied = Node(node.kind, node.mode if mode is None or node.kind == "l" else mode, *owner, node.data)
            holder.entries[name] = copied
            return
        if there is not None and there.kind != "d":
            raise Failed(f"{path} is no folder")
        if there is None:
            there = holder.entries[name] = folder()
            top = False
        if not top:
            there.mode, (there.uid, there.gid) = node.mode if mode is None else mode, owner
        for inner, entry in node.entries.items():
            self.lay(entry, posixpath.join(path, inner), owner, mode)

    # ------------------------------------------------------------------------------------------------ commands

    def shell_words(self, command: str) -> list[str]:
        return [word for word in self.variables.expand(command).split(" ") if word]

    def absolute(self, path: str) -> str:
        return posixpath.join(self.workdir, path)

    def command(self, words: list[str]) -> None:
        """One command of a root's shell: the few that lists use."""
        program, *rest = words
        if ">" in words or ">>" in words:
            at = next(number for number, word in enumerate(words) if word in (">", ">>"))
            rest, target = words[1:at], self.absolute(words[at + 1])
            before = "" if words[at] == ">" else self.contents(target, True)
            self.write(target, "")
            text = " ".join(rest) + "\n" if program == "echo" else self.contents(self.absolute(rest[0]), False)
            self.write(target, before + text)
            return
        flags = [word for word in rest if word.startswith("-")]
        operands = [word for word in rest if not word.startswith("-")]
        paths = [self.absolute(word) for word in operands]
        if program == "mkdir":
            for path in paths:
                node, real = self.find(path)
                if node is not None and (not flags or node.kind != "d"):
                    raise Failed(f"{path} is there")
                if not flags:
                    self.parent(real)
                self.make(real, None)
        elif program == "touch":
            for path in paths:
                node, _ = self.find(path)
                if node is None:
                    self.write(path, "")
        elif program == "rm":
            for path in paths:
                self.remove(path, "-rf" in flags)
        elif program in ("chmod", "chown"):
            for path in paths[1:]:
                self.give(path, operands[0], "-R" in flags, program)
        elif program == "ln":
            self.tie(operands[0], paths[1])
        elif program in ("cp", "mv"):
            self.transfer(program, paths[0], paths[1], "-r" in flags)
        elif program != "true":
            raise AssertionError(program)

    def contents(self, path: str, may_miss: bool) -> str:
        node, _ = self.find(path)
        if node is None and may_miss:
            return ""
        if node is None or node.kind != "f":
            raise Failed(f"{path} is no file")
        return node.data

    def write(self, path: str, text: str) -> None:
        node, real = self.find(path)
        if path.endswith("/") or (node is not None and node.kind != "f"):
            raise Failed(f"{path} is no file")
        if node is None:
            holder, name = self.parent(real)
            node = holder.entries[name] = Node("f", 0o644, 0, holder.gid if holder.mode & 0o2000 else 0)
        node.data = text

    def remove(self, path: str, deep: bool = True) -> None:
        if path.rstrip("/") != path:
            raise AssertionError("rm of a path with a slash behind it")
        try:
            node, _ = self.find(path, False)
        except Failed:
            return  # `rm -f` passes over a name below a file
        if node is not None:
            if node.kind == "d" and not deep:
                raise Failed(f"{path} is a folder")
            holder, name = self.parent(path)
            del holder.entries[name]

    def give(self, path: str, what: str, deep: bool, program: str) -> None:
        """chmod and chown: with -R they follow no link, but chmod the one that is named."""
        node, _ = self.find(path, not (deep and program == "chown"))
        if node is None:
            raise Failed(f"{path} is not there")
        todo = [node]
        while todo:
            one = todo.pop()
            if program == "chown":
                one.uid, one.gid = owner_of(what)
                if one.kind == "f":
                    one.mode &= 0o1777
            elif one.kind != "l":
                # A mode of three digits leaves a folder its set group ID.
                one.mode = int(what, 8) | (one.mode & 0o6000 if one.kind == "d" else 0)
            if deep and one.kind == "d":
                todo += one.entries.values()

    def tie(self, target: str, path: str) -> None:
        """`ln -s`: into a folder of that name where there is one."""
        node, real = self.find(path)
        if node is not None and node.kind == "d":
            path = posixpath.join(real, posixpath.basename(target))
        holder, name = self.parent(path)
        if name in holder.entries:
            raise Failed(f"{path} is there")
        made = link(target)
        made.gid = holder.gid if holder.mode & 0o2000 else 0
        holder.entries[name] = made

    def transfer(self, program: str, source: str, target: str, deep: bool) -> None:
        """`cp`, `cp -r` and `mv` of one thing."""
        node, real = self.find(source, program == "cp" and not deep)
        if node is None or (node.kind == "d" and program == "cp" and not deep):
            raise Failed(f"{source} is not there, or a folder")
        there, place = self.find(target)
        if there is not None and there.kind == "d":
            place = posixpath.join(place, posixpath.basename(source))
        elif program == "mv" or node.kind != "f":
            # The link itself is replaced, not what it leads to.
            head, name = posixpath.split(target)
            _, above = self.find(head)
            place = posixpath.join(above, name)
            there, _ = self.find(place, False)
            if there is not None and node.kind == "d" and there.kind != "d":
                raise Failed("a folder over a file")
        if (place + "/").startswith(real + "/") and node.kind == "d" or place == real:
            raise Failed("into itself")
        holder, name = self.parent(place)
        if program == "mv":
            there = holder.entries.get(name)
            if there is not None and (there.kind == "d") != (node.kind == "d"):
                raise Failed("a folder and a file of one name")
            if there is not None and there.entries:
                raise Failed("a folder that is not empty")
            if node.kind == "d" and holder.mode & 0o2000:
                # Of an earlier layer's folder `mv` makes a copy, which takes over the bit: not modelled.
                raise Failed("it hangs on the layers")
            self.remove(real)
            holder.entries[name] = node
        else:
            self.duplicate(node, place)

    def duplicate(self, node: Node, path: str) -> None:
        """`cp -r`: files that are there keep mode and owner, folders too."""
        holder, name = self.parent(path)
        there = holder.entries.get(name)
        group = holder.gid if holder.mode & 0o2000 else 0
        if node.kind == "d":
            if there is not None and there.kind != "d":
                raise Failed(f"{path} is no folder")
            if there is None:
                there = holder.entries[name] = folder((node.mode & 0o755) | (holder.mode & 0o2000), 0, group)
            for inner, entry in list(node.entries.items()):
                self.duplicate(entry, posixpath.join(path, inner))
        elif node.kind == "l":
            if there is not None and there.kind == "d":
                raise Failed(f"{path} is a folder")
            if there is not None:
                raise Failed("a link over a file: `cp -r` makes it anew, or not, by version")
            holder.entries[name] = link(node.data)
            holder.entries[name].gid = group
        else:
            target, _ = self.find(path)
            if target is not None and target.kind == "d":
                raise Failed(f"{path} is a folder")
            if target is not None:
                target.data = node.data
            elif there is not None:
                raise Failed("through a link that leads nowhere")
            else:
                holder.entries[name] = Node("f", node.mode & 0o755, 0, group, node.data)

    # ------------------------------------------------------------------------------------------------ results

    def listing(self) -> dict[str, tuple[str, str, int, int, str]]:
        """Each path with its type, mode, owner and contents or target."""
        found: dict[str, tuple[str, str, int, int, str]] = {}
        todo = [("", self.root)]
        while todo:
            path, node = todo.pop()
            found[path or "/"] = (node.kind, f"{node.mode:o}", node.uid, node.gid, node.data)
            todo += [(f"{path}/{name}", entry) for name, entry in node.entries.items()]
        return found


def owner_of(text: str) -> tuple[int, int]:
    uid, _, gid = text.partition(":")
    return int(uid), int(gid or uid)


def run(instructions: list[Instruction]) -> tuple[dict[str, tuple[str, str, int, int, str]], dict[str, str]] | None:
    """The files and the configuration behind a list, None where it fails."""
    image = Image()
    try:
        for instruction in instructions:
            image.do(instruction)
    except Failed:
        return None
    return image.listing(), {
        **image.config,
        **{f"ENV {name}": value for name, value in image.variables.environment.items()},
    }


def text(instruction: Instruction) -> str:
    """An instruction as it stands in a Dockerfile."""
    name, *rest = instruction
    if name == "COPY":
        sources, destination, chown, chmod = rest
        flags = [f"--chown={chown}"] if chown else []
        flags += [f"--chmod={chmod}"] if chmod else []
        return " ".join((name, *flags, sources, destination))
    if name == "RUN":
        return f"RUN {' && '.join(rest)}"
    if name in ("ENV", "ARG", "LABEL"):
        return f"{name} {rest[0]}={rest[1]}"
    if name == "SHELL":
        return f'SHELL ["{rest[0]}", "-c"]'
    return f"{name} {rest[0]}"
