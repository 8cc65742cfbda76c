package table

import (
	"strings"
	"time"
)

// This file reads dates. A column has one layout, which also writes its dates. Dates of ISO 8601 are read in any column of days, because later tables may come from Parquet files or
// from JSON, which write them so.

// layouts are tried in this order. Where both the day and the month may come first, values above 12 decide; without them it is the month after a
// stroke and the day before a dot, as those who use these signs have it.
var layouts = []string{
	"2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02T15:04",
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999Z07:00",
	"2006/01/02", "2006/01/02 15:04:05", "2006/01/02 15:04", "2006/1/2", "2006-1-2", "2006.01.02",
	"2.1.2006", "2.1.2006 15:04", "2.1.2006 15:04:05", "2.1.06",
	"1/2/2006", "1/2/2006 15:04", "1/2/2006 15:04:05", "1/2/2006 3:04:05 PM", "1/2/2006 3:04 PM", "1/2/06", "1/2/06 15:04",
	"2/1/2006", "2/1/2006 15:04", "2/1/2006 15:04:05", "2/1/06", "2/1/06 15:04",
	"1-2-2006", "2-1-2006", "2-Jan-2006", "2-Jan-06", "2 Jan 2006", "2 January 2006", "Jan 2, 2006", "January 2, 2006", "Jan 2 2006", "Mon, 02 Jan 2006 15:04:05 MST", "Mon Jan 2 15:04:05 2006",
	"2006-01", "2006/01", "Jan 2006", "January 2006", "20060102", "15:04", "15:04:05",
}

// layoutOf returns the layout that reads all words, or "".
func layoutOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	for _, layout := range layouts {
		if reads(layout, words) {
			if padded := padDays.Replace(layout); reads(padded, words) {
				return padded
			}
			return layout
		}
	}
	return ""
}

// reads reports whether a layout reads all words.
func reads(layout string, words []string) bool {
	for _, w := range words {
		if _, err := time.Parse(layout, w); err != nil {
			return false
		}
	}
	return true
}

// padDays writes days and months of a layout with two digits, and trimDays with as many as they need. What they replace by itself is left alone.
var (
	padDays  = strings.NewReplacer("2006", "2006", "15", "15", "01", "01", "02", "02", "1", "01", "2", "02")
	trimDays = strings.NewReplacer("2006", "2006", "15", "15", "01", "1", "02", "2")
)

// iso are the layouts of ISO 8601.
var iso = layouts[:9]

// parseDate returns the seconds since 1970 of a date.
func parseDate(layout, text string) (float64, bool) {
	t, err := time.Parse(layout, text)
	if err != nil && !strings.HasPrefix(layout, "2006") {
		t, err = time.Parse(trimDays.Replace(layout), text)
	}
	for i := 0; err != nil && i < len(iso) && hasDay(layout); i++ {
		t, err = time.Parse(iso[i], text)
	}
	if err != nil {
		return 0, false
	}
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9, true
}

// hasTime reports whether a layout tells the hour.
func hasTime(layout string) bool {
	return strings.Contains(layout, "15") || strings.Contains(layout, "3:04")
}

// hasDay reports whether a layout tells the day.
func hasDay(layout string) bool {
	return layout != "15:04" && layout != "15:04:05" && (strings.Contains(layout, "02") || strings.ContainsAny(strings.ReplaceAll(layout, "2006", ""), "2"))
}
