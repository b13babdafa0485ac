# Sourced by test.sh. Sees to it that the servers the tests need answer, and that curl is there: what is there is used;
# what is missing is installed from Debian's packages and started where we may (root on Debian). tests/servers.py knows
# the addresses.
# Servers are started with their output closed: they outlive this script, and would keep a pipe behind it open.

# What tests write in memory need not wait for the disk: a commit costs a fiftieth, and a database a twentieth to make.
memory=/dev/shm
postgres_in_memory=

ensure_services() {
    local service missing
    if may_install; then # whoever answers: some tests kill a server of their own
        install_package pg_ctlcluster postgresql
        install_package rabbitmq-server rabbitmq-server
        install_package redis-server redis-server
    fi
    start_postgres_in_memory
    missing=$(missing_services)
    [[ $missing ]] || return 0
    if may_install; then
        for service in $missing; do
            "provide_$service"
        done
        missing=$(missing_services)
    fi
    [[ ! $missing ]] || leave_out "$missing"
}

# Migadu's own text is made of curl commands, which tests/conformance runs as they stand.
ensure_curl() {
    if may_install; then
        install_package curl curl
    fi
    if command -v curl >/dev/null; then
        return
    fi
    [[ ! ${CI:-} ]] || fail "curl is missing, and in CI no test may be left out: apt install curl (as root)."
    say "Left out: the tests that need curl. To get them: apt install curl (as root)."
}

# The words postgres, amqp, redis: one for each server that does not answer. Fails where one was named in vain.
missing_services() {
    (cd -- "$root" && "$venv/bin/python" -m tests.servers)
}

may_install() {
    ((EUID == 0)) && [[ -e /etc/debian_version ]] && command -v apt-get >/dev/null
}

leave_out() {
    local names=${1//$'\n'/, }
    local remedy="run this as root on Debian, start them on their standard ports, or set MAILROSTER_TEST_<NAME>_URL"
    [[ ! ${CI:-} ]] || fail "No server answers for: $names. In CI no test may be left out: $remedy."
    say "Left out: the tests that need $names, for no such server answers. To get them, $remedy."
}

has_memory() {
    local roomy=$((4 * 1024 * 1024))
    [[ -w $memory ]] && (($(df --output=avail "$memory" | tail -1) > roomy))
}

# A server for the time of this script, on a port of its own; where it cannot be had, the one at the standard port does.
start_postgres_in_memory() {
    local programs port
    [[ ! ${MAILROSTER_TEST_POSTGRES_URL:-} ]] && has_memory || return 0
    programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    [[ $programs ]] || return 0
    say "Starting a PostgreSQL in memory ..."
    postgres_in_memory=$(mktemp -d "$memory/mailroster-postgres.XXXXXX")
    trap stop_postgres_in_memory EXIT
    ((EUID != 0)) || chown postgres "$postgres_in_memory"
    port=$("$venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    if as_postgres "$programs/initdb" --pgdata="$postgres_in_memory/data" --auth=trust --username=postgres \
        --encoding=UTF8 --locale=C --no-sync &&
        as_postgres "$programs/pg_ctl" --pgdata="$postgres_in_memory/data" --log="$postgres_in_memory/log" --wait \
            --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200 \
                -c fsync=off -c full_page_writes=off" start; then
        export MAILROSTER_TEST_POSTGRES_URL=postgresql+psycopg://postgres@127.0.0.1:$port/postgres
    fi
}

stop_postgres_in_memory() {
    [[ $postgres_in_memory ]] || return 0
    local data=$postgres_in_memory/data
    [[ ! -e $data/postmaster.pid ]] || kill -QUIT "$(head -1 "$data/postmaster.pid")" || true
    rm -rf -- "$postgres_in_memory"
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if ((EUID == 0)); then
        (cd / && runuser -u postgres -- "$@") &>/dev/null
    else
        "$@" &>/dev/null
    fi
}

provide_postgres() {
    if ! answers postgres; then
        start_postgres
        create_test_role
        await postgres || true
    fi
}

# A start is tried without asking first: pg_ctlcluster does nothing where the cluster runs already.
start_postgres() {
    local version name
    read -r version name < <(pg_lsclusters --no-header | awk '$3 == 5432 { print $1, $2 }') || return 0
    say "Starting PostgreSQL ..."
    pg_ctlcluster --skip-systemctl-redirect "$version" "$name" start &>/dev/null || true
}

# Debian lets only local users in, each under their own name. So the tests get a role of their own, which may create
# databases and nothing else; its password is no secret (tests/servers.py), for the server listens on this machine only.
create_test_role() {
    say "Creating the role mailroster_test in PostgreSQL ..."
    (cd / && runuser -u postgres -- psql --quiet --port 5432 --set ON_ERROR_STOP=1 >&2) <<'SQL' || true
SELECT 'CREATE ROLE mailroster_test' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mailroster_test') \gexec
ALTER ROLE mailroster_test LOGIN CREATEDB PASSWORD 'mailroster_test';
SQL
}

# The node is named after localhost because a container's own name often has no address.
provide_amqp() {
    if ! answers amqp; then
        say "Starting RabbitMQ ..."
        RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 rabbitmq-server -detached &>/dev/null || true
        await amqp || true
    fi
}

provide_redis() {
    if ! answers redis; then
        say "Starting Redis ..."
        (cd / && runuser -u redis -- redis-server --bind 127.0.0.1 --port 6379 --save '' --daemonize yes &>/dev/null) || true
        await redis || true
    fi
}

# install_package COMMAND PACKAGE: where the command is there, so is the package.
install_package() {
    local output
    if command -v "$1" >/dev/null; then
        return
    fi
    say "Installing $2 from Debian's packages ..."
    output=$(apt-get update 2>&1 && DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "$2" 2>&1) || fail "$output"$'\n'"apt-get could not install $2."
}

answers() {
    [[ $'\n'$(missing_services)$'\n' != *$'\n'"$1"$'\n'* ]]
}

# A server that was just started is given a minute.
await() {
    local deadline=$((SECONDS + 60))
    until answers "$1"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}
