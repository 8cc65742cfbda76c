package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn/watch"
)

func TestPosts(t *testing.T) {
	var mu sync.Mutex
	var history watch.History
	end := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text, err := io.ReadAll(r.Body)
		var line struct {
			watch.Line
			End string
		}
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, text, err)
		}
		history.Add(line.Line)
		end += line.End
	}))
	defer server.Close()
	poster := &Poster{URL: server.URL}
	loss, err := learnCubic(context.Background(), poster)
	if err != nil || loss > 0.01 || poster.Lost != 0 {
		t.Errorf("loss %v, %d lines lost, error %v", loss, poster.Lost, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if h := history.Header; h == nil || len(h.Params) != 4 || h.Epochs != 20 {
		t.Errorf("the header is %+v", h)
	}
	if len(history.Epochs) != 20 || len(history.Steps) != 16 || float64(history.Epochs[19].TrainLoss)-loss > 1e-6 || end != "finished" {
		t.Errorf("%d epochs, %d looks, the end %q", len(history.Epochs), len(history.Steps), end)
	}

	// A server that refuses, and one that is gone, cost lines and no training.
	refusing := httptest.NewServer(http.NotFoundHandler())
	for range 2 {
		poster := &Poster{URL: refusing.URL}
		if again, err := learnCubic(context.Background(), poster); err != nil || again != loss || poster.Lost < 38 {
			t.Errorf("loss %v, %d lines lost, error %v", again, poster.Lost, err)
		}
		refusing.Close()
	}
}
