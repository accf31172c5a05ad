"""Which archives a RUN fetches, packs and unpacks, and by what names."""

import pytest

from dfopt import archives, shell
from dfopt.build import Build, Command
from dfopt.packages import recognise
from dfopt.source import Source
from dfopt.syntax import parse


def command(text: str) -> Command:
    ((simple, nesting),) = shell.simple_commands(shell.read(text))
    return Command(simple, nesting, recognise(simple))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl -fsSLo /tmp/a.tgz https://example.com/x", ["/tmp/a.tgz"]),
        ("curl --output a.tgz https://example.com/x", ["a.tgz"]),
        ("curl --output=a.tgz https://example.com/x", ["a.tgz"]),
        ("curl -fsSLO https://example.com/b/a-$V.tgz?x=1", ["a-$V.tgz"]),
        ("curl -O https://example.com/a -O https://example.com/b", ["a", "b"]),
        ("curl https://example.com/x > a.tgz", ["a.tgz"]),
        ("curl https://example.com/x", []),
        ("curl -OJ https://example.com/x", []),
        ("curl -fsS --output-dir /tmp -O https://example.com/x", []),
        ('wget -q "https://example.com/b/a-${V}.tgz"', ["a-${V}.tgz"]),
        ("wget https://example.com/x?y=a.tgz", []),
        ("wget https://example.com/dir/", []),
        ("wget -P /tmp https://example.com/a.tgz", []),
        ("wget -qO- https://example.com/a.tgz", ["a.tgz"]),  # a name that nothing has is no harm
        ("wget -O - https://example.com/a.tgz", []),
        ("sudo wget -O /opt/a.tgz https://example.com/x", ["/opt/a.tgz"]),
        ("cat a.tgz", []),
    ],
)
def test_fetched(text: str, expected: list[str]) -> None:
    assert archives.fetched(command(text).simple) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tar xzf a.tgz", ["a.tgz"]),
        ("tar -xzf a.tgz -C /opt --strip-components=1", ["a.tgz"]),
        ("tar -C /opt -xf a.tgz x y", ["a.tgz"]),
        ("tar xCf /opt a.tgz", ["a.tgz"]),
        ("tar --extract --file=a.tgz --directory /opt", ["a.tgz"]),
        ("tar --extract --file a.tgz", ["a.tgz"]),
        ("tar -xfa.tgz", ["a.tgz"]),
        ("tar czf a.tgz .", []),
        ("tar tzf a.tgz", []),
        ("tar xz -C /opt", []),
        ("tar xf - -C /opt", []),
        ("unzip -q a.zip -d /opt", ["a.zip"]),
        ("unzip -d /opt a.zip", ["a.zip"]),
        ("unzip -l a.zip", []),
        ("unzip '*.zip'", []),
        ("7z x a.7z -o/opt", ["a.7z"]),
        ("dpkg -i ./a.deb /tmp/b.deb", ["./a.deb", "/tmp/b.deb"]),
        ("apt-get install -y ./a.deb curl", ["./a.deb"]),
        ("rpm -ivh a.rpm", ["a.rpm"]),
        ("rpm -i https://example.com/a.rpm", []),
    ],
)
def test_unpacked(text: str, expected: list[str]) -> None:
    assert archives.unpacked(command(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tar czf /a.tgz -C / app", [("/a.tgz", ["app"])]),
        ("tar -cf a.tar b c", [("a.tar", ["b", "c"])]),
        ("zip -r a.zip b", [("a.zip", ["b"])]),
        ("gzip -9 b", [("b.gz", ["b"])]),
        ("gzip -dc b.gz", []),
        ("xz --keep b", []),
    ],
)
def test_packed(text: str, expected: list[tuple[str, list[str]]]) -> None:
    assert archives.packed(command(text).simple) == expected


@pytest.mark.parametrize(
    ("script", "key", "path"),
    [
        ("see a", "/w/a", "/w/a"),
        ("cd /tmp && see ./a", "/tmp/a", "/tmp/a"),
        ("cd x && cd ../y && see a", "/w/y/a", "/w/y/a"),
        ("cd $X && see a", "?1/a", None),
        ("(cd /tmp) && see a", "?1/a", None),
        ('see "/tmp/a-$K-$U"', "/tmp/a-1-$U", "/tmp/a-1-*"),
        ("see /tmp/$(arch).tgz", "/tmp/$(arch).tgz", "/tmp/*.tgz"),
        ("see $U/a", "$U/a", None),
        ("K=2; see $K/a", "$K/a", None),
        ("see ~/a", "/root/a", "/root/a"),
    ],
)
def test_files_are_known_by_the_folder_that_a_command_runs_in(script: str, key: str, path: str | None) -> None:
    build = Build(parse(Source(f"FROM debian:12\nENV K=1\nWORKDIR /w\nRUN {script}\n")))
    place = next(one for one in archives.placed(build, 3) if one.command.name == "see")
    file = archives.file_of(build, 3, place, place.command.simple.words[1].text)
    assert (file.key, file.path) == (key, path)
