"""Manual pages and other documentation that packages of RPM distributions bring along."""

from collections.abc import Iterator

from dfopt import caches, projects
from dfopt.build import Build, Run, Stage, once
from dfopt.packages import Use
from dfopt.rule import Finding, Fix, Given, Removes, Saving
from dfopt.startup import pattern

_FLAGS = {
    "yum": "--setopt=tsflags=nodocs",
    "dnf": "--setopt=tsflags=nodocs",
    "dnf5": "--setopt=tsflags=nodocs",
    "microdnf": "--nodocs",
}
_GONE = ("/usr/share/doc/**", "/usr/share/man/**", "/usr/share/info/**", "/usr/share/gtk-doc/**")

# What in a script or a heredoc sets it for all, or deletes documentation by itself. Not the flag, which each command has for itself.
_DECIDED = pattern(
    r"(?i)(?<!--setopt=)tsflags|no-docs|(?<!--)(?<!tsflags=)nodocs|excludedocs|/usr/share/(?:doc|man|info)\b"
)


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in run.uses if run is not None else ():
                if run is not None and _brings(use) and not projects.last_before(build, index, _decided):
                    yield _finding(build, stage, index, run, use)


def _brings(use: Use) -> bool:
    return (
        use.manager.name in _FLAGS
        and use.action == "install"
        and use.verb in ("install", "in", "groupinstall", "group install")
        and bool(use.operands)
        and not use.has("--downloadonly", "--installroot")
        and not any("nodocs" in word.text or "tsflags" in word.text for word in use.command.words)
    )


@once
def _decided(build: Build, stage: Stage) -> tuple[tuple[int, bool], ...]:
    """The instructions of a stage that speak of documentation, or copy configuration of dnf's or yum's."""
    found = []
    for index in stage.indexes:
        instruction = build.instructions[index]
        copy = build.copy(index)
        into = copy is not None and (copy.destination or "").startswith(("/etc/dnf", "/etc/yum.conf"))
        texts = (
            instruction.body.text if instruction.name == "RUN" else "",
            *(heredoc.body.text for heredoc in instruction.heredocs),
        )
        if into or any(_DECIDED.search(text) for text in texts):
            found.append((index, True))
    return tuple(found)


def _finding(build: Build, stage: Stage, index: int, run: Run, use: Use) -> Finding:
    flag = _FLAGS[use.manager.name]
    message = f"`{caches.label(use)}` installs manual pages and documentation as well -> add `{flag}`"
    span, saves = caches.span_of(run, use), Saving("manual pages and documentation")
    added = caches.with_flag(run, index, use, flag)
    if added is None or use.uncertain:
        return Finding(span, message, None, saves, (), caches.NO_PLACE)
    edit, effect = added
    images = (stage, *build.children(stage))
    fix = Fix(
        f"add `{flag}`",
        (edit,),
        False,
        "to agree: nothing in the image reads the packages' documentation",
        (effect, *(Removes(_GONE, image.index) for image in images)),
    )
    return Finding(span, message, fix, saves)
