package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

func TestExplain(t *testing.T) {
	var b strings.Builder
	if err := Explain(context.Background(), &b, Options{Threads: 1}, "mlp-small"); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	wanted := append(cpu.BF16Choice(), "GFLOP/s in registers, ", " in products", "product 32x64x64", "relu", "workload_model.go:", "temporaries take")
	for _, u := range cpu.BF16Units()[1:] {
		wanted = append(wanted, "bfloat16 by the unit "+u.String())
	}
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not mention %q:\n%s", want, text)
		}
	}
	if err := Explain(context.Background(), &b, Options{}, "nothing"); err == nil || !strings.Contains(err.Error(), "mlp-small") {
		t.Errorf("an unknown workload returns %v", err)
	}
	if err := Explain(context.Background(), &b, Options{}, "lbfgs"); err == nil || !strings.Contains(err.Error(), "lbfgs is a search") {
		t.Errorf("a search returns %v", err)
	}
}

func TestTrace(t *testing.T) {
	var b bytes.Buffer
	if err := Trace(&b, Options{Threads: 1}, "mlp-small"); err != nil {
		t.Fatal(err)
	}
	var trace struct{ TraceEvents []traceEvent }
	if err := json.Unmarshal(b.Bytes(), &trace); err != nil {
		t.Fatal(err)
	}
	if len(trace.TraceEvents) < 10 {
		t.Fatalf("%d events", len(trace.TraceEvents))
	}
	for _, e := range trace.TraceEvents {
		if e.Phase != "X" || e.Name == "" || e.Took < 0 || e.Args["place"] == "" {
			t.Errorf("odd event %+v", e)
		}
	}
}
