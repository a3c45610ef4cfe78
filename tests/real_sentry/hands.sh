#!/usr/bin/env bash
# Starts hands.py, which changes Sentry behind its web interface: one JSON line in, one out.
set -euo pipefail
# shellcheck source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec "$VENV/bin/python" "$HERE/hands.py" 2>>"$LOGS/hands.log"
