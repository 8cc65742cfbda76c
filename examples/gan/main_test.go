package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

// The generator makes points of all modes, and most are good.
func TestFindsAllModes(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	lines := strings.Split(strings.TrimSpace(output.Of(t, main)), "\n")
	var share, found int
	_, verdict, _ := strings.Cut(lines[len(lines)-1], "generator ")
	if n, _ := fmt.Sscanf(verdict[strings.Index(verdict, " ")+1:], "%d %% of the points good, %d of 8 modes", &share, &found); n != 2 {
		t.Fatalf("last line %q", lines[len(lines)-1])
	}
	if share < 75 || found != modes {
		t.Errorf("%d %% of the points are good, %d modes; want 75 %%, and all", share, found)
	}
}

func TestJudge(t *testing.T) {
	if share, found := judge([]float32{1, 0, 1.1, 0.1, 0, -1, 0, 0}); share != 0.75 || found != 2 {
		t.Errorf("share %v, %d modes; want 0.75 and 2", share, found)
	}
}
