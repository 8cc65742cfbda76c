package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"sync"
)

// This file reads JSON strictly, since a file that was damaged or edited badly should be an error and not another
// configuration: unknown and doubled fields and text after the end are errors. A configuration has a checksum as its last
// field, which whoever edits it by hand deletes.

// decodeStrict decodes one JSON value.
func decodeStrict(text []byte, into any) error {
	if err := checkKeys(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// checkKeys checks that the text is one JSON value and that no object in it has a key twice. Keys that differ only in case
// would go to the same field.
func checkKeys(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	type level struct {
		keys  map[string]bool // nil in an array
		value bool            // whether a value comes next, and not a key
	}
	var open []level
	for {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("broken JSON near byte %d: %w", d.InputOffset(), err)
		}
		top := len(open) - 1
		if key, ok := token.(string); ok && top >= 0 && open[top].keys != nil && !open[top].value {
			folded := strings.ToLower(key)
			if open[top].keys[folded] {
				return fmt.Errorf("the field %q is there twice", key)
			}
			open[top].keys[folded], open[top].value = true, true
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{keys: map[string]bool{}})
			continue
		case json.Delim('['):
			open = append(open, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if len(open) == 0 {
			break
		}
		open[len(open)-1].value = false
	}
	if len(bytes.TrimSpace(text[d.InputOffset():])) > 0 {
		return fmt.Errorf("text follows the JSON value, which ends at byte %d", d.InputOffset())
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumField matches the end of a JSON text with a checksum.
var checksumField = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`,\s*"checksum":\s*"crc32c ([0-9a-f]{8})"\s*}\s*$`)
})

// sumOf returns the checksum of a JSON text, whatever spaces it has.
func sumOf(text []byte) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return "", err
	}
	return fmt.Sprintf("%08x", crc32.Checksum(b.Bytes(), castagnoli)), nil
}

// addChecksum adds the field "checksum" to an indented JSON object that has fields; other values stay as they are.
func addChecksum(text []byte) ([]byte, error) {
	rest, ok := bytes.CutSuffix(text, []byte("\n}"))
	if !ok {
		return text, nil
	}
	sum, err := sumOf(text)
	return fmt.Appendf(rest, ",\n  \"checksum\": \"crc32c %s\"\n}", sum), err
}

// cutChecksum verifies and removes the field "checksum", if the text has it.
func cutChecksum(text []byte) ([]byte, error) {
	at := checksumField().FindSubmatchIndex(text)
	if at == nil {
		return text, nil
	}
	rest := append(bytes.Clone(text[:at[0]]), '}')
	sum, err := sumOf(rest)
	if err != nil {
		return nil, err
	}
	if sum != string(text[at[2]:at[3]]) {
		return nil, errors.New(`the text does not have its checksum: the file is damaged, or was edited; after an edit, delete the field "checksum"`)
	}
	return rest, nil
}
