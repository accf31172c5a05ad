"""A shipped image stands on a base made for development: CUDA's `devel`, a JDK, the .NET SDK, where it only runs what is there."""

import posixpath
import re
from collections.abc import Callable, Iterator

from dfopt import bases, families, needs, projects, rebase
from dfopt.build import Build, Stage
from dfopt.rule import Finding, Fix, Given, Saving
from dfopt.startup import NamedTuple, pattern


class _Kind(NamedTuple):
    """A family of images for development. `variant` is the one to run on; `programs` are what it holds beside the distribution's own;
    `brings` and `agreed` are said to the reader; `wanted` is whether a stage wants the larger one, and
    `doubt` says why the change is left to the author."""

    variant: str
    programs: frozenset[str]
    brings: str
    agreed: str
    wanted: Callable[[Build, Stage], bool]
    doubt: Callable[[Build, Stage], str]
    compiled: bool  # whether what other stages bring may be compiled against it


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        image = rebase.default_image(build, stage)
        kind = _KINDS.get(bases.repository_of(image)[0]) if image is not None else None
        if image is None or kind is None or build.windows or stage.base.text.startswith("$"):
            continue
        new = families.variant(image, kind.variant)
        images = [one for one in (stage, *build.children(stage)) if build.is_shipped(one)]
        if (
            new is None
            or not build.is_shipped(stage)
            or not all(projects.serves(build, one) for one in images if _is_leaf(build, one))
        ):
            continue
        if kind.wanted(build, stage):
            continue
        found = list(needs.of(build, given, stage, kind.programs, kind.compiled))
        if any(need.kind == "build" for need in found):
            continue
        yield _finding(build, stage, kind, image, new, found)


def _is_leaf(build: Build, stage: Stage) -> bool:
    return not any(stage.index in other.needs for other in build.stages)


def _finding(build: Build, stage: Stage, kind: _Kind, image: str, new: str, found: list[needs.Need]) -> Finding:
    message = f"`{image}` brings {kind.brings} into the image that is shipped -> `{new}`"
    unknown = next((need for need in found if need.kind == "unknown"), None)
    refusal = (
        f"{unknown.label} may need what only the larger image has" if unknown is not None else kind.doubt(build, stage)
    )
    fix = None
    if not refusal:
        changed = rebase.change_base(build, stage, new)
        if isinstance(changed, str):
            refusal = changed
        else:
            fix = Fix(f"build on `{new}`", (changed[0],), False, kind.agreed, (changed[1], *rebase.keeps(build, stage)))
    span = build.instructions[stage.first].words[0].span
    return Finding(span, message, fix, Saving(kind.brings), (), refusal)


def _texts(build: Build, stage: Stage) -> Iterator[str]:
    for one in (stage, *build.children(stage)):
        for index in one.indexes:
            instruction = build.instructions[index]
            if instruction.name not in ("FROM", "COPY", "ADD"):
                yield instruction.logical.text
            yield from (heredoc.body.text for heredoc in instruction.heredocs)


# ------------------------------------------------------------------------------------------------------------ CUDA

# What compiles when it is installed or when it runs, and what a file sets that does.
_COMPILES = pattern(
    r"\b(?:triton|torch[._]compile|torchinductor|flash[-_]attn|flash[-_]attention|flashinfer[\w-]*|deepspeed|bitsandbytes|apex|xformers|vllm|sglang"
    r"|tensorrt[\w-]*|cupy[\w-]*|pycuda|numba|jax|auto[-_]?gptq|autoawq|gptq[\w-]*|exllama\w*|llama[-_]cpp[\w-]*|llama\.cpp|causal[-_]conv1d|mamba[-_]ssm"
    r"|nerfacc|tiny-cuda-nn|pytorch3d|gsplat|transformer[-_]engine|nvcc|TORCH_CUDA_ARCH_LIST|FORCE_CUDA|CUDAHOSTCXX|CMAKE_ARGS|MAX_JOBS"
    r"|DS_BUILD_\w+|NVCC_\w+|TORCH_EXTENSIONS_DIR|cpp_extension|build_ext|setup\.py|nsys|ncu|cuda-gdb|compute-sanitizer)\b",
    re.IGNORECASE,
)


def _compiles(build: Build, stage: Stage) -> bool:
    return any(_COMPILES.search(text) for text in _texts(build, stage))


def _no_doubt(build: Build, stage: Stage) -> str:
    return ""


_CUDA = (
    "CUDA's compiler, headers and static libraries",
    "to agree: code that is compiled at run time (`torch.compile`, Triton, extensions built on first use) gets slower or fails",
    _compiles,
)

# ------------------------------------------------------------------------------------------------------------ Java

_JDK_TOOLS = pattern(
    r"\b(?:javac|jshell|jcmd|jmap|jstack|jstat|jinfo|jps|jdb|jlink|jdeps|jpackage|jhsdb|tools\.jar|javadoc|mvn|mvnw|gradlew?|sbt|ant"
    r"|jvisualvm|jconsole|spring-boot:run|bootRun|jmod|serialver|jarsigner|src\.zip)\b|(?<![-.\w])jar\s"
)


def _wants_jdk(build: Build, stage: Stage) -> bool:
    return not _starts("java")(build, stage) or any(_JDK_TOOLS.search(text) for text in _texts(build, stage))


def _starts(program: str) -> Callable[[Build, Stage], bool]:
    """Whether all that is shipped of a stage starts `program` itself: what a script calls is not known."""

    def starts(build: Build, stage: Stage) -> bool:
        for one in (stage, *build.children(stage)):
            if not build.is_shipped(one) or not _is_leaf(build, one):
                continue
            names = [word for word in re.split(r"[\s\"'\[\],;&|]+", projects.start(build, one) or "") if word]
            while names and (posixpath.basename(names[0]) in ("sh", "bash", "-c", "exec", "tini", "dumb-init", "--")):
                del names[0]
            first = names[0] if names else ""
            if posixpath.basename(first) != program:
                return False
        return True

    return starts


# ------------------------------------------------------------------------------------------------------------ .NET

_SDK_COMMANDS = pattern(
    r"\bdotnet[\s\",]+(?:build|publish|restore|test|run|watch|tool|ef|new|add|pack|msbuild|dev-certs|workload|nuget|sln)\b|\bmsbuild\b|\bnuget\b"
)


def _wants_sdk(build: Build, stage: Stage) -> bool:
    return not _starts("dotnet")(build, stage) or any(_SDK_COMMANDS.search(text) for text in _texts(build, stage))


def _sdk_doubt(build: Build, stage: Stage) -> str:
    if "alpine" in stage.base.text:
        return "on Alpine the images to run on lack the libraries of ICU that the SDK has"
    for one in (stage, *build.children(stage)):
        environment = build.after(one).environment
        if not any(environment.sets(name) for name in ("ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "URLS")):
            return "the SDK's image and `aspnet` give a web server another port by default: set `ASPNETCORE_HTTP_PORTS`"
    return ""


_PYTHON = frozenset("python python3 pip pip3 conda".split())

_KINDS = {
    "nvidia/cuda": _Kind("runtime", frozenset(), *_CUDA, _no_doubt, True),
    "pytorch/pytorch": _Kind("runtime", _PYTHON, *_CUDA, _no_doubt, True),
    "eclipse-temurin": _Kind(
        "jre",
        frozenset("java keytool".split()),
        "the compiler and tools of the JDK",
        "to agree: the program itself compiles no Java and needs no tool of the JDK, for diagnosis neither",
        _wants_jdk,
        _no_doubt,
        False,
    ),
    **{
        f"mcr.microsoft.com/dotnet/{core}sdk": _Kind(
            "aspnet",
            frozenset(("dotnet",)),
            "the .NET SDK",
            "to agree: the program needs no part of the SDK when it runs",
            _wants_sdk,
            _sdk_doubt,
            False,
        )
        for core in ("", "core/")
    },
}
