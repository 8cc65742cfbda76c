package cpu

import "testing"

// What CPUID tells of tiles decides whether they are used. The first row has what Intel's manual says of palette 1.
func TestTileLimits(t *testing.T) {
	const last, palettes, tile, row, rows, unit = 0x20, 1, 1024<<16 | 8192, 8<<16 | 64, 16, 64<<8 | 16
	for name, tt := range map[string]struct {
		last, palettes, tile, row, rows, unit uint32
		want                                  bool
	}{
		"palette 1":         {last, palettes, tile, row, rows, unit, true},
		"more of all":       {0x24, 2, 2048<<16 | 16384, 16<<16 | 128, 32, 128<<8 | 32, true},
		"no such leaf":      {0x1c, palettes, tile, row, rows, unit, false},
		"a leaf of zeros":   {last, 0, 0, 0, 0, 0, false},
		"small tiles":       {last, palettes, 512<<16 | 4096, row, rows, unit, false},
		"short rows":        {last, palettes, tile, 8<<16 | 32, rows, unit, false},
		"four tiles":        {last, palettes, tile, 4<<16 | 64, rows, unit, false},
		"eight rows":        {last, palettes, tile, row, 8, unit, false},
		"products of eight": {last, palettes, tile, row, rows, 64<<8 | 8, false},
		"narrow products":   {last, palettes, tile, row, rows, 32<<8 | 16, false},
	} {
		err := tileLimits(func(leaf, sub uint32) (a, b, c, d uint32) {
			switch [2]uint32{leaf, sub} {
			case [2]uint32{0, 0}:
				return tt.last, 0, 0, 0
			case [2]uint32{0x1d, 0}:
				return tt.palettes, 0, 0, 0
			case [2]uint32{0x1d, 1}:
				return tt.tile, tt.row, tt.rows, 0
			case [2]uint32{0x1e, 0}:
				return 0, tt.unit, 0, 0
			}
			t.Errorf("%s: leaf %#x, %d is asked", name, leaf, sub)
			return
		})
		if (err == nil) != tt.want {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
