package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/examples/internal/output"
	"github.com/seed-49005b45/tarn/fit"
)

// TestServes fits a small model, asks a running server about birds, gives it a broken file, and stops it.
func TestServes(t *testing.T) {
	output.Short(t)
	path := filepath.Join(t.TempDir(), "penguins.tarn")
	birds := "species,flipper_length_mm\n" + strings.Repeat("Gentoo,221\nAdelie,188\nGentoo,215\nAdelie,194\nGentoo,224\nAdelie,191\n", 10)
	rows, err := table.Read(strings.NewReader(birds), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fit.Table(t.Context(), rows, fit.Options{Target: "species", Family: fit.Linear})
	if err == nil {
		err = m.Save(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listener, path) }()

	for _, c := range []struct {
		method, path, body, broken string
		status                     int
		want                       string
	}{
		{"GET", "/", "", "", 200, "Which penguin"},
		{"GET", "/model/", "", "", 200, "flipper_length_mm"},
		{"GET", "/model/healthz", "", "", 200, "ok"},
		{"POST", "/model/predict", `{"flipper_length_mm": 220}`, "", 200, `"prediction":"Gentoo"`},
		{"POST", "/model/predict", `{"flipper_length_mm": "long"}`, "", 422, `"column":"flipper_length_mm"`},
		{"POST", "/reload", "", "", 200, ""},
		{"POST", "/reload", "", "no model", 500, "penguins"},
		{"POST", "/model/predict", `{"flipper_length_mm": 190}`, "", 200, `"prediction":"Adelie"`},
		{"GET", "/model/metrics", "", "", 200, "tarn_"},
	} {
		if c.broken != "" {
			if err := os.WriteFile(path, []byte(c.broken), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+listener.Addr().String()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != c.status || !strings.Contains(strings.ReplaceAll(string(text), ": ", ":"), c.want) {
			t.Errorf("%s %s: status %d, want %d; %q should have %q; error %v", c.method, c.path, answer.StatusCode, c.status, text, c.want, err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the server ends with %v", err)
	}
}
