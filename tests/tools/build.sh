# shellcheck shell=bash
# build.sh - configure with cmake, compile with ninja; a folder of build/ for each
# way of compiling. Sourced by dev.

# configure FOLDER CMAKE-ARGUMENT...: only when the arguments changed; ninja itself
# notices edited CMakeLists.txt.
configure() {
	local folder=build/$1 args
	shift
	args="$*"
	if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/crc-arguments" 2>/dev/null)" = "$args" ]; then
		return 0
	fi
	rm -rf "$folder"
	cmake -S . -B "$folder" -G Ninja -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" &&
		echo "$args" >"$folder/crc-arguments"
}

compile() {
	ninja -C "build/$1"
}

build_release() {
	configure release -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DCRC_TESTS=OFF &&
		compile release || return 1
	local name
	for name in action daemon; do
		[ -x "build/release/$name/crc-$name" ] || {
			echo "the build made no $name/crc-$name"
			return 1
		}
		ln -sfn "release/$name/crc-$name" "build/crc-$name"
	done
}

build_asan() {
	configure asan -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
		"-DCMAKE_C_FLAGS_DEBUG=-O1 -g" -DCRC_SANITIZE=address,undefined &&
		compile asan
}

configure_clang() {
	configure clang "-DCMAKE_C_COMPILER=clang-$LLVM" -DCMAKE_BUILD_TYPE=Debug -DCRC_WERROR=ON
}

build_clang() {
	configure_clang && compile clang
}

build_valgrind() {
	configure valgrind -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug && compile valgrind
}

build_tsan() {
	configure tsan -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
		"-DCMAKE_C_FLAGS_DEBUG=-O1 -g" -DCRC_SANITIZE=thread &&
		compile tsan
}

build_fuzz() {
	configure fuzz "-DCMAKE_C_COMPILER=clang-$LLVM" -DCMAKE_BUILD_TYPE=Debug \
		"-DCMAKE_C_FLAGS_DEBUG=-O1 -g" -DCRC_SANITIZE=address,undefined -DCRC_FUZZ=ON &&
		compile fuzz
}

# fuzz SECONDS: every target for so long, on its corpus of tests/fuzz/corpus/NAME.
fuzz() {
	local target name found=
	for target in $(find build/fuzz -type f -name 'fuzz_*' -perm -u+x | sort); do
		found=yes
		name=$(basename "$target")
		mkdir -p "build/fuzz/corpus/$name" "build/fuzz/crash/$name"
		set -- "$1" "build/fuzz/corpus/$name"
		[ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
		stage "$name ($1 s)" "$target" -max_total_time="$1" -rss_limit_mb=2048 \
			-artifact_prefix="build/fuzz/crash/$name/" "${@:2}"
	done
	[ -n "$found" ] || die "fuzz: the build made no fuzz_* program"
	finish
}
