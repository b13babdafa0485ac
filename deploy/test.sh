#!/usr/bin/env bash
# Checks everything: installs into .venv if that has not been done, sees to it that PostgreSQL, RabbitMQ and Redis
# answer and that curl is there, then runs the linters, the type checker and the tests, in three parts side by side. With
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
if has_memory; then
    export PYTEST_DEBUG_TEMPROOT=$memory
fi
if (($# > 0)); then
    say "Running pytest $*"
    "$venv/bin/python" -m pytest "$@"
    exit
fi
run ruff check
run ruff format --check
run mypy
run lint-imports

# Three parts at a time keep two cores and PostgreSQL busy; they share no database, queue or port.
said="$(mktemp -d)"
say "Running pytest in three parts side by side; two of them are shown at the end ..."
files=(tests/integration/test_*.py)
odd=() even=()
for index in "${!files[@]}"; do
    if ((index % 2)); then odd+=("${files[index]}"); else even+=("${files[index]}"); fi
done
"$venv/bin/python" -m pytest "${odd[@]}" >"$said/odd" 2>&1 &
first=$!
"$venv/bin/python" -m pytest "${even[@]}" >"$said/even" 2>&1 &
second=$!
trap 'kill "$first" "$second" 2>/dev/null || true; rm -rf -- "$said"; stop_postgres_in_memory' EXIT
failed=0
"$venv/bin/python" -m pytest --ignore=tests/integration || failed=1
wait "$first" || failed=1
wait "$second" || failed=1
cat -- "$said/odd" "$said/even"
exit "$failed"
