package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	. "github.com/mmcloughlin/avo/reg"
)

// TestTileEncodings has LLVM disassemble the bytes of every instruction for tiles, with all registers that it may have.
func TestTileEncodings(t *testing.T) {
	path, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("needs llvm-mc")
	}
	var want []string
	var bytes strings.Builder
	add := func(text string, code []byte) {
		want = append(want, strings.Join(strings.Fields(text), " "))
		for _, b := range code {
			fmt.Fprintf(&bytes, "%#02x ", b)
		}
		bytes.WriteString("\n")
	}
	add(tileConfigure())
	add(tileRelease())
	for tile := range 8 {
		add(tileZero(tile))
		for other := range 8 {
			if third := (tile + 3*other + 5) % 8; third != tile && third != other && tile != other {
				add(tileMultiply(tile, other, third))
			}
		}
	}
	for base := range numbers {
		for row := range numbers {
			for i, disp := range []int{64, 1024, -64, 1 << 20} {
				tile := (numbers[base] + numbers[row] + i) % 8
				add(tileLoad(tile, base, row, disp))
				add(tileStore(tile, base, row, disp))
			}
		}
	}
	add(tileLoad(0, RAX, R8, 0))
	cmd := exec.Command(path, "--disassemble", "--triple=x86_64", "-mattr=+amx-tile,+amx-bf16")
	cmd.Stdin = strings.NewReader(bytes.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != ".text" {
			got = append(got, strings.Join(words, " "))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d instructions of %d:\n%s", len(got), len(want), out[:min(len(out), 2000)])
	}
	for i := range want {
		if got[i] != want[i] && got[i] != strings.Replace(want[i], " 0(", " (", 1) {
			t.Errorf("%s: LLVM reads %s", want[i], got[i])
		}
	}
}
