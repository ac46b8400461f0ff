package cargo

import (
	"slices"
	"testing"
)

// The order of semver.org 2.0.0, §11.
func TestVersionOrder(t *testing.T) {
	order := []string{
		"nonsense", "0.9.10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2",
	}
	got := slices.Clone(order)
	slices.Reverse(got)
	slices.SortFunc(got, CompareVersions)
	if !slices.Equal(got, order) {
		t.Errorf("got %q", got)
	}
	for _, same := range [][2]string{{"1", "1.0.0"}, {"1.96", "1.96.0"}, {"1.0.0+a", "1.0.0+b"}} {
		v, _ := ParseVersion(same[0])
		w, _ := ParseVersion(same[1])
		if v.Compare(w) != 0 {
			t.Errorf("%q is not %q", same[0], same[1])
		}
	}
	for _, bad := range []string{"", "1.2.3.4", "a", "1.a", "01.2.3", "1.2.3-", "-1"} {
		if v, ok := ParseVersion(bad); ok {
			t.Errorf("%q is %+v", bad, v)
		}
	}
}

func TestOlderThan(t *testing.T) {
	for _, c := range []struct {
		have, want string
		older      bool
	}{
		{"1.95.0", "1.96", true}, {"1.96.0", "1.96", false}, {"1.96", "1.96.0", false}, {"1.96.1", "1.96", false},
		{"1.9", "1.10", true}, {"1.10", "1.9", false}, {"", "1.0", true}, {"1.0", "", false}, {"", "", false},
		{"2", "1.99", false}, {"1", "1.0.1", true}, {"1.96.0-beta.1", "1.96.0", false}, {"1.95.0", "nonsense", false},
		{"1.97.0-nightly", "1.98", true},
	} {
		if OlderThan(c.have, c.want) != c.older {
			t.Errorf("OlderThan(%q, %q) = %v", c.have, c.want, !c.older)
		}
	}
}
