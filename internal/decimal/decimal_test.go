package decimal_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/decimal"
)

// TestParse reads decimal numbers, and refuses everything else that looks like one.
func TestParse(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "1": 1, "+1": 1, "-1": -1, "007": 7, "1.": 1, ".5": .5, "-.5": -.5, "1.25": 1.25, "1e3": 1000, "1E3": 1000, "1e+3": 1000,
		"1e-3": 1e-3, "1.5e2": 150, ".5e1": 5, "1.e1": 10, "0e999": 0, "0.000e-999": 0, "1.7976931348623157e308": math.MaxFloat64, "5e-324": 5e-324,
		"1" + strings.Repeat("0", 300): 1e300, "0." + strings.Repeat("0", 1000) + "1e1000": 0.1,
	} {
		got, err := decimal.Parse(text)
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "the text is empty", ".": "not a number", "+": "not a number", "-": "not a number", "e1": "not a number", ".e1": "not a number",
		"1e": "not a number", "1e+": "not a number", "1.2.3": "not a number", "--1": "not a number", "1e1.5": "not a number", "1f": "not a number",
		"0x10": "decimal digits", "0x1p-2": "decimal digits", "-0X1P4": "decimal digits", "0b11": "decimal digits", "0o17": "decimal digits", "1_000": "without separators", "1'000": "without separators",
		"Inf": "not a finite number", "+inf": "not a finite number", "-Infinity": "not a finite number", "nan": "not a finite number", "NaN": "not a finite number",
		"1,5": "is a point", " 1": "a space", "1 ": "a space", "1\n": "a space", "5%": "as a fraction",
		"1e309": "not a finite number", "-1e999": "not a finite number", "1e99999999999999999999": "not a finite number", "1.8e308": "not a finite number",
		"1e-400": "would become 0", "-1e-99999999999999999999": "would become 0", "١": "not a number", "１": "not a number", "1\x00": "not a number",
	} {
		if got, err := decimal.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v; want an error with %q", text, got, err, want)
		}
	}
	if _, err := decimal.Parse(strings.Repeat("x", 1<<20)); err == nil || len(err.Error()) > 200 {
		t.Errorf("a long text: %.300v", err)
	}
	if _, err := decimal.Parse("\x1b[31m1"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("a terminal escape: %q", err)
	}
}
