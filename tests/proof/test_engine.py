"""With a real engine: a fix that lies is caught, an interrupted run leaves nothing, and images of docker and of buildah are read."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dfopt import verify
from dfopt.engine import Applied
from dfopt.rule import Effect, Layers, Removes
from dfopt.source import Source
from dfopt.verify import Request, engines
from proof.prove import Docker

NETWORK = ("--network=host",)
BEFORE = """\
FROM debian:bookworm-slim
RUN echo one > /srv/kept && chmod 0640 /srv/kept && chown 7:8 /srv/kept && ln -s kept /srv/link
RUN echo two > /tmp/two
ENV COLOR=no
"""
DECLARED = (Removes(("/tmp/**",), 0), Layers(0, -1))


def proof(folder: pathlib.Path, after: str, *effects: Effect) -> verify.Proof:
    """Both texts built for real, and compared."""
    fix = Applied("DF999", "a-rule", "leave out what is temporary", "because", None, True, 1, 1, effects)
    path = folder / "Dockerfile"
    path.write_text(BEFORE)
    request = Request(
        str(path), Source(BEFORE), Source(after), tuple((fix, one) for one in effects), str(folder), options=NETWORK, rebuilds=False
    )  # fmt: skip
    with engines.at_work("docker", NETWORK) as engine:
        return verify.prove(request, engine, lambda line: None)


HONEST = BEFORE.replace("RUN echo two > /tmp/two\n", "")

LIES = [
    ("file", HONEST.replace("RUN echo one", "RUN rm /etc/issue && echo one"), "removed /etc/issue"),
    ("mode", HONEST.replace("0640", "0644"), "mode of /srv/kept: 0640 -> 0644"),
    ("owner", HONEST.replace("7:8", "7:9"), "owner of /srv/kept: 7:8 -> 7:9"),
    ("ENV", HONEST.replace("COLOR=no", "COLOR=yes"), "configuration of Env.COLOR: no -> yes"),
    ("symlink", HONEST.replace("ln -s kept", "ln -s /srv/kept"), "target of /srv/link: kept -> /srv/kept"),
]


def test_the_truth_is_proved(tmp_path: pathlib.Path, docker: Docker) -> None:
    found = proof(tmp_path, HONEST, *DECLARED)
    assert (found.code, found.uncovered) == (verify.PROVED, ())
    assert [one.path for share in found.explained for one in share.differences if one.kind == "removed"] == ["/tmp/two"]


@pytest.mark.parametrize(("after", "told"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_lie_is_caught(after: str, told: str, tmp_path: pathlib.Path, docker: Docker) -> None:
    found = proof(tmp_path, after, *DECLARED)
    assert found.code == verify.DIFFERENT
    assert [str(one) for one in found.uncovered] == [told]


def stored(docker: Docker) -> set[str]:
    """The names of the images of the runs of `dfopt verify`."""
    words = [docker.client, "images", "--format", "{{.Repository}}:{{.Tag}}", "dfopt-verify"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(number: signal.Signals, tmp_path: pathlib.Path, docker: Docker) -> None:
    before = stored(docker)
    project, work = tmp_path / "project", tmp_path / "work"
    project.mkdir()
    work.mkdir()
    path = project / "Dockerfile"
    path.write_text(
        f"FROM debian:bookworm-slim\nRUN echo {os.getpid()} {number} && apt-get update && apt-get install -y jq\nRUN echo started && sleep 100\n"
    )
    command = [sys.executable, "-m", "dfopt", "verify", "--isolated", "--engine-option=--network=host", "Dockerfile"]
    environment = {**os.environ, "TMPDIR": str(work)}
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        # A shell that runs the tests in the background has them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.rstrip().endswith(b" started"):
                break
        else:
            pytest.fail("the build ended before it was interrupted")
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert list(work.iterdir()) == []
    assert sorted(one.name for one in project.iterdir()) == ["Dockerfile"]
    assert stored(docker) == before


WASTEFUL = "FROM busybox:latest\nRUN head -c 500000 /dev/zero > /data\nRUN rm /data\n"


def hidden(name: str, *options: str) -> int:
    """The bytes of an image that later layers hide, as `dfopt audit` tells them."""
    words = [sys.executable, "-m", "dfopt", "audit", name, "--format", "json", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return sum(layer["hidden"] for layer in json.loads(done.stdout)["layers"])


@pytest.fixture
def wasteful(tmp_path: pathlib.Path, docker: Docker) -> Iterator[str]:
    """The name of an image of docker that hides half a million bytes."""
    (tmp_path / "Dockerfile").write_text(WASTEFUL)
    name = f"dfopt-proof-audit:{os.getpid()}"
    subprocess.run(
        [docker.client, "build", "-q", "--network", "host", "-t", name, tmp_path], check=True, capture_output=True
    )
    yield name
    subprocess.run([docker.client, "image", "rm", "-f", name], capture_output=True, check=False)


def test_an_image_of_docker_is_audited(wasteful: str, docker: Docker, tmp_path: pathlib.Path) -> None:
    assert hidden(wasteful, "--engine", "docker") == 500_000
    archive = tmp_path / "image.tar"
    subprocess.run([docker.client, "save", "-o", archive, wasteful], check=True, capture_output=True)
    assert hidden(str(archive)) == 500_000


def test_an_image_of_buildah_is_audited(wasteful: str, docker: Docker, tmp_path: pathlib.Path) -> None:
    """The same image by way of buildah's own store, by name, as an archive and as an OCI layout."""
    if shutil.which("buildah") is None:
        pytest.skip("there is no `buildah` on the PATH")
    archive, name = tmp_path / "image.tar", f"localhost/dfopt-proof-audit:{os.getpid()}"
    subprocess.run([docker.client, "save", "-o", archive, wasteful], check=True, capture_output=True)
    built = tmp_path / "Built"
    built.write_text(f"FROM docker-archive:{archive}\nRUN touch /marked\n")
    words = [
        "buildah",
        "bud",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--layers",
        "-q",
        "-t",
        name,
        "-f",
        str(built),
        str(tmp_path),
    ]
    subprocess.run(words, check=True, capture_output=True)
    try:
        assert hidden(name, "--engine", "buildah") == 500_000
        for form in ("docker-archive", "oci", "oci-archive"):
            target = tmp_path / form
            subprocess.run(["buildah", "push", "-q", name, f"{form}:{target}:{name}"], check=True, capture_output=True)
            assert hidden(str(target)) == 500_000, form
    finally:
        subprocess.run(["buildah", "rmi", "-f", name], capture_output=True, check=False)


def test_buildah_proves_and_leaves_nothing(docker: Docker, tmp_path: pathlib.Path) -> None:
    if shutil.which("buildah") is None:
        pytest.skip("there is no `buildah` on the PATH")
    archive, name = tmp_path / "base.tar", "localhost/busybox:latest"
    subprocess.run([docker.client, "save", "-o", archive, "busybox:latest"], check=True, capture_output=True)
    subprocess.run(["buildah", "pull", "-q", f"docker-archive:{archive}"], check=True, capture_output=True)
    try:
        before = subprocess.run(["buildah", "images", "-q"], capture_output=True, text=True, check=True).stdout
        (tmp_path / "project").mkdir()
        (tmp_path / "project/Dockerfile").write_text(
            f'FROM {name}\nRUN head -c 500000 /dev/zero > /tmp/data\nRUN rm -f /tmp/data\nCMD ["sh"]\n'
        )
        words = [sys.executable, "-m", "dfopt", "verify", "--isolated", "--engine", "buildah", "--format", "json"]
        words += ["--engine-option=--network=host --isolation=chroot", "Dockerfile"]
        done = subprocess.run(words, cwd=tmp_path / "project", capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert told["verdict"] == "proved"
        assert told["before"]["size"] - told["after"]["size"] == 500_000
        assert re.fullmatch(r"buildah \d+\.\d[\w.+-]*", told["engine"])
        assert subprocess.run(["buildah", "images", "-q"], capture_output=True, text=True, check=True).stdout == before
    finally:
        subprocess.run(["buildah", "rmi", "-f", name], capture_output=True, check=False)
