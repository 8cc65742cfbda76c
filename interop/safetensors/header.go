package safetensors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file parses the header and checks it. The JSON is read token by token, because a decoder into Go values would accept
// duplicate names and unknown fields.

// maxHeader is the longest header accepted, that of the format's own implementation.
const maxHeader = 100_000_000

const metadataKey = "__metadata__"

// info is what the header says of one tensor: data[begin:end] are its elements.
type info struct {
	name       string
	dtype      string
	shape      []int
	begin, end int64
}

// parseHeader reads the header and returns the tensors in the order of their data, which fills dataSize bytes exactly.
func parseHeader(header []byte, dataSize int64) ([]info, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, fmt.Errorf("the header is not UTF-8 text")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, fmt.Errorf("the header does not begin with {")
	}
	p := parser{json.NewDecoder(bytes.NewReader(header))}
	p.dec.UseNumber()
	var infos []info
	var metadata map[string]string
	err := p.object("the header", func(name string) (err error) {
		if name == metadataKey {
			metadata, err = p.metadata()
			return err
		}
		t, err := p.tensor(name)
		infos = append(infos, t)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if rest := strings.TrimLeft(string(header[p.dec.InputOffset():]), " \t\r\n"); rest != "" {
		return nil, nil, fmt.Errorf("the header continues after its closing brace")
	}
	slices.SortStableFunc(infos, func(a, b info) int {
		switch {
		case a.begin != b.begin && a.begin < b.begin, a.begin == b.begin && a.end < b.end:
			return -1
		case a.begin == b.begin && a.end == b.end:
			return 0
		}
		return 1
	})
	return infos, metadata, checkLayout(infos, dataSize)
}

// checkLayout refuses tensors that overlap, leave gaps, reach past the file or do not have the bytes that their shape needs.
func checkLayout(infos []info, dataSize int64) error {
	next := int64(0)
	for _, t := range infos {
		if t.begin != next || t.end < t.begin || t.end > dataSize {
			return fmt.Errorf("tensor %q has the data offsets [%d, %d]: they should begin at %d, where the tensor before it ends, and stay within the %d bytes of data",
				t.name, t.begin, t.end, next, dataSize)
		}
		next = t.end
		size, ok := elementSize[t.dtype]
		if !ok {
			return fmt.Errorf("tensor %q has the unknown dtype %q", t.name, t.dtype)
		}
		n := int64(1)
		for _, d := range t.shape {
			if d > 0 && n > math.MaxInt/8/int64(d) {
				return fmt.Errorf("tensor %q has the shape %v, more elements than memory can hold", t.name, t.shape)
			}
			n *= int64(d)
		}
		if n*size != t.end-t.begin {
			return fmt.Errorf("tensor %q is %s%v and needs %d bytes, its data offsets [%d, %d] span %d", t.name, t.dtype, t.shape, n*size, t.begin, t.end, t.end-t.begin)
		}
	}
	if next != dataSize {
		return fmt.Errorf("the tensors fill %d bytes of %d: the file is not a safetensors file, or something was appended to it", next, dataSize)
	}
	return nil
}

// parser reads JSON tokens.
type parser struct{ dec *json.Decoder }

func (p parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, fmt.Errorf("broken JSON near byte %d: %w", p.dec.InputOffset(), err)
	}
	return t, nil
}

func (p parser) expect(what string, want json.Token) error {
	t, err := p.token()
	if err == nil && t != want {
		err = fmt.Errorf("%s should begin with %v, it is %v", what, want, t)
	}
	return err
}

// skip reads a value of any kind.
func (p parser) skip() error {
	var any json.RawMessage
	if err := p.dec.Decode(&any); err != nil {
		return fmt.Errorf("broken JSON near byte %d: %w", p.dec.InputOffset(), err)
	}
	return nil
}

// object reads an object; field reads the value of each key. A key must not occur twice.
func (p parser) object(what string, field func(key string) error) error {
	if err := p.expect(what, json.Delim('{')); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		key := t.(string) // the decoder accepts nothing else here
		if seen[key] {
			return fmt.Errorf("%s has %q twice", what, key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
	_, err := p.token()
	return err
}

func (p parser) metadata() (map[string]string, error) {
	m := map[string]string{}
	err := p.object(metadataKey, func(key string) (err error) {
		m[key], err = p.text(metadataKey + " " + strconv.Quote(key))
		return err
	})
	return m, err
}

func (p parser) tensor(name string) (info, error) {
	t := info{name: name, begin: -1}
	what := fmt.Sprintf("tensor %q", name)
	var offsets []int
	err := p.object(what, func(key string) (err error) {
		switch key {
		case "dtype":
			t.dtype, err = p.text("the dtype of " + what)
		case "shape":
			t.shape, err = p.sizes("the shape of " + what)
		case "data_offsets":
			offsets, err = p.sizes("data_offsets of " + what)
			if err == nil && len(offsets) != 2 {
				err = fmt.Errorf("data_offsets of %s are %d numbers, want 2", what, len(offsets))
			}
		default:
			err = fmt.Errorf("%s has the unknown field %q", what, key)
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if t.dtype == "" || t.shape == nil || offsets == nil {
		return t, fmt.Errorf("%s lacks its dtype, shape or data_offsets", what)
	}
	t.begin, t.end = int64(offsets[0]), int64(offsets[1])
	return t, nil
}

func (p parser) text(what string) (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s should be a string, it is %v", what, t)
	}
	return s, nil
}

// sizes reads an array of nonnegative whole numbers that fit an int.
func (p parser) sizes(what string) ([]int, error) {
	if err := p.expect(what, json.Delim('[')); err != nil {
		return nil, err
	}
	sizes := []int{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, strconv.IntSize-1)
		if !ok || err != nil {
			return nil, fmt.Errorf("%s has the element %v, want whole numbers from 0 up", what, t)
		}
		sizes = append(sizes, int(n))
	}
	_, err := p.token()
	return sizes, err
}
