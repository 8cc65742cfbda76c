package main

import (
	"os"
	"strings"
	"testing"
)

// TestCheck checks the guide as it is, and with mistakes in it.
func TestCheck(t *testing.T) {
	text, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	if n := len(fences.FindAllString(guide, -1)); n < 3 {
		t.Fatalf("the guide has %d blocks", n)
	}
	for _, test := range []struct{ from, to, want string }{
		{"", "", ""},
		{"kind: MPIJob", "kind: MPIjob", "kind: MPIjob, want one of"},
		{"slotsPerWorker: 1", "slotsPerWorker: one", `spec.slotsPerWorker: "one", want integer`},
		{"slotsPerWorker:", "slotPerWorker:", "spec: there is no field slotPerWorker"},
		{"  mpiReplicaSpecs:", "  replicaSpecs:", "there is no mpiReplicaSpecs"},
		{"- name: worker", "- label: worker", "there is no name"},
		{"replicas: 4", "replicas: [4]", "a list, want integer"},
		{"kind: MPIJob", "kind: [", "did not find"},
		{"srun ", "if srun ", "bash"},
	} {
		broken := strings.Replace(guide, test.from, test.to, 1)
		if test.from != "" && broken == guide {
			t.Errorf("the guide has no %q", test.from)
		}
		err := check(broken)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q for %q: %v, want %q", test.to, test.from, err, test.want)
		}
	}
}
