"""What files of `proof/random_copies.py` leave, by the model of `model.py` with stages: a check of assemblies without an engine.

The files are read by a few lines of this module, so that nothing here stands on how dfopt reads a Dockerfile.
"""

import copy
import fnmatch
import json
import posixpath
import re
import shlex
from collections.abc import Iterator

import model
from model import Failed, Node, file, folder, link

Listing = dict[str, tuple[str, str, int, int, str]]

USERS = {"app": "1600:1600", "root": "0:0", "www-data": "33:33", "team": "1701:1700"}
GROUPS = {"app": "1600", "root": "0", "www-data": "33", "team": "1700"}


class NotModelled(Exception):
    """The file has what the model does not know."""


def context() -> Node:
    """As `random_copies.write_context` makes it; what comes from the build context is root's."""
    cd = folder(sub=folder(0o711, f=file("cd/sub/f\n")), two_txt=file("cd/two.txt\n"), etc=link("/etc"), d=link("sub"))
    return folder(c_txt=file("c.txt\n", 0o640), tool=file("tool\n", 0o755), cd=cd)


def debian() -> Node:
    root = model.base()
    root.entries["etc"].entries["debian_version"] = file("12\n")
    return root


class Stage(model.Image):
    """A stage; `others` are those before it by name and number."""

    def __init__(self, root: Node, others: dict[str, "Stage"]) -> None:
        super().__init__()
        self.root, self.others = root, others

    def tree(self, flags: dict[str, str]) -> Node:
        name = flags.get("from", "")
        if name.startswith("debian"):
            return debian()
        return self.others[name].root if name else context()

    def bring(self, flags: dict[str, str], sources: list[str], destination: str, text: str | None) -> None:
        """COPY and ADD of what is no archive."""
        if set(flags) - {"from", "chown", "chmod", "exclude"}:
            raise NotModelled
        owner = self.variables.expand(flags.get("chown", ""))
        user, _, group = owner.partition(":")
        first = USERS.get(user, f"{user}:{user}")
        given = (
            model.owner_of(f"{first.partition(':')[0]}:{GROUPS.get(group, group)}" if group else first)
            if owner
            else None
        )
        mode = int(flags["chmod"], 8) if "chmod" in flags else None
        source = Stage(copy.deepcopy(self.tree(flags)) if text is None else folder(TEXT=file(text)), {})
        slash = destination.endswith(("/", "/.")) or destination == "."
        path = posixpath.normpath(posixpath.join(self.workdir, destination))
        for name in sources if text is None else ["TEXT"]:
            for one in source.matching(name):
                if "exclude" in flags:
                    source.leave_out(one, flags["exclude"])
                self.lay_out(source, one, path, slash, given, "from" in flags, mode)

    def matching(self, name: str) -> list[str]:
        head, last = posixpath.split(name)
        if "*" not in last:
            return [name]
        holder, _ = self.find(posixpath.join("/", head))
        assert holder is not None, "the sources are there"
        return [posixpath.join(head, one) for one in sorted(holder.entries) if fnmatch.fnmatchcase(one, last)]

    def leave_out(self, name: str, pattern: str) -> None:
        """Takes away what `--exclude` names in a folder that is copied."""
        found, _ = self.find(posixpath.join("/", name))
        if found is None or found.kind != "d":
            raise NotModelled
        for inner in fnmatch.filter(found.entries, pattern):
            del found.entries[inner]

    def lay_out(
        self,
        source: "Stage",
        name: str,
        path: str,
        slash: bool,
        given: tuple[int, int] | None,
        keeps: bool,
        mode: int | None,
    ) -> None:
        found, _ = source.find(posixpath.join("/", name))
        if found is None:
            raise Failed(f"{name} is not there")
        # The folder that is named is made first, or the one above a name without a slash.
        _, real = self.find(path if slash else posixpath.dirname(path))
        self.make(real, given, mode)
        there, real = self.find(path)
        if found.kind != "d":
            if there is not None and there.kind == "d":
                real = posixpath.join(real, posixpath.basename(name))
            self.make(posixpath.dirname(real), given, mode)
        elif there is None:
            self.make(real, given, mode)
        wanted = copy.deepcopy(found)
        if given is not None or not keeps:
            todo = [wanted]
            while todo:
                one = todo.pop()
                one.uid, one.gid = given or (0, 0)
                todo += one.entries.values()
        self.put(wanted, real, mode, True)

    def put(self, node: Node, path: str, mode: int | None, top: bool) -> None:
        """As `model.Image.lay`, with the owners that the tree has."""
        for inner, entry in _leaves(node):
            place = posixpath.join(path, inner) if inner else path
            self.lay(entry, place, (entry.uid, entry.gid), mode, top and not inner)


def _leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Each node of a tree without what lies below it, from the top."""
    alone = Node(node.kind, node.mode, node.uid, node.gid, node.data)
    yield path, alone
    for name, entry in node.entries.items():
        yield from _leaves(entry, posixpath.join(path, name))


def final(text: str) -> Listing | None:
    """The files of the last stage, None where the build fails. Raises NotModelled."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    number = 0
    try:
        for keyword, flags, words, body in _instructions(text):
            if keyword == "FROM":
                base = words[0]
                root = folder() if base == "scratch" else debian() if base.startswith("debian") else stages[base].root
                variables = stages[base].variables if base in stages else None
                stage = Stage(copy.deepcopy(root), dict(stages))
                if variables is not None:
                    stage.variables, stage.workdir = copy.deepcopy(variables), stages[base].workdir
                stages[str(number)] = stage
                number += 1
                if len(words) == 3:
                    stages[words[2]] = stage
                continue
            assert stage is not None, "all but FROM stands in a stage"
            if keyword in ("COPY", "ADD"):
                words = [stage.variables.expand(word) for word in words]
                sources = [] if body is not None else words[:-1]
                stage.bring(flags, sources, words[-1], None if body is None else stage.variables.expand(body))
            elif keyword == "RUN":
                stage.make(stage.find(stage.workdir)[1], None)
                for command in " ".join(words).split(" && "):
                    _command(stage, shlex.split(command))
            elif keyword in ("ENV", "ARG"):
                key, _, value = words[0].partition("=")
                stage.do((keyword, key, value))
            elif keyword == "LABEL":
                continue
            else:
                stage.do((keyword, words[0]))
    except Failed:
        return None
    assert stage is not None, "a file has a stage"
    return stage.listing()


def _command(stage: Stage, words: list[str]) -> None:
    program = words[0]
    if program in ("useradd", "groupadd", "date"):
        return
    if program == "ls":
        below = sorted(path for path in stage.listing() if path.startswith(f"{words[2]}/"))
        stage.write(words[4], "\n".join(below))
        return
    if program == "chmod":
        for path in words[2:]:
            stage.command(["chmod", words[1], path])
            node, _ = stage.find(path)
            if node is not None and len(words[1]) == 4:
                node.mode = int(words[1], 8)
        return
    stage.command(words)


_HEREDOC = re.compile(r"<<(\w+)")


def _instructions(text: str) -> Iterator[tuple[str, dict[str, str], list[str], str | None]]:
    """Keyword, flags, words and a heredoc's text, in the few forms that the files have."""
    lines = iter(text.replace("\\\n", " ").replace("${ID}", "$ID").splitlines())
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        keyword, *rest = line.split()
        flags = {}
        while rest and rest[0].startswith("--"):
            name, _, value = rest.pop(0)[2:].partition("=")
            flags[name] = value
        written = line[line.index(rest[0], len(keyword) + sum(len(name) for name in flags)) :]
        words = json.loads(written) if written.startswith("[") else rest
        body = None
        found = _HEREDOC.match(rest[0]) if keyword in ("COPY", "ADD") else None
        if found is not None:
            body = ""
            while (line := next(lines)) != found[1]:
                body += line + "\n"
        yield keyword, flags, [written] if keyword == "RUN" else words, body
