"""An image ships the tool chain that built its program: compilers, build tools and their caches."""

import posixpath
from collections.abc import Iterator

from dfopt import bases, packages, synthesis
from dfopt.build import Build, Command, Stage
from dfopt.rule import Finding, Fix, Given, Related, Saving
from dfopt.source import Span
from dfopt.startup import NamedTuple


class _Built(NamedTuple):
    """A command that builds in a stage, and what it builds with."""

    instruction: int
    span: Span
    label: str
    language: str


# language -> what a stage of its own would leave behind, and what the image needs instead.
_ADVICE = {
    "Go": "build in a stage of its own and copy the binary into `scratch`, distroless or a slim image",
    "Rust": "build in a stage of its own and copy the binary into a slim image",
    "Java": "build in a stage of its own and copy the jar into an image with a JRE",
    ".NET": "publish in a stage of its own and copy the result into the `aspnet` or `runtime` image",
    "Node": "build in a stage of its own and copy the result and the production dependencies into the final stage",
    "C/C++": "build in a stage of its own and copy what is installed",
    "Python": "install in a stage of its own and copy what is installed",
}

# What compiles the extensions of a language whose programs run from their sources.
_CHAINS = {"Python": "C", "Ruby": "C", "PHP": "C"}

_MANAGERS = {"go": "Go", "cargo": "Rust", "maven": "Java", "gradle": "Java", "dotnet": ".NET"}

# Repositories whose images bring the tool chain.
_IMAGES = {
    "golang": "Go", "rust": "Rust", "maven": "Java", "gradle": "Java", "gcc": "C/C++", "mcr.microsoft.com/dotnet/sdk": ".NET",
    "mcr.microsoft.com/dotnet/core/sdk": ".NET", "node": "Node",
}  # fmt: skip

_COMPILERS = frozenset("gcc g++ cc c++ clang clang++ make gmake cmake ninja meson configure autoreconf".split())

# Packages that bring a tool chain, over the distributions. (Compilers of C and what builds with them are `build-packages-shipped`'s.)
_PACKAGES = {
    "golang": "Go", "golang-go": "Go", "go": "Go", "cargo": "Rust", "rustc": "Rust", "rust": "Rust", "maven": "Java", "gradle": "Java",
    "default-jdk": "Java",
}  # fmt: skip

_NODE_BUILDERS = frozenset(
    "tsc webpack vite rollup esbuild ng next nuxt react-scripts vue-cli-service parcel gulp grunt".split()
)


def check(build: Build, given: Given) -> Iterator[Finding]:
    used = {index for stage in build.stages for index in stage.needs}
    for stage in build.stages:
        if stage is not build.final and stage.index in used:
            continue
        chain = build.chain(stage)
        tools = _tools(build, chain)
        for built in _builds(build, chain):
            if built.language in tools and not _runs_with_it(build, stage, built.language):
                yield _finding(
                    build, given, stage, built, tools[built.language], synthesis.plan_of(build, given, stage)
                )
                break
        else:
            # Only such a stage can be split.
            if stage is build.final:
                yield from _planned(build, given, stage)


def _planned(build: Build, given: Given, stage: Stage) -> Iterator[Finding]:
    """A stage whose tool chain no table names (compilers that come as packages are another rule's), where a plan is sure of it."""
    plan = synthesis.plan_of(build, given, stage)
    if isinstance(plan, synthesis.Plan) and not plan.questions:
        simple = plan.built.simple
        label = " ".join(word.text for word in simple.words[:2])
        span = plan.built.run.span(simple.start, simple.end)
        built = _Built(plan.built.instruction, span, label if len(label) < 40 else simple.words[0].text, plan.language)
        yield _finding(build, given, stage, built, None, plan)


def _finding(
    build: Build,
    given: Given,
    stage: Stage,
    built: _Built,
    origin: tuple[Span, str] | None,
    plan: synthesis.Plan | str | None,
) -> Finding:
    message = (
        f"`{built.label}` builds in the image that is shipped, with the {_CHAINS.get(built.language, built.language)} tool chain"
        f"{f' of {origin[1]}' if origin is not None else ''}"
        f" -> {_ADVICE.get(built.language, 'build in a stage of its own and copy the result into a small image')}"
    )
    related = (Related(origin[0], "the tool chain comes in here"),) if origin is not None else ()
    saves = Saving(f"the {built.language} tool chain, the sources and what the build leaves behind")
    if plan is None:
        refusal = "dfopt has no plan for what is built here"
    elif isinstance(plan, str):
        refusal = plan
    elif plan.questions:
        asked = "; ".join(f"{question.words} (`{question.id}`)" for question in plan.questions)
        refusal = f"{asked} -> `dfopt plan` says how to answer"
    else:
        from dfopt.synthesis import writing  # only where there is something to write

        edits = writing.edits_of(build, plan)
        fix = Fix(
            f"build in a stage of its own, and run on `{plan.image}`",
            edits,
            False,
            f"to agree: the image has {_parts(plan)} and nothing else of the build{_without(plan)}",
            writing.effects_of(build, plan),
        )
        return Finding(built.span, message, fix, saves, related)
    return Finding(built.span, message, None, saves, related, refusal)


def _parts(plan: synthesis.Plan) -> str:
    """What the runtime stage gets, in words."""
    names = [f"`{one.to or one.path}`" for one in plan.artefacts]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return shown + (f", the packages {', '.join(plan.packages)}" if plan.packages else "")


def _without(plan: synthesis.Plan) -> str:
    """The packages that stay behind, in words."""
    return f"; left in the builder: {plan.behind}" if plan.behind else ""


def _tools(build: Build, chain: list[Stage]) -> dict[str, tuple[Span, str]]:
    """The tool chains that an image ships: by its base image, or by packages that no later command of the same RUN removes."""
    found: dict[str, tuple[Span, str]] = {}
    bottom = chain[-1]
    repository, tag = bases.repository_of(bottom.reference)
    language = _IMAGES.get(repository)
    if language is None and repository in ("eclipse-temurin", "openjdk", "amazoncorretto") and "jre" not in tag:
        language = "Java"
    if language is not None:
        found[language] = (bottom.base.span, f"`{bottom.base.text}`")
    for stage in reversed(chain):
        for index in stage.indexes:
            run = build.run(index)
            if run is None or run.script.opaque is not None:
                continue
            uses = run.uses
            if any(use.action == "remove" for use in uses):
                continue
            for use in uses:
                if use.action != "install" or use.manager.family not in packages.SYSTEM_FAMILIES:
                    continue
                for word in use.operands:
                    name = (word.value or "").partition("=")[0]
                    language = _PACKAGES.get(name) or ("Java" if name.endswith("-jdk") else None)
                    if language is not None and language not in found:
                        found[language] = (run.span(word.start, word.end), f"the package `{name}`")
    return found


def _builds(build: Build, chain: list[Stage]) -> Iterator[_Built]:
    for stage in reversed(chain):
        for index in stage.indexes:
            run = build.run(index)
            if run is None or run.script.opaque is not None:
                continue
            for command in run.commands:
                simple = command.simple
                language = _language(command)
                if language is not None:
                    words = [word.text for word in simple.words if not word.text.startswith("-")]
                    label = " ".join(words[:2]) if len(" ".join(words[:2])) < 40 else words[0]
                    yield _Built(index, run.span(simple.start, simple.end), label, language)


def _language(command: Command) -> str | None:
    """What a command builds, None where it builds nothing."""
    simple, _, use = command
    if use is not None:
        manager = use.manager.name
        if manager in _MANAGERS:
            return (
                _MANAGERS[manager] if use.action == "build" or (use.action == "install" and use.reads_project) else None
            )
        if manager in ("npm", "yarn", "pnpm", "bun") and use.action in ("run", "build"):
            named = [use.verb, *((word.value or "") for word in use.operands)]
            return "Node" if any(name == "build" or name.startswith("build:") for name in named) else None
        return None
    name = posixpath.basename(command.name or "")
    if name in ("npx", "pnpx", "bunx"):
        name = simple.words[1].value or "" if len(simple.words) > 1 else ""
    if name in _NODE_BUILDERS:
        return "Node"
    return "C/C++" if name in _COMPILERS else None


def _runs_with_it(build: Build, stage: Stage, language: str) -> bool:
    """Whether the image's own command uses the tool chain (`go run`, `mvn spring-boot:run`): then it belongs there."""
    programs = {
        "Go": ("go",), "Rust": ("cargo", "rustc"), "Java": ("mvn", "mvnw", "gradle", "gradlew"), ".NET": (),
        "C/C++": tuple(_COMPILERS),
    }.get(language, ())  # fmt: skip
    for index in stage.indexes:
        instruction = build.instructions[index]
        if instruction.name in ("CMD", "ENTRYPOINT") and instruction.arguments:
            words = list(instruction.arguments) if instruction.json else instruction.arguments[0].split()
            names = [posixpath.basename(word.strip("\"'")) for word in words]
            if any(name in programs for name in names):
                return True
            if language == ".NET" and names[:2] in (["dotnet", "run"], ["dotnet", "watch"], ["dotnet", "test"]):
                return True
    return False
