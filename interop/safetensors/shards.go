package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/pattern"
)

// This file reads and writes sets of files. A large model is split into files such as model-00001-of-00003.safetensors, and an index,
// model.safetensors.index.json, says which file has which tensor:
//
//	{"metadata": {"total_size": 123}, "weight_map": {"hidden.weight": "model-00001-of-00003.safetensors", ...}}

const (
	indexSuffix = ".index.json"
	maxShards   = 1000 // that are open at once
)

// addIndex adds the tensors of the files that an index lists, as far as the options choose any of them.
func (r *Reader) addIndex(path string, o Options) error {
	text, err := file.Read(path, maxHeader)
	if err != nil {
		return err
	}
	shards, err := parseIndex(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Name(path), err)
	}
	var names []string
	for _, in := range shards {
		names = append(names, in...)
	}
	chosen, _ := pattern.Choose(names, o.Only, o.Skip) // Reader.choose says what is wrong
	wanted := map[string]bool{}
	for _, name := range chosen {
		wanted[name] = true
	}
	for _, shard := range slices.Sorted(maps.Keys(shards)) {
		if !slices.ContainsFunc(shards[shard], func(name string) bool { return wanted[name] }) {
			r.names = append(r.names, shards[shard]...) // patterns may name them
			continue
		}
		before := len(r.names)
		if err := r.addFile(filepath.Join(filepath.Dir(path), shard)); err != nil {
			return err
		}
		if wrong := different(shards[shard], r.names[before:]); len(wrong) > 0 {
			return fmt.Errorf("%s and the index differ:%s", file.Name(shard), list.Lines(wrong))
		}
	}
	return nil
}

// different lists what the index and a file do not have in common.
func different(listed, there []string) (wrong []string) {
	in := map[string]int{}
	for _, name := range listed {
		in[name] = 1
	}
	for _, name := range there {
		in[name] += 2
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch in[name] {
		case 1:
			wrong = append(wrong, fmt.Sprintf("the file has no tensor %q", name))
		case 2:
			wrong = append(wrong, fmt.Sprintf("the index does not list tensor %q", name))
		}
	}
	return wrong
}

// parseIndex returns the names of the tensors in each file. Files must lie beside the index.
func parseIndex(text []byte) (map[string][]string, error) {
	p := parser{json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	var shards map[string][]string
	err := p.object("the index", func(key string) error {
		if key != "weight_map" {
			return p.skip()
		}
		shards = map[string][]string{}
		return p.object(key, func(name string) error {
			shard, err := p.text("the file of tensor " + list.Quote(name))
			if err != nil {
				return err
			}
			if !filepath.IsLocal(shard) || strings.ContainsAny(shard, `/\:`) || shard == "." {
				return fmt.Errorf("tensor %q is in %s: want the name of a file beside the index, without a path", name, list.Quote(shard))
			}
			shards[shard] = append(shards[shard], name)
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, err
	case strings.TrimSpace(string(text[p.dec.InputOffset():])) != "":
		return nil, errors.New("the index continues after its closing brace")
	case shards == nil:
		return nil, errors.New(`the index has no "weight_map"`)
	case len(shards) > maxShards:
		return nil, fmt.Errorf("the index lists %d files, and at most %d are read", len(shards), maxShards)
	}
	return shards, nil
}

// saveShards writes a set of files and its index in place of the file at path. The index is removed first and written last, so that it never
// lists files of two sets.
func (o SaveOptions) saveShards(path string, shards [][]output, metadata map[string]string) error {
	index := path + indexSuffix
	if err := remove(index); err != nil {
		return err
	}
	base, ok := strings.CutSuffix(filepath.Base(path), ".safetensors")
	end := ""
	if ok {
		end = ".safetensors"
	}
	where, total := map[string]string{}, 0
	for i, shard := range shards {
		name := fmt.Sprintf("%s-%05d-of-%05d%s", base, i+1, len(shards), end)
		if err := file.Replace(file.Disk, filepath.Join(filepath.Dir(path), name), func(w io.Writer) error { return write(w, shard, metadata) }); err != nil {
			return fmt.Errorf("%s: %w", file.Name(name), err)
		}
		for _, t := range shard {
			where[t.name] = name
			total += t.bytes()
		}
	}
	err := file.Replace(file.Disk, index, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"metadata": map[string]any{"total_size": total}, "weight_map": where})
	})
	if err != nil {
		return err
	}
	return remove(path) // what the set stands in place of
}

// remove removes a file, which need not exist.
func remove(path string) error {
	err := file.Disk.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = file.Disk.SyncDir(filepath.Dir(path))
	}
	return err
}

// cut splits tensors, which are in the order of their names, into sets of at most limit bytes, or of a single tensor that is larger.
func cut(tensors []output, limit int64) (shards [][]output) {
	size := int64(0)
	for i, t := range tensors {
		n := int64(t.bytes())
		if i == 0 || size+n > limit {
			shards, size = append(shards, nil), 0
		}
		size += n
		shards[len(shards)-1] = append(shards[len(shards)-1], t)
	}
	return shards
}
