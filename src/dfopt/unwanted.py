"""What has no place in a build context: version control, the host's dependencies and outputs, caches, secrets; and where it lies."""

from collections.abc import Iterator
from functools import cache

from dfopt import context
from dfopt.build import Build, once
from dfopt.context import Context, Entry, Pattern
from dfopt.startup import NamedTuple, pattern


class Unwanted(NamedTuple):
    """A row: `pattern` as an ignore file has it, `kind` as people name it. `markers` are patterns of which one must match a file
    of the project for the row to be of use ("" for every project). `builders` are families of package managers (`packages.py`)
    of which one must build in the Dockerfile, so that the host's copy is made anew there. `usual`: an ignore file has it though nothing of
    the kind is there today."""

    pattern: str
    kind: str
    markers: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    usual: bool = False


_NODE = ("package.json", "*/package.json")
_PYTHON = ("pyproject.toml", "setup.py", "requirements*.txt", "Pipfile", "*.py", "*/*.py", "environment.yml")
_DOTNET = ("*.sln", "*.slnx", "*.*proj", "*/*.*proj", "*/*/*.*proj")
_GRADLE = ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")

ROWS = (
    Unwanted(".git", "version control", usual=True),
    Unwanted(".hg", "version control"),
    Unwanted(".svn", "version control"),
    Unwanted("**/.env", "secrets", usual=True),
    Unwanted("**/.env.*", "secrets", usual=True),
    Unwanted("!**/.env.example", "secrets"),
    Unwanted("!**/.env.sample", "secrets"),
    Unwanted("!**/.env.template", "secrets"),
    Unwanted("**/.aws", "secrets"),
    Unwanted("**/.ssh", "secrets"),
    Unwanted("**/.netrc", "secrets"),
    Unwanted("**/.pypirc", "secrets"),
    Unwanted("**/.git-credentials", "secrets"),
    Unwanted("**/.docker/config.json", "secrets"),
    Unwanted("**/.kube", "secrets"),
    Unwanted("**/*.tfstate*", "secrets"),
    Unwanted("Dockerfile*", "Docker's own files"),
    Unwanted("*.dockerfile", "Docker's own files"),
    Unwanted("*.Dockerfile", "Docker's own files"),
    Unwanted("*.dockerignore", "Docker's own files", usual=True),
    Unwanted("compose*.y*ml", "Docker's own files"),
    Unwanted("docker-compose*.y*ml", "Docker's own files"),
    Unwanted(".github", "continuous integration and editors"),
    Unwanted(".gitlab-ci.yml", "continuous integration and editors"),
    Unwanted(".circleci", "continuous integration and editors"),
    Unwanted(".vscode", "continuous integration and editors"),
    Unwanted(".idea", "continuous integration and editors"),
    Unwanted(".devcontainer", "continuous integration and editors"),
    Unwanted("**/.DS_Store", "continuous integration and editors"),
    Unwanted("**/*.swp", "continuous integration and editors"),
    Unwanted("**/node_modules", "Node.js", _NODE, usual=True),
    Unwanted("**/npm-debug.log*", "Node.js", _NODE),
    Unwanted("**/yarn-error.log*", "Node.js", _NODE),
    Unwanted("**/.npm", "Node.js", _NODE),
    Unwanted("**/.next", "Node.js", _NODE, ("npm", "yarn", "pnpm", "bun")),
    Unwanted("**/.nuxt", "Node.js", _NODE, ("npm", "yarn", "pnpm", "bun")),
    Unwanted("dist", "Node.js", _NODE, ("npm", "yarn", "pnpm", "bun")),
    Unwanted("**/coverage", "Node.js", _NODE),
    Unwanted("**/__pycache__", "Python", _PYTHON, usual=True),
    Unwanted("**/*.py[cod]", "Python", _PYTHON, usual=True),
    Unwanted("**/.venv", "Python", _PYTHON, usual=True),
    Unwanted("**/venv", "Python", _PYTHON),
    Unwanted("**/.pytest_cache", "Python", _PYTHON),
    Unwanted("**/.mypy_cache", "Python", _PYTHON),
    Unwanted("**/.ruff_cache", "Python", _PYTHON),
    Unwanted("**/.tox", "Python", _PYTHON),
    Unwanted("**/.nox", "Python", _PYTHON),
    Unwanted("**/.ipynb_checkpoints", "Python", _PYTHON),
    Unwanted("**/.coverage", "Python", _PYTHON),
    Unwanted("**/htmlcov", "Python", _PYTHON),
    Unwanted("target", "Rust", ("Cargo.toml",), ("cargo",), usual=True),
    Unwanted("target", "Java", ("pom.xml",), ("maven",), usual=True),
    Unwanted("*/target", "Java", ("*/pom.xml",), ("maven",)),
    Unwanted("**/.gradle", "Java", _GRADLE),
    Unwanted("build", "Java", _GRADLE, ("gradle",)),
    Unwanted("*/build", "Java", _GRADLE, ("gradle",)),
    Unwanted("**/bin", ".NET", _DOTNET, ("nuget",), usual=True),
    Unwanted("**/obj", ".NET", _DOTNET, ("nuget",), usual=True),
    Unwanted(".bundle", "Ruby", ("Gemfile", "gems.rb")),
    Unwanted("vendor/bundle", "Ruby", ("Gemfile", "gems.rb")),
    Unwanted("vendor", "PHP", ("composer.json",), ("composer",)),
    Unwanted("**/.terraform", "Terraform", ("*.tf", "*/*.tf")),
)  # fmt: skip

# What tells that a build takes its version from the repository, so that `.git` is needed: the names of such plug-ins in
# manifests and build scripts, each from its own manual.
READS_GIT = pattern(
    r"setuptools[_-]scm|hatch-vcs|versioneer|poetry-dynamic-versioning|dunamai|git-commit-id|jgitver|axion-release|vergen|git-version"
    r"|MinVer|GitVersion|Nerdbank\.GitVersioning|gitpython|git describe|git rev-parse|git log"
)

# A file of this many bytes is worth a question by itself; data and model weights are what is so large.
LARGE = 50_000_000


class Stray(NamedTuple):
    """Something unwanted in a context: the row it falls under, and the topmost entry of it."""

    row: Unwanted
    entry: Entry


@once
def _builders(build: Build) -> frozenset[str]:
    """The families of the package managers that install or build in a file."""
    return frozenset(
        use.manager.family
        for index, instruction in enumerate(build.instructions)
        if instruction.name == "RUN" and (run := build.run(index)) is not None
        for use in run.uses
        if use.action in ("build", "run", "install", "download")
    )


def rows(place: Context, build: Build) -> tuple[tuple[Unwanted, Pattern], ...]:
    """The rows that are of use for a project and a Dockerfile of it, each with its pattern as it is matched."""
    builders = _builders(build)
    if "markers" not in place.answers:
        asked = {row.markers for row in ROWS if row.markers}
        place.answers["markers"] = {
            markers for markers in asked if any(place.matching(marker, hidden=True) for marker in markers)
        }
    marked = place.answers["markers"]
    return tuple(
        (row, pattern)
        for row, pattern in _read_rows()
        if (not row.markers or row.markers in marked) and (not row.builders or builders & set(row.builders))
    )


@cache
def _read_rows() -> tuple[tuple[Unwanted, Pattern], ...]:
    return tuple((row, context.read_patterns(row.pattern)[0]) for row in ROWS)


# How many entries of a context are looked at, so that a check stays quick: what is unwanted lies high up in the tree.
_LOOKS = 20_000


def strays(place: Context, build: Build, folder: str = "") -> tuple[Stray, ...]:
    """What is unwanted below a folder and not kept out, each topmost entry once; secrets are private keys too."""
    useful = rows(place, build)
    if (folder, useful) not in place.answers:
        place.answers[folder, useful] = tuple(_strays(place, useful, folder))
    found: tuple[Stray, ...] = place.answers[folder, useful]
    return found


def _strays(place: Context, useful: tuple[tuple[Unwanted, Pattern], ...], folder: str) -> Iterator[Stray]:
    chosen = [(row, pattern) for row, pattern in useful if not pattern.exception]
    excepted = [pattern for _, pattern in useful if pattern.exception]
    pending = [folder]
    looks = 0
    while pending and looks < _LOOKS:
        for one in place.inside(pending.pop()):
            looks += 1
            if place.ignore.hides(one.path):
                continue
            row = next((row for row, pattern in chosen if pattern.matches(one.path)), None)
            if row is None and is_private_key(place, one):
                row = PRIVATE_KEY
            if row is not None and any(pattern.matches(one.path) for pattern in excepted):
                row = None
            if row is not None:
                yield Stray(row, one)
            elif one.kind == "folder":
                pending.append(one.path)


PRIVATE_KEY = Unwanted("", "secrets")


def is_private_key(place: Context, one: Entry) -> bool:
    """Whether a file is a private key, by its name and its first lines (RFC 7468: "PRIVATE KEY-----")."""
    name = one.path.rpartition("/")[2]
    if one.kind != "file" or not _KEY_NAME.search(name):
        return False
    return "PRIVATE KEY-----" in (place.text(one.path, 100_000) or "")


_KEY_NAME = pattern(r"\.(?:pem|key|ppk)$|^id_[a-z0-9]+$|_rsa$")


def size_of(place: Context, one: Entry) -> int | None:
    """The bytes that an entry brings; None where it holds too many files to be counted in a check."""
    total = 0
    for count, inner in enumerate(place.walk(one.path) if one.kind == "folder" else (one,)):
        if count >= _LOOKS:
            return None
        total += place.size(inner)
    return total


def amount(size: int) -> str:
    """Bytes as people read them, in powers of ten."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"
