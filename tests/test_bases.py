"""Facts of base images: what is said of an image, and that nothing is said where it is not certain."""

import pytest

from dfopt import bases


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("debian", "debian", ""),
        ("docker.io/library/debian:12", "debian", "12"),
        ("index.docker.io/library/debian", "debian", ""),
        ("library/debian:a@sha256:00", "debian", "a"),
        ("debian@sha256:00", "debian", ""),
        ("docker.io/nvidia/cuda:1", "nvidia/cuda", "1"),
        ("localhost:5000/debian", "localhost:5000/debian", ""),
        ("localhost:5000/debian:12", "localhost:5000/debian", "12"),
        ("ghcr.io/library/debian", "ghcr.io/library/debian", ""),
    ],
)
def test_repository_and_tag(image: str, repository: str, tag: str) -> None:
    assert bases.repository_of(image) == (repository, tag)


@pytest.mark.parametrize(
    ("image", "distribution", "dialect"),
    [
        ("debian:12", "debian", "posix"),
        ("ubuntu", "debian", "posix"),
        ("alpine:3.20", "alpine", "busybox"),
        ("busybox:musl", "busybox", "busybox"),
        ("fedora", "redhat", "sh"),
        ("python", "debian", "posix"),
        ("python:3.12-alpine3.20", "alpine", "busybox"),
        ("node:20-bookworm-slim", "debian", "posix"),
        ("golang:1.22@sha256:00", "debian", "posix"),
        ("maven:3", None, "sh"),
        ("maven:3-amazoncorretto-17-debian", "debian", "posix"),
        ("maven:3-amazoncorretto-17-al2023", "redhat", "sh"),
        ("maven:3-amazoncorretto-17", None, "sh"),
        ("eclipse-temurin:21-jre", None, "sh"),
        ("eclipse-temurin:21-jre-noble", "debian", "posix"),
        ("eclipse-temurin:21-jre-ubi9-minimal", "redhat", "sh"),
        ("swift:5.9-amazonlinux2-slim", "redhat", "sh"),
        ("swift:5.9-slim", "debian", "posix"),
        ("nvidia/cuda:12.2.0-devel-ubi8", "redhat", "sh"),
        ("nvidia/cuda:12.2.0-base-ubuntu22.04", "debian", "posix"),
        ("amazoncorretto:17", "redhat", "sh"),
        ("amazoncorretto:17-alpine", "alpine", "busybox"),
        ("mcr.microsoft.com/dotnet/sdk:8.0", "debian", "posix"),
        ("mcr.microsoft.com/dotnet/sdk:8.0-alpine", "alpine", "busybox"),
        # A digest alone may be that of any tag.
        ("python@sha256:00", None, "sh"),
        ("debian@sha256:00", "debian", "posix"),
    ],
)
def test_distribution_by_tag(image: str, distribution: str | None, dialect: str) -> None:
    found = bases.facts(image)
    assert found is not None and (found.distribution, found.dialect) == (distribution, dialect)
    assert (found.user, found.home) == ("root", "/root")


@pytest.mark.parametrize(
    ("image", "distribution"),
    [
        ("debian:?", "debian"),
        ("alpine:3.?", "alpine"),
        ("python:?", None),
        ("python:?-alpine", "alpine"),
        ("python:?-slim-bookworm", "debian"),
        ("python:?-slim", "debian"),
        ("swift:?-slim", None),
        ("amazoncorretto:?", None),
    ],
)
def test_distribution_by_an_unknown_tag(image: str, distribution: str | None) -> None:
    found = bases.facts(image, True)
    assert found is not None and found.distribution == distribution


@pytest.mark.parametrize(
    "image",
    [
        "who/knows",
        "scratch",
        "localhost/debian",
        "python:3-onbuild",
        "python:3-windowsservercore",
        "golang:1-nanoserver",
        "docker:dind-rootless",
        "composer:2-bin",
        "caddy:2-builder",
        "mcr.microsoft.com/dotnet/aspnet:8.0-noble-chiseled",
        "mcr.microsoft.com/dotnet/aspnet@sha256:00",
        "docker@sha256:00",
        "openresty/openresty",
    ],
)
def test_nothing_is_known(image: str) -> None:
    assert bases.facts(image) is None


@pytest.mark.parametrize("image", ["docker:?", "composer:?", "caddy:?", "mcr.microsoft.com/dotnet/sdk:8.0?"])
def test_nothing_is_known_of_an_unknown_tag(image: str) -> None:
    assert bases.facts(image, True) is None


def test_variables_workdirs_and_folders() -> None:
    found = {
        name: bases.facts(name)
        for name in ("golang", "rust", "ruby", "perl", "dart", "php", "composer", "debian", "caddy")
    }
    known = {name: fact for name, fact in found.items() if fact is not None}
    assert set(known) == set(found)
    assert (
        known["golang"].variables["GOPATH"] == "/go"
        and known["golang"].workdir == "/go"
        and "go" in known["golang"].folders
    )
    assert known["rust"].variables["CARGO_HOME"] == "/usr/local/cargo"
    assert known["ruby"].variables["GEM_HOME"] == "/usr/local/bundle" and known["ruby"].variables["BUNDLE_PATH"] is None
    assert known["composer"].variables["COMPOSER_HOME"] is None
    assert known["caddy"].variables["XDG_CONFIG_HOME"] == "/config"
    assert known["debian"].workdir == "/" and known["debian"].variables == {}
    assert [known[name].workdir for name in ("perl", "dart")] == [None, None]
    workdirs = {
        "php": "/",
        "php:8.2-fpm": "/var/www/html",
        "php:8-apache-bookworm": "/var/www/html",
        "php:8.2-cli": "/",
        "php:8-zts": None,
    }
    assert {name: fact.workdir for name in workdirs if (fact := bases.facts(name)) is not None} == workdirs


@pytest.mark.parametrize(("image", "path", "held"), [
    ("debian", "/app", False),
    ("golang", "/go/src", True),
    ("example.com/x", "/app", True),
    ("gcr.io/distroless/cc", "/app", False),
    ("gcr.io/distroless/cc", "/opt/app", True),
    ("debian", "/opt/app", False),
    ("debian", "/opt", True),
    ("node", "/opt/app", False),
    ("node", "/opt/yarn-v1", True),
    ("node", "/opt/*", True),
    ("eclipse-temurin:21", "/opt/java", True),
    ("debian", "/usr/local/bin/tool", False),
    ("python", "/usr/local/bin/tool", True),
    ("debian", "/usr/local/tool/bin", False),
    ("debian", "/usr/local/bin", True),
    ("debian", "/usr/local/share/tool", True),
    ("debian", "/usr/local/*", True),
    ("node", "/usr/local/tool", True),
    ("node", "/usr/src/app", False),
    ("node", "/usr/src", True),
    ("node", "/usr/src/*", True),
    ("perl", "/usr/src/app", True),
    ("php", "/usr/src/app", False),
    ("php", "/usr/src/php.tar.xz", True),
    ("debian", "/usr/bin/tool", True),
    ("debian", "/", True),
])  # fmt: skip
def test_what_an_image_may_hold(image: str, path: str, held: bool) -> None:
    assert bases.may_hold(image, bases.facts(image), path) is held


def test_the_table_speaks_of_images_that_it_lists() -> None:
    for table in (
        bases._VARIABLES,
        bases._WORKDIRS,
        bases._FOLDERS,
        bases._NO_DEFAULT,
        bases._ONE_DISTRIBUTION,
        bases._EMPTY_OPT,
        bases._IN_OPT,
        bases._EMPTY_LOCAL,
    ):
        assert set(table) <= set(bases._DISTRIBUTIONS)
    for repository in bases._DISTRIBUTIONS:
        assert bases.repository_of(repository) == (repository, "")
        fact = bases.facts(repository)
        assert fact is not None and fact.repository == repository
        assert fact.workdir is None or fact.workdir.startswith("/")
        assert not fact.folders & bases.SYSTEM_FOLDERS
