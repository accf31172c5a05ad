"""Java: Maven and Gradle; the jar, war or installed program runs on a JRE of the same version.

Sources: maven.apache.org (super POM, "finalName", packaging), docs.gradle.org (Java, War and Distribution plug-ins), docs.spring.io (bootJar,
bootWar, repackage); tags of eclipse-temurin, openjdk and maven on GitHub (docker-library, carlossg/docker-maven).
"""

import posixpath
import re

from dfopt import bases, families
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site

_BUILD_ONLY = frozenset(
    "MAVEN_OPTS MAVEN_CONFIG MAVEN_HOME MAVEN_CLI_OPTS MAVEN_ARGS M2_HOME GRADLE_OPTS GRADLE_USER_HOME GRADLE_HOME".split()
)

_SOURCE = pattern(
    r"(?i)pom\.xml|.*\.(?:java|kt|kts|groovy|gradle|scala)|gradlew(?:\.bat)?|mvnw(?:\.cmd)?|gradle\.properties|gradle\.lockfile|settings\.xml|lombok\.config"
    r"|checkstyle.*\.xml|pmd.*\.xml|spotbugs.*\.xml|.*\.iml|\.classpath|\.project|libs\.versions\.toml|.*\.jar\.original"
)
_SOURCE_FOLDERS = frozenset(("src", ".mvn", "gradle", "buildSrc", ".gradle", "target", "build"))

# Goals and tasks by which something is packed; others compile, test or fetch.
_PACKING_GOALS = frozenset("package verify install integration-test deploy".split())
_PACKING_TASKS = frozenset(
    "build assemble jar bootjar war bootwar shadowjar fatjar uberjar installdist quarkusbuild".split()
)
_RUNS = pattern(
    r"(?:\./)?(?:mvn|mvnw|gradle|gradlew)\b|\b(?:spring-boot:run|bootRun|exec:java|jshell|javac|jcmd|jmap|jstack|jdb|jlink)\b"
)

# The Java versions for which eclipse-temurin has a JRE.
_TEMURIN = frozenset(("8", "11", "17", "18", "19", "20", "21", "22", "23", "24", "25"))


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _packs(placed)]
    if not built or _runs_tool(site):
        return None
    image = _image(site)
    if image is None:
        return f"no JRE is known to match `{site.bottom.base.text}`"
    outputs: list[Artefact] = []
    questions: list[Question] = []
    for placed in built:
        found = _outputs(site, placed)
        if isinstance(found, Question):
            questions.append(found)
        else:
            outputs += found
    for one in outputs:
        if site.in_mount(built[-1], one.path):
            return f"`{one.path}` lies in a mount, so that the image has nothing of it"
    known = site.stage.facts
    repository, _ = bases.repository_of(image)
    family = "alpine" if "alpine" in image else "debian"
    notes = []
    if known is not None and known.distribution not in (None, family):
        return f"`{image}` is of another distribution than `{site.bottom.base.text}`"
    if repository == "eclipse-temurin" and "temurin" not in site.image:
        if _names_java_home(site):
            return f"`JAVA_HOME` is another folder in `{image}`"
        notes.append(f"`{site.bottom.base.text}` has no JRE of its own: `{image}` has the same version of Java")

    def is_source(path: str) -> bool | None:
        parts = path.strip("/").split("/")
        if _SOURCE.fullmatch(parts[-1]) or any(part in _SOURCE_FOLDERS for part in parts):
            return True
        return None

    explained = frozenset(placed.key for placed in site.commands if _manager(placed) is not None)
    return Proposal(
        "Java", built[-1], tuple(outputs), image, "the JRE of the version that builds", family, explained, is_source,
        tools=frozenset(("maven", "gradle", "git", "curl", "unzip", "tar", "procps")) - _named_tools(site), build_only=_BUILD_ONLY,
        questions=tuple(questions), starts=frozenset(("java",)), notes=tuple(notes),
    )  # fmt: skip


_STARTING = ("CMD", "ENTRYPOINT", "HEALTHCHECK")


def _manager(placed: Placed) -> str | None:
    use = placed.command.use
    if use is not None and use.manager.name in ("maven", "gradle"):
        return use.manager.name
    name = posixpath.basename(placed.command.name or "")
    return {"mvn": "maven", "mvnw": "maven", "gradle": "gradle", "gradlew": "gradle"}.get(name)


def _packs(placed: Placed) -> bool:
    manager = _manager(placed)
    words = {
        (word.value or "").rpartition(":")[2].lower()
        for word in placed.simple.words[1:]
        if not word.text.startswith("-")
    }
    return bool(words & (_PACKING_GOALS if manager == "maven" else _PACKING_TASKS)) if manager is not None else False


def _runs_tool(site: Site) -> bool:
    return any(_RUNS.search(text) for text in site.said(*_STARTING))


def _named_tools(site: Site) -> frozenset[str]:
    text = " ".join(site.said(*_STARTING))
    return frozenset(name for name in ("curl", "tar", "unzip", "git") if re.search(rf"\b{name}\b", text))


def _names_java_home(site: Site) -> bool:
    return any(
        "JAVA_HOME" in site.build.instructions[index].logical.text
        or "/usr/local/openjdk" in site.build.instructions[index].logical.text
        for index in site.indexes
        if site.build.instructions[index].name in ("CMD", "ENTRYPOINT", "HEALTHCHECK", "ENV")
    )


# -------------------------------------------------------------------------------------------------------------- image


def _image(site: Site) -> str | None:
    """The image with a JRE for an image with a JDK."""
    found = families.variant(site.image, "jre")
    if found is not None:
        return found
    if "$" in site.image or "@" in site.image:
        return None
    repository, tag = bases.repository_of(site.image)
    if repository == "openjdk":
        match = re.fullmatch(
            r"(8|11)(?:\.[0-9.]+)?(?:u[0-9]+)?(-jdk)?((?:-(?:slim|buster|bullseye|stretch|alpine[0-9.]*))*)", tag
        )
        if match is not None and "alpine" not in tag:
            return f"openjdk:{match[1]}-jre{match[3]}"
        version = re.match(r"([0-9]+)", tag)
    elif repository == "maven":
        # `3.9-eclipse-temurin-21-jammy`, `3.8-openjdk-11-slim`, `3-jdk-8`, `3-amazoncorretto-17`
        version = re.search(r"(?:temurin|openjdk|jdk|corretto|sapmachine|zulu)-([0-9]+)", tag)
    elif repository == "eclipse-temurin":
        version = re.match(r"([0-9]+)", tag)
    else:
        return None
    if version is None or version[1] not in _TEMURIN:
        return None
    release = next((name for name in ("noble", "jammy", "focal") if name in tag), "alpine" if "alpine" in tag else "")
    return f"eclipse-temurin:{version[1]}-jre{f'-{release}' if release else ''}"


# ------------------------------------------------------------------------------------------------------------ outputs


def _outputs(site: Site, placed: Placed) -> list[Artefact] | Question:
    """The archives that a command leaves, by its build file; without the build context by what the image starts or a `cp` takes."""
    answer = site.answer("artefact")
    if answer:
        return [Artefact(site.joined(placed.folder, one) or one, "", "as the configuration answers") for one in answer]
    maven = _manager(placed) == "maven"
    folder = _project_folder(site, placed)
    found = (_of_maven(site, folder) if maven else _of_gradle(site, placed, folder)) if folder is not None else []
    found = found or _taken(site, folder, "target" if maven else "build")
    if found:
        return found
    return Question(
        "artefact",
        f"the name of what `{placed.text[:60]}` packs is not known: which file does the image run?",
        ("PATH",),
    )


def _project_folder(site: Site, placed: Placed) -> str | None:
    """The builder's folder of the project, as `-f` and `-p` say."""
    use = placed.command.use
    for option in use.options if use is not None else ():
        if option.canonical in ("--file", "--build-file"):
            path = site.joined(placed.folder, option.value)
            return posixpath.dirname(path) if path is not None and path.endswith((".xml", ".gradle", ".kts")) else path
        if option.canonical == "--project-dir":
            return site.joined(placed.folder, option.value)
    return placed.folder


def _text(site: Site, folder: str, name: str) -> str | None:
    path = site.in_context(posixpath.join(folder, name))
    return site.context.text(path) if path is not None and site.context is not None else None


_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# Parts of a POM whose names are other projects'.
_NESTED = re.compile(
    r"<(parent|dependencies|dependencyManagement|plugins|pluginManagement|profiles|reporting|repositories|pluginRepositories|extensions|developers|licenses)>.*?</\1>",
    re.DOTALL,
)


def _of_maven(site: Site, folder: str, depth: int = 0) -> list[Artefact]:
    """The archives of a Maven project and of its modules."""
    text = _text(site, folder, "pom.xml")
    if text is None or depth > 4:
        return []
    text = _COMMENT.sub("", text)
    own = _NESTED.sub("", text)
    found: list[Artefact] = []
    packaging = _tag(own, "packaging") or "jar"
    if packaging in ("jar", "war", "ear"):
        name = _final_name(text, own)
        if name is not None:
            found.append(Artefact(posixpath.join(folder, "target", f"{name}.{packaging}"), "file", "what Maven packs"))
            if re.search(r"<packaging>\s*quarkus|quarkus-maven-plugin", text):
                found.append(Artefact(posixpath.join(folder, "target/quarkus-app"), "folder", "what Quarkus packs"))
            classifier = re.search(
                r"spring-boot-maven-plugin.*?<classifier>\s*([\w.-]+)\s*</classifier>", text, re.DOTALL
            )
            if classifier is not None:
                found.append(
                    Artefact(
                        posixpath.join(folder, "target", f"{name}-{classifier[1]}.{packaging}"),
                        "file",
                        "what Spring Boot packs",
                    )
                )
            if "maven-assembly-plugin" in text and "jar-with-dependencies" in text and "appendAssemblyId" not in text:
                path = posixpath.join(folder, "target", f"{name}-jar-with-dependencies.jar")
                found.append(Artefact(path, "file", "what Maven assembles"))
    for module in re.findall(r"<module>\s*([^<\s]+)\s*</module>", text):
        found += _of_maven(site, posixpath.join(folder, module), depth + 1)
    return found


def _tag(text: str, name: str) -> str | None:
    match = re.search(rf"<{name}>\s*([^<]*?)\s*</{name}>", text)
    return match[1] if match is not None else None


def _final_name(text: str, own: str) -> str | None:
    """The name of what a POM packs, without its ending; None where it hangs on what is not in the file."""
    parent = re.search(r"<parent>(.*?)</parent>", text, re.DOTALL)
    version = _tag(own, "version") or (_tag(parent[1], "version") if parent is not None else None)
    artifact = _tag(own, "artifactId")
    name = _tag(re.sub(r"<(plugins|pluginManagement)>.*?</\1>", "", text, flags=re.DOTALL), "finalName")
    if name is None:
        name = f"{artifact}-{version}" if artifact and version else None
    known = {"project.artifactId": artifact, "artifactId": artifact, "project.version": version, "version": version}
    for _ in range(4):
        if name is None or "${" not in name:
            return name
        for wanted in re.findall(r"\$\{([\w.-]+)\}", name):
            value = known.get(wanted) or _tag(text, re.escape(wanted))
            name = name.replace(f"${{{wanted}}}", value) if name is not None and value else None
    return None


def _of_gradle(site: Site, placed: Placed, folder: str) -> list[Artefact]:
    """The archives of a Gradle project: `build/libs/NAME-VERSION.jar`, and what `installDist` installs."""
    texts = {
        name: _text(site, folder, name)
        for name in ("settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts", "gradle.properties")
    }
    settings = texts["settings.gradle"] or texts["settings.gradle.kts"] or ""
    build = texts["build.gradle"] or texts["build.gradle.kts"]
    if build is None or re.search(r"\binclude\b", settings):
        return []
    match = re.search(r"""rootProject\.name\s*=\s*["']([\w.-]+)["']""", settings)
    if match is None:
        return []
    tasks = {(word.value or "").lower() for word in placed.simple.words}
    if "installdist" in tasks:
        return [Artefact(posixpath.join(folder, "build/install", match[1]), "folder", "what Gradle installs")]
    named = re.search(r"""archive(?:FileName|Name)(?:\.set\(|\s*=)\s*["']([\w.-]+\.(?:jar|war))["']""", build)
    if named is not None:
        return [Artefact(posixpath.join(folder, "build/libs", named[1]), "file", "what Gradle packs")]
    if re.search(r"archive(?:BaseName|Version|Classifier|FileName|Name)|archivesName", build):
        return []
    version = re.search(r"""(?m)^\s*version\s*=?\s*["']([\w.+-]+)["']""", build)
    if version is None:
        version = re.search(r"(?m)^\s*version\s*=\s*([\w.+-]+)\s*$", texts["gradle.properties"] or "")
    if version is None and re.search(r"(?m)^\s*version\b", build):
        return []
    name = f"{match[1]}-{version[1]}" if version is not None else match[1]
    ending = "war" if re.search(r"""id[ (]["']war["']|bootWar""", build) else "jar"
    found = []
    everything = bool(tasks & {"build", "assemble"})
    if "shadow" not in build or everything or tasks & {"jar", "war", "bootjar", "bootwar"}:
        found.append(Artefact(posixpath.join(folder, "build/libs", f"{name}.{ending}"), "file", "what Gradle packs"))
    # The Shadow plugin packs no other jar for its own; `assemble` packs both.
    if "shadow" in build and (everything or "shadowjar" in tasks):
        found.append(
            Artefact(posixpath.join(folder, "build/libs", f"{name}-all.jar"), "file", "what Gradle's Shadow packs")
        )
    return found


_ARCHIVE = pattern(r"[^\s\"'\[\],;&|=]*\.(?:jar|war)\b")


def _taken(site: Site, folder: str | None, output: str) -> list[Artefact]:
    """Archives below the folder of outputs that the image starts, or that a command takes from there; a pattern stands for the one
    file that it must match."""
    found: dict[str, None] = {}
    workdir = site.build.after(site.stage).workdir
    for text in site.said(*_STARTING):
        for name in _ARCHIVE.findall(text):
            if not set(name) & set("*?$"):
                path = site.joined(workdir, name)
                if path is not None and f"/{output}/" in path:
                    found[path] = None
    for placed in site.commands:
        if posixpath.basename(placed.command.name or "") in ("cp", "mv", "ln", "install"):
            for word in placed.simple.words[1:-1]:
                path = site.path(placed, word)
                if path is not None and f"/{output}/" in path and path.endswith((".jar", ".war")):
                    found[re.sub(r"[*?]+", "app", path)] = None
    return [Artefact(path, "file", "what is packed") for path in found]
