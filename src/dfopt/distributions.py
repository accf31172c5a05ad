"""Python's distributions: which of them bring a module, what they bring along, and which ones a build installs.

Sources: the metadata of the distributions on PyPI (`top_level.txt`, `Requires-Dist`) as known in 2026-11. What a distribution brings along
is the union over its versions, so that a module is called missing rather too seldom than too often.
"""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, layers, needs, packages, projects
from dfopt.build import Build, Command, Stage
from dfopt.packages import Use
from dfopt.rule import Given
from dfopt.startup import NamedTuple

# Modules and the distributions that bring them, where the two have other names, or several bring one.
_OTHER_NAMES = {
    "attr": "attrs", "bs4": "beautifulsoup4 bs4", "bson": "pymongo bson", "Crypto": "pycryptodome pycrypto", "cv2":
    "opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless", "dateutil": "python-dateutil", "discord":
    "discord-py discord py-cord", "dotenv": "python-dotenv dotenv django-dotenv", "git": "gitpython", "github": "pygithub", "jose": "python-jose jose",
    "jwt": "pyjwt jwt", "magic": "python-magic file-magic python-magic-bin", "markdown": "markdown", "MySQLdb": "mysqlclient", "nacl": "pynacl", "OpenSSL":
    "pyopenssl", "PIL": "pillow pillow-simd", "psycopg2": "psycopg2 psycopg2-binary", "rest_framework": "djangorestframework", "serial": "pyserial", "sklearn":
    "scikit-learn sklearn", "skimage": "scikit-image", "telegram": "python-telegram-bot", "tensorflow":
    "tensorflow tensorflow-cpu tensorflow-gpu tensorflow-intel intel-tensorflow tf-nightly", "websocket": "websocket-client", "yaml": "pyyaml pyyaml-ft", "zmq": "pyzmq",
    "pymysql": "pymysql", "pkg_resources": "setuptools", "corsheaders": "django-cors-headers", "environ": "django-environ environ-config",
}  # fmt: skip

# Modules that one distribution of the same name brings.
_SAME_NAMES = frozenset(
    "aiofiles aiohttp alembic arrow asyncpg bcrypt boto3 botocore celery click cryptography django docker fastapi flask flask_cors flask_login"
    " flask_migrate flask_sqlalchemy flask_wtf gunicorn httpx jinja2 jsonschema loguru lxml matplotlib marshmallow motor nltk numpy openai openpyxl"
    " orjson pandas paramiko passlib peewee pika plotly prometheus_client psutil pydantic pydantic_settings pygments pymongo pytz redis requests"
    " rich scipy seaborn sentry_sdk simplejson six spacy sqlalchemy starlette stripe structlog tabulate tenacity toml torch torchvision tornado tqdm"
    " transformers twilio typer ujson uvicorn uvloop websockets werkzeug whitenoise wtforms xlsxwriter".split()
)

# What a distribution brings along, itself only; with its usual extras.
_BRINGS = {
    "aiofiles": "", "aiohappyeyeballs": "", "aiohttp": "aiohappyeyeballs aiosignal async-timeout attrs charset-normalizer frozenlist idna-ssl multidict propcache typing-extensions yarl",
    "aiosignal": "frozenlist typing-extensions", "alembic": "importlib-metadata importlib-resources mako python-dateutil python-editor sqlalchemy tomli typing-extensions",
    "amqp": "vine", "annotated-doc": "", "annotated-types": "typing-extensions", "anyio": "exceptiongroup idna sniffio typing-extensions", "arrow":
    "backports-zoneinfo python-dateutil types-python-dateutil typing-extensions tzdata", "asgiref": "typing-extensions", "async-timeout": "typing-extensions", "asyncpg":
    "async-timeout typing-extensions", "attrs": "", "backports-zoneinfo": "tzdata", "bcrypt": "cffi six", "beautifulsoup4": "soupsieve typing-extensions", "billiard": "", "black":
    "click mypy-extensions packaging pathspec platformdirs pytokens regex tomli typed-ast typing-extensions", "blinker": "", "boto3": "botocore jmespath s3transfer",
    "botocore": "docutils jmespath python-dateutil urllib3", "cached-property": "", "celery":
    "backports-zoneinfo billiard click click-didyoumean click-plugins click-repl exceptiongroup importlib-metadata kombu python-dateutil pytz setuptools typing-extensions tzdata vine",
    "certifi": "", "cffi": "pycparser", "chardet": "", "charset-normalizer": "", "click": "colorama importlib-metadata", "click-didyoumean": "click", "click-plugins": "click",
    "click-repl": "click prompt-toolkit six", "colorama": "", "contourpy": "numpy", "coverage": "tomli", "cryptography": "asn1crypto cffi idna six typing-extensions", "cycler": "six",
    "deprecated": "wrapt", "dj-database-url": "django typing-extensions", "django": "asgiref backports-zoneinfo pytz sqlparse typing-extensions tzdata", "django-cors-headers":
    "asgiref django", "django-environ": "", "django-filter": "django", "djangorestframework": "backports-zoneinfo django pytz", "dnspython": "", "docutils": "", "email-validator":
    "dnspython idna", "et-xmlfile": "", "exceptiongroup": "typing-extensions", "fastapi":
    "annotated-doc email-validator fastapi-cli httpx itsdangerous jinja2 orjson pydantic pydantic-extra-types pydantic-settings python-multipart pyyaml starlette typing-extensions"
    " typing-inspection ujson uvicorn", "fastapi-cli": "fastapi rich-toolkit typer uvicorn", "flake8": "importlib-metadata mccabe pycodestyle pyflakes", "flask":
    "blinker click importlib-metadata itsdangerous jinja2 markupsafe werkzeug", "flask-cors": "flask six werkzeug", "flask-login": "flask werkzeug", "flask-migrate":
    "alembic flask flask-sqlalchemy", "flask-sqlalchemy": "flask sqlalchemy", "flask-wtf": "flask itsdangerous wtforms", "fonttools": "", "frozenlist": "", "futures": "", "greenlet": "",
    "gunicorn": "eventlet gevent importlib-metadata packaging setuptools tornado", "eventlet": "dnspython greenlet six", "gevent": "cffi greenlet setuptools zope-event zope-interface",
    "zope-event": "setuptools", "zope-interface": "setuptools", "h11": "typing-extensions", "h2": "hpack hyperframe", "hpack": "", "hyperframe": "", "httpcore":
    "anyio certifi h11 h2 sniffio", "httptools": "", "httpx": "anyio certifi charset-normalizer h2 httpcore idna rfc3986 sniffio", "idna": "", "importlib-metadata":
    "typing-extensions zipp", "importlib-resources": "zipp", "iniconfig": "", "isort": "colorama toml", "itsdangerous": "", "jinja2": "markupsafe", "jmespath": "", "joblib": "",
    "jsonschema": "attrs importlib-metadata importlib-resources jsonschema-specifications pkgutil-resolve-name pyrsistent referencing rpds-py setuptools six typing-extensions",
    "jsonschema-specifications": "importlib-resources referencing", "kiwisolver": "typing-extensions", "kombu":
    "amqp backports-zoneinfo cached-property importlib-metadata packaging redis typing-extensions tzdata vine", "loguru": "aiocontextvars colorama win32-setctime", "lxml": "", "mako":
    "importlib-metadata markupsafe", "markdown": "importlib-metadata", "markdown-it-py": "attrs mdurl typing-extensions", "markupsafe": "", "marshmallow":
    "backports-datetime-fromisoformat packaging typing-extensions", "matplotlib":
    "contourpy cycler fonttools importlib-resources kiwisolver numpy packaging pillow pyparsing python-dateutil setuptools-scm", "mccabe": "", "mdurl": "", "motor": "pymongo",
    "multidict": "typing-extensions", "mypy": "librt mypy-extensions pathspec tomli typed-ast typing-extensions", "mypy-extensions": "", "mysqlclient": "", "numpy": "", "openpyxl":
    "et-xmlfile jdcal", "orjson": "", "packaging": "pyparsing six", "pandas": "numpy python-dateutil pytz tzdata", "paramiko": "bcrypt cryptography invoke pyasn1 pynacl six",
    "passlib": "argon2-cffi bcrypt cryptography", "pathspec": "", "peewee": "", "pillow": "", "pip": "", "platformdirs": "typing-extensions", "pluggy": "importlib-metadata",
    "poetry":
    "attrs backports-tarfile build cachecontrol certifi cffi charset-normalizer cleo clikit crashtest cryptography distlib dulwich fastjsonschema filelock findpython html5lib"
    " httpx idna importlib-metadata installer jaraco-classes jeepney jsonschema keyring lockfile more-itertools msgpack packaging pastel pbs-installer pexpect pkginfo platformdirs"
    " poetry-core poetry-plugin-export ptyprocess pycparser pylev pyproject-hooks rapidfuzz requests requests-toolbelt secretstorage shellingham six tomli tomlkit trove-classifiers"
    " urllib3 virtualenv webencodings xattr zipp zstandard", "prometheus-client": "", "prompt-toolkit": "six wcwidth", "propcache": "", "psutil": "", "psycopg2": "", "psycopg2-binary": "", "py": "", "pycodestyle": "", "pycparser": "ply",
    "pycryptodome": "", "pydantic": "annotated-types email-validator pydantic-core typing-extensions typing-inspection", "pydantic-core": "typing-extensions", "pydantic-extra-types":
    "pydantic typing-extensions", "pydantic-settings": "pydantic python-dotenv typing-inspection", "pyflakes": "", "pygments": "", "pyjwt": "cryptography typing-extensions", "pymongo":
    "dnspython", "pymysql": "cryptography", "pynacl": "cffi six", "pyparsing": "", "pyrsistent": "six", "pytest":
    "atomicwrites attrs colorama exceptiongroup importlib-metadata iniconfig more-itertools packaging pluggy py pygments six toml tomli wcwidth", "pytest-asyncio":
    "backports-asyncio-runner pytest typing-extensions", "pytest-cov": "coverage pluggy pytest toml tomli", "pytest-django": "pytest", "pytest-mock": "pytest", "pytest-xdist":
    "execnet psutil pytest pytest-forked six", "python-dateutil": "six", "python-dotenv": "click typing", "python-editor": "", "python-multipart": "six", "pytz": "", "pyyaml": "",
    "redis": "async-timeout cryptography deprecated hiredis importlib-metadata packaging pyjwt pyopenssl requests typing-extensions wrapt", "regex": "", "requests":
    "certifi chardet charset-normalizer idna pysocks urllib3", "rfc3986": "idna", "rich": "colorama commonmark ipywidgets markdown-it-py pygments typing-extensions",
    "rich-toolkit": "click rich typing-extensions", "rpds-py": "", "ruff": "", "s3transfer": "botocore futures", "scikit-learn": "joblib numpy scipy threadpoolctl", "scipy":
    "numpy pillow", "sentry-sdk": "certifi urllib3", "setuptools": "", "shellingham": "", "simplejson": "", "six": "", "sniffio": "", "soupsieve": "", "sqlalchemy":
    "greenlet importlib-metadata typing-extensions", "sqlparse": "", "starlette": "anyio httpx itsdangerous jinja2 python-multipart pyyaml typing-extensions", "tabulate": "wcwidth",
    "tenacity": "six", "threadpoolctl": "", "toml": "", "tomli": "", "tornado": "", "tqdm": "colorama", "typer": "annotated-doc click colorama rich shellingham typing-extensions",
    "types-python-dateutil": "", "typing-extensions": "", "typing-inspection": "typing-extensions", "tzdata": "", "ujson": "", "urllib3": "brotli certifi cryptography h2 idna pyopenssl pysocks",
    "uv": "", "uvicorn": "click colorama h11 httptools python-dotenv pyyaml typing-extensions uvloop watchfiles watchgod websockets", "uvloop": "", "vine": "", "watchfiles": "anyio",
    "wcwidth": "backports-functools-lru-cache", "websocket-client": "six", "websockets": "", "werkzeug": "markupsafe watchdog", "wheel": "", "whitenoise": "brotli django", "wrapt": "",
    "wtforms": "email-validator markupsafe", "xlsxwriter": "", "yarl": "idna multidict propcache typing-extensions", "zipp": "more-itertools",
}  # fmt: skip


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def of_module(name: str) -> tuple[str, ...]:
    """The distributions that bring a well-known module; none where that is not known."""
    top = name.partition(".")[0]
    if top in _OTHER_NAMES:
        return tuple(_OTHER_NAMES[top].split())
    return (normal(top),) if top in _SAME_NAMES else ()


def modules_of(distribution: str) -> tuple[str, ...]:
    """The modules by which a distribution may be imported, as far as its name and the table tell."""
    name = normal(distribution)
    found = [module for module, names in _OTHER_NAMES.items() if name in names.split()]
    plain = name.replace("-", "_")
    return tuple(dict.fromkeys((*found, plain, plain.removeprefix("python_"), plain.removesuffix("_python"))))


class Installed(NamedTuple):
    """The distributions that a build installs with all they bring along, by their normal names; `doubt` says why there may be more,
    "" where there are not. `declared` are those that lists and commands name; `unnamed` says what is installed that they do not name."""

    names: frozenset[str]
    declared: tuple[str, ...]
    doubt: str
    unnamed: str

    def may_bring(self, module: str) -> bool:
        """Whether something that is installed may bring a module, as far as names tell; True also where not all names are known."""
        top = module.partition(".")[0].lower()
        return bool(self.unnamed or of_module(module)) or any(
            top in name.split("-") or normal(top) in name for name in self.names
        )


# Commands that install nothing, whatever they are given.
_HARMLESS = frozenset(
    "cd export set : true echo printf test [ [[ id whoami which useradd adduser groupadd addgroup usermod ldconfig locale-gen virtualenv umask mkdir".split()
)


def installed(build: Build, given: Given, stage: Stage) -> Installed:
    """The distributions that are installed for an image of a stage, those of the stages that it copies from among them."""
    declared: dict[str, None] = {}
    along: set[str] = set()
    doubts: list[str] = []
    unnamed: list[str] = []
    bottom = build.chain(stage)[-1]
    repository, _ = bases.repository_of(bottom.image or "")
    if bottom.image is None or repository not in ("python", "debian", "ubuntu"):
        doubts.append(f"what `{bottom.base.text}` brings is not known")
    for number in sorted(build.reached(stage)):
        for index in build.stages[number].indexes:
            instruction = build.instructions[index]
            if instruction.name == "RUN":
                unnamed += _run(build, given, index, declared, along, repository != "python")
            elif instruction.name in ("COPY", "ADD"):
                copy = build.copy(index)
                if copy is None or (copy.origin is not None and copy.origin.stage is None):
                    text = copy.origin.text if copy is not None and copy.origin is not None else ""
                    if bases.repository_of(text)[0] not in ("ghcr.io/astral-sh/uv", "astral/uv"):
                        doubts.append("what is copied from another image is not known")
                elif instruction.name == "ADD" and any(
                    "://" in one or layers.ARCHIVE.search(one) for one in copy.sources or ("://",)
                ):
                    doubts.append("what ADD unpacks is not known")
                elif copy.origin is None and _among_installed(copy.destination, copy.sources or ()):
                    unnamed.append("what is copied among the installed modules is not known")
            elif instruction.name == "ONBUILD":
                doubts.append("an ONBUILD may install more")
    if re.search(r"\b(?:pip3?|uv|uvx|poetry|pipenv|conda|pdm|hatch)\b|\.sh\b", projects.start(build, stage) or ""):
        doubts.append("what the image starts may install more")
    names = {*declared, *along, "pip", "setuptools", "wheel"}
    pending = list(declared)
    while pending:
        name = pending.pop()
        brought = _BRINGS.get(name)
        if brought is None:
            if name in declared and name not in along:
                doubts.append(f"what `{name.removesuffix('[]')}` brings along is not known")
            continue
        fresh = [one for one in brought.split() if one not in names]
        names.update(fresh)
        pending += fresh
    doubts = unnamed + doubts
    names |= {name.removesuffix("[]") for name in declared}
    return Installed(frozenset(names), tuple(declared), doubts[0] if doubts else "", unnamed[0] if unnamed else "")


def _among_installed(destination: str | None, sources: tuple[str, ...]) -> bool:
    """Whether a COPY from the context may bring modules to where Python's own lie."""
    if destination is None or re.search(
        r"venv|virtualenv|python\d|(?:site|dist)-packages", " ".join((destination, *sources))
    ):
        return True
    above = any(layers.overlaps(destination.rstrip("/") or "/", one) for one in ("/usr/lib", "/usr/local/lib"))
    return above and not all(layers.is_file_name(one) for one in sources)


# Packages of Debian that need no program in Python (`libglib2.0-dev`, for one, does).
_OF_SYSTEM = frozenset(
    "bash build-essential bzip2 ca-certificates cmake curl dumb-init ffmpeg file g++ gcc git gnupg gosu jq less locales make nano netcat-openbsd openssh-client"
    " openssl pkg-config postgresql-client procps sudo tini tzdata unzip vim wget xz-utils zip".split()
)


def _run(
    build: Build, given: Given, index: int, declared: dict[str, None], along: set[str], of_system: bool
) -> Iterator[str]:
    """Note what a RUN installs; why it may install more. `of_system` is whether Python may be the distribution's own."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        yield "a RUN is not read"
        return
    for command in run.commands:
        use = command.use
        if use is None:
            if not _installs_nothing(command):
                yield f"it is not known what `{command.label}` installs"
            continue
        if use.uncertain:
            yield f"a word of `{use.manager.name} {use.verb}` is not known"
        if use.action in ("clean", "query", "update", "upgrade", "remove", "download", "init"):
            if use.action == "download" and use.manager.family == "pip":
                yield "what is downloaded may be installed later"
        elif use.manager.family == "pip" and (use.manager.name != "uv" or use.verb.startswith("pip")):
            if use.action != "install" or use.has("--editable"):
                yield f"it is not known what `{use.manager.name} {use.verb}` installs"
            for text, name in needs.requirements(build, given, index, use):
                if name is None:
                    yield f"what `{text.lstrip('?')}` installs is not known"
                elif normal(name) in _BRINGS or "[" not in text:
                    declared[normal(name)] = None
                else:
                    # With extras it brings more than the table says.
                    declared[f"{normal(name)}[]"] = None
        elif use.manager.name in ("uv", "poetry") and use.action == "install":
            locked = _locked(build, given, index, use)
            if locked is None:
                yield f"what `{use.manager.name}` installs is not known"
            else:
                along |= locked
        elif use.manager.family in ("apt", "apk"):
            if any((word.value or "py").startswith("py") for word in use.operands if not _plain(word.value)):
                yield "packages of the distribution bring modules too"
            elif of_system and any(not _brings_none(word.value) for word in use.operands):
                yield "packages of the distribution may bring modules too"
        elif use.manager.family not in ("npm", "yarn", "pnpm"):
            yield f"it is not known what `{use.manager.name}` installs"


def _plain(package: str | None) -> bool:
    """Whether a package of Debian brings Python or its tools, and no other module that one would import."""
    return (
        re.fullmatch(r"python3?(?:\.\d+)?(?:-(?:minimal|dev|venv|pip))?", (package or "?").partition("=")[0])
        is not None
    )


def _brings_none(package: str | None) -> bool:
    """Whether a package of Debian certainly brings no modules for its own Python; others may be, or need, programs in Python."""
    name = (package or "?").partition("=")[0]
    return _plain(package) or name in _OF_SYSTEM


def _installs_nothing(command: Command) -> bool:
    words = [word.value for word in command.simple.words]
    name = posixpath.basename(words[0] or "?") if words else ":"
    if name in _HARMLESS or packages.touches_only_its_words(command.simple):
        return True
    if re.fullmatch(r"python[0-9.]*", name):
        return words[1:3] in (["-m", "venv"], ["-m", "compileall"]) or (words[1:2] == ["manage.py"])
    return name in (".", "source") and len(words) == 2 and (words[1] or "").endswith("/activate")


def _locked(build: Build, given: Given, index: int, use: Use) -> set[str] | None:
    """All that a lock file of uv or Poetry names; None where it is not read."""
    import tomllib

    if use.operands:
        return None
    text = needs.file_text(build, given, index, "uv.lock" if use.manager.name == "uv" else "poetry.lock")
    try:
        found = tomllib.loads(text or "").get("package")
    except tomllib.TOMLDecodeError:
        return None
    if not isinstance(found, list):
        return None
    return {normal(str(one.get("name", ""))) for one in found if isinstance(one, dict)}
