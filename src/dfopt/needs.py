"""What a stage's commands need of its base image: what a smaller variant holds too, what only the larger one holds, what is not known."""

import fnmatch
import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, context, layers, packages
from dfopt.build import Build, Command, Reference, Run, Stage
from dfopt.packages import Use
from dfopt.rule import Given
from dfopt.shell import Simple
from dfopt.source import Span
from dfopt.startup import NamedTuple, pattern

# Debian's essential packages, and passwd, apt and debconf, which its smallest image holds too (and Ubuntu's); with the words of the shell.
_MINIMAL = frozenset(
    # coreutils
    "[ arch b2sum base32 base64 basename cat chgrp chmod chown cksum comm cp csplit cut date dd df dir dircolors dirname du echo env expand"
    " expr factor false fmt fold groups head hostid id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc"
    " numfmt od paste pathchk printenv printf pwd readlink realpath rm rmdir seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf"
    " sleep sort split stat stty sum sync tac tail tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink users vdir wc"
    " who whoami yes"
    # the other essential packages, passwd, apt and debconf
    " sh dash bash grep egrep fgrep sed awk mawk find xargs tar gzip gunzip zcat diff cmp hostname login su mount umount dpkg dpkg-query dpkg-divert"
    " update-alternatives ldconfig getconf getent locale localedef perl useradd userdel usermod groupadd groupdel groupmod passwd chpasswd chsh"
    " chage apt-get apt apt-cache apt-mark apt-config apt-key debconf-set-selections dpkg-reconfigure which tempfile run-parts"
    # the shell itself
    " : . cd export set unset umask trap exit return shift read eval exec command type ulimit alias wait local readonly source shopt"
    .split()
)  # fmt: skip

# What only the images on buildpack-deps hold, by the package of Debian that brings it.
_OF_FULL = {
    **dict.fromkeys(("curl",), "curl"),
    **dict.fromkeys(("wget",), "wget"),
    **dict.fromkeys(("git",), "git"),
    **dict.fromkeys(("gpg", "gpgv", "gpgconf", "dirmngr", "gpg-agent"), "gnupg"),
    **dict.fromkeys(("hg",), "mercurial"),
    **dict.fromkeys(("svn",), "subversion"),
    **dict.fromkeys(("ssh", "scp", "sftp", "ssh-keygen", "ssh-keyscan", "ssh-agent", "ssh-add"), "openssh-client"),
    **dict.fromkeys(("ps", "top", "pgrep", "pkill", "free", "uptime", "watch", "sysctl"), "procps"),
    **dict.fromkeys(("unzip",), "unzip"),
    **dict.fromkeys(("bzip2", "bunzip2", "bzcat"), "bzip2"),
    **dict.fromkeys(("xz", "unxz", "xzcat"), "xz-utils"),
    **dict.fromkeys(("file",), "file"),
    **dict.fromkeys(("patch",), "patch"),
    **dict.fromkeys(("convert", "identify", "mogrify", "magick"), "imagemagick"),
}  # fmt: skip

# Programs that build: who calls one in an image wants what the larger variant brings.
BUILDERS = frozenset(
    "gcc g++ cc c++ cpp clang clang++ ld ar as make gmake cmake ninja meson configure autoreconf autoconf automake aclocal libtoolize pkg-config"
    " node-gyp cython f2py nvcc nvlink ptxas cargo rustc go javac jar jlink jdeps jpackage mvn mvnw gradle gradlew ant sbt bazel swig protoc cpanm cpan rebar rebar3"
    .split()
)  # fmt: skip

# Distributions on PyPI that, with all they depend on, are pure Python or have wheels for glibc on amd64 and arm64 that bring their libraries
# along. Source: PyPI's lists of files, as known in 2026-11.
_WHEELS = frozenset(
    "aiofiles aiohttp alembic anyio asgiref asyncpg attrs babel bcrypt beautifulsoup4 blinker boto3 botocore cachetools celery certifi cffi"
    " charset-normalizer click colorama cryptography django django-cors-headers django-environ django-filter djangorestframework dnspython"
    " docker email-validator fastapi filelock flask flask-cors flask-login flask-migrate flask-sqlalchemy flask-wtf google-auth greenlet grpcio"
    " gunicorn h11 httptools httpx hypercorn idna itsdangerous jinja2 jmespath jsonschema kombu loguru lxml mako markdown markupsafe marshmallow"
    " msgpack multidict numpy openai openpyxl orjson packaging pandas paramiko passlib pendulum pillow pip pipenv poetry prometheus-client"
    " protobuf psutil psycopg2-binary pyarrow pycryptodome pydantic pydantic-core pydantic-settings pygments pyjwt pymongo pymysql pynacl"
    " pyparsing pytest python-dateutil python-dotenv python-jose python-multipart pytz pyyaml redis regex requests requests-oauthlib rich"
    " ruamel.yaml s3transfer scikit-learn scipy sentry-sdk setuptools simplejson six sniffio sqlalchemy starlette tenacity tiktoken tomli"
    " tornado tqdm typer typing-extensions tzdata ujson urllib3 uv uvicorn uvloop virtualenv watchdog watchfiles websockets werkzeug wheel"
    " whitenoise wtforms xlsxwriter yarl zipp".split()
)

# Packages of npm that are JavaScript alone, with all they depend on.
_SCRIPTS = frozenset(
    "npm pnpm yarn corepack typescript serve http-server pm2 nodemon prisma turbo rimraf cross-env".split()
)

_REQUIREMENT = pattern(r"([A-Za-z0-9][A-Za-z0-9._-]*)[ \t]*(\[[^\]]*\])?[ \t]*(?:[=<>!~;].*)?")


_STATIC_IMAGES = frozenset(("ghcr.io/astral-sh/uv", "tianon/gosu", "mikefarah/yq"))


class Need(NamedTuple):
    """Something that a stage runs, at `span`: `kind` is `tool` (the smaller variant lacks it, and `package` of the distribution brings it),
    `build` (it builds), or `unknown`; `label` names it."""

    kind: str
    label: str
    span: Span
    package: str = ""


def of(build: Build, given: Given, stage: Stage, programs: frozenset[str], copies: bool = True) -> Iterator[Need]:
    """What the RUNs, HEALTHCHECKs and copies of a stage, and of all that stand on it, need beyond Debian's smallest image and `programs`,
    which the smaller variant is known to hold. Without `copies` what other stages bring needs nothing of the system."""
    installed: set[str] = set()
    for one in (stage, *build.children(stage)):
        for index in one.indexes:
            instruction = build.instructions[index]
            if instruction.name == "RUN":
                yield from _run(build, given, index, programs, installed)
            elif (
                instruction.name in ("COPY", "ADD") and copies and not all(map(_is_static, build.references_of(index)))
            ):
                flag = next(flag for flag in instruction.flags if flag.name == "from")
                yield Need("unknown", f"what `{flag.text}` brings", flag.span)
            elif instruction.name == "ONBUILD" and instruction.inner is not None and instruction.inner.name == "RUN":
                line = build.syntax.source.line_of(instruction.keyword_span.start)
                yield Need("unknown", f"the ONBUILD on line {line}, in what is built from this,", instruction.text_span)
            elif instruction.name == "HEALTHCHECK" and instruction.arguments:
                words = re.split(r"[\s\"'\[\],;&|]+", " ".join(instruction.arguments))
                for word in words:
                    if word in ("curl", "wget") and word not in installed:
                        yield Need("tool", word, instruction.text_span, word)


def _is_static(reference: Reference) -> bool:
    """Whether what a COPY brings from an image is known to need nothing: programs that are static."""
    return reference.kind == "image" and bases.repository_of(reference.text)[0] in _STATIC_IMAGES


def _run(build: Build, given: Given, index: int, programs: frozenset[str], installed: set[str]) -> Iterator[Need]:
    run = build.run(index)
    instruction = build.instructions[index]
    if run is None or run.script.opaque is not None:
        yield Need("unknown", "a script that is not read", instruction.text_span)
        return
    functions = any(kind == "function" for command in run.commands for kind in command.nesting)
    for command in run.commands:
        simple = command.simple
        span = run.span(simple.start, simple.end)
        if command.use is not None:
            yield from _managed(build, given, index, run, command.use, span, installed)
            continue
        for name in _names(command):
            if (
                name is None
                or functions
                or "/" in name.replace("/usr/local/bin/", "").replace("/usr/bin/", "").replace("/bin/", "")
            ):
                yield Need("unknown", f"`{command.label}`", span)
                continue
            name = posixpath.basename(name)
            if name in BUILDERS:
                yield Need("build", f"`{name}`", span)
            elif name in _MINIMAL or name in programs or name in installed:
                if name in (
                    "sh",
                    "bash",
                    "dash",
                    ".",
                    "source",
                    "eval",
                    "perl",
                    "python",
                    "python3",
                    "node",
                    "ruby",
                    "java",
                ):
                    if len(simple.words) > 1 and not _is_harmless(simple):
                        yield Need("unknown", f"`{_shown(simple)}`", span)
            elif name in _OF_FULL:
                if _OF_FULL[name] not in installed:
                    yield Need("tool", name, span, _OF_FULL[name])
            else:
                yield Need("unknown", f"`{name}`", span)


def _shown(simple: Simple) -> str:
    text = " ".join(word.text for word in simple.words[:3])
    return text if len(text) < 50 else simple.words[0].text


def _is_harmless(simple: Simple) -> bool:
    """Whether an interpreter is called for its version, or for a module that needs nothing else."""
    words = [word.value for word in simple.words[1:]]
    return words[0] in ("--version", "-V", "-v", "-version") or words[:2] in (["-m", "compileall"], ["-m", "venv"])


def _names(command: Command) -> Iterator[str | None]:
    """The programs that a command runs: its own, and those that it is given to run."""
    if command.name == "":
        return
    yield command.name
    words = [word.value for word in command.simple.words]
    name = posixpath.basename(command.name or "")
    if name == "find":
        for at, word in enumerate(words[:-1]):
            if word in ("-exec", "-execdir", "-ok"):
                yield words[at + 1]
    elif name in ("xargs", "exec", "env", "nice", "nohup", "timeout", "command"):
        rest = [word for word in words[1:] if word is None or not (word.startswith("-") or "=" in word)]
        if rest and name != "timeout":
            yield rest[0]
        elif name == "timeout":
            yield rest[1] if len(rest) > 1 else None


def _managed(
    build: Build, given: Given, index: int, run: Run, use: Use, span: Span, installed: set[str]
) -> Iterator[Need]:
    family, action = use.manager.family, use.action
    if family in packages.SYSTEM_FAMILIES:
        if action == "install":
            installed.update((word.value or "").partition("=")[0] for word in use.operands)
            if "build-essential" in installed:
                installed.update(("gcc", "g++", "make"))
        return
    if action in ("clean", "remove", "query", "other") and use.verb != "rebuild":
        return
    label = f"`{use.manager.name} {use.verb}`".replace(" `", "`")
    if action == "install" and use.manager.name in ("pip", "uv", "poetry"):
        poetry = use.manager.name == "poetry"
        why = (
            _locked(build, given, index, use, "poetry.lock", "--no-root")
            if poetry
            else may_compile(build, given, index, use)
        )
        if why:
            yield Need("unknown", f"{label} of {why}", span)
        return
    if action == "install" and use.manager.name in ("npm", "pnpm", "yarn", "bun"):
        why = native_modules(build, given, index, use)
        if why:
            yield Need("unknown", f"{label} {why}", span)
        return
    if action == "build" and use.manager.name in ("go", "cargo", "maven", "gradle", "dotnet"):
        yield Need("build", label, span)
        return
    if action == "install" and family == "gem":  # most projects have a package that is compiled
        yield Need("build", label, span)
        return
    yield Need("unknown", label, span)


def may_compile(build: Build, given: Given, index: int, use: Use) -> str:
    """What of a pip install may have to be compiled; "" where nothing has."""
    return next((label for label, _ in compiled(build, given, index, use)), "")


def compiled(build: Build, given: Given, index: int, use: Use) -> Iterator[tuple[str, str]]:
    """All of a pip install that may have to be compiled: how it is told, and the distribution's name, "" where that is not known."""
    if use.has("--no-binary") or use.uncertain:
        yield "sources", ""
    elif use.manager.name == "uv" and not use.verb.startswith("pip "):
        label = _locked(build, given, index, use, "uv.lock", "--no-install-project")
        if label:
            yield label, ""
    else:
        for text, name in requirements(build, given, index, use):
            if name is None:
                yield f"`{text}`" if text[:1] != "?" else f"`{text[1:]}`, which is not read", ""
            elif not _has_wheel(name):
                yield f"`{text}`", name


def requirements(build: Build, given: Given, index: int, use: Use) -> Iterator[tuple[str, str | None]]:
    """What a pip install names, by itself and in its requirements files as far as the build context is known: the text of each, and
    the distribution's name, None where it has none. A file that is not known stands there with a `?` before its name."""
    for word in use.operands:
        found = _REQUIREMENT.fullmatch(word.value or "")
        yield word.text, found[1] if found is not None else None
    pending = [(word.text, word.value) for word in reversed(use.manifests)]
    seen = set()
    while pending:
        label, path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        text = file_text(build, given, index, path)
        if text is None or path is None:
            yield f"?{label}", None
            continue
        for line in re.sub(r"\\\r?\n", " ", text).splitlines():
            line = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
            line = re.sub(r"\s--hash=\S+", "", line).strip()
            other = re.fullmatch(r"(?:-r|--requirement)[ \t=]*(\S+)", line)
            if other is not None:
                pending.append((other[1], posixpath.join(posixpath.dirname(path), other[1])))
            elif line and not line.startswith(_HARMLESS):
                found = _REQUIREMENT.fullmatch(line)
                yield line, found[1] if found is not None else None


# Lines of a requirements file that name nothing to install.
_HARMLESS = ("--index-url", "-i ", "--extra-index-url", "--prefer-binary", "--only-binary", "-c", "--constraint")


def _locked(build: Build, given: Given, index: int, use: Use, name: str, without: str) -> str:
    """What of an install by a lock file may have to be compiled, by the files that the lock names; "" where nothing has. `without` is
    the option that leaves out the project itself, which may be built by anything."""
    import tomllib

    if not use.has(without) or use.verb not in ("sync", "install"):
        return "the project"
    try:
        packages = tomllib.loads(file_text(build, given, index, name) or "").get("package")
    except (tomllib.TOMLDecodeError, RecursionError):
        packages = None
    if not isinstance(packages, list):
        return f"`{name}`, which is not read"
    for package in packages:
        if not isinstance(package, dict):
            return f"`{name}`, which is not read"
        source = package.get("source")
        if isinstance(source, dict) and ("virtual" in source or "editable" in source):
            continue  # the project, and its members
        files = [*_texts(package.get("wheels"), "url"), *_texts(package.get("files"), "file")]
        wheels = [file for file in files if file.endswith(".whl")]
        # One with wheels for other systems alone, and no sources, is not installed here.
        sources = "sdist" in package or len(files) > len(wheels) or not files
        if sources and not any(file.endswith("-none-any.whl") or "manylinux" in file for file in wheels):
            return f"`{package.get('name')}`"
    return ""


def _texts(entries: object, key: str) -> list[str]:
    return [str(one.get(key, "")) for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _has_wheel(name: str) -> bool:
    return re.sub(r"[-_.]+", "-", name).lower() in {re.sub(r"[-_.]+", "-", one) for one in _WHEELS}


def native_modules(build: Build, given: Given, index: int, use: Use) -> str:
    """What an install of npm's, as the end of a sentence, may run that builds; "" where nothing does."""
    if use.has("--ignore-scripts"):
        return ""
    if use.operands:
        names = [
            (word.value or "").lstrip("@").partition("@")[0] if (word.value or "")[:1] != "@" else ""
            for word in use.operands
        ]
        return "" if all(name in _SCRIPTS for name in names) else f"of `{use.operands[0].text}`"
    import json

    for name in ("package-lock.json", "npm-shrinkwrap.json"):
        text = file_text(build, given, index, name) if use.manager.name == "npm" else None
        try:
            found = json.loads(text or "null")
        except (ValueError, RecursionError):
            found = None
        packages = found.get("packages") if isinstance(found, dict) else None
        if not isinstance(packages, dict):
            continue
        for path, entry in packages.items():
            if isinstance(entry, dict) and entry.get("hasInstallScript") and _is_for_linux(entry.get("os")):
                return f"runs a script of `{path.rpartition('node_modules/')[2] or 'the project'}`"
            if isinstance(entry, dict) and str(entry.get("resolved", "")).startswith("git"):
                return f"clones `{path.rpartition('node_modules/')[2]}`"
        own = file_text(build, given, index, "package.json")
        if own is None or re.search(r'"(?:pre|post)?install"\s*:|"prepare"\s*:', own):
            return "may run scripts of the project"
        return ""
    return "may run scripts that build"


def _is_for_linux(systems: object) -> bool:
    return not isinstance(systems, list) or not systems or "linux" in systems


def file_text(build: Build, given: Given, index: int, name: str | None) -> str | None:
    """The text of a file of the build context that lies at `name` when an instruction runs; None where that is not known."""
    folder = build.state(index).workdir
    place = context.of(build, given)
    if name is None or place is None or (folder is None and not name.startswith("/")):
        return None
    path = posixpath.normpath(posixpath.join(folder or "/", name))
    stage = build.stage(index)
    while stage is not None:
        for number in range(min(index, stage.last), stage.first, -1):
            for one in layers.laid(build, number) or () if build.instructions[number].name in ("COPY", "ADD") else ():
                copy = build.copy(number)
                source = _source(one, path)
                if source is not None and (copy is None or copy.origin is not None):
                    return None
                if source is not None and (text := place.text(context.normal(source))) is not None:
                    return text
        stage = build.stages[stage.base.stage] if stage.base.stage is not None else None
    return None


def _source(one: layers.Laid, path: str) -> str | None:
    """Which file below a source of COPY lies at `path`, if it brings one there."""
    if set(one.source) & set("*?["):
        folder = (
            posixpath.dirname(one.path) if posixpath.basename(one.path) == posixpath.basename(one.source) else one.path
        )
        if posixpath.dirname(path) == folder and fnmatch.fnmatch(
            posixpath.basename(path), posixpath.basename(one.source)
        ):
            return posixpath.join(posixpath.dirname(one.source), posixpath.basename(path))
        return None
    if one.path == path:
        return one.source if one.kind == "file" or layers.is_file_name(one.path) else None
    head = one.path.rstrip("/") + "/"
    if one.kind == "" and path.startswith(head):
        rest = path[len(head) :]
        # The source may be the file itself.
        return one.source if posixpath.basename(one.source) == rest else posixpath.join(one.source, rest)
    return None
