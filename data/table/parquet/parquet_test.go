package parquet_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/data/table/parquet"
)

type row struct {
	Name  string    `parquet:"name"`
	Size  *float64  `parquet:"size,optional"`
	Count int32     `parquet:"count"`
	Big   int64     `parquet:"big"`
	Sold  bool      `parquet:"sold"`
	Day   int32     `parquet:"day,date"`
	At    time.Time `parquet:"at,timestamp(millisecond)"`
	Price int64     `parquet:"price,decimal(2:10)"`
	Short float32   `parquet:"short"`
	Kind  string    `parquet:"kind,dict"`
}

func written(t *testing.T) []byte {
	t.Helper()
	size := 2.5
	var b bytes.Buffer
	w := pq.NewGenericWriter[row](&b, pq.Compression(&pq.Snappy))
	at := time.Date(2024, 5, 31, 12, 30, 0, 0, time.UTC)
	rows := []row{{"Anna", &size, 3, 1 << 60, true, 19874, at, 1234, 0.5, "a"}, {"NA", nil, -4, 5, false, 0, at.Add(time.Hour), -50, 1, "b"}}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil { // a second row group
		t.Fatal(err)
	}
	if _, err := w.Write(rows[:1]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRead reads each type of column that tables have.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	if err := os.WriteFile(path, written(t), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := parquet.Load(path, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"name": "Anna||Anna", "size": "2.5||2.5", "count": "3|-4|3", "big": "1152921504606846976|5|1152921504606846976", "sold": "true|false|true", "day": "2024-05-31|1970-01-01|2024-05-31",
		"at": "2024-05-31T12:30:00Z|2024-05-31T13:30:00Z|2024-05-31T12:30:00Z", "price": "12.34|-0.5|12.34", "short": "0.5|1|0.5", "kind": "a|b|a",
	} {
		c := got.Column(name)
		if c == nil {
			t.Errorf("no column %s", name)
			continue
		}
		var texts []string
		for i := range c.Len() {
			texts = append(texts, c.Text(i))
		}
		if s := strings.Join(texts, "|"); s != want {
			t.Errorf("%s is %s, want %s", name, s, want)
		}
	}
	if (got.Column("count").Numbers == nil) || (got.Column("big").Numbers != nil) {
		t.Error("count must be numbers, and big words, since float64 does not hold it")
	}
	schema := &table.Schema{Columns: []table.Description{{Name: "count", Kind: table.Category, Role: table.Feature}, {Name: "size", Kind: table.Numeric, Role: table.Feature, Numbers: true}}}
	part, err := parquet.Load(path, parquet.Options{Schema: schema})
	if err != nil || strings.Join(part.Names(), ",") != "count,size" || part.Column("count").Numbers != nil {
		t.Errorf("by the schema: %v %v", part, err)
	}
}

// TestCodecs reads pages that are packed in each way, and refuses those of LZ4, which the library does not read reliably.
func TestCodecs(t *testing.T) {
	type number struct {
		X float64 `parquet:"x"`
	}
	rows := make([]number, 3000)
	for i := range rows {
		rows[i].X = math.Sin(float64(i)) // which hardly gets smaller
	}
	for _, codec := range []compress.Codec{&pq.Uncompressed, &pq.Snappy, &pq.Gzip, &pq.Brotli, &pq.Zstd, &pq.Lz4Raw} {
		var b bytes.Buffer
		if err := pq.Write(&b, rows, pq.Compression(codec)); err != nil {
			t.Fatal(err)
		}
		got, err := parquet.Read(bytes.NewReader(b.Bytes()), int64(b.Len()), parquet.Options{})
		if codec == compress.Codec(&pq.Lz4Raw) {
			if err == nil || !strings.Contains(err.Error(), `column "x": it is packed with LZ4`) {
				t.Errorf("%v: %v", codec, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", codec, err)
			continue
		}
		for i, r := range rows {
			if got.Column("x").Numbers[i] != r.X {
				t.Fatalf("%v: row %d is %v, want %v", codec, i, got.Column("x").Numbers[i], r.X)
			}
		}
	}
}

// TestDamage cuts and changes the file: there is an error or a table, and never a panic.
func TestDamage(t *testing.T) {
	whole := written(t)
	for n := 0; n < len(whole); n += 7 {
		if _, err := parquet.Read(bytes.NewReader(whole[:n]), int64(n), parquet.Options{}); err == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
		changed := bytes.Clone(whole)
		changed[n] ^= 0x55
		parquet.Read(bytes.NewReader(changed), int64(len(changed)), parquet.Options{})
	}
	if _, err := parquet.Load("absent.parquet", parquet.Options{}); err == nil || !strings.Contains(err.Error(), "absent.parquet") {
		t.Errorf("absent: %v", err)
	}
	type nested struct {
		List []int32 `parquet:"list"`
		A    int32   `parquet:"a"`
	}
	var b bytes.Buffer
	if err := pq.Write(&b, []nested{{[]int32{1}, 1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := parquet.Read(bytes.NewReader(b.Bytes()), int64(b.Len()), parquet.Options{}); err == nil || !strings.Contains(err.Error(), `column "list" holds lists`) {
		t.Errorf("nested: %v", err)
	}
	if got, err := parquet.Read(bytes.NewReader(b.Bytes()), int64(b.Len()), parquet.Options{Drop: []string{"list"}}); err != nil || got.Column("a").Numbers[0] != 1 {
		t.Errorf("left out: %v", err)
	}
}
