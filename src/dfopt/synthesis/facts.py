"""Facts for runtime stages: which distribution and release an image stands on, which library a `-dev` package needs, what only builds."""

from dfopt import bases
from dfopt.startup import TYPE_CHECKING, pattern

if TYPE_CHECKING:
    from dfopt.synthesis import Site

_RELEASES = ("trixie", "bookworm", "bullseye", "buster", "stretch", "noble", "jammy", "focal", "bionic")
_UBUNTU = {"noble": "24.04", "jammy": "22.04", "focal": "20.04", "bionic": "18.04"}
_UBUNTU_NAMES = {number: name for name, number in _UBUNTU.items()}
_DEBIAN_NUMBERS = {"13": "trixie", "12": "bookworm", "11": "bullseye", "10": "buster", "9": "stretch"}

# The Debian release that plain tags of official images stand on, from the version given on; newest first. Source: the images' own
# version files (docker-library on GitHub), as known in 2026-11. Newer than all: trixie.
_DEFAULTS: dict[str, tuple[tuple[tuple[int, ...], str], ...]] = {
    "golang": (((1, 25), "trixie"), ((1, 20), "bookworm"), ((1, 17), "bullseye"), ((0,), "buster")),
    "rust": (((1, 90), "trixie"), ((1, 71), "bookworm"), ((1, 55), "bullseye"), ((0,), "buster")),
    "gcc": (((15,), "trixie"), ((12,), "bookworm"), ((10,), "bullseye"), ((0,), "buster")),
}

_ALPINE = pattern(r"alpine(3\.[0-9]+)")
_VERSION = pattern(r"v?([0-9]+(?:\.[0-9]+)*)")


def release_of(image: str) -> str:
    """The release (`bookworm`, `jammy`) of Debian or Ubuntu that an image stands on; "" where that is not known."""
    repository, tag = bases.repository_of(image)
    found = next((release for release in _RELEASES if release in tag), "")
    if found or "$" in image:
        return found
    number = _VERSION.match(tag)
    if repository == "debian":
        return _DEBIAN_NUMBERS.get(number[1].partition(".")[0], "") if number is not None else ""
    if repository == "ubuntu":
        return _UBUNTU_NAMES.get(number[1], "") if number is not None else ""
    defaults = _DEFAULTS.get(repository, ())
    if not defaults or ("@" in image and not tag):
        return ""
    if number is None:
        return defaults[0][1] if tag in ("", "latest", "slim", "stable") else ""
    version = tuple(map(int, number[1].split(".")))
    if version == defaults[0][0][:1]:
        return defaults[0][1]  # `golang:1` is the newest
    return next(release for least, release in defaults if version >= least)


def small_image(image: str, known: bases.Base | None) -> tuple[str, str]:
    """A small image of the same distribution and release as `image`, and its family ("debian", "alpine"); "" where there is none."""
    if known is None or known.distribution not in ("debian", "alpine"):
        return "", ""
    repository, tag = bases.repository_of(image)
    if known.distribution == "alpine":
        if repository == "alpine":
            return image, "alpine"
        found = _ALPINE.search(tag)
        return (f"alpine:{found[1]}" if found is not None else "alpine:3"), "alpine"
    if repository in ("debian", "ubuntu"):
        return image, "debian"
    release = release_of(image)
    if release in _UBUNTU:
        return f"ubuntu:{_UBUNTU[release]}", "debian"
    return (f"debian:{release}-slim", "debian") if release else ("", "debian")


# Packages whose program or files are only needed to build, whatever the language.
_TOOLS = frozenset(
    "build-essential build-base alpine-sdk base-devel make cmake automake autoconf autotools-dev libtool libtool-bin ninja-build ninja meson samurai bison"
    " flex nasm yasm pkg-config pkgconf pkgconfig musl-dev musl-tools libc-dev libc6-dev ccache gettext gettext-dev protobuf-compiler protoc protobuf"
    " protobuf-dev upx upx-ucl patch binutils binutils-gold dpkg-dev apt-transport-https software-properties-common lsb-release apt-utils golang"
    " golang-go go cargo rustc rust maven gradle valgrind gdb python-dev python3-dev doxygen subversion mercurial bzr git git-lfs openssh-client"
    " devscripts debhelper fakeroot file rsync less vim nano".split()
)
# Alpine's packages with libraries for static linking. (`-static` alone says nothing: `busybox-static` is a program.)
_ARCHIVES = frozenset(
    "openssl-libs-static zlib-static sqlite-static curl-static ncurses-static readline-static xz-static bzip2-static zstd-static brotli-static"
    " nghttp2-static c-ares-static pcre-static pcre2-static libxml2-static expat-static gmp-static libpq-static postgresql-static libsodium-static"
    " libevent-static libpng-static freetype-static glib-static gettext-static util-linux-static libgit2-static libssh2-static lz4-static"
    " yaml-static libffi-static jansson-static libuv-static libidn2-static libunistring-static libpsl-static".split()
)

# What brings a C compiler with all it needs; the last two are what the images of PHP name so.
_CHAINS = frozenset(("build-essential", "build-base", "alpine-sdk", "base-devel", "$PHPIZE_DEPS", "${PHPIZE_DEPS}"))
_COMPILERS = ("gcc", "g++", "clang", "cpp", "llvm", "lld", "mold", "linux-headers", "golang-")
_VERSIONED = pattern(
    r"(?:gcc|g\+\+|clang|cpp|llvm|lld|mold)(?:-[0-9.]+)?|(?:gcc|g\+\+)-[a-z0-9-]+|clang-[a-z]+|linux-headers[a-z0-9.-]*|golang-[0-9.]+(?:-go)?"
)

# `-dev` packages and what a program built with them is linked to, by release; "*" for those not named. Alpine's under "alpine".
# Source: the packages' own dependencies (packages.debian.org, packages.ubuntu.com, pkgs.alpinelinux.org) as known in 2026-11.
_LIBRARIES: dict[str, dict[str, str]] = {
    "libssl-dev": {"trixie": "libssl3t64", "noble": "libssl3t64", "bookworm": "libssl3", "jammy": "libssl3", "bullseye": "libssl1.1",
                   "buster": "libssl1.1", "focal": "libssl1.1", "bionic": "libssl1.1"},
    "libpq-dev": {"*": "libpq5"},
    "libsqlite3-dev": {"*": "libsqlite3-0"},
    "zlib1g-dev": {"*": "zlib1g"},
    "libffi-dev": {"trixie": "libffi8", "noble": "libffi8", "bookworm": "libffi8", "jammy": "libffi8", "bullseye": "libffi7", "focal": "libffi7"},
    "libxml2-dev": {"trixie": "libxml2", "bookworm": "libxml2", "bullseye": "libxml2", "jammy": "libxml2", "noble": "libxml2", "focal": "libxml2"},
    "libxslt1-dev": {"*": "libxslt1.1"},
    "libxslt-dev": {"*": "libxslt1.1"},
    "libjpeg-dev": {"bookworm": "libjpeg62-turbo", "bullseye": "libjpeg62-turbo", "trixie": "libjpeg62-turbo", "jammy": "libjpeg-turbo8",
                    "focal": "libjpeg-turbo8", "noble": "libjpeg-turbo8"},
    "libjpeg62-turbo-dev": {"*": "libjpeg62-turbo"},
    "libpng-dev": {"trixie": "libpng16-16t64", "noble": "libpng16-16t64", "bookworm": "libpng16-16", "bullseye": "libpng16-16", "jammy": "libpng16-16",
                   "focal": "libpng16-16"},
    "libfreetype6-dev": {"*": "libfreetype6"},
    "libfreetype-dev": {"*": "libfreetype6"},
    "libwebp-dev": {"trixie": "libwebp7", "bookworm": "libwebp7", "jammy": "libwebp7", "noble": "libwebp7", "bullseye": "libwebp6", "focal": "libwebp6"},
    "libcurl4-openssl-dev": {"trixie": "libcurl4t64", "noble": "libcurl4t64", "bookworm": "libcurl4", "bullseye": "libcurl4", "jammy": "libcurl4",
                             "focal": "libcurl4"},
    "libldap2-dev": {"bookworm": "libldap-2.5-0", "bullseye": "libldap-2.4-2", "jammy": "libldap-2.5-0"},
    "libsasl2-dev": {"*": "libsasl2-2"},
    "libgmp-dev": {"*": "libgmp10"},
    "libgmp3-dev": {"*": "libgmp10"},
    "libyaml-dev": {"*": "libyaml-0-2"},
    "libmariadb-dev": {"*": "libmariadb3"},
    "default-libmysqlclient-dev": {"bookworm": "libmariadb3", "bullseye": "libmariadb3", "trixie": "libmariadb3", "jammy": "libmysqlclient21"},
    "libmysqlclient-dev": {"jammy": "libmysqlclient21", "focal": "libmysqlclient21", "noble": "libmysqlclient21"},
    "libsodium-dev": {"*": "libsodium23"},
    "librdkafka-dev": {"*": "librdkafka1"},
    "libzmq3-dev": {"*": "libzmq5"},
    "libuv1-dev": {"bookworm": "libuv1", "bullseye": "libuv1", "jammy": "libuv1", "trixie": "libuv1t64", "noble": "libuv1t64"},
    "libevent-dev": {"bookworm": "libevent-2.1-7", "bullseye": "libevent-2.1-7", "jammy": "libevent-2.1-7", "trixie": "libevent-2.1-7t64",
                     "noble": "libevent-2.1-7t64"},
    "libpcap-dev": {"bookworm": "libpcap0.8", "bullseye": "libpcap0.8", "jammy": "libpcap0.8", "focal": "libpcap0.8", "trixie": "libpcap0.8t64",
                    "noble": "libpcap0.8t64"},
    "libpcre3-dev": {"bookworm": "libpcre3", "bullseye": "libpcre3", "jammy": "libpcre3", "focal": "libpcre3", "noble": "libpcre3"},
    "libpcre2-dev": {"*": "libpcre2-8-0"},
    "libncurses-dev": {"*": "libncursesw6"},
    "libncurses5-dev": {"*": "libncurses6"},
    "libreadline-dev": {"bookworm": "libreadline8", "bullseye": "libreadline8", "jammy": "libreadline8", "focal": "libreadline8", "trixie": "libreadline8t64",
                        "noble": "libreadline8t64"},
    "libbz2-dev": {"*": "libbz2-1.0"},
    "liblzma-dev": {"*": "liblzma5"},
    "libzstd-dev": {"*": "libzstd1"},
    "liblz4-dev": {"*": "liblz4-1"},
    "libsnappy-dev": {"*": "libsnappy1v5"},
    "libexpat1-dev": {"*": "libexpat1"},
    "libexpat-dev": {"*": "libexpat1"},
    "uuid-dev": {"*": "libuuid1"},
    "libuuid1-dev": {"*": "libuuid1"},
    "libseccomp-dev": {"*": "libseccomp2"},
    "libsystemd-dev": {"*": "libsystemd0"},
    "libdbus-1-dev": {"*": "libdbus-1-3"},
    "libusb-1.0-0-dev": {"*": "libusb-1.0-0"},
    "libasound2-dev": {"bookworm": "libasound2", "bullseye": "libasound2", "jammy": "libasound2", "trixie": "libasound2t64", "noble": "libasound2t64"},
    "libvips-dev": {"bookworm": "libvips42", "bullseye": "libvips42", "jammy": "libvips42", "trixie": "libvips42t64", "noble": "libvips42t64"},
    "libicu-dev": {"trixie": "libicu76", "bookworm": "libicu72", "bullseye": "libicu67", "noble": "libicu74", "jammy": "libicu70", "focal": "libicu66"},
    "libzip-dev": {"bookworm": "libzip4", "bullseye": "libzip4", "jammy": "libzip4", "trixie": "libzip5"},
    "libonig-dev": {"*": "libonig5"},
    "libgdbm-dev": {"*": "libgdbm6"},
    "libunwind-dev": {"*": "libunwind8"},
    "libjemalloc-dev": {"*": "libjemalloc2"},
    "libkrb5-dev": {"*": "libgssapi-krb5-2"},
    "libhiredis-dev": {"bookworm": "libhiredis0.14", "bullseye": "libhiredis0.14", "jammy": "libhiredis0.14"},
    "libmicrohttpd-dev": {"bookworm": "libmicrohttpd12", "bullseye": "libmicrohttpd12", "jammy": "libmicrohttpd12"},
    "libjansson-dev": {"*": "libjansson4"},
    "libjson-c-dev": {"*": "libjson-c5"},
    "libmagic-dev": {"bookworm": "libmagic1", "bullseye": "libmagic1", "jammy": "libmagic1", "trixie": "libmagic1t64", "noble": "libmagic1t64"},
    "unixodbc-dev": {"bookworm": "unixodbc", "bullseye": "unixodbc", "jammy": "unixodbc", "trixie": "unixodbc", "noble": "unixodbc"},
    # Headers alone.
    "libeigen3-dev": {"*": ""}, "nlohmann-json3-dev": {"*": ""}, "libasio-dev": {"*": ""}, "rapidjson-dev": {"*": ""}, "librapidjson-dev": {"*": ""},
    # Alpine
    "openssl-dev": {"alpine": "libssl3"}, "postgresql-dev": {"alpine": "libpq"}, "sqlite-dev": {"alpine": "sqlite-libs"}, "zlib-dev": {"alpine": "zlib"},
    "libxml2-dev@alpine": {"alpine": "libxml2"}, "curl-dev": {"alpine": "libcurl"}, "pcre-dev": {"alpine": "pcre"}, "pcre2-dev": {"alpine": "pcre2"},
    "mariadb-dev": {"alpine": "mariadb-connector-c"}, "mariadb-connector-c-dev": {"alpine": "mariadb-connector-c"},
    "jpeg-dev": {"alpine": "libjpeg-turbo"}, "libjpeg-turbo-dev": {"alpine": "libjpeg-turbo"}, "freetype-dev": {"alpine": "freetype"},
    "yaml-dev": {"alpine": "yaml"}, "gmp-dev": {"alpine": "gmp"}, "ncurses-dev": {"alpine": "ncurses-libs"}, "readline-dev": {"alpine": "readline"},
    "librdkafka-dev@alpine": {"alpine": "librdkafka"}, "libpcap-dev@alpine": {"alpine": "libpcap"}, "libsodium-dev@alpine": {"alpine": "libsodium"},
    "icu-dev": {"alpine": "icu-libs"}, "libzip-dev@alpine": {"alpine": "libzip"}, "oniguruma-dev": {"alpine": "oniguruma"},
    "libpng-dev@alpine": {"alpine": "libpng"}, "libpq-dev@alpine": {"alpine": "libpq"}, "libffi-dev@alpine": {"alpine": "libffi"},
    "libxslt-dev@alpine": {"alpine": "libxslt"}, "libwebp-dev@alpine": {"alpine": "libwebp"}, "openldap-dev": {"alpine": "libldap"},
    "imagemagick-dev": {"alpine": "imagemagick-libs"}, "vips-dev": {"alpine": "vips"}, "zstd-dev": {"alpine": "zstd-libs"},
    "bzip2-dev": {"alpine": "libbz2"}, "xz-dev": {"alpine": "xz-libs"}, "linux-pam-dev": {"alpine": "linux-pam"}, "krb5-dev": {"alpine": "krb5-libs"},
    "libuv-dev": {"alpine": "libuv"}, "libevent-dev@alpine": {"alpine": "libevent"}, "unixodbc-dev@alpine": {"alpine": "unixodbc"},
}  # fmt: skip

# Packages that bring a program which is asked for by name, by family.
_PROGRAMS: dict[str, dict[str, str]] = {
    "debian": {"curl": "curl", "wget": "wget", "nc": "netcat-openbsd", "pg_isready": "postgresql-client", "psql": "postgresql-client", "jq": "jq",
               "tini": "tini", "dumb-init": "dumb-init", "gosu": "gosu", "ps": "procps", "pgrep": "procps", "ping": "iputils-ping", "redis-cli": "redis-tools",
               "mysqladmin": "default-mysql-client", "su-exec": "", "envsubst": "gettext-base", "supervisord": "supervisor", "nginx": "nginx", "openssl": "openssl",
               "git": "git", "cron": "cron"},
    "alpine": {"curl": "curl", "bash": "bash", "psql": "postgresql-client", "pg_isready": "postgresql-client", "jq": "jq", "tini": "tini",
               "dumb-init": "dumb-init", "su-exec": "su-exec", "redis-cli": "redis", "supervisord": "supervisor", "nginx": "nginx", "openssl": "openssl",
               "git": "git"},
}  # fmt: skip

# Programs that each image of a family has.
_PRESENT: dict[str, frozenset[str]] = {
    "debian": frozenset(
        "sh dash bash env cat echo test [ true false sleep ls rm cp mv mkdir chown chmod ln touch date id whoami tail head grep sed awk find xargs sort"
        " printf exec kill hostname stat tee timeout nice nohup dirname basename su chroot cut tr wc exit export cd set".split()
    ),
    "alpine": frozenset(
        "sh ash env cat echo test [ true false sleep ls rm cp mv mkdir chown chmod ln touch date id whoami tail head grep sed awk find xargs sort"
        " printf exec kill hostname stat tee timeout nice nohup dirname basename su wget nc ps pgrep ping cut tr wc exit export cd set".split()
    ),
}  # fmt: skip


# Libraries that each image of Debian and Ubuntu has: its package manager is linked to them.
PRESENT_LIBRARIES = frozenset(("libstdc++6", "libgcc-s1", "zlib1g", "libbz2-1.0", "liblzma5"))


def only_builds(package: str) -> bool:
    """Whether a package is known to be needed to build only."""
    return (
        package in _TOOLS
        or package in _ARCHIVES
        or (package.startswith(_COMPILERS) and _VERSIONED.fullmatch(package) is not None)
    )


def compiles(package: str) -> bool:
    """Whether a package brings a C or C++ compiler."""
    return package in _CHAINS or (package.startswith(("gcc", "g++", "clang")) and only_builds(package))


def brings_tools(site: "Site") -> bool:
    """Whether a stage installs compilers or headers, and keeps them. (Git, make or an editor alone are not worth a stage.)"""
    uses = [placed.command.use for placed in site.commands if placed.command.use is not None]
    removed = {word.value for use in uses if use.action == "remove" for word in use.operands}
    return any(
        (is_headers(name) or compiles(name)) and name not in removed
        for use in uses
        if use.action == "install"
        and use.manager.family in ("apt", "apk")
        and use.value_of("--virtual") not in removed - {None}
        for word in use.operands
        for name in [(word.value or word.text).partition("=")[0]]
    )


def library(package: str, release: str) -> str | None:
    """The package with the library that a `-dev` package is there for: "" where it is headers alone, None where it is not known. `release` is
    Debian's or Ubuntu's, or `alpine`."""
    known = _LIBRARIES.get(f"{package}@{release}") or _LIBRARIES.get(package, {})
    return known.get(release) if release == "alpine" else known.get(release, known.get("*"))


def is_headers(package: str) -> bool:
    """Whether a package's name says that it brings headers."""
    return package.endswith(("-dev", "-devel", "-headers"))


def package_of(program: str, family: str) -> str | None:
    """The package that brings a program, "" where each image of the family has it, None where it is not known."""
    if program in _PRESENT.get(family, ()):
        return ""
    return _PROGRAMS.get(family, {}).get(program) or None
