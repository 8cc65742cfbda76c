package board

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"sync"

	"github.com/seed-49005b45/tarn/internal/file"
)

// This file writes the page as one file, with the answers that it would ask the server for.

// Limits of a file.
const (
	exportBuckets = 250
	exportPicture = 4 << 20 // of one picture, in bytes
)

// scripts are the modules of the page, each after those that it imports.
var scripts = []string{"source.js", "chart.js", "heat.js", "app.js"}

// imports matches an import of a module, and exports the word that makes a declaration visible to others.
var (
	imports = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^import .*\n`) })
	exports = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^export `) })
)

// Export writes the page with all runs as one file of HTML that a browser opens without a server. Long records are in it as
// on the screen: with the extremes of each stretch. A directory without runs is an error.
func (b *Board) Export(w io.Writer) error {
	answers := map[string]any{}
	all := b.table()
	if len(all.Runs) == 0 {
		return fmt.Errorf("board: there are no runs below %s: a run is a folder in which a training has written", file.Name(b.name))
	}
	answers["api/runs"] = all
	whole := window{from: math.Inf(-1), to: math.Inf(1), buckets: exportBuckets}
	for _, row := range all.Runs {
		id := row.Run
		d, err := b.details(row.Run)
		if err != nil {
			return err
		}
		answers["api/run?run="+id] = d
		for _, name := range d.Names {
			s, err := b.series(row.Run, []string{name}, whole)
			if err != nil {
				return err
			}
			answers["api/series?run="+id+"&name="+name] = s[name].Raw
		}
		if d.Header != nil {
			for measure := range measures {
				if answers["api/flow?run="+id+"&measure="+measure], err = b.flow(row.Run, measure, "", whole); err != nil {
					return err
				}
			}
		}
		for _, layer := range d.Recurrent {
			if answers["api/flow?run="+id+"&layer="+layer], err = b.flow(row.Run, "", layer, whole); err != nil {
				return err
			}
		}
		for _, name := range d.Histograms {
			if answers["api/histograms?run="+id+"&name="+name], err = b.histograms(row.Run, name); err != nil {
				return err
			}
		}
		for _, name := range row.Pictures {
			text, kind, err := b.readPicture(row.Run, name)
			if err != nil || len(text) > exportPicture {
				continue
			}
			answers["api/picture?run="+id+"&name="+name] = "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(text)
		}
	}
	data, err := json.Marshal(answers) // which writes < as an escape, so that no text ends the script
	if err != nil {
		return fmt.Errorf("board: %w", err)
	}
	return writePage(w, data)
}

// writePage writes the page with its style, its scripts and data in it. The policy names what may run by its sum.
func writePage(w io.Writer, data []byte) error {
	read := func(name string) string {
		text, err := page.ReadFile("page/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		return string(text)
	}
	var script strings.Builder
	for _, name := range scripts {
		script.WriteString(exports().ReplaceAllString(imports().ReplaceAllString(read(name), ""), ""))
	}
	style := read("style.css")
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(s[:]) + "'"
	}
	policy := fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; img-src data:; base-uri 'none'; form-action 'none'", sum(script.String()), sum(style))
	text := read("board.html")
	icon := "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(read("icon.svg")))
	replace := strings.NewReplacer(
		`<meta charset="utf-8">`, `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="`+policy+`">`,
		`<link rel="stylesheet" href="style.css">`, "<style>"+style+"</style>",
		`href="icon.svg"`, `href="`+icon+`"`,
		`<script type="module" src="app.js"></script>`, "\x00")
	before, after, _ := strings.Cut(replace.Replace(text), "\x00")
	var out bytes.Buffer
	out.WriteString(before)
	out.WriteString(`<script type="application/json" id="data">`)
	out.Write(data)
	out.WriteString(`</script><script type="module">` + script.String() + `</script>`)
	out.WriteString(after)
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("board: %w", err)
	}
	return nil
}
