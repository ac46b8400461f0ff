package project

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"10 GB": 10e9, "10GB": 10e9, "1.5 gb": 1.5e9, "500 MB": 500e6, "2 TB": 2e12, "1 GiB": 1 << 30, "none": 0,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "10", "-1 GB", "NaN GB", "Inf TB", "0.1 MB", "1e300 TB", "10 KB", "GB", "10 GB or so"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d", text, got)
		}
	}
}
