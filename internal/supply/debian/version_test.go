package debian

import (
	"os/exec"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// ordered are versions from old to new; those on one line are equal.
var ordered = [][]string{
	{"0~~"}, {"0~"}, {"0", "", "0:0", "00"}, {"0+b1"}, {"1.0~rc1-1"}, {"1.0~rc1-1+b1"}, {"1.0-1~deb12u1"}, {"1.0-1", "0:1.0-1", "1.00-1"},
	{"1.0-1+b1"}, {"1.0-1+deb12u1"}, {"1.0-1.1"}, {"1.0-2"}, {"1.0-10"}, {"1.0a-1"}, {"1.0+dfsg1-1"}, {"1.0.1-1"}, {"1.9"}, {"1.10"},
	{"1.85.0+dfsg3-1~deb12u3"}, {"1.96.0+dfsg1-1~deb12u2"}, {"1.96.0+dfsg1-1"}, {"20220101"}, {"99999999999999999999999999"}, {"1:0.1"}, {"4:12.2.0-3"}, {"10:1"},
}

func TestCompareVersions(t *testing.T) {
	for i, as := range ordered {
		for j, bs := range ordered {
			for _, a := range as {
				for _, b := range bs {
					if got := sign(CompareVersions(a, b)); got != sign(i-j) {
						t.Errorf("CompareVersions(%q, %q) = %d", a, b, got)
					}
				}
			}
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// The order is that of dpkg.
func TestCompareVersionsLikeDpkg(t *testing.T) {
	dpkg := devtest.Tool(t, "dpkg")
	odd := []string{"1.0-1-2", "1.0:1-1", "2:1.0:1", "1.2.3.4.5", "1a", "1a1", "1-a", "1-~", "1~", "1~~a", "1~a", "1+", "1.", "1..1", "1Z", "1z", "01-1", "1-01", "1-1a~", "0.0.0", "1-0", "1"}
	for _, list := range ordered {
		odd = append(odd, list...)
	}
	var valid []string
	for _, v := range odd {
		if exec.Command(dpkg, "--validate-version", v).Run() == nil {
			valid = append(valid, v)
			if err := checkVersion(v); err != nil {
				t.Errorf("dpkg accepts %q: %v", v, err)
			}
		}
	}
	if len(valid) < 20 {
		t.Fatalf("only %d versions were tried", len(valid))
	}
	part := 3 // of the pairs, since each starts a process
	if testing.Short() {
		part = 19
	}
	for i, a := range valid {
		for j, b := range valid {
			if (i*31+j*17)%part != 0 {
				continue
			}
			op := map[int]string{-1: "lt", 0: "eq", 1: "gt"}[sign(CompareVersions(a, b))]
			if err := exec.Command(dpkg, "--compare-versions", a, op, b).Run(); err != nil {
				t.Errorf("dpkg does not agree that %q %s %q", a, op, b)
			}
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	for _, list := range ordered {
		for _, v := range list {
			f.Add(v, "1.0~rc1-1", "1:2")
		}
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ba := sign(CompareVersions(a, b)), sign(CompareVersions(b, a))
		if ab != -ba {
			t.Errorf("%q ? %q is %d and backwards %d", a, b, ab, ba)
		}
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q is not equal to itself", a)
		}
		if bc, ac := sign(CompareVersions(b, c)), sign(CompareVersions(a, c)); ab <= 0 && bc <= 0 && ac > 0 {
			t.Errorf("%q <= %q <= %q and %q > %q", a, b, c, a, c)
		}
		_ = checkVersion(a)
		_ = upstreamOf(b)
	})
}

func TestUpstreamOf(t *testing.T) {
	for v, want := range map[string]string{"1.96.0+dfsg1-1~deb12u2": "1.96.0", "0.66.0+ds1-1": "0.66.0", "4:12.2.0-3": "12.2.0", "1.90.0~beta.2-1": "1.90.0", "1": "1"} {
		if got := upstreamOf(v); got != want {
			t.Errorf("upstreamOf(%q) = %q, want %q", v, got, want)
		}
	}
}

func TestRelations(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"libc6 (>= 2.34), libgcc-s1 (>= 3.0)", "libc6 (>= 2.34), libgcc-s1 (>= 3.0)"},
		{"gcc | clang | c-compiler,", "gcc | clang | c-compiler"},
		{"python3:any(>=3.5~)", "python3:any (>= 3.5~)"},
		{"a (= 1:2-3)\n, b (<< 4) |c(>>5)", "a (= 1:2-3), b (<< 4) | c (>> 5)"},
		{"a (< 1), b (> 2)", "a (<= 1), b (>= 2)"},
		{"", ""},
		{"a [amd64]", "error"}, {"a <!nocheck>", "error"}, {"a (1)", "error"}, {"a (== 1)", "error"}, {"a (>= 1", "error"}, {"a (>=)", "error"},
		{"-a", "error"}, {"a b", "error"}, {"a (>= 1) (<< 2)", "error"}, {"a ||b", "error"},
	} {
		got, err := ParseRelations(test.in)
		var clauses []string
		for _, g := range got {
			var alts []string
			for _, r := range g {
				alts = append(alts, r.String())
			}
			clauses = append(clauses, strings.Join(alts, " | "))
		}
		text := strings.Join(clauses, ", ")
		if err != nil {
			text = "error"
		}
		if text != test.want {
			t.Errorf("ParseRelations(%q) = %q (%v), want %q", test.in, text, err, test.want)
		}
	}
}
