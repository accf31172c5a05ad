"""C and C++: a compiler called directly, make, cmake and meson; outputs are what `-o` names, or what an install of the project puts there."""

import posixpath
import re

from dfopt import bases
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site, facts

_COMPILERS = pattern(r"(?:[a-z0-9_]+-linux-(?:gnu|musl)-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[0-9.]+)?")
_CPP = pattern(r"(?:.*-)?(?:g\+\+|c\+\+|clang\+\+)(?:-[0-9.]+)?")
_TOOLS = frozenset(
    "make gmake cmake ninja meson configure autoreconf autogen.sh aclocal automake autoconf libtoolize bootstrap ctest qmake scons".split()
)
_SOURCE = pattern(
    r".*\.(?:c|cc|cpp|cxx|c\+\+|h|hh|hpp|hxx|inl|ipp|s|asm|y|l|in|am|ac|m4|cmake|o|a|pro|pri|proto)|cmakelists\.txt|cmakepresets\.json|meson\.build"
    r"|meson_options\.txt|meson\.options|configure|autogen\.sh|config\.(?:guess|sub)|install-sh|depcomp|missing|ltmain\.sh|conanfile\.(?:txt|py)|vcpkg\.json"
    r"|\.clang-(?:format|tidy)|build|cmake-build-[a-z]+"
)
_SOURCE_FOLDERS = frozenset(("src", "include", "third_party", "cmake", "m4", "source"))
_BUILD_ONLY = frozenset(
    "CC CXX CFLAGS CXXFLAGS LDFLAGS CPPFLAGS MAKEFLAGS CMAKE_BUILD_TYPE CMAKE_GENERATOR CMAKE_BUILD_PARALLEL_LEVEL PKG_CONFIG_PATH AR RANLIB".split()
)


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _kind(placed)]
    if not built or not _has_compiler(site):
        return None
    # Another language's build may compile C beside its own work: that one knows.
    if any(placed.command.use is not None and placed.command.use.manager.name in _OTHERS and placed.command.use.action in ("install", "build", "run")
           for placed in site.commands):  # fmt: skip
        return None
    known = site.stage.facts
    if known is None:
        return f"what the base image `{site.bottom.base.text}` brings is not known"
    image, family = facts.small_image(site.image, known)
    if not image:
        return f"no small image of the release of `{site.bottom.base.text}` is known"
    outputs: dict[str, Artefact] = {}
    questions: list[Question] = []
    for placed in built:
        for one in _outputs(site, placed):
            outputs[one.path] = one
    spoken = [path for path in _spoken(site, built) if path not in outputs]
    installs = [placed for placed in built if _installs(placed)]
    if installs:
        for one in _installed(site, installs):
            outputs[one.path] = one
    # What the image runs out of a folder that make or cmake works in can only be theirs.
    for path in spoken:
        if not any(
            path.startswith(known_path.rstrip("/") + "/") for known_path, one in outputs.items() if one.kind == "folder"
        ):
            outputs[path] = Artefact(path, "file", "the program")
    if not outputs or (installs and not any(one.why != "the program" for one in outputs.values())):
        answer = site.answer("artefact")
        if answer is not None:
            workdir = site.build.after(site.stage).workdir
            for text in answer:
                path = site.joined(workdir, text) or text
                outputs[path] = Artefact(path, "folder" if text.endswith("/") else "", "as the configuration answers")
        elif installs:
            questions.append(
                Question(
                    "artefact",
                    f"what does `{installs[-1].text[:60]}` put where? -> paths, or a `DESTDIR` of its own in the Dockerfile",
                    ("PATHS",),
                )
            )
        elif not outputs:
            questions.append(
                Question(
                    "artefact", f"what does `{built[-1].text[:60]}` build that the image runs? -> paths", ("PATHS",)
                )
            )
    static = all(re.search(r"(?<![\w-])-static(?!\S)", placed.text) for placed in built if _kind(placed) == "compiler") and any(
        _kind(placed) == "compiler" for placed in built
    ) and all(_kind(placed) == "compiler" for placed in built)  # fmt: skip
    has_shell = True
    why = f"the distribution of `{site.bottom.base.text}`"
    packages: tuple[str, ...] = ()
    notes: list[str] = []
    repository, _ = bases.repository_of(site.image)
    if static and site.given.runtime in ("scratch", "distroless"):
        image = "scratch" if site.given.runtime == "scratch" else "gcr.io/distroless/static-debian12"
        why, family, has_shell = "the program is static, and the configuration asks for it", "", False
    elif not static:
        why = f"the program is linked to the C library of `{site.bottom.base.text}`"
        notes.append("the program is not static: the libraries that it is linked to must be in the runtime")
        cpp = _is_cpp(site, built)
        if repository == "gcc":
            if cpp is not False and site.answer("libstdc++") is None:
                questions.append(
                    Question(
                        "libstdc++",
                        f"`{site.image}` has a C++ library of its own, newer than the runtime's: is the program linked to it? -> `no` for C, else link with `-static-libstdc++`",
                        ("no",),
                    )
                )
            if site.answer("libraries") is None and _may_link(site, built):
                questions.append(
                    Question(
                        "libraries",
                        f"`{site.image}` brings the headers of many libraries: which of them is the program linked to? -> packages, or `none`",
                        ("none", "PACKAGES"),
                    )
                )
            packages = tuple(one for one in site.answer("libraries") or () if one != "none")
        elif cpp is not False:
            packages = () if family == "debian" else ("libstdc++",)  # Debian's package manager is linked to it
        if family == "alpine" and cpp is False:
            packages = (*packages, "libgcc")

    def is_source(path: str) -> bool | None:
        parts = path.rstrip("/").lower().split("/")
        if _SOURCE.fullmatch(parts[-1]) or any(part in ("build", ".deps") for part in parts[:-1]):
            return True
        return True if site.context is None and parts[-1] in _SOURCE_FOLDERS else None

    explained = frozenset(placed.key for placed in site.commands if _kind(placed) or _explained(placed))
    return Proposal(
        "C/C++", built[-1], tuple(outputs.values()), image, why, family, explained, is_source, shell=has_shell, packages=packages,
        needs_libraries=not static, tools=frozenset(("python3", "perl", "tcl", "xxd", "texinfo", "help2man", "swig", "ragel", "gperf", "m4", "cppcheck",
                                                     "clang-format", "clang-tidy", "lcov", "gcovr")),
        build_only=_BUILD_ONLY, questions=tuple(questions), notes=tuple(notes),
    )  # fmt: skip


_OTHERS = frozenset(
    "go cargo npm yarn pnpm bun maven gradle dotnet pip pip3 uv poetry pipenv bundler gem composer conda mamba mix".split()
)


def _has_compiler(site: Site) -> bool:
    repository, _ = bases.repository_of(site.image)
    if repository in ("gcc", "buildpack-deps", "silkeh/clang"):
        return True
    return any(
        re.match(r"(?:gcc|g\+\+|clang|build-essential|build-base|alpine-sdk)(?:$|[-=0-9])", site.value(placed, word) or "")
        for placed in site.commands if placed.command.use is not None and placed.command.use.action == "install"
        for word in placed.command.use.operands
    )  # fmt: skip


def _kind(placed: Placed) -> str:
    """`compiler`, or `tool` for what calls one; "" for another command."""
    name = posixpath.basename(placed.command.name or "")
    if placed.command.use is not None:
        return ""
    if _COMPILERS.fullmatch(name):
        return "compiler"
    return "tool" if name in _TOOLS or (name in ("waf",)) else ""


def _explained(placed: Placed) -> bool:
    return posixpath.basename(placed.command.name or "") in (
        "pkg-config",
        "ar",
        "ranlib",
        "strip",
        "conan",
        "vcpkg",
        "update-alternatives",
        "ldconfig",
    )


def _outputs(site: Site, placed: Placed) -> list[Artefact]:
    """What a compiler writes."""
    if _kind(placed) != "compiler":
        return []
    words = placed.simple.words
    texts = [word.text for word in words]
    if any(text in ("-c", "-S", "-E", "--version", "-v", "-M", "-MM") for text in texts[1:]):
        return []
    path: str | None = None
    for at, text in enumerate(texts):
        if text == "-o" and at + 1 < len(words):
            path = site.path(placed, words[at + 1])
        elif text.startswith("-o") and len(text) > 2 and not text.startswith("-openmp"):
            path = site.joined(placed.folder, text[2:])
    if "-o" not in texts and path is None:
        path = site.joined(placed.folder, "a.out")
    return (
        [Artefact(path, "file", "the library" if ".so" in posixpath.basename(path) else "the program")]
        if path is not None
        else []
    )


def _spoken(site: Site, built: list[Placed]) -> list[str]:
    """The files that CMD, ENTRYPOINT or a later copy names below a folder that a build tool works in."""
    folders = {placed.folder for placed in built if _kind(placed) == "tool" and placed.folder is not None}
    for placed in built:
        words = placed.simple.words
        for at, word in enumerate(words[:-1]):
            if word.text in ("-C", "-B", "--build", "-S"):
                folder = site.path(placed, words[at + 1])
                folders.update([folder] if folder else [])
    found: dict[str, None] = {}
    paths: list[str | None] = [*site.programs]
    first = min(placed.key for placed in built)
    for placed in site.commands:
        if posixpath.basename(placed.command.name or "") in ("cp", "mv", "install") and placed.key > first:
            operands = [word for word in placed.simple.words[1:] if not word.text.startswith("-")]
            paths += [site.path(placed, word) for word in operands[:-1]]
    copied = {path for index in site.indexes for path in _copied(site, index)}
    for path in paths:
        if (
            path is None
            or set(path) & set("*?[")
            or path in copied
            or posixpath.splitext(path)[1] in (".sh", ".conf", ".json", ".yaml", ".py", ".txt")
        ):
            continue
        if any(path.startswith(folder.rstrip("/") + "/") for folder in folders) and site.in_context(path) is None:
            found[path] = None
    return list(found)


def _copied(site: Site, index: int) -> list[str]:
    from dfopt import layers

    return [one.path for one in layers.laid(site.build, index) or () if one.kind == "file"]


def _installs(placed: Placed) -> bool:
    """Whether a command installs what was built."""
    texts = [word.text for word in placed.simple.words]
    name = posixpath.basename(texts[0]) if texts else ""
    if name in ("make", "gmake", "ninja"):
        return any(re.fullmatch(r"install(?:-strip|/strip|-bin|-exec)?", text) for text in texts[1:])
    if name == "cmake":
        return "--install" in texts or ("--build" in texts and "install" in texts)
    return name == "meson" and "install" in texts


def _installed(site: Site, installs: list[Placed]) -> list[Artefact]:
    """What an install puts there, where its prefix or DESTDIR is the project's own folder."""
    found: list[Artefact] = []
    for placed in installs:
        texts = [site.value(placed, word) or word.text for word in placed.simple.words]
        staged = next((text.partition("=")[2] for text in texts if text.startswith("DESTDIR=")), None)
        staged = staged or next(
            (one.value.value for one in placed.simple.assignments if one.name == "DESTDIR" and one.value is not None),
            None,
        )
        prefix = next((text.partition("=")[2] for text in texts if text.startswith(("PREFIX=", "prefix="))), None)
        for at, text in enumerate(texts[:-1]):
            if text == "--prefix" and texts[0].endswith("cmake"):
                prefix = texts[at + 1]
        if prefix is None:
            prefix = _configured(site, placed)
        if staged:
            path = site.joined(placed.folder, staged)
            if path is not None:
                found.append(
                    Artefact(path + (prefix or "/usr/local").rstrip("/"), "folder", "what the project installs")
                )
        elif prefix is not None:
            path = site.joined(placed.folder, prefix)
            if path is not None and path not in _SYSTEM:
                found.append(Artefact(path, "folder", "what the project installs"))
            elif path in ("/usr", "/usr/local", "/"):
                found += _by_name(site, path)
        else:
            found += _by_name(site, "/usr/local")
    return found


_SYSTEM = frozenset(("/", "/usr", "/usr/local", "/opt", "/etc", "/var"))


def _configured(site: Site, placed: Placed) -> str | None:
    """The prefix that an earlier `configure`, `cmake` or `meson setup` was given."""
    for other in site.commands:
        if other.key >= placed.key:
            break
        for word in other.simple.words:
            text = site.value(other, word) or word.text
            hit = re.fullmatch(r"(?:--prefix|-DCMAKE_INSTALL_PREFIX(?::\w+)?|-Dprefix)=(.+)", text)
            if hit is not None and _kind(other):
                return hit[1]
    return None


def _by_name(site: Site, prefix: str) -> list[Artefact]:
    """The program in a system's folder that the image starts by name: CMake's and meson's lists say that the project installs nothing else."""
    place = site.context
    if place is None:
        return []
    programs: list[str] = []
    for one in place.walk():
        name = posixpath.basename(one.path)
        if name.lower() == "cmakelists.txt":
            text = re.sub(r"#[^\n]*", "", place.text(one.path) or "")
            for hit in re.finditer(r"(?is)\binstall\s*\(\s*(\w+)\s+([^)]*)\)", text):
                words = hit[2].split()
                if hit[1].upper() != "TARGETS":
                    return []
                stop = next((at for at, word in enumerate(words) if word.isupper()), len(words))
                rest = " ".join(words[stop:])
                if not re.fullmatch(r"(?:RUNTIME\s+)?(?:DESTINATION\s+(?:bin|\$\{CMAKE_INSTALL_BINDIR\}))?", rest):
                    return []
                for target in words[:stop]:
                    if not re.search(rf"(?i)\badd_executable\s*\(\s*{re.escape(target)}\b", text):
                        return []
                    programs.append(target)
        elif name == "meson.build":
            text = re.sub(r"#[^\n]*", "", place.text(one.path) or "")
            if re.search(
                r"\b(?:install_data|install_subdir|install_headers|install_man|library|shared_library)\s*\(|install_dir",
                text,
            ):
                return []
            for hit in re.finditer(r"(?s)\bexecutable\s*\(\s*'([^']+)'([^)]*)\)", text):
                if re.search(r"install\s*:\s*true", hit[2]):
                    programs.append(hit[1])
    return [
        Artefact(posixpath.join(prefix, "bin", name), "file", "the program that the project installs")
        for name in dict.fromkeys(programs)
    ]


def _is_cpp(site: Site, built: list[Placed]) -> bool | None:
    """Whether the program is C++; None where that is not known."""
    if any(_CPP.fullmatch(posixpath.basename(placed.command.name or "")) for placed in built):
        return True
    place = site.context
    if place is not None:
        return any(re.search(r"\.(?:cc|cpp|cxx|c\+\+|hpp|hh|hxx)$", one.path) for one in place.walk())
    if all(_kind(placed) == "compiler" for placed in built):
        return False
    return None


def _may_link(site: Site, built: list[Placed]) -> bool:
    """Whether the program may be linked to a library besides the C library's own."""
    plain = re.compile(r"-l(?:m|c|pthread|dl|rt|util|crypt|stdc\+\+|gcc)$")
    if all(_kind(placed) == "compiler" for placed in built):
        return any(
            word.text.startswith("-l") and not plain.match(word.text) or "$" in word.text or "`" in word.text or word.text.endswith((".so", ".a"))
            for placed in built for word in placed.simple.words[1:]
        )  # fmt: skip
    place = site.context
    if place is None:
        return True
    for one in place.walk():
        name = posixpath.basename(one.path).lower()
        text = (
            place.text(one.path) or ""
            if name in ("makefile", "gnumakefile", "cmakelists.txt", "meson.build", "configure.ac")
            or name.endswith((".mk", ".cmake"))
            else ""
        )
        if re.search(
            r"pkg-config|pkg_check_modules|find_package|find_library|dependency\s*\(|PKG_CHECK|AC_CHECK_LIB|AC_SEARCH_LIBS",
            text,
        ):
            return True
        if any(not plain.match(hit) for hit in re.findall(r"(?<![\w-])-l[\w+.-]+", text)):
            return True
    return False
