"""Plans for languages that run from sources or scripts: what a small project comes to, case by case."""

import json
import pathlib

import pytest

from dfopt.build import Build
from dfopt.rule import Given, Place
from dfopt.source import Source
from dfopt.syntax import parse
from dfopt.synthesis import Plan, plan_of

NODE = "FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\nCMD {start}\n"


def planned(folder: pathlib.Path, dockerfile: str, files: dict[str, str]) -> Plan | str | None:
    for name, text in {**files, "Dockerfile": dockerfile}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    build = Build(parse(Source.from_bytes(dockerfile.encode())))
    assert build.final is not None
    return plan_of(build, Given(place=Place(str(folder / "Dockerfile"), str(folder))), build.final)


def node(
    folder: pathlib.Path,
    script: str,
    start: str = '["node", "dist/main.js"]',
    files: dict[str, str] | None = None,
    **manifest: object,
) -> Plan | str | None:
    text = json.dumps({"scripts": {"build": script, "start": "node dist/main.js"}, **manifest})
    return planned(folder, NODE.format(start=start), {"package.json": text, **(files or {})})


def carried(plan: Plan | str | None) -> list[str]:
    """The folders and files that go to the runtime, or the questions."""
    assert isinstance(plan, Plan), plan
    if plan.questions:
        return [f"?{one.id}" for one in plan.questions]
    return sorted(one.path.removeprefix("/app/") for one in plan.artefacts)


TSC = {"tsconfig.json": '{"compilerOptions": {"outDir": "dist"}}', "src/main.ts": "", "src/mail.hbs": ""}


@pytest.mark.parametrize(
    ("script", "files", "found"),
    [
        ("tsc", TSC, ["dist", "node_modules", "package.json", "src/mail.hbs"]),
        ("tsc --outDir dist", {"src/main.ts": ""}, ["dist", "node_modules", "package.json"]),
        ("tsc -d", {"src/main.ts": ""}, ["?artefact"]),
        ("tsc -b", {"tsconfig.json": '{"references": [], "compilerOptions": {"outDir": "dist"}}'}, ["?artefact"]),
        ("tsc && cp -r src/views dist/views", TSC, ["dist", "node_modules", "package.json", "src/mail.hbs"]),
        ("tsc && cp -r src/views public/views", TSC, ["?artefact"]),
        ("tsc && node scripts/more.js", TSC, ["?artefact"]),
        ("tsc | tee log", TSC, ["?artefact"]),
        ("nest build", {"src/main.ts": ""}, ["dist", "node_modules", "package.json"]),
        ("vite build", {"vite.config.ts": "outDir: path.resolve('x')"}, ["?artefact"]),
        ("vite build", {"vite.config.ts": "root: 'client'"}, ["?artefact"]),
        ("webpack --config prod.js", {"prod.js": "output: { path: path.resolve(__dirname, 'dist') }"}, ["dist", "node_modules", "package.json", "prod.js"]),
        ("webpack", {"webpack.config.js": "output: { path: where() }"}, ["?artefact"]),
        ("turbo build", {}, ["?artefact"]),
        ("BUILD_PATH=x react-scripts build", {}, ["?artefact"]),
    ],
)  # fmt: skip
def test_what_a_script_of_node_fills(
    tmp_path: pathlib.Path, script: str, files: dict[str, str], found: list[str]
) -> None:
    assert carried(node(tmp_path, script, files=files)) == found


def test_scripts_before_and_behind_the_build_count(tmp_path: pathlib.Path) -> None:
    scripts = {"build": "nest build", "postbuild": "node more.js"}
    assert carried(node(tmp_path, "", scripts=scripts)) == ["?artefact"]


def test_sources_that_are_run_are_carried(tmp_path: pathlib.Path) -> None:
    files = {"server.js": "", "src/app.js": "", "src/app.test.js": "", "client/main.jsx": "", "index.html": ""}
    plan = node(tmp_path, "vite build", '["node", "server.js"]', files)
    assert carried(plan) == ["client", "dist", "index.html", "node_modules", "package.json", "server.js", "src/app.js"]


@pytest.mark.parametrize(
    ("start", "manifest", "files", "finish"),
    [
        ('["node", "dist/main.js"]', {"devDependencies": {"typescript": "5"}}, {}, (("npm", "prune", "--omit=dev"),)),
        ('["node", "dist/main.js"]', {"dependencies": {"a": "1"}}, {}, ()),
        ('["npx", "pm2-x", "dist/main.js"]', {"devDependencies": {"pm2-x": "5"}}, {}, None),
        ('["node", "-r", "x/register", "dist/main.js"]', {"devDependencies": {"x": "5"}}, {}, ()),
        ('["node", "dist/main.js"]', {"dependencies": {"@prisma/client": "5"}, "devDependencies": {"prisma": "5"}}, {}, ()),
    ],
)  # fmt: skip
def test_modules_for_development_go_only_where_that_is_right(
    tmp_path: pathlib.Path, start: str, manifest: dict[str, object], files: dict[str, str],
    finish: tuple[tuple[str, ...], ...] | None,
) -> None:  # fmt: skip
    plan = node(tmp_path, "nest build", start, files, **manifest)
    assert isinstance(plan, Plan)
    assert plan.finish.commands == (finish or ())


@pytest.mark.parametrize(
    ("start", "manifest", "files", "why"),
    [
        ('["node", "dist/main.js"]', {"workspaces": ["a"]}, {}, "workspaces"),
        ('["node", "dist/main.js"]', {"dependencies": {"puppeteer": "1"}}, {}, "puppeteer"),
        ('["pnpm", "start"]', {}, {}, "pnpm"),
    ],
)
def test_no_plan_for_node(
    tmp_path: pathlib.Path, start: str, manifest: dict[str, object], files: dict[str, str], why: str
) -> None:
    plan = node(tmp_path, "nest build", start, files, **manifest)
    assert isinstance(plan, str)
    assert why in plan


@pytest.mark.parametrize(
    "start", ['["npm", "run", "dev"]', '["npx", "nodemon", "src/main.ts"]', "npx ts-node src/main.ts"]
)
def test_images_to_develop_in_are_left_alone(tmp_path: pathlib.Path, start: str) -> None:
    assert node(tmp_path, "", start, scripts={"build": "nest build", "dev": "nest start --watch"}) is None


def test_files_without_a_package_json_are_asked_about(tmp_path: pathlib.Path) -> None:
    for text in ("[]", "{", "null", '{"scripts": 1, "dependencies": []}'):
        (tmp_path / "package.json").write_text(text)
        plan = planned(tmp_path, NODE.format(start='["node", "dist/x.js"]'), {"package.json": text})
        assert isinstance(plan, Plan)
        assert [one.id for one in plan.questions] == ["artefact"]
        assert plan.questions[0].choices[0] == "dist"


RUBY = (
    "FROM ruby:3.3-slim-bookworm\nRUN apt-get update && apt-get install -y --no-install-recommends build-essential\nWORKDIR /app\nCOPY . .\n"
    "RUN {install}\nCMD [\"bundle\", \"exec\", \"puma\"]\n"
)  # fmt: skip


@pytest.mark.parametrize(
    ("install", "found"),
    [
        ("bundle install", ["/app", "/usr/local/bundle"]),
        ("bundle install --path /gems", ["/app", "/gems", "/usr/local/bundle"]),
        ("bundle config set path vendor && bundle install", ["/app", "/usr/local/bundle"]),
        ("bundle config --global without test && bundle install", "`bundle config --global`"),
        ("bundle install --path $WHERE", "where Bundler puts the gems"),
        ("BUNDLE_PATH=/gems bundle install", "where Bundler puts the gems"),
        ("export GEM_HOME=/gems && bundle install", "where Bundler puts the gems"),
    ],
)
def test_where_gems_lie(tmp_path: pathlib.Path, install: str, found: list[str] | str) -> None:
    plan = planned(tmp_path, RUBY.format(install=install), {"Gemfile": "", "config.ru": ""})
    if isinstance(found, str):
        assert isinstance(plan, str)
        assert found in plan
    else:
        assert isinstance(plan, Plan)
        assert sorted(one.path for one in plan.artefacts) == found


def test_gems_of_repositories_want_git(tmp_path: pathlib.Path) -> None:
    lock = "GIT\n  remote: x\n\nGEM\n  specs:\n    pg (1.5.6)\n    tzinfo (2.0.6)\n"
    text = RUBY.format(install="bundle install").replace("3.3-slim-bookworm", "3.3-bookworm")
    plan = planned(tmp_path, text, {"Gemfile": "", "Gemfile.lock": lock})
    assert isinstance(plan, Plan)
    assert plan.packages == ("git", "libpq5", "tzdata")
    assert plan.questions == ()


ELIXIR = "FROM elixir:1.16\nWORKDIR /app\nCOPY . .\nRUN {release}\nCMD {start}\n"


@pytest.mark.parametrize(
    ("release", "start", "found"),
    [
        ("MIX_ENV=prod mix release", '["_build/prod/rel/shop/bin/shop", "start"]', "/app/_build/prod/rel/shop"),
        ("mix release", '["_build/dev/rel/shop/bin/shop", "start"]', "/app/_build/dev/rel/shop"),
        ("mix release --path=/out", '["/out/bin/shop", "start"]', "/out"),
        ("mix release admin", '["_build/dev/rel/admin/bin/admin", "start"]', "/app/_build/dev/rel/admin"),
    ],
)
def test_where_a_release_lies(tmp_path: pathlib.Path, release: str, start: str, found: str) -> None:
    plan = planned(tmp_path, ELIXIR.format(release=release, start=start), {"mix.exs": "app: :shop"})
    assert isinstance(plan, Plan)
    assert [one.path for one in plan.artefacts] == [found]


def test_images_that_run_mix_are_left_alone(tmp_path: pathlib.Path) -> None:
    text = ELIXIR.format(release="mix release", start='["mix", "phx.server"]')
    assert planned(tmp_path, text, {"mix.exs": ""}) is None


def test_php_without_compilers_has_nothing_to_split(tmp_path: pathlib.Path) -> None:
    text = "FROM php:8.2-apache\nCOPY . /var/www/html\nRUN composer install\n"
    assert planned(tmp_path, text, {"composer.json": "{}"}) is None
    chosen = text.replace("RUN c", "RUN apt-get install -y libzip-dev && install-php-extensions zip\nRUN c")
    assert isinstance(planned(tmp_path, chosen, {"composer.json": "{}"}), str)


@pytest.mark.parametrize(
    ("before", "install"),
    [
        ("ENV PIP_TARGET=/libs\n", "pip install six"),
        ("ARG PIP_PREFIX=/libs\n", "pip install six"),
        ("", "PYTHONUSERBASE=/x pip install --user six"),
        ("", "export PIP_TARGET=/libs && pip install six"),
    ],
)
def test_no_plan_where_a_variable_moves_packages(tmp_path: pathlib.Path, before: str, install: str) -> None:
    text = 'FROM python:3.12-slim\n{}RUN apt-get update && apt-get install -y gcc\nRUN {}\nCMD ["python", "a.py"]\n'
    assert isinstance(planned(tmp_path, text.format("", "pip install six"), {"a.py": ""}), Plan)
    plan = planned(tmp_path, text.format(before, install), {"a.py": ""})
    assert isinstance(plan, str) and "says where packages go" in plan
