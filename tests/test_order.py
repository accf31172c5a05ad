"""The order in which fixes are made does not matter: any subset of rules, its fixes made one at a time in any order, comes to rest at
what the engine makes of the file.

Files: the examples of all pages, the hazards of `fixtures/pitfalls`, generated ones in which several rules meet, and real ones where they
are. DFOPT_ORDER=N makes N walks of each kind (the default is a sample).
"""

import os
import pathlib
import random
import re
import time
from collections.abc import Sequence
from typing import NamedTuple

import pages
import pytest
from hypothesis import Phase, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from real_files import corpus_files

from dfopt import catalogue, engine, normal
from dfopt.build import Build
from dfopt.rule import Given, Rule
from dfopt.source import Source
from dfopt.syntax import parse

COUNT = int(os.environ.get("DFOPT_ORDER", "0"))
SEED = int(os.environ.get("DFOPT_ORDER_FIRST", "0"))
STEPS = 150
PITFALLS = pathlib.Path(__file__).parent / "fixtures" / "pitfalls"
POLICIES = tuple(
    Given(cache=cache, assembly=assembly) for cache in ("auto", "mount", "clean") for assembly in ("auto", "always")
)


class Case(NamedTuple):
    """What a walk starts from. `rules` are names; `seed` gives the order of the fixes."""

    text: str
    rules: tuple[str, ...]
    given: Given
    unsafe: bool
    seed: int


def chosen(names: Sequence[str]) -> tuple[Rule, ...]:
    return tuple(rule for rule in catalogue.rules(["ALL"]) if rule.info.name in names)


class Walk(NamedTuple):
    """A text at rest, by which fixes it was reached (in order), and what went wrong on the way, "" where nothing did."""

    text: str
    made: tuple[str, ...]
    wrong: str


def walk(case: Case, free: bool = False) -> Walk:
    """The fixes of the case made one at a time in random order, until none is left: those that the engine would make now, or, as in an
    editor, any (`free`)."""
    rules, chance = chosen(case.rules), random.Random(case.seed)
    source = Source(case.text)
    made: list[str] = []
    seen = {case.text}
    for _ in range(STEPS):
        diagnostics = engine.check(source, rules, case.given).diagnostics
        offers = engine.offered(diagnostics, case.unsafe)
        if free:
            found = [engine.Offer(one, one.fix) for one in diagnostics if one.fix is not None and one.fix.edits]
            offers = [one for one in found if one.fix.safe or case.unsafe]
        if not offers:
            return Walk(source.text, tuple(made), "")
        diagnostic, fix = chance.choice(offers)
        name = diagnostic.name
        made.append(name)
        try:
            source = engine.apply_fix(source, fix, case.given)
        except ValueError as error:
            return Walk(source.text, tuple(made), f"{name} broke its promise: {error}")
        if source.text in seen:
            return Walk(source.text, tuple(made), "a text came back")
        seen.add(source.text)
    return Walk(source.text, tuple(made), f"it is not at rest after {STEPS} fixes")


def different(one: str, other: str) -> list[str]:
    """What stands differently in the normal forms of two texts."""
    first, second = (normal.form_of(Build(parse(Source(text)))) for text in (one, other))
    return normal.differences(first, second)


def wrong(case: Case) -> str:
    """What is wrong with the case, "" where the order does not matter."""
    fixed = engine.fix(Source(case.text), chosen(case.rules), case.given, unsafe=case.unsafe)
    if fixed.faults:
        return f"the engine: {fixed.faults[0].message}"
    walked = walk(case)
    if not walked.made and not fixed.applied:
        return ""
    if walked.wrong:
        return f"one at a time ({' '.join(walked.made)}): {walked.wrong}"
    differences = different(fixed.source.text, walked.text)
    if differences:
        ways = f"engine: {' '.join(one.name for one in fixed.applied)}; one at a time: {' '.join(walked.made)}"
        return f"{differences[0]}\n{ways}\n--- engine\n{fixed.source.text}\n--- one at a time\n{walked.text}"
    again = engine.fix(Source(walked.text), chosen(case.rules), case.given, unsafe=case.unsafe)
    if again.source.text != walked.text:
        return f"the engine goes on: {' '.join(one.name for one in again.applied)}"
    freely = walk(case, free=True)
    if freely.wrong:
        return f"as in an editor ({' '.join(freely.made)}): {freely.wrong}"
    return ""


def smallest(case: Case) -> Case:
    """The case with fewer rules and lines, as far as they still show that something is wrong, and as a few seconds allow."""
    until = time.monotonic() + 10
    for name in case.rules:
        less = case._replace(rules=tuple(other for other in case.rules if other != name))
        if wrong(less):
            case = less
    lines = case.text.splitlines(keepends=True)
    size = len(lines) // 2
    while size and time.monotonic() < until:
        for first in range(len(lines) - size, -1, -size):
            less = case._replace(text="".join(lines[:first] + lines[first + size :]))
            if wrong(less):
                case, lines = less, lines[:first] + lines[first + size :]
        size //= 2
    return case


def say(case: Case) -> str:
    small = smallest(case)
    return (
        f"{' '.join(small.rules)} (cache={small.given.cache}, assembly={small.given.assembly},"
        f" {'unsafe' if small.unsafe else 'safe'}, seed {small.seed})\n{wrong(small)}\n--- before\n{small.text}\n"
    )


def case_of(text: str, number: int, given: Given | None = None) -> Case:
    """A random case of a text; the same in every run."""
    chance = random.Random(number)
    names = [info.name for info in catalogue.infos()]
    share = chance.choice((1.0, 0.8, 0.5, 0.3))
    rules = tuple(name for name in names if chance.random() < share)
    return Case(text, rules, given or chance.choice(POLICIES), chance.random() < 0.6, number)


def holds(cases: Sequence[Case]) -> None:
    failed = [say(case) for case in cases if wrong(case)]
    assert not failed, f"{len(failed)} of {len(cases)}\n" + "\n".join(failed[:3])


def sample(texts: Sequence[str], usual: int) -> list[Case]:
    """Cases over the texts: `usual` of them, spread evenly, or DFOPT_ORDER."""
    count = COUNT or usual
    chance = random.Random(SEED)
    order = list(range(len(texts)))
    chance.shuffle(order)
    return [case_of(texts[order[number % len(order)]], SEED + number) for number in range(count)]


def test_examples_of_the_pages() -> None:
    holds(sample([example.text for example in pages.examples()], 150))


def test_pitfalls() -> None:
    texts = [Source.from_bytes(path.read_bytes()).text for path in sorted(PITFALLS.glob("*.Dockerfile"))]
    holds(sample(texts, 100))


def test_real_files() -> None:
    texts = [Source.from_bytes(data).text for _, data in corpus_files()]
    holds(sample(texts, 40))


# Where the order once mattered: a merge and a mount, a flag and a merge, a mount and a clean-up, two updates, two installs, two assemblies.
KNOWN = (
    "FROM python:3\nRUN apt-get update && apt-get -y install git\nRUN pip install tensorflow\nRUN apt-get autoremove -y && rm -rf /var/lib/apt/lists/*\n",
    "FROM alpine:3.20\nRUN touch /a && apk add gcc\nRUN rm -rf /root/.cache/pip && apk upgrade\nRUN touch /b && rm -rf /var/cache/apk/*\n",
    "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y curl # why\n",
    "FROM debian:bookworm-slim\nRUN rm -rf /var/lib/apt/lists/*; apt-get update; touch /a\nRUN rm -rf /var/lib/apt/lists/* && apt-get update\n",
    "FROM node:20-slim\nCOPY package.json ./\nRUN npm install && npm install && touch /a\n",
    "FROM node:20-slim\nRUN apt-get clean; curl -fsSLo /tmp/t.tgz https://example.com/t\nRUN apt-get update; cat /etc/os-release\n"
    "RUN rm -rf /var/lib/apt/lists/* /tmp/*\n",
    "FROM debian:bookworm-slim AS a\nRUN mkdir /o\nFROM debian:bookworm-slim AS dev\nCOPY --from=a /o/1.txt /d/1.txt\nCOPY --from=a /o/2.txt /d/2.txt\n"
    "RUN true\nCOPY --from=a /o/3.txt /e/3.txt\nCOPY --from=a /o/4.txt /e/4.txt\nFROM dev\nCOPY --from=a /o/1.txt /f/1.txt\nCOPY --from=a /o/2.txt /f/2.txt\n",
)  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_where_the_order_once_mattered(text: str) -> None:
    names = tuple(info.name for info in catalogue.infos())
    cases = [Case(text, names, given, unsafe, 7) for given in POLICIES for unsafe in (False, True)]
    holds([*cases, *(case_of(text, number) for number in range(20))])


# -------------------------------------------------------------------------------------------------------- generated

_COMMANDS = {
    "debian": """apt-get update|apt-get update|apt-get update|apt-get install -y curl|apt-get install -y --no-install-recommends gcc libpq-dev
apt-get install -y build-essential|apt-get upgrade -y|apt-get clean|rm -rf /var/lib/apt/lists/*|rm -rf /var/lib/apt/lists/* /tmp/*|rm -rf /var/cache/apt/*
apt-get purge -y gcc|apt-get autoremove -y|apt-get purge -y --auto-remove build-essential
apt-get update && apt-get install -y wget|apt-get update && apt-get install -y wget git && rm -rf /var/lib/apt/lists/*""",
    "alpine": """apk update|apk add curl|apk add --no-cache git|apk add --virtual .build-deps gcc musl-dev|apk add --no-cache --virtual .build gcc
apk del .build-deps|apk del gcc|rm -rf /var/cache/apk/*|apk update && apk add wget|apk upgrade""",
    "fedora": """dnf install -y nginx|dnf install -y gcc|dnf clean all|dnf upgrade -y|rm -rf /var/cache/dnf|dnf install -y git && dnf clean all|dnf -y update|yum install -y make
yum clean all|microdnf install -y tar|microdnf clean all""",
}
_ANY = """pip install flask|pip install --no-cache-dir flask|pip install -r requirements.txt|pip install -r requirements.txt|pip cache purge|rm -rf /root/.cache/pip|pip install .
rm -rf ~/.cache|npm ci|npm install|npm install -g yarn|npm ci --omit=dev|npm run build|npm cache clean --force|npm prune --production|rm -rf /root/.npm|yarn install|yarn install --frozen-lockfile
yarn cache clean|pnpm install|go build -o /bin/app .|go mod download|cargo build --release|bundle install|composer install|uv sync|uv pip install --system flask
poetry install|conda install -y numpy|conda clean -afy|mvn package|gem install rails
curl -fsSLo /tmp/t.tgz https://example.com/t.tgz|curl -fsSLo /tmp/t.tgz https://example.com/t.tgz|tar xzf /tmp/t.tgz -C /opt|tar xzf /tmp/t.tgz -C /opt|rm /tmp/t.tgz|rm -f /tmp/t.tgz
wget -O /opt/x.zip https://example.com/x.zip|unzip /opt/x.zip -d /opt|rm /opt/x.zip|rm -rf /tmp/*
chown -R app:app /app|chown -R app /app|chmod -R 755 /app|chmod +x /app/start.sh|chmod 755 /usr/local/bin/tool|useradd app|groupadd -r app && useradd -r -g app app
mkdir -p /app/data|mv /app/a /app/b|cp /app/tool /usr/local/bin/tool|rm -rf /app/models|rm /app/secret.key|cd /opt|cd /app && make|export A=1|set -e|set -eux|umask 027|echo hi > /app/x|ln -s /opt /lnk
find / -name "*.pyc" -delete|touch /app/y|echo $A|cat /etc/os-release|python -m compileall /app|ldconfig|. /etc/profile|test -e /app || true"""
_BETWEEN = """COPY . .|COPY . /app|COPY requirements.txt .|COPY requirements.txt ./|COPY package.json package-lock.json ./|COPY package*.json ./|COPY app.tar.gz /tmp/|ADD app.tar.gz /opt/
ADD https://example.com/t.tgz /tmp/t.tgz|COPY --chown=app . /app|COPY start.sh /app/start.sh|COPY tool /usr/local/bin/tool|COPY models /app/models|COPY secret.key /app/secret.key|COPY pyproject.toml poetry.lock ./
COPY go.mod go.sum ./|COPY Cargo.toml Cargo.lock ./|COPY src ./src|COPY Gemfile Gemfile.lock ./|COPY uv.lock pyproject.toml ./
USER app|USER root|USER 1000|WORKDIR /app|WORKDIR /srv|WORKDIR /opt|ENV A=1|ENV PIP_NO_CACHE_DIR=1|ENV HOME=/home/app|ENV PIP_CACHE_DIR=/cache|ENV NODE_ENV=production|ARG B=2|ENV DEBIAN_FRONTEND=noninteractive
SHELL ["/bin/bash", "-o", "pipefail", "-c"]|LABEL a=b|EXPOSE 80|VOLUME /app/data|# about|# hadolint ignore=DL3008||STOPSIGNAL SIGTERM|HEALTHCHECK NONE"""
_BASES = {
    "debian": ("debian:bookworm-slim", "python:3.12-slim", "node:20-slim", "ubuntu:24.04", "python:3.12", "example.com/base:1"),
    "alpine": ("alpine:3.20", "python:3.12-alpine", "node:20-alpine", "golang:1.22-alpine"),
    "fedora": ("fedora:40", "rockylinux:9", "registry.access.redhat.com/ubi9/ubi-minimal"),
}  # fmt: skip
_MOUNTS = (
    "--mount=type=cache,target=/root/.cache/pip ", "--mount=type=cache,target=/root/.npm ", "--mount=type=cache,target=/var/cache/apt,sharing=locked ",
    "--mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt/lists,sharing=locked ",
    "--mount=type=bind,target=/src ", "--network=none ",
)  # fmt: skip
_LAST = (
    'CMD ["python", "main.py"]\n',
    'CMD ["node", "server.js"]\n',
    "CMD npm start\n",
    'ENTRYPOINT ["/app/start.sh"]\n',
    "",
)


def _words(text: str) -> list[str]:
    return re.split(r"[|\n]", text.replace(" || ", " \0 "))


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    """A Dockerfile in which several rules meet: package commands split over RUNs, copies, users, mounts, several stages."""
    family = draw(st.sampled_from(sorted(_COMMANDS)))
    own, any_, between = (_words(text) for text in (_COMMANDS[family], _ANY, _BETWEEN))
    command = st.one_of(st.sampled_from(own), st.sampled_from(any_)).map(lambda text: text.replace("\0", "||"))

    def run(mount: int, commands: list[str], style: int) -> str:
        flags = _MOUNTS[mount] if mount < len(_MOUNTS) else ""
        if style == 9:
            return f"RUN {flags}<<EOF\nset -e\n" + "\n".join(commands) + "\nEOF\n"
        joints = {5: " && \\\n    ", 6: " \\\n # why\n && ", 7: "; ", 8: "; \\\n    "}
        return f"RUN {flags}" + joints.get(style, " && " if style < 3 else " \\\n && ").join(commands) + "\n"

    runs = st.builds(run, st.integers(0, 80), st.lists(command, min_size=1, max_size=4), st.integers(0, 9))
    line = st.one_of(runs, runs, st.sampled_from(between).map(lambda text: text + "\n"))
    body = st.lists(line, min_size=2, max_size=7).map("".join)
    base = st.sampled_from(_BASES[family])
    text = draw(st.sampled_from(("", "", "", "# syntax=docker/dockerfile:1\n", "# check=skip=all\n")))
    stages = draw(st.sampled_from((1, 1, 1, 2, 3)))
    for number in range(stages - 1):
        text += f"FROM {draw(base)} AS stage{number}\n" + draw(body)
    text += f"FROM {draw(st.one_of(base, st.just(f'stage{stages - 2}'))) if stages > 1 else draw(base)}\n" + draw(body)
    for _ in range(draw(st.integers(0, 3)) if stages > 1 else 0):
        path = draw(st.sampled_from(("/app/dist", "/usr/local/bin/tool", "/root/.local", "/opt/a", "/app/data.txt")))
        owner = draw(st.sampled_from(("", "", "--chown=1000 ")))
        text += f"COPY --from=stage{draw(st.integers(0, stages - 2))} {owner}{path} {draw(st.sampled_from((path, '/srv/' + path.rpartition('/')[2])))}\n"
    if stages > 1:
        text += draw(body)
    text += draw(st.sampled_from(_LAST))
    return text


# The same files in every run; `smallest` finds in seconds what Hypothesis would in minutes.
@settings(max_examples=COUNT or 200, derandomize=True, phases=(Phase.explicit, Phase.generate))
@for_all(dockerfiles(), st.integers(0, 1 << 30))
def test_generated_files(text: str, number: int) -> None:
    case = case_of(text, SEED + number)
    if wrong(case):
        pytest.fail(say(case))
