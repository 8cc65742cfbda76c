package serve

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"sync"

	"github.com/seed-49005b45/tarn/data/table"
)

// This file shows a page on which one can ask a model.

//go:embed page/page.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageText)) })

// page shows a form made of the schema of the model ?model=NAME, or of the first one.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	m := s.model(r.URL.Query().Get("model"))
	if m == nil {
		problem := "there is no such model"
		if len(s.models) == 0 {
			problem = `the models here write texts and have no page: POST {"prompt": "The "} to /models/NAME/generate; GET /models lists them`
		}
		s.fail(w, &failure{status: http.StatusNotFound, Error: problem})
		return
	}
	type field struct {
		Name, Example, Kind, Type string
		Levels                    []string
	}
	schema := m.now.Load().model.Schema()
	var fields []field
	for _, c := range schema.Columns {
		if c.Role != table.Feature {
			continue
		}
		f := field{Name: c.Name, Example: c.Example, Kind: string(c.Kind), Type: "words"}
		if c.Numbers {
			f.Type = "number"
		}
		if l, ok := m.now.Load().model.(interface{ Levels(column string) []string }); ok {
			if f.Levels = l.Levels(c.Name); len(f.Levels) > 50 {
				f.Levels = nil
			}
		}
		fields = append(fields, f)
	}
	var names []string
	for _, other := range s.models {
		names = append(names, other.entry.Name)
	}
	target := ""
	if t := schema.Target(); t != nil {
		target = t.Name
	}
	var b bytes.Buffer
	if err := pageTemplate().Execute(&b, map[string]any{"Model": m.entry.Name, "Models": names, "Target": target, "Fields": fields, "Token": s.options.Tokens != nil}); err != nil {
		s.fail(w, &failure{status: http.StatusInternalServerError, Error: "the page cannot be made"})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.Write(b.Bytes())
}
