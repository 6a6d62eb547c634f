# shellcheck shell=bash
# gitea.sh - a real Gitea in build/gitea, for tests/e2e/test_daemon_gitea.py. Sourced by dev.

GITEA_VERSION=1.26.0
GITEA_LIMIT_S=900
GITEA_PID=

# gitea_begin: builds it beside what else is done, unless it is there. Five minutes of two cores.
gitea_begin() {
	[ ! -x build/gitea/gitea ] || return 0
	if ! command -v go >/dev/null; then
		echo "  no Go: tests against a real Gitea are left out"
		return 0
	fi
	mkdir -p build/gitea build/log
	build_gitea </dev/null >build/log/gitea.log 2>&1 &
	GITEA_PID=$!
}

# gitea_end: waits for it. Where it cannot be built, its tests are left out.
gitea_end() {
	[ -z "$GITEA_PID" ] || wait "$GITEA_PID" ||
		echo "  no Gitea was built, its tests are left out (build/log/gitea.log says why)"
	GITEA_PID=
}

# Not `go install MODULE@VERSION`: that refuses a go.mod with replacements, which Gitea's has.
build_gitea() (
	cd build/gitea || exit
	export GOPATH=$PWD/go GOCACHE=$PWD/cache GOFLAGS="-modcacherw -buildvcs=false"
	timeout "$GITEA_LIMIT_S" go mod download "code.gitea.io/gitea@v$GITEA_VERSION" &&
		rm -rf src &&
		cp -r "$GOPATH/pkg/mod/code.gitea.io/gitea@v$GITEA_VERSION" src &&
		cd src &&
		timeout "$GITEA_LIMIT_S" nice go build -tags "sqlite sqlite_unlock_notify" \
			-ldflags "-s -w -X main.Version=$GITEA_VERSION" -o ../gitea.new . &&
		mv ../gitea.new ../gitea &&
		rm -rf "$GOPATH" "$GOCACHE"
)
