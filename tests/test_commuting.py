"""What instructions read and write, and which of them commute."""

import pytest

from dfopt import commuting
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse


def build_of(text: str, base: str = "debian:12") -> Build:
    return Build(parse(Source(f"FROM {base}\n{text}\n")))


def verdict(text: str, base: str = "debian:12") -> commuting.Verdict:
    """Of the last two instructions."""
    build = build_of(text, base)
    last = len(build.instructions) - 1
    return commuting.commute(build, last - 1, last)


FREE = [
    "LABEL a=1\nRUN make",
    "LABEL a=1\nLABEL b=1",
    "RUN make\nEXPOSE 80",
    "EXPOSE 80\nEXPOSE 81",
    'RUN make\nCMD ["x"]',
    "COPY a.txt /srv/a.txt\nCOPY b.txt /opt/b.txt",
    "WORKDIR /x\nCOPY a.txt /x/a.txt",
    "COPY a.txt /x/a.txt\nCOPY b.txt /x/b.txt",
    "COPY --chown=1:1 a.txt /x/a.txt\nCOPY --chown=1:1 b.txt /x/b.txt",
    "COPY src /app/src/\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*",
    "ENV A=1\nENV B=2",
    "ENV A=1\nCOPY x.txt /x/",
    "ARG GIT_SHA\nRUN mkdir -p /x && echo hello > /x/y",
    "USER app\nCOPY x.txt /x/",
    "USER app\nENV A=1",
    "WORKDIR /a\nCOPY x.txt /b/",
    "WORKDIR /app\nRUN mkdir -p /srv/y\nENV A=1",
    'SHELL ["/bin/bash", "-c"]\nCOPY x.txt /b/',
    "RUN mkdir -p /a\nRUN mkdir -p /b",
    "COPY --from=other /x /a/\nCOPY b.txt /b/",
    "ONBUILD RUN make\nRUN make",
]

BOUND = [
    ("RUN make\nCOPY x.txt /x/", "`make` may read and write anything"),
    ("LABEL a=1\nLABEL a=2", "both set `LABEL a`"),
    ("CMD x\nENTRYPOINT y", "both set `CMD`"),
    ('SHELL ["/bin/bash", "-c"]\nCMD x', "`SHELL`"),
    ('SHELL ["/bin/bash", "-c"]\nRUN x', "`SHELL`"),
    ("ENV A=1\nRUN make", "`A`"),
    ("ENV A=1\nRUN echo $A > /x", "`A`"),
    ("ENV A=1\nRUN apt-get install -y x", "`A`"),
    ("ENV A=1\nENV B=$A", "`A`"),
    ("ENV A=1\nCOPY x.txt $A", "`A`"),
    ("ENV A=1\nARG A", "`A`"),
    ("ENV PATH=/x:$PATH\nRUN mkdir -p /y", "`PATH`"),
    ("USER app\nRUN mkdir -p /y", "`USER`"),
    ("USER app\nWORKDIR /x", "`USER`"),
    ("WORKDIR /x\nCOPY a.txt .", "`WORKDIR`"),
    ("WORKDIR /x\nWORKDIR y", "`WORKDIR`"),
    ("WORKDIR /x\nRUN mkdir -p /y", "`WORKDIR`"),
    ("COPY a.txt /x/a.txt\nCOPY --chown=1:1 b.txt /x/b.txt", "both make `/x`"),
    ("WORKDIR /x\nCOPY --chown=1:1 b.txt /x/b.txt", "both make `/x`"),
    ("USER 5\nWORKDIR /x\nCOPY b.txt /x/b.txt", "both make `/x`"),
    ("COPY a.txt /x/a.txt\nCOPY b.txt /x/a.txt", "writes `/x/a.txt`"),
    ("COPY a.txt /bin/a\nCOPY a.txt /usr/bin/a", "writes"),
    ("COPY a.txt /var/run/a.txt\nCOPY b.txt /run/a.txt", "writes"),
    ("COPY a.txt /x\nCOPY b.txt /x/b.txt", "writes `/x`"),
    ("COPY dir /x/\nCOPY b.txt /x/b.txt", "link"),
    ("COPY a.sh /usr/local/bin/mkdir\nRUN mkdir -p /a", "writes"),
    ("COPY a.conf /etc/ld.so.conf\nRUN mkdir -p /a", "writes"),
    ("COPY a.txt /x/\nRUN rm -rf /x", "`/x/**`"),
    ("COPY a.txt /x/\nRUN cat /x/a.txt", "`/x/a.txt`"),
    ("COPY --chown=app a.txt /x/\nRUN useradd app", "`/etc/passwd`"),
    ("RUN ln -s /srv /app\nCOPY a.txt /app/a.txt\nCOPY b.txt /srv/a.txt", "writes"),
    ("RUN ln -s ../srv /app\nCOPY a.txt /app/a.txt\nCOPY b.txt /opt/a.txt", "link"),
    ("COPY d /app\nCOPY a.txt /app/l/a.txt\nCOPY b.txt /opt/a.txt", "link"),
    ("COPY --link a.txt /x/a.txt\nCOPY --chown=1 b.txt /x/b.txt", "both make `/x`"),
    ("RUN --mount=type=cache,target=/c mkdir -p /x\nRUN --mount=type=cache,target=/c mkdir -p /y", "`cache /c`"),
    ("ONBUILD RUN a\nONBUILD RUN b", "`ONBUILD`"),
    ("VOLUME /x\nCOPY a.txt /x/a.txt", "works with `/x/**`"),
    ('RUN ["mkdir", "/x"]\nCOPY a.txt /y/', "JSON form"),
]


@pytest.mark.parametrize("text", FREE)
def test_what_is_free(text: str) -> None:
    found = verdict(text)
    assert found.free, found.why
    assert found.why


@pytest.mark.parametrize(("text", "why"), BOUND)
def test_what_is_bound(text: str, why: str) -> None:
    found = verdict(text)
    assert not found.free
    assert why in found.why
