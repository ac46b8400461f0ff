package build

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestRefusedCrates(t *testing.T) {
	for name, c := range map[string]struct {
		crate, version, rustc string
		features              string
		want                  bool
	}{
		"old":                  {"proc-macro2", "1.0.56", "1.97.0-nightly (0123abcde 2026-05-20)", "default", true},
		"fixed":                {"proc-macro2", "1.0.60", "1.97.0-nightly (0123abcde 2026-05-20)", "default", false},
		"a stable compiler":    {"proc-macro2", "1.0.56", "1.96.0 (0123abcde 2026-05-25)", "default", false},
		"a compiler of then":   {"proc-macro2", "1.0.56", "1.71.0-nightly (0123abcde 2023-04-25)", "default", false},
		"another range":        {"ahash", "0.7.8", "1.97.0-nightly (0123abcde 2026-05-20)", "default", false},
		"the lower range":      {"ahash", "0.7.6", "1.97.0-nightly (0123abcde 2026-05-20)", "default", true},
		"before the range":     {"time", "0.1.45", "1.96.0 (0123abcde 2026-05-25)", "default", false},
		"with any compiler":    {"time", "0.3.34", "1.96.0 (0123abcde 2026-05-25)", "alloc parsing", true},
		"a feature is missing": {"time", "0.3.34", "1.96.0 (0123abcde 2026-05-25)", "parsing", false},
		"both are missing":     {"time", "0.3.34", "1.96.0 (0123abcde 2026-05-25)", "", false},
		"before its code":      {"time", "0.3.17", "1.96.0 (0123abcde 2026-05-25)", "std formatting", false},
		"before it was used":   {"proc-macro2", "1.0.43", "1.97.0-nightly (0123abcde 2026-05-20)", "default", false},
		"since it was used":    {"proc-macro2", "1.0.44", "1.97.0-nightly (0123abcde 2026-05-20)", "default", true},
		"ahash before":         {"ahash", "0.7.4", "1.97.0-nightly (0123abcde 2026-05-20)", "default", false},
		"no version of rustc":  {"time", "0.3.34", "", "alloc parsing", false},
		"a crate of that name": {"time-core", "0.3.20", "1.96.0 (0123abcde 2026-05-25)", "alloc parsing", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := false
			for _, r := range refusedCrates {
				got = got || r.matches(c.crate, c.version, strings.Fields(c.features), c.rustc)
			}
			if got != c.want {
				t.Errorf("refused: %v", got)
			}
		})
	}
}

// The messages are those of rustc 1.96.
func TestRemovedFeatures(t *testing.T) {
	log := `{"$message_type":"diagnostic","message":"unknown feature ` + "`nope`" + `","code":{"code":"E0635","explanation":""},"level":"error","spans":[{"line_start":3}],"children":[]}
{"$message_type":"diagnostic","message":"feature has been removed","code":{"code":"E0557","explanation":""},"level":"error","spans":[{"line_start":1}],"children":[{"message":"removed in 1.57.0; split into finer-grained feature gates","spans":[]}]}
{"$message_type":"diagnostic","message":"something else","code":{"code":"E0433"},"level":"error","spans":[{"line_start":2}],"children":[]}
{"$message_type":"diagnostic","message":"aborting due to 2 previous errors","code":null,"level":"error","spans":[],"children":[]}
not JSON
`
	got := removedFeatures([]byte(log), []string{"const_fn", "c_variadic", "nope"})
	want := map[string]string{"const_fn": "was removed in 1.57.0; split into finer-grained feature gates", "nope": "is not known"}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNightlyOfFirmware(t *testing.T) {
	at := func(day string) int64 {
		d, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return d.Unix()
	}
	for _, c := range []struct {
		rustc string
		epoch int64
		want  string
	}{
		{"1.96.0 (ac68faa20 2026-05-25)", at("2023-06-15"), "nightly-2023-06-15"},
		{"1.96.0 (ac68faa20 2026-05-25)", at("2026-11-30"), "nightly-2023-11-14"}, // locked today, without a repository
		{"1.96.0", at("2023-06-15"), "nightly-2023-11-14"},
		{"", 0, "nightly-2023-11-14"},
	} {
		if got := ofTime(Plan{rustc: c.rustc, epoch: c.epoch}); got != c.want {
			t.Errorf("%s, %d: %s, want %s", c.rustc, c.epoch, got, c.want)
		}
	}
}
