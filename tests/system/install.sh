#!/bin/sh
# Installs what the system tests need and this machine lacks. Says what to do where it may not install.
set -eu

# The program that is looked for, and the package that brings it. `virtuoso-opensource` would start a service of
# its own; its package of programs is enough, because the tests start their own.
NEEDED="
chromium    chromium
pgbouncer   pgbouncer
virtuoso-t  virtuoso-opensource-7-bin
"

PATH="$PATH:/usr/sbin:/sbin" # where Debian puts servers

missing=$(echo "$NEEDED" | while read -r program package; do
    [ -z "$program" ] || command -v "$program" >/dev/null || echo "$package"
done)
[ -n "$missing" ] || exit 0
missing=$(echo $missing) # in one line

if ! command -v apt-get >/dev/null; then
    echo "The system tests need: $missing. This machine has no apt-get; install them by its own means." >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "The system tests need: $missing. Installing them takes root:" >&2
    echo "    sudo apt-get install --no-install-recommends $missing" >&2
    exit 1
fi

echo "Installing $missing ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! {
    $as_root apt-get update -q &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
} >"$log" 2>&1; then
    cat "$log" >&2
    echo "apt-get could not install: $missing" >&2
    exit 1
fi
