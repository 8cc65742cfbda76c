package safetensors

import (
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds checksums. Files that Tarn writes have one of each tensor's bytes, and one of everything else: names, dtypes,
// shapes, metadata and the other checksums. They are a string in the metadata, so that other readers take the files as before:
//
//	crc32c ALL FIRST SECOND ...
//
// eight hexadecimal digits each, the tensors in the order of their names. They depend on the contents alone, so a program
// that copies tensors and metadata in another order copies the checksums rightly. They find damage, not malice.

// checksumKey is the key in the metadata.
const checksumKey = "tarn.checksum"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is a tensor as the checksums see it.
type entry struct {
	name, dtype string
	shape       []int
	sum         uint32 // of its bytes in the file
}

// checksum returns the text for the tensors, in the order of their names, and the metadata.
func checksum(entries []entry, metadata map[string]string) string {
	h := crc32.New(castagnoli)
	var sums strings.Builder
	for _, e := range entries {
		fmt.Fprintf(h, "%q %s %d %08x\n", e.name, e.dtype, e.shape, e.sum)
		fmt.Fprintf(&sums, " %08x", e.sum)
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != checksumKey {
			fmt.Fprintf(h, "%q = %q\n", key, metadata[key])
		}
	}
	return fmt.Sprintf("crc32c %08x%s", h.Sum32(), sums.String())
}

// withChecksum returns the metadata with the checksum of the tensors to write.
func withChecksum(tensors map[string]*tarn.Tensor, metadata map[string]string) (map[string]string, error) {
	var entries []entry
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		h := crc32.New(castagnoli)
		if err := encode(h, t); err != nil {
			return nil, err
		}
		entries = append(entries, entry{name, dtypeName[t.DType()], t.Shape(), h.Sum32()})
	}
	out := maps.Clone(metadata)
	if out == nil {
		out = map[string]string{}
	}
	out[checksumKey] = checksum(entries, metadata)
	return out, nil
}

// verify checks the tensors that were read against the checksum in the metadata, and removes that. It reports whether there
// was one.
func verify(entries []entry, metadata map[string]string) (bool, error) {
	stated, ok := metadata[checksumKey]
	if !ok {
		return false, nil
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	if want := checksum(entries, metadata); stated != want {
		return false, fmt.Errorf("%s: the file is damaged, or another program has changed it; if so, it should remove %q from the metadata", difference(entries, stated), checksumKey)
	}
	delete(metadata, checksumKey)
	return true, nil
}

// difference says what does not match a checksum.
func difference(entries []entry, stated string) string {
	sums := strings.Fields(stated)
	if len(sums) != len(entries)+2 || sums[0] != "crc32c" {
		return fmt.Sprintf("the metadata %q is not the checksum of %d tensors", checksumKey, len(entries))
	}
	for i, e := range entries {
		if sum, err := strconv.ParseUint(sums[i+2], 16, 32); err != nil || uint32(sum) != e.sum {
			return fmt.Sprintf("tensor %q does not have the checksum %q", e.name, sums[i+2])
		}
	}
	return "the header does not have its checksum"
}
