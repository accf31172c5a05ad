"""The parser beside BuildKit's own reading of the corpus, and beside dockerfile-parse's."""

import gzip
import io
import json
import warnings
from typing import Any

import pytest
from real_files import CORPUS, WHY
from sexpr import buildkit_node, dump, full_node

from dfopt.source import Source
from dfopt.syntax import Directive, Syntax, parse

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=WHY)


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    """What BuildKit says, a dictionary for each file."""
    with gzip.open(CORPUS / "buildkit_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    assert len(records) > 1000, "an empty truth file would prove nothing"
    return records


@pytest.fixture(scope="module")
def trees(truth: list[dict[str, Any]]) -> dict[str, Syntax]:
    """Our reading of every file of the corpus, by path."""
    return {record["path"]: parse(Source.from_bytes((CORPUS / record["path"]).read_bytes())) for record in truth}


def test_every_byte_comes_back(truth: list[dict[str, Any]], trees: dict[str, Syntax]) -> None:
    for record in truth:
        tree = trees[record["path"]]
        assert tree.source.to_bytes() == (CORPUS / record["path"]).read_bytes()
        text = tree.source.text
        assert "".join(text[node.span.start : node.span.end] for node in tree.nodes) == text, record["path"]


def test_s_expressions_equal_buildkit(truth: list[dict[str, Any]], trees: dict[str, Syntax]) -> None:
    different = [record["path"] for record in truth if dump(trees[record["path"]]) != record["sexp"]]
    assert different == []


def test_nodes_equal_buildkit(truth: list[dict[str, Any]], trees: dict[str, Syntax]) -> None:
    """Keyword, first and last line, flags, arguments, JSON form, heredocs, comments before it, joined text."""
    for record in truth:
        tree = trees[record["path"]]
        assert len(tree.instructions) == len(record["nodes"]), record["path"]
        for instruction, node in zip(tree.instructions, record["nodes"], strict=True):
            assert buildkit_node(tree, instruction) == full_node(node), (record["path"], node["start"])


def test_accepted_and_refused_as_buildkit_says(truth: list[dict[str, Any]], trees: dict[str, Syntax]) -> None:
    refused = set()
    with (CORPUS / "index.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["buildkit"]["parse_error"] or record["buildkit"]["instr_error"]:
                refused.add(record["file"])
    assert refused, "the corpus holds a refused file"
    assert {path for path, tree in trees.items() if tree.fatal} == refused
    for record in truth:
        if record.get("instr_error"):
            lines_of_problems = {
                trees[record["path"]].source.line_of(problem.span.start)
                for problem in trees[record["path"]].problems
                if problem.fatal
            }
            assert lines_of_problems & set(record["instr_error_lines"])


def test_escape_and_empty_continuations_equal_buildkit(truth: list[dict[str, Any]], trees: dict[str, Syntax]) -> None:
    for record in truth:
        tree = trees[record["path"]]
        assert tree.escape == record["escape"]
        warned = [warning["end"] for warning in record["lint"] or [] if warning["rule"] == "NoEmptyContinuation"]
        ours = []
        for problem in tree.problems:
            if not problem.fatal:
                inside = [node for node in tree.instructions if node.span.start <= problem.span.start < node.span.end]
                ours += [node.end_line for node in inside]
        # BuildKit checks no file that it refuses.
        assert ours == warned or record.get("instr_error"), record["path"]


def test_every_logical_character_stands_in_the_file(trees: dict[str, Syntax]) -> None:
    for path, tree in trees.items():
        text = tree.source.text
        for instruction in tree.instructions:
            for logical in (instruction.logical, instruction.body, *(heredoc.body for heredoc in instruction.heredocs)):
                length = 0
                for start, place, size in logical.segments:
                    assert start == length, path
                    assert logical.text[start : start + size] == text[place : place + size], path
                    length += size
                assert length == len(logical.text), path


# dockerfile-parse 2.0.1 reads other files than BuildKit does wherever one of these stands in the file.


def known_gap(tree: Syntax) -> str | None:
    """Why dockerfile-parse is known to read the file differently, by general class, or None."""
    text = tree.source.text
    if any(instruction.heredocs for instruction in tree.instructions):
        return "heredoc"
    if any(not problem.fatal for problem in tree.problems):
        return "empty line in a continuation"
    if text.startswith("\ufeff"):
        return "byte order mark"
    if any("\udc80" <= character <= "\udcff" for character in text):
        return "bad UTF-8"
    last = tree.instructions[-1]
    if last.end_line == len(tree.source.line_starts) - text.endswith("\n") and text.rstrip().endswith(tree.escape):
        return "trailing continuation at the end of the file"
    if any(line.rstrip().endswith(2 * tree.escape) for line in text.split("\n")):
        return "two escape characters at the end of a line"
    if any(
        not instruction._start or instruction._start >= len(instruction.logical.text)
        for instruction in tree.instructions
    ):
        return "instruction without an argument"
    return None


def test_structure_equals_dockerfile_parse(trees: dict[str, Syntax]) -> None:
    from dockerfile_parse import DockerfileParser

    gaps: dict[str, int] = {}
    compared = 0
    for path, tree in trees.items():
        gap = known_gap(tree)
        if gap is not None:
            gaps[gap] = gaps.get(gap, 0) + 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = DockerfileParser(fileobj=io.BytesIO(tree.source.to_bytes())).structure
        expected = [
            (node["instruction"], node["startline"] + 1, node["value"])
            for node in theirs
            if node["instruction"] != "COMMENT"
        ]
        ours = []
        for instruction in tree.instructions:
            text = instruction.logical.text
            ours.append((instruction.name, instruction.start_line, text[len(instruction.keyword) :].strip()))
        assert ours == expected, path
        compared += 1
    assert compared > 1000, gaps
    directives = sum(isinstance(node, Directive) for tree in trees.values() for node in tree.nodes)
    assert directives > 0
