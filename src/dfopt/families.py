"""Families of base images: a tag as version, release and variant, the tag with another variant, and until when a version is maintained.

A variant's tag is given only where these repositories are known to spell it so; the registry is never asked. Sources: the lists of
tags in the images' own repositories (docker-library's, Adoptium's, Microsoft's, NVIDIA's, PyTorch's) and, for the days after which
nothing is mended, the publishers' own pages, named at the table; all as known in 2026-11. Planned days are those that were
announced. Sizes of base images are not in the table: those that the project's founding documents name carry no date.
"""

import re
from functools import cache

from dfopt import bases
from dfopt.bases import repository_of
from dfopt.startup import NamedTuple, pattern

# The day of the table: what ends later is not said to have ended, whatever the clock says.
AS_OF = "2026-11-01"

_DEBIAN = "wheezy jessie stretch buster bullseye bookworm trixie forky sid".split()
_UBUNTU = {
    "trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
    "hirsute": "21.04", "impish": "21.10", "kinetic": "22.10", "lunar": "23.04", "mantic": "23.10", "oracular": "24.10",
    "plucky": "25.04",
}  # fmt: skip

_VERSION = r"\d+(?:\.\d+)*"
_RELEASE = r"(?:jessie|stretch|buster|bullseye|bookworm|trixie)"

# repository -> (its full tags, the slim one of them); `\g<v>` is the version or name, `\g<r>` the release with its dash.
_AFTER_VERSION = (
    rf"(?P<v>{_VERSION}(?:-?rc\d*|[ab]\d+)?)(?P<r>-{_RELEASE})?",
    r"\g<v>-slim\g<r>",
)
_SLIM = {
    "python": _AFTER_VERSION,
    "pypy": _AFTER_VERSION,
    "ruby": _AFTER_VERSION,
    "perl": _AFTER_VERSION,
    "rust": _AFTER_VERSION,
    "erlang": (rf"(?P<v>{_VERSION})", r"\g<v>-slim"),
    "elixir": (rf"(?P<v>{_VERSION}(?:-otp-\d+)?)", r"\g<v>-slim"),
    "node": (
        rf"(?P<v>{_VERSION}|lts|current|carbon|dubnium|erbium|fermium|gallium|hydrogen|iron|jod|krypton)(?P<r>-{_RELEASE})?",
        r"\g<v>\g<r>-slim",
    ),
    "debian": (rf"(?P<v>(?:{_RELEASE}|sid|stable|oldstable|testing|unstable|\d+(?:\.\d+)?)(?:-20\d{{6}})?)", r"\g<v>-slim"),
}  # fmt: skip

# What a plain name of these stands for, without a version.
_PLAIN_SLIM = frozenset(("python", "pypy", "ruby", "perl", "rust", "node"))

_JAVA = (
    r"(?P<v>8u\d+-b\d+|(?:8|11|17|21|25)(?:[._][0-9._]+)?)(?:-jdk)?(?P<r>-(?:alpine|focal|jammy|noble|centos7|ubi9-minimal))?",
    r"\g<v>-jre\g<r>",
)
_CUDA = (
    r"(?P<v>\d+\.\d+\.\d+(?:-cudnn\d*)?)-devel(?P<r>-(?:ubuntu|ubi|rockylinux|centos)[0-9.]+)",
    r"\g<v>-runtime\g<r>",
)
_PYTORCH = (r"(?P<v>\d+\.\d+(?:\.\d+)?-cuda\d+\.\d+-cudnn\d+)-devel", r"\g<v>-runtime")
_DOTNET = (
    r"(?P<v>\d+\.\d+)(?P<r>-(?:alpine(?:3\.\d+)?|buster-slim|bullseye-slim|bookworm-slim|focal|jammy|noble|azurelinux3\.0))?",
    r"\g<v>\g<r>",
)

# (repository, variant) -> tags that are not that variant, the tag that is, and its repository where that is another.
_VARIANTS: dict[tuple[str, str], tuple[str, str, str]] = {
    **{(name, "slim"): (full, slim, "") for name, (full, slim) in _SLIM.items()},
    ("eclipse-temurin", "jre"): (*_JAVA, ""),
    ("nvidia/cuda", "runtime"): (*_CUDA, ""),
    ("pytorch/pytorch", "runtime"): (*_PYTORCH, ""),
    ("mcr.microsoft.com/dotnet/sdk", "aspnet"): (*_DOTNET, "mcr.microsoft.com/dotnet/aspnet"),
    ("mcr.microsoft.com/dotnet/core/sdk", "aspnet"): (*_DOTNET, "mcr.microsoft.com/dotnet/core/aspnet"),
}


class Tag(NamedTuple):
    """What a tag says. `version` is its leading number ("3.12", "" where it has none); `distribution` is debian, ubuntu, alpine,
    centos or "", `release` its release as its publisher numbers or names it ("bookworm", "22.04", "3.20"); `words` are the parts
    between dashes."""

    version: str
    distribution: str
    release: str
    words: tuple[str, ...]


# Of these the tag's own number is the release of the distribution.
_DISTRIBUTIONS = frozenset(("debian", "ubuntu", "alpine", "centos", "fedora"))
_NUMBERED = pattern(r"(ubuntu|alpine|centos)-?([0-9.]+)")
_DISTROLESS = pattern(r"gcr\.io/distroless/.*-debian(\d+)")
_NUMBER = pattern(rf"v?({_VERSION})")


@cache
def read(repository: str, tag: str) -> Tag:
    """The parts of a tag of a repository, both as `bases.repository_of` gives them."""
    words = tuple(tag.split("-"))
    distroless = _DISTROLESS.fullmatch(repository)
    if distroless is not None:
        return Tag("", "debian", distroless[1], words)
    number = _NUMBER.match(words[0])
    version = number[1] if number is not None else ""
    for word in words:
        if word in _DEBIAN:
            return Tag("" if repository == "debian" else version, "debian", word, words)
        if word in _UBUNTU:
            return Tag("" if repository == "ubuntu" else version, "ubuntu", _UBUNTU[word], words)
        numbered = _NUMBERED.fullmatch(word)
        if numbered is not None:
            return Tag(version, numbered[1], numbered[2], words)
    if repository in _DISTRIBUTIONS:
        return Tag("", repository, version, words)
    return Tag(version, "", "", words)


def variant(image: str, to: str) -> str | None:
    """The reference of the same image in another variant (`slim`, `jre`, `runtime`, `aspnet`), as its repository spells it.

    None where it is that variant already, has a digest, or no such tag is known to exist.
    """
    repository, tag = repository_of(image)
    row = _VARIANTS.get((repository, to))
    if row is None or "@" in image or "$" in image:
        return None
    full, other, elsewhere = row
    name = image[: len(image) - len(tag) - 1] if tag else image
    if to == "slim" and repository in _PLAIN_SLIM and (tag in ("", "latest") or re.fullmatch(_RELEASE, tag)):
        if tag in ("", "latest"):
            return f"{name}:slim"
        return f"{name}:{tag}-slim" if repository == "node" else f"{name}:slim-{tag}"
    found = re.fullmatch(full, tag)
    if found is None:
        return None
    return (elsewhere or name) + ":" + found.expand(other)


# Images that have tags with versions, beside those that `bases` knows; of these a few roll and have none.
_VERSIONED = frozenset(
    "mysql mariadb mongo rabbitmq memcached haproxy traefik wordpress nextcloud drupal joomla ghost elasticsearch kibana logstash influxdb consul vault"
    " gradle groovy clojure sonarqube jenkins registry zookeeper cassandra couchdb neo4j nats telegraf fluentd kong varnish adminer"
    " odoo redmine mongo-express jetty hylang rakudo-star crystal swipl racket".split()
)
_ROLLING = frozenset(("archlinux", "opensuse/tumbleweed", "r-base"))


def has_versions(repository: str) -> bool:
    """Whether a repository is known to have tags that name versions."""
    return repository not in _ROLLING and (repository in _VERSIONED or bases.facts(f"{repository}:1") is not None)


# ------------------------------------------------------------------------------------------------------ end of life


class End(NamedTuple):
    """A version for which its publisher mends nothing any more: `what` names it, `date` is the last day (ISO 8601)."""

    what: str
    date: str


_NAMES = {
    "python": "Python", "node": "Node", "golang": "Go", "php": "PHP", "ruby": "Ruby", "debian": "Debian", "ubuntu": "Ubuntu",
    "alpine": "Alpine", "centos": "CentOS", "fedora": "Fedora", "dotnet": ".NET", "postgres": "PostgreSQL", "temurin": "Java",
}  # fmt: skip

# family | versions and their last days. Sources, in this order: devguide.python.org/versions and the PEPs that it names; the
# release schedule in nodejs/Release; go.dev/doc/devel/release ("until there are two newer major releases"); php.net/eol.php and
# supported-versions.php; ruby-lang.org, Ruby Maintenance Branches; wiki.debian.org/LTS (the end of long term support);
# wiki.ubuntu.com/Releases (the end of standard support); alpinelinux.org/releases; centos.org, End dates;
# docs.fedoraproject.org, end of life releases; Microsoft's .NET support policy; postgresql.org, Versioning Policy;
# adoptium.net/support (versions without long term support).
_ENDS = """
python | 2.7 2020-01-01 3.3 2017-09-29 3.4 2019-03-18 3.5 2020-09-30 3.6 2021-12-23 3.7 2023-06-27 3.8 2024-10-07 3.9 2025-10-31
python | 2 2020-01-01
node | 4 2018-04-30 5 2016-06-30 6 2019-04-30 7 2017-06-30 8 2019-12-31 9 2018-06-30 10 2021-04-30 11 2019-06-01 12 2022-04-30
node | 13 2020-06-01 14 2023-04-30 15 2021-06-01 16 2023-09-11 17 2022-06-01 18 2025-04-30 19 2023-06-01 20 2026-04-30
node | 21 2024-06-01 23 2025-06-01 22 2027-04-30 24 2028-04-30
golang | 1.8 2018-02-16 1.9 2018-08-24 1.10 2019-02-25 1.11 2019-09-03 1.12 2020-02-25 1.13 2020-08-11 1.14 2021-02-16
golang | 1.15 2021-08-16 1.16 2022-03-15 1.17 2022-08-02 1.18 2023-02-01 1.19 2023-08-08 1.20 2024-02-06 1.21 2024-08-13
golang | 1.22 2025-02-11 1.23 2025-08-12
php | 5.4 2015-09-03 5.5 2016-07-21 5.6 2018-12-31 7.0 2019-01-10 7.1 2019-12-01 7.2 2020-11-30 7.3 2021-12-06 7.4 2022-11-28
php | 8.0 2023-11-26 8.1 2025-12-31 8.2 2026-12-31 5 2018-12-31 7 2022-11-28
ruby | 2.1 2017-03-31 2.2 2018-03-31 2.3 2019-03-31 2.4 2020-03-31 2.5 2021-03-31 2.6 2022-04-12 2.7 2023-03-31 3.0 2024-04-23
ruby | 3.1 2025-03-26 2 2023-03-31
debian | wheezy 2018-05-31 jessie 2020-06-30 stretch 2022-06-30 buster 2024-06-30 bullseye 2026-08-31 bookworm 2028-06-30
debian | 7 2018-05-31 8 2020-06-30 9 2022-06-30 10 2024-06-30 11 2026-08-31 12 2028-06-30
ubuntu | 12.04 2017-04-28 14.04 2019-04-25 16.04 2021-04-30 18.04 2023-05-31 20.04 2025-05-31 22.04 2027-04-01
ubuntu | 17.10 2018-07-19 18.10 2019-07-18 19.04 2020-01-23 19.10 2020-07-17 20.10 2021-07-22 21.04 2022-01-20 21.10 2022-07-14
ubuntu | 22.10 2023-07-20 23.04 2024-01-25 23.10 2024-07-11 24.10 2025-07-10 25.04 2026-01-15
alpine | 3.3 2017-11-01 3.4 2018-05-01 3.5 2018-11-01 3.6 2019-05-01 3.7 2019-11-01 3.8 2020-05-01 3.9 2020-11-01 3.10 2021-05-01
alpine | 3.11 2021-11-01 3.12 2022-05-01 3.13 2022-11-01 3.14 2023-05-01 3.15 2023-11-01 3.16 2024-05-23 3.17 2024-11-22
alpine | 3.18 2025-05-09 3.19 2025-11-01 3.20 2026-04-01 3.21 2026-11-01 3.22 2027-05-01
centos | 5 2017-03-31 6 2020-11-30 7 2024-06-30 8 2021-12-31
fedora | 35 2022-12-13 36 2023-05-16 37 2023-12-05 38 2024-05-21 39 2024-11-26 40 2025-05-13
dotnet | 1.0 2019-06-27 1.1 2019-06-27 2.0 2018-10-01 2.1 2021-08-21 2.2 2019-12-23 3.0 2020-03-03 3.1 2022-12-13 5.0 2022-05-10
dotnet | 6.0 2024-11-12 7.0 2024-05-14 8.0 2026-11-10 9.0 2026-11-10
postgres | 9.6 2021-11-11 10 2022-11-10 11 2023-11-09 12 2024-11-14 13 2025-11-13
temurin | 16 2021-09-14 18 2022-09-20 19 2023-03-21 20 2023-09-19 22 2024-09-17 23 2025-03-18
"""

_FAMILIES = {
    "python": "python", "node": "node", "golang": "golang", "php": "php", "ruby": "ruby", "debian": "debian", "ubuntu": "ubuntu",
    "alpine": "alpine", "centos": "centos", "quay.io/centos/centos": "centos", "fedora": "fedora", "postgres": "postgres",
    "eclipse-temurin": "temurin", "microsoft/dotnet": "dotnet",
    **{f"mcr.microsoft.com/dotnet/{core}{name}": "dotnet" for core in ("", "core/") for name in ("sdk", "aspnet", "runtime", "runtime-deps")},
}  # fmt: skip

# Repositories that get no images any more, whatever the tag, with what they were replaced by. Sources: their own pages.
_GIVEN_UP = {
    "java": ("2016-12-31", "eclipse-temurin"),
    "openjdk": ("2022-07-31", "eclipse-temurin"),
    "centos": ("2024-06-30", "another distribution"),
    "microsoft/dotnet": ("2019-12-23", "mcr.microsoft.com/dotnet"),
    "adoptopenjdk": ("2021-08-01", "eclipse-temurin"),
}

# Node's names for its lines of long term support.
_NODE_NAMES = {"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14", "gallium": "16", "hydrogen": "18", "iron": "20"}  # fmt: skip


@cache
def _ends() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for line in _ENDS.strip().splitlines():
        family, _, rest = line.partition(" | ")
        words = rest.split()
        found.update(((family, version), date) for version, date in zip(words[::2], words[1::2]))
    return found


def ends(repository: str, tag: str) -> list[End]:
    """What of an image its publisher had ended before the day of the table: its program, its distribution, or both."""
    read_tag = read(repository, tag)
    found: list[End] = []
    family = _FAMILIES.get(repository, "")
    version = read_tag.version
    if family == "node" and not version:
        version = _NODE_NAMES.get(read_tag.words[0], "")
    for name, number in ((family, version), (read_tag.distribution, read_tag.release)):
        row = _row(name, number)
        if row is not None and row[1] < AS_OF:
            found.append(End(f"{_NAMES[name]} {row[0]}", row[1]))
    return found


def given_up(repository: str, tag: str) -> tuple[str, str] | None:
    """Since when a repository gets no images any more, and what replaces it; None where it does."""
    if repository == "openjdk" and "-ea-" in f"-{tag}-":
        return None  # early access builds are what it is still for
    if repository == "centos" and "stream" in tag:
        return None
    return _GIVEN_UP.get(repository)


def _row(family: str, version: str) -> tuple[str, str] | None:
    """The row of a version: `3.8.10` is 3.8, `12.5` of Debian 12; the number that its publisher counts by, and its last day."""
    parts = version.split(".")
    for length in range(len(parts), 0, -1):
        number = ".".join(parts[:length])
        date = _ends().get((family, number))
        if date is not None:
            # `python:3` and `golang:1` move on; `python:2` and `node:16` do not.
            return number, date
    return None
