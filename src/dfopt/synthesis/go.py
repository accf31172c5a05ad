"""Go: `go build` and `go install`; static by `CGO_ENABLED=0` or on Alpine without a compiler, else linked to the C library of its release."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases
from dfopt.context import Context
from dfopt.packages import Use
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site, facts

_BUILD_ONLY = frozenset(
    "CGO_ENABLED GOOS GOARCH GOARM GOAMD64 GOFLAGS GOPROXY GOPRIVATE GONOSUMDB GONOSUMCHECK GONOPROXY GOSUMDB GO111MODULE GOINSECURE GOTOOLCHAIN GOCACHE"
    " GOMODCACHE GOWORK CGO_CFLAGS CGO_LDFLAGS CGO_CPPFLAGS GOEXPERIMENT GOBIN GOPATH".split()
)

# Files that only `go build` reads.
_SOURCE = pattern(
    r".*\.(?:go|s|c|cc|cpp|h|hpp|syso|proto)|go\.(?:mod|sum|work|work\.sum)|buf(?:\.gen|\.work)?\.(?:yaml|lock)|.*_test\.go|\.golangci\.ya?ml|tools\.go"
)
_EMBEDS = pattern(r"(?m)^//go:embed\s+(.+)$")


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _is_build(placed)]
    repository, tag = bases.repository_of(site.image)
    if all(map(_is_tool, built)) and repository == "golang":
        # A Makefile builds it; a stage on Go's image builds Go.
        built += [
            placed
            for placed in site.commands
            if posixpath.basename(placed.command.name or "") in ("make", "mage", "task", "goreleaser")
        ]
    if not built or _runs_go(site):
        return None
    known = site.stage.facts
    if known is None:
        return f"what the base image `{site.bottom.base.text}` brings is not known"
    outputs: list[Artefact] = []
    questions: list[Question] = []
    for placed in built:
        found = _outputs(site, placed)
        if isinstance(found, Question):
            questions.append(found)
        elif isinstance(found, str):
            return found
        else:
            outputs += found
    projects = [placed for placed in built if not _is_tool(placed)]
    if not projects:
        return None
    image, family = facts.small_image(site.image, known)
    static, question = _is_static(site, projects, known)
    if question is not None:
        questions.append(question)
    if not image and static and known.distribution == "debian":
        image, family = "debian:stable-slim", "debian"
    if not image:
        return f"no small image of the release of `{site.bottom.base.text}` is known"
    has_shell = True
    why = f"the distribution of `{site.bottom.base.text}`"
    if static and site.given.runtime in ("scratch", "distroless"):
        image = "scratch" if site.given.runtime == "scratch" else "gcr.io/distroless/static-debian12"
        why, family, has_shell = "the program is static, and the configuration asks for it", "", False
    elif not static:
        why = f"the program is linked to the C library of `{site.bottom.base.text}`"
    system = []
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    if (
        repository == "golang"
        and "slim" not in tag
        and image.partition(":")[0] != "alpine"
        and "distroless" not in image
    ):
        system.append(Artefact(certificates, "file", "the certificates that the builder's image brings"))
    # Debian's images have had no time zones for certain since trixie, Alpine's never.
    if repository == "golang" and (family != "debian" or "trixie" in image or "stable" in image) and _reads_zones(site):
        zones = "/usr/local/go/lib/time/zoneinfo.zip"
        system.append(Artefact(zones, "file", "the time zones, where a Go program looks for them"))
    embedded = _embedded(site)

    def is_source(path: str) -> bool | None:
        name = posixpath.basename(path)
        if _SOURCE.fullmatch(name) or "vendor" in path.split("/")[:-1] or path.split("/")[0] == "vendor":
            return True
        if any(path == one or path.startswith(one + "/") for one in embedded):
            return True
        return None

    explained = frozenset(placed.key for placed in site.commands if _explained(placed))
    notes = [] if static else ["the program is not static: the libraries that it is linked to must be in the runtime"]
    notes += [f"`{placed.text[:40]}` may build more than is carried" for placed in projects if not _is_build(placed)]
    return Proposal(
        "Go", projects[-1], tuple(outputs), image, why, family, explained, is_source, shell=has_shell, needs_libraries=not static,
        tools=frozenset(("go-dep", "bash", "curl", "git", "tar", "musl-dev", "upx")) - _named_tools(site), system=tuple(system), build_only=_BUILD_ONLY,
        questions=tuple(questions), notes=tuple(notes),
    )  # fmt: skip


def _named_tools(site: Site) -> frozenset[str]:
    """Programs that the image itself speaks of."""
    text = " ".join(site.said("CMD", "ENTRYPOINT", "HEALTHCHECK", "SHELL"))
    return frozenset(name for name in ("bash", "curl", "git", "tar") if re.search(rf"\b{name}\b", text))


def _is_build(placed: Placed) -> bool:
    use = placed.command.use
    return use is not None and use.manager.name == "go" and use.verb in ("build", "install")


def _is_tool(placed: Placed) -> bool:
    """Whether a program of elsewhere is built (`go install golang.org/x/...@latest`)."""
    use = placed.command.use
    return use is not None and use.verb == "install" and any("@" in word.text for word in use.operands)


def _explained(placed: Placed) -> bool:
    use = placed.command.use
    if use is not None and use.manager.name == "go":
        return True
    name = posixpath.basename(placed.command.name or "")
    if name in ("make", "mage", "task"):
        return not any(word.text == "install" for word in placed.simple.words)
    return name in (
        "gofmt",
        "golangci-lint",
        "swag",
        "wire",
        "sqlc",
        "templ",
        "mockgen",
        "protoc",
        "buf",
        "govulncheck",
        "staticcheck",
        "dep",
        "glide",
        "govendor",
        "goimports",
    )


def _runs_go(site: Site) -> bool:
    """Whether the image runs the tool chain itself."""
    return any(
        posixpath.basename(word.strip("\"'"))
        in ("go", "air", "CompileDaemon", "reflex", "realize", "fresh", "dlv", "gin")
        for words in site.started
        for word in words
    )


def _outputs(site: Site, placed: Placed) -> list[Artefact] | Question | str:
    """What one command builds."""
    use = placed.command.use
    if use is None:
        return _spoken(site, placed)
    folder = placed.folder
    for word in use.directories:
        folder = site.joined(folder, site.value(placed, word))
    for changed in use.options:
        if changed.canonical == "-C" and changed.value:
            folder = site.joined(folder, changed.value)
    if use.verb == "install":
        return _installed(site, placed, use)
    packages = [site.value(placed, word) for word in use.operands]
    option = next((option for option in use.options if option.canonical == "-o"), None)
    if option is not None:
        target = _target(site, placed, option.index, option.value)
        path = site.joined(folder, target)
        if path is None:
            return (
                Question("artefact", f"where `{placed.text[:60]}` puts the program depends on a variable", ("PATH",))
                if not site.answer("artefact")
                else [
                    Artefact(answer, "file", "as the configuration answers") for answer in site.answer("artefact") or ()
                ]
            )
        if path == "/dev/null":
            return []
        if target is not None and (target.endswith(("/", "/.")) or target in (".", "..") or _several(packages)):
            names = _names(site, folder, packages)
            if names is None:
                return [Artefact(path, "folder", "the programs")]
            return [
                Artefact(posixpath.join(path, name), "file", "the program" if len(names) == 1 else "a program")
                for name in names
            ]
        return [Artefact(path, "file", "the program")]
    if _several(packages):
        return []  # several packages are built and thrown away
    names = _names(site, folder, packages)
    if names and folder is not None:
        return [Artefact(posixpath.join(folder, names[0]), "file", "the program")]
    answered = site.answered(folder, "file")
    if answered is not None:
        return answered
    named = _named_below(site, folder)
    if named is not None:
        return [Artefact(named, "file", "the program")]
    return Question(
        "artefact",
        f"`{placed.text[:60]}` names its program after the module, which is not known",
        ("PATH",),
    )


def _spoken(site: Site, placed: Placed) -> list[Artefact] | Question:
    """What a Makefile builds: the paths that the image runs and that nothing else brings."""
    answered = site.answered(placed.folder, "file")
    if answered is not None:
        return answered
    found = {
        path: None
        for path in site.programs
        if placed.folder is not None and path.startswith(placed.folder.rstrip("/") + "/")
    }
    for other in site.commands:
        if posixpath.basename(other.command.name or "") in ("cp", "mv", "install") and other.key > placed.key:
            for word in [word for word in other.simple.words[1:] if not word.text.startswith("-")][:-1]:
                path = site.path(other, word)
                if path is not None and placed.folder is not None and path.startswith(placed.folder.rstrip("/") + "/"):
                    found[path] = None
    paths = [
        path
        for path in found
        if site.in_context(path) is None and not set(path) & set("*?[") and "." not in posixpath.basename(path)
    ]
    if not paths or site.context is None and len(paths) > 1:
        return Question("artefact", f"what does `{placed.text[:60]}` build that the image runs? -> paths", ("PATHS",))
    return [Artefact(path, "file", "the program") for path in paths]


def _target(site: Site, placed: Placed, index: int, value: str | None) -> str | None:
    """The value of `-o`."""
    if value is not None:
        return value
    words = placed.simple.words
    text = words[index].text if index < len(words) else ""
    if re.fullmatch(r"--?o", text) and index + 1 < len(words):
        return site.value(placed, words[index + 1])
    found = site.value(placed, words[index]) if index < len(words) else None
    return found.partition("=")[2] if found is not None and "=" in found else None


def _several(packages: list[str | None]) -> bool:
    return len([one for one in packages if one is None or not one.endswith(".go")]) > 1 or any(
        one is not None and "..." in one for one in packages
    )


def _named_below(site: Site, folder: str | None) -> str | None:
    """The file directly below a folder that the image runs, where the file's own words say so: the only one that it can be."""
    found = {
        path
        for path in site.programs
        if folder is not None and posixpath.dirname(path) == folder and "." not in posixpath.basename(path)
    }
    return found.pop() if len(found) == 1 and site.context is None else None


def _names(site: Site, folder: str | None, packages: list[str | None]) -> list[str] | None:
    """The names of the programs that packages build; None where they are not known."""
    found = []
    for package in packages or ["."]:
        if package is None:
            return None
        if "..." in package:
            place = site.in_context(site.joined(folder, package.partition("...")[0]) or "")
            mains = _mains(site, place) if place is not None and site.context is not None else []
            if "" in mains:
                own = _module_name(site, site.joined(folder, package.partition("...")[0]))
                mains = [name or own for name in mains] if own is not None else []
            if not mains:
                return None
            found += mains
            continue
        if package.endswith(".go"):
            return [posixpath.basename(packages[0] or "").removesuffix(".go")]
        path = posixpath.normpath(package)
        if path == "." or package.endswith("/.") or path == "..":
            name = _module_name(site, site.joined(folder, path))
            if name is None:
                return None
            found.append(name)
        elif package.startswith((".", "/")) or "." in package.partition("/")[0] or folder is not None:
            last = posixpath.basename(path)
            found.append(posixpath.basename(posixpath.dirname(path)) if re.fullmatch(r"v[2-9][0-9]*", last) else last)
        else:
            return None
    return found


def _module_name(site: Site, folder: str | None) -> str | None:
    """The name of the program of the package in a folder: the folder's, for the module's root the module's."""
    if folder is None:
        return None
    manifest = site.in_context(posixpath.join(folder, "go.mod"))
    place = site.context
    if manifest is None or place is None:
        above = site.in_context(folder)
        return posixpath.basename(folder) if above and site.context is not None and "/" in above else None
    hit = re.search(r"(?m)^\s*module\s+\"?([^\s\"]+)", place.text(manifest) or "")
    if hit is None:
        return None
    last = posixpath.basename(hit[1])
    return (
        posixpath.basename(posixpath.dirname(hit[1])) if re.fullmatch(r"v[2-9][0-9]*", last) and "/" in hit[1] else last
    )


def _mains(site: Site, folder: str) -> list[str]:
    """The folders below `folder` with a package main, by name."""
    place = site.context
    found: dict[str, None] = {}
    for one in place.walk(folder) if place is not None else ():
        if one.path.endswith(".go") and not one.path.endswith("_test.go") and "/vendor/" not in f"/{one.path}":
            name = posixpath.basename(posixpath.dirname(one.path))
            if name not in found and re.search(
                r"(?m)^package main\b", place.text(one.path) or "" if place is not None else ""
            ):
                found[name] = None
    return list(found)


def _installed(site: Site, placed: Placed, use: Use) -> list[Artefact] | Question | str:
    """What `go install` puts into GOBIN."""
    state = site.build.state(placed.instruction)
    _, target = state.lookup("GOBIN")
    if target is None:
        _, path = state.lookup("GOPATH")
        target = posixpath.join(path or "/go", "bin")
    own = [name for name, _ in use.environment]
    if "GOBIN" in own or "GOPATH" in own:
        value = dict(use.environment).get("GOBIN")
        if value is None:
            return Question("artefact", f"where `{placed.text[:60]}` puts the program depends on a variable", ("PATH",))
        target = value
    packages = [site.value(placed, word) for word in use.operands]
    if _is_tool(placed):
        found = []
        for package in packages:
            path = (package or "").partition("@")[0]
            last = posixpath.basename(path)
            name = posixpath.basename(posixpath.dirname(path)) if re.fullmatch(r"v[2-9][0-9]*", last) else last
            found.append(Artefact(posixpath.join(target, name), "file", "also: a tool that the stage builds"))
        return found
    folder = placed.folder
    names = _names(site, folder, packages)
    if names is None:
        answered = site.answered(target, "file")
        if answered is not None:
            return answered
        return Question(
            "artefact",
            f"`{placed.text[:60]}` names its program after the module, which is not known",
            ("PATH",),
        )
    return [Artefact(posixpath.join(target, name), "file", "the program") for name in names]


def _is_static(site: Site, built: list[Placed], known: bases.Base) -> tuple[bool, Question | None]:
    """Whether the programs need no library, or what must be asked."""
    values = []
    for placed in built:
        own = dict(placed.command.use.environment) if placed.command.use is not None else {}
        assigned = {assignment.name: assignment.value for assignment in placed.simple.assignments}
        exported = [
            word.value for other in placed.run.commands if other.name == "export" and other.simple.start < placed.simple.start
            for word in other.simple.words if word.value and word.value.startswith("CGO_ENABLED=")
        ]  # fmt: skip
        if "CGO_ENABLED" in own:
            values.append(own["CGO_ENABLED"])
        elif "CGO_ENABLED" in assigned:
            word = assigned["CGO_ENABLED"]
            values.append(word.value if word is not None else "")
        elif exported:
            values.append((exported[-1] or "").partition("=")[2])
        else:
            is_set, value = site.build.state(placed.instruction).lookup("CGO_ENABLED")
            values.append(value if is_set else "unset")
    if all(value == "0" for value in values):
        return True, None
    if all(
        placed.text.find("-extldflags") >= 0 and re.search(r"-extldflags[ =]+.?-static", placed.text)
        for placed in built
    ):
        return True, None
    # Alpine's image of Go has no C compiler: without one cgo is off.
    compilers = any(
        facts.compiles((word.value or "").partition("=")[0])
        for placed in site.commands if placed.command.use is not None and placed.command.use.action == "install"
        for word in placed.command.use.operands
    )  # fmt: skip
    repository, _ = bases.repository_of(site.image)
    if known.distribution == "alpine" and repository == "golang" and not compilers and "1" not in values:
        return True, None
    if known.distribution == "debian" and not facts.release_of(site.image):
        answer = site.answer("cgo")
        if answer is None:
            return False, Question(
                "cgo",
                "is the program linked to the C library? the release that it is built on is not known -> set `CGO_ENABLED=0`, or answer `no`",
                ("no",),
            )
        return True, None
    return False, None


def _reads_zones(site: Site) -> bool:
    """Whether the program may look up time zones."""
    place = site.context
    if place is None:
        return True
    for one in place.walk():
        if one.path.endswith(".go") and "LoadLocation" in (place.text(one.path) or ""):
            return True
    modules = place.text("go.mod")
    return modules is None or "require" in modules


def _embedded(site: Site) -> frozenset[str]:
    """The paths below the context's root that Go sources embed whole; files that a pattern names are taken to be read, too."""
    place = site.context
    if place is None:
        return frozenset()
    return frozenset(_embeds(place))


def _embeds(place: Context) -> Iterator[str]:
    for one in place.walk():
        if not one.path.endswith(".go"):
            continue
        text = place.text(one.path) or ""
        if "go:embed" not in text:
            continue
        folder = posixpath.dirname(one.path)
        for hit in _EMBEDS.finditer(text):
            for name in hit[1].split():
                name = name.strip('"`').removeprefix("all:")
                if name and not set(name) & set("*?["):
                    yield posixpath.join(folder, name) if folder else name
                elif name:
                    yield from place.matching(posixpath.join(folder, name) if folder else name)
