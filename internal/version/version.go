// Package version tells what the running program was built from.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

const module = "github.com/seed-49005b45/tarn"

// Info is what a build knows of itself. A field is empty if the build does not know it.
type Info struct {
	Tarn     string // version of the module, as in "v0.1.0"
	Revision string // of the repository that the program was built in
	Modified bool   // the repository had changes that were not committed
	Go       string // version of the compiler, and the target, as in "go1.26.0 linux/amd64"
	CGO      string // "0" or "1", the setting CGO_ENABLED of the build
}

// Read returns what this build knows.
func Read() Info {
	info, _ := debug.ReadBuildInfo()
	return read(info)
}

func read(info *debug.BuildInfo) Info {
	v := Info{Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	if info.Main.Path != module { // a program that uses Tarn: its revision is not Tarn's
		for _, d := range info.Deps {
			if d.Path == module {
				v.Tarn = d.Version
			}
		}
	} else if info.Main.Version != "(devel)" {
		v.Tarn = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "CGO_ENABLED":
			v.CGO = s.Value
		case info.Main.Path != module:
		case s.Key == "vcs.revision":
			v.Revision = s.Value
		case s.Key == "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// Source returns the revision, or the version if there is none, and says whether there were changes. It is empty if the
// build knows neither.
func (v Info) Source() string {
	source := v.Tarn
	if v.Revision != "" {
		source = v.Revision
	}
	if v.Modified {
		source = strings.TrimSpace(source + " and changes")
	}
	return source
}

// String returns two lines: version and revision, and how the program was built.
func (v Info) String() string {
	name, revision, cgo := v.Tarn, "unknown revision", ""
	if name == "" {
		name = "(no version)"
	}
	if v.Revision != "" {
		revision = "revision " + v.Revision
	}
	if v.Modified {
		revision += " and changes"
	}
	if v.CGO != "" {
		cgo = ", CGO_ENABLED=" + v.CGO
	}
	return fmt.Sprintf("tarn %s, %s\nbuilt with %s%s", name, revision, v.Go, cgo)
}
