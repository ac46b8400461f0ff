package cargo

import (
	"strings"
	"testing"
)

func TestRequirement(t *testing.T) {
	for _, c := range []struct {
		req     string
		yes, no []string
	}{
		{"", []string{"0.1.0", "9.9.9"}, []string{"1.0.0-rc.1"}},
		{"*", []string{"0.0.1"}, nil},
		{"1.2.3", []string{"1.2.3", "1.9.0"}, []string{"1.2.2", "2.0.0", "1.3.0-rc.1"}},
		{"1.1", []string{"1.1.0", "1.2.2"}, []string{"1.0.9", "2.0.0"}},
		{"1", []string{"1.0.0", "1.9.9"}, []string{"0.9.9", "2.0.0"}},
		{"^0.5", []string{"0.5.0", "0.5.9"}, []string{"0.4.9", "0.6.0"}},
		{"0.0.3", []string{"0.0.3"}, []string{"0.0.4", "0.0.2"}},
		{"0.0", []string{"0.0.1"}, []string{"0.1.0"}},
		{"0", []string{"0.9.1"}, []string{"1.0.0"}},
		{"~1.1", []string{"1.1.0", "1.1.9"}, []string{"1.2.0", "1.0.9"}},
		{"~1.1.2", []string{"1.1.2", "1.1.9"}, []string{"1.1.1", "1.2.0"}},
		{"~1", []string{"1.9.0"}, []string{"2.0.0"}},
		{"=0.1.4", []string{"0.1.4"}, []string{"0.1.5"}},
		{"=1.0.0-rc.1", []string{"1.0.0-rc.1"}, []string{"1.0.0", "1.0.0-rc.2"}},
		{"1.0.0-beta.0", []string{"1.0.0-beta.0", "1.0.0-beta.2", "1.0.0", "1.4.0"}, []string{"1.1.0-beta.0", "1.0.0-alpha"}},
		{"=1.2", []string{"1.2.0", "1.2.9"}, []string{"1.3.0"}},
		{">=1.2, <1.5", []string{"1.2.0", "1.4.9"}, []string{"1.5.0", "1.1.0"}},
		{">1.2", []string{"1.3.0"}, []string{"1.2.9", "1.2.0"}},
		{"<=1.2", []string{"1.2.9"}, []string{"1.3.0"}},
		{"1.*", []string{"1.9.0"}, []string{"2.0.0"}},
		{"1.2.*", []string{"1.2.9"}, []string{"1.3.0"}},
	} {
		r, ok := ParseRequirement(c.req)
		if !ok {
			t.Errorf("%q is not accepted", c.req)
			continue
		}
		for want, list := range map[bool][]string{true: c.yes, false: c.no} {
			for _, s := range list {
				if v, _ := ParseVersion(s); r.Match(v) != want {
					t.Errorf("%q with %s: %v, want %v", c.req, s, !want, want)
				}
			}
		}
	}
	for _, bad := range []string{"abc", "1.2.3.4", "~", "1.x.y.z.a", ">=", "1..2"} {
		if _, ok := ParseRequirement(bad); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestRequirementFor(t *testing.T) {
	for _, c := range [][3]string{
		{"~1.1", "1.2.2", "~1.2"}, {"0.19", "0.20.0", "0.20"}, {"=1.0.0", "1.2.2", "=1.2.2"}, {"1", "2.3.4", "2"}, {"^1.1.0", "1.2.2", "^1.2.2"},
		{">=1.0", "2.0.0", ">=2.0"}, {">=1, <2", "2.1.0", "2.1.0"}, {"1.*", "2.1.0", "2.1.0"}, {"1.0", "2.0.0-rc.1", "2.0.0-rc.1"}, {"*", "2.0.0", "2.0.0"},
		{"0.5", "0.6.0+build.1", "0.6"},
	} {
		r, _ := ParseRequirement(c[0])
		if got := r.For(c[1]); got != c[2] {
			t.Errorf("%q for %s: %q, want %q", c[0], c[1], got, c[2])
		}
		if n, _ := ParseRequirement(r.For(c[1])); true {
			if v, _ := ParseVersion(c[1]); !n.Match(v) {
				t.Errorf("%q does not match %s", r.For(c[1]), c[1])
			}
		}
	}
}

func FuzzRequirement(f *testing.F) {
	f.Add("~1.2", "1.2.3")
	f.Add(">=1, <2.0.0-rc.1", "1")
	f.Fuzz(func(t *testing.T, req, version string) {
		r, ok := ParseRequirement(req)
		if v, isVersion := ParseVersion(version); ok && isVersion && strings.Count(version, ".") >= 2 {
			r.Match(v)
			if n, ok := ParseRequirement(r.For(version)); !ok || !n.Match(v) {
				t.Errorf("%q for %q is %q, which does not match", req, version, r.For(version))
			}
		}
		r.Overlaps(version)
	})
}
