package build

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.time", Value: "2022-12-25T03:00:00Z"}, {Key: "vcs.modified", Value: "true"}}}
	const want = "v1.2.3 (commit 0123456789ab of 2022-12-25T03:00:00Z, with changes that are in none, go1.26)"
	if got := describe(info); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := describe(&debug.BuildInfo{GoVersion: "go1.26"}); !strings.Contains(got, "commit unknown") {
		t.Errorf("a build without a repository is %q", got)
	}
	if Version() == "" {
		t.Error("there is no version")
	}
}
