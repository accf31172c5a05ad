"""Builder and runtime from one stage: real small projects of each language, with their plan and what `dfopt fix --unsafe` makes of them.

`fixtures/synthesis/<language>-<name>/project/` is a project with its `Dockerfile` and, where it answers questions, a `dfopt.toml`. Beside it
`plan.txt` is what `dfopt plan` prints, `Dockerfile.after` what the fix alone makes of the file, absent where it makes nothing;
`DFOPT_UPDATE_GOLDENS=1` writes both anew: read the difference before you commit it.
"""

import os
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys

import pytest
from buildkit_oracle import oracle_or_skip

from dfopt import catalogue, config, engine
from dfopt.build import Build
from dfopt.plan import Wishes, placed, planner
from dfopt.report import plans
from dfopt.rule import Given
from dfopt.source import Source
from dfopt.syntax import parse
from dfopt.synthesis import LANGUAGES, Kept, Plan, plan_of

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "synthesis"
UPDATE = os.environ.get("DFOPT_UPDATE_GOLDENS") == "1"
PROJECTS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
RULE = "toolchain-shipped"


def given_of(folder: pathlib.Path) -> Given:
    """What a run of dfopt in the project's folder is given: its configuration, and its folder as the build context."""
    folder = folder / "project"
    path = folder / "dfopt.toml"
    settings = config.load(str(path)) if path.exists() else config.NONE
    wishes = Wishes(context=str(folder))
    dockerfile = str(folder / "Dockerfile")
    return placed(planner(wishes)(settings, dockerfile), settings, wishes, dockerfile, {}).given


def source_of(folder: pathlib.Path) -> Source:
    return Source.from_bytes((folder / "project/Dockerfile").read_bytes(), "Dockerfile")


def plan_for(source: Source, given: Given) -> plans.Planned:
    build = Build(parse(source))
    assert build.final is not None
    return plans.Planned("Dockerfile", build, plan_of(build, given, build.final))


def golden(path: pathlib.Path, text: str | None) -> None:
    """Hold `text` against a golden file; None: there is none."""
    if UPDATE:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(text.encode())
    assert (path.read_bytes().decode() if path.exists() else None) == text


@pytest.mark.parametrize("name", PROJECTS)
def test_plan(name: str) -> None:
    golden(FOLDER / name / "plan.txt", plans.text_of([plan_for(source_of(FOLDER / name), given_of(FOLDER / name))]))


@pytest.mark.parametrize("name", PROJECTS)
def test_fixed(name: str) -> None:
    """The result is as declared, keeps each of the author's lines, comes to rest, and is planned no more."""
    source, given = source_of(FOLDER / name), given_of(FOLDER / name)
    fixed = engine.fix(source, catalogue.rules([RULE]), given, unsafe=True)
    assert fixed.faults == ()
    golden(FOLDER / name / "Dockerfile.after", fixed.source.text if fixed.applied else None)
    if not fixed.applied:
        return
    text = fixed.source.text
    plan = plan_for(source, given).plan
    for words in plan.finish.commands if isinstance(plan, Plan) else ():
        # What ends the builder may stand behind the author's last command.
        text = re.sub(rf"[ \t]*(?:\\\n[ \t]*)?&& {re.escape(' '.join(words))}", "", text)
    lines = text.split("\n")
    opening = [one for one in Build(parse(source)).instructions if one.name == "FROM"][-1]
    text = source.text[opening.span.start : opening.span.end].strip()
    for line in source.text.split("\n"):
        assert line in lines or line.strip() == text, "a line of the author's is lost"
    again = engine.fix(fixed.source, catalogue.rules([RULE]), given, unsafe=True)
    assert (again.applied, again.faults) == ((), ())


@pytest.mark.parametrize("name", PROJECTS)
def test_the_result_is_clean(name: str) -> None:
    """With all default rules the file comes to rest, and nothing is found then that was not found before."""
    source, given = source_of(FOLDER / name), given_of(FOLDER / name)
    rules = catalogue.rules()
    before = {one.code for one in engine.check(source, rules, given).diagnostics}
    fixed = engine.fix(source, rules, given, unsafe=True)
    assert fixed.faults == ()
    assert {one.code for one in fixed.report.diagnostics} - before == set()
    again = engine.fix(fixed.source, rules, given, unsafe=True)
    assert (again.applied, again.faults) == ((), ())


@pytest.mark.parametrize("name", PROJECTS)
def test_the_plan_decides(name: str) -> None:
    """Without the template's lines the result is the author's own instructions: each in the builder, or behind it."""
    planned = plan_for(source_of(FOLDER / name), given_of(FOLDER / name))
    if not isinstance(planned.plan, Plan) or planned.plan.questions:
        return
    instructions = planned.build.instructions
    steps = {one.instruction for one in planned.plan.lines if isinstance(one, Kept)}
    assert all(instructions[index].name not in ("RUN", "COPY", "ADD", "FROM") for index in steps)


def test_buildkit_accepts_all() -> None:
    oracle = oracle_or_skip()
    for path in sorted(FOLDER.glob("*/Dockerfile.after")):
        assert oracle.parse(path.read_bytes()).refusal is None, path


def test_hadolint_finds_no_more(tmp_path: pathlib.Path) -> None:
    program = shutil.which("hadolint", path=f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("hadolint is not installed")

    def codes(path: pathlib.Path) -> set[str]:
        done = subprocess.run(
            [program, "--no-color", str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        return {line.split()[1] for line in done.stdout.split("\n") if len(line.split()) > 1}

    for after in sorted(FOLDER.glob("*/Dockerfile.after")):
        assert codes(after) - codes(after.with_name("project") / "Dockerfile") - {"DL3008", "DL3018"} == set(), after


def test_each_language_has_three_projects_that_are_split() -> None:
    split = [path.parent.name for path in FOLDER.glob("*/Dockerfile.after")]
    for language in LANGUAGES:
        assert sum(name.startswith(f"{language}-") for name in split) >= 3, language


# --------------------------------------------------------------------------------------------------- the command


def command(*words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "dfopt", "plan", *words],
        capture_output=True,
        text=True,
        input=text,
        timeout=60,
        check=False,
    )


def test_the_command_prints_plans() -> None:
    project = FOLDER / "go-server" / "project"
    done = command(str(project / "Dockerfile"), "--context", str(project))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split(": ", 1)[1] == (FOLDER / "go-server" / "plan.txt").read_text().split(": ", 1)[1]


def test_the_command_gives_data() -> None:
    import json

    project = FOLDER / "go-question" / "project"
    done = command("--format", "json", str(project))
    (found,) = json.loads(done.stdout)
    assert (done.returncode, found["path"].endswith("Dockerfile"), found["refusal"]) == (0, True, "")
    assert found["plan"]["questions"][0]["id"] == "run-configure-assets"
    assert found["plan"]["runtime"]["image"] == "debian:bookworm-slim"


def test_an_answer_makes_the_plan_whole(tmp_path: pathlib.Path) -> None:
    """The lines that the command prints, written down as they are, answer it."""
    shutil.copytree(FOLDER / "go-question" / "project", tmp_path, dirs_exist_ok=True)
    said = command(str(tmp_path)).stdout
    assert "applies it" not in said
    (tmp_path / "dfopt.toml").write_text(
        "".join(line[4:] + "\n" for line in said.partition(" questions, ")[2].split("\n")[1:])
    )
    assert "`dfopt fix --unsafe` applies it" in command(str(tmp_path)).stdout


def test_nothing_to_plan_and_no_plan_are_no_error() -> None:
    assert command("-", text="FROM debian:12\nRUN true\n").stdout == (
        "<stdin>: nothing to plan: the last stage ships no tool chain that dfopt plans for\n"
    )
    done = command("-", text="FROM golang:1.24\nCOPY main.go /\nRUN go build -o /a /main.go\n")
    assert (done.returncode, done.stdout) == (0, "<stdin>: no plan: the file does not say what the image starts\n")


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (("no-such-file",), "", "dfopt: no-such-file: no such file or directory\n"),
        (("-",), "FROM\n", "dfopt: <stdin>: BuildKit refuses it -> `dfopt check` says why\n"),
        (("--context", "no-such-folder", "-"), "", "dfopt: --context: `no-such-folder` is no folder\n"),
        (("--config", "no-such-file", "-"), "", "dfopt: no-such-file: no such file\n"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], text: str, message: str) -> None:
    done = command(*words, text=text)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


# ------------------------------------------------------------------------------------------------------- the spine

MODULE = "module example.com/hello\n\ngo 1.22\n"


def given_of_folder(folder: pathlib.Path) -> Given:
    """What a file in a folder is given that has no configuration."""
    wishes = Wishes(context=str(folder))
    return placed(planner(wishes)(config.NONE, ""), config.NONE, wishes, str(folder / "Dockerfile"), {}).given


def made(tmp_path: pathlib.Path, text: str, **files: str) -> tuple[str, str]:
    """What the fix makes of a file in a project of Go with these files, and why it makes nothing."""
    for name, content in {"go.mod": MODULE, "main.go": "package main\n\nfunc main() {}\n", **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "Dockerfile").write_text(text)
    given = given_of_folder(tmp_path)
    fixed = engine.fix(Source(text, "Dockerfile"), catalogue.rules([RULE]), given, unsafe=True)
    assert fixed.faults == ()
    left = [one.refusal for one in fixed.report.diagnostics]
    return fixed.source.text.removeprefix(
        text.replace("FROM golang:1.22\n", "FROM golang:1.22 AS build\n")
    ) if fixed.applied else "", "; ".join(left)


START = "FROM golang:1.22\nWORKDIR /app\nCOPY . .\n"


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        # Owners, folders and users as they were.
        ("RUN useradd app && mkdir /data && chown -R app /data /app\nRUN CGO_ENABLED=0 go build -o a\nUSER app\nCMD ./a\n",
         ["RUN useradd app \\\n    && mkdir -p /data \\\n    && mkdir -p /app \\\n    && chown -R app /data /app\n"]),
        ("RUN CGO_ENABLED=0 go build -o a && useradd app && chown -R app:app .\nUSER app\nCMD ./a\n", ["COPY --from=build --chown=app:app /app/a "]),
        ("COPY --chown=7:8 conf c\nCOPY --chown=7:8 main.go .\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n",
         ["COPY --from=build /app/a ", "COPY --from=build --chown=7:8 /app/c /app/c\n"]),
        ("COPY --chown=7:8 conf/x.yaml /x/y.yaml\nRUN mv /x/y.yaml /x/z.yaml\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n", ["--chown=7:8 /x/z.yaml /x/z.yaml\n"]),
        ("RUN wget -qO- http://x | sha256sum && wget -q -O /opt/tool http://x\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n",
         ["COPY --from=build /app/a /app/start.sh /app/\nCOPY --from=build /opt/tool /opt/tool\nCOPY --from=build /app/conf /app/conf\n"]),
        # What cp and mv leave; a link stays one.
        ("RUN CGO_ENABLED=0 go build -o a && cp a /usr/local/bin/\nCMD a\n", ["COPY --from=build /usr/local/bin/a /usr/local/bin/a\n"]),
        ("RUN CGO_ENABLED=0 go build -o /opt/a && ln -s /opt/a /usr/bin/b\nCMD b\n", ["RUN ln -s /opt/a /usr/bin/b\n", "COPY --from=build /opt/a /opt/a\n"]),
        ("RUN CGO_ENABLED=0 go build -o a && cp conf/x.yaml x.yaml\nCMD ./a\n", ["/app/x.yaml"]),
        ("RUN CGO_ENABLED=0 go build -o a\nRUN echo hi > /etc/motd.txt\nCMD ./a\n", ["/etc/motd.txt"]),
        ("RUN CGO_ENABLED=0 go build -o a\nRUN sed -ri s/a/b/ /etc/hosts.conf\nCMD ./a\n", ["/etc/hosts.conf"]),
        ("RUN CGO_ENABLED=0 go install ./...\nCMD hello\n", ["COPY --from=build /go/bin/hello /go/bin/hello\n"]),
        # The folder of a program that only the old image's PATH had.
        ("RUN CGO_ENABLED=0 go install .\nCMD hello\n", ["ENV PATH=/go/bin:$PATH\n", "COPY --from=build /go/bin/hello /go/bin/hello\n"]),
        # Variables that the runtime's image lacks.
        ("RUN CGO_ENABLED=0 go build -o a\nENV DATA=$GOPATH/data\nCMD ./a\n", ["ENV GOPATH=/go\n"]),
        ("ARG V=1\nRUN CGO_ENABLED=0 go build -o a\nLABEL v=$V\nCMD ./a\n", ["ARG V=1\n"]),
        # Packages: what a RUN used stays behind, unless the image names it.
        ("RUN apt-get update && apt-get install -y --no-install-recommends curl ffmpeg git && curl -o /tmp/x http://x\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n",
         ["install -y --no-install-recommends ca-certificates ffmpeg \\\n"]),
        ("RUN apt-get update && apt-get install -y curl && curl -o /tmp/x http://x\nRUN CGO_ENABLED=0 go build -o a\nHEALTHCHECK CMD curl -f localhost\nCMD ./a\n",
         ["ca-certificates curl \\\n"]),
        # What is in a folder, not the folder.
        ("RUN CGO_ENABLED=0 go build -o out/ . && cp -r out/. /srv/app/\nCMD /srv/app/hello\n", ["COPY --from=build /srv/app /srv/app\n"]),
        ("RUN CGO_ENABLED=0 go build -o out/ . && mv out/* /srv/app/\nCMD /srv/app/hello\n", ["COPY --from=build /srv/app/hello /srv/app/hello\n"]),
        # Make's result is what the image runs, behind tini and in a script too.
        ('RUN apt-get update && apt-get install -y tini\nRUN make\nENTRYPOINT ["tini", "--", "bin/a"]\n', ["COPY --from=build /app/bin/a /app/bin/a\n"]),
        ('RUN make\nCOPY start.sh /start.sh\nCMD ["/start.sh"]\n', ["COPY --from=build /app/a /app/a\n", "COPY --from=build /start.sh /start.sh\n"]),
        ('RUN make\nCMD ["sh", "-c", "exec ./a --port $PORT"]\n', ["COPY --from=build /app/a "]),
        # A script that is edited, or put elsewhere, is read all the same.
        ("RUN apt-get update && apt-get install -y curl && curl -o /tmp/x http://x\nRUN CGO_ENABLED=0 go build -o a\nCOPY start.sh /start.sh\n"
         "RUN sed -i 's/\\r$//' /start.sh\nENTRYPOINT [\"/start.sh\"]\n", ["ca-certificates curl jq \\\n", "COPY --from=build /start.sh /start.sh\n"]),
        ("RUN CGO_ENABLED=0 go build -o a && cp start.sh /start.sh\nENTRYPOINT [\"/start.sh\"]\n", ["ca-certificates curl jq \\\n"]),
        # A script's own programs.
        ("RUN CGO_ENABLED=0 go build -o a && chmod +x start.sh\nENTRYPOINT [\"./start.sh\"]\n", ["apt-get install -y --no-install-recommends ca-certificates curl jq \\\n"]),
    ],
)  # fmt: skip
def test_what_the_runtime_needs_comes_along(rest: str, wanted: list[str], tmp_path: pathlib.Path) -> None:
    text, left = made(
        tmp_path, START + rest, **{"conf/x.yaml": "a: 1\n", "start.sh": "#!/bin/sh\ncurl -s x | jq .\nexec ./a\n"}
    )
    assert left == ""
    for piece in wanted:
        assert piece in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (START + "RUN CGO_ENABLED=0 go build -o a\nUSER ghost\nCMD ./a\n", "where the user or group `ghost` comes from"),
        (START + "RUN CGO_ENABLED=0 go build -o a\nCMD ./b\n", "where `/app/b` comes from"),
        (START + "RUN CGO_ENABLED=0 go build -o a\nCMD other\n", "where `other` comes from"),
        (START + "RUN CGO_ENABLED=0 go build -o a\n", "does not say what the image starts"),
        (START + "ONBUILD COPY x /x\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n", "ONBUILD"),
        (START + "RUN --mount=type=cache,target=/app/out CGO_ENABLED=0 go build -o out/a\nCMD ./out/a\n", "where `/app/out/a` comes from"),
        (START + "RUN id -u app || useradd app\nRUN CGO_ENABLED=0 go build -o a\nUSER app\nCMD ./a\n", "makes a user under a condition"),
        (START + "RUN echo app:x:1:1::/: >> /etc/passwd\nRUN CGO_ENABLED=0 go build -o a\nUSER app\nCMD ./a\n", "makes users by writing"),
        (START + "RUN echo deb http://x y z > /etc/apt/sources.list.d/x.list\nRUN apt-get update && apt-get install -y ffmpeg\n"
         "RUN CGO_ENABLED=0 go build -o a\nCMD ./a\n", "a repository that the stage adds"),
        ("FROM debian:12 AS sources\nWORKDIR /app\nFROM golang:1.22\nWORKDIR /app\nCOPY --from=sources /app .\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n", "`files`"),
        (START + "RUN ./prepare\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n", "`run-prepare`"),
        (START + "RUN CGO_ENABLED=0 go build -o a\nCOPY <<E /app/b\nx\nE\nRUN chown nobody: /app/*\nCMD ./a\n", "an owner that are not known"),
        (START + "RUN CGO_ENABLED=0 go build -o $OUT\nCMD ./a\n", "`artefact`"),
        # What is edited or written in a place that is not known is asked, not lost.
        (START + "RUN CGO_ENABLED=0 go build -o a && sed -i s/a/b/ $WHERE/x.conf\nCMD ./a\n", "`run-sed`"),
        (START + "RUN CGO_ENABLED=0 go build -o a && echo a > $WHERE/x.conf\nCMD ./a\n", "`run-echo`"),
        # What lies in a folder of the system beside what others put there.
        (START + "RUN CGO_ENABLED=0 go build -o out/ . && cp -r out/. /\nCMD /hello\n", "`run-cp`"),
        ("FROM example.com/base\nCOPY . .\nRUN CGO_ENABLED=0 go build -o a && apt-get install -y golang-go\nCMD ./a\n", "is not known"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_done(text: str, why: str, tmp_path: pathlib.Path) -> None:
    made_of, left = made(tmp_path, text)
    assert made_of == ""
    assert why in left


_PIP = "WORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
_BUNDLE = "WORKDIR /app\nCOPY . .\nRUN bundle install\nCMD bundle exec puma\n"


@pytest.mark.parametrize(
    ("text", "is_split"),
    [
        ("FROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc\n" + _PIP, True),
        ("FROM python:3.12-slim\nRUN apt-get update && apt-get install -y libpq-dev\n" + _PIP, True),
        ("FROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc\n" + _PIP.replace("CMD", "RUN python setup.py build_ext --inplace\nCMD"), True),
        ("FROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc\n" + _PIP.replace("CMD", "RUN python setup.py install\nCMD"), False),
        ("FROM python:3.12\nRUN apt-get update && apt-get install -y libpq-dev\n" + _PIP.replace("CMD", "RUN python setup.py build_ext -i\nCMD"), False),
        # Compilers named elsewhere in the file make no difference.
        ("FROM python:3.12-slim\n# no gcc\nRUN apt-get update && apt-get install -y git make vim\n" + _PIP, False),
        ("FROM ruby:3.3-slim\nRUN apt-get update && apt-get install -y git vim\n" + _BUNDLE, False),
        ("FROM ruby:3.3-slim\nRUN apt-get update && apt-get install -y build-essential\n" + _BUNDLE, True),
        ("FROM php:8.3-cli-alpine\nRUN apk add --no-cache $PHPIZE_DEPS && pecl install redis && docker-php-ext-enable redis\nCOPY app.php /app/\nCMD php /app/app.php\n", True),
        ("FROM php:8.3-cli-alpine\nRUN apk add --no-cache --virtual .b $PHPIZE_DEPS && pecl install redis && docker-php-ext-enable redis && apk del .b\n"
         "COPY app.php /app/\nCMD php /app/app.php\n", False),
    ],
)  # fmt: skip
def test_only_compilers_and_headers_are_worth_a_stage(text: str, is_split: bool, tmp_path: pathlib.Path) -> None:
    for name in ("app.py", "requirements.txt", "app.php"):
        (tmp_path / name).write_text("")
    (tmp_path / "Gemfile.lock").write_text("GEM\n  specs:\n    puma (6.4.2)\n")
    fixed = engine.fix(Source(text, "Dockerfile"), catalogue.rules([RULE]), given_of_folder(tmp_path), unsafe=True)
    assert ("AS build" in fixed.source.text) is is_split


_BASE = "FROM golang:1.22 AS base\nWORKDIR /app\nCOPY . .\nRUN CGO_ENABLED=0 go build -o a\n"


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        # The whole chain is read: users, packages, variables, what is built, what is started.
        (_BASE + "RUN useradd app && apt-get update && apt-get install -y --no-install-recommends ffmpeg\nENV A=1\nUSER app\nCMD ./a\nFROM base\nRUN true\n",
         ["FROM base AS build\nRUN true\n\nFROM debian:bookworm-slim\n", "ca-certificates ffmpeg \\\n", "useradd app\n", "ENV A=1\nUSER app\nCMD ./a\nCOPY --from=build /app/a /app/a\n"], []),
        # A last stage without steps of its own.
        (_BASE + "FROM base AS app\n# who listens\nEXPOSE 80\nCMD ./a\n",
         ["FROM base AS build\n\nFROM debian:bookworm-slim AS app\nWORKDIR /app\nCOPY --from=build /app/a /app/a\n", "# who listens\nEXPOSE 80\nCMD ./a\n"], []),
        # What a later stage says otherwise is not repeated; an ENTRYPOINT takes away the CMD below it.
        (_BASE + 'CMD ["go", "run", "."]\nSTOPSIGNAL SIGINT\nFROM base\nRUN true\nSTOPSIGNAL SIGTERM\nENTRYPOINT ["./a"]\n',
         ['STOPSIGNAL SIGTERM\nENTRYPOINT ["./a"]\n'], ['slim\nCMD', 'SIGINT\nCOPY']),
        # The platform is that of the stage at the bottom.
        (_BASE.replace("FROM ", "FROM --platform=linux/arm64 ") + "FROM --platform=linux/amd64 base\nRUN true\nCMD ./a\n",
         ["FROM --platform=linux/amd64 base AS build\n", "FROM --platform=linux/arm64 debian:bookworm-slim\n"], []),
        # Shell forms of before another SHELL keep theirs.
        (_BASE + 'SHELL ["/bin/bash", "-c"]\nCMD ./a\nFROM base\nSHELL ["/bin/sh", "-c"]\nRUN true\n',
         ['SHELL ["/bin/bash", "-c"]\nCMD ./a\nSHELL ["/bin/sh", "-c"]\nCOPY'], []),
    ],
)  # fmt: skip
def test_the_stages_below_count_as_the_last_ones_own(
    text: str, wanted: list[str], unwanted: list[str], tmp_path: pathlib.Path
) -> None:
    below = text[: text.rindex("\nFROM ") + 1]
    after, left = made(tmp_path, text)
    assert left == ""
    assert after.startswith(below)
    for piece in wanted:
        assert piece in after
    for piece in unwanted:
        assert piece not in after


_CARGO = 'FROM rust:1.85-slim-bookworm\nWORKDIR /src\nCOPY . .\nRUN cargo build --release\nCMD ["%s"]\n'
_MUSL = "[build]\ntarget = 'x86_64-unknown-linux-musl'\n"


def test_add_of_a_folder_brings_it_as_copy_does(tmp_path: pathlib.Path) -> None:
    text, left = made(
        tmp_path,
        START.replace("COPY", "ADD") + "RUN CGO_ENABLED=0 go build -o a\nCMD ./a\n",
        **{"conf/x.yaml": "a: 1\n"},
    )
    assert (left, "COPY --from=build /app/conf /app/conf\n" in text) == ("", True)


@pytest.mark.parametrize(
    ("tasks", "wanted"),
    [("shadowJar", "worker-1.0-all.jar"), ("jar", "worker-1.0.jar"), ("build", "worker-1.0-all.jar worker-1.0.jar")],
)
def test_a_task_of_gradle_packs_its_own_jars(tasks: str, wanted: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "settings.gradle").write_text("rootProject.name = 'worker'\n")
    (tmp_path / "build.gradle").write_text("plugins { id 'com.github.johnrengelman.shadow' }\nversion = '1.0'\n")
    (tmp_path / "src/main/java").mkdir(parents=True)
    (tmp_path / "src/main/java/A.java").write_text("class A {}\n")
    name = wanted.split()[0]
    text = f"FROM eclipse-temurin:21-jdk-jammy\nWORKDIR /app\nCOPY . .\nRUN ./gradlew {tasks}\nCMD java -jar /app/build/libs/{name}\n"
    plan = plan_for(Source(text, "Dockerfile"), given_of_folder(tmp_path)).plan
    assert isinstance(plan, Plan)
    assert [posixpath.basename(one.path) for one in plan.artefacts if one.path.endswith(".jar")] == wanted.split()


def test_an_installer_of_a_version_in_a_variable_is_no_library(tmp_path: pathlib.Path) -> None:
    (tmp_path / "app.py").write_text("")
    (tmp_path / "requirements.txt").write_text("flask==3.0\n")
    text = (
        "FROM python:3.12\nENV V=1.8\nRUN apt-get update && apt-get install -y gcc\nWORKDIR /app\nCOPY . .\n"
        'RUN pip install "%s" && pip install -r requirements.txt\nCMD python app.py\n'
    )
    for package, asked in (("poetry==$V", []), ("$V", ["libraries"])):
        plan = plan_for(Source(text % package, "Dockerfile"), given_of_folder(tmp_path)).plan
        assert isinstance(plan, Plan) and [one.id for one in plan.questions] == asked


def test_libraries_for_static_linking_stay_behind(tmp_path: pathlib.Path) -> None:
    text, left = made(
        tmp_path,
        "FROM golang:1.22-alpine\nRUN apk add --no-cache openssl-libs-static zlib-static busybox-static\n"
        "WORKDIR /app\nCOPY . .\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a\n",
    )
    assert (left, "RUN apk add --no-cache busybox-static\n" in text) == ("", True)


@pytest.mark.parametrize(
    ("name", "content", "text", "wanted"),
    [
        ("config.toml", '[build]\ntarget-dir = "out"\n', _CARGO % "/src/out/release/app", "COPY --from=build /src/out/release/app "),
        ("config", '[build]\ntarget-dir = "/out"\n', _CARGO % "/out/release/app", "COPY --from=build /out/release/app "),
        ("config.toml", _MUSL, _CARGO % "/src/target/x86_64-unknown-linux-musl/release/app", "release/app /src/target/x86_64-unknown-linux-musl/release/app\n"),
        # What the command or a variable says goes before it.
        ("config.toml", _MUSL, _CARGO.replace("--release", "--release --target=aarch64-unknown-linux-gnu --target-dir=/o")
         % "/o/aarch64-unknown-linux-gnu/release/app", "COPY --from=build /o/aarch64-unknown-linux-gnu/release/app "),
        ("config.toml", _MUSL + 'target-dir = "a"\n', _CARGO.replace("RUN", "ENV CARGO_BUILD_TARGET_DIR=/e\nRUN") % "/e/x86_64-unknown-linux-musl/release/app",
         "COPY --from=build /e/x86_64-unknown-linux-musl/release/app "),
        ("config.toml", '[install]\nroot = "tools"\n', _CARGO.replace("build --release", "install --path .") % "/src/tools/bin/app", "COPY --from=build /src/tools/bin/app "),
        # What cannot be told is asked.
        ("config.toml", '[build]\ntarget = ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"]\n', _CARGO % "/src/target/release/app", ""),
        ("config.toml", "[build\n", _CARGO % "/src/target/release/app", ""),
        ("config.toml", "", _CARGO.replace("RUN", "RUN echo '[build] target-dir = \"/o\"' > .cargo/config.toml\nRUN") % "/src/target/release/app", ""),
    ],
)  # fmt: skip
def test_cargo_is_read_with_its_own_configuration(
    name: str, content: str, text: str, wanted: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / ".cargo").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / ".cargo" / name).write_text(content)
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "0.1.0"\n')
    (tmp_path / "Cargo.lock").write_text("")
    (tmp_path / "src/main.rs").write_text("fn main() {}\n")
    fixed = engine.fix(Source(text, "Dockerfile"), catalogue.rules([RULE]), given_of_folder(tmp_path), unsafe=True)
    assert fixed.faults == ()
    if wanted:
        assert wanted in fixed.source.text
    else:
        assert not fixed.applied and "(`artefact`)" in fixed.report.diagnostics[0].refusal


def test_what_another_system_links_statically_says_nothing_of_this_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text(
        '[target.x86_64-pc-windows-msvc]\nrustflags = ["-C", "target-feature=+crt-static"]\n'
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text("fn main() {}\n")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "app"\n')
    plan = plan_for(Source(_CARGO % "/src/target/release/app", "Dockerfile"), given_of_folder(tmp_path)).plan
    assert isinstance(plan, Plan) and "linked to the C library" in plan.why


_DJANGO = (
    "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc\nWORKDIR /code\n{copy}\nRUN pip install -r requirements.txt\n"
    "RUN {command}\nCMD python manage.py runserver\n"
)
_BASE_DIR = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"


@pytest.mark.parametrize(
    ("settings", "command", "copy", "is_split"),
    [
        (_BASE_DIR + 'STATIC_ROOT = BASE_DIR / "static"\n', "python manage.py collectstatic --noinput", "COPY . .", True),
        (_BASE_DIR + 'STATIC_ROOT = BASE_DIR / "static"\n', "./manage.py collectstatic --noinput -v 0", "COPY . .", True),
        ('import os\nBASE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\nSTATIC_ROOT = os.path.join(BASE_DIR, "static")\n',
         "python3 manage.py collectstatic", "COPY . /code", True),
        ("", "python manage.py compilemessages", "COPY . .", True),
        # Outside of the project, above it, or not known.
        ('STATIC_ROOT = "/var/www/static"\n', "python manage.py collectstatic", "COPY . .", False),
        (_BASE_DIR.replace(".parent\n", ".parent.parent\n") + 'STATIC_ROOT = BASE_DIR / "static"\n', "python manage.py collectstatic", "COPY . .", False),
        (_BASE_DIR + 'STATIC_ROOT = BASE_DIR / os.environ.get("STATIC", "x")\n', "python manage.py collectstatic", "COPY . .", False),
        (_BASE_DIR + 'STATIC_ROOT = BASE_DIR / "../static"\n', "python manage.py collectstatic", "COPY . .", False),
        ('STATIC_ROOT = BASE_DIR / "static"\n', "python manage.py collectstatic", "COPY . .", False),
        ("", "python manage.py collectstatic", "COPY . .", False),
        ("", "python manage.py migrate", "COPY . .", False),
        # Only parts of the project are carried.
        (_BASE_DIR + 'STATIC_ROOT = BASE_DIR / "static"\n', "python manage.py collectstatic", "COPY shop shop\nCOPY manage.py requirements.txt ./", False),
    ],
)  # fmt: skip
def test_django_collects_below_the_project(
    settings: str, command: str, copy: str, is_split: bool, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/settings.py").write_text(settings)
    for name in ("manage.py", "requirements.txt"):
        (tmp_path / name).write_text("")
    text = _DJANGO.format(copy=copy, command=command)
    fixed = engine.fix(Source(text, "Dockerfile"), catalogue.rules([RULE]), given_of_folder(tmp_path), unsafe=True)
    assert ("AS build" in fixed.source.text) is is_split


@pytest.mark.parametrize(
    ("image", "names", "packages"),
    [
        ("python:3.12", "psycopg2==2.9", "libpq5"),
        ("python:3.12-bookworm", "mysqlclient", "libmariadb3"),
        ("python:3.12-bookworm", "mysqlclient Psycopg2", "libmariadb3 libpq5"),
        ("python:3.12", "mysqlclient", None),
        ("python:3.12", "psycopg2 uwsgi", None),
    ],
)
def test_libraries_of_what_pip_compiles(image: str, names: str, packages: str | None, tmp_path: pathlib.Path) -> None:
    (tmp_path / "app.py").write_text("")
    text = f"FROM {image}\nRUN apt-get update && apt-get install -y gcc\nRUN pip install {names}\nCOPY app.py /app.py\nCMD python /app.py\n"
    plan = plan_for(Source(text, "Dockerfile"), given_of_folder(tmp_path)).plan
    assert isinstance(plan, Plan)
    assert [one.id for one in plan.questions] == ([] if packages is not None else ["libraries"])
    assert packages is None or " ".join(plan.packages) == packages


def test_lines_end_as_the_authors_do(tmp_path: pathlib.Path) -> None:
    text = (START + "# the port\nEXPOSE 80\nRUN CGO_ENABLED=0 go build -o a\nCMD ./a").replace("\n", "\r\n")
    after, _ = made(tmp_path, text)
    assert "\n" in after and "\n" not in after.replace("\r\n", "")
    assert not after.endswith("\n")


def test_each_question_of_the_spine_has_an_answer(tmp_path: pathlib.Path) -> None:
    """What is asked is asked no more once it is answered, and the answers decide what is carried."""
    text = (
        "FROM golang:1.22\nARG PACKAGE\nWORKDIR /app\nCOPY . .\nADD data.tar.gz /opt/data/\nRUN apt-get update && apt-get install -y $PACKAGE libodd-dev\n"
        "RUN ./prepare && go build -o /opt/a\nRUN bash <<E\nx\nE\nENTRYPOINT ${NAME}\nHEALTHCHECK CMD /app/check.sh\n"
    )
    (tmp_path / "check.sh").write_text("#!/bin/sh\nodd-tool\n")
    (tmp_path / "data.tar.gz").write_text("")
    asked = {"files", "packages", "library-libodd-dev", "run-prepare", "run-line-8", "program", "programs"}
    answers = {
        "files": ("/opt/data/",), "packages": ("ffmpeg",), "library-libodd-dev": ("libodd1",), "run-prepare": ("build",), "run-line-8": ("/srv/x",),
        "program": ("/opt/a",), "programs": ("odd-tools",),
    }  # fmt: skip
    made(tmp_path, text)
    place = given_of_folder(tmp_path)
    found = plan_for(Source(text, "Dockerfile"), place).plan
    assert isinstance(found, Plan) and {question.id for question in found.questions} == asked
    found = plan_for(Source(text, "Dockerfile"), place._replace(answers=tuple(answers.items()))).plan
    assert isinstance(found, Plan) and found.questions == ()
    assert {"/opt/data", "/srv/x", "/opt/a"} <= {one.path for one in found.artefacts}
    assert {"ffmpeg", "libodd1", "odd-tools"} <= set(found.packages)
