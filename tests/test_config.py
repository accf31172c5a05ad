"""The configuration: found nearest above, read exactly, refused with its place and the cure."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import stand_in_rules

from dfopt import config, plan
from dfopt.rule import Rule

stand_ins = stand_in_rules.stand_ins

ALL = """\
select = ["DF1", "bad-word"]
extend-select = ["DF29"]
ignore = ["DF192"]
fail-level = "warning"
cache = "mount"
assembly = "off"
engine = "legacy"
build-contexts = ["base"]
exclude = ["vendor/"]
context = "services"
runtime = "scratch"

[per-file-ignores]
"legacy/**" = ["DF191"]

[severity]
DF291 = "info"
two-blanks = "error"

[answers]
files = "none"

[answers."api/Dockerfile"]
files = ["templates", "/etc/api.yaml"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dfopt.toml").write_text("")  # nothing above counts
    return tmp_path


def failure(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(config.ConfigError) as caught:
        config.load(str(path))
    return str(caught.value)


def codes(rules: Iterable[Rule]) -> list[str]:
    return [rule.info.code for rule in rules]


def test_every_key(here: Path) -> None:
    (here / "dfopt.toml").write_text(ALL)
    read = config.load("dfopt.toml")
    assert read[2:] == (
        ("DF1", "bad-word"), ("DF29",), ("DF192",), (("legacy/**", ("DF191",)),),
        (("DF291", "info"), ("two-blanks", "error")), "warning", "mount", "off", "legacy", ("base",), ("vendor/",), "services", "scratch",
        (("", (("files", ("none",)),)), ("api/Dockerfile", (("files", ("templates", "/etc/api.yaml")),))),
    )  # fmt: skip
    assert {key.replace("-", "_") for key in config.KEYS} == set(config.Config._fields) - {"path", "folder"}
    table = ALL.replace("[", "[tool.dfopt.", 10).replace("= [tool.dfopt.", "= [")
    (here / "pyproject.toml").write_text("[tool.dfopt]\n" + table)
    assert config.load("pyproject.toml")[2:] == read[2:]


def test_nearest_above_wins(here: Path) -> None:
    (here / "a" / "b" / "c").mkdir(parents=True)
    look = config.finder()
    (here / "dfopt.toml").write_text('ignore = ["top"]')
    (here / "a" / "pyproject.toml").write_text('[tool.dfopt]\nignore = ["project"]')
    (here / "a" / "b" / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["dfopt>=0.1"]\n')
    assert look("a/b/c").ignore == look("a").ignore == ("project",)
    assert look("").ignore == ("top",)
    (here / "a" / "dfopt.toml").write_text('ignore = ["both"]')
    assert config.finder()("a/b").ignore == ("both",), "of two in one folder dfopt.toml"
    assert look("a/b").ignore == ("project",), "a folder is looked into once"


@pytest.mark.parametrize(
    "text",
    ["[tool.dfopt]\ncache='mount'", "[ tool . dfopt ]\ncache='mount'",
     '[tool."dfopt"]\ncache="mount"', "[tool]\ndfopt.cache='mount'",
     "tool.dfopt.cache='mount'", "[tool]\ndfopt = { cache = 'mount' }", "tool = { 'dfopt' = { cache = 'mount' } }"],
)  # fmt: skip
def test_however_the_table_is_spelled(here: Path, text: str) -> None:
    (here / "a").mkdir()
    (here / "a" / "pyproject.toml").write_text(text)
    assert config.finder()("a").cache == "mount"


def test_no_configuration_imports_nothing(here: Path) -> None:
    (here / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["dfopt==1"]\n')
    script = (
        "import sys; from dfopt import config; config.finder()('.'); config.finder()('/');"
        "print({'tomllib', 'difflib', 'pathlib'} & set(sys.modules))"
    )
    (here / "dfopt.toml").unlink()
    environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nignroe = []", "dfopt.toml:2: unknown key `ignroe` -> did you mean `ignore`?"),
        ("zzz = 1", "dfopt.toml:1: unknown key `zzz` -> the keys are `select`, `extend-select`, "),
        ("unsafe-fixes = true", "dfopt.toml:1: unknown key `unsafe-fixes`"),
        ('ignore = "DF1"', "dfopt.toml:1: `ignore` must be a list of strings, not a string"),
        ("# x\n\nselect = [\n1]", "dfopt.toml:3: `select` must be a list of strings, not of a number"),
        (
            'cache = "mnt"',
            "dfopt.toml:1: `cache` must be one of `auto`, `mount`, `clean`, not `mnt` -> did you mean `mount`?",
        ),
        (
            "fail-level = true",
            "dfopt.toml:1: `fail-level` must be one of `error`, `warning`, `info`, not true or false",
        ),
        ("cache = 'auto'\n[severity]\nDF1 = 'error'\nDF2 = 'warn'", "dfopt.toml:4: `severity.DF2` must be one of "),
        ("severity = 3", "dfopt.toml:1: `severity` must be a table from rules to severities, not a number"),
        (
            "[per-file-ignores]\n'a/b' = 'DF1'",
            "dfopt.toml:2: `per-file-ignores.a/b` must be a list of strings, not a string",
        ),
        ("cache = 'auto'\ncache = 'auto'", "dfopt.toml:2: not TOML: cannot overwrite a value"),
        ("cache = ", "dfopt.toml:1: not TOML: invalid value"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(here: Path, text: str, message: str) -> None:
    assert failure(here / "dfopt.toml", text).startswith(message)


def test_pyproject_errors(here: Path) -> None:
    path = here / "pyproject.toml"
    assert failure(path, "[project]\nname='x'") == "pyproject.toml: holds no table `[tool.dfopt]`"
    assert failure(path, "[tool.x]\ncache='a'\n[tool.dfopt]\ncache='a'").startswith("pyproject.toml:4: `cache`")
    assert failure(path, "[tool]\ndfopt = 3") == "pyproject.toml:2: `tool.dfopt` must be a table"
    path.write_bytes(b"[tool.dfopt]\n# \xff\n")
    with pytest.raises(config.ConfigError, match=r"pyproject\.toml:2: not UTF-8"):
        config.load(str(path))
    with pytest.raises(config.ConfigError, match=r"none\.toml: no such file"):
        config.load("none.toml")


def test_a_broken_file_is_an_error_for_every_folder_below(here: Path) -> None:
    (here / "a").mkdir()
    (here / "dfopt.toml").write_text("x")
    look = config.finder()
    for folder in ("a", ".", "a"):
        with pytest.raises(config.ConfigError, match=r"dfopt\.toml:1: not TOML"):
            look(folder)


def test_the_plan(here: Path, stand_ins: None) -> None:
    (here / "dfopt.toml").write_text(ALL)
    settings = config.load("dfopt.toml")
    made = plan.planner(plan.Wishes())(settings, "Dockerfile")
    # DF192 is named by `ignore`, which beats the prefix that selects it.
    assert codes(made.rules) == ["DF191", "DF291", "DF292", "DF293", "DF294"]
    assert made.severities == {"DF291": "info", "DF191": "error"}
    assert (made.given.cache, made.given.assembly, made.given.contexts, made.fail_level) == (
        "mount",
        "off",
        ("base",),
        "warning",
    )
    assert made.given.engine == "legacy"
    assert plan.planner(plan.Wishes())(config.NONE, "Dockerfile").given.engine == "buildkit"
    wishes = plan.Wishes(
        cache="clean", assembly="auto", contexts=("more=./more", "base=x"), fail_level="error", ignore=("DF29",)
    )
    made = plan.planner(wishes)(settings, "Dockerfile")
    assert (made.given.cache, made.given.assembly, made.fail_level) == ("clean", "auto", "error")
    assert made.given.contexts == ("base", "more")
    assert codes(made.rules) == ["DF191", "DF291"], "`bad-word` is selected by name, the rest of DF29 by prefix"


def test_a_selection_by_the_caller_stands_for_itself(here: Path, stand_ins: None) -> None:
    settings = config.Config(path="x", folder=str(here), ignore=("DF191",), extend_select=("DF294",))
    assert codes(plan.planner(plan.Wishes(select=("DF19",)))(settings, "D").rules) == ["DF191", "DF192"]
    assert codes(plan.planner(plan.Wishes())(settings, "D").rules) == ["DF192", "DF291", "DF294"]
    assert codes(plan.planner(plan.Wishes(extend_select=("DF292",)))(settings, "D").rules) == [
        "DF192",
        "DF291",
        "DF292",
        "DF294",
    ]


def test_per_file_ignores_beat_every_selection(here: Path, stand_ins: None) -> None:
    settings = config.Config(
        path="x",
        folder=str(here),
        select=("DF191", "DF291"),
        per_file_ignores=(("legacy/", ("DF1",)), ("*.dev", ("ALL",))),
    )
    make = plan.planner(plan.Wishes())
    assert codes(make(settings, "Dockerfile").rules) == ["DF191", "DF291"]
    assert codes(make(settings, "a/legacy/Dockerfile").rules) == ["DF291"]
    assert codes(make(settings, str(here / "legacy" / "Dockerfile.dev")).rules) == []
    assert codes(make(settings, "/elsewhere/legacy/Dockerfile").rules) == ["DF191", "DF291"]


def test_severity_off_is_off(here: Path, stand_ins: None) -> None:
    settings = config.Config(path="x", folder=str(here), severity=(("DF191", "info"), ("DF1", "off")))
    made = plan.planner(plan.Wishes())(settings, "D")
    assert codes(made.rules) == ["DF191", "DF291"]
    assert made.severities["DF191"] == "info", "the longer entry wins"


@pytest.mark.parametrize(
    "text", ['select = ["DF7777"]', '[severity]\nnope = "off"', '[per-file-ignores]\nx = ["nope"]']
)
def test_unknown_rules_in_the_file_name_it(here: Path, stand_ins: None, text: str) -> None:
    (here / "dfopt.toml").write_text(text)
    with pytest.raises(config.ConfigError, match=rf"^dfopt.toml:{len(text.splitlines())}: .*`(DF7777|nope)`"):
        plan.planner(plan.Wishes())(config.load("dfopt.toml"), "Dockerfile")


def test_the_documentation_names_every_key_and_its_example_is_right(here: Path) -> None:
    import re
    import tomllib

    page = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = page[page.index("| key | value | meaning |") :].partition("\n\n")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(config.KEYS)
    example = page[page.index("```toml\n") + 8 :].partition("```")[0]
    assert set(tomllib.loads(example)) <= set(config.KEYS)
    (here / "dfopt.toml").write_text(example)
    settings = config.load("dfopt.toml")
    made = plan.planner(plan.Wishes())(settings, "Dockerfile")
    assert made.fail_level == "warning"
    assert "DF901" not in codes(made.rules)
    assert settings.per_file_ignores == (("legacy/", ("DF1",)), ("*.dev.dockerfile", ("ALL",)))


def test_answers_for_a_file_win(here: Path) -> None:
    (here / "dfopt.toml").write_text(
        'answers.files = "none"\nanswers.run-wire = "build"\n[answers."api/"]\nfiles = "all"\n[answers."api/Dockerfile"]\nfiles = ["a", "b"]\n'
    )
    settings = config.load("dfopt.toml")
    assert plan.answers_of(settings, "api/Dockerfile") == (("files", ("a", "b")), ("run-wire", ("build",)))
    assert plan.answers_of(settings, "api/other.Dockerfile") == (("files", ("all",)), ("run-wire", ("build",)))
    assert (
        plan.answers_of(settings, "Dockerfile")
        == plan.answers_of(settings, None)
        == (("files", ("none",)), ("run-wire", ("build",)))
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answers = 3", "`answers` must be a table from questions to answers, not a number"),
        ("[answers]\nfiles = 3", "`answers.files` must be a string or a list of strings, not a number"),
        ("[answers.x]\nfiles = []", "`answers.files` must be a string or a list of strings, not empty"),
        ("[answers]\nfiles = [1]", "`answers.files` must be a list of strings, not of a number"),
        ('runtime = "slimm"', "did you mean `slim`?"),
    ],
)
def test_bad_answers(here: Path, text: str, message: str) -> None:
    assert message in failure(here / "dfopt.toml", text)


def test_a_context_that_is_not_there(here: Path) -> None:
    settings = config.Config(path=str(here / "dfopt.toml"), folder=str(here), context="gone")
    (here / "dfopt.toml").write_text('cache = "auto"\ncontext = "gone"\n')
    with pytest.raises(config.ConfigError, match=r"dfopt\.toml:2: `context`: `gone` is no folder"):
        plan.placed(plan.planner(plan.Wishes())(settings, "Dockerfile"), settings, plan.Wishes(), "Dockerfile", {})
    (here / "gone").mkdir()
    plan.placed(plan.planner(plan.Wishes())(settings, "Dockerfile"), settings, plan.Wishes(), "Dockerfile", {})


def test_a_byte_order_mark(here: Path) -> None:
    (here / "dfopt.toml").write_bytes(b"\xef\xbb\xbfselect = []\n")
    assert config.load("dfopt.toml").select == ()
