package firmware

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ianlancetaylor/demangle"
)

// library returns what the library makes of a Rust name. It is the oracle of these
// tests; it is not linked into the program, because most of it is for C++.
func library(linker string) (string, bool) {
	name, suffix := splitSuffix(linker)
	if strings.HasPrefix(name, "_ZN") && !isLegacyRust(name) || !strings.HasPrefix(name, "_ZN") && !strings.HasPrefix(name, "_R") {
		return "", false
	}
	out, err := demangle.ToString(name, demangle.MaxLength(14))
	return out + suffix, err == nil && out != ""
}

// TestDemangleNames compares the names of the library's own test cases, which are
// those of LLVM and binutils.
func TestDemangleNames(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ianlancetaylor/demangle").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range []string{"rust.test", "rust-demangle-expected"} {
		b, err := os.ReadFile(filepath.Join(string(bytes.TrimSpace(dir)), "testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`_(R|ZN)[\w.$]+`).FindAllString(string(b), -1) {
			n++
			want, ok := library(name)
			if !ok {
				want = name
			}
			if got := Demangle(name); got != want {
				t.Errorf("%s: %q, the library has %q", name, got, want)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d names", n)
	}
}

// FuzzDemangle compares any name with the library.
func FuzzDemangle(f *testing.F) {
	for _, s := range []string{
		"_ZN4core3fmt5write17h0123456789abcdefE", "_RNvCs1234_7mycrate3foo", "_ZN3Foo3barEi", "_R", "_ZN1a.b",
		"_ZN42_$LT$impl$u20$core..fmt..Debug$u20$for$u20$T$GT$3fmt17h0123456789abcdefE",
		"_RNvXs_C7mycrateINtB4_3FooNtB4_3BarENtNtCs4fqI2P2rA04_4core3fmt5Debug3fmt", "_RNvC6_123foo3bar", "_RNqCs4fqI2P2rA04_13utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y",
		"_RINbNbCskIICzLVDPPb_5alloc5alloc8box_freeDINbNiB4_5boxed5FnBoxuEp6OutputuEL_ECs1iopQbuBiw2_3std",
		"_RMC0FGZFG_RL0_hEuE", "_RIC0Kj7b_Kb1_Kc41_Ka_n5_E", "_RNvC1a1bC1c", "_RIC0TB2_B2_EE",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Demangle(s)
		if got == "" && s != "" {
			t.Error("no name")
		}
		want, ok := library(s)
		// The library writes "::" also before a name of no length, and refuses some
		// of the namespaces that are reserved for compilers.
		elements := func(s string) string { return strings.ReplaceAll(s, "::", "") }
		if got != s && ok && (elements(got) != elements(want)) && len(got) < maxDemangled {
			t.Errorf("%q: %q, the library has %q, %v", s, got, want, ok)
		}
	})
}
