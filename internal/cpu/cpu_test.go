package cpu

import (
	"slices"
	"strings"
	"testing"
)

// atEachLevel runs a test once at every level that the machine supports.
func atEachLevel(t *testing.T, test func(t *testing.T, l Level)) {
	before := Current()
	defer Force(before)
	for _, l := range Levels() {
		if err := Force(l); err != nil {
			t.Fatal(err)
		}
		t.Run(l.String(), func(t *testing.T) { test(t, l) })
	}
}

func TestLevelFromEnv(t *testing.T) {
	foreign := NEON.String() // a level of another architecture
	if slices.Contains(Levels(), NEON) {
		foreign = AVX2.String()
	}
	tests := []struct {
		value string
		want  Level
		err   string
	}{
		{"", Detected(), ""},
		{"go", Go, ""},
		{"AVX2", Detected(), "not a level"},
		{"sse", Detected(), "choose " + choice()},
		{foreign, Detected(), "no kernels of that level: choose go"},
	}
	for _, tt := range tests {
		got, err := levelFromEnv(tt.value)
		if got != tt.want {
			t.Errorf("%q: level %s, want %s", tt.value, got, tt.want)
		}
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: error %v, want one with %q", tt.value, err, tt.err)
		}
	}
}

func TestForce(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		if Current() != l {
			t.Errorf("current level %s, want %s", Current(), l)
		}
		if named, err := Named(l.String()); err != nil || named != l {
			t.Errorf("level %s by its name is %s: %v", l, named, err)
		}
	})
	if _, err := Named("sse"); err == nil || !strings.Contains(err.Error(), "choose go") {
		t.Errorf("an unknown name: error %v", err)
	}
	if err := Force(Level(len(levelNames))); err == nil {
		t.Error("an unknown level was accepted")
	}
}
