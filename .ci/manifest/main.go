// Command manifest checks what guides show: YAML is validated by the schema of the Kubernetes resource that it describes, shell scripts are parsed by bash, and
// shellcheck looks at them if it is installed.
//
//	go run ./manifest ../docs/cluster.md
package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// mpiJob is the schema of MPIJob in the version v2beta1, as JSON without descriptions: that of deploy/v2beta1/mpi-operator.yaml in
// github.com/kubeflow/mpi-operator at caa3c47fc42e, which is under the Apache License 2.0.
//
//go:embed testdata/mpijob-v2beta1.json.gz
var mpiJob []byte

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err == nil {
			err = check(string(text))
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// fences are the blocks of code of a guide.
var fences = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// check checks the blocks of a guide.
func check(guide string) error {
	var failed []error
	for _, block := range fences.FindAllStringSubmatch(guide, -1) {
		switch block[1] {
		case "yaml":
			failed = append(failed, checkYAML(block[2]))
		case "sh":
			failed = append(failed, checkScript(block[2]))
		}
	}
	return errors.Join(failed...)
}

// checkScript parses a shell script, and lets shellcheck look at it.
func checkScript(text string) error {
	for _, line := range [][]string{{"bash", "-n"}, {"shellcheck", "-"}} {
		if _, err := exec.LookPath(line[0]); err != nil && line[0] == "shellcheck" {
			continue
		}
		c := exec.Command(line[0], line[1:]...)
		c.Stdin = strings.NewReader(text)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %v\n%s", line[0], err, out)
		}
	}
	return nil
}

// schema is a structural schema of OpenAPI 3, as Kubernetes uses it.
type schema struct {
	Type                 string             `json:"type"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *schema            `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	Required             []string           `json:"required"`
	Enum                 []any              `json:"enum"`
	Pattern              string             `json:"pattern"`
	IntOrString          bool               `json:"x-kubernetes-int-or-string"`
}

// checkYAML validates a resource.
func checkYAML(text string) error {
	zipped, err := gzip.NewReader(bytes.NewReader(mpiJob))
	if err != nil {
		return err
	}
	var s schema
	if err := json.NewDecoder(zipped).Decode(&s); err != nil {
		return err
	}
	// The server adds these to what the schema says.
	s.Properties["metadata"] = &schema{Type: "object", Properties: map[string]*schema{"name": {Type: "string"}, "namespace": {Type: "string"}, "labels": {Type: "object", AdditionalProperties: &schema{Type: "string"}}}, Required: []string{"name"}}
	s.Properties["apiVersion"].Enum, s.Properties["kind"].Enum = []any{"kubeflow.org/v2beta1"}, []any{"MPIJob"}
	s.Required = append(s.Required, "apiVersion", "kind", "metadata", "spec")
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	return s.check("", v)
}

// check returns an error for each value at or below a path that does not fit.
func (s *schema) check(path string, v any) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", strings.TrimPrefix(path, "."), fmt.Sprintf(format, args...))
	}
	var failed []error
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			return wrong("an object, want %s", s.Type)
		}
		for _, name := range s.Required {
			if _, there := v[name]; !there {
				failed = append(failed, wrong("there is no %s", name))
			}
		}
		for name, below := range v {
			switch p := s.Properties[name]; {
			case p != nil:
				failed = append(failed, p.check(path+"."+name, below))
			case s.AdditionalProperties != nil:
				failed = append(failed, s.AdditionalProperties.check(path+"."+name, below))
			case s.Properties != nil:
				failed = append(failed, wrong("there is no field %s", name))
			}
		}
	case []any:
		if s.Type != "array" {
			return wrong("a list, want %s", s.Type)
		}
		for i, below := range v {
			failed = append(failed, s.Items.check(fmt.Sprintf("%s[%d]", path, i), below))
		}
	case string:
		if s.Type != "string" && !s.IntOrString {
			return wrong("%q, want %s", v, s.Type)
		}
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			return wrong("%q does not match %s", v, s.Pattern)
		}
	case int:
		if s.Type != "integer" && s.Type != "number" && !s.IntOrString {
			return wrong("%d, want %s", v, s.Type)
		}
	case bool:
		if s.Type != "boolean" {
			return wrong("%v, want %s", v, s.Type)
		}
	default:
		return wrong("%v, want %s", v, s.Type)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		failed = append(failed, wrong("%v, want one of %v", v, s.Enum))
	}
	return errors.Join(failed...)
}
