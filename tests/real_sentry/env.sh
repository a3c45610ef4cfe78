# What the scripts of this folder share: settings from the environment, and a few helpers. To be sourced.
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The release is yanked from the package index, so it must be asked for by its exact version.
VERSION=23.7.1
# Everything that is written lives here. PostgreSQL's own user must be able to reach it.
export REAL_SENTRY_HOME="${REAL_SENTRY_HOME:-/opt/sentry-team-sync-test}"
export REAL_SENTRY_PORT="${REAL_SENTRY_PORT:-19000}"
export REAL_SENTRY_PG_PORT="${REAL_SENTRY_PG_PORT:-19032}"
export REAL_SENTRY_REDIS_PORT="${REAL_SENTRY_REDIS_PORT:-19079}"
# Calls a second and method, as sentry.io limits them; 999 is the default of Sentry's source.
export REAL_SENTRY_RATE_LIMIT="${REAL_SENTRY_RATE_LIMIT:-999}"
REAL_SENTRY_PYTHON="${REAL_SENTRY_PYTHON:-$HOME/.pyenv/versions/3.8.18/bin/python}"
export SENTRY_CONF="$HERE/conf"
URL="http://127.0.0.1:$REAL_SENTRY_PORT"
VENV="$REAL_SENTRY_HOME/venv"
LOGS="$REAL_SENTRY_HOME/logs"
RUN="$REAL_SENTRY_HOME/run"
# Written last by install.sh: without it, the installation is not complete.
INSTALLED="$REAL_SENTRY_HOME/installed-$VERSION"
# There is no such thing here: the exit code of "this can not be had on this machine".
UNAVAILABLE=69

# refuse CODE WORDS...: one line on stderr, and the end.
refuse() {
  local code="$1"
  shift
  echo "$*" >&2
  exit "$code"
}

# pg_bin: where Debian keeps PostgreSQL's programs.
pg_bin() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1; }

# as_pg CMD...: PostgreSQL refuses to run as root.
as_pg() { setpriv --reuid=postgres --regid=postgres --init-groups -- env HOME=/tmp "$@"; }

# sql TEXT: one statement on the maintenance database.
sql() { psql -qtA -h 127.0.0.1 -p "$REAL_SENTRY_PG_PORT" -U postgres -d postgres -v ON_ERROR_STOP=1 -c "$1"; }

# pid_of FILE NAME: the process id in a file, if that process runs and is called so.
pid_of() {
  local pid
  pid="$(head -1 "$1" 2>/dev/null)" && [ -n "$pid" ] &&
    grep -qa -- "$2" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

# wait_for SECONDS CMD...: until the command succeeds.
wait_for() {
  local n=$(($1 * 5))
  shift
  for ((i = 0; i < n; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.2
  done
  return 1
}

# start_stores: PostgreSQL and redis, on loopback only. Nothing in them is worth a sync to disk.
start_stores() {
  mkdir -p "$LOGS" "$RUN" "$REAL_SENTRY_HOME/redis" "$REAL_SENTRY_HOME/files"
  if ! pid_of "$RUN/redis.pid" redis-server >/dev/null; then
    redis-server --bind 127.0.0.1 --port "$REAL_SENTRY_REDIS_PORT" --daemonize yes --save '' --appendonly no \
      --dir "$REAL_SENTRY_HOME/redis" --pidfile "$RUN/redis.pid" --logfile "$LOGS/redis.log" >/dev/null
  fi
  if ! pid_of "$REAL_SENTRY_HOME/pg/postmaster.pid" postgres >/dev/null; then
    as_pg "$(pg_bin)/pg_ctl" -D "$REAL_SENTRY_HOME/pg" -l "$REAL_SENTRY_HOME/pg/server.log" -w -t 60 \
      -o "-c listen_addresses=127.0.0.1 -p $REAL_SENTRY_PG_PORT -c unix_socket_directories= -c fsync=off" \
      start >/dev/null
  fi
  wait_for 30 redis-cli -h 127.0.0.1 -p "$REAL_SENTRY_REDIS_PORT" ping
}
