"""The shell text of the corpus beside shfmt's reading of it and beside what bash and dash accept."""

import collections
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from real_files import CORPUS, WHY
from shell_oracle import SHFMT, accepts, our_outline, ours, plain_tests, shfmt_all, their_outline, theirs

from dfopt.shell import Script, dialect_of, read, tokens
from dfopt.source import Source
from dfopt.syntax import Instruction, parse

pytestmark = [
    pytest.mark.skipif(not CORPUS.is_dir(), reason=WHY),
    pytest.mark.skipif(SHFMT is None, reason="shfmt-py is not installed"),
]

# What each dialect is compared with. `sh` must be read alike by both, as far as each of them reads it at all.
LANGUAGES = {"sh": ("posix", "bash"), "bash": ("bash",), "posix": ("posix",), "busybox": ("posix",)}


class Text(NamedTuple):
    """A RUN's shell text, the dialect of its stage's SHELL (None: no Bourne shell), and in how many RUNs it stands."""

    text: str
    dialect: str | None
    times: int


def texts_of(instruction: Instruction, shell: tuple[str, ...] | None) -> tuple[str, str | None]:
    """What the shell is given, and the dialect that it reads it in."""
    body = instruction.body.text
    heredocs = instruction.heredocs
    if not heredocs:
        return body, dialect_of(shell)
    if len(heredocs) == 1 and body.strip() == heredocs[0].word.text.strip():
        script = heredocs[0].body.text
        return script, dialect_of(shell, script.partition("\n")[0])
    return body + "\n" + "".join(f"{each.body.text}{each.name}\n" for each in heredocs), dialect_of(shell)


@pytest.fixture(scope="module")
def texts() -> list[Text]:
    """Every shell-form RUN and heredoc script of the corpus, each text once a dialect."""
    found: collections.Counter[tuple[str, str | None]] = collections.Counter()
    for path in sorted((CORPUS / "files").rglob("*")):
        if not path.is_file():
            continue
        shell: tuple[str, ...] | None = None
        for outer in parse(Source.from_bytes(path.read_bytes())).instructions:
            instruction = outer.inner if outer.name == "ONBUILD" and outer.inner is not None else outer
            if instruction.name == "FROM":
                shell = None
            elif instruction.name == "SHELL" and instruction.json:
                shell = tuple(instruction.arguments)
            elif instruction.name == "RUN" and not instruction.json:
                found[texts_of(instruction, shell)] += 1
    assert len(found) > 2000, "an empty corpus would prove nothing"
    return [Text(text, dialect, times) for (text, dialect), times in found.items()]


@pytest.fixture(scope="module")
def trees(texts: list[Text]) -> dict[str, dict[str, dict[str, Any] | None]]:
    """shfmt's syntax trees by language and text."""
    unique = {each.text for each in texts}
    return {language: shfmt_all(unique, language) for language in ("posix", "bash")}


def difference(script: Script, text: str, dialect: str, language: str, tree: dict[str, Any]) -> str | None:
    mine, other = ours(script), theirs(tree, text)
    if dialect == "sh" and language == "bash":
        mine = plain_tests(mine, text)
        other = plain_tests(other, text)
    if mine != other:
        return f"{language}: {next(((a, b) for a, b in zip(mine, other) if a != b), (len(mine), len(other)))}\n{text}"
    if our_outline(script) != their_outline(tree, text):
        return f"{language}: {our_outline(script)}\n{their_outline(tree, text)}\n{text}"
    return None


@pytest.mark.parametrize("forced", [None, "sh", "bash", "posix", "busybox"])
def test_equal_to_shfmt_or_opaque(
    forced: str | None, texts: list[Text], trees: dict[str, dict[str, dict[str, Any] | None]]
) -> None:
    """Every command, word, assignment, redirection, operator and nesting, with its places; or opaque."""
    different: list[str] = []
    reasons: collections.Counter[str] = collections.Counter()
    read_texts = instructions = opaque_instructions = foreign = unjudged = 0
    for text, own, times in texts:
        dialect = forced or own
        if dialect is None:
            continue
        judged = [(name, trees[name][text]) for name in LANGUAGES[dialect] if trees[name][text] is not None]
        script = read(text, dialect)
        read_texts += 1
        instructions += times
        if script.opaque is not None:
            if not any(trees[name][text] for name in ("posix", "bash")):
                foreign += 1  # cmd or PowerShell under Windows' default shell
                continue
            reasons[script.opaque] += 1
            opaque_instructions += times
            continue
        unjudged += not judged
        for language, tree in judged:
            assert tree is not None
            found = difference(script, text, dialect, language, tree)
            if found is not None:
                different.append(found)
                break
    opaque = sum(reasons.values())
    print(
        f"\n{forced or 'as SHELL says'}: {read_texts} texts of {instructions} RUNs; {len(different)} differ; "
        f"{opaque} opaque ({100 * opaque / read_texts:.2f} %; {100 * opaque_instructions / instructions:.2f} % of RUNs) "
        f"{dict(reasons)}; {foreign} opaque that shfmt refuses too; {unjudged} read that shfmt refuses"
    )
    assert not different, different[0]
    assert unjudged <= 5
    # `&>` is two things in dash and bash and must be opaque where the shell is not known
    assert opaque - reasons["`&>`"] <= read_texts / 200


def test_what_is_read_is_accepted_by_the_shells(texts: list[Text]) -> None:
    """`bash -n` and `dash -n` accept what we read as theirs (dash is asked about `sh` too, as its likeliest meaning)."""
    questions = []
    for text, dialect, _ in texts:
        if dialect is not None and read(text, dialect).opaque is None:
            for shell in {"sh": ("bash", "dash"), "bash": ("bash",), "posix": ("dash",)}.get(dialect, ()):
                if shutil.which(shell):
                    questions.append((shell, text))
    if not questions:
        pytest.skip("neither bash nor dash is here")
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda question: accepts(*question), questions))
    refused = [question for question, answer in zip(questions, answers) if not answer]
    print(f"\n{len(questions)} questions to bash -n and dash -n, {len(refused)} refused")
    assert not refused, refused[0]


def test_tokens_read_back(texts: list[Text]) -> None:
    """Tokens put together again with blanks give the same tokens, so that they lose nothing that counts."""
    checked = 0
    for text, dialect, _ in texts:
        if dialect is None or "<<" in text:
            continue
        script = read(text, dialect)
        if script.opaque is None:
            found = tokens(script)
            again = read(" ".join(found), dialect)
            assert again.opaque is None, (again.opaque, text)
            assert tokens(again) == found
            checked += 1
    assert checked > 2000
