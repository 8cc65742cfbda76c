// Package parquet reads tables from Apache Parquet files.
//
// Numbers, decimals and times of day become numbers or words as they would in a text; dates and timestamps become words such as 2024-05-31 and 2024-05-31T12:00:00, in UTC; and truth values the
// words true and false. A column of lists, maps or structs is an error, unless it is left out. https://parquet.apache.org/docs/file-format/
package parquet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/limit"
	"github.com/seed-49005b45/tarn/internal/list"
)

// Options say what to read.
type Options struct {
	Drop   []string      // columns to leave out
	Schema *table.Schema // read the columns that this has, as it has them, and leave out others
}

// Load reads the file at path.
func Load(path string, o Options) (*table.Table, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	defer f.Close()
	t, err := Read(f, size, o)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, file.Name(path))
	}
	return t, nil
}

// Read reads the size bytes of r.
func Read(r io.ReaderAt, size int64, o Options) (t *table.Table, err error) {
	defer func() { // the library panics at some damaged files
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("parquet: the file is damaged: %v", p)
		}
	}()
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	for _, name := range o.Drop {
		if !slices.ContainsFunc(f.Schema().Fields(), func(c parquet.Field) bool { return c.Name() == name }) {
			return nil, fmt.Errorf("parquet: there is no column %s", list.Quote(name))
		}
	}
	rows := f.NumRows()
	if rows < 0 || rows > math.MaxInt32 {
		return nil, fmt.Errorf("parquet: the file has %d rows", rows)
	}
	if err := limit.Check(int(rows) * 8 * len(f.Schema().Fields())); err != nil {
		return nil, fmt.Errorf("parquet: %w; %s", err, limit.ReadHint)
	}
	var columns []*table.Column
	for _, field := range f.Schema().Fields() {
		name := field.Name()
		if slices.Contains(o.Drop, name) {
			continue
		}
		if o.Schema != nil {
			if d := o.Schema.Column(name); d == nil || d.Role == table.LeftOut {
				continue
			}
		}
		if !field.Leaf() || field.Repeated() {
			return nil, fmt.Errorf("parquet: column %s holds lists, maps or structs: leave it out (Options.Drop, or --drop)", list.Quote(name))
		}
		leaf, ok := f.Schema().Lookup(name)
		if !ok {
			return nil, fmt.Errorf("parquet: column %s cannot be found", list.Quote(name))
		}
		c, err := column(f, leaf.ColumnIndex, field)
		if err != nil {
			return nil, fmt.Errorf("parquet: column %s: %w", list.Quote(name), err)
		}
		if int64(c.Len()) != rows {
			return nil, fmt.Errorf("parquet: column %s has %d rows, and the file says %d", list.Quote(name), c.Len(), rows)
		}
		columns = append(columns, c)
	}
	if t, err = table.New(columns...); err != nil {
		return nil, err
	}
	t.Dialect.Encoding = "Parquet"
	if o.Schema != nil {
		return t.Conform(o.Schema)
	}
	return t, nil
}

// column reads one column of all row groups.
func column(f *parquet.File, index int, field parquet.Field) (*table.Column, error) {
	put, err := putter(field)
	if err != nil {
		return nil, err
	}
	for _, group := range f.Metadata().RowGroups {
		// The library returns other bytes than those of the page if it has to unpack LZ4 into a larger buffer.
		if codec := group.Columns[index].MetaData.Codec; codec == format.Lz4Raw {
			return nil, errors.New("it is packed with LZ4, which is not read: write the file with zstd, snappy or gzip")
		}
	}
	var b table.Builder
	values := make([]parquet.Value, 1024)
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[index].Pages()
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				pages.Close()
				return nil, err
			}
			reader := page.Values()
			for {
				n, err := reader.ReadValues(values)
				for _, v := range values[:n] {
					if v.IsNull() {
						b.Missing()
					} else if err := put(&b, v); err != nil {
						pages.Close()
						return nil, err
					}
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					pages.Close()
					return nil, err
				}
				if n == 0 {
					pages.Close()
					return nil, io.ErrNoProgress
				}
			}
			parquet.Release(page)
		}
		if err := pages.Close(); err != nil {
			return nil, err
		}
	}
	return b.Column(field.Name()), nil
}

// putter returns what appends a value of a column.
func putter(field parquet.Field) (func(b *table.Builder, v parquet.Value) error, error) {
	kind := field.Type().Kind()
	unsigned := false
	if logical := field.Type().LogicalType(); logical != nil {
		switch l := logical.Value.(type) {
		case *format.DecimalType:
			scale := math.Pow10(int(l.Scale))
			return func(b *table.Builder, v parquet.Value) error {
				switch kind {
				case parquet.Int32:
					b.Number(float64(v.Int32()) / scale)
				case parquet.Int64:
					b.Number(float64(v.Int64()) / scale)
				default:
					b.Number(bigEndian(v.ByteArray()) / scale)
				}
				return nil
			}, nil
		case *format.DateType:
			return func(b *table.Builder, v parquet.Value) error {
				b.Word(time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly))
				return nil
			}, nil
		case *format.TimestampType:
			unit := int64(time.Millisecond)
			switch l.Unit.Value.(type) {
			case *format.MicroSeconds:
				unit = int64(time.Microsecond)
			case *format.NanoSeconds:
				unit = 1
			}
			return func(b *table.Builder, v parquet.Value) error {
				perSecond := int64(time.Second) / unit
				x := v.Int64()
				b.Word(time.Unix(x/perSecond, x%perSecond*unit).UTC().Format("2006-01-02T15:04:05.999999999Z07:00"))
				return nil
			}, nil
		case *format.IntType:
			unsigned = !l.IsSigned
		}
	}
	switch kind {
	case parquet.Boolean:
		return func(b *table.Builder, v parquet.Value) error {
			if v.Boolean() {
				b.Word("true")
			} else {
				b.Word("false")
			}
			return nil
		}, nil
	case parquet.Int32, parquet.Int64:
		return func(b *table.Builder, v parquet.Value) error {
			switch {
			case kind == parquet.Int32 && unsigned:
				b.Whole(int64(v.Uint32()))
			case kind == parquet.Int32:
				b.Whole(int64(v.Int32()))
			case unsigned && v.Uint64() > math.MaxInt64:
				b.Word(fmt.Sprint(v.Uint64()))
			default:
				b.Whole(v.Int64())
			}
			return nil
		}, nil
	case parquet.Float, parquet.Double:
		return func(b *table.Builder, v parquet.Value) error {
			x := v.Double()
			if kind == parquet.Float {
				x = float64(v.Float())
			}
			if math.IsInf(x, 0) {
				return errors.New("it has an infinite value")
			}
			b.Number(x)
			return nil
		}, nil
	case parquet.Int96: // timestamps of old Hive and Impala
		return func(b *table.Builder, v parquet.Value) error {
			b.Word(int96(v.Int96()).Format("2006-01-02T15:04:05"))
			return nil
		}, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return func(b *table.Builder, v parquet.Value) error {
			w := string(v.ByteArray())
			if strings.ToValidUTF8(w, "") != w {
				return errors.New("it holds bytes that are no text: leave it out")
			}
			b.Word(strings.TrimSpace(w))
			return nil
		}, nil
	}
	return nil, fmt.Errorf("the type %v is not read: leave it out", field.Type())
}

// bigEndian is the value of a two's complement number of any length.
func bigEndian(b []byte) float64 {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	v, _ := new(big.Float).SetInt(n).Float64()
	return v
}

// int96 is a timestamp of nanoseconds of a Julian day.
func int96(v deprecated.Int96) time.Time {
	day := int64(v[2]) - 2440588
	return time.Unix(day*86400, int64(uint64(v[1])<<32|uint64(v[0]))).UTC()
}
