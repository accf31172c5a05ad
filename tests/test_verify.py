"""`dfopt verify`: a rule that lies is caught, whatever it lies about; what two builds differ in anyway is noise; nothing is left behind.

A made-up engine stands for a real one here: it "builds" the layers that a test gives it. Real builds are in tests/proof.
"""

import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
from collections.abc import Callable

import pytest
from test_compare import BASE, File, changed, folder, link, tar

from dfopt import cli, console, engine, verify
from dfopt.build import Build
from dfopt.engine import Applied
from dfopt.rule import (
    Adds,
    Assembles,
    Changes,
    ChangesConfig,
    Effect,
    Given,
    Layers,
    PackagesRemoved,
    Removes,
    SplitsStage,
)
from dfopt.source import Source
from dfopt.syntax import parse
from dfopt.verify import Request, engines, show
from dfopt.verify.engines import BuildFailed, Engine, NoEngine, Wish

BEFORE = "FROM debian:bookworm-slim\nRUN make\n"
AFTER = "FROM debian:bookworm-slim\nRUN make && rm -rf /tmp/*\n"

Layered = tuple[list[list[File]], dict[str, object]]


def archive(path: str, layers: list[list[File]], configuration: dict[str, object]) -> None:
    """An image as `docker save` writes it."""
    blobs = [tar(files) for files in layers]
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": configuration,
        "rootfs": {"diff_ids": [f"sha256:{hash(blob)}" for blob in blobs]},
    }
    names = [f"layer{number}" for number in range(len(blobs))]
    manifest = json.dumps([{"Config": "config", "Layers": names}]).encode()
    with tarfile.open(path, "w") as out:
        for name, data in [*zip(names, blobs), ("config", json.dumps(config).encode()), ("manifest.json", manifest)]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))


class Fake(Engine):
    """Builds what `made` says for a text and the number of the build."""

    def __init__(self, made: Callable[[str, int], Layered]) -> None:
        super().__init__("docker", "docker", "0", False)
        self.made = made
        self.wishes: list[Wish] = []

    def build(self, wish: Wish, archive_path: str, say: Callable[[str], None]) -> float:
        text = pathlib.Path(wish.dockerfile).read_text("utf-8")
        say(f"#1 building {len(self.wishes)}")
        self.wishes.append(wish)
        layers, configuration = self.made(text, len(self.wishes))
        archive(archive_path, layers, configuration)
        return 1.0


def applied(*effects: Effect) -> Applied:
    return Applied("DF999", "a-rule", "drop what is not needed", "because", None, True, 1, 1, effects)


def request(root: pathlib.Path, *effects: Effect) -> Request:
    fix = applied(*effects)
    return Request(
        str(root / "Dockerfile"),
        Source(BEFORE),
        Source(AFTER),
        tuple((fix, one) for one in effects),
        str(root),
        rebuilds=False,
    )


def prove(
    root: pathlib.Path, after: list[File], *effects: Effect, configuration: dict[str, object] | None = None
) -> verify.Proof:
    old: dict[str, object] = {"Env": ["PATH=/bin", "HOME=/root"], "User": "app"}
    new = old if configuration is None else configuration
    fake = Fake(lambda text, number: ([BASE], old) if text == BEFORE else ([after], new))
    return verify.prove(request(root, *effects), fake, lambda line: None)


LIES: list[tuple[str, list[File], dict[str, object] | None, str]] = [
    ("drops a file", changed(name=None), None, "removed /etc/name"),
    ("adds a file", [*BASE, File("etc/new", "x")], None, "added /etc/new"),
    ("changes a file", changed(name=File("etc/name", "two")), None, "content of /etc/name"),
    ("changes a mode", changed(secret=File("etc/secret", "x", mode=0o644, owner=(5, 6))), None, "mode of /etc/secret: 4600 -> 0644"),
    ("changes an owner", changed(secret=File("etc/secret", "x", mode=0o4600)), None, "owner of /etc/secret: 5:6 -> 0:0"),
    ("turns a link", changed(link=link("etc/link", "other")), None, "target of /etc/link: name -> other"),
    ("makes a link a file", changed(link=File("etc/link", "one")), None, "type of /etc/link"),
    ("loses an attribute", changed(marked=File("etc/marked")), None, "attributes of /etc/marked"),
    ("parts hard links", changed(other=File("etc/other", "twin")), None, "linked of /etc/other"),
    ("changes a folder's mode", changed(srv=folder("srv", 0o755, (7, 7))), None, "mode of /srv: 2775 -> 0755"),
    ("changes an ENV", BASE, {"Env": ["PATH=/sbin", "HOME=/root"], "User": "app"}, "configuration of Env.PATH: /bin -> /sbin"),
    ("loses an ENV", BASE, {"Env": ["PATH=/bin"], "User": "app"}, "configuration of Env.HOME: /root -> None"),
    ("changes the user", BASE, {"Env": ["PATH=/bin", "HOME=/root"]}, "configuration of User: app -> None"),
    ("brings a CMD", BASE, {"Env": ["PATH=/bin", "HOME=/root"], "User": "app", "Cmd": ["sh"]}, 'configuration of Cmd: None -> ["sh"]'),
]  # fmt: skip


@pytest.mark.parametrize(("after", "configuration", "told"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_lie_is_caught(
    tmp_path: pathlib.Path, after: list[File], configuration: dict[str, object] | None, told: str
) -> None:
    declared = Removes(("/tmp/**",), 0)
    proof = prove(tmp_path, after, declared, configuration=configuration)
    assert proof.code == verify.DIFFERENT
    assert told in "\n".join(map(str, proof.uncovered))
    shown = show.text(request(tmp_path, declared), proof, "docker 0")
    assert "the images differ in more than was declared" in shown
    assert told in shown
    shaped = json.loads(show.data(request(tmp_path, declared), proof, "docker 0"))
    assert shaped["verdict"] == "different"
    assert shaped["uncovered"]


def test_the_truth_is_proved_and_explained(tmp_path: pathlib.Path) -> None:
    effects = (Removes(("/etc/name",), 0), ChangesConfig(0, "User", "app", None), Removes(("/nowhere",), 0))
    proof = prove(tmp_path, changed(name=None), *effects, configuration={"Env": ["PATH=/bin", "HOME=/root"]})
    assert (proof.code, proof.uncovered) == (verify.PROVED, ())
    assert [(type(one.effect).__name__, len(one.differences)) for one in proof.explained] == [
        ("Removes", 1),
        ("ChangesConfig", 1),
    ]
    assert proof.idle == ("Removes /nowhere",)
    shown = show.text(request(tmp_path, *effects), proof, "docker 0")
    assert "proved: both images are equal but for 2 differences that the fixes declare" in shown
    assert "DF999 drop what is not needed" in shown
    assert "Removes /nowhere" in shown


def test_equal_images_are_proved(tmp_path: pathlib.Path) -> None:
    proof = prove(tmp_path, BASE)
    assert (proof.code, proof.uncovered, proof.explained) == (verify.PROVED, (), ())
    assert "proved: both images are equal\n" in show.text(request(tmp_path), proof, "docker 0")


def test_layers_are_held_to_their_number(tmp_path: pathlib.Path) -> None:
    fake = Fake(lambda text, number: ([BASE, []] if text == BEFORE else [BASE], {}))
    assert verify.prove(request(tmp_path), fake, print).code == verify.DIFFERENT
    assert verify.prove(request(tmp_path, Layers(0, -1)), fake, print).code == verify.PROVED


def test_what_drifts_between_two_builds_is_noise_and_is_told(tmp_path: pathlib.Path) -> None:
    def made(text: str, number: int) -> Layered:
        return [changed(name=File("etc/name", f"build {number}"))], {}

    fake = Fake(made)
    proof = verify.prove(request(tmp_path), fake, lambda line: None)
    assert proof.code == verify.PROVED
    assert {one.path for one in proof.noise} == {"/etc/name"}
    assert len(fake.wishes) == 4
    assert "set apart (1)" in show.text(request(tmp_path), proof, "docker 0")


def test_a_filled_cache_that_changes_the_image_is_caught(tmp_path: pathlib.Path) -> None:
    def made(text: str, number: int) -> Layered:
        return [BASE if text == BEFORE or number == 2 else changed(name=None)], {}

    proof = verify.prove(request(tmp_path), Fake(made), lambda line: None)
    assert [str(one) for one in proof.uncovered] == ["removed /etc/name"]


@pytest.mark.parametrize("broken", [BEFORE, AFTER])
def test_a_build_that_fails(tmp_path: pathlib.Path, broken: str) -> None:
    def made(text: str, number: int) -> Layered:
        if text == broken:
            raise BuildFailed("the build failed: exit code: 2", ("#5 make: no rule", "#5 ERROR"))
        return [BASE], {}

    proof = verify.prove(request(tmp_path), Fake(made), lambda line: None)
    assert proof.code == verify.NOT_BUILT
    shown = show.text(request(tmp_path), proof, "docker 0")
    assert ("as it is does not build, which proves nothing" in shown) == (broken == BEFORE)
    assert ("as fixed does not build" in shown) == (broken == AFTER)
    assert "make: no rule" in shown


def test_cache_mounts_are_this_run_s_own() -> None:
    text = "FROM a\nRUN --mount=type=cache,id=x,target=/root/.cache pip install six\n"
    own = verify.unique_mounts(text, "run/1")
    assert own == "FROM a\nRUN --mount=type=cache,target=/root/.cache,id=run-1x pip install six\n"


def test_rebuilds_are_timed_in_a_copy(tmp_path: pathlib.Path) -> None:
    (tmp_path / "app.py").write_text("print()\n")
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "secret").write_text("x\n")
    (tmp_path / ".dockerignore").write_text("secret\n")
    text = "FROM python:3.12-slim\nCOPY . /app\nRUN pip install -r /app/requirements.txt\n"
    seen: list[tuple[str, list[str], str]] = []

    class Watching(Fake):
        def build(self, wish: Wish, archive_path: str, say: Callable[[str], None]) -> float:
            files = sorted(os.listdir(wish.context))
            seen.append((wish.context, files, pathlib.Path(wish.context, "app.py").read_text()))
            return super().build(wish, archive_path, say)

    wish = request(tmp_path)._replace(before=Source(text), after=Source(text + "RUN true\n"), rebuilds=True)
    proof = verify.prove(wish, Watching(lambda text, number: ([BASE], {})), lambda line: None)
    assert proof.changed == ("app.py", "requirements.txt")
    assert proof.after is not None and proof.after.source == 1.0 and proof.after.dependency == 1.0
    assert proof.after.source_pushed == 0, "the image that is made up here is the same whatever changes"
    copies = [one for one in seen if one[0] != str(tmp_path)]
    assert len(copies) == 8
    assert all("secret" not in files for _, files, _ in copies)
    assert [content for _, _, content in copies][:2] == ["print()\n", "print()\n\n"]
    assert (tmp_path / "app.py").read_text() == "print()\n"
    assert not any(os.path.exists(root) for root, _, _ in copies)


# ------------------------------------------------------------------------------------------------------ engines


def script(folder: pathlib.Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)


CLIENT = """
import json, os, sys
words = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if words[:1] == ["version"] or words[:2] == ["--version"]:
    print("client version 9.9 (image-spec 1.1.0)")
elif words[:2] == ["buildx", "inspect"]:
    print("Name: x\\nDriver: " + os.environ["DRIVER"])
elif "build" in words and os.environ.get("FAIL"):
    print("#7 ERROR: process failed", flush=True)
    sys.exit(1)
elif "save" in words:
    open(words[words.index("--output") + 1], "x").close()  # as podman: to an archive that is there nothing is added
"""


@pytest.fixture
def calls(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    for name in ("docker", "podman", "buildah", "buildctl"):
        script(tmp_path, name, CLIENT)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("DRIVER", "docker")
    return lambda: [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


WISH = Wish("/d/Dockerfile", "/c", "app", ("A=1",), ("lib=/l",), "linux/arm64", ("--network=host",), True)


def test_docker_keeps_images_in_its_store(calls: Callable[[], list[list[str]]], tmp_path: pathlib.Path) -> None:
    with engines.at_work("docker") as found:
        found.build(WISH, str(tmp_path / "image.tar"), lambda line: None)
        found.build(WISH, str(tmp_path / "image.tar"), lambda line: None)
        assert found.version == "9.9"
    build, save, remove = calls()[-3:]
    name = build[build.index("--tag") + 1]
    assert build == [
        *("build", "--progress", "plain", "--tag", name, "--file", "/d/Dockerfile", "--target", "app"),
        *(
            "--platform",
            "linux/arm64",
            "--no-cache",
            "--build-arg",
            "A=1",
            "--build-context",
            "lib=/l",
            "--network=host",
            "/c",
        ),
    ]
    assert save == ["save", "--output", str(tmp_path / "image.tar"), name]
    assert remove == ["image", "rm", "-f", name]


def test_other_drivers_write_files(
    calls: Callable[[], list[list[str]]], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIVER", "kubernetes")
    with engines.at_work("docker", ("--builder", "cluster")) as found:
        found.build(WISH._replace(options=("--builder", "cluster")), str(tmp_path / "i"), lambda line: None)
    assert ["buildx", "inspect", "cluster"] in calls()
    assert calls()[-1][:6] == ["buildx", "build", "--progress", "plain", "--output", f"type=oci,dest={tmp_path}/i"]


def test_buildctl(calls: Callable[[], list[list[str]]], tmp_path: pathlib.Path) -> None:
    (tmp_path / "l").mkdir()
    with engines.at_work("buildctl") as found:
        wish = WISH._replace(contexts=(f"lib={tmp_path}/l", "base=docker-image://x"), options=("--addr", "tcp://b"))
        found.build(wish, str(tmp_path / "i"), lambda line: None)
    words = " ".join(calls()[-1])
    assert words.startswith(
        "--addr tcp://b build --frontend dockerfile.v0 --progress plain --local context=/c --local dockerfile=/d"
    )
    for part in (
        f"--local lib={tmp_path}/l",
        "--opt filename=Dockerfile",
        "--opt target=app",
        "--opt platform=linux/arm64",
        "--opt build-arg:A=1",
        "--opt context:lib=local:lib",
        "--opt context:base=docker-image://x",
        "--no-cache",
        f"--output type=oci,dest={tmp_path}/i",
    ):
        assert part in words


@pytest.mark.parametrize(("name", "saving"), [("podman", "save --format docker-archive"), ("buildah", "push --quiet")])
def test_podman_and_buildah(
    calls: Callable[[], list[list[str]]], tmp_path: pathlib.Path, name: str, saving: str
) -> None:
    with engines.at_work(name) as found:
        found.build(WISH, str(tmp_path / "i"), lambda line: None)
    build, save, _ = calls()[-3:]
    assert build[:3] == ["build", "--format", "docker"]
    assert " ".join(save).startswith(saving)


def test_a_failed_build_leaves_nothing(
    calls: Callable[[], list[list[str]]], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "1")
    with (
        pytest.raises(BuildFailed, match="the build failed: #7 ERROR: process failed"),
        engines.at_work("docker") as found,
    ):
        found.build(WISH, str(tmp_path / "i"), lambda line: None)
    assert calls()[-1][:3] == ["image", "rm", "-f"]


def test_no_engine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEngine, match="there is no `docker` on the PATH; .* -> install one of these"):
        engines.find()
    with pytest.raises(NoEngine, match="no engine: there is no `podman` on the PATH"):
        engines.find("podman")


# -------------------------------------------------------------------------------------------------- command line


def call(*words: str) -> int:
    return cli.main(["verify", "--isolated", *words])


def test_a_missing_file_and_wrong_words(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(str(tmp_path / "Dockerfile")) == console.WRONG_USE
    assert "no such file" in capsys.readouterr().err
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y jq\n")
    assert call("--engine", "lxc", str(path)) == console.WRONG_USE
    assert "--engine: `lxc` -> one of docker, podman, buildah, buildctl" in capsys.readouterr().err
    assert call("--target", "gone", str(path)) == console.WRONG_USE
    assert "there is no stage `gone`" in capsys.readouterr().err
    path.write_text("FRO debian\n")
    assert call(str(path)) == console.WRONG_USE
    assert "BuildKit refuses it" in capsys.readouterr().err


def test_nothing_to_prove(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:bookworm-slim\nWORKDIR /app\n")
    assert call(str(path)) == console.CLEAN
    assert "nothing to prove" in capsys.readouterr().out


@pytest.mark.parametrize(("code", "lying"), [(0, False), (1, True)])
def test_the_command(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, lying: bool
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y jq\n")
    lists = [folder("var/lib/apt/lists"), File("var/lib/apt/lists/x", "1")]

    def made(text: str, number: int) -> Layered:
        cleaned = "rm -rf /var/lib/apt/lists" in text
        return [[*(changed(name=None) if cleaned and lying else BASE), *(lists[:1] if cleaned else lists)]], {}

    monkeypatch.setattr(engines, "find", lambda name, options: Fake(made))
    assert call("--no-rebuilds", str(path)) == code
    shown = capsys.readouterr()
    assert ("removed /etc/name" in shown.out) == lying
    assert "Removes /var/lib/apt/lists/**: 1 removed" in shown.out
    assert "#1 building" in shown.err
    other = tmp_path / "other"
    other.write_text(path.read_text() + "RUN rm -rf /var/lib/apt/lists/*\n")
    # Between two files of a person's own nothing is declared.
    assert call("--no-rebuilds", "-q", "--against", str(other), "--format", "json", str(path)) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "different"


def test_an_interrupt_leaves_nothing(tmp_path: pathlib.Path) -> None:
    """A program that is interrupted while its engine builds ends the engine's client and removes its folder."""
    script(
        tmp_path,
        "docker",
        CLIENT.replace(
            'elif "save"',
            "elif 'build' in words:\n    import time\n    print('#1 started', flush=True)\n    time.sleep(60)\nelif \"save\"",
        ),
    )
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y jq\n")
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        **os.environ, "PATH": str(tmp_path), "CALLS": str(tmp_path / "calls"), "DRIVER": "docker", "TMPDIR": str(work),
    }  # fmt: skip
    command = [sys.executable, "-m", "dfopt", "verify", "--isolated", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        while b"#1 started" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(2)
        process.communicate(timeout=20)
    assert process.returncode == console.INTERRUPTED
    assert list(work.iterdir()) == []
    assert json.loads((tmp_path / "calls").read_text().splitlines()[-1])[:3] == ["image", "rm", "-f"]


def test_effects_of_the_stage_that_is_built() -> None:
    source = Source("FROM a AS one\nRUN x\nFROM b AS two\nRUN y\n")
    report = engine.Report(source, (), False, "")
    fixes = (applied(Adds(("/1",), 0), Changes(("/2",), 1)),)
    fixed = engine.Fixed(source, report, fixes, ())
    for target, paths in (("one", ("/1",)), ("two", ("/2",)), (None, ("/2",))):
        made = verify.request_for(source, fixed, source, Given(), "/nowhere", "Dockerfile", target)
        assert [one.paths for _, one in made.declared if isinstance(one, Adds | Changes)] == [paths]
    with pytest.raises(verify.NoStage):
        verify.request_for(source, fixed, source, Given(), "/nowhere", "Dockerfile", "three")


def test_what_a_builder_lacks_the_image_that_it_fills_lacks_too() -> None:
    """After a split the later fixes of the builder are the image's as well, as far as they speak of files."""
    source = Source("FROM a\nRUN x\n")
    report = engine.Report(source, (), False, "")
    split = applied(SplitsStage(0, "build", "b", (), ()))
    later = applied(PackagesRemoved(0, "recommended"), Layers(0, -1), Adds(("/1",), 1))._replace(round=2)
    assembled = applied(Assembles((3, 4), "assembly", "/app"), Layers(1, -1))._replace(round=3)
    last = applied(Removes(("/2",), 0), Removes(("/3",), 1), Layers(2, -1))._replace(round=4)
    fixed = engine.Fixed(source, report, (split, later, assembled, last), ())
    found = [one for _, one in verify.declared(fixed, Build(parse(source)), 0)]
    assert found == [
        split.effects[0], later.effects[0], later.effects[2], assembled.effects[1], last.effects[0], last.effects[2],
    ]  # fmt: skip


def test_many_patterns_that_are_not_seen_are_few_lines(tmp_path: pathlib.Path) -> None:
    idle = ("Adds /a", "Adds /a/**", "Removes /x", *(f"Adds /{number}" for number in range(9)))
    proof = verify.Proof(verify.PROVED, verify.Side(1, 1, 1.0), verify.Side(1, 1, 1.0), (), (), (), idle)
    lines = show.text(request(tmp_path), proof, "docker 0").split("\n")
    assert "  Adds /a, /0, /1 and 7 more (--format json has all)" in lines
    assert "  Removes /x" in lines
