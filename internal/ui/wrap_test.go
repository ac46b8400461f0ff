package ui

import (
	"bytes"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		width      int
		want       string
	}{
		{"empty", "", 10, ""},
		{"fits", "one two", 10, "one two"},
		{"breaks", "one two three", 8, "one two\nthree"},
		{"fills lines again", "one\ntwo three", 20, "one two three"},
		{"paragraphs", "one two\n\nthree four", 5, "one\ntwo\n\nthree\nfour"},
		{"a long word", "a incomprehensible b", 5, "a\nincomprehensible\nb"},
		{"indented lines stay", "list:\n  one two three\nend", 5, "list:\n  one two three\nend"},
		{"characters, not bytes", "äöü äöü äöü", 7, "äöü äöü\näöü"},
	} {
		if got := Wrap(tc.text, tc.width); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestWidth(t *testing.T) {
	for columns, want := range map[string]int{"": 80, "100": 100, "7": 40, "1000": 120, "wide": 80, "-3": 80} {
		u := New(Options{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Lookup: func(name string) (string, bool) {
			return columns, name == "COLUMNS"
		}})
		if got := u.Width(Stdout); got != want {
			t.Errorf("COLUMNS=%q: %d, want %d", columns, got, want)
		}
	}
}
