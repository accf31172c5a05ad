"""Facts of well-known base images: user, home, distribution, shell and the variables that move caches.

Only what holds for every tag of an image stands here; an image that is not in the table is unknown, and rules that
need a fact of it do not fix. Sources: the images' own Dockerfiles (docker-library on GitHub, NVIDIA's, PyTorch's and
Microsoft's image repositories), read 2026-11.
"""

from collections.abc import Mapping

from dfopt.startup import NamedTuple

# Folders that a Linux distribution's root holds or may hold (Filesystem Hierarchy Standard 3.0); any other folder directly
# below / is new unless the image's facts name it.
SYSTEM_FOLDERS = frozenset(
    "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var".split()
)


class Base(NamedTuple):
    """What is known of an image. `distribution` is debian (Ubuntu too), alpine, redhat, suse, arch, busybox or None where
    the tag decides it and was not known. `dialect` is what `/bin/sh` is (`shell.read`'s). `variables` are those that the
    image sets and that rules ask for; cache variables not in it are not set. `folders` are top-level folders beyond
    the system's own."""

    repository: str
    distribution: str | None
    dialect: str
    user: str
    home: str
    workdir: str | None
    variables: Mapping[str, str]
    folders: frozenset[str]


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
}  # fmt: skip

_VARIABLES: dict[str, dict[str, str]] = {
    "golang": {"GOPATH": "/go"},
    "rust": {"CARGO_HOME": "/usr/local/cargo", "RUSTUP_HOME": "/usr/local/rustup"},
    "ruby": {"GEM_HOME": "/usr/local/bundle"},
    "composer": {"COMPOSER_HOME": "/tmp"},
    "maven": {"MAVEN_CONFIG": "/root/.m2"},
}

_WORKDIRS: dict[str, str | None] = {
    "golang": "/go", "composer": "/app", "redis": "/data", "httpd": "/usr/local/apache2", "tomcat": "/usr/local/tomcat",
    "php": None, "pytorch/pytorch": "/workspace", "caddy": "/srv", "haskell": None, "julia": None,
}  # fmt: skip

_FOLDERS: dict[str, tuple[str, ...]] = {
    "golang": ("go",), "nginx": ("docker-entrypoint.d",), "composer": ("app",), "redis": ("data",),
    "postgres": ("docker-entrypoint-initdb.d",), "caddy": ("config", "data"), "pytorch/pytorch": ("workspace",),
    "nvidia/cuda": ("NGC-DL-CONTAINER-LICENSE",), "docker": ("certs",),
}  # fmt: skip

# Words in a tag that say which distribution it is; the first that occurs decides.
_TAG_WORDS = (
    ("alpine", "alpine"), ("musl", "busybox"), ("uclibc", "busybox"), ("ubi", "redhat"), ("rockylinux", "redhat"),
    ("oracle", "redhat"), ("al20", "redhat"), ("amazon", "redhat"), ("azurelinux", "redhat"), ("cbl-mariner", "redhat"),
    ("fedora", "redhat"), ("centos", "redhat"), ("amazonlinux", "redhat"),
    ("slim", "debian"), ("bookworm", "debian"), ("bullseye", "debian"), ("buster", "debian"), ("trixie", "debian"),
    ("stretch", "debian"), ("noble", "debian"), ("jammy", "debian"), ("focal", "debian"), ("bionic", "debian"), ("ubuntu", "debian"),
)  # fmt: skip

# Tags of these images run as another user or have no shell at all.
_UNKNOWN_TAGS = ("windows", "nanoserver", "chiseled", "distroless", "rootless", "unprivileged", "onbuild", "-extra")


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
    if distribution is None or any(word in tag for word in _UNKNOWN_TAGS):
        return None
    if repository not in ("debian", "ubuntu", "alpine", "busybox", "fedora", "centos"):
        for word, other in _TAG_WORDS:
            if word in tag:
                distribution = other
                break
        else:
            if unknown_tag or repository in ("eclipse-temurin", "maven", "amazoncorretto", "tomcat", "swift"):
                distribution = distribution if repository == "amazoncorretto" and not unknown_tag else None
    return Base(
        repository,
        distribution,
        _DIALECTS.get(distribution or "", "sh"),
        "root",
        "/root",
        _WORKDIRS.get(repository, "/"),
        _VARIABLES.get(repository, {}),
        frozenset(_FOLDERS.get(repository, ())),
    )
