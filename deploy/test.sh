#!/usr/bin/env bash
# Checks everything: installs into .venv if that has not been done, sees to it that PostgreSQL, RabbitMQ and Redis
# answer and that curl is there, then runs the linters, the type checker and the tests. With arguments, runs pytest alone
# with these.

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
if (($# == 0)); then
    run ruff check
    run ruff format --check
    run mypy
    run lint-imports
fi
say "Running pytest $*"
exec "$venv/bin/python" -m pytest "$@"
