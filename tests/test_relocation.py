"""Large components out of the image: the plan, its ways, and that the rewriting is held to what it declares."""

import itertools
import json
import pathlib

import pytest
from pages import project

from dfopt import catalogue, engine, normal, relocation
from dfopt.build import Build
from dfopt.cli import main
from dfopt.rule import AddsFlag, Changes, Effect, Given, Place, Relocates
from dfopt.source import Source
from dfopt.syntax import parse

FILE = """\
FROM python:3.12
WORKDIR /app
COPY models ./models
COPY . .
RUN curl -fsSL -o /opt/nets/yolov8.pt https://example.org/yolov8.pt
RUN hf download org/model --local-dir /app/hub
CMD ["python", "app/main.py"]
"""


def given(answer: str = "", context: bool = True, contexts: tuple[str, ...] = ()) -> Given:
    root = project("weights")
    place = Place(str(root / "Dockerfile"), str(root)) if context else None
    answers = (("components", (answer,)),) if answer else ()
    return Given(place=place, answers=answers, contexts=contexts)


def built(text: str) -> Build:
    return Build(parse(Source(text)))


def planned(text: str, what: Given) -> relocation.Relocation:
    build = built(text)
    assert build.final is not None
    found = relocation.plan(build, what, build.final)
    assert found is not None
    return found


def fixed(text: str, what: Given) -> str:
    result = engine.fix(Source(text), catalogue.rules(["DF114"]), what, unsafe=True)
    assert result.faults == ()
    return result.source.text


def test_the_plan_names_each_component_and_asks() -> None:
    plan = planned(FILE, given())
    parts = [(part.instruction, part.path, part.size, len(ways)) for part, ways in plan.parts]
    assert parts == [
        (2, "/app/models", 4_102_000_000, 3),
        (3, "/app", 5_372_000_000, 3),
        (4, "/opt/nets/yolov8.pt", 0, 3),
        (5, "/app/hub", 0, 3),
    ]
    assert plan.question is not None
    assert plan.question.id == "components"
    assert plan.question.choices == ("stage", "context", "volume")


def test_an_answer_leaves_one_way_and_no_question() -> None:
    plan = planned(FILE, given("volume"))
    assert plan.question is None
    assert {way.name for _, ways in plan.parts for way in ways} == {"volume"}
    assert all(way.fix is None and way.refusal for _, ways in plan.parts for way in ways)


def test_an_unknown_answer_is_asked_again() -> None:
    plan = planned(FILE, given("shelf"))
    assert plan.question is not None
    assert plan.question.words.startswith("`shelf` is no answer: ")
    assert fixed(FILE, given("shelf")) == FILE


def test_a_file_without_components_has_no_plan() -> None:
    build = built('FROM debian:bookworm-slim\nCMD ["true"]\n')
    assert build.final is not None
    assert relocation.plan(build, given(), build.final) is None


def test_a_stage_that_is_not_shipped_has_no_plan() -> None:
    build = built("FROM debian AS a\nCOPY models /models\nFROM scratch\nCOPY --from=a /models /models\n")
    assert relocation.plan(build, given(), build.stages[0]) is None


@pytest.mark.parametrize(("path", "told"), [("/app/nets/a.onnx", True), ("/srv/a.onnx", False)])
def test_a_file_that_may_be_there_before_may_get_another_mode(path: str, told: bool) -> None:
    text = f"FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN curl -o {path} https://example.org/a.onnx\n"
    fix = planned(text, given("stage", context=False)).parts[0][1][0].fix
    assert fix is not None
    assert (Changes((path,), 0) in fix.effects) is told


def test_a_base_that_may_be_any_stage_is_not_the_new_one() -> None:
    text = "ARG BASE=debian\nFROM $BASE\nUSER root\nCOPY weights /weights\n"
    after = "ARG BASE=debian\nFROM scratch AS models\nCOPY weights /weights\n\nFROM $BASE\nUSER root\nCOPY --from=models /weights /weights\n"
    assert fixed(text, given("stage", context=False)) == after


def test_nothing_is_written_without_an_answer() -> None:
    assert fixed(FILE, given()) == FILE


@pytest.mark.parametrize(
    ("folder", "hides"),
    [("/app", True), ("/opt", True), ("/srv/nets", False)],
)
def test_a_volume_does_not_hide_the_rest_of_a_folder(folder: str, hides: bool) -> None:
    text = f"FROM python:3.12\nWORKDIR /app\nRUN curl -o {folder}/a.onnx https://example.org/a.onnx\n"
    way = planned(text, given("volume")).parts[0][1][0]
    assert ("would hide the rest" in way.outside[-1]) is hides
    assert (f"-v models:{folder}" in way.outside[-1]) is not hides


def test_what_comes_along_with_the_source_is_told_file_by_file() -> None:
    way = planned("FROM python:3.12\nWORKDIR /app\nCOPY . .\n", given("volume")).parts[0][1][0]
    assert way.changes == ()
    assert "`models/llama.gguf`, `app/checkpoints/last.pt`" in way.outside[0]
    assert '`docker run -v "$PWD/models/llama.gguf:/app/models/llama.gguf:ro"`' in way.outside


def test_names_do_not_depend_on_the_order() -> None:
    """Whichever stage is made first, the end is the same."""
    text = 'FROM python:3.12\nCOPY models /a\nCOPY corpus /b\nCOPY b.gguf /c/\nRUN curl -o /d.onnx https://example.org/d.onnx\nCMD ["a"]\n'
    what = given("stage")
    rule = catalogue.rules(["DF114"])[0]
    ends = set()
    for order in itertools.permutations(range(4)):
        source = Source(text)
        for number in order:
            keyword = ("COPY models", "COPY corpus", "COPY b.gguf", "RUN curl")[number]
            build = Build(parse(source))
            fixes = {
                build.instructions[effect.step].text_span.start: one.fix
                for one in rule.check(build, what)
                if one.fix is not None
                for effect in one.fix.effects
                if isinstance(effect, Relocates)
            }
            fix = next(fix for start, fix in fixes.items() if source.text.startswith(keyword, start))
            source = Source(apply(source.text, fix.edits))
        assert engine.check(source, [rule], what).diagnostics == ()
        stages = sorted(source.text.split("\n\n"))
        ends.add("\n\n".join(stages))
    assert len(ends) == 1


def apply(text: str, edits: "tuple[object, ...]") -> str:
    from dfopt.source import Edit, apply_edits

    return apply_edits(text, [edit for edit in edits if isinstance(edit, Edit)])


def test_line_ends_platforms_and_small_keywords_are_kept() -> None:
    text = (
        "# check=skip=all\r\nfrom --platform=linux/amd64 python:3.12\r\n# the net\r\nrun mkdir -p /nets && \\\r\n"
        "    curl -o /nets/a.onnx https://example.org/a.onnx\r\nadd https://example.org/b.onnx /nets/\r\n"
    )
    assert fixed(text, given("stage")) == (
        "# check=skip=all\r\nfrom --platform=linux/amd64 python:3.12 as models\r\n# the net\r\nrun mkdir -p /nets && \\\r\n"
        "    curl -o /nets/a.onnx https://example.org/a.onnx\r\n\r\nfrom scratch as models-2\r\nadd https://example.org/b.onnx /b.onnx\r\n\r\n"
        "from --platform=linux/amd64 python:3.12\r\ncopy --from=models /nets/a.onnx /nets/\r\ncopy --from=models-2 /b.onnx /nets/\r\n"
    )


def test_a_stage_that_is_split_takes_its_components_along() -> None:
    text = 'FROM golang:1.22\nCOPY models /models\nCOPY main.go go.mod /src/\nRUN cd /src && CGO_ENABLED=0 go build -o /bin/app .\nCMD ["/bin/app"]\n'
    way = planned(text, given("stage")).parts[0][1][0]
    assert way.refusal == "the stage becomes a builder first (`toolchain-shipped`)"
    assert way.changes
    assert fixed(text, given("stage")) == text


def test_an_assembly_leaves_components_apart() -> None:
    text = (
        "FROM python:3.12 AS models\nRUN curl -o /app/models/a.onnx https://example.org/a.onnx\n\nFROM debian AS build\nRUN make\n\n"
        "FROM python:3.12-slim\nCOPY --from=build /app/bin /app/bin\nCOPY --from=models /app/models/a.onnx /app/models/\n"
    )
    rules = catalogue.rules(["scattered-copies"])
    assert engine.fix(Source(text), rules, Given()).source.text == text
    other = text.replace("RUN curl -o /app/models/a.onnx https://example.org/a.onnx", "RUN make")
    assert engine.fix(Source(other), rules, Given()).source.text != other


BEFORE = "FROM debian\nCOPY models /models\n"
AFTER = "FROM scratch AS models\nCOPY models /models\n\nFROM debian\nCOPY --from=models /models /models\n"
RUN = "FROM debian\nRUN curl -o /m/a.onnx https://example.org/a.onnx\n"
RAN = "FROM debian AS models\nRUN curl -o /m/a.onnx https://example.org/a.onnx\n\nFROM debian\nCOPY --from=models /m/a.onnx /m/\n"


def differences(before: str, after: str, *effects: Effect) -> list[str]:
    form = normal.form_of(built(before))
    normal.apply(effects, form)
    return normal.differences(form, normal.form_of(built(after)))


def test_a_relocation_is_compared_with_what_it_declares() -> None:
    effect = Relocates(1, "models", ("/models",), "/models")
    assert differences(BEFORE, AFTER, effect) == []
    assert differences(BEFORE, AFTER.replace("scratch", "busybox"), effect)
    assert differences(BEFORE, AFTER.replace("COPY models", "COPY --chmod=600 models"), effect)
    assert differences(BEFORE, AFTER.replace("/models /models", "/models /other"), effect)
    assert differences(BEFORE, AFTER.replace("COPY models /models", "COPY models /elsewhere"), effect)
    run = Relocates(1, "models", ("/m/a.onnx",), "", "", "/m/")
    assert differences(RUN, RAN, run) == []
    assert differences(RUN, RAN.replace("FROM debian AS", "FROM ubuntu AS"), run)
    assert differences(RUN, RAN.replace("RUN", "WORKDIR /x\nRUN"), run)
    assert differences(RUN, RAN.replace("curl -o", "curl -k -o"), run)


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        (BEFORE, Relocates(1, "debian", ("/models",), "/models")),
        (BEFORE.replace("COPY", "COPY --from=x"), Relocates(1, "models", ("/models",), "/models")),
        (BEFORE.replace("models /", "$A /"), Relocates(1, "models", ("/models",), "/models")),
        (RUN.replace("a.onnx", "$A"), Relocates(1, "models", ("/m/a.onnx",), "", "", "/m/")),
        (BEFORE.replace("COPY", "ADD"), AddsFlag(1, "--from=models")),
        (BEFORE.replace("COPY", "COPY --from=x"), AddsFlag(1, "--from=models")),
    ],
)
def test_what_cannot_be_declared_is_broken(text: str, effect: Effect) -> None:
    with pytest.raises(normal.Broken):
        normal.apply([effect], normal.form_of(built(text)))


def test_the_command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    with (tmp_path / "models/net.onnx").open("wb") as file:
        file.truncate(60_000_000)
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:bookworm-slim\nCOPY models /srv/models\n")

    def run(*words: str) -> str:
        assert main(["plan", *words, str(path)]) == 0
        return capsys.readouterr().out

    text = run()
    assert f"{path}: large components of the last stage\n" in text
    assert "nothing to plan" not in text
    assert "  line 2    60.0 MB of model weights at `/srv/models`: `COPY models /srv/models`\n" in text
    assert "    stage     before line 1: FROM scratch AS models; COPY models /models\n" in text
    assert "              `docker build --build-context models=.` at each build" in text
    assert '    [answers."Dockerfile"]\n' in text
    assert '    components = "stage"\n' in text
    (tmp_path / "dfopt.toml").write_text(
        'build-contexts = ["models"]\n[answers."Dockerfile"]\ncomponents = "context"\n'
    )
    text = run()
    assert "questions" not in text
    assert "not written" not in text
    assert text.endswith("`dfopt fix --unsafe --select model-in-image` writes what it can\n")
    (found,) = json.loads(run("--format", "json"))
    (component,) = found["components"]
    assert found["plan"] is None
    assert component["questions"] == []
    (part,) = component["parts"]
    assert (part["line"], part["path"], part["bytes"]) == (2, "/srv/models", 60_000_000)
    (way,) = part["ways"]
    assert (way["name"], way["fixable"], way["refusal"]) == ("context", True, "")
    assert way["changes"] == ["line 2: COPY --from=models models /srv/models"]
