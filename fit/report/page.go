package report

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"sync"

	"github.com/seed-49005b45/tarn/fit"
)

// This file writes the page of a report.

//go:embed page.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"number": number, "percent": percent, "metric": metric, "kind": func(a fit.About) string { return kind(&a) },
		"add":  func(a, b int) int { return a + b },
		"head": func(n int, names []string) []string { return names[:min(n, len(names))] },
	}).Parse(pageText))
})

// writePage writes the page, with the pictures in it.
func (r *Report) writePage(w io.Writer, pictures []picture) error {
	type shown struct {
		picture
		Data template.URL
	}
	var all []shown
	for _, p := range pictures {
		all = append(all, shown{p, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.png))})
	}
	var features, out int
	for _, c := range r.Schema.Columns {
		switch c.Role {
		case "feature":
			features++
		case "left out":
			out++
		}
	}
	if err := pageTemplate().Execute(w, map[string]any{"R": r, "Names": r.About.MetricNames(), "Pictures": all, "Features": features, "LeftOut": out}); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
