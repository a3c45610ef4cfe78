#!/usr/bin/env bash
# Starts the stores and Sentry's web server on loopback, and prints its address. Exit code 69: none is installed.
set -euo pipefail
# shellcheck source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
if [ ! -e "$INSTALLED" ]; then
  [ -x "$REAL_SENTRY_PYTHON" ] ||
    refuse "$UNAVAILABLE" "no Python 3.8 at $REAL_SENTRY_PYTHON to install Sentry $VERSION with: name one in REAL_SENTRY_PYTHON, then run tests/real_sentry/install.sh"
  refuse "$UNAVAILABLE" "no Sentry $VERSION in $REAL_SENTRY_HOME: run tests/real_sentry/install.sh"
fi
start_stores || refuse 1 "PostgreSQL or redis did not start, see $LOGS/redis.log and $REAL_SENTRY_HOME/pg/server.log"
if ! pid_of "$RUN/web.pid" sentry >/dev/null; then
  # Nothing of the caller's is kept open: whoever reads our output must see its end.
  setsid nohup "$VENV/bin/sentry" run web >>"$LOGS/web.log" 2>&1 </dev/null &
  echo $! >"$RUN/web.pid"
fi
wait_for 90 curl -fsS -o /dev/null "$URL/_health/" || refuse 1 "Sentry did not start, see $LOGS/web.log"
echo "$URL"
