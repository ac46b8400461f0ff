package emu

import (
	"slices"
	"testing"
)

func TestTextMatchAcrossRecords(t *testing.T) {
	for _, c := range []struct {
		name    string
		text    string
		on      []Stream
		records []Output
		want    int // index of the record that ends the run, -1 never
	}{
		{"one record", "200 OK", nil, []Output{{Data: []byte("HTTP 200 OK\n")}}, 0},
		{"byte by byte", "abc", nil, []Output{{Data: []byte("a")}, {Data: []byte("b")}, {Data: []byte("c")}}, 2},
		{"overlap", "aab", nil, []Output{{Data: []byte("a")}, {Data: []byte("a")}, {Data: []byte("a")}, {Data: []byte("b")}}, 3},
		{"streams are not merged", "ab", nil, []Output{{Stream: UART0, Data: []byte("a")}, {Stream: USB, Data: []byte("b")}}, -1},
		{"named stream", "x", []Stream{USB}, []Output{{Stream: UART0, Data: []byte("x")}, {Stream: USB, Data: []byte("x")}}, 1},
		{"empty text", "", nil, []Output{{Data: []byte("x")}}, -1},
		{"one byte text", "x", nil, []Output{{Data: []byte("y")}, {Data: []byte("x")}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var st stops
			UntilText(c.text, c.on...)(&st)
			got := slices.IndexFunc(c.records, st.texts[0].feed)
			if got != c.want {
				t.Errorf("matched at %d, want %d", got, c.want)
			}
		})
	}
}
