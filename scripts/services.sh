#!/usr/bin/env bash
# The servers that the drivers' tests run against, and what the Debian package is tested with: finds them, or installs Debian's packages when it is root.
#
#   scripts/services.sh          install what is missing; fail, naming it, where that is not possible
#   scripts/services.sh check    only say, in one line each, what is missing; always succeeds
#
# The tests start their own servers from the binaries. No service of the system is started, and one that runs is left alone.
set -euo pipefail

# package, and where its server is found
services=(
	'postgresql /usr/lib/postgresql/*/bin/initdb initdb'
	'pgbouncer /usr/sbin/pgbouncer pgbouncer'
	'redis-server /usr/bin/redis-server redis-server'
	'redis-sentinel /usr/bin/redis-sentinel redis-sentinel'
	'systemd /usr/lib/systemd/systemd systemd'
	'adduser /usr/sbin/adduser adduser'
)

missing() {
	local line package pattern program
	for line in "${services[@]}"; do
		read -r package pattern program <<<"$line"
		if ! compgen -G "$pattern" >/dev/null && ! command -v "$program" >/dev/null; then
			echo "$package"
		fi
	done
}

install() {
	export DEBIAN_FRONTEND=noninteractive
	# Debian's packages start their servers: postgresql-common makes no cluster if told so first, and policy-rc.d forbids the rest.
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		mkdir -p /etc/postgresql-common
		echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
	fi
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt-get -o DPkg::Lock::Timeout=300 update -q
	apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "$@"
}

mapfile -t need < <(missing)
if [ "${1:-}" = check ]; then
	if [ ${#need[@]} -gt 0 ]; then
		echo "NOT TESTED against real servers, because these packages are missing: ${need[*]}. \"make services\" installs them."
	fi
	exit 0
fi
if [ ${#need[@]} -eq 0 ]; then
	exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "install these packages and run again: ${need[*]}"
	exit 1
fi
exec 9>/tmp/onceward-services.lock # two runs at once: the second waits, and then finds nothing to do
flock 9
mapfile -t need < <(missing)
if [ ${#need[@]} -gt 0 ]; then
	install "${need[@]}"
fi
