package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/examples/internal/output"
	"github.com/seed-49005b45/tarn/fit"
)

func TestKnowsPenguins(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	path := filepath.Join(t.TempDir(), "penguins.tarn")
	m, answers, err := run(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if accuracy := m.About.Metrics["accuracy"]; accuracy < 0.98 {
		t.Errorf("accuracy %v, want at least 0.98", accuracy)
	}
	if want := []string{"Gentoo", "Adelie", "Chinstrap"}; !reflect.DeepEqual(answers.Labels, want) {
		t.Errorf("the birds are %v, want %v", answers.Labels, want)
	}

	// The file answers as the model does.
	loaded, err := fit.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := table.Read(strings.NewReader(found), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := loaded.Predict(t.Context(), rows); err != nil || !reflect.DeepEqual(again, answers) {
		t.Errorf("the file answers %+v, want %+v; error %v", again, answers, err)
	}
}
