"""Word splitting and substitution: every form with its value, properties, and BuildKit itself where it can be built."""

import random
import re
import time

import pytest
from buildkit_oracle import Oracle, oracle_or_skip
from hypothesis import given, settings
from hypothesis import strategies as st

from dfopt.words import Piece, expand, expand_words, heredoc_words, split, split_blank

SECONDS = 5.0  # for each comparison with BuildKit
GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"

VARIABLES: dict[str, str | None] = {
    "x": "foo bar",
    "empty": "",
    "path": "a/lib/foo.tar.gz",
    "odd": "a*b?c\\d",
    "unknown": None,
}

# word, value
EXPANSIONS: list[tuple[str, str]] = [
    ("", ""),
    ("plain", "plain"),
    ("$x", "foo bar"),
    ("a${x}b", "afoo barb"),
    ("$xy", ""),
    ("$x.y", "foo bar.y"),
    ("$unset", ""),
    ("${unset}", ""),
    ("$", "$"),
    ("a$", "a$"),
    ("$ x", "$ x"),
    ("$.", "$."),
    # defaults
    ("${x:-w}", "foo bar"),
    ("${empty:-w}", "w"),
    ("${unset:-w}", "w"),
    ("${x-w}", "foo bar"),
    ("${empty-w}", ""),
    ("${unset-w}", "w"),
    ("${unset:-}", ""),
    ("${unset:-a b}", "a b"),
    # alternatives
    ("${x:+w}", "w"),
    ("${empty:+w}", ""),
    ("${unset:+w}", ""),
    ("${x+w}", "w"),
    ("${empty+w}", "w"),
    ("${unset+w}", ""),
    # must be set
    ("${x:?w}", "foo bar"),
    ("${x?w}", "foo bar"),
    ("${empty?w}", ""),
    # nested
    ("${unset:-${empty:-$x}}", "foo bar"),
    ("${unset:-${unset:-${unset:-deep}}}", "deep"),
    ("${x:+${x:+${x}}}", "foo bar"),
    ("${unset:-\\}}", "}"),
    ("${unset:-'}'}", "}"),
    ('${unset:-"$x}"}', "foo bar}"),
    # prefixes
    ("${path#*/}", "lib/foo.tar.gz"),
    ("${path##*/}", "foo.tar.gz"),
    ("${path#a}", "/lib/foo.tar.gz"),
    ("${path#lib}", "a/lib/foo.tar.gz"),
    ("${path#?/}", "lib/foo.tar.gz"),
    ("${path##*}", ""),
    ("${path#*}", "a/lib/foo.tar.gz"),
    ("${path#}", "a/lib/foo.tar.gz"),
    ("${odd#a\\*}", "b?c\\d"),
    ("${odd#a\\?}", "a*b?c\\d"),
    ("${odd#*\\\\}", "d"),
    ("${odd#'a*'}", "*b?c\\d"),  # a star in quotes is one still
    ("${unset#a}", ""),
    # suffixes
    ("${path%.*}", "a/lib/foo.tar"),
    ("${path%%.*}", "a/lib/foo"),
    ("${path%/*}", "a/lib"),
    ("${path%%/*}", "a"),
    ("${path%gz}", "a/lib/foo.tar."),
    ("${path%tar}", "a/lib/foo.tar.gz"),
    ("${path%%*}", ""),
    ("${odd%\\?*}", "a*b"),
    # replacement
    ("${path/o/0}", "a/lib/f0o.tar.gz"),
    ("${path//o/0}", "a/lib/f00.tar.gz"),
    ("${path//\\//-}", "a-lib-foo.tar.gz"),
    ("${path/lib/}", "a//foo.tar.gz"),
    ("${path//./}", "a/lib/footargz"),
    ("${path/*/x}", "x"),
    ("${path/f*r/x}", "a/lib/x.gz"),
    ("${path//?/-}", "-" * 16),
    ("${x// /_}", "foo_bar"),
    ("${path/o/$empty}", "a/lib/fo.tar.gz"),
    ("${path/${unset:-lib}/bin}", "a/bin/foo.tar.gz"),
    ("${path//nothing/x}", "a/lib/foo.tar.gz"),
    ("${empty//a/b}", ""),
    # only `*` and `?` are special
    ("${path#[a]}", "a/lib/foo.tar.gz"),
    ("${path//[a-z]/x}", "a/lib/foo.tar.gz"),
    ("${path#a|b}", "a/lib/foo.tar.gz"),
    # BuildKit hands the replacement of `//` to Go's regexp
    ("${path//o/'<$0>'}", "a/lib/f<o><o>.tar.gz"),
    ("${path//o/'$$'}", "a/lib/f$$.tar.gz"),
    ("${path//o/'$1'}", "a/lib/f.tar.gz"),
    ("${path/o/'$1'}", "a/lib/f$1o.tar.gz"),
    # quotes and escapes
    ("'$x'", "$x"),
    ("'a\\b'", "a\\b"),
    ("''", ""),
    ('"$x"', "foo bar"),
    ('"a\'b"', "a'b"),
    ("'a\"b'", 'a"b'),
    ('"\\$x"', "$x"),
    ('"\\""', '"'),
    ('"\\\\"', "\\"),
    ('"a\\bc"', "a\\bc"),
    ("\\$x", "$x"),
    ("a\\ b", "a b"),
    ("a\\bc", "abc"),
    ("\\\\", "\\"),
    ("a\\", "a"),
    ("a\"b\"'c'd", "abcd"),
    ("`x`", "`x`"),
    ("<<EOF", "<<EOF"),
    ("a << b", "a << b"),
    # special parameters are read as names
    ("$@", ""),
    ("$*", ""),
    ("$#", ""),
    ("$?", ""),
    ("$-", ""),
    ("$$", ""),
    ("$!", ""),
    ("$0", ""),
    ("$1", ""),
    ("$12a", "a"),
    ("$1a", "a"),
    ("$$x", "x"),
    ("${@}", ""),
    ("${1:-w}", "w"),
    ("${-:-w}", "w"),
    # text that is not ASCII, or not UTF-8
    ("ä$x", "äfoo bar"),
    ("$xä", ""),
    ("\ufeffa", "a"),
    ("a\ufeff", "a\ufeff"),
    ("a\udcff", "a\ufffd"),
]

REFUSED = [
    "${",
    "${x",
    "${}",
    "${{x}",
    "${:x}",
    "${:}",
    "${x:",
    "${x:}",
    "${x:-",
    "${x:-w",
    "${x:-${y}",
    "${x:#a}",
    "${x:%a}",
    "${x:##a}",
    "${x:/a/b}",
    "${x:1:2}",
    "${x^^}",
    "${x,,}",
    "${x@Q}",
    "${x=w}",
    "${x:=w}",
    "${x y}",
    "${x.y}",
    "${#x}",
    "${!x}",
    "${x/",
    "${x/a",
    "${x/a}",
    "${x/a\\/}",
    "${x/a/",
    "${x/a/b",
    "${x#\\a}",
    "${x%a\\b}",
    "${x/\\a/b}",
    "${unset?}",
    "${unset:?}",
    "${empty:?w}",
    "${unset?$x}",
    "${x:-${unset?}}",  # the word is read even where it is not wanted
    "'",
    "'a",
    '"',
    '"a',
    '"a\\"',
    "a'b\"",
    '${x:-"}',
]


@pytest.mark.parametrize(("word", "value"), EXPANSIONS)
def test_expansion(word: str, value: str) -> None:
    expansion = expand(word, VARIABLES, "\\")
    assert expansion.value == value
    assert expansion.error is None


@pytest.mark.parametrize("word", REFUSED)
def test_refused(word: str) -> None:
    for text in (word, f"a {word}", f"$x{word}"):
        expansion = expand(text, VARIABLES, "\\")
        assert expansion.value is None
        assert expansion.error


@pytest.mark.parametrize(
    ("word", "variables", "value"),
    [
        ("${unset:?no $x today}", {"x": "milk"}, "`unset` is not set: no milk today"),
        ("${empty:?give one}", {"empty": ""}, "`empty` is empty: give one"),
        ("${unset?}", {}, "`unset` is not set"),
    ],
)
def test_error_of_a_required_variable(word: str, variables: dict[str, str], value: str) -> None:
    assert expand(word, variables, "\\").error == value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("`$x", "$x"),
        ("\\$x", "\\foo bar"),
        ('"`""', '"'),
        ('"``"', "`"),
        ('"`a"', "`a"),
        ("C:\\a\\`$x", "C:\\a\\$x"),
        ("'`'", "`"),
        ("${unset:-`}}", "}"),
        ("${odd#a\\*}", "b?c\\d"),  # in a pattern the escape is a backslash still
        ("a`", "a"),
    ],
)
def test_backtick_escape(word: str, value: str) -> None:
    assert expand(word, VARIABLES, "`").value == value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$unknown", None),
        ("a${unknown}b", None),
        ('"$unknown"', None),
        ("${unknown:-w}", None),
        ("${unknown-w}", None),
        ("${unknown:+w}", None),
        ("${unknown:+}", ""),
        ("${unknown+w}", "w"),
        ("${unknown?w}", None),
        ("${unknown:?w}", None),
        ("${x+}${unknown:?w}", None),
        ("${unknown#a}", None),
        ("${unknown%%a}", None),
        ("${unknown/a/b}", None),
        ("${unset+$unknown}", ""),
        ("${x-$unknown}", "foo bar"),
        ("${x:-$unknown}", "foo bar"),
        ("${unset-$unknown}", None),
        ("${x:+$unknown}", None),
        ("${x+${unknown+w}}", "w"),
        ("${x/o/$unknown}", None),
        ("${x/z/$unknown}", "foo bar"),
        ("${x//z/$unknown}", "foo bar"),
        ("${x#$unknown}", None),
        ("${unset:+${x#$unknown}}", None),  # refused where the pattern is bad
        ("${unset:+${unknown:?}}", None),  # refused where it is empty
        ("'$unknown'", "$unknown"),
    ],
)
def test_unknown_values(word: str, value: str | None) -> None:
    expansion = expand(word, VARIABLES, "\\")
    assert expansion.value == value
    assert expansion.error is None
    words, again = expand_words(word, VARIABLES, "\\")
    assert again == expansion
    assert (words is None) == (value is None)


def test_a_bad_pattern_is_refused_whatever_the_value() -> None:
    assert expand("${unknown#\\a}", VARIABLES, "\\").error


def test_used_and_unset() -> None:
    expansion = expand("$b ${a:-$c$b} '$d' \\$e ${unknown+}$c", {"a": "1", "unknown": None}, "\\")
    assert expansion.used == ("b", "a", "c", "unknown")
    assert expansion.unset == ("b", "c")
    assert expand("${x/$a/$b}$$", {}, "\\").used == ("x", "a", "b", "$")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  ", []),
        ("80 81", ["80", "81"]),
        ("$x", ["foo", "bar"]),
        ('"$x"', ["foo bar"]),
        ("a\\ b", ["a b"]),
        ("'a b'c", ["a bc"]),
        ("''", []),
        ("a '' b", ["a", "b"]),
        ("8$x", ["8foo", "bar"]),
        ("$empty a", ["a"]),
        ("<< EOF x", ["<< EOF", "x"]),
        ("\ta\u00a0b\x1cc", ["a", "b\x1cc"]),
        ("a${unset:-b}", ["b"]),  # BuildKit's fault
        ("a b${unset:-c}d", ["a", "cd"]),
    ],
)
def test_expand_words(text: str, words: list[str]) -> None:
    assert expand_words(text, VARIABLES, "\\")[0] == words


def test_deep_nesting_does_not_raise() -> None:
    for word in ("${a:-" * 5000, '"${a:-' * 5000, "${a:-" * 5000 + "}" * 5000, "${a/" * 5000):
        assert expand(word, {}, "\\").value is None
    assert expand("${a:-" * 60 + "w" + "}" * 60, {}, "\\").value == "w"


def test_time_is_not_exponential() -> None:
    start = time.process_time()
    assert expand("${v#" + "*a" * 30 + "b}", {"v": "a" * 500}, "\\").value == "a" * 500
    assert expand("${v//" + "*a" * 30 + "b/x}", {"v": "a" * 200}, "\\").value == "a" * 200
    assert len(expand("${v//a/bb}", {"v": "a" * 20_000}, "\\").value or "") == 40_000
    assert len(split("a='b c' " * 20_000, "\\")) == 20_000
    assert len(expand_words("a$b 'c' " * 5_000, {"b": "b"}, "\\")[0] or ()) == 10_000
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("text", "escape", "words"),
    [
        ("", "\\", []),
        ("a=b c=d", "\\", ["a=b", "c=d"]),
        ("a='b c' d", "\\", ["a='b c'", "d"]),
        ('a="b c"d e', "\\", ['a="b c"d', "e"]),
        ("a=b\\ c d", "\\", ["a=b\\ c", "d"]),
        ("a=b` c d", "`", ["a=b` c", "d"]),
        ("a=b` c d", "\\", ["a=b`", "c", "d"]),
        ('a="b\\" c" d', "\\", ['a="b\\" c"', "d"]),
        ("a='b\\' c d", "\\", ["a='b\\'", "c", "d"]),
        ("a=\\'b c\\'", "\\", ["a=\\'b", "c\\'"]),
        ('a="b c', "\\", ['a="b c']),
        ("a='b c", "\\", ["a='b c"]),
        ("'' \"\"", "\\", ["''", '""']),
        ("a\\", "\\", ["a"]),
        ("\\", "\\", []),
        ('"a\\', "\\", ['"a']),
        ("'a\\", "\\", ["'a\\"]),
        ("a\u00a0b\u3000c\x85d\x1ce\x0bf", "\\", ["a", "b", "c", "d\x1ce", "f"]),
        ("$x ${y:-a b}", "\\", ["$x", "${y:-a", "b}"]),
    ],
)
def test_split(text: str, escape: str, words: list[str]) -> None:
    assert [piece.text for piece in split(text, escape)] == words


def test_split_blank() -> None:
    assert split_blank(' a\t"b c"\u00a0d\x0b\x0c\re\\ f ') == [
        Piece("a", 1, 2),
        Piece('"b', 3, 5),
        Piece('c"\u00a0d', 6, 10),
        Piece("e\\", 13, 15),
        Piece("f", 16, 17),
    ]
    assert split_blank("") == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("RUN a", []),
        ("RUN <<EOF", [("EOF", 0, False, True)]),
        ("RUN cat << EOF > x", [("EOF", 0, False, True)]),
        ("RUN <<-EOF 3<<'A B' <<\"C\"", [("EOF", 0, True, True), ("A B", 3, False, False), ("C", 0, False, False)]),
        ("RUN <<E'O'F", [("EOF", 0, False, False)]),
        ("RUN <<\\E", [("E", 0, False, True)]),
        ("RUN <<<x", []),
        ("RUN a<<EOF", []),
        ('RUN "<<EOF"', []),
        ("RUN \\<<EOF", []),
        ("RUN $((1<<2))", []),
        ("RUN echo 1<<X", [("X", 1, False, True)]),
        ("RUN 'open <<EOF", []),
        ("RUN <<", []),
        ("RUN <<A ${B:C}", [("A", 0, False, True)]),  # an unknown form is read over where the variable is not set
        ("RUN <<A ${B^C}", []),
        ("RUN <<$X", [("$X", 0, False, True)]),
        ("RUN 99999999999999999999<<X", [("X", 2**64 - 1, False, True)]),
    ],
)
def test_heredoc_words(line: str, found: list[tuple[str, int, bool, bool]]) -> None:
    words, error = heredoc_words(line)
    assert [(word.name, word.descriptor, word.strip_tabs, word.expand) for word in words] == found
    assert error is None
    assert all(word.text in line for word in words)


def test_heredoc_word_that_buildkit_refuses() -> None:
    assert heredoc_words("RUN ${A:-x <<${B:-q r}}")[1]


ATOMS = [
    *"$${}xeuabcoäµ²*?/\\`'\"#%:-+ \t\r\n<.=[]^(+0_",
    *(
        "${",
        "${x:-",
        "${e:-",
        "${u-",
        "${x:+",
        "${e+",
        "${u+",
        "${x:?",
        "${x?",
        "${u?",
        "${x#",
        "${x##",
        "${p%",
        "${p%%",
    ),
    *("${p/", "${p//", "${p//a/", "${x#*", "${p%.*}", "${p##*/}", "${q//'$0'/", "${n//?/", "$x", "${x}", "${b}", "$u"),
    *("//", "\\\\", "\\*", "\\}", "' '", '" "', "  ", "<<", "<< ", "<<-", "12", "$12", "$@", "$$", "${a}", "'$$'"),
    *("\ufeff", "\udcff", "\x85", "\xa0", "\x1c", "\0", "'${0}$1$²'"),
]
VALUES = {
    "x": "foo bar",
    "e": "",
    "p": "a/lib/foo.tar.gz",
    "q": "a$0b*c?\\d",
    "b": "ä\udcffz",
    "n": "one\ntwo\n",
    "a": "*",
    "_": "\ufeff ${x}",
}

texts = st.one_of(
    st.text(), st.lists(st.sampled_from(ATOMS), max_size=20).map("".join), st.text("$${}:-+?#%/\\`'\"ax <")
)
escapes = st.sampled_from("\\`")


@given(texts, escapes)
def test_pieces_are_slices_in_order(text: str, escape: str) -> None:
    for pieces, space in ((split(text, escape), GO_SPACE), (split_blank(text), "\t\v\f\r ")):
        end = 0
        for piece in pieces:
            assert end <= piece.start < piece.end <= len(text)
            assert text[piece.start : piece.end] == piece.text
            assert not text[end : piece.start].strip(space)
            end = piece.end
        assert text[end:].strip(space) in ("", escape)


@given(texts, st.dictionaries(st.sampled_from([*"xeupqbna_"]), st.one_of(st.none(), texts)), escapes)
def test_expansion_never_raises(text: str, variables: dict[str, str | None], escape: str) -> None:
    expansion = expand(text, variables, escape)
    words, again = expand_words(text, variables, escape)
    assert again == expansion
    assert (words is None) == (expansion.value is None)
    assert expansion.value is None or expansion.error is None
    assert set(expansion.unset) == set(expansion.used) - set(variables)
    if None not in variables.values():
        assert (expansion.value is None) == (expansion.error is not None)
    heredoc_words(text)


@settings(max_examples=300)
@given(texts, escapes, st.one_of(st.sampled_from(["", "a", "a b", "*", "\\", "x/y"]), texts))
def test_what_is_said_of_an_unknown_value_holds_for_every_value(text: str, escape: str, value: str) -> None:
    unknown = dict(VALUES, x=None, p=None)
    expansion = expand(text, unknown, escape)
    known = expand(text, dict(VALUES, x=value, p=value), escape)
    if expansion.error is not None:
        assert known.error == expansion.error
    elif expansion.value is not None:
        assert known.error is None
        assert known.value == expansion.value


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return oracle_or_skip()


def soup(rng: random.Random) -> str:
    return "".join(rng.choice(ATOMS) for _ in range(rng.randint(1, 12)))


def grammatical(rng: random.Random, depth: int = 0) -> str:
    """A word that BuildKit mostly accepts."""
    pieces: list[str] = []
    for _ in range(rng.randint(0 if depth else 1, 3)):
        kind = rng.randrange(6) if depth < 4 else 0
        name = rng.choice([*"xxpqbnaeu_", "0"])
        if kind <= 1:
            pieces.append(rng.choice(["a", "o", "/", ".", "ä", " ", "*", "?", "\\*", "\\/", "b c", "<<", "\\\\", "$1"]))
        elif kind == 2:
            quote = rng.choice("'\"")
            pieces.append(quote + grammatical(rng, depth + 1).replace(quote, "") + quote)
        elif kind == 3:
            pieces.append(rng.choice(["$" + name, "${" + name + "}"]))
        elif kind == 4:
            modifier = rng.choice([":-", "-", ":+", "+", ":?", "?", "#", "##", "%", "%%"])
            pieces.append("${" + name + modifier + grammatical(rng, depth + 1) + "}")
        else:
            glob = grammatical(rng, depth + 1).replace("/", "\\/")
            pieces.append("${" + name + rng.choice(["/", "//"]) + glob + "/" + grammatical(rng, depth + 1) + "}")
    return "".join(pieces)


@pytest.mark.parametrize("seed", [1, 2])
def test_expansion_is_buildkits(oracle: Oracle, seed: int) -> None:
    rng = random.Random(seed)
    accepted = refused = 0
    end = time.monotonic() + SECONDS / 2
    while time.monotonic() < end:
        word = (soup if rng.random() < 0.5 else grammatical)(rng)
        escape = rng.choice("\\\\`")
        said = oracle.expand(word, VALUES, escape)
        words, expansion = expand_words(word, VALUES, escape)
        assert expansion == expand(word, VALUES, escape), (word, escape)
        assert (expansion.error is None) == (said.error is None), (word, escape, said, expansion)
        if said.error is not None:
            refused += 1
            continue
        accepted += 1
        assert (expansion.value, words) == (said.result, said.words), (word, escape)
        assert sorted(expansion.used) == sorted(said.matched + said.unmatched), (word, escape)
        assert sorted(expansion.unset) == said.unmatched, (word, escape)
    assert accepted > 500 and refused > 500


def test_the_tables_are_buildkits(oracle: Oracle) -> None:
    known = {name: value for name, value in VARIABLES.items() if value is not None}
    for word, value in EXPANSIONS:
        said = oracle.expand(word, known, "\\")
        assert (said.error, said.result) == (None, value), word
    for word in REFUSED:
        assert oracle.expand(word, known, "\\").error, word


def test_splitting_is_buildkits(oracle: Oracle) -> None:
    rng = random.Random(3)
    count = 0
    end = time.monotonic() + SECONDS / 2
    while time.monotonic() < end:
        escape = rng.choice("\\\\`")
        text = soup(rng).replace("\n", " ").strip(GO_SPACE)
        if re.search(re.escape(escape) + r"[ \t]*$", text):
            continue  # a continuation: BuildKit takes it away before it splits
        pieces = [re.sub("[\udc80-\udcff]", "\ufffd", piece.text) for piece in split(text, escape)]
        assert pieces == oracle.split(text, escape), (text, escape)
        count += 1
    assert count > 500


def test_heredoc_words_are_buildkits(oracle: Oracle) -> None:
    rng = random.Random(4)
    atoms = [
        *("${A:x}", "${A^}", "${A:?b}", "${A#b}", "${A/b/c}", "${A:#}"),
        *"ab'\"\\ <-$3",
        "<<",
        "<<",
        "<<-",
        "<<E",
        " <<E ",
        "'E F'",
        '"G"',
        "${A:-x y}",
        "${B}",
        "\\'",
        "\t",
        "<< ",
    ]
    counts = [0, 0, 0]
    end = time.monotonic() + SECONDS / 2
    while time.monotonic() < end:
        line = "RUN x" + "".join(rng.choice(atoms) for _ in range(rng.randint(1, 9)))
        if re.search(r"\\[ \t]*$", line) or line != line.strip():
            continue
        words, error = heredoc_words(line)
        if any(word.strip_tabs and word.name.startswith("\t") for word in words):
            continue  # no line ends such a heredoc
        body = "".join(f"{word.name}\n" for word in words)
        said = oracle.parse(f"FROM a\n{line}\n{body}".encode())
        assert (said.error is None) == (error is None), (line, said.error, words, error)
        counts[1 if error else min(len(words), 1) * 2] += 1
        if said.error is None:
            assert [(word.name, word.descriptor, word.strip_tabs, word.expand) for word in words] == [
                (each["Name"], each["FileDescriptor"], each["Chomp"], each["Expand"])
                for each in said.nodes[1].get("heredocs", ())
            ], line
            assert len(said.nodes) == 2, line
    assert counts[0] > 100 and counts[2] > 100, counts
