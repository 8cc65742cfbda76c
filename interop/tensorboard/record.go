package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"sync"
)

// This file holds the framing of events as TFRecords, and the fixed buckets of histograms.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of a record: CRC-32C, rotated and offset, so that the checksum of data that holds checksums
// stays meaningful.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// writeRecord writes the length of the data, its checksum, the data, and the data's checksum, all little-endian.
func writeRecord(w io.Writer, data []byte) error {
	record := binary.LittleEndian.AppendUint64(make([]byte, 0, len(data)+16), uint64(len(data)))
	record = binary.LittleEndian.AppendUint32(record, masked(record))
	record = append(record, data...)
	record = binary.LittleEndian.AppendUint32(record, masked(data))
	_, err := w.Write(record)
	return err
}

// bucketLimits are the upper limits of the buckets.
var bucketLimits = sync.OnceValue(func() []float64 {
	var positive []float64
	for x := 1e-12; x < 1e20; x *= 1.1 {
		positive = append(positive, x)
	}
	positive = append(positive, math.MaxFloat64)
	var limits []float64
	for _, x := range slices.Backward(positive) {
		limits = append(limits, -x)
	}
	return append(append(limits, 0), positive...)
})

// bucketOf is the first bucket whose limit is not below x.
func bucketOf(x float64) int {
	i, _ := slices.BinarySearch(bucketLimits(), x)
	return i
}
