"""What lies at a path of a stage, by the commands that make it."""

import pytest

from dfopt import contents
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse


@pytest.mark.parametrize(("lines", "path", "kind"), [
    ("RUN go build -o server .", "/src/server", "file"),
    ("RUN go build -o /out/ ./...", "/out", ""),
    ("RUN cd cmd && go build -o server .", "/src/cmd/server", "file"),
    ("RUN cd cmd && go build -o server .", "/src/server", ""),
    ("RUN go build -o server-$ARCH .", "/src/server-arm64", ""),
    ("RUN go -C cmd build -o server .", "/src/server", ""),
    ("RUN curl -fsSLo /usr/bin/kubectl https://example.com/kubectl", "/usr/bin/kubectl", "file"),
    ("RUN wget -qO tool https://example.com/x", "/src/tool", "file"),
    ("RUN gcc -O2 -o tool tool.c", "/src/tool", "file"),
    ("RUN mkdir /out && echo 1 > /out/answer", "/out/answer", "file"),
    ("RUN mkdir /out && echo 1 > /out/answer", "/out", "folder"),
    ("RUN mkdir -p /out/answer && echo 1 > /out/answer", "/out/answer", ""),
    ("RUN go build -o server ./server", "/src/server", ""),
    ("RUN go build -o server server/main.go", "/src/server", ""),
    ("RUN go build -o server ./cmd/server", "/src/server", "file"),
    ("RUN make && chmod +x bin", "/src/bin", ""),
    ("RUN make", "/src/tool", ""),
    ("RUN cargo build --release", "/src/target/release/server", "file"),
    ("RUN cargo build --release", "/src/target/release/build", ""),
    ("RUN cargo build --release --target x", "/src/target/x/release/server", "file"),
    ("RUN make", "/src/target/release/server", ""),
    ("COPY tool.sh /out/tool.sh", "/out/tool.sh", "file"),
    ("COPY tool /out/tool", "/out/tool", ""),
    ("COPY tool /out/tool/", "/out/tool", "folder"),
    ("COPY . /out/tool", "/out/tool", "folder"),
    ("COPY tool /out/tool", "/out", "folder"),
    ("RUN echo '", "/src", "folder"),
    ("", "/src", "folder"),
])  # fmt: skip
def test_what_lies_there(lines: str, path: str, kind: str) -> None:
    build = Build(parse(Source(f"FROM golang AS one\nWORKDIR /src\n{lines}\nFROM one AS two\nFROM scratch\n")))
    assert [contents.kind_at(build, stage, path) for stage in build.stages] == [kind, kind, ""]
