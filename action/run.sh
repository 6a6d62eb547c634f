#!/bin/sh
# run.sh - the one step of action.yml: finds crc-action, else builds it from the sources
# beside this file, and becomes it.
#
# Inputs arrive as INPUT_* variables that only the program reads. No value of theirs is
# part of a command here. CRC_ACTION_BIN names a program to run instead.
#
# Not bash, as our other scripts are: small containers have none.
set -eu

# The same as BUILD_PACKAGES in tests/tools/deps.sh; a test compares them.
PACKAGES="build-essential cmake ninja-build pkg-config git ca-certificates
	libgit2-dev libcurl4-openssl-dev libjansson-dev libyaml-dev libexpat1-dev
	libzip-dev zlib1g-dev libssl-dev"

fail() {
	echo "::error title=crc-action::$1"
	exit 1
}

group() {
	echo "::group::crc-action: $1"
	shift
	status=0
	"$@" || status=$?
	echo "::endgroup::"
	return "$status"
}

# What decides whether a program that was built before is the right one: the sources,
# and the distribution whose libraries it was linked with.
key() {
	(
		cd "$root"
		find CMakeLists.txt src action -type f | LC_ALL=C sort | xargs sha256sum
		cat /etc/os-release
	) | sha256sum | cut -c1-32
}

# A folder for the program, in place; RUNNER_TOOL_CACHE outlives the job on
# self-hosted runners.
find_place() {
	for base in "${RUNNER_TOOL_CACHE-}" "${RUNNER_TEMP-}"; do
		place=$base/crc-action/$(key)/$(uname -m)
		if [ -n "$base" ] && mkdir -p "$place" 2>/dev/null && [ -w "$place" ]; then
			return 0
		fi
	done
	fail "neither RUNNER_TOOL_CACHE nor RUNNER_TEMP is a folder that can be written to"
}

starts() {
	[ -x "$1" ] && "$1" --version >/dev/null 2>&1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

missing_packages() {
	for package in $PACKAGES; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

# The old lists may do, and refreshing them takes the longest; they also may name
# packages that are gone.
apt_install() {
	echo "apt-get install $*"
	set -- env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
		-o Acquire::Retries=3 install -y --no-install-recommends "$@"
	as_root "$@" >/dev/null 2>&1 && return 0
	as_root apt-get -qq -o Acquire::Retries=3 update && as_root "$@"
}

install_packages() {
	command -v apt-get >/dev/null || {
		echo "No apt-get here: what is installed has to do."
		return 0
	}
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
		fail "packages are missing, and this user is not root and has no sudo; as root: apt-get install $missing"
	# shellcheck disable=SC2086  # one word a package
	group "install what it is built with" apt_install $missing ||
		fail "apt-get could not install what crc-action is built with"
}

# cmake and the compiler see none of the job's variables: no credentials, no flags.
clean() {
	env -i PATH="$PATH" HOME="${HOME-/}" TMPDIR="$work" LC_ALL=C "$@"
}

compile() {
	clean cmake -S "$root" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DCRC_TESTS=OFF -DCRC_DAEMON=OFF -DCRC_WERROR=OFF &&
		clean cmake --build "$work/build" --target crc-action
}

# Into place in one step, since another job may be doing the same.
build() {
	command -v cmake >/dev/null ||
		fail "crc-action is built with cmake, ninja, a C compiler, pkg-config and the libraries libgit2 (1.1 or newer), libcurl, openssl, jansson, libyaml, expat and zlib: install them before this step, or use a Debian or Ubuntu image"
	work=$(mktemp -d "${RUNNER_TEMP:-/tmp}/crc-action.XXXXXX")
	built=yes
	group "build" compile || built=
	if [ -n "$built" ]; then
		cp "$work/build/action/crc-action" "$place/crc-action.$$"
		mv -f "$place/crc-action.$$" "$place/crc-action"
	fi
	rm -rf "$work"
	[ -n "$built" ] || fail "crc-action could not be built; the group above says why"
}

if [ -n "${CRC_ACTION_BIN-}" ]; then
	exec "$CRC_ACTION_BIN"
fi

[ "$(uname -s)" = Linux ] ||
	fail "crc-action is built on Linux only, so far: use runs-on: ubuntu-latest"
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
find_place
program=$place/crc-action

# In a container the libraries may be gone while the program is still there.
starts "$program" || install_packages
starts "$program" || build
exec "$program"
