"""A build fetches its dependencies itself, behind a COPY of the sources, so that every change fetches them anew."""

from collections.abc import Iterator

from dfopt import caches, context, layers
from dfopt.build import Build, Run, Stage, once
from dfopt.packages import Use
from dfopt.rule import Finding, Given, Related, Saving

# family -> what the commands fetch, and the step of its own that makes a layer of it.
_ADVICE = {
    "go": ("modules", "copy `go.mod` and `go.sum`, run `go mod download`, then copy the rest"),
    "cargo": ("crates", "`cargo chef`, or a build of a program that does nothing, makes a layer of them before the sources are copied"),
    "maven": ("artefacts", "copy `pom.xml`, run `mvn dependency:go-offline` (which misses what some plug-ins fetch), then copy the rest"),
    "gradle": ("artefacts", "copy the wrapper and the build scripts, run `gradle dependencies`, then copy the rest"),
    "nuget": ("packages", "copy the project files, run `dotnet restore`, then copy the rest"),
}  # fmt: skip

# Options by which nothing is fetched.
_NOTHING_FETCHED = ("--offline", "--frozen", "--no-restore")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        # Who has fetched already, in this stage or below it; BuildKit takes that from its cache where nothing before it has changed.
        fetched = {family for one in build.chain(stage)[1:] for family in _families(build, one)}
        copied: list[int] = []
        for index in stage.indexes:
            if layers.takes_folder(build, index):
                copied.append(index)
            copy = build.copy(index)
            if copy is not None and copy.origin is not None and copy.origin.stage is not None:
                # It may bring what the other stage fetched.
                fetched |= _families(build, build.stages[copy.origin.stage])
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in _uses(run):
                family = use.manager.family
                if family in fetched:
                    continue
                fetched.add(family)
                if run is not None and use.action == "build" and copied and _fetches(build, given, index, use):
                    yield _finding(build, run, use, copied[-1])


@once
def _families(build: Build, stage: Stage) -> frozenset[str]:
    """The families of package managers that fetch or build in a stage."""
    runs = (build.run(index) for index in stage.indexes if build.instructions[index].name == "RUN")
    return frozenset(use.manager.family for run in runs for use in _uses(run))


def _uses(run: Run | None) -> list[Use]:
    """The commands of a RUN that fetch what a project's manifests name, or build with it."""
    uses = run.uses if run is not None else []
    return [
        use
        for use in uses
        if use.manager.family in _ADVICE
        and use.verb not in _NO_BUILD
        and (use.action == "download" or (use.reads_project and use.action in ("install", "build")))
    ]


_NO_BUILD = ("vet", "clean", "fmt", "format", "version", "help", "tasks", "wrapper")


def _fetches(build: Build, given: Given, index: int, use: Use) -> bool:
    """Whether a build may fetch something, and keeps it in the layer alone."""
    if not use.reads_project or use.has(*_NOTHING_FETCHED) or use.value_of("-mod") == "vendor":
        return False
    if any(
        path is not None and layers.mounted(build, index, path)
        for _, path in caches.places(build, index, use, use.manager.mounts)
    ):
        return False
    place = context.of(build, given)
    if place is None:
        return True
    if use.manager.family == "go":
        return not any(one.kind == "folder" and one.path.endswith("vendor") for one in place.inside("")) and any(
            "require" in (place.text(name) or "") for name in ("go.mod", *place.matching("*/go.mod"))
        )
    if use.manager.family == "cargo":
        return any(
            "[[package]]" in (place.text(name) or "") or "dependencies" in (place.text(name) or "")
            for name in ("Cargo.lock", "Cargo.toml")
        )
    return True


def _finding(build: Build, run: Run, use: Use, copied: int) -> Finding:
    instruction = build.instructions[copied]
    what, advice = _ADVICE[use.manager.family]
    label = caches.label(use)
    written = f"{instruction.name} {' '.join(instruction.arguments)}"
    return Finding(
        instruction.text_span,
        f"`{written}` comes before `{label}`, which fetches the {what} itself: every changed file fetches them anew -> {advice}",
        None,
        Saving(f"the {what} that are fetched, in every rebuild that changes no manifest", source=""),
        (Related(run.span(use.command.start, use.command.end), f"`{label}` runs again after every change"),),
        "a step that fetches is the author's to add: what it must be told hangs on the build",
    )
