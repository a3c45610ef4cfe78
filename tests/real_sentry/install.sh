#!/usr/bin/env bash
# Installs a true Sentry and its stores under $REAL_SENTRY_HOME. Again: repairs what is missing.
# `--fresh`: also an empty database.
set -euo pipefail
# shellcheck source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ "$(id -u)" = 0 ] || refuse 1 "install.sh: run it as root, it installs Debian packages"
[ -x "$REAL_SENTRY_PYTHON" ] ||
  refuse "$UNAVAILABLE" "no Python 3.8 at $REAL_SENTRY_PYTHON: name one in REAL_SENTRY_PYTHON (Sentry $VERSION needs 3.8)"
mkdir -p "$LOGS" "$RUN"

echo "== Debian packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >"$LOGS/apt.log" 2>&1
# The -dev packages are for what has no wheel (xmlsec above all).
apt-get install -y --no-install-recommends postgresql redis-server gcc pkg-config curl \
  libxmlsec1-dev libxml2-dev libxslt1-dev libltdl-dev libssl-dev >>"$LOGS/apt.log" 2>&1

echo "== Sentry $VERSION"
if ! "$VENV/bin/python" -c "import sentry" 2>/dev/null; then
  "$REAL_SENTRY_PYTHON" -m venv "$VENV"
  "$VENV/bin/pip" install --progress-bar off "sentry==$VERSION" >"$LOGS/pip.log" 2>&1 ||
    refuse 1 "pip failed, see $LOGS/pip.log"
fi

echo "== stores"
[ -s "$REAL_SENTRY_HOME/secret-key" ] ||
  (umask 077 && "$VENV/bin/python" -c "import secrets; print(secrets.token_urlsafe(50))" >"$REAL_SENTRY_HOME/secret-key")
if [ ! -s "$REAL_SENTRY_HOME/pg/PG_VERSION" ]; then
  install -d -o postgres -g postgres -m 700 "$REAL_SENTRY_HOME/pg"
  as_pg "$(pg_bin)/initdb" -D "$REAL_SENTRY_HOME/pg" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust >"$LOGS/initdb.log" 2>&1
fi
start_stores

if [ "${1:-}" = --fresh ] || [ ! -e "$INSTALLED" ]; then
  echo "== database"
  rm -f "$INSTALLED"
  sql "drop database if exists sentry with (force)" 2>/dev/null
  sql "create database sentry"
  redis-cli -h 127.0.0.1 -p "$REAL_SENTRY_REDIS_PORT" flushall >/dev/null
  "$VENV/bin/sentry" upgrade --noinput >"$LOGS/upgrade.log" 2>&1 || refuse 1 "the migrations failed, see $LOGS/upgrade.log"
  touch "$INSTALLED"
fi
echo "installed in $SECONDS s; next: start.sh"
