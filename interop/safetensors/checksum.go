package safetensors

import (
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
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
func withChecksum(tensors []output, metadata map[string]string) (map[string]string, error) {
	entries := make([]entry, 0, len(tensors))
	for _, t := range tensors {
		h := crc32.New(castagnoli)
		if err := t.encode(h); err != nil {
			return nil, err
		}
		entries = append(entries, entry{t.name, t.dtype, t.tensor.Shape(), h.Sum32()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	out := maps.Clone(metadata)
	if out == nil {
		out = map[string]string{}
	}
	out[checksumKey] = checksum(entries, metadata)
	return out, nil
}

// verifyHeader checks everything but the tensors' bytes against the checksum in the metadata, and removes that. It returns the checksum
// of each tensor, or nil if the file has none.
func verifyHeader(infos []info, metadata map[string]string) (map[string]uint32, error) {
	stated, ok := metadata[checksumKey]
	if !ok {
		return nil, nil
	}
	fields := strings.Fields(stated)
	if len(fields) != len(infos)+2 || fields[0] != "crc32c" {
		return nil, damaged("the metadata %q is not the checksum of %d tensors", checksumKey, len(infos))
	}
	entries := make([]entry, 0, len(infos))
	for _, t := range infos {
		entries = append(entries, entry{name: t.name, dtype: t.dtype, shape: t.shape})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	sums := make(map[string]uint32, len(infos))
	for i := range entries {
		sum, err := strconv.ParseUint(fields[i+2], 16, 32)
		if err != nil {
			return nil, damaged("the metadata %q is not the checksum of %d tensors", checksumKey, len(infos))
		}
		entries[i].sum = uint32(sum)
		sums[entries[i].name] = uint32(sum)
	}
	if stated != checksum(entries, metadata) {
		return nil, damaged("the header does not have its checksum")
	}
	delete(metadata, checksumKey)
	return sums, nil
}

// damaged is the error for contents that do not match a checksum.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%s: the file is damaged, or another program has changed it; if so, it should remove %q from the metadata", fmt.Sprintf(format, args...), checksumKey)
}
