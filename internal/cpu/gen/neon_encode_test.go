package main

import (
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEncodings has LLVM's assembler encode the text of every instruction.
func TestEncodings(t *testing.T) {
	path, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("needs llvm-mc")
	}
	var words []uint32
	var text strings.Builder
	for _, op := range slices.Sorted(maps.Keys(encodings)) {
		for _, double := range []bool{false, true} {
			if double && slices.Contains([]string{"mul", "smax", "smin"}, op) { // of 32 bits only
				continue
			}
			for _, r := range [][4]int{{0, 0, 0, 1}, {31, 17, 9, 1}, {5, 30, 31, 1}, {8, 1, 16, 0}, {7, 2, 3, 3}, {9, 2, 3, 31}} {
				switch element := strings.HasSuffix(op, ".e"); {
				case element && (r[3] > 3 || double && r[3] > 1), r[3] == 0 && strings.HasSuffix(op, "shr"): // has no encoding
					continue
				}
				w, s := encode(op, double, r[0], r[1], r[2], r[3])
				words = append(words, w)
				text.WriteString(s + "\n")
			}
		}
	}
	cmd := exec.Command(path, "--arch=aarch64", "--mattr=+bf16", "--show-encoding")
	cmd.Stdin = strings.NewReader(text.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(text.String(), "\n")
	all := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(all) != len(words) {
		t.Fatalf("%d encodings of %d", len(all), len(words))
	}
	for i, m := range all {
		if got, want := fmt.Sprintf("%08x", words[i]), m[4]+m[3]+m[2]+m[1]; got != want {
			t.Errorf("%s is %s, LLVM says %s", lines[i], got, want)
		}
	}
}
