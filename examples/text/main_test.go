package main

import (
	"reflect"
	"testing"

	"github.com/seed-49005b45/tarn/examples/internal/output"
)

func TestKnowsTheBooks(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	rows, err := paragraphs()
	if err != nil || rows.Rows() < 400 || len(rows.Column("book").Levels) != 3 {
		t.Fatalf("%d paragraphs of %v; error %v", rows.Rows(), rows.Column("book").Levels, err)
	}
	m, answers, err := run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if accuracy := m.About.Metrics["accuracy"]; accuracy < 0.85 {
		t.Errorf("accuracy %v, want at least 0.85", accuracy)
	}
	if want := []string{"first", "second", "third"}; !reflect.DeepEqual(answers.Labels, want) {
		t.Errorf("the sentences are of the books %v, want %v", answers.Labels, want)
	}
}
