# shellcheck shell=bash
# suite.sh - `./dev test`: lint, compile every way, run every test. Sourced by dev.

export ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}
export LSAN_OPTIONS=${LSAN_OPTIONS-suppressions=$PWD/tests/tools/lsan.supp:print_suppressions=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS-halt_on_error=1:second_deadlock_stack=1}

LONG_PROPERTY_CASES=${LONG_PROPERTY_CASES-20000}

# suite ALL: ALL is empty or "yes". A failed lint or test does not hide the rest; only
# what needs a program that could not be built is left out.
suite() {
	local all=$1 start=$EPOCHREALTIME
	deps test
	[ -z "$all" ] || deps all
	[ -z "$all" ] || gitea_begin
	lint
	stage "build asan (gcc)" build_asan
	stage "build clang" build_clang
	stage "build release" build_release
	if [ -f build/asan/CTestTestfile.cmake ] && ! failed "build asan (gcc)"; then
		stage_shown "unit tests" ctest run_ctest asan
		stage_shown "pytest" pytest run_pytest_all
	else
		stage_shown "pytest: check scripts only" pytest run_pytest tests/check
	fi
	[ -z "$all" ] || slow_tiers
	closing "$start"
}

failed() {
	[[ " ${FAILED[*]/%/;} " == *" $1;"* ]]
}

slow_tiers() {
	stage_shown "long properties" ctest run_properties
	stage "build valgrind" build_valgrind
	failed "build valgrind" || stage_shown "valgrind" memcheck run_valgrind
	gitea_end
	stage_shown "pytest: slow" pytest run_pytest_slow
	stage "build tsan" build_tsan
	failed "build tsan" || stage_shown "tsan" ctest run_tsan
	failed "build tsan" || stage_shown "tsan: daemon under load" pytest run_tsan_load
	! some_file tests/fault 'test_*.py' ||
		stage_shown "fault tier" pytest run_pytest tests/fault
}

closing() {
	echo
	[ ${#FAILED[@]} -eq 0 ] || printf 'FAILED: %s\n' "${FAILED[@]}"
	echo "$(seconds_since "$1") s; full output in build/log"
	printf '%s\n' "${CLOSING[@]}"
	[ ${#FAILED[@]} -eq 0 ] || exit 1
}

# run_ctest FOLDER CTEST-ARGUMENT...
run_ctest() {
	local folder=build/$1
	shift
	ctest --test-dir "$folder" --output-on-failure --no-tests=error --timeout 300 -j 2 "$@"
}

# Property tests carry the label `property` and read CRC_PROPERTY_CASES.
run_properties() {
	if ! some_file tests/property '*.c'; then
		echo "no property tests yet"
		return 0
	fi
	CRC_PROPERTY_CASES=$LONG_PROPERTY_CASES run_ctest asan -L property --timeout 3000
}

run_valgrind() {
	.venv/bin/python tests/tools/memcheck.py build/valgrind
}

# TSan dislikes some address layouts; a fixed one always works where it may be asked for.
fixed_layout() {
	if setarch "$(uname -m)" -R true; then
		setarch "$(uname -m)" -R "$@"
	else
		"$@"
	fi
}

run_tsan() {
	fixed_layout ctest --test-dir build/tsan --output-on-failure --no-tests=error \
		--timeout 600 -j 2
}

run_tsan_load() {
	CRC_BUILD=$PWD/build/tsan CRC_DAEMON=$PWD/build/tsan/daemon/crc-daemon \
		fixed_layout .venv/bin/python -m pytest -q -p no:cacheprovider \
		tests/e2e/test_daemon_load.py
}

run_pytest_all() {
	local folders=(tests/check) folder
	for folder in tests/cloud tests/e2e tests/golden tests/browser \
		examples/resume/backend/tests; do
		! some_file "$folder" 'test_*.py' || folders+=("$folder")
	done
	run_pytest "${folders[@]}"
}

# Tests that take a minute or more.
run_pytest_slow() {
	CRC_TEST_SLOW=yes run_pytest -m slow tests/e2e
}

# run_pytest FOLDER...: against the binary with sanitizers; what is measured, against the
# release build.
run_pytest() {
	local options=(-q -p no:cacheprovider) most=1500 each=300
	# Sweeps deploy thousands of times.
	[ "$1" != tests/fault ] || most=7200 each=1800
	[ ! -x build/crc-action ] || export CRC_ACTION_RELEASE=$PWD/build/crc-action
	! .venv/bin/python -c 'import xdist' 2>/dev/null || options+=(-n 2)
	! .venv/bin/python -c 'import pytest_timeout' 2>/dev/null || options+=(--timeout "$each")
	[ ! -x build/crc-daemon ] || export CRC_DAEMON_RELEASE=$PWD/build/crc-daemon
	CRC_ACTION=$PWD/build/asan/action/crc-action \
		CRC_DAEMON=$PWD/build/asan/daemon/crc-daemon \
		timeout "$most" .venv/bin/python -m pytest "${options[@]}" "$@"
}
