# SPDX-License-Identifier: MIT
# Sourced by the scripts that build: makes sure that tools and libraries are there.
#
#	require_packages "cc build-essential" "pc:libcurl libcurl4-openssl-dev" ...
#
# Each argument is a thing and the Debian package that has it. A thing is a program, pc:MODULE for pkg-config, or the path of
# a file. On Debian and its kin, as root, missing packages are installed; elsewhere they are named and the script ends.

thing_is_there() {
	case $1 in
	pc:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "${1#pc:}" ;;
	/*) test -e "$1" ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

# Sets things_missing and packages_missing.
find_missing() {
	things_missing= packages_missing=
	for pair; do
		thing=${pair%% *} package=${pair##* }
		if ! thing_is_there "$thing"; then
			things_missing="$things_missing ${thing#pc:}"
			case " $packages_missing " in
			*" $package "*) ;;
			*) packages_missing="$packages_missing $package" ;;
			esac
		fi
	done
}

require_packages() {
	find_missing "$@"
	[ -n "$things_missing" ] || return 0
	if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
		echo "installing:$packages_missing"
		install_log=$(mktemp)
		# Servers are installed for the tests to start themselves; the ones of the system stay off.
		policy=/usr/sbin/policy-rc.d
		if [ ! -e "$policy" ]; then
			printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
		else
			policy=
		fi
		# shellcheck disable=SC2086 # a list of words
		installed=0
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			$packages_missing; } </dev/null >"$install_log" 2>&1 || installed=$?
		[ -z "$policy" ] || rm -f "$policy"
		if [ "$installed" -ne 0 ]; then
			cat "$install_log" >&2
			rm -f "$install_log"
			echo "the packages could not be installed" >&2
			exit 1
		fi
		rm -f "$install_log"
		find_missing "$@"
		[ -n "$things_missing" ] || return 0
		echo "still missing after the installation:$things_missing" >&2
		exit 1
	fi
	echo "missing:$things_missing" >&2
	if command -v apt-get >/dev/null 2>&1; then
		echo "install them as root: apt-get install$packages_missing" >&2
	else
		echo "the packages that have them are called on Debian 12:$packages_missing" >&2
	fi
	exit 1
}
