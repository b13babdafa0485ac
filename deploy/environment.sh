# Sourced by the scripts beside it. Finds the repository, makes its virtual environment in `.venv` and installs there
# what deploy/requirements.lock names, then Mailroster itself. What was installed before is left alone.

set -euo pipefail

root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
venv=$root/.venv
lock=$root/deploy/requirements.lock

# Words for people go to standard error: standard output belongs to the command that is run.
say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

ensure_environment() {
    working_venv || make_venv
    once packages "$(sha256sum <"$lock")" install_packages
    once project "$(sha256sum <"$root/pyproject.toml")$root" install_project
}

# One that was copied here from another place, or whose making was interrupted, does not count.
working_venv() {
    [[ -x $venv/bin/python && $(<"$venv/pyvenv.cfg") == *" $venv"* ]] &&
        { [[ -e $venv/.installed-packages ]] || "$venv/bin/python" -m pip --version >/dev/null 2>&1; }
}

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module: apt install python3-venv (as root), then run this again."
    say "Making a virtual environment in $venv ..."
    "$python" -m venv --clear "$venv"
}

# The lock was made with Python 3.11, so that one is preferred.
find_python() {
    local python
    for python in python3.11 python3 python3.12 python3.13 python3.14; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    fail "Mailroster needs Python 3.11 or newer, and none is on the PATH: apt install python3 python3-venv (as root)."
}

# once NAME FINGERPRINT COMMAND: runs the command unless it has succeeded in this environment with this fingerprint.
once() {
    local record=$venv/.installed-$1
    if [[ -e $record && $(<"$record") == "$2" ]]; then
        return
    fi
    "$3"
    printf '%s\n' "$2" >"$record"
}

install_packages() {
    say "Installing the packages named in deploy/requirements.lock (once; a minute or two) ..."
    pip_install --require-hashes --requirement "$lock"
}

install_project() {
    say "Installing Mailroster from $root ..."
    pip_install --no-deps --no-build-isolation --editable "$root"
}

pip_install() {
    local output
    output=$("$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$@" 2>&1) ||
        fail "$output"$'\n'"pip could not install that; its own words are above."
}
