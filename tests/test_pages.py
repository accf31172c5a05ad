"""Every page of `rules/` keeps its word: its examples are run, byte for byte, and its head says what they show."""

import pathlib
import re

import pytest
from buildkit_oracle import oracle_or_skip
from pages import FOLDER, Example, examples, infos, read, text_of

import dfopt
from dfopt import catalogue, engine
from dfopt.rule import SEVERITIES, Given, Info, Rule
from dfopt.source import Source
from dfopt.syntax import parse

ENGINE_CODES = (engine.SYNTAX_ERROR[0], engine.UNUSED_IGNORE[0])
MODULES = pathlib.Path(dfopt.__file__).parent / "rules"
ALSO = re.compile(r"DL\d{4}|SC\d{4}|[A-Z][a-z]+(?:[A-Z][a-z]*)+")  # hadolint's, ShellCheck's, BuildKit's


def rules_for(example: Example) -> tuple[Rule, ...]:
    """The one rule that the page is of; for the engine's own all, since they speak of the others."""
    return catalogue.rules() if example.code in ENGINE_CODES else catalogue.rules([example.code])


def fixed(example: Example, text: str, unsafe: bool) -> engine.Fixed:
    result = engine.fix(Source(text, f"<{example}>"), rules_for(example), example.given, unsafe=unsafe)
    assert result.faults == (), result.faults[0].message
    return result


def findings(example: Example) -> list[str]:
    report = engine.check(Source(example.text, f"<{example}>"), rules_for(example), example.given)
    return [f"{one.span}: {one.message}" for one in report.diagnostics if one.code == example.code]


@pytest.mark.parametrize("example", examples(), ids=str)
def test_example(example: Example) -> None:
    found = findings(example)
    if example.kind == "ok":
        assert found == []
        return
    assert found, "the rule finds nothing here"
    if example.findings is not None:
        assert len(found) == example.findings, found
    result = fixed(example, example.text, example.unsafe)
    if example.kind == "report":
        assert result.source.text == example.text
        return
    assert result.source.text == example.after
    assert result.applied
    assert example.after != example.text, "before and after are the same"
    if example.unsafe:
        assert fixed(example, example.text, False).source.text == example.text, "changed without `--unsafe`"
    again = fixed(example, example.after, example.unsafe)
    assert again.source.text == example.after, "not at rest"
    assert again.applied == ()


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("example", examples(), ids=str)
def test_all_rules_together(example: Example, unsafe: bool) -> None:
    """No rule breaks what another one shows."""
    rules = catalogue.rules(["ALL"])
    for text in filter(None, (example.text, example.after)):
        first = engine.fix(Source(text), rules, example.given, unsafe=unsafe)
        assert first.faults == (), first.faults[0].message
        if parse(Source(text)).fatal:
            assert first.source.text == text
            continue
        assert not parse(first.source).fatal
        again = engine.fix(first.source, rules, example.given, unsafe=unsafe)
        assert again.faults == ()
        assert again.source.text == first.source.text, "not at rest"


def test_buildkit_accepts_what_is_shown() -> None:
    """By BuildKit's own parser, before and after; and what dfopt reports as refused, BuildKit refuses."""
    oracle = oracle_or_skip()
    for example in examples():
        for unsafe in (False, True):
            source = Source(example.text)
            before = oracle.parse(source.to_bytes())
            assert before.refused == bool(parse(source).fatal), f"{example}: {before.error or before.instruction_error}"
            result = engine.fix(source, catalogue.rules(["ALL"]), example.given, unsafe=unsafe).source
            after = oracle.parse(result.to_bytes())
            assert after.refused == before.refused, (
                f"{example}: {after.error or after.instruction_error}\n{result.text}"
            )


@pytest.mark.parametrize("info", infos(), ids=lambda info: info.name)
def test_head(info: Info) -> None:
    assert re.fullmatch(r"DF[1-9]\d\d", info.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", info.name)
    assert info.severity in SEVERITIES
    assert re.fullmatch(r"\d+\.\d+\.\d+", info.since)
    assert all(ALSO.fullmatch(code) for code in info.also), info.also
    assert all(trigger == trigger.lower() for trigger in info.triggers), "texts are looked for in the lower-cased file"
    assert not info.summary.endswith(".")
    assert "default: on" in text_of(info) or "default: off" in text_of(info)


@pytest.mark.parametrize("info", infos(), ids=lambda info: info.name)
def test_page(info: Info) -> None:
    """The page has its parts, shows both sides, and `fix:` says what its examples show."""
    text = text_of(info)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    wanted = ["Why", "Examples"] if info.fixable == "none" else ["Why", "When the fix is safe", "Examples"]
    assert [heading for heading in headings if heading in wanted] == wanted, headings
    own = [example for example in examples() if example.code == info.code]
    kinds = {example.kind for example in own}
    assert "ok" in kinds
    assert "report" in kinds if info.fixable == "none" else "before" in kinds
    shown = {
        "safe" if applied.safe else "unsafe"
        for example in own
        if example.kind == "before"
        for applied in fixed(example, example.text, example.unsafe).applied
    }
    assert info.fixable == (", ".join(sorted(shown)) or "none")


def test_codes_and_names_are_unique() -> None:
    for field in ("code", "name"):
        values = [getattr(info, field) for info in infos()]
        assert len(values) == len(set(values)), values


def test_each_module_has_a_page_and_each_page_a_module() -> None:
    modules = {path.stem.replace("_", "-") for path in MODULES.glob("*.py") if path.stem != "__init__"}
    pages = {info.name for info in infos() if info.code not in ENGINE_CODES}
    assert modules == pages
    assert {info.code for info in infos()} >= set(ENGINE_CODES)


def test_nothing_else_lies_in_the_folder() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{info.name}.md" for info in infos()}


HEAD = Info("DF999", "some-rule", "warning", True, "0.1.0", (), (), "something", "none")


def test_examples_are_read() -> None:
    page = "".join(
        (
            "```sh\nnot an example\n```\n",
            "````dockerfile before unsafe cache=mount contexts=docs,tools findings=2\nFROM a\n```\n````\ntext\n",
            "```dockerfile after\nFROM b\n```\n```dockerfile ok\n```\n",
        )
    )
    before, ok = read(HEAD, page)
    assert before.text == "FROM a\n```\n"
    assert before.after == "FROM b\n"
    assert (before.unsafe, before.findings, before.line) == (True, 2, 4)
    assert before.given == Given(cache="mount", contexts=("docs", "tools"))
    assert (ok.kind, ok.text, ok.given) == ("ok", "", Given())


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```dockerfile\nFROM a\n```", "shows nothing"),
        ("```dockerfile befor\nFROM a\n```", "shows nothing"),
        ("```dockerfile before\nFROM a\n```", "without `after`"),
        ("```dockerfile after\nFROM a\n```", "followed by"),
        ("```dockerfile before\nFROM a\n```\n```dockerfile ok\nFROM a\n```", "followed by"),
        ("```dockerfile before\nFROM a\n```\n```dockerfile after unsafe\nFROM a\n```", "options stand at `before`"),
        ("```dockerfile ok cache\nFROM a\n```", "unknown option `cache`"),
        ("```dockerfile ok\nFROM a\n", "never closed"),
    ],
)
def test_a_faulty_page_is_refused(page: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(read(HEAD, page))
