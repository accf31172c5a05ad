"""What steps cost: logs of builds in each form, records of earlier ones, and the table; each figure names its source."""

import json
import pathlib

import pytest

from dfopt import context, costs
from dfopt.build import Build
from dfopt.costs import BadLog, Figure, Log, Measured
from dfopt.source import Source
from dfopt.syntax import parse

TEXT = """\
FROM node:20-slim AS deps
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \\
    npm ci
FROM node:20-slim
ENV NAME=x
COPY --from=deps /app /app
COPY src /app/$NAME
RUN make
"""


def build_of(text: str) -> Build:
    return Build(parse(Source(text)))


BUILD = build_of(TEXT)

# As BuildKit 0.25 wrote them, digests cut.
RAW = """\
{"vertexes":[{"digest":"a","name":"[deps 2/4] WORKDIR /app"},{"digest":"b","name":"[deps 4/4] RUN --mount=type=cache,target=/root/.npm     npm ci"}]}
{"vertexes":[{"digest":"a","name":"[deps 2/4] WORKDIR /app","started":"2026-11-21T08:44:05.1Z","completed":"2026-11-21T08:44:05.1Z","cached":true}]}
{"vertexes":[{"digest":"b","name":"[deps 4/4] RUN --mount=type=cache,target=/root/.npm     npm ci","started":"2026-11-21T08:44:05.048195322Z"}]}
{"statuses":[{"id":"x","vertex":"b","current":0,"timestamp":"2026-11-21T08:44:15.04Z"}]}
{"vertexes":[{"digest":"b","name":"[deps 4/4] RUN --mount=type=cache,target=/root/.npm     npm ci","started":"2026-11-21T08:44:05.048195322Z","completed":"2026-11-21T08:44:09.548195322Z"}]}
{"vertexes":[{"digest":"c","name":"[stage-1 3/4] COPY src /app/x","started":"2026-11-21T08:44:10Z","completed":"2026-11-21T08:44:10.25Z"}]}
{"vertexes":[{"digest":"d","name":"[internal] load build context","started":"2026-11-21T08:44:10Z","completed":"2026-11-21T08:44:11Z"}]}
not json
"""

PLAIN = """\
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#10 [deps 2/4] WORKDIR /app
#10 CACHED

#11 [deps 4/4] RUN --mount=type=cache,target=/root/.npm     npm ci
#11 1.234 added 3 packages
#11 DONE 4.5s

#12 [stage-1 3/4] COPY src /app/x
#12 DONE 0.2s
#13 [stage-1 4/4] RUN make
#13 ERROR: process did not complete
"""


@pytest.mark.parametrize(("text", "copied"), [(RAW, 0.25), (PLAIN, 0.2)])
def test_a_log_of_a_build(text: str, copied: float) -> None:
    log = costs.read_log(text)
    found = {index: costs.of(BUILD, index, (log,)) for index in (1, 3, 7, 8)}
    assert found[3] == Figure(4.5, "log", "build log")
    assert found[7] == Figure(copied, "log", "build log")
    assert found[1].source == "measured", "what was cached took no time that says anything"
    assert found[8] == costs.UNKNOWN, "neither does what failed"


def test_a_step_by_its_number() -> None:
    """What the log calls otherwise (a heredoc, a variable) is the step of that number where the stage has as many."""
    log = Log("", (Measured("stage-1", 4, 4, "RUN <<EOF (make)", 7.0), Measured("deps", 4, 9, "RUN other", 8.0)))
    assert costs.of(BUILD, 8, (log,)).seconds == 7
    assert costs.of(BUILD, 3, (log,)).source == "typical"


def test_platforms_and_one_stage() -> None:
    raw = {
        "vertexes": [
            {
                "digest": "a",
                "name": "[linux/amd64 2/2] RUN make",
                "started": "2026-11-21T00:00:00Z",
                "completed": "2026-11-21T00:00:03Z",
            }
        ]
    }
    log = costs.read_log(json.dumps(raw))
    assert costs.of(build_of("FROM a\nRUN make\n"), 1, (log,)).seconds == 3


HISTORY = """\
{"Comment":"buildkit.dockerfile.v0","CreatedBy":"RUN /bin/sh -c make # buildkit","ID":"x","Size":"26.2MB"}
{"Comment":"buildkit.dockerfile.v0","CreatedBy":"COPY src /app/x # buildkit","ID":"x","Size":"240MB"}
{"Comment":"buildkit.dockerfile.v0","CreatedBy":"COPY /app /app # buildkit","ID":"x","Size":"120MB"}
{"Comment":"Imported from -","CreatedBy":"","Size":"129MB"}
"""
TABLE = """\
IMAGE          CREATED        CREATED BY                                      SIZE      COMMENT
0438daa2f4f5   1 second ago   RUN /bin/sh -c make # buildkit                  26.2MB    buildkit.dockerfile.v0
<missing>      1 second ago   COPY src /app/x # buildkit                      240MB     buildkit.dockerfile.v0
<missing>      1 second ago   COPY /app /app # buildkit                       120MB     buildkit.dockerfile.v0
"""


@pytest.mark.parametrize("text", [HISTORY, TABLE])
def test_a_history_has_sizes_only(text: str) -> None:
    log = costs.read_log(text)
    assert "sizes only" in log.kind
    assert costs.of(BUILD, 8, (log,)) == costs.UNKNOWN, "no size tells how long a RUN takes"
    assert costs.of(BUILD, 7, (log,)).origin == "240 MB copied"
    assert costs.of(BUILD, 6, (log,)).seconds == pytest.approx(1.1)


@pytest.mark.parametrize(
    "text", ["", "FROM a\n", "{}", "{", "#1 DONE 0.0s\n", '{"vertexes":[1,{"digest":2}]}', '{"vertexes":7}']
)
def test_what_is_no_log(text: str) -> None:
    with pytest.raises(BadLog):
        costs.read_log(text)


@pytest.mark.parametrize(
    ("run", "seconds", "source"),
    [
        ("RUN apt-get update && apt-get install -y curl", 20, "typical"),
        ("RUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y curl", 5, "typical"),
        ("RUN npm ci && npm run build", 60, "typical"),
        ("RUN apt-get update", None, "unknown"),
        ("RUN npm install -g yarn", None, "unknown"),
        ("RUN pip install --upgrade pip", 7.7, "measured"),
        ("RUN pip install -r requirements.txt", 30, "typical"),
        ("RUN go build ./...", 60, "typical"),
        ("RUN composer install", 60, "typical"),
        ("RUN mkdir /x && chmod 700 /x", 0.1, "measured"),
        ("RUN chown -R app /x", None, "unknown"),
        ("RUN make", None, "unknown"),
        ('RUN ["make"]', None, "unknown"),
        ("RUN curl -O https://example.org/x", None, "unknown"),
    ],
)
def test_the_table(run: str, seconds: float | None, source: str) -> None:
    found = costs.of(build_of(f"FROM debian:12\n{run}\n"), 1)
    assert (found.seconds, found.source) == (seconds, source)


def test_each_row_names_its_source() -> None:
    for name, figure in costs.rows():
        assert figure.seconds, name
        assert figure.source in ("measured", "typical")
        assert figure.origin
        assert bool(figure.date) == (figure.source == "measured"), (
            "the typical ones have no date, and the output says so"
        )


def test_the_size_of_what_is_copied(tmp_path: pathlib.Path) -> None:
    (tmp_path / "src").mkdir()
    with open(tmp_path / "src/large", "wb") as file:
        file.truncate(120_000_000)
    found = costs.of(BUILD, 7, (), context.open_context(str(tmp_path)))
    assert found.seconds == pytest.approx(1.1)
    assert (found.source, found.origin) == ("measured", "120 MB copied")


def test_records(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = str(tmp_path / "Dockerfile")
    assert costs.recorded(file).steps == ()
    for seconds in (9.0, 1.0, 2.0, 3.0, 4.0, 5.0):
        step = Measured("stage-1", 4, 4, "RUN make", seconds)
        assert costs.record(file, [step, Measured("deps", 2, 4, "WORKDIR /app", None)], "2026-11-21")
    log = costs.recorded(file)
    assert costs.of(BUILD, 8, (log,)) == Figure(3.0, "record", "earlier builds"), "the median of the last five"
    assert len(log.steps) == 1
    assert costs.recorded(str(tmp_path / "other")).steps == ()
    path = next((tmp_path / "dfopt/costs").iterdir())
    for damage in (
        "",
        "[]",
        '{"version":1,"steps":7}',
        '{"version":1,"steps":[1,{"stage":"","text":"x","times":["a"],"date":""}]}',
    ):
        path.write_text(damage)
        assert costs.recorded(file).steps == ()


def test_the_first_log_that_knows_counts() -> None:
    given = Log("build log", (Measured("stage-1", 4, 4, "RUN make", 1.0),))
    older = Log(
        "earlier builds",
        (Measured("stage-1", 4, 4, "RUN make", 2.0), Measured("", 0, 0, "COPY src /app/x", 3.0)),
        "record",
    )
    assert costs.of(BUILD, 8, (given, older)).source == "log"
    assert costs.of(BUILD, 7, (given, older)) == Figure(3.0, "record", "earlier builds")


def test_what_a_build_tells_is_kept_by_the_text_of_the_file(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = str(tmp_path / "Dockerfile")
    assert not costs.learn(file, BUILD, "no log", "2026-11-21")
    copy = PLAIN.replace("target=/root/.npm ", "target=/root/.npm,id=other-1 ")
    assert costs.learn(file, BUILD, copy, "2026-11-21")
    assert costs.learn(file, BUILD, copy.replace("other-1", "other-2"), "2026-11-21")
    log = costs.recorded(file)
    assert len(log.steps) == 2
    assert costs.of(BUILD, 3, (log,)) == Figure(4.5, "record", "earlier builds")
