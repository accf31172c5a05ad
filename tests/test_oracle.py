"""The parser beside BuildKit itself: the corpus, thousands of spoiled files, and a list of files that BuildKit refuses."""

import gzip
import json
import os
import random
import re
import time
from typing import Any

import pytest
from buildkit_oracle import Oracle, Parsed, oracle_or_skip
from real_files import CORPUS, WHY

from dfopt.source import Source
from dfopt.syntax import Instruction, Syntax, parse

# The spoiled files: as many as this, or as many as the time allows. DFOPT_SEED gives others.
COUNT = int(os.environ.get("DFOPT_SPOIL_COUNT", "20000"))
SECONDS = 30.0 if COUNT == 20000 else 3600.0

# Files that BuildKit takes, one for each corner of the syntax; they are spoiled too.
ACCEPTED: list[bytes] = [
    b"FROM a\n",
    b"FROM a",
    b"from a as b\nrun x\n",
    b"\xef\xbb\xbfFROM a\nRUN b\n",
    b'FROM a\r\nRUN b \\\r\n  c\r\nCMD ["d"]\r\n',
    b'# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN b `\n c\\\nENV d=e` f g="h i"\nCOPY C:\\a\\ C:\\b\\\n',
    b"#escape = \\\n# check=skip=all;error=true\n#syntax=x\nFROM a\n",
    b"# not a directive\n# escape=`\nFROM a\nRUN b \\\n c\n",
    b'ARG A=1 B="2 3" C\nFROM --platform=$BUILDPLATFORM a:${A:-x} AS b\nFROM b\nARG A\n',
    b"FROM a\nRUN b \\\n# comment \\\n\n   # other\n  && c \\\n\nENV d e\nUSER f\n",
    b"FROM a\n# one\n# two\n\n# three\nRUN b\n#\n# four\nRUN c\n  # five\n  RUN d\n",
    b"FROM a\nRUN <<EOF\nset -e\n# no comment\nb \\\n\nEOF\nRUN <<-A <<'B C' 3<<\"D\"\n\ta\n\tA\nb$x\nB C\nd\nD\n",
    b"FROM a\nRUN cat <<EOF && \\\n  echo y\nbody\nEOF\nCOPY <<X <<Y /d/\nx\nX\ny\nY\nADD <<Z /z\nZ\n",
    b"FROM a\nONBUILD RUN <<EOF\nx\nEOF\nONBUILD COPY --from=b . /c\nONBUILD ENV d=e\n",
    b'FROM a\nRUN ["b", "c d", "\\u00e4\\n"]\nCMD [ ]\nENTRYPOINT ["e"]\nSHELL ["f", "-c"]\nVOLUME ["/g", "/h"]\nCOPY ["i j", "/k"]\n',
    b'FROM a\nRUN [\'b\']\nCMD ["c",]\nENTRYPOINT ["d" \nRUN [ -f x ] && y\nCMD ["e"] f\n',
    b"FROM a\nRUN --mount=type=cache,target=/b --mount=type=secret,id=c,env=D --network=none --security=insecure e\n",
    b"FROM a\nRUN --mount=type=bind,source=.,target=/b,rw --mount=type=tmpfs,target=/c,size=1m d\nRUN --mount=type=ssh e\n",
    b"FROM a\nCOPY --chown=b:c --chmod=755 --link --exclude=*.d --parents --from=e f g/\nADD --keep-git-dir=true --checksum=sha256:1 h i\n",
    b"FROM a\nHEALTHCHECK --interval=1m30s --timeout=3s --start-period=5s --start-interval=1s --retries=3 CMD b || c\nHEALTHCHECK NONE\n",
    b'FROM a\nHEALTHCHECK cmd ["b"]\nSTOPSIGNAL SIGTERM\nMAINTAINER b c\nEXPOSE 80 81/udp 82-83\nWORKDIR /a b\n',
    b'FROM a\nENV b c d = e\nENV f=g h=\'i j\' k="l\\" m" n=o\\ p\nLABEL q r\nLABEL "s t"="u" v=\n',
    b'FROM a\nRUN -- --b c\nRUN --network="default" d\nCMD -- e\n',
    b"\n\n  \t\nFROM a\n\n\\\nRUN b\n",
    b"FROM a\nRUN b \\\n",
    b"FROM a\nRUN b \\\\\nRUN c \\\\\\\nUSER d\n",
    b'FROM a\nRUN caf\xc3\xa9 \xe2\x99\xa5 \xf0\x9f\x90\xb3 \xff\xfe\nLABEL \xc3\xa4="\xc3\xb6"\n',
    b"FROM a\n\xc2\xa0RUN b\xc2\xa0c\n\x0bUSER\x0cd\n",
    b"FROM a\rAS b\nRUN c\rd\n",
    b"FROM a\nRUN " + b"x" * 65_531 + b"\n",
]

# What BuildKit refuses, and why.
REFUSED: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("a byte order mark alone", b"\xef\xbb\xbf"),
    ("blank lines", b"\n \n\t\n"),
    ("comments", b"# a\n# b\n"),
    ("only a directive", b"# syntax=docker/dockerfile:1\n"),
    ("only an escape token", b"\\\n"),
    ("no stage", b"ARG a=b\n"),
    ("an instruction before FROM", b"RUN a\nFROM b\n"),
    ("ENV before FROM", b"ENV a=b\nFROM c\n"),
    ("ONBUILD before FROM", b"ONBUILD RUN a\nFROM b\n"),
    ("no FROM", b"RUN a\n"),
    ("FROM without an image", b"FROM\n"),
    ("FROM with two words", b"FROM a b\n"),
    ("FROM AS without a name", b"FROM a AS\n"),
    ("FROM with another word than AS", b"FROM a IS b\n"),
    ("FROM with four words", b"FROM a AS b c\n"),
    ("FROM with a comment", b"FROM a # comment\n"),
    ("a stage name that starts with a digit", b"FROM a AS 1b\n"),
    ("a stage name with a sign", b"FROM a AS b$\n"),
    ("a stage name with a slash", b"FROM a AS b/c\n"),
    ("FROM with an unknown flag", b"FROM --os=linux a\n"),
    ("FROM with a flag twice", b"FROM --platform=a --platform=b c\n"),
    ("a flag that wants a value", b"FROM --platform a\n"),
    ("an unknown instruction", b"FROM a\nFOO b\n"),
    ("a misspelt instruction", b"FROM a\nRUNN b\n"),
    ("a keyword with a no-break space", b"FROM\xc2\xa0a\n"),
    ("text", b"FROM a\nhello world\n"),
    ("lone escape tokens at the end", b"FROM a\n\\\n\\\n"),
    ("a lone escape token amid", b"FROM a\nRUN b\n\\ c\n"),
    ("the same directive twice", b"# escape=`\n# escape=`\nFROM a\n"),
    ("the same directive in other case", b"# syntax=a\n# SYNTAX=b\nFROM a\n"),
    ("a wrong escape token", b"# escape=x\nFROM a\n"),
    ("an escape token of two characters", b"# escape=\\\\\nFROM a\n"),
    ("a check with an unknown option", b"# check=leave=all\nFROM a\n"),
    ("a check without a value", b"# check=skip\nFROM a\n"),
    ("a check with a bad truth value", b"# check=error=maybe\nFROM a\n"),
    ("a line that is too long", b"FROM a\nRUN " + b"x" * 65_532 + b"\n"),
    ("a comment that is too long", b"FROM a\n# " + b"x" * 65_534 + b"\n"),
    ("a last line that is too long", b"FROM a\nRUN " + b"x" * 65_532),
    ("a heredoc that does not end", b"FROM a\nRUN <<EOF\nb\n"),
    ("a terminator with a blank", b"FROM a\nRUN <<EOF\nb\nEOF \n"),
    ("a terminator with blanks before it", b"FROM a\nRUN <<-EOF\nb\n  EOF\n"),
    ("a terminator with a tab and no `-`", b"FROM a\nRUN <<EOF\nb\n\tEOF\n"),
    ("the second heredoc does not end", b"FROM a\nRUN <<A <<B\na\nA\nb\n"),
    ("heredocs in the wrong order", b"FROM a\nRUN <<A <<B\nb\nB\na\nA\n"),
    ("a shift that is a heredoc", b"FROM a\nRUN echo 1<<X\n"),
    ("a heredoc under ONBUILD that does not end", b"FROM a\nONBUILD RUN <<EOF\nb\n"),
    ("a heredoc as destination", b"FROM a\nCOPY b <<EOF\nEOF\n"),
    ("a heredoc where it is not read", b"FROM a\nENTRYPOINT <<EOF\nb\nEOF\n"),
    ("ENV without a value", b"FROM a\nENV b\n"),
    ("ENV with nothing", b"FROM a\nENV\n"),
    ("ENV with a word without `=`", b"FROM a\nENV b=c d\n"),
    ("ENV with blanks round `=`", b"FROM a\nENV b= c\n"),
    ("ENV with a blank name", b"FROM a\nENV =b\n"),
    ("ENV with an unknown flag", b"FROM a\nENV --b c=d\n"),
    ("LABEL without a value", b"FROM a\nLABEL b\n"),
    ("LABEL with a word without `=`", b"FROM a\nLABEL b=c d\n"),
    ("LABEL with a blank name", b"FROM a\nLABEL =b\n"),
    ("LABEL with nothing", b"FROM a\nLABEL\n"),
    ("ARG with nothing", b"FROM a\nARG\n"),
    ("ARG with a blank name", b"FROM a\nARG =b\n"),
    ("COPY with one word", b"FROM a\nCOPY b\n"),
    ("COPY with nothing", b"FROM a\nCOPY\n"),
    ("COPY of a list of one", b'FROM a\nCOPY ["b"]\n'),
    ("COPY of an empty list", b"FROM a\nCOPY []\n"),
    ("COPY with an unknown flag", b"FROM a\nCOPY --form=b c d\n"),
    ("COPY with a flag twice", b"FROM a\nCOPY --from=b --from=c d e\n"),
    ("COPY with a flag of ADD", b"FROM a\nCOPY --checksum=b c d\n"),
    ("COPY with a flag in upper case", b"FROM a\nCOPY --FROM=b c d\n"),
    ("COPY with a bare flag that wants a value", b"FROM a\nCOPY --chown b c\n"),
    ("COPY with a bad truth value", b"FROM a\nCOPY --link=yes b c\n"),
    ("ADD with one word", b"FROM a\nADD b\n"),
    ("ADD with a flag of COPY", b"FROM a\nADD --from=b c d\n"),
    ("ADD with a bad truth value", b"FROM a\nADD --keep-git-dir=1 b c\n"),
    ("a list that holds a number", b'FROM a\nCMD ["b", 1]\n'),
    ("a list that holds a list", b'FROM a\nRUN ["b", ["c"]]\n'),
    ("a list that holds null", b"FROM a\nENTRYPOINT [null]\n"),
    ("a list of files that holds a number", b'FROM a\nCOPY ["b", 2]\n'),
    ("volumes that hold true", b"FROM a\nVOLUME [true]\n"),
    ("VOLUME with nothing", b"FROM a\nVOLUME\n"),
    ("VOLUME of an empty list", b"FROM a\nVOLUME []\n"),
    ("VOLUME of an empty text", b'FROM a\nVOLUME [""]\n'),
    ("SHELL without a list", b"FROM a\nSHELL /bin/sh -c\n"),
    ("SHELL of an empty list", b"FROM a\nSHELL []\n"),
    ("SHELL with nothing", b"FROM a\nSHELL\n"),
    ("USER with nothing", b"FROM a\nUSER\n"),
    ("WORKDIR with nothing", b"FROM a\nWORKDIR\n"),
    ("STOPSIGNAL with nothing", b"FROM a\nSTOPSIGNAL\n"),
    ("MAINTAINER with nothing", b"FROM a\nMAINTAINER\n"),
    ("EXPOSE with nothing", b"FROM a\nEXPOSE\n"),
    ("USER with a flag", b"FROM a\nUSER --b c\n"),
    ("EXPOSE with a flag", b"FROM a\nEXPOSE --b 80\n"),
    ("CMD with a flag", b"FROM a\nCMD --b c\n"),
    ("ONBUILD with nothing", b"FROM a\nONBUILD\n"),
    ("ONBUILD ONBUILD", b"FROM a\nONBUILD ONBUILD RUN b\n"),
    ("ONBUILD FROM", b"FROM a\nONBUILD FROM b\n"),
    ("ONBUILD MAINTAINER", b"FROM a\nONBUILD maintainer b\n"),
    ("ONBUILD MAINTAINER behind a next line character", b"FROM a\nONBUILD maintainer\xc2\x85 b\n"),
    ("ONBUILD FROM behind a no-break space", b"FROM a\nONBUILD FROM\xc2\xa0 b\n"),
    ("HEALTHCHECK that begins with a byte of no character", b"FROM a\nHEALTHCHECK --\x85every=5s CMD b\n"),
    ("ONBUILD ENV without a value", b"FROM a\nONBUILD ENV b\n"),
    ("ONBUILD with a list that holds a number", b"FROM a\nONBUILD CMD [1]\n"),
    ("HEALTHCHECK with nothing", b"FROM a\nHEALTHCHECK\n"),
    ("HEALTHCHECK of an unknown type", b"FROM a\nHEALTHCHECK curl b\n"),
    ("HEALTHCHECK CMD with nothing", b"FROM a\nHEALTHCHECK CMD\n"),
    ("HEALTHCHECK CMD of an empty list", b"FROM a\nHEALTHCHECK CMD []\n"),
    ("HEALTHCHECK NONE with more", b"FROM a\nHEALTHCHECK NONE b\n"),
    ("HEALTHCHECK with a bad duration", b"FROM a\nHEALTHCHECK --interval=5 CMD b\n"),
    ("HEALTHCHECK with a negative duration", b"FROM a\nHEALTHCHECK --timeout=-1s CMD b\n"),
    ("HEALTHCHECK with too short a duration", b"FROM a\nHEALTHCHECK --interval=1us CMD b\n"),
    ("HEALTHCHECK with bad retries", b"FROM a\nHEALTHCHECK --retries=x CMD b\n"),
    ("HEALTHCHECK with negative retries", b"FROM a\nHEALTHCHECK --retries=-1 CMD b\n"),
    ("HEALTHCHECK with retries beyond 32 bits", b"FROM a\nHEALTHCHECK --retries=2147483648 CMD b\n"),
    ("HEALTHCHECK with an unknown flag", b"FROM a\nHEALTHCHECK --every=5s CMD b\n"),
    ("HEALTHCHECK with a flag twice", b"FROM a\nHEALTHCHECK --retries=1 --retries=2 CMD b\n"),
    ("RUN with an unknown flag", b"FROM a\nRUN --foo b\n"),
    ("RUN with an unknown network", b"FROM a\nRUN --network=bridge b\n"),
    ("RUN with an unknown security", b"FROM a\nRUN --security=full b\n"),
    ("RUN with networks twice", b"FROM a\nRUN --network=none --network=host b\n"),
    ("a mount of an unknown type", b"FROM a\nRUN --mount=type=volume,target=/b c\n"),
    ("a mount with an unknown key", b"FROM a\nRUN --mount=type=cache,goal=/b c\n"),
    ("a mount with an empty field", b"FROM a\nRUN --mount=type=cache,,target=/b c\n"),
    ("a mount with a bad truth value", b"FROM a\nRUN --mount=type=cache,target=/b,ro=maybe c\n"),
    ("a mount with a bad sharing", b"FROM a\nRUN --mount=type=cache,target=/b,sharing=all c\n"),
    ("a mount with a bad mode", b"FROM a\nRUN --mount=type=cache,target=/b,mode=rwx c\n"),
    ("a mount with a bad uid", b"FROM a\nRUN --mount=type=cache,target=/b,uid=root c\n"),
    ("a mount with a bad size", b"FROM a\nRUN --mount=type=tmpfs,target=/b,size=big c\n"),
    ("a mount with an open quote", b'FROM a\nRUN --mount=type=cache,\\"target=/b c\n'),
    ("sharing on a bind mount", b"FROM a\nRUN --mount=type=bind,target=/b,sharing=shared c\n"),
    ("a size on a cache mount", b"FROM a\nRUN --mount=type=cache,target=/b,size=1m c\n"),
    ("a secret without id, source and target", b"FROM a\nRUN --mount=type=secret b\n"),
    ("a secret with id and source", b"FROM a\nRUN --mount=type=secret,id=b,source=c d\n"),
    ("a secret from a stage", b"FROM a\nRUN --mount=type=secret,id=b,from=a c\n"),
    ("an owner on a bind mount", b"FROM a\nRUN --mount=type=bind,target=/b,uid=1 c\n"),
    ("a bind mount that is required", b"FROM a\nRUN --mount=type=bind,target=/b,required c\n"),
    ("a mount from a variable", b"FROM a\nARG b\nRUN --mount=type=bind,target=/c,from=$b d\n"),
    ("a mount without a value", b"FROM a\nRUN --mount b\n"),
    ("a forgotten escape swallows a flag", b"FROM a\nCOPY \\\n--from=b \\\n\nc\n"),
    ("a device without a name", b"FROM a\nRUN --device= b\n"),
]

FRAGMENTS: list[bytes] = [
    *(bytes([byte]) for byte in b"\\`'\"#=<>[]{},$- \t\r\n\v\f:;&|@/\x00\x1c\x85\xa0\xff\xc3\xef"),
    *(b"\\\n", b"`\n", b"\\ \t\n", b"\r\n", b"\n\n", b"\\\\\n", b"\\\\\\\n", b"\\\r\n", b" \\\n\n", b" \\\n# x \\\n"),
    *(b"<<EOF", b" <<EOF\nx\nEOF\n", b"<<-EOF", b" <<'E F' ", b"3<<X", b"<<<x", b' <<"A" <<B\na\nA\nb\nB\n', b"<<", b"\nEOF\n"),
    *(b"\xc2\xa0", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xc3\xa4", b"\xe2\x99\xa5", b"\xf0\x9f\x90\xb3", b"\xed\xa0\x80"),
    *(b"# escape=`\n", b"# escape=\\\n", b"# syntax=a\n", b"#check=skip=all\n", b"#\n", b"# x\n", b"#!x\n", b" # escape=`\n"),
    *(b" --foo", b" --from=a", b" --mount=type=cache,target=/x", b" --mount=type=bind", b" --link=true", b" -- ", b" --", b"--x=\"a b\" "),
    *(b" --network=none", b" --mount=type=secret,id=x,env=y", b" --chmod=755", b" --interval=5s", b" --platform=x", b" --exclude=y"),
    *(b"\nFOO x\n", b"\nRUN\n", b"\nENV a=b c\n", b"\nENV a b\n", b"\nARG\n", b"\nCOPY a\n", b"\nCMD [\"a\", 1]\n", b"\nRUN [\"a\"]\n"),
    *(b"\nONBUILD RUN a <<E\nE\n", b"\nONBUILD ", b"\nFROM x AS y\n", b"\nSHELL [\"a\"]\n", b"\nHEALTHCHECK NONE\n", b"\nLABEL a='b c' d\n"),
    *(b"${x:-y}", b"${A:-x y}", b"${", b"$x", b"''", b'""', b'["a", "b"]', b"[", b'"]', b" AS x", b"\nEXPOSE 80\n", b"\nVOLUME [\"\"]\n"),
]  # fmt: skip


def corpus_files() -> list[bytes]:
    if not CORPUS.is_dir():
        return []
    return [path.read_bytes() for path in sorted((CORPUS / "files").rglob("*")) if path.is_file()]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return oracle_or_skip()


def rejoined(text: str) -> str:
    """The text with those characters whole whose bytes a continuation had parted."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def readable(text: str) -> str:
    """As it comes out of the oracle's JSON: U+FFFD for every byte that is not UTF-8."""
    return re.sub("[\udc80-\udcff]", "\ufffd", rejoined(text))


GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
SHORT_ESCAPES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", '"': '"', "\\": "\\"}


def quoted(text: str) -> str:
    """Go's strconv.Quote."""
    pieces: list[str] = []
    for character in rejoined(text):
        code = ord(character)
        if character in SHORT_ESCAPES:
            pieces.append("\\" + SHORT_ESCAPES[character])
        elif 0xDC80 <= code <= 0xDCFF:
            pieces.append(f"\\x{code - 0xDC00:02x}")
        elif character.isprintable():
            pieces.append(character)
        else:
            width = 2 if code < 0x80 else 4 if code < 0x10000 else 8
            pieces.append("\\" + {2: "x", 4: "u", 8: "U"}[width] + f"{code:0{width}x}")
    return '"' + "".join(pieces) + '"'


def sexp(instruction: Instruction) -> str:
    text = readable(instruction.keyword).replace("\u0130", "i").lower()  # as Go has it, one character for one
    if instruction.flags:
        text += " [" + " ".join(quoted(flag.text) for flag in instruction.flags) + "]"
    if instruction.inner is not None:
        text += " (" + sexp(instruction.inner) + ")"
    return (text + "".join(" " + quoted(argument) for argument in instruction.arguments)).strip(GO_SPACE)


def ours(instruction: Instruction) -> dict[str, Any]:
    return {
        "cmd": readable(instruction.keyword),
        "start": instruction.start_line,
        "end": instruction.end_line,
        "flags": [readable(flag.text) for flag in instruction.flags],
        "json": instruction.json,
        "comments": len(instruction.comments),
        "heredocs": [
            (each.name, each.descriptor, each.expand, each.strip_tabs, readable(each.body.text))
            for each in instruction.heredocs
        ],
    }


def theirs(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "cmd": node["cmd"],
        "start": node["start"],
        "end": node["end"],
        "flags": node.get("flags", []),
        "json": node.get("json", False),
        "comments": len(node.get("prev_comment", [])),
        "heredocs": [
            (each["Name"], each["FileDescriptor"], each["Expand"], each["Chomp"], each["Content"])
            for each in node.get("heredocs", [])
        ],
    }


def difference(tree: Syntax, said: Parsed) -> str | None:
    """How our reading of a file differs from BuildKit's, None where it does not."""
    if tree.fatal != said.refused and not said.mount_unknown:
        return f"fatal: ours {[problem.message for problem in tree.problems if problem.fatal]}, theirs {said.refusal}"
    if said.error is not None:
        return None
    found = "\n".join(f"({sexp(instruction)})" for instruction in tree.instructions)
    if found != said.sexp:
        return f"S-expression: ours {found!r}, theirs {said.sexp!r}"
    if tree.escape != said.escape:
        return f"escape: ours {tree.escape!r}, theirs {said.escape!r}"
    for instruction, node in zip(tree.instructions, said.nodes, strict=True):
        if ours(instruction) != theirs(node):
            return f"node: ours {ours(instruction)}, theirs {theirs(node)}"
    return None


def assert_tiles(tree: Syntax) -> None:
    text = tree.source.text
    assert "".join(text[node.span.start : node.span.end] for node in tree.nodes) == text


def compare(oracle: Oracle, data: bytes) -> str | None:
    tree = parse(Source.from_bytes(data))
    assert_tiles(tree)
    return difference(tree, oracle.parse(data))


@pytest.mark.parametrize(("why", "data"), REFUSED, ids=[why for why, _ in REFUSED])
def test_refused(oracle: Oracle, why: str, data: bytes) -> None:
    assert oracle.parse(data).refused, f"BuildKit takes a file with {why}"
    assert compare(oracle, data) is None


@pytest.mark.parametrize("data", ACCEPTED)
def test_accepted(oracle: Oracle, data: bytes) -> None:
    said = oracle.parse(data)
    assert not said.refused, said.refusal
    assert compare(oracle, data) is None


def test_corpus(oracle: Oracle) -> None:
    files = corpus_files()
    if not files:
        pytest.skip(WHY)
    refused = 0
    for data in files:
        said = oracle.parse(data)
        assert difference(parse(Source.from_bytes(data)), said) is None, data
        refused += said.refused
    assert refused < len(files) / 10


def test_the_oracle_agrees_with_the_corpus_truth(oracle: Oracle) -> None:
    """The truth file was made by another release of BuildKit: the reading has not changed since."""
    path = CORPUS / "buildkit_truth.jsonl.gz"
    if not path.is_file():
        pytest.skip(WHY)
    count = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            said = oracle.parse((CORPUS / record["path"]).read_bytes())
            assert (said.sexp, said.escape) == (record["sexp"], record["escape"]), record["path"]
            assert said.nodes == record["nodes"], record["path"]
            assert said.instruction_error == record.get("instr_error"), record["path"]
            count += 1
    assert count > 1000


def spoiled(rng: random.Random, data: bytes) -> bytes:
    """The file with one to four faults."""
    for _ in range(rng.randint(1, 4)):
        lines = data.splitlines(keepends=True) or [b""]
        place = rng.randint(0, len(data))
        index = rng.randrange(len(lines))
        match rng.randrange(17):
            case 0:
                data = data[:place] + data[place + rng.randint(1, 3) :]
            case 1:
                data = data[:place] + data[place : place + rng.randint(1, 20)] + data[place:]
            case 2 | 3 | 4 | 5:
                data = data[:place] + rng.choice(FRAGMENTS) + data[place:]
            case 6:
                del lines[index]
                data = b"".join(lines)
            case 7:
                lines.insert(rng.randrange(len(lines) + 1), lines[index])
                data = b"".join(lines)
            case 8:
                data = (
                    rng.choice([b"# escape=`\n", b"#escape=`\r\n", b"# ESCAPE = \\\n", b"\n", b"\\\n", b"# a\n"]) + data
                )
            case 9:
                data = data.translate(bytes.maketrans(b"\\`", b"`\\"))
            case 10:
                data = data[:place]
            case 11:
                data = data.replace(b"\n", b"\r\n") if rng.random() < 0.7 else data.replace(b"\n", b"\r", 1)
            case 12:
                data = b"\xef\xbb\xbf" + data
            case 13:
                lines[index] = rng.choice([b"\t", b"  ", b"\xc2\xa0", b"\x0b"]) + lines[index]
                data = b"".join(lines)
            case 14:
                lines[index] = (
                    lines[index].rstrip(b"\r\n") + rng.choice([b"\\", b" \\ ", b"\\\\", b"`", b" \r", b"\t"]) + b"\n"
                )
                data = b"".join(lines)
            case 15:
                # a fragment straight behind a keyword, where flags and lists stand
                words = lines[index].split(b" ", 1)
                lines[index] = words[0] + rng.choice([b" ", b""]) + rng.choice(FRAGMENTS) + b" " + b"".join(words[1:])
                data = b"".join(lines)
            case _:
                data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
    return data


def test_spoiled_files(oracle: Oracle) -> None:
    rng = random.Random(int(os.environ.get("DFOPT_SEED", "1")))
    # The long file is left to its own test: it would take all the time.
    files = [data for data in ACCEPTED + [data for _, data in REFUSED] + corpus_files() if len(data) < 4_000]
    weights = [8] * (len(ACCEPTED) + len(REFUSED) - 4) + [1] * len(files)
    differences: list[tuple[str, bytes]] = []
    accepted = refused = 0
    end = time.monotonic() + SECONDS
    while accepted + refused < COUNT and time.monotonic() < end and len(differences) < 20:
        data = spoiled(rng, rng.choices(files, weights[: len(files)])[0])
        tree = parse(Source.from_bytes(data))
        assert_tiles(tree)
        if any(instruction.logical.text != rejoined(instruction.logical.text) for instruction in tree.instructions):
            continue  # a continuation parts the bytes of one character, which dfopt leaves parted: no file is so
        said = oracle.parse(data)
        refused += said.refused
        accepted += not said.refused
        differs = difference(tree, said)
        if differs:
            differences.append((differs, data))
    assert not differences, f"{len(differences)} of {accepted + refused}:\n" + "\n".join(map(repr, differences))
    assert accepted > 300 and refused > 300, (accepted, refused)
