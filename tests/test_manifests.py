"""What an install of dependencies reads: the table of cases, each a small project and a command."""

import json
import pathlib

import pytest

from dfopt import context, engine, manifests, packages, shell
from dfopt.build import Build
from dfopt.catalogue import rules
from dfopt.rule import Given, Place
from dfopt.source import Source
from dfopt.syntax import parse

LOCK = json.dumps({"packages": {"": {}, "node_modules/a": {}}})


def read(folder: pathlib.Path, command: str, files: dict[str, str], **environment: str) -> manifests.Reading | str:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    script = shell.read(command, "sh")
    use = next(filter(None, (packages.recognise(simple) for simple, _ in shell.simple_commands(script))))
    project = manifests.Project(context.open_context(str(folder)), "", "/app")
    return manifests.reading(use, project, environment)


READS = [
    ("npm ci", {"package.json": "{}", "package-lock.json": LOCK}, ("package.json", "package-lock.json")),
    ("npm ci", {"package.json": "{}", "npm-shrinkwrap.json": LOCK, ".npmrc": "save-exact=true"}, ("package.json", "npm-shrinkwrap.json", ".npmrc")),
    ("npm ci --ignore-scripts", {"package.json": '{"scripts": {"prepare": "tsc"}}', "package-lock.json": "{}"}, ("package.json", "package-lock.json")),
    ("npm ci", {"package.json": '{"scripts": {"test": "jest"}}', "package-lock.json": LOCK}, ("package.json", "package-lock.json")),
    ("pip install -r a.txt -c b.txt", {"a.txt": "--requirement=c/d.txt\nsix \\\n  --hash=x\n# -e .\n", "b.txt": "", "c/d.txt": "-r ../e.txt\n", "e.txt": "-r a.txt"}, ("a.txt", "c/d.txt", "e.txt", "b.txt")),
    ("pip install -r /app/a.txt", {"a.txt": "six"}, ("a.txt",)),
    ("pip install -r a.txt", {"a.txt": "-r https://example.org/more.txt\nsix @ https://example.org/six.whl"}, ("a.txt",)),
    ("uv sync --locked --no-install-project", {"pyproject.toml": "", "uv.lock": ""}, ("pyproject.toml", "uv.lock")),
    ("pipenv sync", {"Pipfile": 'six = "*"', "Pipfile.lock": "{}"}, ("Pipfile", "Pipfile.lock")),
    ("go mod download", {"go.mod": "module a\n\ngo 1.21\n\nrequire example.org/b v1.0.0\n", "go.sum": "example.org/b v1.0.0 h1:x="}, ("go.mod", "go.sum")),
    ("mvn -s settings.xml dependency:go-offline", {"pom.xml": "<project/>", "settings.xml": ""}, ("pom.xml", "settings.xml")),
    ("dotnet restore src/App/App.csproj", {"src/App/App.csproj": '<Project><ProjectReference Include="..\\Lib\\Lib.csproj" /></Project>', "src/Lib/Lib.csproj": "", "src/Directory.Build.props": "", "global.json": ""}, ("src/App/App.csproj", "src/Lib/Lib.csproj", "global.json", "src/Directory.Build.props")),
    ("bundle install --deployment", {"gems.rb": "gem 'rack'", "gems.locked": ""}, ("gems.rb", "gems.locked")),
]  # fmt: skip

DOUBTS = [
    ("npm install", {"package.json": "{}", "package-lock.json": LOCK}, "may write `package-lock.json`"),
    ("npm ci", {"package.json": "{}"}, "without a lock file"),
    ("npm ci", {"package.json": "{}", "package-lock.json": '{"lockfileVersion": 1, "dependencies": {}}'}, "does not tell"),
    ("npm ci", {"package.json": "{}", "package-lock.json": LOCK, ".npmrc": "prefix = ./here\n"}, "`.npmrc`"),
    ("npm ci", {"package.json": '{"workspaces": ["a"]}', "package-lock.json": LOCK, "a/package.json": '{"bin": "cli.js"}'}, "made executable"),
    ("npm ci", {"package.json": '{"scripts": {"prepare": "husky"}}', "package-lock.json": LOCK}, "husky"),
    ("yarn install", {"package.json": "{}", "yarn.lock": ""}, "may write `yarn.lock`"),
    ("pip install -r a.txt --target lib", {"a.txt": "six"}, "where the packages go"),
    ("pip install -r a.txt", {"a.txt": "-e git+https://example.org/x.git#egg=x"}, "`src`"),
    ("pip install -r a.txt", {"a.txt": "--find-links ./wheels\nsix"}, "folder of the project"),
    ("uv sync --no-install-project", {"pyproject.toml": "", "uv.lock": ""}, "may write `uv.lock`"),
    ("poetry install --no-root", {"pyproject.toml": ""}, "without a lock file"),
    ("pipenv install", {"Pipfile": "", "Pipfile.lock": ""}, "may write `Pipfile.lock`"),
    ("go mod download", {"go.mod": "module a\n\ngo 1.21\n\nrequire example.org/b v1.0.0\n", "go.sum": ""}, "no sum of `example.org/b`"),
    ("go mod download", {"go.mod": "module a\n\ngo 1.16\n", "go.sum": ""}, "before Go 1.17"),
    ("mvn dependency:go-offline", {"pom.xml": "<project><profiles><profile><activation><file><exists>x</exists></file></activation></profile></profiles></project>"}, "a profile"),
    ("bundle install", {"Gemfile": "", "Gemfile.lock": ""}, "may write `Gemfile.lock`"),
    ("composer install --no-scripts --no-autoloader", {"composer.json": "{}", "composer.lock": '{"packages": [{"name": "symfony/flex", "type": "composer-plugin"}]}'}, "`symfony/flex`"),
]  # fmt: skip

NEEDS_MORE = [
    ("npm ci", {}, "`package.json` is not in the build context"),
    ("npm ci", {"package.json": "{}", ".dockerignore": "*.json"}, "`package.json` is kept out"),
    ("npm ci", {"package.json": "{"}, "is no JSON"),
    ("npm ci", {"package.json": '{"dependencies": {"a": "file:./a"}}', "package-lock.json": LOCK}, "takes `a` from `file:./a`"),
    ("npm ci", {"package.json": '{"scripts": {"postinstall": "node setup.js"}}', "package-lock.json": LOCK}, "runs `node setup.js`"),
    ("npm ci", {"package.json": '{"workspaces": {"packages": ["p/*"]}}', "package-lock.json": LOCK, "p/a/package.json": '{"scripts": {"prepare": "tsc && echo done"}}'}, "`p/a/package.json` runs `tsc`"),
    ("npm ci", {"package.json": "{}", "package-lock.json": LOCK, "binding.gyp": ""}, "`binding.gyp`"),
    ("npm ci", {"package.json": '{"scripts": {"postinstall": "prisma generate"}}', "package-lock.json": LOCK}, "its schema is not found"),
    ("pip install -r a.txt", {"a.txt": "./lib"}, "holds `./lib`"),
    ("pip install -r a.txt", {"a.txt": "lib @ file:///app/lib"}, "holds `lib @ file:///app/lib`"),
    ("pip install -r a.txt", {"a.txt": "-r b.txt"}, "`b.txt` is not in the build context"),
    ("pip install .", {}, "installs the project itself"),
    ("pip install -r pyproject.toml", {"pyproject.toml": ""}, "more than a list of requirements"),
    ("poetry install", {"pyproject.toml": ""}, "without `--no-root`"),
    ("uv sync --frozen --no-install-project", {"pyproject.toml": '[tool.uv.sources]\na = { path = "a" }', "uv.lock": ""}, "takes `a` from a folder"),
    ("uv sync --frozen --no-install-project", {"pyproject.toml": '[tool.uv.workspace]\nmembers = ["a"]', "uv.lock": ""}, "has a workspace"),
    ("pipenv sync", {"Pipfile": 'a = { path = "./a", editable = true }'}, "from a folder"),
    ("conda env create -f e.yml", {"e.yml": "dependencies:\n  - pip:\n    - -e .\n"}, "holds `-e .`"),
    ("go mod download", {"go.mod": "module a\n\ngo 1.21\n\nreplace b => ./b\n"}, "whose `go.mod` is not in the build context"),
    ("go mod vendor", {"go.mod": "module a\n"}, "files all over the project"),
    ("cargo fetch", {"Cargo.toml": ""}, "`cargo chef`"),
    ("mvn package", {"pom.xml": "<project/>"}, "builds the sources"),
    ("mvn dependency:go-offline", {"pom.xml": "<project><modules><module>a</module></modules></project>"}, "the module `a`"),
    ("mvn -f other.xml dependency:go-offline", {"pom.xml": "<project/>", "other.xml": ""}, "another `pom.xml`"),
    ("gradle build", {"build.gradle": ""}, "builds the sources"),
    ("dotnet restore", {"A.csproj": '<Project><Import Project="x.props" /></Project>'}, "imports other files"),
    ("bundle install", {"Gemfile": "eval_gemfile 'x'"}, "reads other files"),
    ("composer install", {"composer.json": "{}"}, "without `--no-autoloader --no-scripts`"),
    ("composer install --no-scripts --no-autoloader", {"composer.json": '{"repositories": [{"type": "path", "url": "../x"}]}'}, "takes packages from `../x`"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "files", "wanted"), READS)
def test_what_is_read(tmp_path: pathlib.Path, command: str, files: dict[str, str], wanted: tuple[str, ...]) -> None:
    found = read(tmp_path, command, files)
    assert isinstance(found, manifests.Reading), found
    assert (found.files, found.doubt) == (wanted, "")


@pytest.mark.parametrize(("command", "files", "doubt"), DOUBTS)
def test_what_is_in_doubt(tmp_path: pathlib.Path, command: str, files: dict[str, str], doubt: str) -> None:
    found = read(tmp_path, command, files)
    assert isinstance(found, manifests.Reading), found
    assert doubt in found.doubt


@pytest.mark.parametrize(("command", "files", "why"), NEEDS_MORE)
def test_what_needs_more(tmp_path: pathlib.Path, command: str, files: dict[str, str], why: str) -> None:
    found = read(tmp_path, command, files)
    assert isinstance(found, str), found
    assert why in found


def test_variables_that_name_files(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, "pip install -r a.txt", {"a.txt": "six"}, PIP_CONSTRAINT="c.txt")
    assert isinstance(found, manifests.Reading)
    assert "PIP_CONSTRAINT" in found.doubt


def test_every_manager_that_reads_a_project_has_a_reader() -> None:
    without = {name for name, one in packages.MANAGERS.items() if one.manifests} - set(manifests._READERS)
    assert without == {"gem", "nuget"}  # which read a manifest only where an option names it


NPM = "FROM node:20-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\n"


def finding(text: str, given: Given) -> str:
    (found,) = engine.check(Source(text), rules(["DF201"]), given).diagnostics
    return found.refusal if found.fix is None else found.fix.because


def test_the_context_is_looked_for(tmp_path: pathlib.Path) -> None:
    """The nearest folder with all that is copied and the manifests; none outside of the repository; told, it is as told."""
    inner = tmp_path / "repository" / "docker"
    inner.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    given = Given(place=Place(str(inner / "Dockerfile")))
    for name, text in (("package.json", "{}"), ("package-lock.json", LOCK), (".dockerignore", "node_modules")):
        (tmp_path / name).write_text(text)
    assert "not known" in finding(NPM, given)
    for name in ("package.json", "package-lock.json", ".dockerignore"):
        (tmp_path / name).rename(inner.parent / name)
    assert finding(NPM, Given(place=Place(str(inner / "Dockerfile")))).startswith("the install reads these files alone")
    (inner / "package.json").write_text("{")
    assert "no JSON" in finding(NPM, Given(place=Place(str(inner / "Dockerfile"))))
    assert "no JSON" not in finding(NPM, Given(place=Place(str(inner / "Dockerfile"), str(inner.parent))))
    assert "`package.json` is not" in finding(
        NPM, Given(place=Place(str(inner / "Dockerfile"), str(tmp_path / "repository" / ".git")))
    )
    (inner.parent / ".dockerignore").write_text("[")
    assert "not known" in finding(NPM, Given(place=Place(str(inner / "Dockerfile"), str(inner.parent))))


def test_sources_of_copies_find_the_context(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in ("docker/src/a", "src/b", "shared"):
        (tmp_path / name).mkdir(parents=True)
    place = tmp_path / "docker" / "Dockerfile"

    def root(text: str) -> str:
        found = context.of(Build(parse(Source(text))), Given(place=Place(str(place))))
        return pathlib.Path(found.root).name if found is not None else ""

    assert root("FROM a\nCOPY src /src\n") == "docker"
    assert root("FROM a\nCOPY src/a src/b /src/\n") == ""
    assert root("FROM a\nCOPY src shared /src/\n") == tmp_path.name
    assert root("FROM a\nRUN --mount=type=bind,source=shared,target=/x true\n") == tmp_path.name
    assert (
        root("FROM a\nCOPY --from=b missing /src/\nCOPY <<one /x/\none\nADD https://example.org/y z* /x/\n") == "docker"
    )
    assert context.of(Build(parse(Source("FROM a\n"))), Given()) is None
