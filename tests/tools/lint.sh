# shellcheck shell=bash
# lint.sh - judges the sources without running them. Sourced by dev.

# our_files PATTERN...: what is or could be committed, as git sees it.
our_files() {
	git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard -- "$@" |
		while IFS= read -r -d '' file; do
			[ ! -f "$file" ] || printf '%s\0' "$file"
		done
}

lint() {
	stage "lint: format" lint_format
	stage "lint: shell" lint_shell
	stage "lint: layers" python3 tests/check/layers.py
	stage "lint: file table" python3 tests/check/filetable.py
	stage "lint: functions" python3 tests/check/functions.py
	stage "lint: forbidden" python3 tests/check/forbidden.py
	stage "lint: clang-tidy" lint_tidy
}

lint_format() {
	local strict=-Werror
	if [ "$LLVM" != "$LLVM_WANTED" ]; then
		echo "clang-format $LLVM is not the version that judges ($LLVM_WANTED): advice only"
		strict=-Wno-error
	fi
	our_files '*.c' '*.h' |
		xargs -0 -r "clang-format-$LLVM" --dry-run "$strict"
}

lint_fix() {
	[ "$LLVM" = "$LLVM_WANTED" ] ||
		die "lint --fix: needs clang-format-$LLVM_WANTED, here is clang-format-$LLVM"
	our_files '*.c' '*.h' | xargs -0 -r "clang-format-$LLVM" -i
}

lint_shell() {
	our_files dev .ci/run '*.sh' | xargs -0 -r shellcheck --shell=bash --severity=style
}

lint_tidy() {
	some_file src '*.c' || {
		echo "no C sources yet"
		return 0
	}
	configure_clang &&
		python3 tests/tools/tidy.py --tool "clang-tidy-$LLVM" \
			--database build/clang --cache build/tidy
}
