package main

import (
	"testing"

	"github.com/seed-49005b45/tarn/dist"
)

func TestWork(t *testing.T) {
	if err := work(dist.Single()); err != nil {
		t.Fatal(err)
	}
}
