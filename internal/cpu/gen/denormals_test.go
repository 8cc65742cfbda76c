package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModes asserts of the committed files that every function with arithmetic begins with the mode in which denormal numbers are zero and takes it
// back before each return, and that no other function touches the mode.
func TestModes(t *testing.T) {
	paths, err := filepath.Glob("../../*/*_avx*_amd64.s")
	if err != nil || len(paths) < 8 {
		t.Fatal(paths, err)
	}
	arithmetic := regexp.MustCompile(`(?m)^\t*V(ADD|SUB|MUL|DIV|SQRT|FMADD\w*|FNMADD\w*|FMSUB\w*|SCALEF)[PS][SD]\b`)
	all := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, fn := range strings.Split(string(text), "\nTEXT ")[1:] {
			name, body, _ := strings.Cut(fn, "\n")
			name = strings.TrimPrefix(name[:strings.Index(name, "(SB)")], "·")
			var lines []string
			for line := range strings.Lines(body) {
				if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(line, "\t") {
					lines = append(lines, strings.Join(f, " "))
				}
			}
			const set, restore = "LDMXCSR mode_flush<>+0(SB)", "LDMXCSR mode_ieee<>+0(SB)"
			flushes := lines[0] == set
			if !flushes && arithmetic.MatchString(body) && !regexp.MustCompile(`Max|Min|Clip`).MatchString(name) { // selections add to find NaN
				t.Errorf("%s: %s has arithmetic and does not flush", path, name)
			}
			for i, line := range lines {
				switch {
				case line == "RET" && flushes != (lines[i-1] == restore):
					t.Errorf("%s: %s returns without restoring the mode", path, name)
				case line == set && i > 0, line == restore && lines[i+1] != "RET":
					t.Errorf("%s: %s changes the mode in between", path, name)
				}
			}
			if flushes {
				all++
			}
		}
	}
	if all < 350 {
		t.Errorf("only %d functions flush", all)
	}
}

// TestModesNEON asserts the same of the kernels for NEON. Those that keep denormal numbers may work on floats without the mode.
func TestModesNEON(t *testing.T) {
	paths, err := filepath.Glob("../../*/*_neon_arm64.s")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	arithmetic := regexp.MustCompile(`// f(add|sub|mul|div|sqrt|mla|mls)\b|\tFADD|\tFMUL`)
	all := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, fn := range strings.Split(string(text), "\nTEXT ")[1:] {
			name, body, _ := strings.Cut(fn, "(SB)")
			lines := strings.Split(body, "\n")
			set, restored, returns := strings.Count(body, "\tMSR R10, FPCR\n"), 0, 0
			for i, line := range lines {
				if line == "\tRET" {
					returns++
					if lines[i-1] == "\tMSR R26, FPCR" {
						restored++
					}
				}
			}
			switch {
			case set > 1 || returns != 1 || restored != set || strings.Count(body, "FPCR") != 3*set:
				t.Errorf("%s: %s sets the mode %d times, returns %d times and restores it %d times", path, name, set, returns, restored)
			case set == 0 && arithmetic.MatchString(body):
				t.Errorf("%s: %s has arithmetic and does not flush", path, name)
			}
			all += set
		}
	}
	if all < 180 {
		t.Errorf("only %d functions flush", all)
	}
}
