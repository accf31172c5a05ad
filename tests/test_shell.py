"""Shell text against hand-written readings, against shfmt and against the shells themselves."""

import gc
import random
import shutil
import subprocess
import time
from typing import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell_oracle import SHFMT, our_outline, ours, plain_tests, shfmt, their_outline, theirs

from dfopt.shell import (
    Assignment,
    Compound,
    Redirection,
    Script,
    Simple,
    Word,
    dialect_of,
    read,
    simple_commands,
    step_tokens,
    tokens,
)

DIALECTS = ("sh", "bash", "posix", "busybox")
EVERYWHERE = "sh bash posix busybox"
NOT_BASH = "sh posix busybox"


def commands(script: Script) -> list[str]:
    """Each simple command as `kinds: parts`, the parts as written in order of place, with `_` between."""
    found = []
    for command, kinds in simple_commands(script):
        parts: list[tuple[int, str]] = [(word.start, word.text) for word in command.words]
        for assignment in command.assignments:
            sign = "+=" if assignment.append else "="
            parts.append(
                (assignment.start, assignment.name + sign + (assignment.value.text if assignment.value else ""))
            )
        for each in command.redirections:
            body = "" if each.body is None else f"[{each.body.text}]"
            parts.append((each.start, f"{each.descriptor or ''}{each.operator}{each.target.text}{body}"))
        text = "_".join(part for _, part in sorted(parts))
        found.append(f"{' '.join(kinds)}: {text}" if kinds else text)
    return found


# dialects, text, its simple commands (None: opaque in all of these dialects)
READINGS: list[tuple[str, str, list[str] | None]] = [
    # nothing, blanks, comments
    (EVERYWHERE, "", []),
    (EVERYWHERE, " \t\n", []),
    (EVERYWHERE, "# only this", []),
    (EVERYWHERE, "a # b; c", ["a"]),
    (EVERYWHERE, "a#b c", ["a#b_c"]),
    (EVERYWHERE, "a;#b\nc", ["a", "c"]),
    (EVERYWHERE, "a '#' b", ["a_'#'_b"]),
    (EVERYWHERE, "a\n\n # x\n\nb", ["a", "b"]),
    # lists
    (EVERYWHERE, "a b  c", ["a_b_c"]),
    (EVERYWHERE, "a;b", ["a", "b"]),
    (EVERYWHERE, "a&b", ["a", "b"]),
    (EVERYWHERE, "a&&b||c", ["a", "b", "c"]),
    (EVERYWHERE, "a &&\n\n# x\nb", ["a", "b"]),
    (EVERYWHERE, "a |\nb", ["a", "b"]),
    (EVERYWHERE, "a | b | c", ["a", "b", "c"]),
    (EVERYWHERE, "! a | b", ["a", "b"]),
    (EVERYWHERE, "a;", ["a"]),
    (EVERYWHERE, "a &", ["a"]),
    (EVERYWHERE, "a & ; b", None),
    (EVERYWHERE, "a ;; b", None),
    (EVERYWHERE, "; a", None),
    (EVERYWHERE, "a &&", None),
    (EVERYWHERE, "a && && b", None),
    (EVERYWHERE, "a || | b", None),
    (EVERYWHERE, "| a", None),
    (EVERYWHERE, "a )", None),
    ("bash", "! ! a", None),
    # line continuations
    (EVERYWHERE, "a \\\n  b", ["a_b"]),
    (EVERYWHERE, "a\\\nb c", ["a\\\nb_c"]),
    (EVERYWHERE, "a\\\n b", ["a_b"]),
    (EVERYWHERE, "a \\\n# b\nc", ["a", "c"]),
    (EVERYWHERE, "a && \\\n b", ["a", "b"]),
    (EVERYWHERE, "a &\\\n& b", None),
    (EVERYWHERE, "i\\\nf a; then b; fi", None),
    (EVERYWHERE, "X\\\n=1 a", None),
    (EVERYWHERE, "a $\\\nx", None),
    (EVERYWHERE, "a 2\\\n>x", None),
    (EVERYWHERE, "a \\", None),
    # assignments
    (EVERYWHERE, "X=1", ["X=1"]),
    (EVERYWHERE, "X=1 Y= a Z=2", ["X=1_Y=_a_Z=2"]),
    (EVERYWHERE, "X='a b'\"$c\"d e", ["X='a b'\"$c\"d_e"]),
    (EVERYWHERE, "1X=2 a", ["1X=2_a"]),
    (EVERYWHERE, "X-Y=2 a", ["X-Y=2_a"]),
    (EVERYWHERE, ">f X=1 a", [">f_X=1_a"]),
    (EVERYWHERE, "X=1 if a", ["X=1_if_a"]),
    ("bash", "X+=1", ["X+=1"]),
    (NOT_BASH, "X+=1", None),
    ("bash", "X[1]=2 a", ["X[1]=2_a"]),
    (NOT_BASH, "X[1]=2 a", None),
    ("bash", "X[$i]=2", None),
    ("bash", "X=(a 'b c' $(d)\n# e\nf)", ["X=(a 'b c' $(d)\n# e\nf)", "substitution: d"]),
    (NOT_BASH, "X=(a b)", None),
    ("bash", "declare -a X=(a b) Y=1", ["declare_-a_X=(a b)_Y=1"]),
    ("bash", "echo X=(a b)", None),
    ("bash", "X=(a)b", None),
    # redirections
    (EVERYWHERE, "a >f", ["a_>f"]),
    (EVERYWHERE, "a > f b", ["a_>f_b"]),
    (EVERYWHERE, "a>f 2>&1", ["a_>f_2>&1"]),
    (EVERYWHERE, "a 2 >f", ["a_2_>f"]),
    (EVERYWHERE, "a2>f", ["a2_>f"]),
    (EVERYWHERE, "a <f >>g 3<>h >|i 4<&- >&2", ["a_<f_>>g_3<>h_>|i_4<&-_>&2"]),
    (EVERYWHERE, "> f", [">f"]),
    (EVERYWHERE, "a >", None),
    (EVERYWHERE, "a > # f", None),
    (EVERYWHERE, "a > ; b", None),
    ("bash", "a 10>f", ["a_10>f"]),
    (NOT_BASH, "a 10>f", None),
    ("bash", "a {fd}>f", ["a_{fd}>f"]),
    (NOT_BASH, "a {fd}>f", None),
    ("bash busybox", "a &>f", ["a_&>f"]),
    ("posix", "a &>f", ["a", ">f"]),
    ("sh", "a &>f", None),
    ("bash", "a &>>f", ["a_&>>f"]),
    ("sh busybox", "a &>>f", None),
    ("bash", "a |& b", ["a", "b"]),
    (NOT_BASH, "a |& b", None),
    ("bash", "a <<<'b c'", ["a_<<<'b c'"]),
    (NOT_BASH, "a <<<b", None),
    (EVERYWHERE, "a >&-b", None),
    # heredocs
    (EVERYWHERE, "a <<E\nb $c\nE\nd", ["a_<<E[b $c\n]", "d"]),
    (EVERYWHERE, "a <<E >f && d\nb\nE", ["a_<<E[b\n]_>f", "d"]),
    (EVERYWHERE, "a <<'E F'\n$(b)\nE F\n", ["a_<<'E F'[$(b)\n]"]),
    (EVERYWHERE, "a <<E\n$(b) `c`\nE\n", ["a_<<E[$(b) `c`\n]", "substitution: b", "substitution: c"]),
    (EVERYWHERE, "a <<-E\n\tb\n\tE\nc", ["a_<<-E[\tb\n]", "c"]),
    (EVERYWHERE, "a <<E\n\tE\nE", ["a_<<E[\tE\n]"]),
    (EVERYWHERE, "a <<E <<F\n1\nE\n2\nF\n", ["a_<<E[1\n]_<<F[2\n]"]),
    (EVERYWHERE, "a <<E | b <<F\n1\nE\n2\nF\n", ["a_<<E[1\n]", "b_<<F[2\n]"]),
    (EVERYWHERE, "{ a <<E; }\n1\nE\nb", ["group: a_<<E[1\n]", "b"]),
    (EVERYWHERE, "if a <<E; then\n1\nE\nb; fi", ["if: a_<<E[1\n]", "if: b"]),
    (EVERYWHERE, "x=$(a <<E\n1\nE\n)", ["x=$(a <<E\n1\nE\n)", "substitution: a_<<E[1\n]"]),
    (EVERYWHERE, "a <<E\nb\\\nE\nE\n", None),
    (EVERYWHERE, "a <<\\E\nb\\\nE\n", ["a_<<\\E[b\\\n]"]),
    (EVERYWHERE, "a <<E\nb\\\\\nE\n", ["a_<<E[b\\\\\n]"]),
    (EVERYWHERE, "a <<E\nb\n", None),
    (EVERYWHERE, "a <<E", None),
    (EVERYWHERE, "a <<E\nE ", None),
    (EVERYWHERE, "a <<$E\n$E\n", None),
    (EVERYWHERE, "x=$(a <<E)\nb\nE\n", None),
    (EVERYWHERE, "a <<E\n'\nE\nb", ["a_<<E['\n]", "b"]),
    (EVERYWHERE, "a <<E\n$(b\nE\n", None),
    (EVERYWHERE, "(a <<E)\nb\nE\nc", ["subshell: a_<<E[b\n]", "c"]),
    # compound commands
    (EVERYWHERE, "(a; b)", ["subshell: a", "subshell: b"]),
    (EVERYWHERE, "(a)&&b", ["subshell: a", "b"]),
    (EVERYWHERE, "( (a) )", ["subshell subshell: a"]),
    (EVERYWHERE, "()", None),
    (EVERYWHERE, "(a", None),
    (EVERYWHERE, "{ a; b; } >f", ["group: a", "group: b"]),
    (EVERYWHERE, "{ a }", None),
    (EVERYWHERE, "{ }", None),
    (EVERYWHERE, "{a; }", None),
    (EVERYWHERE, "{ a; }b", None),
    (EVERYWHERE, "echo { a }", ["echo_{_a_}"]),
    (EVERYWHERE, "if a; then b; fi", ["if: a", "if: b"]),
    (EVERYWHERE, "if a\nthen b\nelif c; then d\nelse e; fi", ["if: a", "if: b", "if: c", "if: d", "if: e"]),
    (EVERYWHERE, "if (a) then (b) fi", ["if subshell: a", "if subshell: b"]),
    (EVERYWHERE, "if a; then b; fi | c && d", ["if: a", "if: b", "c", "d"]),
    (EVERYWHERE, "if a; then fi", None),
    (EVERYWHERE, "if a; then b", None),
    (EVERYWHERE, "if a then b; fi", None),
    (EVERYWHERE, "fi", None),
    (EVERYWHERE, "echo if then fi", ["echo_if_then_fi"]),
    (EVERYWHERE, "\\if a", ["\\if_a"]),
    (EVERYWHERE, "for i in a b; do c $i; done", ["for: c_$i"]),
    (EVERYWHERE, "for i in $(a)\ndo b\ndone", ["for substitution: a", "for: b"]),
    (EVERYWHERE, "for i; do a; done", ["for: a"]),
    (EVERYWHERE, "for i do a; done", ["for: a"]),
    (EVERYWHERE, "for i in; do a; done", ["for: a"]),
    (EVERYWHERE, "for 1 in a; do b; done", None),
    (EVERYWHERE, "for i in a; { b; }", None),
    ("bash", "for ((i=0;i<3;i++)); do a; done", ["for: a"]),
    (NOT_BASH, "for ((i=0;i<3;i++)); do a; done", None),
    (EVERYWHERE, "while a; do b; done <f", ["while: a", "while: b"]),
    (EVERYWHERE, "while a; do b; done<f", ["while: a", "while: b"]),
    (EVERYWHERE, "until a\ndo b\ndone", ["until: a", "until: b"]),
    (EVERYWHERE, "a | while read l; do b; done", ["a", "while: read_l", "while: b"]),
    (EVERYWHERE, "case $x in a|b) c;; (d) e ;; *) esac", ["case: c", "case: e"]),
    (EVERYWHERE, "case $x in\n a)\n  b\n ;;\n *) c\nesac; d", ["case: b", "case: c", "d"]),
    (EVERYWHERE, "case $(a) in $(b)) c;; esac", ["case substitution: a", "case substitution: b", "case: c"]),
    (EVERYWHERE, "case x in esac", []),
    (EVERYWHERE, "case x in a) b", None),
    ("bash", "case x in a) b;& c) d;;& esac", ["case: b", "case: d"]),
    (NOT_BASH, "case x in a) b;& c) d;; esac", None),
    (EVERYWHERE, "f() { a; }", ["function group: a"]),
    (EVERYWHERE, "f ( ) (a) >g; f", ["function subshell: a", "f"]),
    (EVERYWHERE, "f()\n{ a; }\nb", ["function group: a", "b"]),
    (EVERYWHERE, "f() a", None),
    (EVERYWHERE, "if() { a; }", None),
    ("bash", "f-g() { a; }", ["function group: a"]),
    (NOT_BASH, "f-g() { a; }", None),
    ("bash", "function f { a; }", ["function group: a"]),
    ("bash", "function f-g() { a; }", ["function group: a"]),
    (NOT_BASH, "function f { a; }", None),
    ("bash", "((x = 1 + y))", []),
    (NOT_BASH, "((x = 1 + y))", None),
    ("bash", "select i in a; do b; done", ["select: b"]),
    (NOT_BASH, "select i in a; do b; done", None),
    (EVERYWHERE, "coproc a", None),
    ("bash", "time a | b", ["a", "b"]),
    ("sh", "time a", None),
    ("posix busybox", "time a", ["time_a"]),
    # [[ ]]
    ("bash", "[[ a == b && c ]] && d", ["d"]),
    ("bash", "[[ $(a) =~ ^(x|y z)$ ]]", ["test substitution: a"]),
    ("bash", "[[ ! ( -f a || b < c ) ]]; d", ["d"]),
    ("bash", "[[ a b ]]", None),
    ("bash", "[[ a == @(b|c) ]]", None),
    ("sh busybox", "[[ a == b ]] && c", ["[[_a_==_b_]]", "c"]),
    ("posix", "[[ a && b ]]", ["[[_a", "b_]]"]),
    ("sh busybox", "[[ a && b ]]", None),
    ("sh busybox", "[[ a < b ]]", None),
    ("sh busybox", "[[ a =~ (b) ]]", None),
    ("bash posix", "X=1 [[ a && b ]]", ["X=1_[[_a", "b_]]"]),
    ("sh busybox", "X=1 [[ a ]]", None),
    (EVERYWHERE, "[ a = b ] && [ ! -f c ]", ["[_a_=_b_]", "[_!_-f_c_]"]),
    # substitutions
    (EVERYWHERE, "a $(b | c) d", ["a_$(b | c)_d", "substitution: b", "substitution: c"]),
    (EVERYWHERE, 'a "$(b "$(c)")"', ['a_"$(b "$(c)")"', 'substitution: b_"$(c)"', "substitution substitution: c"]),
    (EVERYWHERE, "a $(b # )\n)", ["a_$(b # )\n)", "substitution: b"]),
    (EVERYWHERE, "a $(case x in y) b;; esac)", ["a_$(case x in y) b;; esac)", "substitution case: b"]),
    (EVERYWHERE, "a $( )", ["a_$( )"]),
    (EVERYWHERE, "a $(b", None),
    (EVERYWHERE, "a `b c`d", ["a_`b c`d", "substitution: b_c"]),
    (EVERYWHERE, "a `b \\`c d\\``", ["a_`b \\`c d\\``", "substitution: b_\\`c d\\`", "substitution substitution: c_d"]),
    (EVERYWHERE, "a `b \\$c`", ["a_`b \\$c`", "substitution: b_\\$c"]),
    (EVERYWHERE, 'a "`b \\"c d\\"`"', ['a_"`b \\"c d\\"`"', 'substitution: b_\\"c d\\"']),
    (EVERYWHERE, 'a "`b "c d"`"', ['a_"`b "c d"`"', 'substitution: b_"c d"']),
    (EVERYWHERE, "a `b # c`", ["a_`b # c`", "substitution: b"]),
    (EVERYWHERE, "a `b", None),
    (EVERYWHERE, "a `b; if`", None),
    (EVERYWHERE, "a $((1 + (2 * b)))", ["a_$((1 + (2 * b)))"]),
    (EVERYWHERE, "a $((b; c) | d)", None),
    (EVERYWHERE, "a $( (b; c) | d)", [
        "a_$( (b; c) | d)", "substitution subshell: b", "substitution subshell: c", "substitution: d",
    ]),
    (EVERYWHERE, 'a ${b:-$(c "d")}', ['a_${b:-$(c "d")}', 'substitution: c_"d"']),
    (EVERYWHERE, "a ${b:-c d;e}", ["a_${b:-c d;e}"]),
    (EVERYWHERE, "a \"${b:-'c}'}\"", None),
    (EVERYWHERE, "a ${", None),
    (EVERYWHERE, "a ${b", None),
    (EVERYWHERE, "a ${ b; }", None),
    ("bash", "a <(b) > >(c)", ["a_<(b)_>>(c)", "substitution: b", "substitution: c"]),
    (NOT_BASH, "a <(b)", None),
    ("bash", "a b<(c)", None),
    # quoting
    (EVERYWHERE, "a 'b;c' \"d|e\" f\\&g", ["a_'b;c'_\"d|e\"_f\\&g"]),
    (EVERYWHERE, "a 'b", None),
    (EVERYWHERE, 'a "b', None),
    (EVERYWHERE, "a $'b' c", ["a_$'b'_c"]),
    ("bash busybox", "a $'b\\'c d' e", ["a_$'b\\'c d'_e"]),
    ("sh posix", "a $'b\\'c d' e", None),
    (EVERYWHERE, 'a $"b c"', ['a_$"b c"']),
    ("sh bash", "a $[1 + 2]", None),
    ("posix busybox", "a $[1 + 2]", ["a_$[1_+_2]"]),
    (EVERYWHERE, "a @(b|c)", None),
    (EVERYWHERE, "a !(b)", None),
    (EVERYWHERE, "a(b)", None),
    # what would change how the rest is read
    (NOT_BASH, "alias a='b &&'\na c", None),
    ("bash", "alias a='b &&'\na c", ["alias_a='b &&'", "a_c"]),
    ("bash", "shopt -s expand_aliases\nalias a='b &&'\na c", None),
    (EVERYWHERE, "alias a=b", ["alias_a=b"]),
    (EVERYWHERE, "a\0b", None),
    # other systems' shells
    (EVERYWHERE, "powershell -Command iex ((new-object net.webclient).DownloadString('x'))", None),
    (EVERYWHERE, "a\rb\xa0c d\r\ne", ["a\rb\xa0c_d\r", "e"]),
]  # fmt: skip


@pytest.mark.parametrize(("dialects", "text", "expected"), READINGS)
def test_reading(dialects: str, text: str, expected: list[str] | None) -> None:
    for dialect in dialects.split():
        script = read(text, dialect)
        if expected is None:
            assert script.opaque, (dialect, commands(script))
            assert script.steps == ()
        else:
            assert script.opaque is None, dialect
            assert commands(script) == expected, dialect
            inspect(script)


def test_enough_readings() -> None:
    assert len(READINGS) >= 120


# dialects, word, value, glob, names
WORDS: list[tuple[str, str, str | None, str | None, tuple[str, ...]]] = [
    (EVERYWHERE, "a", "a", None, ()),
    (EVERYWHERE, "-y", "-y", None, ()),
    (EVERYWHERE, "a=b", "a=b", None, ()),
    (EVERYWHERE, "'a b'", "a b", None, ()),
    (EVERYWHERE, "''", "", None, ()),
    (EVERYWHERE, '""', "", None, ()),
    (EVERYWHERE, "a'b'\"c\"\\d", "abcd", None, ()),
    (EVERYWHERE, '"a\\$b\\"c\\\\d\\e\\`"', 'a$b"c\\d\\e`', None, ()),
    (EVERYWHERE, "'a\\b'", "a\\b", None, ()),
    (EVERYWHERE, "a\\ b", "a b", None, ()),
    (EVERYWHERE, "a\\\nb", "ab", None, ()),
    (EVERYWHERE, '"a\\\nb"', "ab", None, ()),
    (EVERYWHERE, "'a\\\nb'", "a\\\nb", None, ()),
    (EVERYWHERE, "$", "$", None, ()),
    (EVERYWHERE, "a$", "a$", None, ()),
    (EVERYWHERE, '"$"', "$", None, ()),
    (EVERYWHERE, "$%", "$%", None, ()),
    (EVERYWHERE, "[", "[", None, ()),
    (EVERYWHERE, "]", "]", None, ()),
    (EVERYWHERE, "{}", "{}", None, ()),
    (EVERYWHERE, "a}", "a}", None, ()),
    (EVERYWHERE, "!", "!", None, ()),
    (EVERYWHERE, "a#b", "a#b", None, ()),
    (EVERYWHERE, "1.0~rc1", "1.0~rc1", None, ()),
    # variables
    (EVERYWHERE, "$a", None, None, ("a",)),
    (EVERYWHERE, '"$a-$b"', None, None, ("a", "b")),
    (EVERYWHERE, "$U/a-$V-x.tgz", None, None, ("U", "V")),
    (EVERYWHERE, "${a}b", None, None, ("a",)),
    (EVERYWHERE, "${a:-$b}", None, None, ("a", "b")),
    (EVERYWHERE, "${#a}", None, None, ("a",)),
    (EVERYWHERE, "${a%%/*}", None, None, ("a",)),
    (EVERYWHERE, "\"${a:-'x'}\"", None, None, ("a",)),
    (EVERYWHERE, '"${a:-"$b"}"', None, None, ("a", "b")),
    (EVERYWHERE, "$1$?$$$#$@", None, None, ()),
    (EVERYWHERE, "$10", None, None, ()),
    (EVERYWHERE, "$((a + $b))", None, None, ("a", "b")),
    (EVERYWHERE, "$(echo $a)", None, None, ()),
    (EVERYWHERE, "'$a'", "$a", None, ()),
    (EVERYWHERE, "\\$a", "$a", None, ()),
    ("bash", "${!a}", None, None, ("!a", "a")),
    ("bash", "${a[i]}", None, None, ("a", "i")),
    ("bash", "${a:b:c}", None, None, ("a", "b", "c")),
    ("bash", "${a//x/y}", None, None, ("a",)),
    # pathname patterns
    (EVERYWHERE, "*.c", None, "*.c", ()),
    (EVERYWHERE, "/var/lib/apt/lists/*", None, "/var/lib/apt/lists/*", ()),
    (EVERYWHERE, "a?b", None, "a?b", ()),
    (EVERYWHERE, "[a-z]*", None, "[a-z]*", ()),
    (EVERYWHERE, "'a b'*", None, "a b*", ()),
    (EVERYWHERE, "'*'*", None, None, ()),
    (EVERYWHERE, "\\**", None, None, ()),
    (EVERYWHERE, "[a'-'z]", None, None, ()),
    (EVERYWHERE, "'*'", "*", None, ()),
    (EVERYWHERE, "\\*", "*", None, ()),
    (EVERYWHERE, "a[b", "a[b", None, ()),
    (EVERYWHERE, "$a*", None, None, ("a",)),
    # tildes
    (EVERYWHERE, "~", None, None, ()),
    (EVERYWHERE, "~/a", None, None, ()),
    (EVERYWHERE, "a=~/b", None, None, ()),
    (EVERYWHERE, "'~'/a", "~/a", None, ()),
    (EVERYWHERE, "a~", "a~", None, ()),
    # braces
    ("sh bash", "{a,b}", None, None, ()),
    ("sh bash", "x{1..3}", None, None, ()),
    ("sh bash", "*{a,b}", None, None, ()),
    ("posix busybox", "{a,b}", "{a,b}", None, ()),
    (EVERYWHERE, "'{a,b}'", "{a,b}", None, ()),
    (EVERYWHERE, "\\{a,b}", "{a,b}", None, ()),
    ("sh bash", "{'a b',c}", None, None, ()),
    (EVERYWHERE, "{a}", "{a}", None, ()),
    # other quotes
    ("bash", "$'a\\n'", "a\n", None, ()),
    ("bash", "$'\\x41'", None, None, ()),
    ("sh posix", "$'a'", None, None, ()),
    (EVERYWHERE, '$"a"', None, None, ()),
]


@pytest.mark.parametrize(("dialects", "text", "value", "glob", "names"), WORDS)
def test_word(dialects: str, text: str, value: str | None, glob: str | None, names: tuple[str, ...]) -> None:
    for dialect in dialects.split():
        script = read(f"echo {text} z", dialect)
        assert script.opaque is None, dialect
        ((command, kinds), *_) = simple_commands(script)
        assert kinds == ()
        assert [word.value for word in command.words[::2]] == ["echo", "z"]
        word = command.words[1]
        assert (word.text, word.start, word.end) == (text, 5, 5 + len(text))
        assert (word.value, word.glob, word.names) == (value, glob, names), dialect


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "a"),
        ("*", "*"),
        ("{a,b}", "{a,b}"),
        ("'a b'c", "a bc"),
        ("~/a", None),
        ("a:~b", None),
        ("$x", None),
        ("a~", "a~"),
        ("#a", "#a"),
    ],
)
def test_assigned_value(text: str, value: str | None) -> None:
    ((command, _),) = simple_commands(read(f"X={text} y"))
    (assignment,) = command.assignments
    assert assignment.value is not None
    assert (assignment.name, assignment.value.text, assignment.value.value) == ("X", text, value)
    assert [word.text for word in command.words] == ["y"]


def test_heredoc_value() -> None:
    def body(text: str) -> Word:
        ((command, _),) = simple_commands(read(text))
        found = command.redirections[0].body
        assert found is not None
        return found

    assert body("cat <<-'E'\n\t\ta $b\n\tE\n").value == "a $b\n"
    assert body("cat <<E\na\n\tb\nE\n").value == "a\n\tb\n"
    assert body("cat <<E\na $b ${c}\nE\n").names == ("b", "c")
    assert body("cat <<E\na $b\nE\n").value is None
    assert body("cat <<E\na \\\nb\nE\n").value is None


@pytest.mark.parametrize(
    ("text", "operators", "terminator"),
    [
        ("a", [("", 0, 0)], ""),
        ("a && b; c", [("", 0, 0), ("&&", 2, 4), (";", 6, 7)], ""),
        ("a || b & c;", [("", 0, 0), ("||", 2, 4), ("&", 7, 8)], ";"),
        ("a\n\nb\n", [("", 0, 0), ("\n", 1, 2)], "\n"),
        (" a ;\n b &", [("", 1, 1), (";", 3, 4)], "&"),
        ("a # x\nb", [("", 0, 0), ("\n", 5, 6)], ""),
    ],
)
def test_steps(text: str, operators: list[tuple[str, int, int]], terminator: str) -> None:
    script = read(text)
    assert [(step.operator, step.operator_start, step.operator_end) for step in script.steps] == operators
    assert script.terminator == terminator


def test_pipeline() -> None:
    (step,) = read("time ! a |& b", "bash").steps
    pipeline = step.pipeline
    assert (pipeline.negated, pipeline.timed, pipeline.operators) == (True, True, ("|&",))
    assert (pipeline.start, pipeline.end) == (0, 13)


def test_compound() -> None:
    text = "for i in a $b; do c; done >f; case $x in y|z*) d;; *) e;; esac; f() { g; }"
    script = read(text)
    loop, choice, function = (step.pipeline.commands[0] for step in script.steps)
    assert isinstance(loop, Compound) and isinstance(choice, Compound) and isinstance(function, Compound)
    assert (loop.kind, loop.name, [word.text for word in loop.words]) == ("for", "i", ["a", "$b"])
    assert loop.text == "for i in a $b; do c; done >f"
    assert [text[body.start : body.end] for body in loop.bodies] == [" c; "]
    assert [(word.text, word.glob) for word in choice.words] == [("$x", None), ("y", None), ("z*", None), ("*", None)]
    assert [text[body.start : body.end] for body in choice.bodies] == [" d", " e"]
    assert (function.kind, function.name) == ("function", "f")
    (body,) = function.bodies
    (inner,) = body.steps[0].pipeline.commands
    assert isinstance(inner, Compound) and inner.kind == "group"


def test_comments() -> None:
    text = "# a\nb # c\nif d; then # e\n f $(g # h\n); fi"
    assert [text[start:end] for start, end in read(text).comments] == ["# a", "# c", "# e", "# h"]
    assert read("a `b # c`").comments == ((5, 8),)
    assert read("a `b \\$c # d`").comments == ((9, 12),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  b", " a b # c"),
        ("a && b", "a \\\n  &&\n\n b"),
        ("a\nb", "# x\na # y\n\n# z\nb\n"),
        ("if a; then b; fi", "if a; then\n  # x\n  b;\nfi"),
        ("{ a; }", "{\n a; }"),
        ("(a)", "( a )"),
        ("case x in a) b;; esac", "case x in a ) b ;; esac"),
        ("a <<E\nb\nE\nc", "a <<E # x\nb\nE\n\nc"),
        ("a 2>b", "a  2>  b"),
        ("x() { a; }", "x ( ) { a; }"),
        ("a | b", "a |\n b"),
    ],
)
def test_equal_tokens(one: str, other: str) -> None:
    assert read(one).opaque is None
    assert tokens(read(one)) == tokens(read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b", "a 'b'"),
        ("a && b", "a || b"),
        ("a; b", "a & b"),
        ("a 2>b", "a 2 >b"),
        ("a", "a &"),
        ("! a", "a"),
        ("a <<E\nb\nE\n", "a <<E\nc\nE\n"),
        ("a <<E\nb\nE\n", "a <<-E\nb\nE\n"),
        ("{ a; }", "(a)"),
        ("f() { a; }", "g() { a; }"),
        ("for i in a; do b; done", "for j in a; do b; done"),
        ("(a) | b", "(a | b)"),
        ("if a; then b; fi", "if a; then b; else b; fi"),
        ("a ;; b", "a ;; c"),
    ],
)
def test_different_tokens(one: str, other: str) -> None:
    assert tokens(read(one)) != tokens(read(other))


def test_different_tokens_of_arithmetic() -> None:
    assert tokens(read("((a))", "bash")) != tokens(read("( (a) )", "bash"))
    assert tokens(read("time a", "bash")) != tokens(read("a", "bash"))


def test_tokens_as_written() -> None:
    script = read("X=1 a 2>&1 | b; (c # d\n) && for i in x; do y; done\n")
    assert " ".join(tokens(script)) == "X=1 a 2>& 1 | b ; ( c \n ) && for i in x ; do y ; done"
    assert [" ".join(token.text for token in step_tokens(step)) for step in script.steps] == [
        "X=1 a 2>& 1 | b",
        "( c \n )",
        "for i in x ; do y ; done",
    ]


@pytest.mark.parametrize(
    ("shell", "first_line", "expected"),
    [
        (None, "", "sh"),
        (("/bin/sh", "-c"), "", "sh"),
        (("sh", "-ec"), "", "sh"),
        (("/bin/bash", "-c"), "", "bash"),
        (("/bin/bash", "-o", "pipefail", "-c"), "", "bash"),
        (("/bin/bash", "-eo", "pipefail", "-c"), "", "bash"),
        (("/bin/bash", "-euxo", "pipefail", "-c"), "", "bash"),
        (("bash", "-l", "-e", "-u", "-x", "-c"), "", "bash"),
        (("bash", "--login", "-c"), "", "bash"),
        (("/usr/bin/env", "bash", "-c"), "", "bash"),
        (("/bin/ash", "-eo", "pipefail", "-c"), "", "busybox"),
        (("/bin/busybox", "sh", "-c"), "", "busybox"),
        (("/bin/dash", "-c"), "", "posix"),
        (("bash", "-ic"), "", None),
        (("bash", "-O", "extglob", "-c"), "", None),
        (("bash", "-o", "posix", "-c"), "", None),
        (("bash", "-f", "-c"), "", None),
        (("bash",), "", None),
        (("bash", "-c", "x"), "", None),
        (("/bin/zsh", "-c"), "", None),
        (("fish", "-c"), "", None),
        (("pwsh", "-Command"), "", None),
        (("powershell", "-Command", "$ErrorActionPreference = 'Stop';"), "", None),
        (("cmd", "/S", "/C"), "", None),
        (("C:\\Program Files\\Git\\bin\\bash.exe", "-c"), "", "bash"),
        (("python", "-c"), "", None),
        (("conda", "run", "/bin/bash", "-c"), "", None),
        ((), "", None),
        (None, "#!/bin/bash", "bash"),
        (None, "#!/bin/bash -eux", "bash"),
        (None, "#! /bin/sh -e\n", "sh"),
        (None, "#!/usr/bin/env bash", "bash"),
        (None, "#!/usr/bin/env -S bash -e", "bash"),
        (None, "#!/usr/bin/env bash -e", None),
        (None, "#!/usr/bin/env python3", None),
        (None, "#!/usr/bin/python3", None),
        (None, "#!", None),
        (("/bin/bash", "-c"), "#!/bin/dash", "posix"),
        (("/bin/bash", "-c"), "set -e", "bash"),
    ],
)
def test_dialect(shell: tuple[str, ...] | None, first_line: str, expected: str | None) -> None:
    assert dialect_of(shell, first_line) == expected


def test_unknown_dialect() -> None:
    assert read("a", "fish").opaque


# Properties


def parts_of(command: "Simple | Compound") -> list["Word | Assignment | Redirection | Script"]:
    found: list[Word | Assignment | Redirection | Script] = [*command.words, *command.redirections]
    found += command.assignments if isinstance(command, Simple) else command.bodies
    return sorted(found, key=lambda part: part.start)


def words_of(command: "Simple | Compound") -> Iterator[Word]:
    yield from command.words
    for redirection in command.redirections:
        yield redirection.target
        if redirection.body is not None:
            yield redirection.body
    if isinstance(command, Simple):
        for assignment in command.assignments:
            if assignment.value is not None:
                yield assignment.value


def inspect(script: Script) -> None:
    """That every place lies inside what holds it, in order, and that every word stands where it says."""
    text = script.text
    assert script.opaque is None
    assert 0 <= script.start <= script.end <= len(text)
    assert list(script.comments) == sorted(script.comments)
    for start, end in script.comments:
        assert script.start <= start < end <= script.end
        assert text[start] == "#"
    place = script.start
    for index, step in enumerate(script.steps):
        pipeline = step.pipeline
        assert (step.operator == "") == (index == 0)
        assert place <= step.operator_start <= step.operator_end <= pipeline.start
        assert text[step.operator_start : step.operator_end] == step.operator
        assert len(pipeline.operators) == len(pipeline.commands) - 1
        place = pipeline.start
        for command in pipeline.commands:
            assert place <= command.start < command.end <= pipeline.end
            inner = command.start
            for part in parts_of(command):
                assert inner <= part.start <= part.end <= command.end
                inner = part.end
            for word in words_of(command):
                assert text[word.start : word.end] == word.text
                assert word.glob is None or word.value is None
                if word.value is not None:
                    assert not word.names and not word.substitutions
                for nested in word.substitutions:
                    assert word.start <= nested.start <= nested.end <= word.end
                    inspect(nested)
            if isinstance(command, Compound):
                assert command.text == text[command.start : command.end]
                for body in command.bodies:
                    inspect(body)
            place = command.end
        place = pipeline.end
    assert place <= script.end


PIECES = [
    "a", "b1", "-x", "=", "x=1", "'q r'", '"d $x"', "$x", "${x:-d}", "${x%'}'}", '"${x:-"y"}"', "$(a)", "`a`", "`a \\`b\\``", "$((1+x))",
    "*", "[ab]", "{a,b}", "{", "}", "!", "[[", "]]", "~", "#", "\\", "\\\n", "$'n'", '$"t"', "$", "if", "then", "else", "elif", "fi", "for",
    "in", "do", "done", "while", "case", "esac", "function", "time", "((", "))", "(", ")", "()", ";", "&", "&&", "||", "|", "|&", "\n", ";;",
    ">f", "2>&1", "&>f", "<<E", "<<-'E'", "\nE\n", "<<<", "<(", "'", '"', "`", "\t", " ", "  ", "\r", "\0", "é", "\udc80", "alias", "declare",
]  # fmt: skip


def test_an_alias_matters_to_commands_on_later_lines_only() -> None:
    assert read("alias a=b\n# end\n").opaque is None
    assert read("alias a=b\n\n").opaque is None
    assert read("alias a=b\na").opaque == "alias"
    assert read("alias a=b\n# then\na\n").opaque == "alias"


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60), st.sampled_from(DIALECTS))
def test_never_raises(text: str, dialect: str) -> None:
    script = read(text, dialect)
    assert script.text == text
    assert (script.start, script.end) == (0, len(text))
    if script.opaque is None:
        inspect(script)
        places = [command.start for command, _ in simple_commands(script)]
        assert places == sorted(places)
        found = tokens(script)
        assert tokens(read(text + "\n# end\n", dialect)) == found or text.rstrip(" \t").endswith(("&", ";", "\\"))
        for step in script.steps:
            assert step_tokens(step)
    else:
        assert script.steps == ()


@pytest.mark.parametrize(
    "piece",
    [
        "a ", "a;", "a && ", "a|", "x=1 ", ">f ", "'q' ", '"q" ', "$x ", "${x:-", "$(", "$((", "`a` ", "`", "\\\n", "{a,", "[", "( ", "{ ", "if ",
        "f() ", "! ", "# c\n", "\n", "a\\\n", "<<E ", "x=(", "case x in a) ", "for i in a; do b; done;", "$'a' ", "*", "~", "\\\\", '"$(', "}",
        "[[ ", "<(", "é ", "a[", "alias x\n", "$(a) ", "((1)) ", "2>&1 ", "a#", "`\\`", "<<E\nE\n",
    ],
)  # fmt: skip
def test_linear_time(piece: str) -> None:
    def cost(times: int, dialect: str) -> float:
        text = piece * times
        best = 9.0
        gc.collect()
        gc.disable()  # its runs over all objects are not ours
        try:
            for _ in range(3):
                start = time.process_time()
                script = read(text, dialect)
                list(simple_commands(script))
                tokens(script)
                best = min(best, time.process_time() - start)
        finally:
            gc.enable()
        return best

    for dialect in ("sh", "bash"):
        small, large = cost(500, dialect), cost(4_000, dialect)
        assert large < 0.02 or large < small * 8 * 4, (dialect, small, large)


# Against shfmt: scripts made from pieces with holes. Left out is what shfmt 3.14 is known to misread: `${x}#c` as a
# comment, a function definition before `&&` or `|`, text before a nested backquote.

SNIPPETS = [
    "if @; then @; fi", "if @\nthen @\nelif @\nthen @; else @\nfi", "for i in % %; do @; done", "for i do @; done", "while @; do @; done <f",
    "until @; do @; done", "case % in %) @;; %|%) @ ;; esac", "case % in\n(%) @\n;;\nesac", "{ @; }", "(@)", "( @ ) >x", "f() { @; }; %",
    "[[ % == % ]]", "[[ % && % ]]", "[[ % =~ ^(a|b)$ ]]", "((x + 1))", "time @", "! @", "@ && @", "@ || @", "@; @", "@ & @", "@ | @", "@\n@",
    "$(@)", "`%`", '"$(@)"', "cat <<E\nbody $x `a` $(b)\nE\n@", "cat <<'E' | @\nbody `a\nE\n", "cat <<-E && @\n\tb\n\tE\n", "x=$(cat <<E\nx\nE\n) @",
    "x=(% %)", "declare x=(%)", "% % %", "%", "X=% @", "@ >%", "@ 2>&1", "@ <<<%", "@ # c\n@", "a <(@)", "@ &>%", "@ |& @", "function f { @; }; %",
]  # fmt: skip
ATOMS = [
    "a", "foo", "-x", "1", "=", "x=1", "'q r'", '"d q"', '"$x y"', "$x", "${x:-d}", '"${x:-d e}"', "${x#*/}", "${x%%'a}'}", "${#x}", "${x//a/b}",
    "${x:1:2}", "$(a b)", '"$(a "b")"', "`a b`", "$((1+2))", "$(( $x + (2) ))", "*.c", "[ab]", "{a,b}", "{}", "]", "~/x", "a#b", "\\ ", "\\;", "$'n'",
    '$"t"', "$?", "if", "done", "}", "é", "\\\n", "2>f", "10>f", ">(a)", "@(a|b)", "!", "[[",
]  # fmt: skip


def made(generator: random.Random, depth: int) -> str:
    if depth == 0 or generator.random() < 0.3:
        return " ".join(made_word(generator) for _ in range(generator.choice([1, 1, 2, 3])))
    pieces = []
    for character in generator.choice(SNIPPETS):
        if character == "@":
            pieces.append(made(generator, depth - 1))
        elif character == "%":
            pieces.append(made_word(generator))
        else:
            pieces.append(character)
    text = "".join(pieces)
    if generator.random() < 0.1:
        place = generator.randrange(len(text) + 1)
        text = text[:place] + generator.choice(["'", '"', ";", "&", "(", ")", "\n", "\\", "$", "`", " "]) + text[place:]
    return text


def made_word(generator: random.Random) -> str:
    return "".join(generator.choice(ATOMS) for _ in range(generator.choice([1, 1, 1, 2])))


@pytest.mark.skipif(SHFMT is None, reason="shfmt-py is not installed")
def test_generated_scripts_as_shfmt_reads_them() -> None:
    compared = dict.fromkeys(DIALECTS[:3], 0)
    until = time.monotonic() + 10
    for seed in range(1200):
        if time.monotonic() > until:
            break
        text = made(random.Random(seed), 3)
        trees = {}
        for dialect in compared:
            script = read(text, dialect)
            if script.opaque is not None:
                continue
            for language in ("posix", "bash") if dialect == "sh" else (dialect,):
                if language not in trees:
                    trees[language] = shfmt(text, language)
                tree = trees[language]
                if tree is None:
                    continue  # shfmt refuses what shells accept: `${x//a/b}` in posix
                mine, other = ours(script), theirs(tree, text)
                if dialect == "sh" and language == "bash":
                    mine = plain_tests(mine, text)
                    other = plain_tests(other, text)
                assert mine == other, (seed, dialect, language, text)
                assert our_outline(script) == their_outline(tree, text), (seed, dialect, language, text)
                compared[dialect] += 1
    print(f"generated scripts equal to shfmt's reading: {compared}")
    assert min(compared.values()) > 50


# Against the shells themselves

SHELLS = {
    "bash": [["bash"]],
    "posix": [["dash"]],
    "busybox": [["busybox", "ash"]],
    "sh": [["bash", "--posix"], ["dash"], ["busybox", "ash"]],
}
VALUES = [
    "a", "-x", "=", "'q r'", "'*'", '"d q"', '"a\\$b"', '"a\\nb"', '"\\\\"', '"\\`"', "''", '""', "*", "?", "[ab]", "[!a]", "[", "]", "{a,b}",
    "{1..3}", "{}", "{", "}", "{a", "b}", ",", "!", "~", "~/x", "a~", "a:~b", "=~/c", "a#b", "#c", "\\ ", "\\a", "\\*", "\\[", "\\\\", "\\~",
    "\\{", "$'a\\n'", "$'it\\'s'", "$'x'", '$"t"', "$", "$%", "é", "\\\na", '"a\\\nb"', "'a\\\nb'", "\r", "--x={a,b}", "\\{a,b}", "'{'a,b}",
    '{a",",b}', '"a$"', '[a"]"', '*"-"', "*'?'",
]  # fmt: skip


def run(shell: list[str], text: str, folder: object) -> str:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/home/h"}
    done = subprocess.run(
        [shutil.which(shell[0]) or shell[0], *shell[1:], "-c", text],
        capture_output=True,
        cwd=str(folder),
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_values_are_what_shells_give(dialect: str, tmp_path: object) -> None:
    shells = [shell for shell in SHELLS[dialect] if shutil.which(shell[0])]
    if not shells:
        pytest.skip(f"none of the shells of {dialect} is here")
    generator = random.Random(1)
    lines, expected = [], []
    for _ in range(1500):
        word = "".join(generator.choice(VALUES) for _ in range(generator.choice([1, 2, 2, 3])))
        script = read(f"printf '<%s>' {word}", dialect)
        if script.opaque is None and len(script.steps) == 1:
            ((command, _),) = simple_commands(script)
            # nothing matches in an empty folder, so that a pattern stays as it is
            known = [each.glob if each.value is None else each.value for each in command.words]
            if None not in known and not command.redirections:
                lines.append(f"printf '<%s>' {word}")
                expected.append("".join(f"<{each}>" for each in known[2:]) or "<>")
        script = read(f"X={word} ", dialect)
        if script.opaque is None and len(script.steps) == 1:
            (command, *_) = (each for each, _ in simple_commands(script))
            if not command.words and command.assignments and command.assignments[0].value is not None:
                value = command.assignments[0].value.value
                if value is not None:
                    lines.append(f"X={word}\nprintf '<%s>' \"$X\"")
                    expected.append(f"<{value}>")
    assert len(lines) > 500
    for shell in shells:
        found = run(shell, "".join(f"{line}\nprintf '\\036'\n" for line in lines), tmp_path).split("\x1e")[:-1]
        assert len(found) == len(expected), shell
        for line, want, got in zip(lines, expected, found):
            assert got == want, (shell, line)


INSIDE = [
    "a", " ", "'", '"', "}", "{", "\\", "\\}", "\\'", '\\"', "$", "$x", "`echo b`", "$(echo c)", "(", ")", ";", "&", "|", "<", ">", "#", "*", "'q r'", '"q r"',
    "'}'", '"}"', "${y:-d}", "\n", "/", ":", "-", "%", "$'a'", "<(", "{}",
]  # fmt: skip
HEADS = ["${y:-", "${x:+", "${x%", "${x##", "${y:=", '"${y:-', '"${x:+', '"${x%', '"${y-']
WHOLE = [
    "a", "'q r'", '"q r"', '"`echo \\"e f\\"`"', "`echo 'g h'`", '"`echo "g h"`"', "$(echo 'i j')", '"$(echo "i j")"', "\\ ", "#", "$((1 + 2))",
    "$'k l'", '$"m n"', "`echo \\`echo a\\``", "`echo \\\\ \\$x`", "$(echo ')')", "$(case a in a) echo b;; esac)", "$(# c )\necho a)", "`echo ')'`",
    "\\\n", "$(cat <<E\na b )\nE\n)", "`cat <<E\na b )\nE\n`",
]  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_words_end_where_shells_end_them(dialect: str, tmp_path: object) -> None:
    """The number of words of a `set` without splitting and patterns, for words with nested quotes and expansions."""
    shells = [shell for shell in SHELLS[dialect] if shutil.which(shell[0])]
    if not shells:
        pytest.skip(f"none of the shells of {dialect} is here")
    checked = 0
    for seed in range(120):
        generator = random.Random(seed)
        words = []
        for _ in range(2):
            head = generator.choice(HEADS)
            inside = "".join(generator.choice(INSIDE) for _ in range(generator.choice([1, 2, 3, 4])))
            tail = '}"' if head[0] == '"' else "}"
            words.append(generator.choice([head + inside + tail, generator.choice(WHOLE)]) + "z")
        text = f"set -- {' '.join(words)}\necho $#"
        script = read(text, dialect)
        if script.opaque is not None or len(script.steps) != 2:
            continue
        command = script.steps[0].pipeline.commands[0]
        if not isinstance(command, Simple) or command.redirections:
            continue
        for shell in shells:
            options = ["+B"] if shell[0] == "bash" else []
            found = run([*shell, *options], f"IFS=; set -f; x=vw; z=zz; {text}", tmp_path).strip()
            if found:  # nothing where a parameter was substituted badly
                assert found.splitlines()[-1] == str(len(command.words) - 2), (shell, text)
                checked += 1
    assert checked > 50
