"""A base image whose program, distribution or whole repository its publisher mends no more."""

from collections.abc import Iterator

from dfopt import bases, families, rebase
from dfopt.build import Build
from dfopt.rule import Finding, Given, Related


def check(build: Build, given: Given) -> Iterator[Finding]:
    places: dict[str, list[int]] = {}
    for stage in build.stages:
        image = rebase.default_image(build, stage)
        if image is not None and not build.windows:
            places.setdefault(image, []).append(stage.first)
    for image, indexes in places.items():
        message = _message(image)
        if message:
            spans = [build.instructions[index].words[0].span for index in indexes]
            yield Finding(spans[0], message, related=tuple(Related(span, "and here") for span in spans[1:]))


def _message(image: str) -> str:
    repository, tag = bases.repository_of(image)
    if "@" in image and not tag:
        return ""
    gone = families.given_up(repository, tag)
    if gone is not None:
        return f"`{image}`: `{repository}` gets no new images since {gone[0]} -> move to {_quoted(gone[1])}"
    ended = families.ends(repository, tag)
    if not ended:
        return ""
    told = " and ".join(f"{one.what} (end of life {one.date})" for one in ended)
    advice = "a version that is" if len(ended) == 1 else "versions that are"
    return f"`{image}` has {told} -> move to {advice} maintained"


def _quoted(name: str) -> str:
    return name if " " in name else f"`{name}`"
