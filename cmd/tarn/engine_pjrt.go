//go:build pjrt

package main

import (
	_ "github.com/seed-49005b45/tarn/pjrt" // the engine pjrt
)
