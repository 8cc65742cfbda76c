// Package images makes data sets of pictures in files, which are decoded when a batch is made, on all processors, and changed at random as one likes.
//
//	photos, err := images.Open("photos")                       // photos/cat/1.jpg, photos/dog/2.png and so on
//	learn, judge, err := photos.Split(0.2, 1)
//	train, err := learn.Set(images.Options{Crop: &images.ResizedCrop{}, Jitter: &images.ColorJitter{Brightness: 0.2}})
//	train, err = train.Transform("image", data.RandomFlip{}, images.RandomRotation{Degrees: 10})
//	train, err = train.Mix("image", "label", "shares", len(photos.Classes), images.MixUp{Alpha: 0.2})
//
// What changes at random follows from the seed of the batches, the epoch and the example alone. A file that cannot be decoded is an error with its name.
package images

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file finds out which pictures there are, and of which class each is.

// Folder is a list of pictures with their classes. It is a plain value that can be made by hand.
type Folder struct {
	Paths   []string
	Labels  []int32  // of each picture, an index of Classes
	Classes []string // sorted
	Skipped int      // files that were left out, since their names are not those of pictures, or rows without a class
	Notes   []string // what was left out, with an example, and which folders have no pictures
}

// mostFiles limits the files of a folder.
const mostFiles = 10_000_000

// Extensions are the endings of the names of pictures.
var Extensions = []string{".png", ".jpg", ".jpeg", ".gif", ".webp"}

// Open returns the pictures in the folder dir. Each folder in it is a class, with all pictures in it and the folders below. What begins with a dot is left out, and
// so are other files, which are counted.
func Open(dir string) (*Folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	f := &Folder{}
	example := ""
	skip := func(path string) {
		f.Skipped++
		example = cmp.Or(example, path)
	}
	for _, e := range entries { // sorted by name
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if !e.IsDir() {
			skip(filepath.Join(dir, name))
			continue
		}
		n := len(f.Paths)
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case strings.HasPrefix(e.Name(), "."):
				if e.IsDir() {
					return filepath.SkipDir
				}
			case e.IsDir():
			case !isPicture(e.Name()):
				skip(path)
			case len(f.Paths) == mostFiles:
				return fmt.Errorf("more than %d pictures", mostFiles)
			default:
				f.Paths, f.Labels = append(f.Paths, path), append(f.Labels, int32(len(f.Classes)))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("images: %w", err)
		}
		if len(f.Paths) > n {
			f.Classes = append(f.Classes, name)
		} else {
			f.Notes = append(f.Notes, fmt.Sprintf("the folder %s has no pictures, and is no class", list.Quote(name)))
		}
	}
	if f.Skipped > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("left out: %s whose names do not end as those of pictures (%s), such as %s", list.Count(f.Skipped, "file"), strings.Join(Extensions, " "), file.Name(example)))
	}
	if len(f.Paths) == 0 {
		return nil, fmt.Errorf("images: %s has no folders with pictures (%s): put those of each class into a folder of its own, or say in a table of which class each is",
			file.Name(dir), strings.Join(Extensions, " "))
	}
	return f, nil
}

func isPicture(name string) bool {
	return slices.Contains(Extensions, strings.ToLower(filepath.Ext(name)))
}

// OpenTable returns the pictures that a table names: in the column name their paths within the folder dir, and in the column label their classes. Rows without
// a class are left out.
func OpenTable(dir string, t *table.Table, name, label string) (*Folder, error) {
	names, labels := t.Column(name), t.Column(label)
	for column, c := range map[string]*table.Column{name: names, label: labels} {
		if c == nil {
			return nil, fmt.Errorf("images: there is no column %s; there are %s", list.Quote(column), list.Names(t.Names()))
		}
	}
	f := &Folder{}
	var words []string
	for i := range t.Rows() {
		bad := func(format string, args ...any) error {
			return fmt.Errorf("images: %w", &table.CellError{Row: i, Line: t.Line(i), Column: name, Problem: fmt.Sprintf(format, args...)})
		}
		path := names.Text(i)
		switch {
		case path == "":
			return nil, bad("there is no name of a picture")
		case !filepath.IsLocal(filepath.FromSlash(path)):
			return nil, bad("%s is not within the folder %s", list.Quote(path), file.Name(dir))
		case labels.Missing(i):
			f.Skipped++
			continue
		}
		full := filepath.Join(dir, filepath.FromSlash(path))
		if info, err := os.Stat(full); err != nil || info.IsDir() {
			return nil, bad("there is no picture %s", file.Name(full))
		}
		f.Paths = append(f.Paths, full)
		words = append(words, labels.Text(i))
	}
	if f.Skipped > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("left out: %s without a class", list.Count(f.Skipped, "row")))
	}
	if len(f.Paths) == 0 {
		return nil, errors.New("images: the table has no row with a picture and a class")
	}
	f.Classes = slices.Compact(slices.Sorted(slices.Values(words)))
	for _, w := range words {
		k, _ := slices.BinarySearch(f.Classes, w)
		f.Labels = append(f.Labels, int32(k))
	}
	return f, nil
}

// Split deals the pictures into those to learn from, and a share to judge by, drawn by the seed: the same share of each class, and at least one picture of each class that
// has two.
func (f *Folder) Split(share float64, seed uint64) (learn, judge *Folder, err error) {
	if err := f.check(); err != nil {
		return nil, nil, err
	}
	if !(share > 0 && share < 1) {
		return nil, nil, fmt.Errorf("images: a share of %v of the pictures cannot judge: it must be above 0 and below 1", share)
	}
	judges := make([]bool, len(f.Paths))
	byClass := make([][]int, len(f.Classes))
	for _, i := range rng.Perm(len(f.Paths), rng.Named(seed, "images.split")) {
		byClass[f.Labels[i]] = append(byClass[f.Labels[i]], i)
	}
	for _, members := range byClass {
		n := int(math.Round(share * float64(len(members))))
		if len(members) > 1 {
			n = min(max(n, 1), len(members)-1)
		} else {
			n = 0
		}
		for _, i := range members[:n] {
			judges[i] = true
		}
	}
	learn, judge = &Folder{Classes: f.Classes}, &Folder{Classes: f.Classes}
	for i, path := range f.Paths {
		to := learn
		if judges[i] {
			to = judge
		}
		to.Paths, to.Labels = append(to.Paths, path), append(to.Labels, f.Labels[i])
	}
	return learn, judge, nil
}

func (f *Folder) check() error {
	if len(f.Paths) != len(f.Labels) {
		return fmt.Errorf("images: %d pictures and %d labels", len(f.Paths), len(f.Labels))
	}
	for i, l := range f.Labels {
		if l < 0 || int(l) >= len(f.Classes) {
			return fmt.Errorf("images: %s has the label %d, and there are %d classes", file.Name(f.Paths[i]), l, len(f.Classes))
		}
	}
	return nil
}

// Set returns the data set of the pictures: the field image is [height width channels] as F32, and label the index of the class as I32. A batch reads
// the files of its examples, and no more of them are in memory, unless Options.Keep says so.
func (f *Folder) Set(o Options) (*data.Set, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	l := &loader{Options: o, paths: slices.Clone(f.Paths), kept: map[int]*picture{}, left: o.Keep}
	set, err := data.NewSet(data.Field{Name: "label", Array: data.Array{Shape: []int{len(f.Labels)}, Data: slices.Clone(f.Labels)}})
	if err != nil {
		return nil, err
	}
	set, err = set.Lazy("image", o.Shape(), l.load)
	if err != nil {
		return nil, err
	}
	return set.Normalize("image", o.moments())
}

// Counts returns the number of pictures of each class.
func (f *Folder) Counts() []int {
	counts := make([]int, len(f.Classes))
	for _, l := range f.Labels {
		counts[l]++
	}
	return counts
}
