package ui

import "testing"

func TestCaret(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\nnext\r\n":               "plain\ttext\nnext\r\n",
		"\x1b[31mred\x1b[0m":                  "\x1b[31mred\x1b[0m",
		"\x1b]0;title\x07":                    "^[]0;title^G",
		"over\rwritten\x08\x7f":               "over^Mwritten^H^?",
		"\x1b[2Jcleared \u009b2J \u00e9 \xff": "^[[2Jcleared <9B>2J \u00e9 \xff",
		"\x00":                                "^@",
	} {
		if got := caret(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
