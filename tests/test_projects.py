"""What the file tells of a project's dependencies."""

import pytest

from dfopt import projects
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse


def of(text: str) -> tuple[Build, int]:
    """A build, and the index of its last RUN (0 where it has none)."""
    build = Build(parse(Source(text)))
    return build, max((index for index, one in enumerate(build.instructions) if one.name == "RUN"), default=0)


@pytest.mark.parametrize(
    ("image", "major"),
    [
        ("node:20-alpine", 20),
        ("node:14.17.0", 14),
        ("docker.io/library/node:18", 18),
        ("node:hydrogen-slim", 18),
        ("node", projects.NEWEST),
        ("node:lts", projects.NEWEST),
        ("node:alpine", projects.NEWEST),
        ("node@sha256:abc", None),
        ("debian:12", None),
        ("example.com/node:20", None),
    ],
)
def test_the_release_of_node_is_read_from_the_tag(image: str, major: int | None) -> None:
    build, _ = of(f"FROM {image} AS base\nFROM base\n")
    assert projects.node_major(build, build.stages[1]) == major


@pytest.mark.parametrize(
    ("text", "is_new"),
    [
        ("FROM node:14\nRUN npm ci\n", False),
        ("FROM node:15\nRUN npm ci\n", True),
        ("FROM node:14\nRUN npm install -g npm@8\nRUN npm ci\n", True),
        ("FROM node:20\nRUN npm install -g npm@6.14\nRUN npm ci\n", False),
        ("FROM node:14\nRUN npm install -g npm\nRUN npm ci\n", True),
        ("FROM node:14\nARG V\nRUN npm install -g npm@$V\nRUN npm ci\n", None),
        ("FROM debian\nRUN npm ci\n", None),
        ("ARG V=20\nFROM node:$V\nRUN npm ci\n", None),
        # What comes later says nothing.
        ("FROM node:14 AS other\nRUN npm ci\nFROM node:14\nRUN npm ci\nCMD x\n", False),
    ],
)
def test_the_version_of_npm(text: str, is_new: bool | None) -> None:
    build, index = of(text)
    assert projects.npm_is_new(build, index) is is_new


@pytest.mark.parametrize(
    ("lines", "is_first"),
    [
        ("COPY package.json yarn.lock ./", True),
        ("COPY . .", None),
        ("COPY *yarn* ./", True),
        ("COPY .yarnrc.yml ./", False),
        ("COPY .yarn/releases /app/.yarn/releases", False),
        ("RUN corepack enable", None),
        ("RUN corepack prepare yarn@4.1.0 --activate", False),
        ("RUN yarn set version berry", False),
        ("COPY . .\nRUN npm install -g yarn", True),
    ],
)
def test_which_yarn_it_is(lines: str, is_first: bool | None) -> None:
    build, index = of(f"FROM node:20\nWORKDIR /app\n{lines}\nRUN yarn install\n")
    assert projects.yarn_is_first(build, index) is is_first


@pytest.mark.parametrize(
    ("script", "folder"),
    [
        ("npm ci", "/app"),
        ("npm ci --prefix client", "/app/client"),
        ("cd client && npm ci", "/app/client"),
        ("cd /srv && cd x && npm ci", "/srv/x"),
        ("(cd client && npm ci)", "/app/client"),
        ("(cd client && make) && npm ci", None),
        ("cd $X && npm ci", None),
        ("pushd client && npm ci", None),
        ("cd - && npm ci", None),
    ],
)
def test_the_folder_that_an_install_works_in(script: str, folder: str | None) -> None:
    build, index = of(f'FROM node:20\nSHELL ["/bin/bash", "-c"]\nWORKDIR /app\nRUN {script}\n')
    run = build.run(index)
    assert run is not None
    use = next(use for use in run.uses if use.manager.name == "npm")
    assert projects.folder(build, index, run, use) == folder


@pytest.mark.parametrize(
    ("lines", "lock"),
    [
        ("COPY package.json package-lock.json ./", ("package-lock.json", "package-lock.json", True)),
        ("COPY web/package-lock.json /app/package-lock.json", ("package-lock.json", "web/package-lock.json", True)),
        ("COPY web/package-lock.json /app", ("package-lock.json", "web/package-lock.json", True)),
        ("COPY package*.json ./", ("package-lock.json", "package*.json", False)),
        ("COPY package-lock.json ./\nCOPY package*.json ./", ("package-lock.json", "package-lock.json", True)),
        ("COPY npm-shrinkwrap.json ./", ("npm-shrinkwrap.json", "npm-shrinkwrap.json", True)),
        ("COPY . .", None),
        ("COPY * ./", None),
        ("COPY package-lock.json /other/", None),
        ("COPY package-lock.json ./\nRUN rm package-lock.json", None),
        ("COPY yarn.lock ./", None),
    ],
)
def test_a_lock_file_is_found_where_it_is_named(lines: str, lock: tuple[str, str, bool] | None) -> None:
    build, index = of(
        f"FROM node:20 AS base\nWORKDIR /app\n{lines}\nFROM base\nRUN npm install\nCOPY package-lock.json .\n"
    )
    run = build.run(index)
    assert run is not None
    assert projects.lock(build, index, run, run.uses[0]) == lock


@pytest.mark.parametrize(
    ("lines", "serves"),
    [
        ('CMD ["node", "server.js"]', True),
        ('CMD ["node", "build/server.js"]', True),
        ('ENTRYPOINT ["tini", "--"]\nCMD ["node", "test.js"]', True),
        ("CMD exec gunicorn app:app", True),
        ('CMD ["npm", "run", "dev"]', False),
        ('CMD ["npm", "run", "start:dev"]', False),
        ("CMD node_modules/.bin/nodemon server.js", False),
        ('CMD ["bash"]', False),
        ('ENTRYPOINT ["tini", "--"]\nCMD ["/bin/bash", "-l"]', False),
        ('CMD ["sleep", "infinity"]', False),
        ("ENV NODE_ENV=development\nCMD node server.js", False),
        ("", False),
    ],
)
def test_what_an_image_is_started_for(lines: str, serves: bool) -> None:
    build, _ = of(f"FROM debian AS base\n{lines}\nFROM base AS final\n")
    assert projects.serves(build, build.stages[1]) is serves


def test_the_stage_and_the_base_speak_too() -> None:
    build, _ = of("FROM nginx:1.27\nFROM node AS dev\nCMD node x.js\nFROM php:8.3-fpm\nFROM php:8.3-cli\n")
    assert [projects.serves(build, stage) for stage in build.stages] == [True, False, True, False]
