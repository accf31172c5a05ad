"""Decisions that several rules share: whether dependency caches are mounted or cleaned, and what the frontend can do."""

import re

from dfopt.build import Build
from dfopt.rule import Given


def cache(build: Build, given: Given) -> str:
    """`mount` or `clean`: what becomes of the caches of package managers in this file.

    `auto` is `mount` where the file shows that it is built by BuildKit: it has a `docker/dockerfile` syntax line, a mount or a
    heredoc already, and its frontend is not one that came before mounts. Adding or dropping a mount does not turn the answer, as
    no rule takes the last of these signs away.
    """
    if given.cache != "auto":
        return given.cache
    if given.engine != "buildkit" or not has_mounts(build):
        return "clean"
    if frontend(build):
        return "mount"
    for instruction in build.instructions:
        if instruction.heredocs or any(flag.name == "mount" for flag in instruction.flags):
            return "mount"
    return "clean"


def frontend(build: Build) -> str:
    """The image of the syntax line, "" where there is none."""
    for directive in build.syntax.directives:
        if directive.name == "syntax":
            return directive.value.split()[0] if directive.value.split() else ""
    return ""


def has_mounts(build: Build) -> bool:
    """Whether `RUN --mount` is understood: by the frontend built into Docker 23 and later where the file names none, and by
    `docker/dockerfile` from 1.2 on (its release notes), the `experimental` ones before."""
    image = frontend(build)
    if not image:
        return True
    version = re.search(r":(\d+)\.(\d+)", image)
    return version is None or (int(version[1]), int(version[2])) >= (1, 2) or "experimental" in image


def has_named_contexts(build: Build, given: Given) -> bool:
    """Whether `--build-context` is understood: by BuildKit, and by `docker/dockerfile` from 1.4 on (its release notes)."""
    version = re.search(r":(\d+)\.(\d+)", frontend(build))
    return given.engine == "buildkit" and (version is None or (int(version[1]), int(version[2])) >= (1, 4))


def has_symbolic_modes(build: Build) -> bool:
    """Whether `COPY --chmod=+x` is understood: by `docker/dockerfile` from 1.14 on (its release notes). What is built into Docker
    may be older."""
    image = frontend(build)
    version = re.search(r":(\d+)\.(\d+)", image)
    return bool(image) and (version is None or (int(version[1]), int(version[2])) >= (1, 14)) and ":0" not in image
