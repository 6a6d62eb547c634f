# shellcheck shell=bash
# stage.sh - progress: one line a stage, the full output in build/log. Sourced by dev.

FAILED=()     # names of the stages that failed
CLOSING=()    # the closing lines of the test runners, repeated at the very end

die() {
	echo "dev: $*" >&2
	exit 2
}

# some_file FOLDER PATTERN: is there any such file?
some_file() {
	[ -d "$1" ] && [ -n "$(find "$1" -name "$2" -print -quit)" ]
}

log_of() {
	local name=${1//[^A-Za-z0-9]/-}
	echo "build/log/${name,,}.log"
}

# stage NAME COMMAND...: run it, print "NAME 1.2 s ok", or the tail of its log.
stage() {
	local name=$1 log start=$EPOCHREALTIME verdict=ok
	shift
	log=$(log_of "$name")
	mkdir -p build/log
	printf '  %-30s' "$name"
	"$@" </dev/null >"$log" 2>&1 || verdict=FAIL
	printf '%8s s  %s\n' "$(seconds_since "$start")" "$verdict"
	[ "$verdict" = FAIL ] || return 0
	FAILED+=("$name")
	echo "---- the last lines of $log"
	tail -n 60 "$log"
	echo "----"
}

# stage_shown NAME RUNNER COMMAND...: as stage, and the verdict lines of the test runner
# (ctest, pytest or memcheck) are shown at once and again at the very end.
stage_shown() {
	local name=$1 runner=$2 line
	shift 2
	stage "$name" "$@"
	while IFS= read -r line; do
		echo "        $line"
		CLOSING+=("$name: $line")
	done < <(verdict_lines "$runner" "$(log_of "$name")")
}

verdict_lines() {
	case $1 in
	ctest) grep -E '^[0-9]+% tests passed|^Total Test time' "$2" ;;
	pytest) grep -E '^=*( no tests ran| ?[0-9]+ [a-z]+.*) in [0-9.]+s' "$2" ;;
	memcheck) grep -E '^valgrind: ' "$2" ;;
	esac | tail -n 2
}

seconds_since() {
	local from=${1/[.,]/} now=${EPOCHREALTIME/[.,]/} tenths
	tenths=$(((now - from) / 100000))
	echo "$((tenths / 10)).$((tenths % 10))"
}

# finish: leave with 1 if a stage failed.
finish() {
	[ ${#FAILED[@]} -eq 0 ] || {
		printf 'FAILED: %s\n' "${FAILED[@]}"
		exit 1
	}
}
