"""All packages of the base image upgraded in a layer on top of it."""

from collections.abc import Iterator

from dfopt import caches, packages
from dfopt.build import Build
from dfopt.packages import Use
from dfopt.rule import Finding, Given, Saving

# With one of these only some packages are upgraded, or none.
_LIMITS = (
    "--simulate", "--download-only", "--dry-run", "--downloadonly", "--assumeno", "--security", "--advisory", "--cve", "--bz",
    "--bugfix", "--enhancement", "--newpackage", "--sec-severity", "--advisory-severities", "--bugzilla", "--issue", "--category",
    "--severity", "--self-upgrade-only", "--repo", "--from", "--print-uris", "--help",
)  # fmt: skip

_REFUSAL = "without it the image has other versions of its packages"


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        for index in stage.indexes if build.is_shipped(stage) else ():
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in run.uses if run is not None else ():
                if run is not None and _upgrades_all(use):
                    saves = Saving("the packages that stand in the base image and again in this layer")
                    yield Finding(caches.span_of(run, use), _message(use), None, saves, (), _REFUSAL)


def _message(use: Use) -> str:
    return (
        f"`{caches.label(use)}` puts new versions of the base's packages into a layer on top of the old ones, and a cached layer"
        " goes stale -> where a newer base image has them, build on that (`docker build --pull`)"
    )


def _upgrades_all(use: Use) -> bool:
    """Whether a command upgrades whatever is installed, not only some of it."""
    named = use.operands or use.verb.startswith(("group", "local", "debuginfo")) or use.uncertain
    if use.manager.family not in packages.SYSTEM_FAMILIES or use.action != "upgrade" or named:
        return False
    known = {option.canonical for option in use.options} | {option.name for option in use.options}
    return known.isdisjoint(_LIMITS)
