""".NET: `dotnet publish`; what it publishes runs in the `aspnet` or `runtime` image of the same version, or in `runtime-deps` where it brings its own.

Sources: learn.microsoft.com, "dotnet publish" and ".NET container images"; dotnet/dotnet-docker on GitHub for tags and variables.
"""

import posixpath
import re

from dfopt import bases, families
from dfopt.packages import Use
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site

_BUILD_ONLY = frozenset(
    "DOTNET_CLI_TELEMETRY_OPTOUT DOTNET_SKIP_FIRST_TIME_EXPERIENCE DOTNET_NOLOGO DOTNET_CLI_HOME NUGET_XMLDOC_MODE NUGET_PACKAGES NUGET_HTTP_CACHE_PATH"
    " DOTNET_GENERATE_ASPNET_CERTIFICATE MSBUILDDISABLENODEREUSE BUILD_CONFIGURATION".split()
)

# What MSBuild reads: sources, projects, and its own settings. Content that a program reads at run time is published beside it.
_SOURCE = pattern(
    r"(?i).*\.(?:cs|fs|fsi|vb|cshtml|razor|resx|xaml|csproj|fsproj|vbproj|sln|slnx|slnf|props|targets|proto|snk|ruleset|editorconfig|tt|user|runsettings)"
    r"|nuget\.config|global\.json|packages\.lock\.json|launchsettings\.json|paket\..*|dotnet-tools\.json|\.config"
)
_PROJECT = pattern(r"(?i).*\.(?:cs|fs|vb)proj")

_EXPLAINED = frozenset(
    "restore build publish test clean tool nuget workload format msbuild new add list sln pack help".split()
)


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _verb(placed) == "publish"]
    if _runs_sdk(site) or not (built or any(_verb(placed) == "build" for placed in site.commands)):
        return None
    repository, _ = bases.repository_of(site.image)
    if not repository.endswith("dotnet/sdk") and not repository.endswith("dotnet/core/sdk"):
        return f"`{site.bottom.base.text}` is not Microsoft's image of the SDK, so that no image of the runtime is known to match it"
    if not built:
        return "`dotnet build` leaves what is for development -> `dotnet publish -o FOLDER` leaves what runs"
    outputs: list[Artefact] = []
    questions: list[Question] = []
    kinds: set[str] = set()
    for placed in built:
        use = placed.command.use
        assert use is not None, "a command of dotnet"
        project = _project(site, placed, use)
        found = _output(site, placed, use, project)
        if isinstance(found, Question):
            questions.append(found)
        else:
            if site.in_mount(placed, found):
                return f"`{found}` lies in a mount, so that the image has nothing of it"
            outputs.append(Artefact(found, "folder", "what is published"))
        kinds.add(_kind(site, use, project))
    if "web assembly" in kinds:
        return "the project is a Blazor WebAssembly application: its files want a web server"
    kind = "aspnet" if "aspnet" in kinds else "runtime" if "runtime" in kinds else "runtime-deps"
    image = _image(site.image, kind)
    if image is None:
        return f"no `{kind}` image is known to match `{site.bottom.base.text}`"
    why = {
        "aspnet": "it has the shared frameworks of web and other projects",
        "runtime": "the project is none of the web, so that it needs .NET alone",
        "runtime-deps": "the project brings its own .NET",
    }[kind]
    notes = []
    if kind == "aspnet" and not _sets_port(site):
        notes.append(
            f"the `aspnet` image sets `{'ASPNETCORE_HTTP_PORTS=8080' if _major(site.image) >= 8 else 'ASPNETCORE_URLS=http://+:80'}`: a web server that is"
            " not told where to listen listens there, no longer on localhost:5000"
        )

    def is_source(path: str) -> bool | None:
        if _SOURCE.fullmatch(posixpath.basename(path)):
            return True
        return True if _beside_project(site, path) else None

    packages: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    if site.stage.facts is not None and site.stage.facts.distribution == "alpine":
        # The SDK's images of Alpine have ICU and time zones and say so; the runtime's have neither, and all cultures are one there.
        packages = ("icu-data-full", "icu-libs", "tzdata")
        if not site.build.after(site.stage).environment.sets("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"):
            environment = (("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "false"),)
    explained = frozenset(placed.key for placed in site.commands if _verb(placed) in _EXPLAINED)
    facts = site.stage.facts
    family = facts.distribution or "" if facts is not None else ""
    return Proposal(
        ".NET", built[-1], tuple(outputs), image, why, family if family in ("debian", "alpine") else "", explained, is_source,
        packages=packages, build_only=_BUILD_ONLY, environment=environment, questions=tuple(questions), starts=frozenset(("dotnet",) if kind != "runtime-deps" else ()), notes=tuple(notes),
    )  # fmt: skip


def _verb(placed: Placed) -> str:
    if posixpath.basename(placed.command.name or "") != "dotnet":
        return ""
    use = placed.command.use
    if use is not None and use.verb:
        return use.verb.split()[0]
    words = placed.simple.words
    return words[1].value or "" if len(words) > 1 else ""


def _runs_sdk(site: Site) -> bool:
    """Whether the image runs the SDK itself (`dotnet run`, `dotnet watch`, `dotnet test`)."""
    pattern_of_sdk = r"\bdotnet\s+(?:run|watch|test|build|publish|ef|tool|msbuild|exec\s+sdk)\b"
    return any(re.search(pattern_of_sdk, text) for text in site.said("CMD", "ENTRYPOINT"))


def _project(site: Site, placed: Placed, use: Use) -> str | None:
    """The project that a command publishes, below the context's root; None where it is not known."""
    place = site.context
    if place is None:
        return None
    given = [site.value(placed, word) for word in use.operands]
    path = site.joined(placed.folder, given[0]) if given else placed.folder
    found = site.in_context(path) if path is not None else None
    if found is None and path is not None:
        # A folder that files were copied into one by one.
        hits = [one.path for one in place.walk() if _PROJECT.fullmatch(one.path)]
        beside = [one for one in hits if site.in_context(posixpath.join(path, posixpath.basename(one))) == one]
        return beside[0] if len(beside) == 1 else None
    if found is None:
        return None
    if _PROJECT.fullmatch(found):
        return found
    if found.lower().endswith((".sln", ".slnx")):
        hits = [one.path for one in place.walk() if _PROJECT.fullmatch(one.path)]
        return hits[0] if len(hits) == 1 else None
    entry = place.entry(found)
    if entry is None or entry.kind != "folder":
        return None
    inside = [one.path for one in place.inside(found) if _PROJECT.fullmatch(one.path)]
    return inside[0] if len(inside) == 1 else None


def _output(site: Site, placed: Placed, use: Use, project: str | None) -> str | Question:
    """Where a command publishes to."""
    option = next((option for option in use.options if option.canonical == "--output"), None)
    if option is not None:
        value = option.value
        if value is None and option.index + 1 < len(placed.simple.words):
            value = site.value(placed, placed.simple.words[option.index + 1])
        path = site.joined(placed.folder, value)
        if path is not None:
            return path
    answer = site.answer("artefact")
    if answer:
        return site.joined(placed.folder, answer[0]) or answer[0]
    words = f"where `{placed.text[:60]}` puts what it publishes depends on"
    if option is not None:
        return Question("artefact", f"{words} a variable", ("PATH",))
    properties = " ".join(option.value or "" for option in use.options if option.canonical == "--property").lower()
    if re.search(r"publishdir=|outputpath=|artifactspath=|publishprofile=", properties):
        return Question("artefact", f"{words} a property -> add `-o FOLDER`, or answer", ("PATH",))
    text = site.context.text(project) if project is not None and site.context is not None else None
    framework = re.search(r"<TargetFramework>\s*([\w.]+)\s*</TargetFramework>", text or "")
    folder = _folder_of_project(site, placed, use, project)
    if (
        framework is None
        or folder is None
        or re.search(r"<(?:PublishDir|OutputPath|BaseOutputPath|ArtifactsPath)>", text or "")
    ):
        return Question("artefact", f"{words} the project -> add `-o FOLDER`, or answer", ("PATH",))
    configuration = next((option.value for option in use.options if option.canonical == "--configuration"), None)
    if configuration is None:
        # Release from .NET 8 on, before that Debug (learn.microsoft.com, "dotnet publish").
        number = re.fullmatch(r"net(\d+)\.\d+", framework[1])
        configuration = "Release" if number is not None and int(number[1]) >= 8 else "Debug"
    runtime = next((option.value for option in use.options if option.canonical == "--runtime"), None)
    parts = ["bin", configuration, framework[1], *([runtime] if runtime else []), "publish"]
    return posixpath.join(folder, *parts)


def _folder_of_project(site: Site, placed: Placed, use: Use, project: str | None) -> str | None:
    """The builder's folder of the project that is published."""
    given = [site.value(placed, word) for word in use.operands]
    path = site.joined(placed.folder, given[0]) if given else placed.folder
    if path is None or project is None or path.lower().endswith((".sln", ".slnx")):
        return None
    return posixpath.dirname(path) if _PROJECT.fullmatch(path) else path


def _kind(site: Site, use: Use, project: str | None) -> str:
    """Which image runs what is published: `aspnet` has all that `runtime` has, so that it is taken where the project is not known."""
    options = {option.canonical: option.value for option in use.options}
    properties = " ".join(option.value or "" for option in use.options if option.canonical == "--property").lower()
    text = site.context.text(project) if project is not None and site.context is not None else None
    own = (text or "").lower()
    contained = options.get("--self-contained", "false" if "--self-contained" not in options else "true") or "true"
    if contained.lower() == "true" or re.search(r"(?:selfcontained|publishaot)=true", properties):
        return "runtime-deps"
    if (
        "--no-self-contained" not in options
        and "--self-contained" not in options
        and re.search(r"<(?:selfcontained|publishaot)>\s*true", own)
    ):
        return "runtime-deps"
    if text is None:
        return "aspnet"
    if "microsoft.net.sdk.blazorwebassembly" in own:
        return "web assembly"
    if re.search(r"microsoft\.net\.sdk\.(?:web|razor)\b|microsoft\.aspnetcore", own) or "<projectreference" in own:
        return "aspnet"
    return "runtime"


# The SDK counts its own versions (8.0.401), and the images of the runtime count theirs: only major and minor are the same.
_SDK_TAG = pattern(r"([0-9]+\.[0-9]+)(?:\.[0-9]{3})?((?:-[a-z0-9.]+)*)")


def _image(image: str, kind: str) -> str | None:
    """The image of the runtime of an SDK's image."""
    found = families.variant(image, kind)
    if found is not None:
        return found
    repository, tag = bases.repository_of(image)
    match = _SDK_TAG.fullmatch(tag)
    if "$" in image or "@" in image or match is None or "preview" in tag or "windows" in tag or "nano" in tag:
        return None
    return f"{repository.removesuffix('sdk')}{kind}:{match[1]}{match[2]}"


def _major(image: str) -> int:
    match = re.match(r"[0-9]+", bases.repository_of(image)[1])
    return int(match[0]) if match is not None else 8


def _sets_port(site: Site) -> bool:
    """Whether the file says where a web server listens."""
    after = site.build.after(site.stage).environment
    if any(
        after.sets(name) for name in ("ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "DOTNET_URLS", "URLS", "HTTP_PORTS")
    ):
        return True
    return any("--urls" in text for text in site.said("CMD", "ENTRYPOINT"))


def _beside_project(site: Site, path: str) -> bool:
    """Whether a path of the context lies in a project's folder, so that publishing it is the project's to say."""
    place = site.context
    if place is None:
        return False
    folder = posixpath.dirname(path.rstrip("/"))
    while True:
        if any(_PROJECT.fullmatch(one.path) for one in place.inside(folder)):
            return True
        if not folder:
            return False
        folder = posixpath.dirname(folder)
