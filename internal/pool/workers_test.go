package pool

import "testing"

func TestDefaultWorkers(t *testing.T) {
	for _, tt := range []struct {
		procs, fast int
		set         string
		want        int
	}{
		{8, 0, "", 8},  // all cores are equal
		{8, 4, "", 4},  // four fast ones and four slow ones
		{2, 4, "", 2},  // GOMAXPROCS is the upper bound
		{8, 4, "8", 8}, // and decides if the environment has it
	} {
		if got := defaultWorkers(tt.procs, tt.fast, tt.set); got != tt.want {
			t.Errorf("defaultWorkers(%d, %d, %q) = %d, want %d", tt.procs, tt.fast, tt.set, got, tt.want)
		}
	}
}
