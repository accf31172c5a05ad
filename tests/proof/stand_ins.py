"""Makes stand-ins for base images that cannot be pulled: from Debian's packages, under the names that Dockerfiles use.

    PYTHONPATH=src:tests python -m proof.stand_ins [NAME ...]

Needs an engine that has `debian:bookworm-slim`. What stands there already is left alone, and nothing is made where it can be
pulled. A stand-in has the tool chain, the variables and the folders of the official image, not its versions: it proves what fixes
do to files, and says nothing of sizes. apk, rpm and what wants a registry of its own cannot be had this way.
"""

import subprocess
import sys

_INSTALL = "RUN apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*\n"
_MAN = "RUN mkdir -p /usr/share/man/man1\n"  # the JDK's packages want the folder that slim images lack

# The image, what its Dockerfile does on top of Debian, and further names of it.
STAND_INS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "golang:1.22",
        _INSTALL.format("golang-go gcc libc6-dev git make ca-certificates")
        + "ENV GOPATH=/go GOTOOLCHAIN=local\nENV PATH=$GOPATH/bin:/usr/local/go/bin:$PATH\n"
        + 'RUN mkdir -p "$GOPATH/src" "$GOPATH/bin" && chmod -R 1777 "$GOPATH"\nWORKDIR $GOPATH\n',
        ("golang:1.23", "golang:1.24", "golang:latest", "golang:1.22-bookworm"),
    ),
    (
        "rust:1",
        _INSTALL.format("cargo-web rustc-web gcc libc6-dev ca-certificates")
        + "ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH\nRUN mkdir -p $CARGO_HOME && chmod a+w $CARGO_HOME\n",
        ("rust:latest", "rust:1-slim", "rust:1-slim-bookworm", "rust:1.80", "rust:1.82-slim"),
    ),
    (
        "maven:3-eclipse-temurin-17",
        _MAN
        + _INSTALL.format("maven openjdk-17-jdk-headless ca-certificates")
        + "ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64 MAVEN_CONFIG=/root/.m2\n",
        ("maven:3.9-eclipse-temurin-17", "maven:latest"),
    ),
    (
        "eclipse-temurin:17-jre",
        _MAN
        + _INSTALL.format("openjdk-17-jre-headless ca-certificates")
        + "ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n",
        ("eclipse-temurin:17-jre-jammy",),
    ),
    ("gcc:12", _INSTALL.format("build-essential cmake"), ("gcc:latest", "gcc:13")),
    ("nginx:1", _INSTALL.format("nginx-light") + 'CMD ["nginx", "-g", "daemon off;"]\n', ("nginx:latest",)),
    ("ruby:3.1", _INSTALL.format("ruby ruby-dev bundler gcc libc6-dev make"), ("ruby:3-slim",)),
    ("php:8.2-cli", _INSTALL.format("php-cli composer unzip git"), ("php:8-cli",)),
)


def make(name: str, steps: str, more: tuple[str, ...]) -> str:
    """Make one image under all of its names that are free; the word for what was done."""
    free = [one for one in (name, *more) if _run("image", "inspect", one)]
    if not free:
        return "is there"
    if not _run("pull", "--quiet", free[0]):
        return "was pulled"
    tags = [word for one in free for word in ("--tag", one)]
    made = _run("build", "--quiet", "--network", "host", *tags, "-", text=f"FROM debian:bookworm-slim\n{steps}")
    return "cannot be made" if made else f"made as {', '.join(free)}"


def _run(*words: str, text: str = "") -> int:
    """The exit code of the client."""
    return subprocess.run(["docker", *words], input=text.encode(), capture_output=True, timeout=1200).returncode


def main(names: list[str]) -> int:
    """Make those that are asked for, or all."""
    failed = 0
    for name, steps, more in STAND_INS:
        if not names or any(word in name for word in names):
            done = make(name, steps, more)
            failed += done == "cannot be made"
            print(f"{name:28} {done}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
