#!/usr/bin/env bash
# Checks everything: installs into .venv if that has not been done, sees to it that PostgreSQL, RabbitMQ and Redis
# answer and that curl is there, then runs the linters, the type checker and the tests, in two halves side by side. With
# arguments, runs pytest alone with these.

source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/environment.sh"
source "$root/deploy/services.sh"

run() {
    say "Running $* ..."
    "$venv/bin/$1" "${@:2}"
}

cd -- "$root"
ensure_environment
ensure_services
ensure_curl
if (($# > 0)); then
    say "Running pytest $*"
    exec "$venv/bin/python" -m pytest "$@"
fi
run ruff check
run ruff format --check
run mypy
run lint-imports

# Each half keeps one core busy; they share no database, queue or port.
said="$(mktemp)"
say "Running pytest tests/integration, which is shown at the end, and beside it all other tests ..."
"$venv/bin/python" -m pytest tests/integration >"$said" 2>&1 &
half=$!
trap 'kill "$half" 2>/dev/null || true; rm -f -- "$said"' EXIT
failed=0
"$venv/bin/python" -m pytest --ignore=tests/integration || failed=1
wait "$half" || failed=1
cat -- "$said"
exit "$failed"
