"""What shfmt (mvdan/sh, through shfmt-py) and the shells themselves say about a text, in the form of our own reading.

A reading is a list of simple commands in order of place (kinds, words, assignments, redirections: all as spans) and a
list of pipelines with what joins them.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, NamedTuple

from dfopt.shell import Compound, Script, Word, simple_commands

_beside = os.path.join(os.path.dirname(sys.executable), "shfmt")
SHFMT = _beside if os.path.exists(_beside) else shutil.which("shfmt")

Span = tuple[int, int]


class Command(NamedTuple):
    """A simple command as both sides can tell it; spans are offsets of characters."""

    kinds: tuple[str, ...]
    words: tuple[Span, ...]
    assignments: tuple[Span, ...]
    redirections: tuple[tuple[str, int, Span], ...]


class Joint(NamedTuple):
    """A pipeline: where its commands start, what joins it to the one before, what joins them."""

    starts: tuple[int, ...]
    operator: str
    operators: tuple[str, ...]
    negated: bool
    timed: bool


def ours(script: Script) -> list[Command]:
    return sorted(
        (
            Command(
                kinds,
                tuple((word.start, word.end) for word in command.words),
                tuple((each.start, each.end) for each in command.assignments),
                tuple(
                    (each.operator, each.start, (each.target.start, each.target.end)) for each in command.redirections
                ),
            )
            for command, kinds in simple_commands(script)
        ),
        key=_place,
    )


def _place(command: Command) -> int:
    spans = [*command.words, *command.assignments]
    return min([span[0] for span in spans] + [start for _, start, _ in command.redirections])


def shfmt(text: str, language: str) -> dict[str, Any] | None:
    """The syntax tree of `text`, or None where shfmt refuses it."""
    assert SHFMT
    done = subprocess.run(
        [SHFMT, "--to-json", "-ln", language],
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
        timeout=60,
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def shfmt_all(texts: Iterable[str], language: str) -> dict[str, dict[str, Any] | None]:
    listed = list(texts)
    with ThreadPoolExecutor(2) as threads:
        return dict(zip(listed, threads.map(lambda text: shfmt(text, language), listed)))


def accepts(shell: str, text: str) -> bool:
    """Whether `bash -n` or `dash -n` finds nothing wrong (a missing heredoc terminator is only a warning)."""
    return (
        subprocess.run([shell, "-n"], input=text.encode("utf-8", "surrogateescape"), capture_output=True).returncode
        == 0
    )


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Command] = []
        self.index = None
        if not text.isascii():
            # shfmt counts bytes
            self.index = {}
            place = 0
            for number, character in enumerate(text):
                self.index[place] = number
                place += len(character.encode("utf-8", "surrogateescape"))
            self.index[place] = len(text)

    def at(self, position: dict[str, int]) -> int:
        offset = position["Offset"]
        return offset if self.index is None else self.index[offset]

    def span(self, node: dict[str, Any]) -> Span:
        start, end = self.at(node["Pos"]), self.at(node["End"])
        while self.text[start:end].endswith("\\\n"):
            end -= 2  # shfmt counts a line continuation to the word before it
        while end > start + 1 and self.text[end : end + 1] == "`" and self.text[end - 1] == "\\":
            end -= 1  # and the escape of a nested backquote to the word before it
        while start and self.text[start - 1] == "\\" and self.text[start] != "\n":
            start -= 1  # nor an escape inside backquotes to the word that it begins
        return start, end

    def statements(self, nodes: list[dict[str, Any]] | None, kinds: tuple[str, ...]) -> None:
        for node in nodes or ():
            self.statement(node, kinds)

    def statement(self, node: dict[str, Any], kinds: tuple[str, ...]) -> None:
        command = node.get("Cmd")
        redirections = node.get("Redirs") or []
        for each in redirections:
            self.inside(each.get("Word"), kinds)
            self.inside(each.get("Hdoc"), kinds)
        simple = command is None or command["Type"] in ("CallExpr", "DeclClause", "LetClause")
        if simple:
            words: list[Span] = []
            assignments: list[Span] = []
            if command is not None and command["Type"] == "CallExpr":
                words = [self.span(word) for word in command.get("Args") or []]
                assignments = [self.span(each) for each in command.get("Assigns") or []]
            elif command is not None and command["Type"] == "DeclClause":
                words = [self.span(command["Variant"]), *(self.span(each) for each in command.get("Args") or [])]
            elif command is not None:
                start = self.at(command["Let"])
                words = [(start, start + 3), *(self.span(each) for each in command["Exprs"])]
            self.inside(command, kinds)
            targets = []
            for each in redirections:
                # shfmt's End of a heredoc is its body's
                targets.append((each["Op"], self.at(each["Pos"]), self.span(each["Word"])))
            self.found.append(Command(kinds, tuple(words), tuple(assignments), tuple(targets)))
        elif command is not None:
            self.command(command, kinds)

    def command(self, node: dict[str, Any], kinds: tuple[str, ...]) -> None:
        match node["Type"]:
            case "BinaryCmd":
                self.statement(node["X"], kinds)
                self.statement(node["Y"], kinds)
            case "Block":
                self.statements(node["Stmts"], (*kinds, "group"))
            case "Subshell":
                self.statements(node["Stmts"], (*kinds, "subshell"))
            case "IfClause":
                self.branch(node, (*kinds, "if"))
            case "WhileClause":
                inside = (*kinds, "until" if node.get("Until") else "while")
                self.statements(node["Cond"], inside)
                self.statements(node["Do"], inside)
            case "ForClause":
                inside = (*kinds, "select" if node.get("Select") else "for")
                self.inside(node["Loop"], inside)
                self.statements(node["Do"], inside)
            case "CaseClause":
                inside = (*kinds, "case")
                self.inside(node["Word"], inside)
                for item in node.get("Items") or []:
                    self.inside(item["Patterns"], inside)
                    self.statements(item.get("Stmts"), inside)
            case "FuncDecl":
                self.statement(node["Body"], (*kinds, "function"))
            case "TimeClause":
                if node.get("Stmt"):
                    self.statement(node["Stmt"], kinds)
            case "TestClause":
                self.inside(node["X"], (*kinds, "test"))
            case "ArithmCmd":
                self.inside(node["X"], (*kinds, "arithmetic"))
            case other:
                raise AssertionError(f"shfmt's {other} is not expected")

    def branch(self, node: dict[str, Any], kinds: tuple[str, ...]) -> None:
        self.statements(node.get("Cond"), kinds)
        self.statements(node.get("Then"), kinds)
        if node.get("Else"):
            self.branch(node["Else"], kinds)

    def inside(self, node: Any, kinds: tuple[str, ...]) -> None:
        """The substitutions below a node that is no statement."""
        if isinstance(node, list):
            for each in node:
                self.inside(each, kinds)
        elif isinstance(node, dict):
            if node.get("Type") in ("CmdSubst", "ProcSubst"):
                self.statements(node.get("Stmts"), (*kinds, "substitution"))
            else:
                for each in node.values():
                    if isinstance(each, (dict, list)):
                        self.inside(each, kinds)


def theirs(tree: dict[str, Any], text: str) -> list[Command]:
    walk = _Walk(text)
    walk.statements(tree.get("Stmts"), ())
    return sorted(walk.found, key=_place)


def our_outline(script: Script) -> list[Joint]:
    """Every pipeline of a script and of those nested in it, in order of place."""
    found: list[Joint] = []
    todo = [script]
    while todo:
        current = todo.pop()
        background = ""
        for step in current.steps:
            operator = ";" if step.operator == "\n" else step.operator
            pipeline = step.pipeline
            starts = tuple(command.start for command in pipeline.commands)
            found.append(Joint(starts, operator, pipeline.operators, pipeline.negated, pipeline.timed))
            for command in pipeline.commands:
                words: list[Word | None] = list(command.words)
                if isinstance(command, Compound):
                    todo += command.bodies
                else:
                    words += [each.value for each in command.assignments]
                for redirection in command.redirections:
                    words += (redirection.target, redirection.body)
                for word in words:
                    if word is not None:
                        todo += word.substitutions
        if current.terminator == "&":
            background = "&"
        if current.steps and background:
            found.append(Joint((current.steps[-1].pipeline.commands[0].start,), "background", (), False, False))
    return sorted(found)


def their_outline(tree: dict[str, Any], text: str) -> list[Joint]:
    walk = _Walk(text)
    found: list[Joint] = []

    def first(node: dict[str, Any]) -> int:
        command = node.get("Cmd")
        if command is not None and command["Type"] in ("BinaryCmd", "TimeClause"):
            return first(command["X"] if command["Type"] == "BinaryCmd" else command["Stmt"])
        places = [walk.span(command)[0]] if command is not None else []
        return min(places + [walk.at(each["Pos"]) for each in node.get("Redirs") or []])

    def chain(node: dict[str, Any], operator: str) -> None:
        """A list joined by && and ||."""
        command = node.get("Cmd")
        if command is not None and command["Type"] == "BinaryCmd" and command["Op"] in ("&&", "||"):
            chain(command["X"], operator)
            chain(command["Y"], command["Op"])
            return
        negated, timed = bool(node.get("Negated")), False
        if command is not None and command["Type"] == "TimeClause":
            node, timed = command["Stmt"], True
            negated = negated or bool(node.get("Negated"))
        starts: list[int] = []
        operators: list[str] = []
        pipe(node, starts, operators)
        found.append(Joint(tuple(starts), operator, tuple(operators), negated, timed))

    def pipe(node: dict[str, Any], starts: list[int], operators: list[str]) -> None:
        command = node.get("Cmd")
        if command is not None and command["Type"] == "BinaryCmd" and command["Op"] in ("|", "|&"):
            pipe(command["X"], starts, operators)
            operators.append(command["Op"])
            pipe(command["Y"], starts, operators)
            return
        starts.append(first(node))
        below(command)
        below(node.get("Redirs"))

    def statements(nodes: list[dict[str, Any]]) -> None:
        operator = ""
        for node in nodes:
            chain(node, operator)
            operator = "&" if node.get("Background") else ";"
        if nodes and operator == "&":
            last = nodes[-1]
            while last["Cmd"]["Type"] == "BinaryCmd" and last["Cmd"]["Op"] in ("&&", "||"):
                last = last["Cmd"]["Y"]
            found.append(Joint((first(last),), "background", (), False, False))

    def below(node: Any) -> None:
        if isinstance(node, list):
            for each in node:
                below(each)
        elif isinstance(node, dict):
            for key, each in node.items():
                if key in ("Stmts", "Cond", "Then", "Do") and isinstance(each, list):
                    statements(each)
                elif key == "Body" and node.get("Type") == "FuncDecl":
                    statements([each])
                elif isinstance(each, (dict, list)):
                    below(each)

    statements(tree.get("Stmts") or [])
    return sorted(found)


def plain_tests(commands: list[Command], text: str) -> list[Command]:
    """The commands without `[[ ... ]]`, which is a simple command for us and a nesting for shfmt where it reads bash."""
    return [
        each._replace(kinds=tuple(kind for kind in each.kinds if kind != "test"))
        for each in commands
        if not (each.words and text[slice(*each.words[0])] == "[[")
    ]
