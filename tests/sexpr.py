"""BuildKit's S-expression of a file, and its view of an instruction, from our tree: what the tests compare."""

from typing import Any

from dfopt.syntax import Comment, Instruction, Syntax

_SHORT = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
# unicode.IsSpace of Go, which strings.TrimSpace takes off.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def go_quote(text: str) -> str:
    """Go's strconv.Quote of a text that was decoded with surrogateescape."""
    pieces = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            pieces.append("\\" + character)
        elif character in _SHORT:
            pieces.append(_SHORT[character])
        elif 0xDC80 <= code <= 0xDCFF:
            pieces.append(f"\\x{code - 0xDC00:02x}")
        elif character == " " or character.isprintable():
            pieces.append(character)
        elif code < 0x80:
            pieces.append(f"\\x{code:02x}")
        else:
            pieces.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(pieces) + '"'


def dump_instruction(instruction: Instruction) -> str:
    """BuildKit's Node.Dump of one instruction."""
    text = "".join(character.replace("\u0130", "i").lower() for character in instruction.keyword)
    if instruction.flags:
        text += " [" + " ".join(go_quote(flag.text) for flag in instruction.flags) + "]"
    if instruction.inner is not None:
        text += " (" + dump_instruction(instruction.inner) + ")"
    return (text + "".join(" " + go_quote(argument) for argument in instruction.arguments)).strip(_BLANKS)


def dump(tree: Syntax) -> str:
    """The S-expression of BuildKit's Node.Dump of the file."""
    return "\n".join(f"({dump_instruction(instruction)})" for instruction in tree.instructions)


def buildkit_comment(tree: Syntax, comment: Comment) -> str:
    """BuildKit cuts off the first byte, whatever it is, so an indented comment keeps its '#'."""
    line = tree.source.text[comment.span.start : comment.span.end].removeprefix("\ufeff")
    rest = line.encode("utf-8", "surrogateescape")[1:].decode("utf-8", "surrogateescape").strip(_BLANKS)
    return seen_through_json(rest)


def buildkit_node(tree: Syntax, instruction: Instruction) -> dict[str, Any]:
    """An instruction as the truth file and the oracle show it; bytes that are not UTF-8 come as U+FFFD there."""
    arguments = [seen_through_json(argument) for argument in instruction.arguments]
    if instruction.inner is not None:
        arguments = ["\0sub:" + seen_through_json(dump_instruction(instruction.inner))]
    return {
        "cmd": seen_through_json(instruction.keyword),
        "start": instruction.start_line,
        "end": instruction.end_line,
        "flags": [flag.text for flag in instruction.flags],
        "args": arguments,
        "json": instruction.json,
        "prev_comment": [buildkit_comment(tree, comment) for comment in instruction.comments],
        "original": seen_through_json(instruction.logical.text),
        "heredocs": [
            {
                "Name": heredoc.name,
                "FileDescriptor": heredoc.descriptor,
                "Expand": heredoc.expand,
                "Chomp": heredoc.strip_tabs,
                "Content": seen_through_json(heredoc.body.text),
            }
            for heredoc in instruction.heredocs
        ],
    }


def full_node(node: dict[str, Any]) -> dict[str, Any]:
    """A node of the truth file or the oracle with the fields that are left out where they are empty."""
    return {
        **node,
        "flags": node.get("flags") or [],
        "args": node.get("args") or [],
        "json": node.get("json", False),
        "prev_comment": node.get("prev_comment") or [],
        "original": node["original"].strip(_BLANKS),
        "heredocs": node.get("heredocs") or [],
    }


def seen_through_json(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
