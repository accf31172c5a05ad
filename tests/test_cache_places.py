"""Where caches are, as far as a base image that is known, or taken for one like another, tells."""

import pytest

from dfopt import caches
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse


def build(text: str) -> Build:
    return Build(parse(Source(text, "Dockerfile")))


@pytest.mark.parametrize(
    ("image", "command", "folder"),
    [
        ("fedora:40", "dnf", "/var/cache/dnf"),
        ("fedora:41", "dnf", "/var/cache/libdnf5"),
        ("fedora:rawhide", "yum", "/var/cache/libdnf5"),
        ("fedora", "dnf", None),
        ("centos:7", "yum", "/var/cache/yum"),
        ("centos:7.9.2009", "yum", "/var/cache/yum"),
        ("centos:7", "dnf", None),
        ("quay.io/centos/centos:stream9", "yum", "/var/cache/dnf"),
        ("rockylinux:9-minimal", "microdnf", None),
        ("almalinux:9", "dnf", "/var/cache/dnf"),
        ("amazonlinux:2", "yum", "/var/cache/yum"),
        ("amazonlinux:2023", "dnf", "/var/cache/dnf"),
        ("amazonlinux:2018.03", "yum", "/var/cache/yum"),
        ("oraclelinux:8", "dnf", "/var/cache/dnf"),
        ("registry.access.redhat.com/ubi8/ubi", "yum", "/var/cache/dnf"),
        ("example.com/base", "dnf", None),
    ],
)
def test_which_folder_dnf_and_yum_take(image: str, command: str, folder: str | None) -> None:
    one = build(f"FROM {image}\nRUN {command} install -y x\n")
    run = one.run(1)
    assert run is not None
    folders = caches.mount_folders(one, 1, run.uses[0])
    assert [found.path for found in folders] == ([folder] if folder else [])


@pytest.mark.parametrize(
    ("text", "home", "moved"),
    [
        ("FROM example.com/base\nRUN x\n", "/root", None),
        ("FROM $BASE\nUSER root\nRUN x\n", "/root", None),
        ("FROM example.com/library/golang:1.22\nRUN x\n", "/root", "/go"),
        ("ARG PREFIX\nFROM ${PREFIX}golang:1.22\nRUN x\n", "/root", "/go"),
        ("FROM golang:1.22\nRUN x\n", None, None),
        ("FROM scratch\nRUN x\n", None, None),
        ("FROM example.com/base\nUSER app\nRUN x\n", None, None),
        ("FROM example.com/base\nUSER $APP\nRUN x\n", None, None),
        ("FROM example.com/base AS a\nUSER $APP\nFROM a\nRUN x\n", None, None),
        ("FROM example.com/base\nENV HOME=/h\nRUN x\n", None, None),
    ],
)
def test_what_an_unknown_base_is_taken_for(text: str, home: str | None, moved: str | None) -> None:
    one = build(text)
    found = caches.assumed_base(one, len(one.instructions) - 1)
    assert (found.home if found else None) == home
    assert (found.variables.get("GOPATH") if found else None) == moved


@pytest.mark.parametrize(
    ("image", "user", "uid"),
    [
        ("ubuntu:24.04", "ubuntu", 1000),
        ("ubuntu:noble-20240605", "ubuntu", 1000),
        ("ubuntu:22.04", "ubuntu", None),
        ("ubuntu", "ubuntu", None),
        ("debian:bookworm-slim", "www-data", 33),
        ("php:8.3-fpm-alpine", "www-data", None),
        ("oven/bun:1", "bun", 1000),
        ("node:20", "node", 1000),
        ("python:3.12", "node", None),
    ],
)
def test_users_of_base_images(image: str, user: str, uid: int | None) -> None:
    assert caches.owner(build(f"FROM {image}\nUSER {user}\nRUN x\n"), 2).uid == uid


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("/root/.cache/pip", ("/root/.cache",)),
        ("/root/.npm", ()),
        ("/usr/local/share/.cache/yarn", ("/usr/local/share/.cache",)),
        ("/cargo/git/db", ("/cargo/git", "/cargo")),
        ("/var/cache/apt", ()),
        ("/etc/apk/cache", ()),
    ],
)
def test_the_folders_above_a_cache_that_may_go_with_it(path: str, above: tuple[str, ...]) -> None:
    assert caches.above(build("FROM debian:bookworm-slim\nRUN x\n"), 1, path) == above
