"""Facts of well-known base images: user, home, distribution, shell and the variables that move caches.

Only what holds for every tag of an image stands here; an image that is not in the table is unknown, and rules that
need a fact of it do not fix. Sources: the images' own Dockerfiles (docker-library on GitHub, NVIDIA's, PyTorch's and
Microsoft's image repositories) as known in 2026-11; the table was not compared with pulled images.
"""

from collections.abc import Mapping

from dfopt.startup import NamedTuple

# Folders that a Linux distribution's root holds or may hold (Filesystem Hierarchy Standard 3.0; then those of Fedora, CentOS,
# Amazon Linux, old openSUSE and Ubuntu 24.04); any other folder directly below / is new unless the image's facts name it.
SYSTEM_FOLDERS = frozenset(
    "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var"
    " afs lost+found local selinux bin.usr-is-merged lib.usr-is-merged sbin.usr-is-merged".split()
)


class Base(NamedTuple):
    """What is known of an image. `distribution` is debian (Ubuntu too), alpine, redhat, suse, arch, busybox or None where
    the tag decides it and was not known. `dialect` is what `/bin/sh` is (`shell.read`'s). `variables` are those that the
    image sets and that rules ask for (None: by the tag); cache variables not in it are not set. `folders` are top-level
    folders beyond the system's own. `ubuntu` is whether it is Ubuntu, which counts as debian else;
    `slim` whether it is Debian with few packages besides."""

    repository: str
    distribution: str | None
    dialect: str
    user: str
    home: str
    workdir: str | None
    variables: Mapping[str, str | None]
    folders: frozenset[str]
    ubuntu: bool = False
    slim: bool = False


_DIALECTS = {"debian": "posix", "alpine": "busybox", "busybox": "busybox"}

# repository -> distribution of its plain tags
_DISTRIBUTIONS = {
    "debian": "debian", "ubuntu": "debian", "buildpack-deps": "debian", "alpine": "alpine", "busybox": "busybox",
    "fedora": "redhat", "centos": "redhat", "rockylinux": "redhat", "almalinux": "redhat", "amazonlinux": "redhat",
    "oraclelinux": "redhat", "archlinux": "arch", "opensuse/leap": "suse", "opensuse/tumbleweed": "suse",
    "python": "debian", "pypy": "debian", "node": "debian", "golang": "debian", "rust": "debian", "ruby": "debian",
    "php": "debian", "perl": "debian", "gcc": "debian", "haskell": "debian", "elixir": "debian", "erlang": "debian",
    "swift": "debian", "dart": "debian", "julia": "debian", "r-base": "debian", "eclipse-temurin": "debian",
    "nginx": "debian", "httpd": "debian", "redis": "debian", "postgres": "debian", "tomcat": "debian",
    "maven": "debian", "composer": "alpine", "docker": "alpine", "bash": "alpine", "caddy": "alpine",
    "amazoncorretto": "redhat", "nvidia/cuda": "debian", "pytorch/pytorch": "debian",
    "mcr.microsoft.com/dotnet/sdk": "debian", "mcr.microsoft.com/dotnet/aspnet": "debian",
    "mcr.microsoft.com/dotnet/runtime": "debian", "mcr.microsoft.com/dotnet/runtime-deps": "debian",
    "mcr.microsoft.com/dotnet/core/sdk": "debian", "mcr.microsoft.com/dotnet/core/aspnet": "debian",
    "mcr.microsoft.com/dotnet/core/runtime": "debian", "mcr.microsoft.com/dotnet/core/runtime-deps": "debian",
    "microsoft/dotnet": "debian", "openjdk": "debian", "oven/bun": "debian", "ghcr.io/astral-sh/uv": "debian",
    "lukemathwalker/cargo-chef": "debian", "continuumio/miniconda3": "debian", "continuumio/anaconda3": "debian",
    "condaforge/miniforge3": "debian", "condaforge/mambaforge": "debian",
    "registry.access.redhat.com/ubi8/ubi": "redhat", "registry.access.redhat.com/ubi8/ubi-minimal": "redhat",
    "registry.access.redhat.com/ubi9/ubi": "redhat", "registry.access.redhat.com/ubi9/ubi-minimal": "redhat",
    "registry.access.redhat.com/ubi8": "redhat", "registry.access.redhat.com/ubi9": "redhat",
    "registry.access.redhat.com/ubi8-minimal": "redhat", "registry.access.redhat.com/ubi9-minimal": "redhat",
    "quay.io/centos/centos": "redhat",
}  # fmt: skip

_VARIABLES: dict[str, dict[str, str | None]] = {
    "golang": {"GOPATH": "/go", "GOTOOLCHAIN": None},
    "rust": {"CARGO_HOME": "/usr/local/cargo", "RUSTUP_HOME": "/usr/local/rustup"},
    "lukemathwalker/cargo-chef": {"CARGO_HOME": "/usr/local/cargo", "RUSTUP_HOME": "/usr/local/rustup"},
    "ruby": {"GEM_HOME": "/usr/local/bundle", "BUNDLE_APP_CONFIG": "/usr/local/bundle", "BUNDLE_PATH": None, "BUNDLE_BIN": None},
    # Its first images had /composer.
    "composer": {"COMPOSER_HOME": None, "COMPOSER_CACHE_DIR": None},
    "maven": {"MAVEN_CONFIG": "/root/.m2"},
    "caddy": {"XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data"},
}  # fmt: skip

# None: by the tag.
_WORKDIRS: dict[str, str | None] = {
    "golang": "/go", "composer": "/app", "redis": "/data", "httpd": "/usr/local/apache2", "tomcat": "/usr/local/tomcat",
    "php": None, "pytorch/pytorch": "/workspace", "caddy": "/srv", "haskell": None, "julia": None, "perl": None,
    "dart": None, "oven/bun": "/home/bun/app", "lukemathwalker/cargo-chef": None,
}  # fmt: skip

_FOLDERS: dict[str, tuple[str, ...]] = {
    "golang": ("go",), "nginx": ("docker-entrypoint.d",), "composer": ("app", "composer"), "redis": ("data",),
    "postgres": ("docker-entrypoint-initdb.d",), "caddy": ("config", "data"), "pytorch/pytorch": ("workspace",),
    "nvidia/cuda": ("NGC-DL-CONTAINER-LICENSE",), "docker": ("certs",), "dart": ("runtime",),
}  # fmt: skip

# Words in a tag that say which distribution it is; the first that occurs decides. A Maven tag may name Amazon's Java and be
# Debian's all the same.
_TAG_WORDS = (
    ("alpine", "alpine"), ("debian", "debian"), ("bookworm", "debian"), ("bullseye", "debian"), ("buster", "debian"),
    ("trixie", "debian"), ("stretch", "debian"), ("jessie", "debian"), ("noble", "debian"), ("jammy", "debian"),
    ("focal", "debian"), ("bionic", "debian"), ("xenial", "debian"), ("ubuntu", "debian"), ("ubi", "redhat"),
    ("rockylinux", "redhat"), ("oraclelinux", "redhat"), ("al20", "redhat"), ("amazonlinux", "redhat"),
    ("azurelinux", "redhat"), ("cbl-mariner", "redhat"), ("fedora", "redhat"), ("centos", "redhat"), ("slim", "debian"),
)  # fmt: skip

# Of these images only a tag with such a word says what they are made of.
_NO_DEFAULT = frozenset(
    (
        "eclipse-temurin",
        "maven",
        "tomcat",
        "swift",
        "nvidia/cuda",
        "openjdk",
        "ghcr.io/astral-sh/uv",
        "lukemathwalker/cargo-chef",
    )
)

# Of Debian's kind these are Ubuntu, if no word in the tag says otherwise.
_UBUNTU = frozenset(("ubuntu", "eclipse-temurin", "maven", "tomcat", "nvidia/cuda", "pytorch/pytorch", "swift",
                     "condaforge/miniforge3", "condaforge/mambaforge"))  # fmt: skip
_UBUNTU_WORDS = ("noble", "jammy", "focal", "bionic", "xenial", "ubuntu")
_DEBIAN_WORDS = ("debian", "bookworm", "bullseye", "buster", "trixie", "stretch", "jessie")

# These are what their name says, whatever the tag.
_ONE_DISTRIBUTION = frozenset(
    ("debian", "ubuntu", "alpine", "busybox", "fedora", "centos", "rockylinux", "almalinux", "amazonlinux", "oraclelinux",
     "archlinux", "opensuse/leap", "opensuse/tumbleweed", "buildpack-deps", "r-base", "docker", "bash", "composer", "caddy")
)  # fmt: skip

# Tags of these images run as another user, have other variables or have no shell at all ...
_UNKNOWN_TAGS = (
    "windows",
    "nanoserver",
    "chiseled",
    "distroless",
    "rootless",
    "unprivileged",
    "onbuild",
    "-extra",
    "builder",
    "-bin",
)

# ... so that of these an unknown tag says nothing.
_BY_TAG = ("docker", "composer", "caddy", "mcr.microsoft.com/dotnet/", "microsoft/dotnet")


# Images of which only their top-level folders beyond the system's are known: users and shells go by the tag.
_ONLY_FOLDERS = {"gcr.io/distroless/": frozenset(("busybox",))}


# Users that an image brings, each with a group of its name: Debian's by its package base-passwd, the others by their own Dockerfiles.
_DEBIAN_USERS = frozenset("root daemon bin sys games man lp mail news uucp proxy www-data backup list irc".split())
_USERS = {
    **{name: frozenset((name,)) for name in ("node", "nginx", "postgres", "redis")},
    "php": frozenset(("www-data",)),  # Alpine's too: the images make it
}


def has_user(known: "Base | None", user: str) -> bool:
    """Whether an image of these facts is known to have a user and a group of this name."""
    if user == "root":
        return known is not None
    if known is None:
        return False
    return user in _USERS.get(known.repository, ()) or (known.distribution == "debian" and user in _DEBIAN_USERS)


def folders_of(image: str, known: "Base | None") -> frozenset[str] | None:
    """The top-level folders beyond the system's that an image may hold; None where that is not known. `known` are its facts."""
    if known is not None:
        return known.folders
    repository = repository_of(image)[0]
    return next((folders for prefix, folders in _ONLY_FOLDERS.items() if repository.startswith(prefix)), None)


# Images whose own Dockerfiles, and the distribution's below them, leave /opt and /srv empty; of node's the names in /opt that it fills.
_EMPTY_OPT = frozenset(
    ("debian", "ubuntu", "alpine", "fedora", "centos", "rockylinux", "almalinux", "buildpack-deps", "python", "golang", "ruby", "php",
     "perl", "rust", "gcc", "nginx", "httpd", "redis", "postgres", "node")
)  # fmt: skip
_IN_OPT = {"node": "yarn"}

# Distributions alone: nothing is installed below /usr/local, which is the administrator's, but for these folders.
_EMPTY_LOCAL = frozenset(("debian", "ubuntu", "alpine", "fedora", "centos", "rockylinux", "almalinux"))
_IN_LOCAL = frozenset("bin etc games include lib lib32 lib64 libexec libx32 man sbin share src".split())

# Images whose own Dockerfiles, and the distribution's below them, leave /usr/src empty; of php's the names that it fills.
_EMPTY_SRC = frozenset("debian ubuntu alpine buildpack-deps python golang ruby rust gcc nginx node php".split())
_IN_SRC = {"php": "php"}


def may_hold(image: str, known: "Base | None", path: str) -> bool:
    """Whether an image may hold something at an absolute path or below it; `known` are its facts."""
    folders = folders_of(image, known)
    if folders is None or path == "/":
        return True
    _, top, *rest = path.split("/")
    if top not in SYSTEM_FOLDERS:
        return top in folders
    repository = known.repository if known is not None else ""
    if top in ("opt", "srv") and rest:
        return repository not in _EMPTY_OPT or rest[0].startswith((_IN_OPT.get(repository, "*"), "*", "?", "["))
    if top == "usr" and rest[:1] == ["src"] and rest[1:]:
        return repository not in _EMPTY_SRC or rest[1].startswith((_IN_SRC.get(repository, "*"), "*", "?", "["))
    if top == "usr" and rest[:1] == ["local"] and rest[1:] and repository in _EMPTY_LOCAL:
        return not (rest[1] == "bin" and rest[2:]) and (rest[1] in _IN_LOCAL or bool(set(rest[1]) & set("*?[")))
    return True


def repository_of(image: str) -> tuple[str, str]:
    """The repository of an image reference, Docker Hub's prefixes taken off, and its tag ("" where none is written)."""
    name = image.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    repository, _, tag = tail.partition(":")
    repository = (head + slash + repository).lower()
    for prefix in ("docker.io/", "index.docker.io/", "registry.hub.docker.com/", "library/"):
        repository = repository.removeprefix(prefix)
    return repository.removeprefix("library/"), tag


def facts(image: str, unknown_tag: bool = False) -> Base | None:
    """What is known of `image`; `unknown_tag` says that its tag holds a variable, so that the tag decides nothing for certain.

    None for an image that is not in the table, or whose tag may change its user or shell.
    """
    repository, tag = repository_of(image)
    distribution: str | None = _DISTRIBUTIONS.get(repository)
    # A digest alone may be any tag's.
    unknown_tag = unknown_tag or ("@" in image and not tag)
    if (
        distribution is None
        or any(word in tag for word in _UNKNOWN_TAGS)
        or (unknown_tag and repository.startswith(_BY_TAG))
    ):
        return None
    if repository not in _ONE_DISTRIBUTION:
        default = None if unknown_tag or repository in _NO_DEFAULT else distribution
        distribution = next((other for word, other in _TAG_WORDS if word in tag), default)
        if unknown_tag and repository in _NO_DEFAULT and distribution == "debian" and tag.endswith("slim"):
            distribution = None  # Swift has amazonlinux2-slim, too
    return Base(
        repository,
        distribution,
        _DIALECTS.get(distribution or "", "sh"),
        "root",
        "/root",
        _workdir(repository, tag, unknown_tag),
        _VARIABLES.get(repository, {}),
        frozenset(_FOLDERS.get(repository, ())),
        distribution == "debian" and _is_ubuntu(repository, tag),
        distribution == "debian" and (repository == "debian" or "slim" in tag),
    )


def _workdir(repository: str, tag: str, unknown_tag: bool) -> str | None:
    """The working directory of an image; None where it is not known. Source for PHP's: docker-library/php's template."""
    if repository == "php" and not unknown_tag:
        return "/var/www/html" if "apache" in tag or "fpm" in tag else "/" if "zts" not in tag else None
    return _WORKDIRS.get(repository, "/")


def _is_ubuntu(repository: str, tag: str) -> bool:
    if any(word in tag for word in _UBUNTU_WORDS):
        return True
    return repository in _UBUNTU and not any(word in tag for word in _DEBIAN_WORDS)
