"""The comparer of images sees each kind of difference, and takes it for declared only where an effect says so."""

import io
import json
import pathlib
import tarfile
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from dfopt import images
from dfopt.images import any_of, flat_configuration, matcher, read_layer, stack
from dfopt.rule import (
    Adds,
    Changes,
    ChangesBase,
    ChangesConfig,
    Effect,
    Keeps,
    Layers,
    PackagesRemoved,
    Removes,
    SplitsStage,
)
from dfopt.verify.compare import Difference, Image, compare, file_differences, view


class File(NamedTuple):
    """An entry of a synthetic layer."""

    path: str
    content: str = ""
    type: bytes = tarfile.REGTYPE
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    target: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    time: int = 0


def folder(path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> File:
    return File(path, type=tarfile.DIRTYPE, mode=mode, owner=owner)


def link(path: str, target: str) -> File:
    return File(path, type=tarfile.SYMTYPE, target=target)


def tar(files: Iterable[File], compression: str = "") -> bytes:
    stream = io.BytesIO()
    mode = "w:gz" if compression == "gz" else "w:"
    with tarfile.open(fileobj=stream, mode=mode, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for file in files:
            member = tarfile.TarInfo(file.path)
            member.type, member.mode, member.mtime = file.type, file.mode, file.time
            member.uid, member.gid = file.owner
            member.linkname = file.target
            member.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in file.attributes}
            data = file.content.encode()
            member.size = len(data) if file.type == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def image(*layers: Iterable[File], configuration: dict[str, str] | None = None) -> Image:
    read = [read_layer(io.BytesIO(tar(files))) for files in layers]
    return Image(stack(read), configuration or {}, len(layers))


BASE = [
    folder("./"),
    folder("etc"),
    folder("srv", 0o2775, (7, 7)),
    File("etc/name", "one"),
    File("etc/secret", "x", mode=0o4600, owner=(5, 6)),
    link("etc/link", "name"),
    File("etc/marked", attributes=(("user.a", "1"),)),
    File("etc/twin", "twin"),
    File("etc/other", type=tarfile.LNKTYPE, target="etc/twin"),
    File("pipe", type=tarfile.FIFOTYPE),
]


def changed(**replacements: File | None) -> list[File]:
    """BASE with the entry of a last name replaced or, with None, left out."""
    result = []
    for file in BASE:
        name = file.path.rstrip("/").rpartition("/")[2]
        replacement = replacements.get(name, file)
        if replacement is not None:
            result.append(replacement)
    return result


def test_what_is_read() -> None:
    files = image(BASE).files
    assert set(files) == {
        *(
            "/",
            "/etc",
            "/srv",
            "/etc/name",
            "/etc/secret",
            "/etc/link",
            "/etc/marked",
            "/etc/twin",
            "/etc/other",
            "/pipe",
        )
    }
    secret = files["/etc/secret"]
    assert (secret.type, secret.mode, secret.owner, secret.size) == ("file", 0o4600, (5, 6), 1)
    assert (files["/srv"].type, files["/srv"].mode, files["/srv"].owner) == ("directory", 0o2775, (7, 7))
    assert files["/etc/link"].content == "name"
    assert files["/etc/marked"].attributes == (("user.a", "1"),)
    assert files["/etc/other"].content == files["/etc/twin"].content
    assert files["/etc/other"].linked == ("/etc/twin",)
    assert files["/pipe"].type == "fifo"


DIFFERENCES = [
    ("removed", "/etc/name", changed(name=None)),
    ("added", "/etc/new", [*BASE, File("etc/new")]),
    ("type", "/etc/name", changed(name=folder("etc/name"))),
    ("mode", "/etc/secret", changed(secret=File("etc/secret", "x", mode=0o600, owner=(5, 6)))),
    ("mode", "/srv", changed(srv=folder("srv", 0o775, (7, 7)))),
    ("owner", "/etc/secret", changed(secret=File("etc/secret", "x", mode=0o4600, owner=(5, 7)))),
    ("content", "/etc/name", changed(name=File("etc/name", "two"))),
    ("target", "/etc/link", changed(link=link("etc/link", "secret"))),
    ("attributes", "/etc/marked", changed(marked=File("etc/marked", attributes=(("user.a", "2"),)))),
    ("attributes", "/etc/marked", changed(marked=File("etc/marked"))),
    ("linked", "/etc/other", changed(other=File("etc/other", "twin"))),
]


@pytest.mark.parametrize(
    ("kind", "path", "files"), DIFFERENCES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_kind_of_difference(kind: str, path: str, files: list[File]) -> None:
    """It is found without an effect, taken for declared by the fitting effect alone, and only for its own path."""
    before, after = image(BASE), image(files)
    found = compare(before, after, ()).uncovered
    assert (kind, path) in {(one.kind, one.path) for one in found}
    paths = tuple({one.path for one in found})
    for effect in (Removes, Adds, Changes):
        fits = effect is {"removed": Removes, "added": Adds}.get(kind, Changes)
        result = compare(before, after, [effect(paths, 0)])
        assert (result.uncovered == ()) is fits, effect
        assert (result.idle == ()) is fits
        elsewhere = compare(before, after, [effect(("/elsewhere/**",), 0)])
        assert elsewhere.uncovered == found
        assert elsewhere.idle == (f"{effect.__name__} /elsewhere/**",)


def test_equal_images_have_no_difference() -> None:
    assert compare(image(BASE), image([file._replace(time=99) for file in BASE]), ()) == ((), (), 0, (), ())


def test_a_pattern_below_a_folder_leaves_the_folder_itself_out() -> None:
    before = image([folder("root/.cache"), folder("root/.cache/pip"), File("root/.cache/pip/x/y")])
    after = image([])
    result = compare(before, after, [Removes(("/root/.cache/pip/**",), 0)])
    assert [one.path for one in result.uncovered] == ["/root/.cache", "/root/.cache/pip"]
    assert result.covered == 1


def test_a_folder_that_is_gone_is_told_with_all_below_it() -> None:
    found = file_differences(image(BASE).files, image([folder("./")]).files)
    assert {one.kind for one in found} == {"removed"}
    assert len(found) == len(BASE) - 1


def test_patterns_that_match_nothing_are_told_once() -> None:
    effects: list[Effect] = [
        Removes(("/gone", "/etc/name"), 0),
        Removes(("/gone",), 0),
        ChangesConfig(0, "User", "", "app"),
    ]
    result = compare(image(BASE), image(changed(name=None)), effects)
    assert result.uncovered == ()
    assert result.idle == ("Removes /gone", "ChangesConfig User")


def test_another_base_may_differ_in_all_that_it_need_not_keep() -> None:
    before, after = image(BASE), image(changed(name=None))
    base = ChangesBase(0, "python:3.12", "python:3.12-slim")
    assert compare(before, after, [base, Keeps(("/app/**",), 0)]).uncovered == ()
    assert compare(before, after, [base, Keeps(("/etc/**",), 0)]).uncovered
    assert compare(before, after, [base]).uncovered
    assert compare(before, after, [Keeps(("/app/**",), 0)]).uncovered


def test_a_split_covers_what_it_need_not_keep_and_the_old_base_images_variables() -> None:
    split = SplitsStage(0, "build", "debian:12", (), (("Env.MODE", None, None),))
    old = {"Env.PATH": "/go/bin:/bin", "Env.GOLANG_VERSION": "1.24", "Env.MODE": "a", "User": "app"}
    before = image(BASE)._replace(configuration=old)
    good = image(changed(name=None))._replace(configuration={"Env.PATH": "/bin", "User": "app"})
    kept = Keeps(("/app/**",), 0)
    assert compare(before, good, [split, kept]).uncovered == ()
    assert compare(before, good, [split]).uncovered
    assert compare(before, good, [split, Keeps(("/etc/**",), 0)]).uncovered
    for wrong in ({"User": "root"}, {"Env.NEW": "1"}, {"Env.MODE": "b"}, {"Env.GOLANG_VERSION": "1.25"}):
        after = good._replace(configuration={**good.configuration, **wrong})
        assert compare(before, after, [split, kept]).uncovered, wrong


# ------------------------------------------------------------------------------------------------------- layers


def test_whiteouts() -> None:
    files = image(
        [File("a/one"), File("a/two"), File("b/one"), File("b/deep/two"), File("c")],
        [File("a/.wh.one"), folder("b"), File("b/.wh..wh..opq"), File("b/new"), File(".wh.c"), File(".wh..wh.plnk")],
    ).files
    assert set(files) == {"/a/two", "/b", "/b/new"}


def test_a_whiteout_takes_all_below_it_and_nothing_beside_it() -> None:
    files = image([folder("a"), File("a/x"), File("ab")], [File(".wh.a")]).files
    assert set(files) == {"/ab"}


def test_a_whiteout_does_not_hide_what_its_own_layer_brings() -> None:
    files = image([File("a", "old")], [File("a", "new"), File(".wh.a")]).files
    assert set(files) == {"/a"}


def test_a_file_in_the_place_of_a_folder_hides_what_was_below() -> None:
    assert set(image([folder("a"), File("a/x")], [link("a", "b")]).files) == {"/a"}


def test_a_hard_link_ends_where_a_layer_writes_one_of_the_names() -> None:
    pair = [File("a", "x"), File("b", type=tarfile.LNKTYPE, target="a")]
    assert image(pair).files["/a"].linked == ("/b",)
    assert image(pair, [File("b", "x")]).files["/a"].linked == ()


def test_layers_are_counted() -> None:
    one, two = image(BASE), image(BASE, [])
    assert [one.kind for one in compare(two, one, ()).uncovered] == ["layers"]
    assert compare(two, one, [Layers(0, -1)]).uncovered == ()
    assert [one.kind for one in compare(two, one, [Layers(0, -2)]).uncovered] == ["layers"]
    assert [one.kind for one in compare(one, one, [Layers(0, -1)]).uncovered] == ["layers"]


def archive(path: pathlib.Path, *layers: bytes) -> str:
    """An image as `docker save` writes it."""
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{number}" for number in range(len(layers))]}}).encode()
    names = [f"blobs/sha256/layer{number}" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "blobs/sha256/config", "Layers": names}]).encode()
    with tarfile.open(path, "w") as out:
        for name, data in [
            *zip(names, layers, strict=True),
            ("blobs/sha256/config", config),
            ("manifest.json", manifest),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return str(path)


def test_an_archive_with_plain_and_compressed_layers(tmp_path: pathlib.Path) -> None:
    path = archive(tmp_path / "image.tar", tar([File("a", "1"), File("b")]), tar([File("a", "2"), File(".wh.b")], "gz"))
    read = view(images.read(path))
    assert set(read.files) == {"/a"}
    assert read.files["/a"].size == 1
    assert read.layers == 2
    assert read.packages == {}


# ----------------------------------------------------------------------------------------------- configuration


def test_configuration_is_compared_by_key() -> None:
    inspected = {
        "Os": "linux",
        "Architecture": "amd64",
        "Config": {
            "Env": ["PATH=/bin", "EMPTY=", "A=b=c"],
            "Cmd": ["sh"],
            "User": "",
            "Labels": {"x": "y"},
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": None,
            "Image": "sha256:1",
        },
    }
    flat = flat_configuration(inspected)
    assert flat == {
        "Os": "linux",
        "Architecture": "amd64",
        "Env.PATH": "/bin",
        "Env.EMPTY": "",
        "Env.A": "b=c",
        "Cmd": '["sh"]',
        "Labels.x": "y",
        "ExposedPorts.80/tcp": "{}",
    }


CONFIGURATION = [
    ({"User": "app"}, {}, ChangesConfig(0, "User", "app", None)),
    ({}, {"User": "app"}, ChangesConfig(0, "User", None, "app")),
    ({"Env.A": "1"}, {"Env.A": "2"}, ChangesConfig(0, "Env.A", "1", "2")),
]


@pytest.mark.parametrize(("old", "new", "effect"), CONFIGURATION)
def test_a_change_of_the_configuration(old: dict[str, str], new: dict[str, str], effect: ChangesConfig) -> None:
    before, after = image(BASE, configuration=old), image(BASE, configuration=new)
    assert [one.kind for one in compare(before, after, ()).uncovered] == ["configuration"]
    assert compare(before, after, [effect]).uncovered == ()
    assert compare(before, after, [effect._replace(new="other")]).uncovered != ()
    assert compare(before, after, [effect._replace(key="Env.B")]).uncovered != ()


def test_an_empty_variable_is_not_an_unset_one() -> None:
    before, after = image(BASE, configuration={"Env.A": ""}), image(BASE, configuration={})
    assert [one.path for one in compare(before, after, ()).uncovered] == ["Env.A"]


# ------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize(
    "path",
    [
        "/var/log/dpkg.log",
        "/var/log/apt/term.log",
        "/var/cache/ldconfig/aux-cache",
        "/usr/lib/x/__pycache__/a.cpython-311.pyc",
    ],
)
def test_content_that_no_two_builds_share_is_noise(path: str) -> None:
    before, after = image([File(path, "1")]), image([File(path, "2")])
    result = compare(before, after, ())
    assert (result.uncovered, result.covered, [one.path for one in result.noise]) == ((), 0, [path])
    for other in ([File(path, "1", mode=0o600)], [File(path, "1", owner=(1, 1))], []):
        assert len(compare(before, image(other), ()).uncovered) == 1, "no more than its content is noise"


def test_logs_that_are_named_by_the_time_are_noise() -> None:
    for folder_of in ("root/.npm/_logs/%s-debug-0.log", "tmp/n/_logs/%s-debug-0.log", "tmp/pipenv-request-%s.json"):
        before, after = image([File(folder_of % "1")]), image([File(folder_of % "2")])
        assert compare(before, after, ()).uncovered == ()
    assert compare(before, image([File("root/.npm/x")]), ()).uncovered != ()


def test_an_effect_that_names_noise_is_seen() -> None:
    before, after = image([File("root/.npm/_logs/1-debug-0.log")]), image([])
    result = compare(before, after, [Removes(("/root/.npm/**",), 0)])
    assert (result.uncovered, result.idle, result.covered, result.noise) == ((), (), 1, ())


def test_a_hard_link_to_what_is_gone_is_no_second_difference() -> None:
    pair = [File("a", "x"), File("b", type=tarfile.LNKTYPE, target="a")]
    assert compare(image(pair), image([File("b", "x")]), [Removes(("/a",), 0)]).uncovered == ()
    assert len(compare(image(pair), image([File("b", "x")]), ()).uncovered) == 1
    assert len(compare(image(pair), image([File("a", "x"), File("b", "x")]), ()).uncovered) == 2


# ---------------------------------------------------------------------------------------------------- packages

STATUS = "var/lib/dpkg/info/"


def debian(tmp_path: pathlib.Path, name: str, packages: dict[str, list[str]], *more: File) -> Image:
    """An image with a merged /usr, dpkg's status, its lists of packages and their files."""
    status = "\n".join(f"Package: {one.split(':')[0]}\nStatus: install ok installed\n" for one in packages)
    files = [link("lib", "usr/lib"), File("var/lib/dpkg/status", status), *more]
    for package, paths in packages.items():
        files.append(File(f"{STATUS}{package}.list", "\n".join(["/.", *paths, ""])))
        files += [File(("usr" + path) if path.startswith("/lib/") else path.lstrip("/"), package) for path in paths]
    return view(images.read(archive(tmp_path / name, tar(files))))


def test_packages_that_are_gone_take_their_files_along(tmp_path: pathlib.Path) -> None:
    kept = {"kept": ["/usr/bin/kept"]}
    before = debian(tmp_path, "a", {**kept, "gone:amd64": ["/usr/bin/gone", "/lib/gone.so"]})
    after = debian(tmp_path, "b", kept)
    assert {one.path for one in compare(before, after, ()).uncovered} == {
        *("/usr/bin/gone", "/usr/lib/gone.so", "/var/lib/dpkg/status", f"/{STATUS}gone:amd64.list")
    }
    assert compare(before, after, [PackagesRemoved(0, "recommended")]).uncovered == ()


def test_a_package_is_gone_by_its_status_and_not_by_its_list(tmp_path: pathlib.Path) -> None:
    """One that was removed and not purged keeps a list; a list that someone deletes removes no package."""
    both = {"kept": ["/usr/bin/kept"], "gone": ["/usr/bin/gone"]}
    before = debian(tmp_path, "a", both)
    status = "Package: kept\nStatus: install ok installed\n\nPackage: gone\nStatus: deinstall ok config-files\n"
    removed = debian(tmp_path, "b", both, File("var/lib/dpkg/status", status))
    files = {path: entry for path, entry in removed.files.items() if path != "/usr/bin/gone"}
    assert compare(before, removed._replace(files=files), [PackagesRemoved(0, "x")]).uncovered == ()
    unlisted = {
        path: entry for path, entry in before.files.items() if path not in ("/usr/bin/gone", f"/{STATUS}gone.list")
    }
    result = compare(before, before._replace(files=unlisted), [PackagesRemoved(0, "x")])
    assert {one.path for one in result.uncovered} == {"/usr/bin/gone", f"/{STATUS}gone.list"}


def test_a_file_of_a_package_that_stays_or_of_none_is_not_covered(tmp_path: pathlib.Path) -> None:
    kept = {"kept": ["/usr/bin/kept", "/usr/bin/shared"]}
    before = debian(tmp_path, "a", {**kept, "gone": ["/usr/bin/gone", "/usr/bin/shared"]}, File("usr/bin/own"))
    after = debian(tmp_path, "b", kept)
    files = {path: entry for path, entry in after.files.items() if path not in ("/usr/bin/kept", "/usr/bin/shared")}
    result = compare(before, after._replace(files=files), [PackagesRemoved(0, "recommended")])
    assert {one.path for one in result.uncovered} == {"/usr/bin/kept", "/usr/bin/own", "/usr/bin/shared"}


def test_a_folder_that_a_kept_package_lists_too_may_vanish(tmp_path: pathlib.Path) -> None:
    """Its last file may have been the other package's: slim images leave out what the kept one has there."""
    kept = {"kept": ["/usr/bin/kept", "/usr/share/locale/de"]}
    before = debian(tmp_path, "a", {**kept, "gone": ["/usr/share/locale/de", "/usr/share/locale/de/gone"]})
    after = debian(tmp_path, "b", kept)
    locale = "/usr/share/locale/de"
    old = {**before.files, locale: before.files[locale]._replace(type="directory", content="")}
    new = {path: entry for path, entry in after.files.items() if path != locale}
    effects = [PackagesRemoved(0, "recommended")]
    assert compare(before._replace(files=old), after._replace(files=new), effects).uncovered == ()
    assert compare(before, after._replace(files=new), effects).uncovered != (), "a file may not"


def test_a_folder_that_the_script_of_a_package_makes_goes_with_it(tmp_path: pathlib.Path) -> None:
    kept = {"kept": ["/usr/bin/kept"]}
    made = folder("usr/local/share/made")
    script = File(
        f"{STATUS}gone.postinst",
        "#!/bin/sh\nDIR=/usr/local/share/made\nmkdir -p $DIR /usr/local/share/$X /srv/data/file\n",
    )
    before = debian(tmp_path, "a", {**kept, "gone": ["/usr/bin/gone"]}, made, script, File("srv/data/file"))
    after = debian(tmp_path, "b", kept)
    result = compare(before, after, [PackagesRemoved(0, "recommended")])
    assert {one.path for one in result.uncovered} == {"/srv/data/file"}, "a file is not the script's"


def test_users_and_alternatives_of_packages_that_are_gone(tmp_path: pathlib.Path) -> None:
    kept = {"kept": ["/usr/bin/kept"]}
    users, manual = File("etc/passwd", "root\napp\n"), link("usr/share/man/pager.1", "/etc/alternatives/pager.1")
    before = debian(tmp_path, "a", {**kept, "gone": ["/usr/bin/gone"]}, users, manual)
    effects = [PackagesRemoved(0, "recommended")]
    for text, missing in [("root\n", []), ("app\nroot\n", ["/etc/passwd"]), ("root\nother\n", ["/etc/passwd"])]:
        after = debian(tmp_path, "b", kept, File("etc/passwd", text))
        assert [one.path for one in compare(before, after, effects).uncovered] == missing
        assert {"/etc/passwd", "/usr/share/man/pager.1"} <= {one.path for one in compare(before, after, ()).uncovered}


def test_no_package_is_gone(tmp_path: pathlib.Path) -> None:
    before = debian(tmp_path, "a", {"kept": ["/usr/bin/kept"]})
    files = {path: entry for path, entry in before.files.items() if path != "/usr/bin/kept"}
    result = compare(before, before._replace(files=files), [PackagesRemoved(0, "recommended")])
    assert [one.path for one in result.uncovered] == ["/usr/bin/kept"]
    assert result.idle == ("PackagesRemoved",)


# ---------------------------------------------------------------------------------------------------- patterns

PATTERNS = [
    ("/a/**", ["/a/b", "/a/b/c", "/a/.b"], ["/a", "/ab", "/b/a/c", "/"]),
    ("/a/*", ["/a/b", "/a/.b"], ["/a", "/a/b/c"]),
    ("/a/**/c", ["/a/c", "/a/b/c", "/a/b/b/c"], ["/a/bc", "/ac"]),
    ("/**/*.pyc", ["/x.pyc", "/a/b/x.pyc"], ["/x.py", "/x.pyc/y"]),
    ("/a/*.b", ["/a/x.b"], ["/a/xb", "/a/x/y.b"]),
    ("/a?c", ["/abc"], ["/a/c", "/ac"]),
    ("/[ab]", ["/a", "/b"], ["/c", "//"]),
    ("/[^a]x", ["/bx"], ["/ax", "//x"]),
    ("/a", ["/a"], ["/a/b", "/"]),
    ("/a+(b).c", ["/a+(b).c"], ["/aab.c", "/a+(b)xc"]),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), PATTERNS)
def test_patterns(pattern: str, inside: list[str], outside: list[str]) -> None:
    matches = matcher(pattern)
    assert [path for path in inside if not matches(path)] == []
    assert [path for path in outside if matches(path)] == []
    assert all(map(any_of(["/never", pattern]), inside))


def test_a_difference_is_told_in_words() -> None:
    assert str(Difference("mode", "/a", "0755", "0700")) == "mode of /a: 0755 -> 0700"
    assert str(Difference("added", "/a", "-", "file")) == "added /a"
