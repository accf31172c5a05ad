"""The package managers' table and the reading of their command lines; run as a program it writes docs/package-managers.md."""

import os
import pathlib
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings, strategies
from real_files import CORPUS

from dfopt import packages, shell, source, syntax
from dfopt.shell import Simple

ROOT = pathlib.Path(__file__).parents[1]
ACTIONS = {"install", "update", "upgrade", "remove", "clean", "download", "build", "run", "init", "query", "other"}


def command(text: str) -> Simple:
    script = shell.read(text, "bash")
    assert script.opaque is None, script.opaque
    (found,) = [simple for simple, inside in shell.simple_commands(script) if not inside]
    return found


def use(text: str) -> packages.Use:
    found = packages.recognise(command(text))
    assert found is not None, text
    return found


# A command line, and behind `=>` what it is: manager, action, verb | options (canonical) | operands; or `none`.
LINES = r"""
apt-get update => apt-get update update
apt-get -qq update => apt-get update update | --quiet --quiet
apt-get -qq -y update => apt-get update update | --quiet --quiet --yes
apt-get install -y curl git => apt-get install install | --yes | curl git
apt-get install curl -y => apt-get install install | --yes | curl
apt-get -yq install curl => apt-get install install | --yes --quiet | curl
apt-get install -y=true curl => apt-get install install | --yes=true | curl
apt-get install -y=false curl => apt-get install install | --yes=false | curl
apt-get install -qqy --no-install-recommends curl => apt-get install install | --quiet --quiet --yes --no-install-recommends | curl
apt-get install -q=2 curl => apt-get install install | --quiet=2 | curl
apt-get install -q 2 curl => apt-get install install | --quiet=2 | curl
apt-get install --install-recommends no curl => apt-get install install | --install-recommends=no | curl
apt-get install --no-install-recommends nginx=1.2 => apt-get install install | --no-install-recommends | nginx=1.2
apt-get -o Dpkg::Options::=--force-confold install -y x => apt-get install install | --option=Dpkg::Options::=--force-confold --yes | x
apt-get -oAPT::Install-Recommends=0 install x => apt-get install install | --option=APT::Install-Recommends=0 | x
apt-get -o=Dpkg::Use-Pty=0 install x => apt-get install install | --option=Dpkg::Use-Pty=0 | x
apt-get --option=Acquire::Retries=3 update => apt-get update update | --option=Acquire::Retries=3
apt-get -t bookworm-backports install x => apt-get install install | --default-release=bookworm-backports | x
apt-get install -tsid x => apt-get install install | --default-release=sid | x
apt-get install -y ./x.deb /tmp/y.deb => apt-get install install | --yes | ./x.deb /tmp/y.deb
apt-get install -y -- curl => apt-get install install | --yes | curl
apt-get install -y --frobnicate curl => none
apt-get install -yJ curl => none
apt-get frobnicate curl => none
apt-get $VERB curl => none
apt-get install $OPTIONS curl => apt-get install install | | $OPTIONS curl
apt-get install -y "$PACKAGE" => apt-get install install | --yes | "$PACKAGE"
apt-get install -$X curl => none
apt-get install --$X curl => none
apt-get install -o => none
apt-get build-dep -y nginx => apt-get install build-dep | --yes | nginx
apt-get builddep -y nginx => apt-get install build-dep | --yes | nginx
apt-get full-upgrade => apt-get upgrade dist-upgrade
apt-get dist-upgrade -y => apt-get upgrade dist-upgrade | --yes
apt-get purge --auto-remove -y gcc => apt-get remove purge | --auto-remove --yes | gcc
apt-get autoremove -y => apt-get remove autoremove | --yes
apt-get clean => apt-get clean clean
apt-get autoclean => apt-get clean autoclean
apt-get distclean => apt-get clean distclean
apt-get source --compile nginx => apt-get download source | --compile | nginx
apt-get download curl => apt-get download download | | curl
apt-get --version => apt-get query  | --version
apt install -y --fix-missing curl => apt install install | --yes --ignore-missing | curl
apt list --installed => apt query list | --installed
aptitude install -y -R curl => aptitude install install | --assume-yes --without-recommends | curl
aptitude -q=2 update => aptitude update update | --quiet==2
/usr/bin/apt-get update => apt-get update update
sudo apt-get update => apt-get update update
sudo -E -u root apt-get update => apt-get update update
sudo -Hu root DEBIAN_FRONTEND=noninteractive apt-get install x => apt-get install install | | x
sudo --user=app pip install x => pip install install | | x
sudo --frobnicate apt-get update => none
sudo -D /tmp apt-get update => none
sudo -i => none
env DEBIAN_FRONTEND=noninteractive apt-get install -y x => apt-get install install | --yes | x
env -i PATH=/bin apt-get update => apt-get update update
env -S "apt-get update" => none
env -C /x npm ci => none
command apt-get update => apt-get update update
command -v apt-get => none
exec npm start => npm run start
nice -n 10 make => none
nice -n 10 cargo build => cargo build build
/usr/bin/time -p go build ./... => go build build | | ./...
timeout -k 5 300 npm ci => npm install ci
timeout 300 apt-get update => apt-get update update
eatmydata apt-get install x => apt-get install install | | x
xargs apt-get install => none
echo apt-get install => none
$APT install x => none
DEBIAN_FRONTEND=noninteractive apt-get install x => apt-get install install | | x
apk add --no-cache git => apk install add | --no-cache | git
apk --no-cache add git => apk install add | --no-cache | git
apk --update add git => apk install add | --update | git
apk add -U git => apk install add | --update | git
apk add --update-cache git => apk install add | --update | git
apk add --no-cache --virtual .build-deps gcc musl-dev => apk install add | --no-cache --virtual=.build-deps | gcc musl-dev
apk add --no-cache -t .deps gcc => apk install add | --no-cache --virtual=.deps | gcc
apk add --no-cache --virtual=.deps gcc => apk install add | --no-cache --virtual=.deps | gcc
apk add --repository https://x/edge/main --no-cache y => apk install add | --repository=https://x/edge/main --no-cache | y
apk add -X https://x y => apk install add | --repository=https://x | y
apk -X https://x upgrade y => apk upgrade upgrade | --repository=https://x | y
apk add --virt .deps gcc => apk install add | --virtual=.deps | gcc
apk add --foo gcc => none
apk del .build-deps => apk remove del | | .build-deps
apk del --purge x => apk remove del | --purge | x
apk update => apk update update
apk upgrade --no-cache => apk upgrade upgrade | --no-cache
apk cache clean => apk clean cache clean
apk cache => none
apk info -vv => apk query info | --verbose --verbose
apk --version => apk query  | --version
yum install -y httpd => yum install install | --assumeyes | httpd
yum -y install httpd => yum install install | --assumeyes | httpd
yum clean all => yum clean clean | | all
yum --setopt=tsflags=nodocs install -y x => yum install install | --setopt=tsflags=nodocs --assumeyes | x
yum update -y => yum upgrade upgrade | --assumeyes
yum groupinstall -y "Development Tools" => yum install groupinstall | --assumeyes | "Development Tools"
yum-config-manager --enable x => none
dnf install -y --setopt=install_weak_deps=False x => dnf install install | --assumeyes --setopt=install_weak_deps=False | x
dnf install -y --enablerepo=$REPO x => dnf install install | --assumeyes --enablerepo=? | x
dnf --nodocs -y install x => dnf install install | --nodocs --assumeyes | x
dnf -y --disablerepo '*' --enablerepo extras install x => dnf install install | --assumeyes --disablerepo=* --enablerepo=extras | x
dnf module enable -y nodejs:18 => dnf install module install | --assumeyes | nodejs:18
dnf makecache => dnf update makecache
dnf config-manager --set-enabled crb => dnf other config-manager | --enable | crb
dnf5 install -y x => dnf5 install install | --assumeyes | x
microdnf install -y --nodocs x => microdnf install install | --assumeyes --nodocs | x
microdnf clean all => microdnf clean clean | | all
tdnf install -y x => tdnf install install | --assumeyes | x
zypper install -y x => zypper install install | --no-confirm | x
zypper -n in --no-recommends x => zypper install install | --non-interactive --no-recommends | x
zypper --non-interactive --gpg-auto-import-keys refresh => zypper update refresh | --non-interactive --gpg-auto-import-keys
zypper ref => zypper update refresh
zypper clean -a => zypper clean clean | --all
zypper dup -y => zypper upgrade dist-upgrade | --no-confirm
zypper ar -f https://x repo => zypper other addrepo | --refresh | https://x repo
zypper in --frob x => none
pip install flask => pip install install | | flask
pip3 install flask==2.0 => pip install install | | flask==2.0
pip3.12 install flask => pip install install | | flask
/opt/venv/bin/pip install flask => pip install install | | flask
python -m pip install flask => pip install install | | flask
python3 -m pip install flask => pip install install | | flask
python3.11 -m pip install flask => pip install install | | flask
python3 -u -W ignore -mpip install flask => pip install install | | flask
python3 -m venv /venv => none
python3 setup.py install => none
python3 -c "import pip" => none
pip install -r requirements.txt => pip install install | --requirement=requirements.txt
pip install -rrequirements.txt => pip install install | --requirement=requirements.txt
pip install --requirement=requirements.txt => pip install install | --requirement=requirements.txt
pip install -r a.txt -c b.txt -e . => pip install install | --requirement=a.txt --constraint=b.txt --editable=.
pip install --no-cache-dir -U pip setuptools => pip install install | --no-cache-dir --upgrade | pip setuptools
pip install --no-cache x => pip install install | --no-cache-dir | x
pip install --upg x => none
pip install --force x => pip install install | --force-reinstall | x
pip install -qU x => pip install install | --quiet --upgrade | x
pip -q install x => pip install install | --quiet | x
pip --no-cache-dir install x => pip install install | --no-cache-dir | x
pip install -i https://x --extra-index-url https://y z => pip install install | --index-url=https://x --extra-index-url=https://y | z
pip install --index-url="$INDEX" z => pip install install | --index-url=? | z
pip install --index-url $INDEX z => pip install install | --index-url=? | z
pip install --frob x => none
pip install --no-deps=1 x => none
pip install *.whl => pip install install | | *.whl
pip download -d /w x => pip download download | --dest=/w | x
pip wheel -w /w -r r.txt => pip build wheel | --wheel-dir=/w --requirement=r.txt
pip uninstall -y x => pip remove uninstall | --yes | x
pip cache purge => pip clean cache purge
pip config set global.index-url https://x => pip other config set | | global.index-url https://x
pip --version => pip query  | --version
pip install --help => pip query install | --help
"$VIRTUAL_ENV/bin/pip" install x => pip install install | | x
uv sync --frozen --no-dev => uv install sync | --frozen --no-dev
uv sync --locked --no-install-project --extra gpu => uv install sync | --locked --no-install-project --extra=gpu
uv pip install --system -r requirements.txt => uv install pip install | --system --requirements=requirements.txt
uv pip install --no-cache-dir x => uv install pip install | --no-cache | x
uv -n pip install x => uv install pip install | --no-cache | x
uv pip compile -o out.txt in.txt => uv build pip compile | --output-file=out.txt | in.txt
uv add flask => uv install add | | flask
uv tool install ruff => uv install tool install | | ruff
uv run --frozen pytest -x --lf => uv run run | --frozen | pytest -x --lf
uv cache clean => uv clean cache clean
uv python install $V => uv install python install | | $V
uv frob => none
poetry install --no-root --only main => poetry install install | --no-root --only=main
poetry install --without=dev,test --no-interaction --no-ansi => poetry install install | --without=dev,test --no-interaction --no-ansi
poetry install -nvv => poetry install install | --no-interaction --verbose --verbose
poetry config virtualenvs.create false => poetry other config | | virtualenvs.create false
poetry export -f requirements.txt --output r.txt --without-hashes => poetry build export | --format=requirements.txt --output=r.txt --without-hashes
poetry run pytest -x => poetry run run | | pytest -x
poetry cache clear --all pypi => poetry clean cache clear | --all | pypi
poetry frob => none
pipenv install --system --deploy --ignore-pipfile => pipenv install install | --system --deploy --ignore-pipfile
pipenv sync --dev => pipenv install sync | --dev
pipenv --clear => pipenv clean  | --clear
pipenv run python -m x => pipenv run run | | python -m x
conda install -y -c conda-forge numpy => conda install install | --yes --channel=conda-forge | numpy
conda clean -afy => conda clean clean | --all --force-pkgs-dirs --yes
conda clean --all --yes => conda clean clean | --all --yes
conda env create -f environment.yml => conda install env create | --file=environment.yml
conda env update --name base --file e.yml --prune => conda install env update | --name=base --file=e.yml --prune
conda create -n x python=3.9 => conda install create | --name=x | python=3.9
conda run -n x python -c 1 => conda run run | --name=x | python -c 1
conda config --add channels conda-forge => conda other config | --prepend=channels
${CONDA}/bin/conda install x => conda install install | | x
conda install -f r.txt => none
mamba install --yes --file r.txt => mamba install install | --yes --file=r.txt
micromamba install -y -n base -f env.yaml => micromamba install install | --yes --name=base --file=env.yaml
npm install => npm install install
npm i express => npm install install | | express
npm add express => npm install install | | express
npm isntall => npm install install
npm ci => npm install ci
npm clean-install --omit=dev => npm install ci | --omit=dev
npm ci --omit dev => npm install ci | --omit=dev
npm it => npm install install-test
npm cit => npm install install-ci-test
npm install --production => npm install install | --production
npm install --production false => npm install install | --production=false
npm install --prod => npm install install | --production
npm install --only=prod => npm install install | --only=prod
npm install -g npm@9 => npm install install | --global | npm@9
npm -g install npm@9 => npm install install | --global | npm@9
npm install -gS x => npm install install | --global --save | x
npm --prefix client install => npm install install | --prefix=client
npm install --no-audit --no-fund => npm install install | --no-audit --no-fund
npm install --frobnicate express => npm install install | --frobnicate | express
npm install --frobnicate=1 express => npm install install | --frobnicate=1 | express
npm install --cache /tmp/c x => npm install install | --cache=/tmp/c | x
npm cache clean --force => npm clean cache clean | --force
npm cache --force clean => npm clean cache clean | --force
npm run build -- --prod => npm run run | | build --prod
npm test => npm run test
npm prune --omit=dev => npm remove prune | --omit=dev
npm config set registry https://x => npm other config set | | registry https://x
npm config get registry => npm query config get | | registry
npm -v => npm query  | --version
npm frob => none
npx create-app => none
yarn => yarn install install
yarn --frozen-lockfile => yarn install install | --frozen-lockfile
yarn install --production --frozen-lockfile => yarn install install | --production --frozen-lockfile
yarn install --production=true => yarn install install | --production=true
yarn install --production false => yarn install install | --production=false
yarn install --immutable => yarn install install | --immutable
yarn add -D typescript => yarn install add | --dev | typescript
yarn global add serve => yarn install global add | | serve
yarn build --mode production => yarn run build | | --mode production
yarn run build --mode production => yarn run run | | build --mode production
yarn workspaces focus --production --all => yarn install workspaces focus | --production --all
yarn workspace api build => yarn run workspace | | api build
yarn cache clean --all => yarn clean cache clean | --all
yarn set version berry => yarn other set version | | berry
yarn --version => yarn query  | --version
corepack enable => none
corepack yarn install --immutable => yarn install install | --immutable
corepack pnpm@9 install => pnpm install install
pnpm install --frozen-lockfile --prod => pnpm install install | --frozen-lockfile --prod
pnpm i -P => pnpm install install | --prod
pnpm -r --filter ./app build --x => pnpm run build | --recursive --filter=./app | --x
pnpm --filter=app... install => pnpm install install | --filter=app...
pnpm fetch --prod => pnpm download fetch | --prod
pnpm store prune => pnpm clean store prune
pnpm install --config.foo=bar => pnpm install install | --config.foo=bar
pnpm install --frobnicate => none
bun install --frozen-lockfile --production => bun install install | --frozen-lockfile --production
bun i => bun install install
bun run build --x => bun run run | | build --x
bun server.ts => bun run server.ts
bun pm cache rm => bun clean pm cache rm
go mod download => go download mod download
go mod download -x => go download mod download | -x
go build => go build build
go build -o /app ./cmd/x => go build build | -o=/app | ./cmd/x
go build -ldflags="-s -w" -o /app . => go build build | -ldflags=-s -w -o=/app | .
go build --ldflags '-s' . => go build build | -ldflags=-s | .
go build -v -trimpath -tags=netgo . => go build build | -v -trimpath -tags=netgo | .
go build . -o /app => none
go build -frob . => none
go get -d ./... => go install get | -d | ./...
go install example.com/x@latest => go install install | | example.com/x@latest
go test -race ./... -run X => go run test | -race -run=X | ./...
go run main.go -port 80 => go run run | | main.go -port 80
go clean -cache -modcache => go clean clean | -cache -modcache
go env -w GOPROXY=x => go other env | -w | GOPROXY=x
cargo build --release => cargo build build | --release
cargo b -r -j4 => cargo build build | --release --jobs=4
cargo build -j "$(nproc)" => cargo build build | --jobs=?
cargo build -j$(nproc) => cargo build build | --jobs=?
cargo +nightly build --release => cargo build build | +toolchain --release
cargo --locked build => cargo build build | --locked
cargo fetch --locked => cargo download fetch | --locked
cargo install --path . --root=/usr => cargo install install | --path=. --root=/usr
cargo install cargo-chef --version 0.1 => cargo install install | --version=0.1 | cargo-chef
cargo chef cook --release --recipe-path recipe.json => cargo build chef cook | --release --recipe-path=recipe.json
cargo chef prepare --recipe-path recipe.json => cargo query chef prepare | --recipe-path=recipe.json
cargo run -- --port 80 => cargo run run | | --port 80
cargo clean => cargo other clean
cargo frob => none
mvn package => maven build package | | package
mvn -B -q -DskipTests clean package => maven build clean | --batch-mode --quiet --define=skipTests | clean package
./mvnw dependency:go-offline -B => maven download dependency:go-offline | --batch-mode | dependency:go-offline
mvn -f app/pom.xml -T 1C -Pprod install => maven build install | --file=app/pom.xml --threads=1C --activate-profiles=prod | install
mvn -Dmaven.repo.local=/m2 verify => maven build verify | --define=maven.repo.local=/m2 | verify
mvn --define x=y -ntp verify => maven build verify | --define=x=y --no-transfer-progress | verify
mvn -Z verify => none
mvn --version => maven query  | --version
gradle build --no-daemon => gradle build build | --no-daemon | build
./gradlew :app:build -x test -Pfoo=bar => gradle build :app:build | --exclude-task=test --project-prop=foo=bar | :app:build
sh ./gradlew build => gradle build build | | build
gradle dependencies => gradle download dependencies | | dependencies
gradle -g /cache build => gradle build build | --gradle-user-home=/cache | build
gradle build --frob => none
dotnet restore => dotnet download restore
dotnet restore "A/A.csproj" -r linux-x64 => dotnet download restore | --runtime=linux-x64 | "A/A.csproj"
dotnet publish -c Release -o /app --no-restore => dotnet build publish | --configuration=Release --output=/app --no-restore
dotnet publish /src/A.csproj /p:UseAppHost=false -c Release => dotnet build publish | --property=UseAppHost=false --configuration=Release | /src/A.csproj
dotnet publish -p:PublishSingleFile=true --self-contained false => dotnet build publish | --property=PublishSingleFile=true --self-contained=false
dotnet build --configuration:Release -nowarn:msb3202 => dotnet build build | --configuration=Release -nowarn=msb3202
dotnet test --no-build => dotnet run test | --no-build
dotnet tool install --global x --version 1 => dotnet install tool install | --global --version=1 | x
dotnet nuget locals all --clear => dotnet clean nuget locals | --clear | all
dotnet nuget locals --clear all => dotnet clean nuget locals | --clear | all
dotnet --info => dotnet query  | --info
dotnet publish --frob => none
nuget restore x.sln -PackagesDirectory packages => nuget download restore | -PackagesDirectory=packages | x.sln
composer install --no-dev --optimize-autoloader => composer install install | --no-dev --optimize-autoloader
composer install -o -n --prefer-dist => composer install install | --optimize-autoloader --no-interaction --prefer-dist
composer install -on => composer install install | --optimize-autoloader --no-interaction
php composer.phar install => composer install install
php -d memory_limit=-1 /usr/bin/composer require x/y => composer install require | | x/y
php artisan migrate => none
composer global require x/y:1.0 => composer install global require | | x/y:1.0
composer dump-env prod => composer run dump-env | | prod
composer clear-cache => composer clean clear-cache
composer install --frob => none
bundle => bundler install install
bundle install --jobs=8 --without development test => bundler install install | --jobs=8 --without=development | test
bundle install -j4 --retry 3 => bundler install install | --jobs=4 --retry=3
bundle config set --local without 'development test' => bundler other config set | --local | without 'development test'
bundle install --path vendor/bundle => bundler install install | --path=vendor/bundle
bundle exec rake -T => bundler run exec | | rake -T
gem install bundler -v 2.4 --no-document => gem install install | --version=2.4 --no-document | bundler
gem install --no-ri --no-rdoc rails => gem install install | --no-ri --no-rdoc | rails
gem update --system => gem upgrade update | --system
gem update --system 3.5.11 => gem upgrade update | --system=3.5.11
gem sources --clear-all => gem other sources | --clear-all
gem install --frob x => none
"""
CASES = [tuple(line.split(" => ")) for line in LINES.strip().split("\n")]


def described(text: str) -> str:
    found = packages.recognise(command(text))
    if found is None:
        return "none"
    options = " ".join(
        option.canonical + ("=?" if option.unknown else "" if option.value is None else f"={option.value}")
        for option in found.options
    )
    operands = " ".join(word.text for word in found.operands)
    return f"{found.manager.name} {found.action} {found.verb} | {options} | {operands}".rstrip(" |").replace(
        "|  |", "| |"
    )


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_command_line_is_read(line: str, expected: str) -> None:
    assert described(line) == expected.rstrip(" |")


def test_the_cases_are_many_and_cover_every_manager() -> None:
    assert len(CASES) >= 150
    assert len({line for line, _ in CASES}) == len(CASES)
    assert {expected.split(" ")[0] for _, expected in CASES} - {"none"} == set(packages.MANAGERS)
    assert {expected.split(" ")[1] for _, expected in CASES if expected != "none"} <= ACTIONS


# --- What a use tells a rule. ---


@pytest.mark.parametrize("text", [
    "apt-get install --no-install-recommends x",
    "apt-get install --install-recommends=false x",
    "apt-get -o APT::Install-Recommends=0 install x",
    "apt-get -o APT::Install-Recommends=false install x",
    "apt-get install -o=APT::Install-Recommends=no x",
    "aptitude install -R x",
    "dnf install --setopt=install_weak_deps=False x",
    "microdnf install --setopt=install_weak_deps=0 x",
    "zypper install --no-recommends x",
])  # fmt: skip
def test_recommended_packages_are_off(text: str) -> None:
    assert use(text).no_recommends


@pytest.mark.parametrize("text", [
    "apt-get install x",
    "apt-get install --install-recommends x",
    "apt-get -o APT::Install-Recommends=1 install x",
    "apt-get -o APT::Install-Suggests=0 install x",
    "apt-get install --no-install-suggests x",
    "dnf install --setopt=install_weak_deps=True x",
])  # fmt: skip
def test_recommended_packages_are_on(text: str) -> None:
    assert not use(text).no_recommends


@pytest.mark.parametrize(("text", "off"), [
    ("pip install x", False),
    ("pip install --no-cache-dir x", True),
    ("pip --no-cache-dir install x", True),
    ("PIP_NO_CACHE_DIR=1 pip install x", True),
    ("PIP_NO_CACHE_DIR=off pip install x", True),
        ("PIP_NO_CACHE_DIR= pip install x", False),
        ("UV_NO_CACHE=0 uv sync", False),
    ("PIP_NO_CACHE_DIR=$X pip install x", False),
    ("env PIP_NO_CACHE_DIR=1 pip install x", True),
    ("uv pip install -n x", True),
    ("UV_NO_CACHE=true uv sync", True),
    ("apk add --no-cache x", True),
    ("apk add -U x", False),
    ("composer install --no-cache", True),
    ("poetry install --no-cache", False),
    ("npm ci", False),
])  # fmt: skip
def test_a_cache_is_off(text: str, off: bool) -> None:
    assert use(text).no_cache is off
    assert use(text).fills_caches is not off


@pytest.mark.parametrize(("text", "production"), [
    ("npm ci --omit=dev", True),
    ("npm ci --omit=optional", False),
    ("npm ci --omit dev", True),
    ("npm install --production", True),
    ("npm install --production=false", False),
    ("npm install --production false", False),
    ("npm install --only=production", True),
    ("NODE_ENV=production npm ci", True),
    ("yarn --production", True),
    ("yarn --production=false", False),
    ("pnpm install -P", True),
    ("bun install -p", True),
    ("poetry install --only main", True),
    ("poetry install --without dev,test", True),
    ("poetry install --with dev", False),
    ("uv sync --no-dev", True),
    ("composer install --no-dev", True),
    ("bundle install --without development:test", True),
    ("bundle install", False),
])  # fmt: skip
def test_development_dependencies_are_left_out(text: str, production: bool) -> None:
    assert use(text).production is production


@pytest.mark.parametrize(("text", "fetches", "needs"), [
    ("apt-get update", True, False),
    ("apt-get install x", False, True),
    ("apt-get install ./x.deb", False, True),
    ("apt-get install ./x.deb y", False, True),
    ("apt-get install -U x", True, False),
    ("apt-get upgrade", False, True),
    ("apt-get remove x", False, False),
    ("apt-get clean", False, False),
    ("apk add x", False, True),
    ("apk add --no-cache x", False, False),
    ("apk add -U x", True, False),
    ("apk --update add x", True, False),
    ("apk add --update --no-cache x", False, False),
    ("apk update", True, False),
    ("dnf install x", True, False),
    ("dnf makecache", True, False),
    ("dnf clean all", False, False),
    ("zypper refresh", True, False),
    ("pip install x", False, False),
])  # fmt: skip
def test_lists(text: str, fetches: bool, needs: bool) -> None:
    assert (use(text).fetches_lists, use(text).needs_lists) == (fetches, needs)


@pytest.mark.parametrize(("text", "emptied"), [
    ("apt-get clean", ("/var/cache/apt",)),
    ("apt-get distclean", ("/var/cache/apt", "/var/lib/apt/lists")),
    ("apt-get autoclean", ()),
    ("yum clean all", ("/var/cache/yum", "/var/cache/dnf", "/var/cache/libdnf5")),
    ("dnf clean metadata", ()),
    ("zypper clean --all", ("/var/cache/zypp/packages", "/var/cache/zypp/raw", "/var/cache/zypp/solv")),
    ("zypper clean", ("/var/cache/zypp/packages",)),
    ("apk cache clean", ()),
    ("apk cache purge", ("/var/cache/apk",)),
    ("pip cache purge", ("{home}/.cache/pip",)),
    ("pip cache remove x", ()),
    ("npm cache clean --force", ("{home}/.npm/_cacache",)),
    ("npm cache clean", ()),
    ("yarn cache clean", ("/usr/local/share/.cache/yarn", "{home}/.cache/yarn")),
    ("pnpm store prune", ("{home}/.cache/pnpm",)),
    ("conda clean -afy", ("/opt/conda/pkgs", "{home}/.conda/pkgs")),
    ("conda clean -ty", ()),
    ("micromamba clean -ay", ("{home}/micromamba/pkgs",)),
    ("composer clearcache", ("{home}/.composer/cache", "{home}/.cache/composer")),
    ("go clean -modcache", ("{home}/go/pkg/mod",)),
    ("go clean", ()),
    ("gem cleanup", ()),
    ("dotnet nuget locals all --clear", ("{home}/.nuget/packages", "{home}/.local/share/NuGet/http-cache", "/tmp/NuGetScratch")),
    ("uv cache clean", ("{home}/.cache/uv",)),
    ("uv cache prune", ()),
    ("pipenv --clear", ("{home}/.cache/pipenv",)),
])  # fmt: skip
def test_what_a_clean_command_empties(text: str, emptied: tuple[str, ...]) -> None:
    assert use(text).empties == emptied


@pytest.mark.parametrize(("text", "reads"), [
    ("npm ci", True), ("npm install -g x", False), ("npm install x", True), ("npm cache clean --force", False),
    ("pip install x", False), ("pip install -r r.txt", True), ("pip install .", True), ("pip install -e .", True),
    ("pip install ./x.whl", False), ("uv sync", True), ("uv pip install x", False), ("uv pip install -r r.txt", True),
    ("go mod download", True), ("go install x.y/z@latest", False), ("go install ./cmd/x", True), ("cargo install x", False),
    ("cargo install --path .", True), ("cargo build", True), ("mvn package", True), ("bundle install", True),
    ("gem install rails", False), ("composer install", True), ("composer global require x/y", False), ("dotnet restore", True),
    ("dotnet tool install x", False), ("conda install x", False), ("conda install --file r.txt", True),
    ("conda env create", True), ("yarn", True), ("yarn global add x", False), ("apt-get install x", False),
])  # fmt: skip
def test_the_project_is_read(text: str, reads: bool) -> None:
    assert use(text).reads_project is reads


@pytest.mark.parametrize(("text", "values", "places"), [
    ("pip install -r requirements.txt", ["requirements.txt"], [(15, 31)]),
    ("pip install -rrequirements.txt", ["requirements.txt"], [(14, 30)]),
    ("pip install --requirement=a.txt -c b.txt", ["a.txt", "b.txt"], [(26, 31), (35, 40)]),
    ("pip install -r 'a b.txt'", ["a b.txt"], [(15, 24)]),
    ("pip install -r $F", [None], [(15, 17)]),
    ("pip install -r$F", [None], [(14, 16)]),
    ("conda env create -f e.yml", ["e.yml"], [(20, 25)]),
    ("mvn -f a/pom.xml package", ["a/pom.xml"], [(7, 16)]),
    ("cargo fetch --manifest-path a/Cargo.toml", ["a/Cargo.toml"], [(28, 40)]),
])  # fmt: skip
def test_manifests_named_by_options(text: str, values: list[str | None], places: list[tuple[int, int]]) -> None:
    manifests = use(text).manifests
    assert [word.value for word in manifests] == values
    assert [(word.start, word.end) for word in manifests] == places
    assert [word.text for word in manifests] == [text[start:end] for start, end in places]


@pytest.mark.parametrize(("text", "folder"), [
    ("npm --prefix client ci", "client"), ("npm -C client ci", "client"), ("yarn --cwd web install", "web"), ("pnpm -C web i", "web"),
    ("composer install -d app", "app"), ("go -C src build", "src"), ("uv sync --project x", "x"), ("gradle -p sub build", "sub"),
    ("poetry -C x install", "x"),
])  # fmt: skip
def test_the_folder_that_an_option_names(text: str, folder: str) -> None:
    assert [word.value for word in use(text).directories] == [folder]


@pytest.mark.parametrize(("text", "verb", "word"), [
    ("sudo -E apt-get -o A=b update", "update", 5), ("python3 -m pip install x", "install", 3), ("npm cache --force clean", "cache clean", 1),
    ("yarn", "install", 0), ("env A=b yarn", "install", 2), ("yarn build", "build", 1), ("mvn -q package", "package", 2),
    ("npm i x", "install", 1),
])  # fmt: skip
def test_the_place_of_the_verb(text: str, verb: str, word: int) -> None:
    assert (use(text).verb, use(text).verb_index) == (verb, word)


def test_options_know_their_word_and_all_their_names() -> None:
    found = use("sudo apt-get -yq install -t sid curl --no-install-recommends")
    assert [(option.name, option.index) for option in found.options] == [
        ("-y", 2),
        ("-q", 2),
        ("-t", 4),
        ("--no-install-recommends", 7),
    ]
    assert found.has("--yes") and found.has("-y") and found.has("--assume-yes") and not found.has("--purge")
    assert found.value_of("--target-release") == "sid" == found.value_of("-t")
    assert found.value_of("-o") is None
    assert found.prefix == ("sudo",)
    assert found.name_index == 1


def test_the_environment_of_one_command() -> None:
    found = use("A=1 B=$X sudo C=2 env D=3 apt-get update")
    assert found.environment == (("A", "1"), ("B", None), ("C", "2"), ("D", "3"))
    assert found.prefix == ("sudo", "env")


@pytest.mark.parametrize(("text", "uncertain"), [
    ("apt-get install curl", False), ("apt-get install $X", True), ('apt-get install "$X"', True), ('apt-get install "curl=$X"', False),
    ("apt-get install curl=$X", True), ("apt-get install curl=${X}", True), ('apt-get install curl="$X"', False),
    ('apt-get install "curl=$(v a)"', False), ("apt-get install 'curl=$X'", False), ("apt-get install ./*.deb", False),
    ("apt-get install *.deb", True), ("pip install --index-url=$X y", True), ('pip install --index-url="$X" y', False),
    ("apt-get install lib{a,b}", False), ("apt-get install ~/x.deb", False), ('apt-get install x"$@"', True), ("$X/bin/pip install y", True),
    ('"$X/bin/pip" install y', False),
])  # fmt: skip
def test_uncertain(text: str, uncertain: bool) -> None:
    assert use(text).uncertain is uncertain


_ODD_WORDS = (
    *packages._EXECUTABLES, "install", "add", "run", "cache", "clean", "--", "-", "-x", "-yq", "-o", "--no-cache", "--x=", "-D", "-D=", "=", "/p:A=b", "/",
    "$X", '"$X"', '"-$X"', "-$X", "--a=$X", "--$X", "'a b'", "~/x", "*", "{a,b}", "+nightly", "a=b", "-m", "pip", "-e", "-f", "--all", '""', "$(x)", '"`x`"',
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(strategies.lists(strategies.sampled_from(_ODD_WORDS), min_size=1, max_size=8))
def test_reading_never_fails_and_loses_no_word(words: list[str]) -> None:
    script = shell.read(" ".join(words), "bash")
    for simple, _ in shell.simple_commands(script):
        packages.touches_only_its_words(simple)
        found = packages.recognise(simple)
        if found is None:
            continue
        check_places(found)
        for name in (
            "no_cache",
            "no_recommends",
            "production",
            "fetches_lists",
            "needs_lists",
            "fills_caches",
            "empties",
            "reads_project",
        ):
            getattr(found, name)
        operands = {id(word) for word in found.operands}
        options = {option.index for option in found.options}
        assert found.uncertain or all(word.value is not None or word.text[0] not in "$*" for word in found.operands)
        assert not any(id(simple.words[index]) in operands for index in options)


# --- The table. ---


def test_every_row_is_sane() -> None:
    assert list(packages.MANAGERS) == [manager.name for manager in packages.MANAGERS.values()]
    for manager in packages.MANAGERS.values():
        for folders in (manager.caches, manager.lists, manager.mounts):
            assert len({folder.path for folder in folders}) == len(folders), manager.name
            for folder in folders:
                assert folder.path.startswith(("/", "{home}/")) and not folder.path.endswith("/"), folder
                assert len(folder.below) in (0, len(folder.variables)), folder
                assert folder.user in ("", "root", "other"), folder
                assert set(folder.identity) <= {"distribution", "language", "architecture", "project"}, folder
        assert manager.sharing in ("locked", "shared")
        assert manager.proof in ("buildable", "text only")
        assert manager.refresh in (("command", "itself") if manager.lists else ("",)), manager.name
        assert manager.content_addressed == (not any(folder.identity for folder in manager.mounts)), manager.name
        for column in (manager.manifests, manager.locks, manager.writes, manager.no_cache_flags, manager.production_flags,
                       manager.no_recommends_flags, manager.no_cache_variables, manager.production_variables):  # fmt: skip
            assert len(set(column)) == len(column), manager.name
        kept = {folder.path for folder in (*manager.caches, *manager.lists)}
        for cleaning in manager.cleanings:
            assert set(cleaning.empties) <= kept, (manager.name, cleaning)
        # The folder of all caches, Cargo's database of repositories, and the place that makes apk keep packages.
        near = {f"{path}/db" for path in kept} | {path.rpartition("/")[0] for path in kept} | {"/etc/apk/cache"}
        assert {folder.path for folder in manager.mounts} <= kept | near, manager.name


def test_every_clean_command_is_recognised_and_empties_something() -> None:
    for manager in packages.MANAGERS.values():
        for words in manager.clean_commands:
            found = use(" ".join(words))
            assert found.manager.family == manager.family
            assert found.empties, words
        assert manager.clean_commands or manager.name in (
            "poetry",
            "pipenv",
            "cargo",
            "gradle",
            "bundler",
            "gem",
            "maven",
        )


def test_every_flag_of_the_table_is_an_option_of_the_grammar() -> None:
    for manager in packages.MANAGERS.values():
        grammar = packages._GRAMMARS[manager.name]
        verbs = [""] + [verb for verb, _, _ in packages._verbs(manager.name)[0].values()]
        known = {canonical for verb in verbs for canonical, _ in (packages._table(manager.name, verb) or {}).values()}
        if grammar.style.split()[0] in ("apt", "npm"):
            known |= {"--no-" + name.lstrip("-") for name in known}
        spellings = {name for verb in verbs for name in packages._table(manager.name, verb) or {}}
        for flag in (*manager.keep_flags, *manager.fresh_flags):
            assert flag.partition("=")[0] in spellings, (manager.name, flag)
        for flag in (*manager.no_cache_flags, *manager.production_flags, *manager.no_recommends_flags):
            assert flag.partition("=")[0] in known, (manager.name, flag)
        for folder in (*manager.caches, *manager.lists, *manager.mounts):
            for variable in folder.variables:
                assert not variable.startswith("-") or variable in known or manager.name in ("conda", "mamba"), (
                    manager.name,
                    variable,
                )


def test_no_option_list_contradicts_itself() -> None:
    lists = [("shared " + name, text) for name, text in packages._SHARED.items()]
    for name, grammar in packages._GRAMMARS.items():
        lists += [(name, grammar.options), (name, grammar.before or "")]
        lists += [(f"{name} {verb}", options) for verb, (_, _, options) in packages._verbs(name)[0].items()]
    for name, text in lists:
        kinds: dict[str, str] = {}
        for entry in text.split():
            if entry.startswith("@"):
                assert entry[1:] in packages._SHARED, (name, entry)
                continue
            spellings = [spelling.partition("=") for spelling in entry.split("|")]
            assert len({equals + kind for _, equals, kind in spellings}) == 1, (name, entry)
            for option, equals, kind in spellings:
                assert kinds.setdefault(option, equals + kind) == equals + kind, (name, entry)


def test_every_grammar_is_well_formed() -> None:
    assert set(packages._GRAMMARS) == set(packages.MANAGERS)
    for name, grammar in packages._GRAMMARS.items():
        verbs, begins = packages._verbs(name)
        assert verbs or "maven" in grammar.style
        assert grammar.bare is None or grammar.bare in verbs
        for spelling, (verb, action, _) in verbs.items():
            assert action.rstrip("*") in ACTIONS, (name, spelling, action)
            assert verb in verbs
            for option, (canonical, kind) in (packages._table(name, verb) or {}).items():
                assert option.startswith("-") and canonical.startswith("-"), (name, verb, option)
                assert kind in ("", "=", "=?", "=~", "=b", "=2", "=!", "=/"), (name, verb, option)
        assert all(any(verb.startswith(begin + " ") for verb in verbs) for begin in begins)


@pytest.mark.parametrize(("manager", "home", "environment", "text", "path"), [
    ("pip", "/root", {}, "pip install x", "/root/.cache/pip"),
    ("pip", "/root/", {}, "pip install x", "/root/.cache/pip"),
    ("pip", None, {}, "pip install x", None),
    ("pip", "/root", {"PIP_CACHE_DIR": "/c"}, "pip install x", "/c"),
    ("pip", "/root", {"PIP_CACHE_DIR": "/c"}, "pip install --cache-dir /d x", "/d"),
    ("pip", "/root", {"XDG_CACHE_HOME": "/x"}, "pip install x", "/x/pip"),
    ("pip", None, {"XDG_CACHE_HOME": "/x/"}, "pip install x", "/x/pip"),
    ("pip", "/root", {"PIP_CACHE_DIR": None}, "pip install x", None),
    ("pip", "/root", {"PIP_CACHE_DIR": "c"}, "pip install x", None),
    ("pip", "/root", {"PIP_CACHE_DIR": "/c"}, "PIP_CACHE_DIR=/e pip install x", "/e"),
    ("pip", "/root", {}, "pip install --cache-dir=$X x", None),
    ("npm", "/home/app", {"npm_config_cache": "/n"}, "npm ci", "/n/_cacache"),
    ("go", "/root", {"GOPATH": "/go"}, "go build", "/go/pkg/mod"),
    ("go", "/root", {}, "go build", "/root/go/pkg/mod"),
    ("cargo", "/root", {"CARGO_HOME": "/usr/local/cargo"}, "cargo build", "/usr/local/cargo/registry"),
    ("apt-get", None, {}, "apt-get update", "/var/cache/apt"),
])  # fmt: skip
def test_where_a_folder_is(
    manager: str, home: str | None, environment: dict[str, str | None], text: str, path: str | None
) -> None:
    assert packages.locate(packages.MANAGERS[manager].caches[0], home, environment, use(text)) == path


@pytest.mark.parametrize(("text", "environment", "path"), [
    ("mvn package", {}, "/root/.m2/repository"),
    ("mvn -Dmaven.repo.local=/m package", {}, "/m"),
    ("mvn -Dmaven.repo.local=$X package", {}, None),
    ("mvn package", {"MAVEN_OPTS": "-Xmx1g -Dmaven.repo.local=/o"}, "/o"),
    ("mvn package", {"MAVEN_OPTS": None}, None),
    ("mvn -s settings.xml package", {}, None),
])  # fmt: skip
def test_where_maven_keeps_its_repository(text: str, environment: dict[str, str | None], path: str | None) -> None:
    assert packages.maven_repository(use(text), environment, "/root") == path


# --- Commands that touch only what their words name. ---


@pytest.mark.parametrize("text", [
    "mkdir -p /app", "rm -rf /var/lib/apt/lists/*", "echo x > /etc/y", "ln -s $A /b", "chown -R app:app /app", "X=1", "> /x", "set -ex",
    "cd /x", "curl -fsSL $URL -o x", "wget -qO- https://x/$V.tgz", "tar -xzf x-$V.tgz -C /opt --strip-components=1", "find / -name '*.pyc' -delete",
    "sed -i 's/a/b/g' /etc/x", 'sed -i "s|a|${B}|" /etc/x', "sed -i -e '/x/d' -e 's/^#//' f", "sed -n '1,3p' f", "useradd -m app", "install -m 755 a /usr/bin/b",
    "/bin/cp a b", "[ -f x ]", "git clone --depth 1 https://x y", "update-ca-certificates", "sort -u f", "exit 1",
])  # fmt: skip
def test_only_its_words(text: str) -> None:
    assert packages.touches_only_its_words(command(text))


@pytest.mark.parametrize("text", [
    "apt-get update", "make", "$X /a", "find / -exec apt-get update +", "find / $X", "find . -execdir x {} +", "tar -I pigz -xf x", "tar xIf pigz x", "tar --use-comp=x -xf y",
    "tar --to-command=sh -xf x", "sed -i 's/a/b/e' f", "sed 'e ls' f", "sed 'w /x' f", "sed -f script f", "sed -ie 's/a/b/' f", "sed \"$X\" f", "PATH=/x ls", "LD_PRELOAD=x cp a b",
    "git -c core.pager=x log", "git clone -u x y", "git clone -c a=b y", "git submodule update", "sort --compress-program=x f", "xargs rm", "env ls", "sudo ls", "sh -c ls", ". x", "source x",
    "eval ls", "awk 1 f", "python3 -c 1", "dpkg -i x", "install -s a b",
])  # fmt: skip
def test_more_than_its_words(text: str) -> None:
    assert not packages.touches_only_its_words(command(text))


# --- Real files, cost, page. ---


def corpus_commands() -> list[Simple]:
    found: list[Simple] = []
    for path in sorted((CORPUS / "files").rglob("*")):
        if not path.is_file():
            continue
        for instruction in syntax.parse(source.Source.from_bytes(path.read_bytes())).instructions:
            if instruction.name == "RUN" and not instruction.json:
                script = shell.read(instruction.body.text, "bash")
                if script.opaque is None:
                    found.extend(simple for simple, _ in shell.simple_commands(script))
    return found


@pytest.mark.skipif(not (CORPUS / "files").is_dir(), reason="the corpus of real files is not here")
def test_real_command_lines_are_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    names = {name for name, kind in packages._EXECUTABLES.items() if not kind.startswith("=")}
    commands = [item for item in corpus_commands() if item.words]
    managers = [item for item in commands if (item.words[0].value or "").rpartition("/")[2] in names]
    unknown = [" ".join(word.text for word in item.words) for item in managers if packages.recognise(item) is None]
    start = time.process_time()
    for item in commands:
        packages.recognise(item)
    cost = (time.process_time() - start) / len(commands)
    with capsys.disabled():
        print(
            f"\n{len(managers)} package manager commands of {len(commands)}, {len(unknown)} not recognised, {cost * 1e6:.1f} us each"
        )
        for line in unknown[:20]:
            print("   ", line[:150])
    assert len(managers) > 1000
    assert len(unknown) <= 0.03 * len(managers)
    for item in commands:
        packages.touches_only_its_words(item)
        found = packages.recognise(item)
        if found is not None:
            check_places(found)


def check_places(found: packages.Use) -> None:
    words = found.command.words
    behind = range(found.name_index + 1, len(words))
    assert found.action in ACTIONS
    assert all(option.index in behind for option in found.options)
    assert found.verb_index == found.name_index or found.verb_index in behind
    assert all(any(word is item for item in words) for word in found.operands)
    for word in (*found.manifests, *found.directories):
        assert any(item.start <= word.start and word.end <= item.end for item in words)


@pytest.mark.parametrize("line", [line for line, expected in CASES if expected != "none"])
def test_places_lie_in_the_command(line: str) -> None:
    check_places(use(line))


def test_the_import_is_cheap() -> None:
    code = "import time, dfopt.shell; start = time.process_time(); import dfopt.packages; print(time.process_time() - start)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    costs = [
        float(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
        for _ in range(6)
    ]
    assert min(costs) < 0.006, costs  # 3 ms where the machine is free


def page() -> str:
    """docs/package-managers.md, written from the table."""
    lines = [
        "# Package managers",
        "",
        "What dfopt knows of each package manager. Written from `src/dfopt/packages.py` by `python tests/test_packages.py`; do not edit.",
        "",
        "`{home}` is the user's HOME. A folder moves with the variables and options behind it, the first that is set winning. A cache",
        "mount is *locked* where two builds at once would break it. Its id may serve all projects only where content names the entries;",
        "else the id must tell apart what stands in that column. *Text only*: from the manager's documentation alone; *buildable*: real",
        "builds with what Debian, PyPI, npm, crates.io, Go and Maven offer can show it.",
        "",
    ]
    for manager in packages.MANAGERS.values():
        rows = [
            ("family", manager.family if manager.family != manager.name else ""),
            ("caches", "; ".join(map(folder_text, manager.caches))),
            (
                "package lists",
                "; ".join(map(folder_text, manager.lists)) if manager.lists != manager.caches else "with the caches",
            ),
            (
                "lists are fetched by",
                {"command": "a command of their own", "itself": "the install itself", "": ""}[manager.refresh],
            ),
            ("cache mount", ", ".join(f"`{folder.path}`" for folder in manager.mounts) + f" ({manager.sharing})"),
            (
                "id must tell apart",
                ", ".join(dict.fromkeys(part for folder in manager.mounts for part in folder.identity)) or "nothing",
            ),
            ("to be switched on", manager.enable or ""),
            ("manifests", code(manager.manifests)),
            ("lock files", code(manager.locks)),
            ("writes", code(manager.writes)),
            ("no cache", code((*manager.no_cache_flags, *manager.no_cache_variables))),
            ("no recommended packages", code(manager.no_recommends_flags)),
            ("no development dependencies", code((*manager.production_flags, *manager.production_variables))),
            ("emptied by", code(tuple(" ".join(words) for words in manager.clean_commands))),
            ("proof", manager.proof),
        ]
        lines += [f"## {manager.name}", "", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {value} |" for name, value in rows if value]
        lines.append("")
    return "\n".join(lines)


def code(items: tuple[str, ...]) -> str:
    return ", ".join(f"`{item}`" for item in items)


def folder_text(folder: packages.Folder) -> str:
    text = f"`{folder.path}`" + {"": "", "root": " as root", "other": " as another user"}[folder.user]
    return text + (f" ({code(folder.variables)})" if folder.variables else "")


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "package-managers.md").read_text() == page(), "run `python tests/test_packages.py`"


if __name__ == "__main__":
    (ROOT / "docs" / "package-managers.md").write_text(page())
