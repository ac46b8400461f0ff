package project

import "testing"

func TestParseLimit(t *testing.T) {
	for text, want := range map[string]Limit{
		"900 KB":          {Bytes: 900_000},
		"900KiB":          {Bytes: 921_600},
		"1.5 MiB":         {Bytes: 1_572_864},
		"4096":            {Bytes: 4096},
		"12 B":            {Bytes: 12},
		"+4 kB":           {Bytes: 4000, Growth: true},
		"+2%":             {Growth: true, Percent: true, Hundreds: 200},
		"+0.25 %":         {Growth: true, Percent: true, Hundreds: 25},
		"+0":              {Growth: true},
		"2%":              {}, // of what?
		"-1 KB":           {},
		"1 GB":            {},
		"":                {},
		"+":               {},
		"1.2.3 KB":        {},
		"+9999%":          {},
		"1e3":             {},
		"999999999999 MB": {},
	} {
		got, ok := ParseLimit(text)
		if ok != (want != Limit{}) || ok && got != want {
			t.Errorf("ParseLimit(%q) = %+v, %v, want %+v", text, got, ok, want)
		}
	}
	if l, _ := ParseLimit("+2%"); l.Of(1000) != 1020 || l.Of(0) != 0 {
		t.Errorf("2%% more than 1000 is %d", l.Of(1000))
	}
	if l, _ := ParseLimit("+4 kB"); l.Of(1000) != 5000 {
		t.Errorf("4 kB more than 1000 is %d", l.Of(1000))
	}
}
