"""Where caches are, and where a clean-up may be put."""

import pytest

from dfopt import caches, layers, rewrite
from dfopt.build import Build
from dfopt.packages import Use
from dfopt.source import Source, apply_edits
from dfopt.syntax import parse


def read(text: str) -> Build:
    return Build(parse(Source(text)))


def last_use(build: Build) -> tuple[int, Use]:
    """The last package manager's command of a file, and the index of its RUN."""
    for index in reversed(range(len(build.instructions))):
        run = build.run(index)
        if run is not None and run.uses:
            return index, run.uses[-1]
    raise AssertionError("no command of a package manager")


@pytest.mark.parametrize(("script", "after", "operator"), [
    ("a && b", 0, "&&"),
    ("a && b && c", 1, "&&"),
    ("a; b", 0, ";"),
    ("set -e; a; b", 1, ";"),
    ("a && b; c", 0, "&&"),
    ("a || b; c", 1, ";"),
    ("(cd x && exit 1) && b", 0, "&&"),
    ("a && b || exit 1; c", 2, None),
    ("a && exit 3; c", 0, "&&"),
    ("a || b && c", 1, "&&"),
    ("a || b", 0, None),
    ("a && b || c", 0, None),
    ("a; echo $?", 0, None),
    ("a & b", 0, None),
    ("exit 0; b", 0, None),
    ("a && b & c", 0, None),
    ("a | b && c", 0, "&&"),
    ("a", 0, "&&"),
    ("a || b", 1, "&&"),
])  # fmt: skip
def test_the_operator_behind_a_command(script: str, after: int, operator: str | None) -> None:
    assert rewrite.joint_behind(read(f"FROM debian\nRUN {script}\n"), 1, after) == operator


@pytest.mark.parametrize(("run", "after", "expected"), [
    ("RUN a && b\n", 0, "RUN a && X && b\n"),
    ("RUN a; b\n", 0, "RUN a; X; b\n"),
    ("RUN a \\\n && b\n", 0, "RUN a \\\n && X \\\n && b\n"),
    ("RUN a && \\\n    b && \\\n    c\n", 1, "RUN a && \\\n    b && \\\n    X && \\\n    c\n"),
    ("RUN a; \\\n    b\n", 0, "RUN a; \\\n    X; \\\n    b\n"),
    ("RUN a \\\n    # of b\n && b\n", 0, "RUN a \\\n && X \\\n    # of b\n && b\n"),
    ("RUN <<EOF\na\nb\nEOF\n", 0, "RUN <<EOF\na\nX\nb\nEOF\n"),
    ("RUN <<EOF\n  a # why\n  b\nEOF\n", 0, "RUN <<EOF\n  a # why\n  X\n  b\nEOF\n"),
])  # fmt: skip
def test_a_command_is_put_behind_another_in_the_same_layout(run: str, after: int, expected: str) -> None:
    build = read("FROM debian\n" + run)
    operator = rewrite.joint_behind(build, 1, after)
    assert operator is not None
    edit = rewrite.append_commands(build, 1, [rewrite.Added("X")], operator, after)
    assert edit is not None
    assert apply_edits(build.syntax.source.text, [edit]) == "FROM debian\n" + expected


@pytest.mark.parametrize(("text", "version"), [
    ("FROM node:20\nWORKDIR /app\nCOPY package.json yarn.lock ./\nRUN yarn install", "1"),
    ("FROM node:20\nWORKDIR /app\nCOPY package*.json yarn.lock* ./\nRUN yarn", "1"),
    ("FROM node:20\nRUN yarn global add serve", "1"),
    ("FROM node:20\nWORKDIR /app\nCOPY . .\nRUN yarn install --production", "1"),
    ("FROM node:20\nCOPY . /elsewhere\nWORKDIR /app\nCOPY package.json ./\nRUN yarn install", "1"),
    ("FROM node:20\nWORKDIR /app\nCOPY . .\nRUN yarn install", ""),
    ("FROM node:20\nWORKDIR /app\nCOPY package.json .yarnrc.yml ./\nRUN yarn install", ""),
    ("FROM node:20\nRUN corepack enable\nWORKDIR /app\nCOPY package.json ./\nRUN yarn install", ""),
    ("FROM node:20\nWORKDIR $X\nCOPY package.json ./\nRUN yarn install", ""),
    ("FROM node:20 AS base\nWORKDIR /app\nCOPY . .\nFROM base\nRUN yarn install", ""),
    ("FROM node:20\nWORKDIR /app\nCOPY . .\nRUN yarn install --immutable", "2"),
])  # fmt: skip
def test_which_yarn_it_is(text: str, version: str) -> None:
    build = read(text)
    assert caches.yarn_version(build, *last_use(build)) == version


@pytest.mark.parametrize(("text", "paths"), [
    ("FROM node:20\nRUN npm ci", ["/root/.npm/_cacache"]),
    ("FROM node:20\nENV NPM_CONFIG_CACHE=/c\nRUN npm ci", ["/c/_cacache"]),
    ("FROM node:20\nRUN yarn global add x", ["/usr/local/share/.cache/yarn"]),
    ("FROM node:20\nUSER node\nRUN yarn global add x", ["/home/node/.cache/yarn"]),
    ("FROM node:20\nRUN pnpm install", ["/root/.cache/pnpm"]),
    ("FROM golang:1.22\nRUN go mod download", ["/go/pkg/mod"]),
    ("FROM golang:1.22\nRUN go build .", ["/go/pkg/mod", "/root/.cache/go-build"]),
    ("FROM eclipse-temurin:21-jdk-jammy\nRUN ./gradlew build", ["/root/.gradle/caches", "/root/.gradle/wrapper"]),
    ("FROM eclipse-temurin:21-jdk-jammy\nRUN gradle build", ["/root/.gradle/caches"]),
    ("FROM ruby:3.3\nRUN gem install x", ["/usr/local/bundle/cache"]),
    ("FROM ruby:3.3\nENV GEM_HOME=/g\nRUN bundle install", ["/g/cache"]),
    ("FROM ruby:3.3\nENV BUNDLE_PATH=/b/\nRUN bundle install", ["/b/ruby/*/cache"]),
    ("FROM ruby:3.3\nENV BUNDLE_PATH=vendor\nRUN bundle install", [None]),
    ("FROM ruby:3.3\nENV BUNDLE_DEPLOYMENT=1\nRUN bundle install", [None]),
    ("FROM ruby:3.3\nRUN bundle install --path vendor", [None]),
    ("FROM ruby:3.3\nRUN gem install --user-install x", [None]),
    ("FROM alpine:3.20\nRUN apk add --no-cache ruby && gem install x", ["/usr/lib/ruby/gems/*/cache"]),
    ("FROM alpine:3.20\nRUN gem install x", [None]),
    ("FROM debian:12\nRUN apt-get install -y ruby\nUSER app\nRUN gem install x", [None]),
    ("FROM continuumio/miniconda3\nRUN conda install -y x", ["/opt/conda/pkgs"]),
    ("FROM debian:12\nRUN bash ~/miniconda.sh -bfp /opt/c && conda install -y x", ["/opt/c/pkgs"]),
    ("FROM debian:12\nRUN bash m.sh -b && bash mambaforge.sh -b -p $X && mamba install -y x", [None]),
    ("FROM example.com/x\nRUN npm ci", [None]),
])  # fmt: skip
def test_where_a_command_leaves_what_it_fetched(text: str, paths: list[str | None]) -> None:
    build = read(text)
    assert [path for _, path in caches.kept(build, *last_use(build))] == paths


@pytest.mark.parametrize(("text", "uncertain"), [
    ("FROM node:20\nENV V=1.2.3\nRUN npm install x@${V}", False),
    ("FROM node:20\nENV V='1.2.3 --cache /x'\nRUN npm install x@${V}", True),
    ("FROM node:20\nENV V=--cache=/x\nRUN npm install $V", True),
    ("FROM node:20\nARG V=1.2.3\nRUN npm install x@$V", True),
    ("FROM node:20\nRUN npm install $(cat list)", True),
    ("FROM node:20\nRUN npm install x", False),
])  # fmt: skip
def test_whether_words_may_be_options(text: str, uncertain: bool) -> None:
    build = read(text)
    assert caches.uncertain(build, *last_use(build)) == uncertain


@pytest.mark.parametrize(("text", "deleted"), [
    ("FROM node:20\nRUN npm ci\nRUN npm cache clean --force", True),
    ("FROM node:20\nRUN npm ci\nRUN rm -rf ~/.npm", True),
    ("FROM node:20\nRUN npm ci\nRUN npm install -g x && npm cache clean --force", False),
    ("FROM node:20\nRUN npm ci\nRUN rm -rf /tmp/*", False),
    ("FROM node:20 AS a\nRUN npm ci\nFROM a\nRUN rm -rf /root/.npm", False),
])  # fmt: skip
def test_what_is_deleted_too_late(text: str, deleted: bool) -> None:
    build = read(text)
    assert layers.deleted_later(build, build.stages[0], 1, "/root/.npm/_cacache") == deleted


@pytest.mark.parametrize(("text", "keeps"), [
    ("FROM debian:12\nRUN apt-get install -y x", False),
    ("FROM debian:12\nRUN rm -f /etc/apt/apt.conf.d/docker-clean\nRUN apt-get install -y x", True),
    ("FROM debian:12\nRUN rm -f /etc/apt/apt.conf.d/docker-clean; apt-get install -y x", True),
    ("FROM debian:12 AS a\nRUN rm -f /etc/apt/apt.conf.d/docker-clean\nFROM a\nRUN apt-get install -y x", True),
    ("FROM debian:12 AS a\nRUN rm -f /etc/apt/apt.conf.d/docker-clean\nFROM debian:12\nRUN apt-get install -y x", False),
])  # fmt: skip
def test_whether_apt_keeps_archives(text: str, keeps: bool) -> None:
    build = read(text)
    index, use = last_use(build)
    assert caches.keeps_archives(build, index, use.command.start) == keeps


@pytest.mark.parametrize(("lines", "owner", "ids"), [
    ("FROM debian", "5", "5:5"),
    ("FROM debian", "root", "0:0"),
    ("FROM debian", "7:root", "7:0"),
    ("FROM debian", "www-data", "33:33"),
    ("FROM debian", "root:www-data", "0:33"),
    ("FROM alpine", "www-data", None),
    ("FROM node", "node:node", "1000:1000"),
    ("FROM node\nRUN usermod -u 5 node", "node", None),
    ("FROM node\nRUN groupmod -g 5 node", "root:node", None),
    ("FROM example.com/x", "root", None),
    ("FROM debian\nRUN useradd -u 1001 app", "app", None),
    ("FROM debian\nRUN useradd -u 1001 -g 1002 app", "app", "1001:1002"),
    ("FROM debian\nRUN useradd -u 1001 -g 1002 app", "app:app", None),
    ("FROM debian\nRUN groupadd --gid=1003 app && useradd --uid 1001 --gid app app", "app", "1001:1003"),
    ("FROM debian\nRUN groupadd --gid=1003 app && useradd --uid 1001 --gid app app", "app:app", "1001:1003"),
    ("FROM alpine\nRUN addgroup -g 1003 app && adduser -D -u 1001 -G app app", "app:app", "1001:1003"),
    ("FROM alpine\nRUN addgroup -g 1003 app && adduser -D -u 1001 -G app app", "app", None),
    ("FROM debian\nRUN groupadd app && useradd -u 1001 -g app app", "app", None),
    ("FROM debian\nRUN useradd -u 1001 -g 1002 app || true", "app", None),
    ("FROM debian\nRUN id app || useradd -u 1001 -g 1002 app", "app", None),
    ("FROM debian\nRUN useradd -u $ID -g 1002 app", "app", None),
    ("FROM debian\nRUN useradd -u 1001 -g 1002 app && usermod -g 5 app", "app", None),
    ("FROM debian AS one\nRUN useradd -u 1001 -g 1002 app\nFROM one", "app", "1001:1002"),
])  # fmt: skip
def test_the_numbers_of_an_owner(lines: str, owner: str, ids: str | None) -> None:
    build = read(f"{lines}\nCOPY a /b\n")
    assert caches.ids(build, len(build.instructions) - 1, owner) == ids
