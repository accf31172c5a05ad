"""The parser: every rule of reading by a case with its name, by properties, and beside BuildKit itself."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from buildkit_oracle import oracle_or_skip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sexpr import buildkit_node, dump, full_node, seen_through_json

from dfopt.source import Source, Span
from dfopt.syntax import Blank, Comment, Directive, Instruction, Logical, Problem, Syntax, parse


def read(text: str) -> Syntax:
    """The tree of a text that went through bytes, as a file's does."""
    return parse(Source.from_bytes(text.encode("utf-8", "surrogateescape")))


def first(text: str) -> Instruction:
    return read(text).instructions[0]


def last(text: str) -> Instruction:
    return read(text).instructions[-1]


def at(tree: Syntax, span: Span) -> str:
    return tree.source.text[span.start : span.end]


def kinds(tree: Syntax) -> list[str]:
    return [node.name if isinstance(node, Instruction) else type(node).__name__ for node in tree.nodes]


def faults(text: str) -> list[tuple[str, str]]:
    """What is refused: the text at its place and the message."""
    tree = read(text)
    return [(at(tree, problem.span), problem.message) for problem in tree.problems if problem.fatal]


FROM_FORMS = (
    "FROM takes an image, or an image with `AS` and a name -> remove the rest (a comment takes a line of its own)"
)


# Lines and nodes


def test_nodes_tile_the_file() -> None:
    tree = read("# escape=`\n\n# a\nFROM a\n\t\nRUN x `\n # b\n y\n#z")
    assert kinds(tree) == ["Directive", "Blank", "Comment", "FROM", "Blank", "RUN", "Comment"]
    assert [at(tree, node.span) for node in tree.nodes] == [
        "# escape=`\n", "\n", "# a\n", "FROM a\n", "\t\n", "RUN x `\n # b\n y\n", "#z",
    ]  # fmt: skip


def test_lines_count_from_one_and_the_end_line_is_the_last_consumed() -> None:
    tree = read("FROM a\nRUN b \\\n c \\\n# d\n\nENV e f\n")
    assert [(node.start_line, node.end_line) for node in tree.instructions] == [(1, 1), (2, 6)]
    tree = read("FROM a\nRUN b \\\n# c\n\n")
    assert (tree.instructions[1].start_line, tree.instructions[1].end_line) == (2, 4)


def test_text_span_has_no_blanks_around_it() -> None:
    tree = read("FROM a\n  RUN b \\\n  c  \r\n")
    assert at(tree, tree.instructions[1].text_span) == "RUN b \\\n  c"


def test_text_span_holds_the_terminator_of_a_heredoc() -> None:
    tree = read("FROM a\nRUN <<E\nx\nE\n\n")
    assert at(tree, tree.instructions[1].text_span) == "RUN <<E\nx\nE"


def test_lines_end_at_lf_only() -> None:
    tree = read("FROM a\rRUN b\x0bc\x0cd\x85e\u2028f\n")
    assert len(tree.instructions) == 1
    assert tree.instructions[0].arguments == ("a", "RUN", "b", "c", "d\x85e\u2028f")


def test_crlf_is_trimmed() -> None:
    tree = read("FROM a\r\nRUN b \\\r\n  c\r\n\r\nCMD d\r\n")
    assert [node.logical.text for node in tree.instructions] == ["FROM a", "RUN b   c", "CMD d"]
    assert kinds(tree) == ["FROM", "RUN", "Blank", "CMD"]


def test_a_bare_cr_in_a_line_stays() -> None:
    assert last("FROM a\nRUN b\rc\n").arguments == ("b\rc",)


def test_several_crs_at_the_end_are_trimmed() -> None:
    assert last("FROM a\nRUN b \\\r\r\n c\n").arguments == ("b  c",)


def test_no_final_newline() -> None:
    tree = read("FROM a\nRUN b")
    assert tree.instructions[1].span == Span(7, 12)
    assert not tree.problems


def test_byte_order_mark_is_dropped_and_stays_in_the_first_node() -> None:
    tree = read("\ufeffFROM a\n")
    assert tree.instructions[0].keyword == "FROM"
    assert tree.instructions[0].span == Span(0, 8)
    assert tree.instructions[0].keyword_span == Span(1, 5)
    assert kinds(read("\ufeff# escape=`\nFROM a\n")) == ["Directive", "FROM"]


def test_byte_order_mark_on_a_later_line_is_text() -> None:
    assert faults("FROM a\n\ufeffRUN b\n")[0][0] == "\ufeffRUN"


def test_only_a_byte_order_mark() -> None:
    tree = read("\ufeff")
    assert [node.span for node in tree.nodes] == [Span(0, 1)]
    assert tree.fatal


@pytest.mark.parametrize("blank", ["\t", "\v", "\f", "\xa0", "\x85", "\u2003", "\u3000", "\u1680"])
def test_unicode_white_space_before_an_instruction_is_skipped(blank: str) -> None:
    tree = read(f"FROM a\n{blank}RUN b\n{blank}# c\n")
    assert tree.instructions[1].logical.text == "RUN b"
    assert tree.instructions[1].keyword_span == Span(8, 11)
    assert kinds(tree) == ["FROM", "RUN", "Comment"]


@pytest.mark.parametrize("character", ["\x1c", "\x1f", "\u200b", "\ufeff"])
def test_what_go_takes_for_no_white_space_is_text(character: str) -> None:
    assert read(f"FROM a\n{character}RUN b\n").fatal


def test_nbsp_does_not_separate_a_keyword() -> None:
    assert faults("FROM\xa0a\n")[0][0] == "FROM\xa0a"
    assert last("FROM a\nRUN echo\xa0b\n").arguments == ("echo\xa0b",)


@pytest.mark.parametrize("blank", ["\t", "\v", "\f", "\r", " \t "])
def test_what_separates_a_keyword(blank: str) -> None:
    assert last(f"FROM a\nRUN{blank}b\n").arguments == ("b",)


def test_bytes_that_are_not_utf_8_stay() -> None:
    data = b"FROM a\nRUN \xff\xc3 x\nENV a=\xe2\x82\n"
    tree = parse(Source.from_bytes(data))
    assert tree.source.to_bytes() == data
    assert tree.instructions[1].arguments == ("\udcff\udcc3 x",)
    assert tree.instructions[2].arguments == ("a", "\ufffd\ufffd", "=")  # Go writes words rune by rune
    assert tree.instructions[2].words[0].text == "a=\udce2\udc82"


def test_lines_of_65535_bytes_are_read_and_longer_ones_refused() -> None:
    fits = "FROM a\nRUN " + "x" * 65_531 + "\n"
    assert not read(fits).fatal
    assert [message for _, message in faults(fits[:-1] + "x\n")] == ["line is longer than 65535 bytes -> break it up"]
    assert not read("FROM a\nRUN " + "é" * 32_765 + "x\n").fatal
    assert read("FROM a\nRUN " + "é" * 32_766 + "\n").fatal
    assert not read(fits[:-1]).fatal
    assert read(fits[:-1] + "x").fatal
    assert read(fits[:-1] + "\r\n").fatal
    assert not read("FROM a\nRUN " + ("x" * 40_000 + "\\\n") * 3 + "\n").fatal


def test_the_byte_order_mark_counts_for_the_length_of_a_line() -> None:
    assert not read("\ufeff#" + "x" * 65_531 + "\nFROM a\n").fatal
    assert read("\ufeff#" + "x" * 65_532 + "\nFROM a\n").fatal


# Comments


def test_comments_before_an_instruction_are_its_own() -> None:
    tree = read("# a\n\n# b\nFROM a\n# c\n#\n# d\nRUN x\n")
    assert [[comment.text for comment in node.comments] for node in tree.instructions] == [["a", "b"], ["d"]]


def test_an_indented_empty_comment_ends_nothing() -> None:
    tree = read("FROM a\n# c\n #\n# d\nRUN x\n")
    assert [comment.text for comment in tree.instructions[1].comments] == ["c", "", "d"]


def test_comments_inside_a_continuation_belong_to_the_instruction() -> None:
    tree = read("FROM a\nRUN b \\\n# one \\\n  # two\n  c\n")
    assert tree.instructions[1].arguments == ("b   c",)
    assert [comment.text for comment in tree.instructions[1].inside] == ["one \\", "two"]
    assert [at(tree, comment.span) for comment in tree.instructions[1].inside] == ["# one \\\n", "  # two\n"]


def test_a_number_sign_in_a_line_is_text() -> None:
    assert last("FROM a\nRUN b # c\n").arguments == ("b # c",)
    assert faults("FROM a # b\n") == [
        (
            "# b",
            FROM_FORMS,
        )
    ]


def test_a_comment_does_not_continue() -> None:
    assert kinds(read("# a \\\nFROM b\n")) == ["Comment", "FROM"]


# Directives


def directives(text: str) -> list[tuple[str, str]]:
    return [(directive.name, directive.value) for directive in read(text).directives]


@pytest.mark.parametrize(
    "line", ["# escape=`", "#escape=`", "#\tESCAPE\t = ` ", "  # escape=`", "#\xa0escape=`", "# escape=`\r"]
)
def test_escape_in_all_spellings(line: str) -> None:
    tree = read(f"{line}\nFROM a\nRUN b `\n c\n")
    assert tree.escape == "`"
    assert tree.instructions[1].arguments == ("b  c",)
    assert at(tree, tree.directives[0].value_span) == "`"
    assert at(tree, tree.directives[0].span) == f"{line}\n"
    assert kinds(tree)[0] == "Directive"


@pytest.mark.parametrize("line", ["", "# a comment", "# foo=bar", "FROM b", "#", "#!x", "\\", "// escape=`"])
def test_what_ends_the_directives(line: str) -> None:
    tree = read(f"# syntax=x\n{line}\n# escape=`\nFROM a\n")
    assert tree.escape == "\\"
    assert [directive.name for directive in tree.directives] == ["syntax"]


def test_directives_in_any_order() -> None:
    text = "# check=skip=A\n# syntax=x\n# escape=`\nFROM a\n"
    assert directives(text) == [("check", "skip=A"), ("syntax", "x"), ("escape", "`")]
    assert read(text).instructions[0].comments == ()


def test_check_and_syntax_end_at_the_first_blank() -> None:
    assert directives("# syntax=a/b:1  c\n# check=skip=A // why\nFROM a\n") == [
        ("syntax", "a/b:1"),
        ("check", "skip=A"),
    ]


def test_check_and_syntax_have_no_effect_where_they_are_indented() -> None:
    tree = read(" # syntax=x\n# escape=`\nFROM a\n")
    assert [directive.name for directive in tree.directives] == ["escape"]
    assert kinds(tree) == ["Directive", "Directive", "FROM"]
    assert tree.instructions[0].comments == ()


def test_an_interpreter_line_ends_escape_but_not_check_and_syntax() -> None:
    tree = read("#!/usr/bin/x\n# syntax=x\n# escape=`\n# check=error=true\nFROM a\n")
    assert [directive.name for directive in tree.directives] == ["syntax", "check"]
    assert tree.escape == "\\"
    assert kinds(tree) == ["Comment", "Directive", "Comment", "Directive", "FROM"]
    # To the parser these lines are comments.
    texts = [comment.text for comment in tree.instructions[0].comments]
    assert texts == ["!/usr/bin/x", "syntax=x", "escape=`", "check=error=true"]


def test_a_second_directive_of_one_name_is_refused() -> None:
    text = "# escape=`\n# Escape=`\nFROM a\n"
    assert faults(text) == [("# Escape=`", "second directive `escape` -> keep one")]


@pytest.mark.parametrize("value", ["x", "``", "'", " "])
def test_an_escape_character_that_is_none_is_refused(value: str) -> None:
    assert faults(f"# escape={value}\nFROM a\n")[0] == (
        value, f"`{value}` is no escape character -> take a backslash or a backtick",
    )  # fmt: skip


def test_a_directive_without_a_value_is_a_comment() -> None:
    assert kinds(read("# escape=\nFROM a\n")) == ["Comment", "FROM"]


@pytest.mark.parametrize("value", ["foo", "foo=bar", "error=maybe", "skip=A;x"])
def test_bad_check_options_are_refused(value: str) -> None:
    assert faults(f"# check={value}\nFROM a\n")


@pytest.mark.parametrize("value", ["skip=all", "skip=A,B;error=true;experimental=all", "error=F"])
def test_check_options(value: str) -> None:
    assert not faults(f"# check={value}\nFROM a\n")


# Continuations


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("b \\\n  c", "b   c"),
        ("b\\\nc", "bc"),
        ("b \\ \t\n c", "b  c"),
        ("b \\\n\\\n c", "b  c"),
        ("b \\\n\n\n c", "b  c"),
        ("b \\\n \xa0\n c", "b  c"),
        ("b \\\n# d\n c", "b  c"),
        ("b \\\n  # d \\\n c", "b  c"),
        ("b \\\n  \\\n c", "b    c"),
        ("b \\", "b"),
        ("b \\\n", "b"),
        ("b\\\\", "b\\\\"),
        ("b\\\\\\", "b\\\\\\"),
        ("b \\x", "b \\x"),
        ("b \\\f", "b \\"),
    ],
)
def test_continuations(lines: str, joined: str) -> None:
    assert last(f"FROM a\nRUN {lines}\n").arguments == (joined,)


def test_two_or_three_escape_characters_at_the_end_do_not_continue() -> None:
    assert [node.name for node in read("FROM a\nRUN b\\\\\nRUN c\\\\\\\nRUN d\n").instructions] == [
        "FROM",
        "RUN",
        "RUN",
        "RUN",
    ]


def test_a_continuation_left_open_swallows_the_next_instruction() -> None:
    tree = read("FROM a\nRUN b \\\n\nENV c d\n")
    assert tree.instructions[1].arguments == ("b ENV c d",)
    assert len(tree.instructions) == 2


def test_an_empty_continuation_is_warned_of_once_at_its_last_line() -> None:
    tree = read("FROM a\nRUN b \\\n\n \n c\n")
    message = "empty line inside an instruction, which goes on behind it -> remove the line, or end the instruction"
    assert tree.problems == (Problem(Span(16, 18), message, False),)
    assert not tree.fatal


def test_the_other_escape_character_does_not_continue() -> None:
    assert [node.name for node in read("# escape=`\nFROM a\nRUN b \\\nRUN c\n").instructions] == ["FROM", "RUN", "RUN"]


def test_a_keyword_over_two_lines() -> None:
    tree = read("FR\\\nOM a\n")
    assert tree.instructions[0].name == "FROM"
    assert at(tree, tree.instructions[0].keyword_span) == "FR\\\nOM"


def test_an_instruction_that_begins_with_a_lone_escape_character() -> None:
    tree = read("\\\n  FROM a\n")
    assert tree.instructions[0].logical.text == "FROM a"
    assert (tree.instructions[0].start_line, tree.instructions[0].end_line) == (1, 2)
    assert not tree.problems


def test_a_lone_escape_character_at_the_end_is_an_unknown_instruction() -> None:
    tree = read("FROM a\n\\\n")
    assert tree.instructions[1].keyword == ""
    assert tree.instructions[1].text_span.start == 7
    assert tree.fatal


# Logical text


def test_each_logical_character_knows_its_place() -> None:
    tree = read("FROM a\nRUN one \\\n# x\n two \\\n\n three\n")
    logical = tree.instructions[1].logical
    assert logical.text == "RUN one  two  three"
    for word in ("RUN", "one", "two", "three"):
        start = logical.text.index(word)
        assert at(tree, logical.span(start, start + len(word))) == word
        assert logical.contiguous(start, start + len(word))
    assert not logical.contiguous(0, len(logical.text))
    assert at(tree, logical.span(4, 12)) == "one \\\n# x\n two"
    assert logical.offset(len(logical.text)) == len(tree.source.text) - 1


def test_a_cut_keeps_the_places() -> None:
    tree = read("FROM a\nRUN one \\\n two \\\n three\n")
    logical = tree.instructions[1].logical
    for start in range(len(logical.text) + 1):
        for end in range(start, len(logical.text) + 1):
            part = logical.cut(start, end)
            assert part.text == logical.text[start:end]
            for index in range(end - start):
                assert part.offset(index) == logical.offset(start + index)


def test_an_empty_logical_text_has_a_place() -> None:
    logical = Logical("", ((0, 7, 0),))
    assert (logical.offset(0), logical.span(0, 0), logical.cut(0, 0).span(0, 0)) == (7, Span(7, 7), Span(7, 7))


# Words


def words(instruction: Instruction) -> list[str]:
    return [word.text for word in instruction.words]


def test_words_have_places_over_continuations() -> None:
    tree = read("FROM a\nCOPY b \\\n  c /d\n")
    copy = tree.instructions[1]
    assert copy.arguments == ("b", "c", "/d")
    assert [at(tree, word.span) for word in copy.words] == ["b", "c", "/d"]
    assert [copy.logical.text[word.start : word.end] for word in copy.words] == ["b", "c", "/d"]


def test_copy_knows_no_quotes() -> None:
    assert last('FROM a\nCOPY "b c" d\n').arguments == ('"b', 'c"', "d")


def test_env_with_quotes_and_escapes() -> None:
    env = last("FROM a\nENV a=\"b c\" d=e\\ f g='h i' j=\n")
    assert env.arguments == ("a", '"b c"', "=", "d", "e\\ f", "=", "g", "'h i'", "=", "j", "", "=")
    assert [(pair.key.text, pair.value.text if pair.value else None) for pair in env.pairs] == [
        ("a", '"b c"'), ("d", "e\\ f"), ("g", "'h i'"), ("j", ""),
    ]  # fmt: skip
    assert not env.legacy


def test_pairs_have_places() -> None:
    tree = read('FROM a\nENV a="b \\\n c" d=e\n')
    pairs = tree.instructions[1].pairs
    assert [at(tree, pair.key.span) for pair in pairs] == ["a", "d"]
    assert [at(tree, pair.value.span) for pair in pairs if pair.value] == ['"b \\\n c"', "e"]


@pytest.mark.parametrize("name", ["ENV", "LABEL"])
def test_the_old_form(name: str) -> None:
    instruction = last(f'FROM a\n{name} key  "a b"  c=d # e\n')
    assert instruction.legacy
    assert instruction.arguments == ("key", '"a b"  c=d # e', "")
    assert words(instruction) == ["key", '"a b"  c=d # e']
    assert instruction.pairs[0].key.text == "key"


def test_arg_with_and_without_values() -> None:
    arg = first("ARG a b=c d=\n")
    assert arg.arguments == ("a", "b=c", "d=")
    assert [(pair.key.text, pair.value.text if pair.value else None) for pair in arg.pairs] == [
        ("a", None),
        ("b", "c"),
        ("d", ""),
    ]


def test_a_nbsp_splits_words_of_env_but_not_the_old_form() -> None:
    assert last("FROM a\nENV a=b\xa0c=d\n").arguments == ("a", "b", "=", "c", "d", "=")
    assert last("FROM a\nENV a\xa0b c\n").arguments == ("a\xa0b", "c", "")


@pytest.mark.parametrize("name", ["MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"])
def test_the_rest_of_the_line_is_one_word(name: str) -> None:
    instruction = last(f'FROM a\n{name}   "b  c"  \n')
    assert instruction.arguments == ('"b  c"',)
    assert words(instruction) == ['"b  c"']


def test_from_takes_its_words_by_blanks() -> None:
    assert first("FROM --platform=$P a:1 As b\n").arguments == ("a:1", "As", "b")


# JSON forms


@pytest.mark.parametrize("name", ["RUN", "CMD", "ENTRYPOINT", "SHELL", "VOLUME", "COPY", "ADD"])
def test_the_json_form(name: str) -> None:
    tree = read(f'FROM a\n{name} ["b c", \\\n "d\\"\\u00e9\\ud83d\\ude00\\/" ]\n')
    instruction = tree.instructions[1]
    assert instruction.json
    assert instruction.arguments == ("b c", 'd"é😀/')
    assert [at(tree, word.span) for word in instruction.words] == ['"b c"', '"d\\"\\u00e9\\ud83d\\ude00\\/"']


@pytest.mark.parametrize(
    "text",
    ["['b']", '["b",]', '["b"', '["b] "c"', '["b"] c', '[b]', '["b" "c"]', '["\\x"]', '["b\tc"]', "[ -f b ] && c", "[1e999]",
     "[", "[]]", '[01]', '[NaN]', '[,"b"]', '["a":1]', "[" * 100, "[" * 10_001 + "]" * 10_001],
)  # fmt: skip
def test_bad_json_is_the_shell_form(text: str) -> None:
    instruction = last(f"FROM a\nRUN {text}\n")
    assert not instruction.json
    assert instruction.arguments == (text,)
    assert not read(f"FROM a\nRUN {text}\n").fatal


@pytest.mark.parametrize(
    "text", ['["b",1]', "[null]", '[["b"]]', '[{"b": [1.5e3, true]}]', "[ -0 ]", "[" * 9_000 + "]" * 9_000]
)
def test_json_with_an_element_that_is_no_string_is_refused(text: str) -> None:
    assert faults(f"FROM a\nRUN {text}\n") == [
        (text, "JSON form with an element that is no string -> put every element in double quotes")
    ]


def test_an_empty_array() -> None:
    assert last("FROM a\nRUN []\n").json
    assert last("FROM a\nRUN []\n").arguments == ()
    assert not read("FROM a\nRUN []\n").fatal


def test_lone_surrogates_and_bad_bytes_in_json() -> None:
    assert last('FROM a\nRUN ["\\ud800x\\udc00", "\udcff"]\n').arguments == ("\ufffdx\ufffd", "\ufffd")


def test_number_words_and_old_users_of_brackets() -> None:
    assert last("FROM a\nCOPY [b, c] d\n").arguments == ("[b,", "c]", "d")


# Flags


def flags(text: str, escape: str = "") -> list[str]:
    return [flag.text for flag in last(f"{escape}FROM a\n{text}\n").flags]


def test_flags_have_names_values_and_places() -> None:
    tree = read("FROM a\nCOPY --from=b \\\n  --link --chown=c:d e f\n")
    copy = tree.instructions[1]
    assert [(flag.name, flag.value) for flag in copy.flags] == [("from", "b"), ("link", None), ("chown", "c:d")]
    assert [at(tree, flag.span) for flag in copy.flags] == ["--from=b", "--link", "--chown=c:d"]
    assert copy.body.text == "e f"
    assert at(tree, copy.body.span(0, 3)) == "e f"


def test_flags_lose_quotes_and_escapes() -> None:
    assert flags('RUN --mount="type=bind,a b" --x=\'y\' --z=\\"q c') == ["--mount=type=bind,a b", "--x=y", '--z="q']
    assert flags("RUN --x=a` b c", "# escape=`\n") == ["--x=a b"]
    assert flags("RUN --x=a\\ b c", "# escape=`\n") == ["--x=a\\"]


def test_two_hyphens_end_the_flags() -> None:
    run = last("FROM a\nRUN --network=none -- --x y\n")
    assert [flag.text for flag in run.flags] == ["--network=none"]
    assert run.arguments == ("--x y",)


def test_one_hyphen_is_no_flag() -> None:
    assert last("FROM a\nRUN -x --y\n").arguments == ("-x --y",)
    assert last("FROM a\nRUN -\n").arguments == ("-",)


def test_a_flag_whose_quote_is_not_closed_takes_the_line() -> None:
    run = last('FROM a\nRUN --x="a b\n')
    assert [flag.text for flag in run.flags] == ["--x=a b"]
    assert run.arguments == ()


def test_flags_are_read_byte_by_byte() -> None:
    assert flags("RUN --x=ü y") == ["--x=\xc3\xbc"]
    run = last("FROM a\nRUN --x=à y\n")  # its second byte is 0xA0, a blank
    assert [flag.text for flag in run.flags] == ["--x=\xc3"]
    assert run.arguments == ("y",)


@pytest.mark.parametrize("name", ["ENV", "WORKDIR", "CMD", "ONBUILD", "FOO", "ARG"])
def test_any_instruction_can_have_flags(name: str) -> None:
    assert flags(f"{name} --x=1 a=b") == ["--x=1"]


# ONBUILD


def test_onbuild_holds_an_instruction_with_its_places() -> None:
    tree = read("FROM a\nONBUILD \\\n  COPY --from=b c \\\n d\n")
    inner = tree.instructions[1].inner
    assert inner is not None
    assert (inner.name, inner.arguments) == ("COPY", ("c", "d"))
    assert [at(tree, word.span) for word in inner.words] == ["c", "d"]
    assert at(tree, inner.flags[0].span) == "--from=b"
    assert at(tree, inner.keyword_span) == "COPY"
    assert inner.span == tree.instructions[1].span
    assert (inner.start_line, inner.end_line) == (2, 4)
    assert tree.instructions[1].arguments == ()


def test_onbuild_with_a_heredoc() -> None:
    tree = read("FROM a\nONBUILD RUN cat <<E\nx\nE\n")
    outer = tree.instructions[1]
    assert outer.inner is not None
    assert outer.heredocs[0].body.text == outer.inner.heredocs[0].body.text == "x\n"
    for instruction in (outer, outer.inner):
        word = instruction.heredocs[0].word
        assert instruction.logical.text[word.start : word.end] == "<<E"
        assert at(tree, word.span) == "<<E"


@pytest.mark.parametrize("inner", ["ONBUILD RUN a", "FROM a", "MAINTAINER a", "from a"])
def test_what_cannot_stand_behind_onbuild(inner: str) -> None:
    assert faults(f"FROM a\nONBUILD {inner}\n")[0][0] == inner.split()[0]


def test_onbuild_takes_an_unknown_instruction() -> None:
    assert not read("FROM a\nONBUILD FOO\n").fatal  # it fails in the image that builds on this one


def test_what_the_parser_refuses_is_refused_behind_onbuild() -> None:
    assert faults("FROM a\nONBUILD ENV b\n")[0][0] == "b"
    assert faults("FROM a\nONBUILD RUN [1]\n")[0][0] == "[1]"


def test_onbuild_many_times_over() -> None:
    tree = read("FROM a\n" + "ONBUILD " * 5000 + "RUN b\n")
    assert tree.fatal
    assert len(tree.instructions) == 2


# Heredocs


def heredocs(text: str) -> list[tuple[str, str]]:
    return [(heredoc.name, heredoc.body.text) for heredoc in last("FROM a\n" + text).heredocs]


def test_a_heredoc_with_its_places() -> None:
    tree = read("FROM a\nRUN cat <<EOF >f\n# no comment \\\n\nRUN no\n  EOF\nEOF\nCMD b\n")
    assert [node.name for node in tree.instructions] == ["FROM", "RUN", "CMD"]
    heredoc = tree.instructions[1].heredocs[0]
    assert heredoc.body.text == "# no comment \\\n\nRUN no\n  EOF\n"
    assert at(tree, heredoc.body_span) == heredoc.body.text
    assert at(tree, heredoc.body.span(2, 4)) == heredoc.body.text[2:4]
    assert at(tree, heredoc.terminator) == "EOF"
    assert at(tree, heredoc.word.span) == "<<EOF"
    assert (heredoc.descriptor, heredoc.strip_tabs, heredoc.expand) == (0, False, True)
    assert tree.instructions[1].end_line == 7
    assert tree.instructions[1].arguments == ("cat <<EOF >f",)


def test_several_heredocs_on_a_line() -> None:
    tree = read('FROM a\nCOPY <<ONE <<-"TWO" 3<<THREE /x/\n1\nONE\n\t2\n\tTWO\n3\nTHREE\n')
    found = tree.instructions[1].heredocs
    assert [(h.name, h.body.text, h.descriptor, h.strip_tabs, h.expand) for h in found] == [
        ("ONE", "1\n", 0, False, True), ("TWO", "\t2\n", 0, True, False), ("THREE", "3\n", 3, False, True),
    ]  # fmt: skip
    assert [at(tree, h.word.span) for h in found] == ["<<ONE", '<<-"TWO"', "3<<THREE"]
    assert [at(tree, h.terminator) for h in found] == ["ONE", "TWO", "THREE"]


@pytest.mark.parametrize("word", ["<<'A B'", '<<"A B"', "<<A\\ B"])
def test_names_with_blanks(word: str) -> None:
    assert heredocs(f"RUN {word}\nx\nA B\n") == [("A B", "x\n")]
    assert last(f"FROM a\nRUN {word}\nx\nA B\n").heredocs[0].expand is ("\\" in word)


def test_blanks_behind_the_sign() -> None:
    tree = read("FROM a\nRUN cat << EOF\nx\nEOF\n")
    assert at(tree, tree.instructions[1].heredocs[0].word.span) == "<< EOF"


@pytest.mark.parametrize(
    "line",
    ["RUN cat <<<x", 'RUN cat "<<EOF"', "RUN cat '<<EOF'", "RUN echo $((1<<2))", "RUN a<<EOF", "RUN \\<<EOF", "RUN cat <<",
     'RUN ["cat", "<<EOF"]', "CMD cat <<EOF", "ENV a=<<EOF", "RUN cat <<EOF '", "RUN ${a^} <<EOF", "RUN <<''",
     "ONBUILD CMD <<EOF"],
)  # fmt: skip
def test_what_is_no_heredoc(line: str) -> None:
    tree = read(f"FROM a\n{line}\nRUN x\n")
    assert [node.name for node in tree.instructions][2:] == ["RUN"]
    assert tree.instructions[1].heredocs == ()


def test_a_line_continues_before_its_heredoc() -> None:
    tree = read("FROM a\nRUN cat <<EOF && \\\n# c\n  echo y\nx \\\nEOF\n")
    assert tree.instructions[1].arguments == ("cat <<EOF &&   echo y",)
    assert tree.instructions[1].heredocs[0].body.text == "x \\\n"


def test_the_terminator_is_the_whole_line() -> None:
    assert heredocs("RUN <<E\nE \n E\n\tE\nEE\nE\r\n") == [("E", "E \n E\n\tE\nEE\n")]
    assert heredocs("RUN <<-E\n E\n\t\tE\n") == [("E", " E\n")]


def test_heredocs_are_read_with_a_backslash_under_any_escape_character() -> None:
    tree = read("# escape=`\nFROM a\nRUN <<A\\ B `\n c\nx\nA B\n")
    assert tree.instructions[1].heredocs[0].name == "A B"


def test_a_heredoc_in_a_file_with_crlf_keeps_its_crs() -> None:
    assert heredocs("RUN <<E\r\nx\r\nE\r\n") == [("E", "x\r\n")]


def test_an_unterminated_heredoc_is_refused_at_its_word() -> None:
    tree = read("FROM a\nRUN cat <<EOF\nx\nEOF \nCMD b")
    assert tree.problems == (Problem(Span(15, 20), "heredoc `EOF` is not terminated -> add a line `EOF`", True),)
    assert tree.instructions[1].heredocs[0].body.text == "x\nEOF \nCMD b"
    assert tree.instructions[1].heredocs[0].terminator == Span(33, 33)
    assert tree.instructions[1].span == Span(7, 33)


def test_a_heredoc_at_the_end_of_the_file() -> None:
    assert faults("FROM a\nRUN <<EOF")[0][0] == "<<EOF"
    assert heredocs("RUN <<E\nE") == [("E", "")]


def test_the_place_of_a_heredoc_is_not_that_of_the_same_text_in_quotes() -> None:
    tree = read("FROM a\nRUN echo '<<E' \" <<E \" a<<E <<E\nE\n")
    start = tree.source.text.rindex("<<E")
    assert tree.instructions[1].heredocs[0].word.span == Span(start, start + 3)


# What is refused


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "", "file has no instruction -> begin with `FROM`"),
        ("# a\n\n", "", "file has no instruction -> begin with `FROM`"),
        ("ARG a\n", "ARG", "file has no FROM, so there is nothing to build -> add `FROM`"),
        ("RUN a\nFROM b\n", "RUN", "RUN stands before the first FROM, where only ARG may stand -> put `FROM` before it"),
        ("FROM a\nRUNN b\n", "RUNN", "`RUNN` is no instruction -> did you mean `RUN`?"),
        ("FROM a\n...\n", "...", "`...` is no instruction -> remove it"),
        ("FROM a\nCOPY --form=b c d\n", "--form=b", "`--form` is no flag of COPY -> did you mean `--from`?"),
        ("FROM a\nCMD --x b\n", "--x", "`--x` is no flag of CMD -> remove it"),
        ("FROM a\nCOPY --from=b --from=b c d\n", "--from=b", "`--from` is given twice -> keep one"),
        ("FROM a\nCOPY --from c d\n", "--from", "`--from` has no value -> write `--from=...`"),
        ("FROM a\nCOPY --link= c d\n", "--link=", "`--link=` has no value -> write `--link`, or `--link=false`"),
        ("FROM a\nCOPY --link=1 c d\n", "--link=1", "`1` is no value of `--link` -> write `true` or `false`"),
        ("FROM\n", "FROM", "FROM has no image -> name one, such as `FROM debian:12`"),
        ("FROM a b\n", "b", FROM_FORMS),
        ("FROM a IS b\n", "IS b", FROM_FORMS),
        ("FROM a AS 1b\n", "1b", "`1b` is no name for a stage -> begin with a letter, then letters, digits, `-`, `_` and `.`"),
        ("FROM a AS b/c\n", "b/c", "`b/c` is no name for a stage -> begin with a letter, then letters, digits, `-`, `_` and `.`"),
        ("FROM a\nENV\n", "ENV", "ENV has no argument -> add one, or remove the instruction"),
        ("FROM a\nENV a\n", "a", "ENV without a value -> write `ENV a=value`"),
        ("FROM a\nENV a=b c\n", "c", "`c` has no `=` -> write `c=value`, or put quotes around a value with blanks"),
        ("FROM a\nENV =b\n", "=b", "ENV has a value without a name -> put the name before `=`"),
        ("FROM a\nLABEL a\n", "a", "LABEL without a value -> write `LABEL a=value`"),
        ("FROM a\nARG =b\n", "=b", "ARG has a value without a name -> put the name before `=`"),
        ("FROM a\nARG\n", "ARG", "ARG has no argument -> add one, or remove the instruction"),
        ("FROM a\nCOPY b\n", "b", "COPY needs at least a source and a destination -> add what is missing"),
        ("FROM a\nADD\n", "ADD", "ADD needs at least a source and a destination -> add what is missing"),
        ('FROM a\nCOPY ["b"]\n', '"b"', "COPY needs at least a source and a destination -> add what is missing"),
        ("FROM a\nCOPY b <<E\nE\n", "<<E", "COPY has a heredoc as its destination -> put the destination last"),
        ('FROM a\nADD ["b", "<<\\"E F\\""]\n', '"<<\\"E F\\""', "ADD has a heredoc as its destination -> put the destination last"),
        ("FROM a\nSHELL bash -c\n", "bash -c", 'SHELL is not in JSON form -> write such as `SHELL ["/bin/bash", "-c"]`'),
        ("FROM a\nSHELL []\n", "SHELL", "SHELL has no argument -> add one, or remove the instruction"),
        ("FROM a\nONBUILD\n", "ONBUILD", "ONBUILD has no argument -> add one, or remove the instruction"),
        ("FROM a\nONBUILD ONBUILD RUN b\n", "ONBUILD", "ONBUILD cannot stand behind ONBUILD -> remove it"),
        ("FROM a\nHEALTHCHECK\n", "HEALTHCHECK", "HEALTHCHECK has no argument -> write `HEALTHCHECK CMD ...` or `HEALTHCHECK NONE`"),
        ("FROM a\nHEALTHCHECK curl b\n", "curl", "`curl` is no form of HEALTHCHECK -> write `CMD` or `NONE`"),
        ("FROM a\nHEALTHCHECK CMD\n", "CMD", "HEALTHCHECK CMD has no command -> add one"),
        ("FROM a\nHEALTHCHECK none b\n", "b", "HEALTHCHECK NONE takes no argument -> remove it"),
        ("FROM a\nHEALTHCHECK --interval=1 CMD b\n", "--interval=1",
         "`1` is no duration -> write a number with a unit, such as `30s` or `1m30s`"),
        ("FROM a\nHEALTHCHECK --timeout=1us CMD b\n", "--timeout=1us",
         "`1us` is less than a millisecond -> take a longer time, or `0s` for the default"),
        ("FROM a\nHEALTHCHECK --retries=-1 CMD b\n", "--retries=-1", "`-1` is no number of retries -> write a whole number from 0"),
        ("FROM a\nEXPOSE\n", "EXPOSE", "EXPOSE has no argument -> add one, or remove the instruction"),
        ("FROM a\nUSER\n", "USER", "USER has no argument -> add one, or remove the instruction"),
        ("FROM a\nWORKDIR \n", "WORKDIR", "WORKDIR has no argument -> add one, or remove the instruction"),
        ("FROM a\nSTOPSIGNAL\n", "STOPSIGNAL", "STOPSIGNAL has no argument -> add one, or remove the instruction"),
        ("FROM a\nMAINTAINER\n", "MAINTAINER", "MAINTAINER has no argument -> add one, or remove the instruction"),
        ("FROM a\nVOLUME\n", "VOLUME", "VOLUME has no argument -> add one, or remove the instruction"),
        ("FROM a\nVOLUME []\n", "VOLUME", "VOLUME has no argument -> add one, or remove the instruction"),
        ('FROM a\nVOLUME ["b", " "]\n', '" "', "VOLUME with an empty path -> name the path, or remove it"),
        ("FROM a\nRUN --network=x b\n", "--network=x", "`x` is no network -> write `default`, `none` or `host`"),
        ("FROM a\nRUN --security=x b\n", "--security=x", "`x` is no security mode -> write `sandbox` or `insecure`"),
        ("FROM a\nRUN --device=a,name=b c\n", "--device=a,name=b", "device is named twice, `a` and `b` -> keep one"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text: str, place: str, message: str) -> None:
    assert faults(text) == [(place, message)]


MOUNTS_REFUSED = [
    "typ=bind", "type=volume", "type=cache,target", "ro=maybe", "type=cache,sharing=all", "type=bind,sharing=shared",
    "required", "size=1m", "type=tmpfs,size=many", "mode=0755", "type=cache,mode=888", "type=cache,uid=root",
    "type=cache,gid=4294967296", "type=secret", "type=secret,id=a,from=b", "type=secret,id=a,source=b", "type=bind,from=$b,target=/c",
    "", "a\\\"b", "type=secret,id=a,sharing=shared", "type=ssh,sharing=locked", "type=bind,,target=/x",
]  # fmt: skip


@pytest.mark.parametrize("value", MOUNTS_REFUSED)
def test_mounts_that_are_refused(value: str) -> None:
    [(place, _)] = faults(f"FROM a\nRUN --mount={value} b\n")
    assert place == f"--mount={value}"


MOUNTS = [
    "type=cache,target=/a", "type=CACHE,Target=/a,ro", "target=/a,readonly=F", "type=tmpfs,target=/a,size=1.5gb",
    "type=secret,id=a,required,mode=0400,uid=1,gid=2,env=B", "type=ssh,required=true", "type=$T,mode=1", "from=a$,target=/b",
    "type=cache,target=/a,sharing=Locked,id=$X", "\"target=/a b\"", "'\"type=bind\",target=/b'",
    "rw,target=/b", "type=cache,uid=$U,target=/a",
]  # fmt: skip


@pytest.mark.parametrize("value", MOUNTS)
def test_mounts(value: str) -> None:
    assert not faults(f"FROM a\nRUN --mount={value} b\n")


@pytest.mark.parametrize(
    "line",
    ["ARG --x a", "STOPSIGNAL --x 9", "HEALTHCHECK --x NONE", "RUN", "CMD", "ENTRYPOINT", "RUN --mount=target=/a --mount=target=/b c",
     "COPY --link=TRUE --exclude=a --exclude=b c d", "HEALTHCHECK --interval=1m1.5s --retries=+3 CMD a", "HEALTHCHECK --timeout=0 CMD a",
     "FROM b aS C.1-d_e", "WOR\u212aDIR a", "EXPOSE 80/tcp 90-91", 'HEALTHCHECK CMD ["a", "b"]', "ENV a=", "healthcheck none", 'COPY ["b", "<<E F"]', "COPY b a<<E"],
)  # fmt: skip
def test_what_is_taken(line: str) -> None:
    assert not read(f"FROM a\n{line}\n").problems


def test_only_the_first_instruction_before_from_is_told() -> None:
    assert len(faults("RUN a\nRUN b\nFROM c\n")) == 1


def test_problems_stand_in_order_of_place() -> None:
    tree = read("FROM a\nFOO\nRUN b \\\n\n c\nRUN --x d\nRUN <<E\n")
    starts = [problem.span.start for problem in tree.problems]
    assert len(starts) == 4
    assert starts == sorted(starts)


@pytest.mark.parametrize("keyword", ["from", "From", "FROM", "fRoM"])
def test_keywords_in_any_case(keyword: str) -> None:
    assert (first(f"{keyword} a\n").name, first(f"{keyword} a\n").keyword) == ("FROM", keyword)


def test_an_unknown_instruction_keeps_its_words_for_rules() -> None:
    instruction = last("FROM a\nfoo b  c\n")
    assert (instruction.name, instruction.arguments, words(instruction)) == ("FOO", ("",), ["b  c"])


# Properties

FRAGMENTS = [
    "FROM a", "RUN ", "COPY ", "ADD ", "ENV ", "LABEL ", "ARG ", "CMD ", "ONBUILD ", "HEALTHCHECK ", "SHELL ", "VOLUME ", "EXPOSE ",
    "USER ", "from ", "foo", " AS b", "\n", "\n", "\n", "\r\n", "\r", " \\\n", "\\\n", "\\ \n", "`\n", "\\\\\n", "\n\n", "\\\n\n",
    "\\\n# c\n", "\n#", "# escape=`\n", "# escape=\\\n", " # escape=`\n", "# syntax=x\n", "# check=skip=A\n", "#!x\n", "# \n", "\ufeff",
    "\xa0", "\x85", "\u2003", "\x1c", "\v", "\f", "\t", " ", " ", " ", "x", "a=b", "=", '"', "'", "\\", "`", "$x", "${x", "}", "${x:-a b}",
    "<<EOF", "<<-EOF", '<<"EOF"', "3<<X", "<< EOF", "<<", "\nEOF\n", "\nx\n\tEOF\n", "\nX\n", '["a", "b"]', '["a",]', "[1]", "[", "]", "{",
    "--", "--link", "--from=a", "--mount=type=cache,target=/x", '--x="', "--à=b", "é", "à", "\u2005", "\udcff", "\udca0", "😀", "\x00",
    "CMD", "NONE", ",", "#", "\u0130", "\u212a",
]  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(lambda parts: "FROM a\n" + "".join(parts)),
    st.text(max_size=80),
    st.binary(max_size=80).map(lambda data: data.decode("utf-8", "surrogateescape")),
)
SETTINGS = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def every_span(tree: Syntax) -> list[Span]:
    spans = [node.span for node in tree.nodes] + [problem.span for problem in tree.problems]
    for directive in tree.directives:
        spans += [directive.span, directive.value_span]
    todo = list(tree.instructions)
    while todo:
        instruction = todo.pop()
        spans += [instruction.keyword_span, instruction.text_span, *(flag.span for flag in instruction.flags)]
        spans += [word.span for word in instruction.words]
        spans += [word.span for pair in instruction.pairs for word in pair if word is not None]
        spans += [comment.span for comment in (*instruction.comments, *instruction.inside)]
        for heredoc in instruction.heredocs:
            spans += [heredoc.word.span, heredoc.body_span, heredoc.terminator]
        if instruction.inner is not None:
            todo.append(instruction.inner)
    return spans


@SETTINGS
@given(st.one_of(st.binary(max_size=200), texts.map(lambda text: text.encode("utf-8", "replace"))))
def test_bytes_come_back_and_nodes_tile_the_text(data: bytes) -> None:
    tree = parse(Source.from_bytes(data))
    assert tree.source.to_bytes() == data
    end = 0
    for node in tree.nodes:
        assert node.span.start == end
        assert node.span.end > end
        end = node.span.end
    assert end == len(tree.source.text)


@SETTINGS
@given(texts)
def test_nothing_raises_and_every_span_lies_inside(text: str) -> None:
    tree = parse(Source(text))
    for span in every_span(tree):
        assert 0 <= span.start <= span.end <= len(text)


@SETTINGS
@given(texts)
def test_every_logical_character_is_the_character_in_the_file(text: str) -> None:
    tree = parse(Source(text))
    for instruction in tree.instructions:
        inside = range(instruction.span.start, instruction.span.end + 1)
        parts = [instruction.logical, instruction.body, *(heredoc.body for heredoc in instruction.heredocs)]
        if instruction.inner is not None:
            parts += [instruction.inner.logical, instruction.inner.body]
        for logical in parts:
            for index, character in enumerate(logical.text):
                assert text[logical.offset(index)] == character
                assert logical.offset(index) in inside
            assert logical.offset(len(logical.text)) in inside
        for word in (*instruction.words, *(heredoc.word for heredoc in instruction.heredocs)):
            assert instruction.logical.text[word.start : word.end] == word.text
            assert instruction.logical.span(word.start, word.end) == word.span


@SETTINGS
@given(texts)
def test_reading_an_instruction_alone_gives_the_same(text: str) -> None:
    """The lines of an instruction say all about it: what stands around it does not matter."""
    tree = parse(Source(text))
    if tree.escape != "\\":
        return
    for instruction in tree.instructions:
        start = instruction.logical.offset(0)
        alone = parse(Source("ARG x\n" + text[start : instruction.span.end])).instructions[1]
        assert alone.logical.text == instruction.logical.text
        assert alone.arguments == instruction.arguments
        assert [heredoc.body.text for heredoc in alone.heredocs] == [
            heredoc.body.text for heredoc in instruction.heredocs
        ]


@pytest.mark.parametrize(
    "make",
    [
        lambda size: "FROM a\nRUN b" + " \\\n c" * size,
        lambda size: "FROM a\nRUN b \\\n" + "# c\n" * size,
        lambda size: "FROM a\nRUN b \\\n" + "\n" * size,
        lambda size: "FROM a\n" + "RUN b\n" * size,
        lambda size: "FROM a\nRUN <<E\n" + "b\n" * size + "E\n",
        lambda size: "FROM a\nRUN" + " <<E \\\n" * size + "\n" + "E\n" * size,
        lambda size: "FROM a\nRUN" + ' "<<E" \\\n' * size + " <<E\nE\n",
        lambda size: "FROM a\n" + "ONBUILD \\\n" * size,
        lambda size: "FROM a\nCOPY" + " b \\\n" * size,
        lambda size: "FROM a\nENV" + " b=c \\\n" * size,
        lambda size: "FROM a\nENV" + ' b=" \\\n' * size,
        lambda size: "FROM a\nRUN [" + '"a", \\\n' * size,
        lambda size: "FROM a\nRUN" + " --mount=target=/b \\\n" * size,
        lambda size: "FROM a\nRUN" + ' --mount="b \\\n' * size,
        lambda size: "# syntax=a" + " " * size + "b\nFROM a\n",
        lambda size: "# escape" + " " * size + "b\nFROM a\n",
    ],
)
def test_time_is_linear_in_the_length(make: Callable[[int], str]) -> None:
    def cost(size: int) -> float:
        source = Source(make(size))
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            every_span(parse(source))
            best = min(best, time.process_time() - start)
        return best

    # Eight times the text; a quadratic reading would take 64 times as long.
    assert cost(8_000) < 30 * max(cost(1_000), 0.002)


# Beside BuildKit itself


def agrees(text: str) -> None:
    oracle = oracle_or_skip()
    source = Source.from_bytes(
        text.encode("utf-8", "replace" if any("\ud800" <= c < "\udc80" for c in text) else "surrogateescape")
    )
    tree = parse(source)
    said = oracle.parse(source.to_bytes())
    fatal = [problem for problem in tree.problems if problem.fatal]
    if said.refused or not said.mount_unknown:
        assert bool(fatal) == said.refused, (fatal, said.refusal)
    if said.error is not None:
        return  # BuildKit's parser stopped, so it has no tree
    assert tree.escape == said.escape
    assert seen_through_json(dump(tree)) == said.sexp.strip()
    assert sum(not problem.fatal for problem in tree.problems) == said.warnings
    ours = [buildkit_node(tree, instruction) for instruction in tree.instructions]
    theirs = [full_node(node) for node in said.nodes]
    for node in (*ours, *theirs):  # the S-expression holds the keyword
        del node["cmd"]
    assert ours == theirs


def parametrized(test: Any) -> list[Any]:
    return [case for mark in test.pytestmark if mark.name == "parametrize" for case in mark.args[1]]


REFUSED = [text for text, _, _ in parametrized(test_what_is_refused_and_where)]
BESIDE = [
    *REFUSED,
    *(f"FROM a\nRUN {lines}\n" for lines, _ in parametrized(test_continuations)),
    *(f"FROM a\nRUN {text}\nCMD {text}\n" for text in parametrized(test_bad_json_is_the_shell_form)),
    *(f"FROM a\nRUN {text}\n" for text in parametrized(test_json_with_an_element_that_is_no_string_is_refused)),
    *(f"FROM a\n{line}\nRUN x\n" for line in parametrized(test_what_is_no_heredoc)),
    *(f"FROM a\nRUN --mount={value} b\n" for value in (*MOUNTS, *MOUNTS_REFUSED)),
    *(f"FROM a\n{line}\n" for line in parametrized(test_what_is_taken)),
    *(f"# syntax=x\n{line}\n# escape=`\nFROM a\nRUN b `\nRUN c\n" for line in parametrized(test_what_ends_the_directives)),
    *(f"{line}\nFROM a\nRUN b `\n c\n" for line in parametrized(test_escape_in_all_spellings)),
    "FROM a\nCOPY <<ONE <<-\"TWO\" 3<<THREE /x/\n1\nONE\n\t2\n\tTWO\n3\nTHREE\n",
    "# a\n\n# b\nFROM a\n# c\n#\n# d\nRUN x\n # e\n#\n\t#\nRUN y\n",
    "\ufeff# escape=`\r\nFROM a\r\nRUN b `\r\n c\r\n",
    "FROM a\nRUN " + "x" * 65_531 + "\n",
    "FROM a\nRUN " + "x" * 65_532 + "\n",
    "#!/x\n# syntax=x\n# check=skip=A\nFROM a\n",
    "FROM a\nONBUILD RUN cat <<E\nx\nE\n",
    "FROM a\nENV a\xa0b c\nENV a=b\xa0c=d\nLABEL x y=z\n",
    "FROM a\nRUN --x=à --y='b' z\nHEALTHCHECK CMD\xa0x\n",
    "\\\n  FROM a\n\\\n",
    "FROM a\nRUN <<E\nx",
    "FROM a\nONBUILD \udcff",
]  # fmt: skip


@pytest.mark.parametrize("text", BESIDE, ids=lambda text: repr(text)[:60])
def test_cases_agree_with_buildkit(text: str) -> None:
    agrees(text)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts)
def test_any_text_agrees_with_buildkit(text: str) -> None:
    agrees(text)


def test_the_lists_hold_something() -> None:
    assert len(BESIDE) > 150
    assert len(REFUSED) > 40
    assert {Blank, Comment, Directive} == {type(node) for node in read("# escape=`\n\n# a\n").nodes}
