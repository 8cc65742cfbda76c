// Command serve answers about penguins over HTTP, beside pages of its own: examples/tabular -out penguins.tarn makes the model.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/predict"
	"github.com/seed-49005b45/tarn/serve"
)

// newServer returns a server for the model in the file at path.
func newServer(path string) (*serve.Server, error) {
	return serve.New(serve.Options{Timeout: 5 * time.Second, Logger: slog.Default()}, serve.Entry{
		Name: "penguins",
		Load: func() (predict.Model, error) {
			m, err := fit.Load(path)
			if err != nil {
				return nil, err
			}
			return m, m.Warm() // so that the first answer takes no longer than the others
		},
	})
}

// pages are those of the model, below /model, and two of the program's own. One of them reads the file of the model again.
func pages(model *serve.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/model/", http.StripPrefix("/model", model))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<p><a href="model/">Which penguin is it?</a>`)
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		if err := model.Reload("penguins"); err != nil { // the one that was there goes on to answer
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}

// run answers requests until the context ends, and then those that are there already.
func run(ctx context.Context, listener net.Listener, path string) error {
	model, err := newServer(path)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: pages(model), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		stopped <- errors.Join(server.Shutdown(context.Background()), model.Close(context.Background()))
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", "localhost:8080")
	if err == nil {
		err = run(ctx, listener, os.Args[len(os.Args)-1])
	}
	if err != nil {
		log.Fatal(err)
	}
}
