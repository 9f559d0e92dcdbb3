// Package build tells which build of Cotmoc a program is.
package build

import (
	"fmt"
	"runtime/debug"
)

// Version is the version of the module, the commit that it was built from and the Go
// release that built it, in one line.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown build"
	}
	return describe(info)
}

// describe tells of a build what its information says.
func describe(info *debug.BuildInfo) string {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	commit := "commit unknown"
	if revision := set["vcs.revision"]; revision != "" {
		commit = "commit " + revision[:min(len(revision), 12)]
		if at := set["vcs.time"]; at != "" {
			commit += " of " + at
		}
		if set["vcs.modified"] == "true" {
			commit += ", with changes that are in none"
		}
	}
	return fmt.Sprintf("%s (%s, %s)", info.Main.Version, commit, info.GoVersion)
}
