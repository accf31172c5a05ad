"""Images are read from every form that engines write, layer by layer, and what is no image is told clearly."""

import gzip
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
from typing import Any

import pytest
from test_compare import File, folder, tar

from dfopt import images
from dfopt.images import UnreadableImage

CONFIGURATION = {"Env": ["PATH=/bin"], "Cmd": ["sh"]}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def as_tar(path: pathlib.Path, files: dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as out:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return str(path)


def as_folder(path: pathlib.Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return str(path)


def blob(files: dict[str, bytes], data: bytes | dict[str, Any]) -> dict[str, Any]:
    """Put a blob among the files; its descriptor."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    files["blobs/" + digest(raw).replace(":", "/")] = raw
    return {"digest": digest(raw), "size": len(raw)}


def manifest(
    files: dict[str, bytes], *layers: bytes, packed: tuple[bytes, ...] = (), history: Any = ()
) -> dict[str, Any]:
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": CONFIGURATION,
        "rootfs": {"diff_ids": [digest(layer) for layer in layers]},
        "history": list(history),
    }
    return {"config": blob(files, config), "layers": [blob(files, layer) for layer in packed or layers]}


def layout(*entries: dict[str, Any], files: dict[str, bytes]) -> dict[str, bytes]:
    index = {"schemaVersion": 2, "manifests": list(entries)}
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode(), **files}


ONE, TWO = tar([folder("a"), File("a/x", "1")]), tar([File("a/y", "22"), File("a/.wh.x")])


@pytest.mark.parametrize("write", [as_tar, as_folder])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_an_oci_layout(tmp_path: pathlib.Path, write: Any, compress: Any) -> None:
    files: dict[str, bytes] = {}
    history = [
        {"created_by": "COPY a /a"},
        {"created_by": "ENV X=1", "empty_layer": True},
        {"created_by": "RUN rm /a/x", "comment": "buildkit"},
    ]
    described = blob(files, manifest(files, ONE, TWO, packed=(compress(ONE), compress(TWO)), history=history))
    image = images.read(write(tmp_path / "image", layout(described, files=files)))
    assert image.configuration == {"Os": "linux", "Architecture": "amd64", "Env.PATH": "/bin", "Cmd": '["sh"]'}
    assert [(step.created_by, step.layer) for step in image.history] == [
        ("COPY a /a", 0),
        ("ENV X=1", None),
        ("RUN rm /a/x", 1),
    ]
    assert [(layer.digest, layer.size, layer.stored) for layer in image.layers] == [
        (digest(ONE), 1, len(compress(ONE))),
        (digest(TWO), 2, len(compress(TWO))),
    ]
    assert set(images.stack(image.layers)) == {"/a", "/a/y"}
    assert image.size == 3


def test_zstd(tmp_path: pathlib.Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("there is no program `zstd`")
    packed = subprocess.run(["zstd", "-qc"], input=ONE, capture_output=True, check=True).stdout
    files: dict[str, bytes] = {}
    described = blob(files, manifest(files, ONE, packed=(packed,)))
    image = images.read(as_tar(tmp_path / "image.tar", layout(described, files=files)))
    assert set(images.stack(image.layers)) == {"/a", "/a/x"}


def test_an_index_of_platforms(tmp_path: pathlib.Path) -> None:
    files: dict[str, bytes] = {}
    amd = blob(files, manifest(files, ONE)) | {"platform": {"os": "linux", "architecture": "amd64"}}
    arm = blob(files, manifest(files, ONE, TWO)) | {
        "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}
    }
    provenance = blob(files, manifest(files, TWO)) | {
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }
    outer = blob(files, {"manifests": [amd, arm, provenance]})
    path = as_tar(tmp_path / "image.tar", layout(outer, files=files))
    assert len(images.read(path, platform="linux/amd64").layers) == 1
    assert len(images.read(path, platform="linux/arm64").layers) == 2
    assert len(images.read(path, platform="linux/arm64/v8").layers) == 2
    with pytest.raises(
        UnreadableImage,
        match="no image for `linux/s390x` in it -> `--platform` with one of `linux/amd64`, `linux/arm64/v8`",
    ):
        images.read(path, platform="linux/s390x")
    alone = as_tar(tmp_path / "alone.tar", layout(amd, provenance, files=files))
    assert len(images.read(alone).layers) == 1


def test_one_of_several_by_name(tmp_path: pathlib.Path) -> None:
    files: dict[str, bytes] = {}
    name = "org.opencontainers.image.ref.name"
    first = blob(files, manifest(files, ONE)) | {"annotations": {name: "app:1"}}
    second = blob(files, manifest(files, ONE, TWO)) | {"annotations": {name: "app:2"}}
    path = as_tar(tmp_path / "image.tar", layout(first, second, files=files))
    assert len(images.read(path, "app:2").layers) == 2
    with pytest.raises(UnreadableImage, match="2 images in it -> name one of `app:1`, `app:2`"):
        images.read(path)
    with pytest.raises(UnreadableImage, match="no image `app:3` in it -> one of `app:1`, `app:2`"):
        images.read(path, "app:3")


def docker_archive(path: pathlib.Path, tags: dict[str, tuple[bytes, ...]]) -> str:
    files: dict[str, bytes] = {}
    listed = []
    for tag, layers in tags.items():
        config = {"rootfs": {"diff_ids": [digest(layer) for layer in layers]}, "config": CONFIGURATION}
        files[f"{tag}.json"] = json.dumps(config).encode()
        files.update((f"{digest(layer)[7:]}/layer.tar", layer) for layer in layers)
        names = [f"{digest(layer)[7:]}/layer.tar" for layer in layers]
        listed.append({"Config": f"{tag}.json", "RepoTags": [f"app:{tag}"], "Layers": names})
    return as_tar(path, {**files, "manifest.json": json.dumps(listed).encode()})


def test_an_archive_of_docker_save(tmp_path: pathlib.Path) -> None:
    path = docker_archive(tmp_path / "image.tar", {"1": (ONE,), "latest": (ONE, TWO)})
    known: dict[str, images.Layer] = {}
    assert len(images.read(path, "app:1", known=known).layers) == 1
    assert len(images.read(path, "app", known=known).layers) == 2
    assert set(known) == {digest(ONE), digest(TWO)}
    # An image without a history has its layers all the same.
    assert [step.layer for step in images.read(path, "app").history] == [0, 1]


def test_a_hard_link_to_a_file_of_a_lower_layer() -> None:
    lower = images.read_layer(io.BytesIO(tar([File("a", "12")])))
    upper = images.read_layer(io.BytesIO(tar([File("b", type=tarfile.LNKTYPE, target="a")])))
    files = images.stack([lower, upper])
    assert files["/b"].linked == ("/a",)
    assert (lower.size, upper.size) == (2, 0)


def test_what_a_layer_hides() -> None:
    lower = ["/", "/a", "/a/b", "/a/b/c", "/d", "/e", "/e/f"]
    layer = images.read_layer(io.BytesIO(tar([File(".wh.a"), File("d", "new"), folder("e"), File("e/.wh..wh..opq")])))
    assert images.hides(layer, lower) == ["/a", "/a/b", "/a/b/c", "/e/f"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither an archive of `docker save` nor an OCI layout"),
        ({"readme": b"x"}, "neither an archive of `docker save` nor an OCI layout"),
        ({"manifest.json": b"[]"}, "no image in it"),
        ({"manifest.json": b"{"}, "its JSON cannot be read: expecting property name"),
        ({"manifest.json": b"\xff"}, "its JSON cannot be read"),
        ({"manifest.json": b"[" * 100_000}, "nested too deep"),
        ({"manifest.json": b"[1]"}, "its JSON is not that of an image"),
        ({"manifest.json": b"null"}, "its JSON is not that of an image"),
        ({"manifest.json": b'[{"Config": "gone", "Layers": []}]'}, "gone"),
        ({"index.json": b'{"manifests": [{"digest": "../../etc/passwd"}]}'}, "no digest"),
        ({"index.json": b'{"manifests": [{"digest": "sha256:0"}]}'}, "sha256"),
        ({"index.json": b"[]"}, "its JSON is not that of an image"),
    ],
)
@pytest.mark.parametrize("write", [as_tar, as_folder])
def test_what_is_no_image(tmp_path: pathlib.Path, files: dict[str, bytes], message: str, write: Any) -> None:
    path = write(tmp_path / "image", files)
    (tmp_path / "image").mkdir(exist_ok=True) if write is as_folder else None
    with pytest.raises(UnreadableImage) as raised:
        images.read(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith(path)
    assert "\n" not in str(raised.value) and "Errno" not in str(raised.value)


def test_broken_archives(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UnreadableImage, match="no such file"):
        images.read(str(tmp_path / "gone.tar"))
    path = tmp_path / "image.tar"
    whole = pathlib.Path(docker_archive(path, {"1": (tar([File("a", "1" * 100_000)]),)})).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableImage, match=r"image\.tar"):
        images.read(str(path))
    path.write_bytes(b"no tar")
    with pytest.raises(UnreadableImage, match=r"image\.tar: it, or a layer in it, is no tar$"):
        images.read(str(path))


def test_layers_and_digests_that_do_not_belong_together(tmp_path: pathlib.Path) -> None:
    files: dict[str, bytes] = {}
    wrong = manifest(files, ONE, TWO, packed=(ONE,))
    path = as_tar(tmp_path / "image.tar", layout(blob(files, wrong), files=files))
    with pytest.raises(UnreadableImage, match="1 layers and 2 digests"):
        images.read(path)


def test_what_a_push_sends(tmp_path: pathlib.Path) -> None:
    """Layers that the registry has are not sent; what is stored uncompressed is sent as gzip makes it, the rest as it is."""
    big = tar([File("big", "x" * 100_000)])
    saved = docker_archive(tmp_path / "image.tar", {"1": (big, TWO)})
    sent = [len(gzip.compress(layer, 6)) for layer in (big, TWO)]
    assert images.pushed(saved, ()) == sum(sent) < len(big)
    assert images.pushed(saved, {digest(big)}) == sent[1]
    assert images.pushed(saved, {digest(big), digest(TWO)}) == 0
    files: dict[str, bytes] = {}
    packed = tuple(gzip.compress(layer, 1) for layer in (big, TWO))
    entry = blob(files, manifest(files, big, TWO, packed=packed))
    exported = as_tar(tmp_path / "layout.tar", layout(entry, files=files))
    assert images.pushed(exported, {digest(TWO)}) == len(packed[0])
    with pytest.raises(UnreadableImage, match="neither an archive"):
        images.pushed(str(tmp_path), ())
