# shellcheck shell=bash
# deps.sh - what the other commands need, installed when missing. Sourced by dev.

# Formatting depends on the tool's version, so one version judges it wherever the
# distribution has it; elsewhere the distribution's own is taken and named.
LLVM_WANTED=14
LLVM=

BUILD_PACKAGES=(
	build-essential cmake ninja-build pkg-config git ca-certificates
	libgit2-dev libcurl4-openssl-dev libjansson-dev libyaml-dev libexpat1-dev
	libzip-dev zlib1g-dev libssl-dev
)
DAEMON_PACKAGES=(libcivetweb-dev libsqlite3-dev libpq-dev)

AWSCLI_VERSION=1.46.3
SAMCLI_VERSION=1.170.0

# deps build|python|test|fault|all|bench
deps() {
	case $1 in
	build) debian "${BUILD_PACKAGES[@]}" "${DAEMON_PACKAGES[@]}" ;;
	python) python_ready ;;
	test)
		llvm_pick
		debian "${BUILD_PACKAGES[@]}" "${DAEMON_PACKAGES[@]}" libcmocka-dev shellcheck unzip \
			"clang-$LLVM" "clang-format-$LLVM" "clang-tidy-$LLVM" "libclang-rt-$LLVM-dev"
		browser_ready
		postgres_ready
		python_ready
		;;
	fault) debian strace ;;
	all) debian valgrind util-linux strace && sam_ready ;;
	bench) debian time rclone s3cmd && bench_ready && webhook_ready ;;
	esac
}

# llvm_pick: which version of the clang tools; sets LLVM.
llvm_pick() {
	[ -z "$LLVM" ] || return 0
	LLVM=$LLVM_WANTED
	if ! command -v dpkg-query >/dev/null || installed "clang-tidy-$LLVM_WANTED"; then
		return 0
	fi
	has_candidate clang-format || apt_update
	has_candidate "clang-tidy-$LLVM_WANTED" && return 0
	LLVM=$(apt-cache depends clang 2>/dev/null |
		sed -n 's/^ *Depends: clang-\([0-9][0-9]*\)$/\1/p' | sort -n | tail -n 1)
	[ -n "$LLVM" ] || die "no clang packages known to apt"
	echo "clang $LLVM_WANTED is not packaged here; taking this distribution's clang $LLVM"
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_candidate() {
	[[ "$(apt-cache policy "$1" 2>/dev/null)" == *"Candidate: "[0-9]* ]]
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root and no sudo; as root: $*"
	fi
}

APT_UPDATED=
apt_update() {
	[ -z "$APT_UPDATED" ] || return 0
	APT_UPDATED=yes
	echo "refreshing the package lists (apt-get update)"
	mkdir -p build/log
	as_root apt-get update >build/log/apt-update.log 2>&1 || {
		tail -n 20 build/log/apt-update.log
		die "apt-get update failed"
	}
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "$@" >build/log/apt-install.log 2>&1
}

# debian PACKAGE...: install those that are missing.
debian() {
	command -v dpkg-query >/dev/null || {
		echo "not a Debian system; these packages' counterparts are expected: $*"
		return 0
	}
	local missing
	missing=$(comm -13 \
		<(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
			sed -n 's/ installed$//p' | sort -u) \
		<(printf '%s\n' "$@" | sort -u))
	[ -n "$missing" ] || return 0
	# shellcheck disable=SC2086  # one word a package
	set -- $missing
	echo "installing with apt-get: $*"
	mkdir -p build/log
	has_candidate "$1" || apt_update
	apt_install "$@" && return 0
	apt_update    # the lists may name versions that are gone
	apt_install "$@" && return 0
	tail -n 20 build/log/apt-install.log
	die "apt-get install failed: $*"
}

# browser_ready: Chromium for tests/browser, if this distribution has it (Ubuntu has a snap) or
# the machine has another one.
browser_ready() {
	if command -v chromedriver >/dev/null || [ -n "${CHROMEWEBDRIVER-}" ]; then
		return 0
	fi
	! command -v dpkg-query >/dev/null || has_candidate chromium-driver || apt_update
	if has_candidate chromium-driver; then
		debian chromium chromium-driver fonts-liberation poppler-utils
	else
		echo "no chromium-driver is packaged here: no page will be looked at (tests/browser)"
	fi
}

# postgres_ready: a server of which the tests start one of their own, if this distribution has
# it or the machine another one.
postgres_ready() {
	if command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
		return 0
	fi
	! command -v dpkg-query >/dev/null || has_candidate postgresql || apt_update
	if has_candidate postgresql; then
		debian postgresql
	else
		echo "no postgresql is packaged here: the daemon's queue is tried on SQLite only"
	fi
}

# sam_ready: AWS's own judge of templates. It pins versions of what .venv holds, so it lives
# apart; where it cannot be had, its test is left out.
sam_ready() {
	[ ! -x build/sam/venv/bin/sam ] || return 0
	mkdir -p build/log build/sam
	echo "installing aws-sam-cli $SAMCLI_VERSION into build/sam/venv"
	{ python3 -m venv build/sam/venv && build/sam/venv/bin/python -m pip install \
		--disable-pip-version-check --retries 1 "aws-sam-cli==$SAMCLI_VERSION"; } \
		>build/log/sam-venv.log 2>&1 ||
		echo "  not installable from here (build/log/sam-venv.log says why)"
}

# python_ready: .venv holds what tests/requirements.txt pins.
python_ready() {
	command -v python3 >/dev/null || debian python3 python3-venv
	local want
	want=$({ python3 -VV && cat tests/requirements.txt; } | sha256sum | cut -c1-64)
	if [ -x .venv/bin/python ] && [ "$(cat .venv/crc-stamp 2>/dev/null)" = "$want" ]; then
		return 0
	fi
	python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv
	mkdir -p build/log
	echo "installing pinned Python packages into .venv (tests/requirements.txt)"
	venv_pinned || venv_of_machine
	echo "$want" >.venv/crc-stamp
}

# bench_ready: the peers that the benchmarks compare with. One that cannot be had is left out.
bench_ready() {
	[ ! -x build/bench/venv/bin/aws ] || return 0
	mkdir -p build/log build/bench
	echo "installing awscli $AWSCLI_VERSION into build/bench/venv"
	{ python3 -m venv build/bench/venv && build/bench/venv/bin/python -m pip install \
		--disable-pip-version-check --retries 1 "awscli==$AWSCLI_VERSION"; } \
		>build/log/bench-venv.log 2>&1 ||
		echo "  not installable from here (build/log/bench-venv.log says why)"
}

# webhook_ready: the receiver that the daemon is compared with, taken apart and not installed: the
# package would start a service.
webhook_ready() {
	[ ! -x build/bench/webhook/usr/bin/webhook ] || return 0
	command -v apt-get >/dev/null || return 0
	mkdir -p build/log build/bench/webhook
	echo "taking apart Debian's webhook in build/bench/webhook"
	(cd build/bench/webhook && apt-get download webhook && dpkg -x webhook_*.deb .) \
		>build/log/bench-webhook.log 2>&1 ||
		echo "  not to be had from here (build/log/bench-webhook.log says why)"
}

venv_pinned() {
	rm -rf .venv
	python3 -m venv .venv >build/log/venv.log 2>&1 &&
		.venv/bin/python -m pip install --disable-pip-version-check --retries 1 \
			--timeout 30 -r tests/requirements.txt >>build/log/venv.log 2>&1
}

venv_of_machine() {
	echo "  not installable from here (build/log/venv.log says why):"
	echo "  using the Python packages this machine already has; rm -r .venv to try again"
	rm -rf .venv
	python3 -m venv --system-site-packages .venv >>build/log/venv.log 2>&1 ||
		die "python3 -m venv failed; see build/log/venv.log"
	.venv/bin/python -c 'import pytest, boto3, moto' || {
		rm -rf .venv
		die "pytest, boto3 and moto are needed and are not on this machine"
	}
}
