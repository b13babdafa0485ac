#!/usr/bin/env bash
# Shows Mailroster at work: installs it into .venv if that has not been done, then runs `mailroster demo`
# with the arguments given here. Needs Python 3.11 or newer with its venv module, and nothing else.

source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/environment.sh"

ensure_environment
say "Starting the demo: mailroster demo $*"
exec "$venv/bin/mailroster" demo "$@"
