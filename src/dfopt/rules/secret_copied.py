"""A COPY that brings a secret of the build context into a layer, where everyone who has the image can read it."""

from collections.abc import Iterator

from dfopt import context, unwanted
from dfopt.build import Build
from dfopt.context import Context
from dfopt.rule import Finding, Given
from dfopt.startup import pattern

# Files that hold nothing but credentials, by the manuals of the programs that read them.
_CREDENTIALS = pattern(
    r"(?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.git-credentials|\.netrc|\.pypirc|\.aws/credentials|\.docker/config\.json|\.kube/config|\.env(?:\.(?!example|sample|template|dist|test)[\w-]+)?)$"
)
# A token written out, not taken from a variable (npm's configuration).
_NPM_TOKEN = pattern(r"(?m)^\s*(?://[^\s=]*:)?_(?:authToken|auth|password)\s*=\s*[\"']?[^\s$\"'{]")


def check(build: Build, given: Given) -> Iterator[Finding]:
    place = context.of(build, given)
    for index, instruction in enumerate(build.instructions):
        stage = build.stage(index)
        if instruction.name not in ("COPY", "ADD") or stage is None:
            continue
        found = [path for path in context.named_by(build, index) if _CREDENTIALS.search(path) and _comes(place, path)]
        if place is not None:
            for folder in context.folders_of(build, index, place):
                found += [one.entry.path for one in unwanted.strays(place, build, folder) if one.row.kind == "secrets"]
            folders = context.folders_of(build, index, place)
            tokens = [*context.named_by(build, index), *(f"{folder}/.npmrc".lstrip("/") for folder in folders)]
            found += [path for path in tokens if path.endswith(".npmrc") and _NPM_TOKEN.search(place.text(path) or "")]
        found = list(dict.fromkeys(found))
        if found and (build.is_shipped(stage) or any(path not in context.named_by(build, index) for path in found)):
            named = ", ".join(f"`{path}`" for path in found[:3]) + (
                f" and {len(found) - 3} more" if len(found) > 3 else ""
            )
            written = " ".join((instruction.name, *instruction.arguments))
            where = (
                "a layer of the image, for everyone who has it"
                if build.is_shipped(stage)
                else "a layer of the build cache"
            )
            yield Finding(
                instruction.text_span,
                f"`{written}` puts {named} into {where} -> keep it out of the context, and give it to the one RUN that needs it:"
                " `--mount=type=secret`",
                None,
                None,
                (),
                "which step needs the secret, and under which name, the file does not say",
            )


def _comes(place: Context | None, path: str) -> bool:
    return place is None or not place.ignore.hides(path)
