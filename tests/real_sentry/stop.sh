#!/usr/bin/env bash
# Stops Sentry's web server and its stores; with `--web` the web server alone. Only what start.sh started.
set -euo pipefail
# shellcheck source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
if pid="$(pid_of "$RUN/web.pid" sentry)"; then
  kill -INT "$pid" # uwsgi's master takes its workers along.
  wait_for 10 test ! -e "/proc/$pid" || kill -KILL "$pid"
fi
rm -f "$RUN/web.pid"
[ "${1:-}" = --web ] && exit 0
if pid="$(pid_of "$RUN/redis.pid" redis-server)"; then kill "$pid"; fi
if pid_of "$REAL_SENTRY_HOME/pg/postmaster.pid" postgres >/dev/null; then
  as_pg "$(pg_bin)/pg_ctl" -D "$REAL_SENTRY_HOME/pg" -m fast stop >/dev/null
fi
