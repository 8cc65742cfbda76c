package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestRead(t *testing.T) {
	built := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}, {Key: "CGO_ENABLED", Value: "0"}}
	changed := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "CGO_ENABLED", Value: "1"}}
	for _, c := range []struct {
		name, source, text string
		info               *debug.BuildInfo
	}{
		{"nothing", "", "tarn (no version), unknown revision\nbuilt with " + built, nil},
		{"a test", "", "tarn (no version), unknown revision\nbuilt with " + built, &debug.BuildInfo{Main: debug.Module{Path: module, Version: "(devel)"}}},
		{"installed", "v1.2.3", "tarn v1.2.3, unknown revision\nbuilt with " + built, &debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3"}}},
		{"a commit", "abc", "tarn v1.2.3, revision abc\nbuilt with " + built + ", CGO_ENABLED=0",
			&debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3"}, Settings: commit}},
		{"changes", "abc and changes", "tarn v1.2.3+dirty, revision abc and changes\nbuilt with " + built + ", CGO_ENABLED=1",
			&debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3+dirty"}, Settings: changed}},
		{"used by another", "v1.0.0", "tarn v1.0.0, unknown revision\nbuilt with " + built + ", CGO_ENABLED=0",
			&debug.BuildInfo{Main: debug.Module{Path: "example.com/user", Version: "v7.0.0"}, Settings: commit,
				Deps: []*debug.Module{{Path: "example.com/other", Version: "v2.0.0"}, {Path: module, Version: "v1.0.0"}}}},
	} {
		v := read(c.info)
		if v.Source() != c.source || v.String() != c.text {
			t.Errorf("%s: %q and %q, want %q and %q", c.name, v.Source(), v.String(), c.source, c.text)
		}
	}
}
