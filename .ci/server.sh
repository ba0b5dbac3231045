# Sourced by the other scripts. Starts servers in a temporary folder. When the script ends, it ends these servers and
# removes the folder.
# shellcheck shell=bash

work=$(mktemp -d "${TMPDIR:-/tmp}/registry.XXXXXX")
servers=()

finish() {
    local pid
    for pid in ${servers[@]+"${servers[@]}"}; do
        kill "$pid" 2>/dev/null || true
    done
    # `wait` cannot wait for processes of another shell, so this polls.
    for pid in ${servers[@]+"${servers[@]}"}; do
        for _ in $(seq 600); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

# Waits until the log of this process contains "serving".
await_serving() {
    local pid=$1 log=$2
    for _ in $(seq 3000); do
        grep -q "serving" "$log" && return
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    echo "the server did not start" >&2
    return 1
}

# Starts a program on a free port, with the data folder $work/data, and sets $address:  start_server PROGRAM [FLAG ...]
start_server() {
    "$1" serve --data-dir "$work/data" --listen 127.0.0.1:0 "${@:2}" >"$work/server.out" 2>"$work/server.log" &
    servers+=($!)
    await_serving $! "$work/server.log"
    # Removes colour codes from the log.
    address=$(sed 's/\x1b\[[0-9;]*m//g' "$work/server.log" | grep -o 'address=[0-9.:]*' | tail -1)
    address=${address#address=}
}
