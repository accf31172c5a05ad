"""A base image without a version: the build takes what `latest` is that day."""

from collections.abc import Iterator

from dfopt import bases, families
from dfopt.build import Build
from dfopt.rule import Finding, Given


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        image = stage.base.text
        # What the caller gives, and a named context, is for the caller to say.
        if stage.base.kind != "image" or set(image) & set("$@") or build.windows:
            continue
        repository, tag = bases.repository_of(image)
        if tag not in ("", "latest") or not families.has_versions(repository):
            continue
        what = f"`{image}` names the newest version" if tag else f"`{image}` names no version"
        message = f"{what}, so that the same file builds another image one day -> name one, as `{image.removesuffix(':latest')}:<version>`"
        yield Finding(build.instructions[stage.first].words[0].span, message)
