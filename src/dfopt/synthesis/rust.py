"""Rust: `cargo build` and `cargo install --path`; static for musl, else linked to the C library of its release and what `-sys` crates link."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases
from dfopt.packages import Use
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site, facts

if TYPE_CHECKING:
    from typing import Any

_BUILD_ONLY = frozenset(
    "CARGO_NET_GIT_FETCH_WITH_CLI CARGO_INCREMENTAL CARGO_TARGET_DIR CARGO_TERM_COLOR CARGO_BUILD_JOBS RUSTFLAGS RUSTC_WRAPPER SCCACHE_DIR SQLX_OFFLINE"
    " CARGO_HOME RUSTUP_HOME RUST_VERSION CARGO_PROFILE_RELEASE_LTO CARGO_REGISTRIES_CRATES_IO_PROTOCOL CARGO_PROFILE_RELEASE_DEBUG PKG_CONFIG_ALLOW_CROSS"
    " CARGO_NET_RETRY CARGO_HTTP_MULTIPLEXING CARGO_BUILD_TARGET OPENSSL_DIR OPENSSL_STATIC".split()
)

_SOURCE = pattern(
    r".*\.(?:rs|c|cc|cpp|h|hpp|proto|pest|lalrpop)|cargo\.(?:toml|lock)|rust-toolchain(?:\.toml)?|\.?(?:rustfmt|clippy)\.toml|deny\.toml|\.cargo|\.sqlx"
    r"|sqlx-data\.json|cross\.toml|diesel\.toml|tarpaulin\.toml|target"
)
_SOURCE_FOLDERS = frozenset(("src", "crates", "benches", "build.rs", ".cargo", "tests", "examples"))

# Crates that link to a library of the system, by Debian's package with its headers; "" where they bring their own unless told else.
_SYSTEM_CRATES = {
    "openssl-sys": "libssl-dev", "pq-sys": "libpq-dev", "mysqlclient-sys": "default-libmysqlclient-dev", "curl-sys": "libcurl4-openssl-dev",
    "libsqlite3-sys": "libsqlite3-dev", "sasl2-sys": "libsasl2-dev", "libudev-sys": "libudev-dev", "alsa-sys": "libasound2-dev",
    "libdbus-sys": "libdbus-1-dev", "libsodium-sys": "libsodium-dev", "zmq-sys": "libzmq3-dev", "bzip2-sys": "", "zstd-sys": "", "libz-sys": "",
    "lzma-sys": "liblzma-dev", "pcap": "libpcap-dev", "libgit2-sys": "", "libssh2-sys": "", "rdkafka-sys": "",
}  # fmt: skip
# A crate that builds the library itself, so that nothing is linked.
_VENDORED = {"openssl-sys": "openssl-src", "pq-sys": "pq-src", "mysqlclient-sys": "mysqlclient-src"}
_BUNDLED = pattern(
    r"(?m)^\s*(?:rusqlite|libsqlite3-sys|sqlx|sea-orm|diesel|curl|libsodium-sys|libdbus-sys|dbus|lzma-sys|xz2)\b.*\b(?:bundled|static|vendored|sqlite|static-[a-z]+)\b"
)


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _is_build(placed)]
    if not built:
        return None
    known = site.stage.facts
    if known is None:
        return f"what the base image `{site.bottom.base.text}` brings is not known"
    image, family = facts.small_image(site.image, known)
    if not image:
        return f"no small image of the release of `{site.bottom.base.text}` is known"
    last = built[-1]
    questions: list[Question] = []
    outputs: list[Artefact] = []
    for placed in built:
        found = _outputs(site, placed)
        if isinstance(found, Question):
            # A first build of the dependencies alone gives nothing; the last one must.
            if placed is last:
                questions.append(found)
        else:
            outputs += [one for one in found if all(one.path != other.path for other in outputs)]
    static = _is_static(site, built, known)
    has_shell = True
    why = f"the distribution of `{site.bottom.base.text}`"
    packages: tuple[str, ...] = ()
    notes: list[str] = []
    if static and site.given.runtime in ("scratch", "distroless"):
        image = "scratch" if site.given.runtime == "scratch" else "gcr.io/distroless/static-debian12"
        why, family, has_shell = "the program is static, and the configuration asks for it", "", False
    elif not static:
        why = f"the program is linked to the C library of `{site.bottom.base.text}`"
        linked = _linked(site, facts.release_of(image) if family == "debian" else "alpine")
        if isinstance(linked, Question):
            questions.append(linked)
        else:
            packages = linked
        if family == "alpine":
            packages = tuple(sorted({*packages, "libgcc"}))
        notes.append("the program is not static: the libraries that it is linked to must be in the runtime")
    repository, _ = bases.repository_of(site.image)
    system = []
    if repository == "rust" and not image.startswith("alpine") and "distroless" not in image:
        system.append(
            Artefact("/etc/ssl/certs/ca-certificates.crt", "file", "the certificates that the builder's image brings")
        )
    named = not site.context

    def is_source(path: str) -> bool | None:
        parts = path.rstrip("/").lower().split("/")
        if _SOURCE.fullmatch(parts[-1]) or any(part in ("target", ".cargo", ".sqlx") for part in parts[:-1]):
            return True
        return True if named and parts[-1] in _SOURCE_FOLDERS else None

    explained = frozenset(placed.key for placed in site.commands if _explained(placed))
    return Proposal(
        "Rust", last, tuple(outputs), image, why, family, explained, is_source, shell=has_shell, packages=packages, needs_libraries=not static,
        tools=frozenset(("libclang-dev", "mold", "lld", "perl", "python3", "nodejs", "npm")), system=tuple(system), build_only=_BUILD_ONLY,
        questions=tuple(questions), notes=tuple(notes),
    )  # fmt: skip


def _is_build(placed: Placed) -> bool:
    use = placed.command.use
    if use is None or use.manager.name != "cargo":
        return False
    if use.verb == "install":
        return use.has("--path")
    return use.verb in ("build", "auditable build", "zigbuild")


def _explained(placed: Placed) -> bool:
    use = placed.command.use
    if use is not None and use.manager.name == "cargo":
        return True
    return posixpath.basename(placed.command.name or "") in (
        "cargo",
        "rustup",
        "rustc",
        "sccache",
        "cross",
        "wasm-pack",
        "trunk",
        "sqlx",
        "diesel",
    )


def _option(site: Site, placed: Placed, use: Use, *names: str) -> str | None:
    """The value of an option, with the variables that are known; None where it is not given or not known."""
    for option in use.options:
        if option.canonical in names or option.name in names:
            if option.value is not None:
                return option.value
            words = placed.simple.words
            text = site.value(placed, words[option.index]) if option.index < len(words) else None
            if text is not None and "=" in text and text.startswith("-"):
                return text.partition("=")[2]
            return site.value(placed, words[option.index + 1]) if option.index + 1 < len(words) else None
    return None


def _outputs(site: Site, placed: Placed) -> list[Artefact] | Question:
    use = placed.command.use
    assert use is not None, "a command of Cargo"
    unknown = Question(
        "artefact",
        f"the programs that `{placed.text[:60]}` builds are named in Cargo.toml, which is not known",
        ("PATH",),
    )
    answered = site.answered(placed.folder, "file")
    if answered is not None:
        return answered
    folder = placed.folder
    manifest = _option(site, placed, use, "--manifest-path")
    if manifest is not None:
        folder = site.joined(folder, posixpath.dirname(manifest) or ".")
    state = site.build.state(placed.instruction)
    settings = _settings(site, placed)
    if settings is None or use.has("--config"):
        return unknown
    if use.verb == "install":
        _, home = state.lookup("CARGO_HOME")
        is_set, value = state.lookup("CARGO_INSTALL_ROOT")
        if is_set and value is None:
            return unknown
        root = (
            site.joined(placed.folder, _option(site, placed, use, "--root") or value)
            or settings.root
            or home
            or "/usr/local/cargo"
        )
        project = site.joined(placed.folder, _option(site, placed, use, "--path"))
        names = _names(site, project, use, placed)
        target = posixpath.join(root, "bin")
        if names is None:
            names = [posixpath.basename(path) for path in _spoken(site, target)] or None
            first = _started(site)
            if names is None and first is not None:
                names = [first]
        return (
            unknown
            if names is None
            else [Artefact(posixpath.join(target, name), "file", "the program") for name in names]
        )
    if folder is None or site.own_variables(placed) & {
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
    }:
        return unknown
    target = site.joined(placed.folder, _option(site, placed, use, "--target-dir")) or ""
    if not target:
        is_set, value = state.lookup("CARGO_TARGET_DIR")
        if not is_set:
            is_set, value = state.lookup("CARGO_BUILD_TARGET_DIR")
        if is_set and value is None:
            return unknown
        target = (
            site.joined(placed.folder, value) or ""
            if is_set
            else settings.target_folder or posixpath.join(_workspace(site, folder), "target")
        )
    is_known, triple = _target(site, placed)
    if not is_known:
        return unknown
    profile = _option(site, placed, use, "--profile") or ("release" if use.has("--release", "-r") else "debug")
    into = posixpath.join(target, *([triple] if triple else []), {"dev": "debug"}.get(profile, profile))
    names = _names(site, folder, use, placed)
    if names is not None:
        return [
            Artefact(posixpath.join(into, name), "file", "the program" if len(names) == 1 else "a program")
            for name in names
        ]
    spoken = _spoken(site, into)
    return [Artefact(path, "file", "the program") for path in spoken] if spoken else unknown


class _Settings(NamedTuple):
    """What Cargo's own configuration says: the folder of `build.target-dir` and of `install.root`, absolute, the triples of `build.target`,
    and the text of all its files."""

    target_folder: str
    root: str
    targets: tuple[str, ...]
    text: str


# What moves the result, or changes how it is linked.
_MOVES_RESULT = pattern(r"target-dir|target-feature|\btarget\s*=|\broot\s*=")


def _settings(site: Site, placed: Placed) -> _Settings | None:
    """The configuration that a command of Cargo reads: `.cargo/config.toml` (or `.cargo/config`, which goes before it) of the folder that it
    works in and of those above, the deeper one first (doc.rust-lang.org/cargo/reference/config.html). None where a file cannot be read, or a
    RUN writes one that moves what is built."""
    use = placed.command.use
    assert use is not None, "a command of Cargo"
    at = placed.folder
    if use.verb == "install":
        at = site.joined(at, _option(site, placed, use, "--path"))
    for index in site.indexes:
        run = site.build.run(index)
        if run is not None and ".cargo/config" in run.script.text and _MOVES_RESULT.search(run.script.text):
            return None
    found = _Settings("", "", (), "")
    place = site.context
    if at is None or place is None:
        return found
    import tomllib

    while True:
        hits = (site.in_context(posixpath.join(at, ".cargo", name)) for name in ("config", "config.toml"))
        path = next((one for one in hits if one is not None), None)
        if path is not None:
            text = place.text(path)
            try:
                read = tomllib.loads(text or "")
            except (ValueError, RecursionError):
                return None
            if text is None or "include" in read:
                return None
            build = _table(read.get("build"))
            folder, root = build.get("target-dir"), _table(read.get("install")).get("root")
            triples = build.get("target", [])
            triples = [triples] if isinstance(triples, str) else triples
            if (
                not isinstance(folder, str | None)
                or not isinstance(root, str | None)
                or not isinstance(triples, list)
                or not all(isinstance(one, str) for one in triples)
            ):
                return None
            found = _Settings(
                found.target_folder or site.joined(at, folder) or "",
                found.root or site.joined(at, root) or "",
                # Lists are joined.
                (*found.targets, *(one for one in triples if one not in found.targets)),
                found.text + text,
            )
        if at == "/":
            return found
        at = posixpath.dirname(at)


def _target(site: Site, placed: Placed) -> tuple[bool, str | None]:
    """Whether the target that a command builds for is known, and its triple; None for that of the machine itself."""
    use = placed.command.use
    assert use is not None, "a command of Cargo"
    triple = _option(site, placed, use, "--target")
    if triple is not None or use.has("--target"):
        return triple is not None, triple
    is_set, triple = site.build.state(placed.instruction).lookup("CARGO_BUILD_TARGET")
    if is_set:
        return triple is not None, triple
    settings = _settings(site, placed)
    if settings is None or len(settings.targets) > 1 or any(one.endswith(".json") for one in settings.targets):
        return False, None
    return True, settings.targets[0] if settings.targets else None


def _spoken(site: Site, folder: str) -> list[str]:
    """The files directly in a folder that CMD, ENTRYPOINT or a command behind the build names."""
    found: dict[str, None] = {}
    workdir = site.build.after(site.stage).workdir
    words = [site.joined(workdir, text.strip("\"'")) for texts in site.started for text in texts if "/" in text]
    for placed in site.commands:
        if posixpath.basename(placed.command.name or "") in ("cp", "mv", "install", "strip", "ln", "upx"):
            words += [site.path(placed, word) for word in placed.simple.words[1:] if not word.text.startswith("-")]
    for path in words:
        if path is not None and posixpath.dirname(path) == folder and not set(path) & set("*?["):
            found[path] = None
    return list(found)


def _started(site: Site) -> str | None:
    """The name of the program that the image starts where it is given without a folder."""
    for index in reversed(site.indexes):
        instruction = site.build.instructions[index]
        if instruction.name in ("ENTRYPOINT", "CMD") and instruction.arguments:
            texts = instruction.arguments if instruction.json else tuple(instruction.arguments[0].split())
            if (
                texts
                and "/" not in texts[0]
                and re.fullmatch(r"[\w.-]+", texts[0])
                and facts.package_of(texts[0], "debian") != ""
            ):
                return texts[0]
    return None


def _manifest(site: Site, folder: str) -> "dict[str, Any] | None":
    """The Cargo.toml of a folder of the builder."""
    path = site.in_context(posixpath.join(folder, "Cargo.toml"))
    place = site.context
    text = place.text(path) if path is not None and place is not None else None
    if text is None:
        return None
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _workspace(site: Site, folder: str) -> str:
    """The folder of the workspace that a package belongs to, whose `target` it builds into."""
    at = folder
    while at != "/":
        manifest = _manifest(site, at)
        if manifest is not None and "workspace" in manifest:
            return at
        at = posixpath.dirname(at)
    return folder


def _table(value: object) -> "dict[str, Any]":
    return value if isinstance(value, dict) else {}


def _names(site: Site, folder: str | None, use: Use, placed: Placed) -> list[str] | None:
    """The programs that a command builds; None where that is not known."""
    named = [option.value for option in use.options if option.canonical == "--bin" or option.name == "--bin"]
    if named:
        known = [name for name in named if name is not None]
        return known if len(known) == len(named) else None
    if folder is None or site.context is None:
        return None
    root = _manifest(site, folder)
    if root is None:
        return None
    packages: list[str] = []
    wanted = [
        option.value
        for option in use.options
        if option.canonical in ("-p", "--package") or option.name in ("-p", "--package")
    ]
    members = list(_members(site, folder, root))
    if wanted:
        packages = [
            member for member in members if _table(_table(_manifest(site, member)).get("package")).get("name") in wanted
        ]
        if _table(root.get("package")).get("name") in wanted:
            packages.append(folder)
        if len(packages) != len(wanted):
            return None
    elif "package" in root and not use.has("--workspace", "--all"):
        packages = [folder]
    else:
        packages = [*([folder] if "package" in root else []), *members]
    found: dict[str, None] = {}
    for package in packages:
        found.update(dict.fromkeys(_programs(site, package)))
    return list(found) or None


def _members(site: Site, folder: str, root: "dict[str, Any]") -> Iterator[str]:
    members = _table(root.get("workspace")).get("members")
    place = site.context
    base = site.in_context(posixpath.join(folder, "Cargo.toml"))
    for member in members if isinstance(members, list) else ():
        if not isinstance(member, str) or place is None or base is None:
            continue
        for hit in place.matching(posixpath.join(posixpath.dirname(base), member, "Cargo.toml")):
            below = posixpath.relpath(posixpath.dirname(hit) or ".", posixpath.dirname(base) or ".")
            yield posixpath.normpath(posixpath.join(folder, below))


def _programs(site: Site, package: str) -> Iterator[str]:
    """The programs of one package by Cargo's rules."""
    manifest = _manifest(site, package)
    place = site.context
    if manifest is None or place is None:
        return
    name = _table(manifest.get("package")).get("name")
    listed = [_table(one).get("name") for one in manifest.get("bin", []) if isinstance(one, dict)]
    paths = [_table(one).get("path") for one in manifest.get("bin", []) if isinstance(one, dict)]
    yield from (one for one in listed if isinstance(one, str))
    if _table(manifest.get("package")).get("autobins") is False:
        return
    path = site.in_context(posixpath.join(package, "Cargo.toml"))
    folder = posixpath.dirname(path or "")
    if isinstance(name, str) and place.has(posixpath.join(folder, "src/main.rs")) and "src/main.rs" not in paths:
        yield name
    for one in place.inside(posixpath.join(folder, "src/bin")):
        base = posixpath.basename(one.path)
        if base.endswith(".rs") and f"src/bin/{base}" not in paths:
            yield base.removesuffix(".rs")
        elif one.kind == "folder" and place.has(one.path + "/main.rs"):
            yield base


def _is_static(site: Site, built: list[Placed], known: bases.Base) -> bool:
    settings = [_settings(site, placed) for placed in built]
    text = site.build.syntax.source.text
    # `+crt-static` in Cargo's configuration may stand under another system's target.
    if any("-crt-static" in one for one in (text, *(one.text for one in settings if one is not None))):
        return False
    if "+crt-static" in text:
        return True
    targets = [_target(site, placed)[1] for placed in built]
    if all(target is not None and target.endswith("-musl") for target in targets):
        return True
    repository, _ = bases.repository_of(site.image)
    return known.distribution == "alpine" and repository == "rust" and not any(targets)


def _linked(site: Site, release: str) -> tuple[str, ...] | Question:
    """The packages with the libraries that `-sys` crates are linked to, beyond those whose headers the stage installs."""
    repository, tag = bases.repository_of(site.image)
    bare = "slim" in tag or "alpine" in tag or repository != "rust"
    if bare:
        return ()  # what the stage does not install it cannot link
    answer = site.answer("libraries")
    if answer is not None:
        return tuple(one for one in answer if one != "none")
    place = site.context
    lock = (
        next((place.text(one.path) for one in place.walk() if posixpath.basename(one.path) == "Cargo.lock"), None)
        if place is not None
        else None
    )
    if lock is None or place is None:
        return Question(
            "libraries",
            f"`{site.image}` brings the headers of many libraries: which of them is the program linked to? -> packages, or `none`",
            ("none", "PACKAGES"),
        )
    crates = set(re.findall(r'(?m)^name = "([^"]+)"', lock))
    manifests = "\n".join(
        place.text(one.path) or "" for one in place.walk() if posixpath.basename(one.path) == "Cargo.toml"
    )
    found = []
    for crate in sorted(crates & set(_SYSTEM_CRATES)):
        headers = _SYSTEM_CRATES[crate]
        if not headers or _VENDORED.get(crate) in crates:
            continue
        if crate in ("libsqlite3-sys", "curl-sys", "libsodium-sys", "libdbus-sys", "lzma-sys") and _BUNDLED.search(
            manifests
        ):
            continue
        library = facts.library(headers, release)
        if library is None:
            return Question(
                "libraries",
                f"the crate `{crate}` is linked to a library: which package brings it? -> packages, or `none`",
                ("none", "PACKAGES"),
            )
        if library:
            found.append(library)
    return tuple(sorted(set(found)))
