package size

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
)

// realFirmware is a program without Wi-Fi, one with it, and one with old crates.
var realFirmware = []string{"hello", "http-client", "wifi-old"}

func realELF(t testing.TB, name string) (path string, e *firmware.ELF) {
	t.Helper()
	path = filepath.Join(devtest.Store(t), "firmware", name+".elf")
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		devtest.Missing(t, "firmware/"+name+".elf in the test store (scripts/firmware)")
	}
	if err != nil {
		t.Fatal(err)
	}
	if e, err = firmware.Open(bytes.NewReader(b), firmware.Options{}); err != nil {
		t.Fatal(err)
	}
	return path, e
}

func peer(t testing.TB, stdin, tool string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestPeers compares real firmware with three programs of LLVM and binutils: the
// sizes of sections, of functions, and whose code is at an address.
func TestPeers(t *testing.T) {
	devtest.Long(t, "asks addr2line about thousands of addresses")
	for _, name := range realFirmware {
		t.Run(name, func(t *testing.T) {
			path, e := realELF(t, name)
			a := newAnalysis(e, nil)
			r := a.run()
			checkSums(t, r)
			compareSections(t, path, r)
			compareFunctions(t, path, r)
			compareOwners(t, path, a)
		})
	}
}

func compareSections(t *testing.T, path string, r *Report) {
	ours := map[string]uint64{}
	for _, s := range r.Sections {
		ours[s.Name] += s.Size
	}
	seen := 0
	for _, line := range strings.Split(peer(t, "", devtest.Tool(t, "llvm-size"), "-A", path), "\n") {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "section" || f[2] == "0" || f[1] == "0" {
			continue
		}
		seen++
		if want, _ := strconv.ParseUint(f[1], 10, 64); ours[f[0]] != want {
			t.Errorf("section %s has %d bytes, llvm-size says %d", f[0], ours[f[0]], want)
		}
	}
	if seen == 0 || seen != len(r.Sections) {
		t.Errorf("%d sections, llvm-size lists %d", len(r.Sections), seen)
	}
}

// compareFunctions compares every function that shares no byte with another.
func compareFunctions(t *testing.T, path string, r *Report) {
	type fn struct{ at, size uint64 }
	theirs := map[string]fn{}
	starts := map[uint64]int{}
	for _, line := range strings.Split(peer(t, "", devtest.Tool(t, "llvm-nm"), "-S", "--defined-only", path), "\n") {
		f := strings.Fields(line)
		if len(f) != 4 || !strings.Contains("tTwW", f[2]) {
			continue
		}
		at, _ := strconv.ParseUint(f[0], 16, 64)
		size, _ := strconv.ParseUint(f[1], 16, 64)
		if size == 0 {
			continue
		}
		theirs[fmt.Sprintf("%s %x", f[3], at)] = fn{at, size}
		starts[at]++
	}
	equal, different := 0, 0
	for _, s := range r.Functions {
		want, ok := theirs[fmt.Sprintf("%s %x", s.Linker, uint32(s.Address))]
		if !ok || starts[want.at] > 1 {
			continue
		}
		if s.Size == want.size {
			equal++
			continue
		}
		inside := false
		for at := range starts {
			inside = inside || at > want.at && at < want.at+want.size
		}
		if !inside {
			if different++; different < 5 {
				t.Errorf("%s has %d bytes, llvm-nm says %d", s.Linker, s.Size, want.size)
			}
		}
	}
	if equal < 100 || different > 0 {
		t.Errorf("%d functions have the peer's size, %d do not", equal, different)
	}
}

var inlinedName = regexp.MustCompile(`^(_R|_ZN)`)

// compareOwners asks addr2line which function is innermost at a sample of the
// code, and compares the crate in its name with the owner of the byte.
func compareOwners(t *testing.T, path string, a *analysis) {
	var in strings.Builder
	var addrs []uint32
	for _, r := range a.elf.ExecutableRanges() {
		for at := uint64(r.Start); at < r.End; at += 94 {
			addrs = append(addrs, uint32(at))
			fmt.Fprintf(&in, "0x%x\n", at)
		}
	}
	answers := strings.Split("\n"+peer(t, in.String(), devtest.Tool(t, "riscv64-unknown-elf-addr2line"), "-afi", "-e", path), "\n0x")[1:]
	if len(answers) != len(addrs) {
		t.Fatalf("%d answers for %d addresses", len(answers), len(addrs))
	}
	checked, wrong := 0, 0
	for i, answer := range answers {
		lines := strings.Split(answer, "\n")
		if len(lines) < 2 || !inlinedName.MatchString(lines[1]) {
			continue
		}
		want := crateOf(lines[1])
		p := a.at(addrs[i])
		if want == "" || want == "__rustc" || p < 0 {
			continue
		}
		checked++
		if got := a.owners[a.pieces[p].owner].Name; !SameCrate(got, want) {
			if wrong++; wrong < 5 {
				t.Errorf("0x%08x belongs to %s, addr2line says %s", addrs[i], got, lines[1])
			}
		}
	}
	if checked < 100 || wrong > 0 {
		t.Errorf("%d of %d sampled owners differ", wrong, checked)
	}
}

// TestMostIsAttributed bounds what has no owner in real firmware.
func TestMostIsAttributed(t *testing.T) {
	devtest.Long(t, "reads three programs with debug information")
	for _, name := range realFirmware {
		_, e := realELF(t, name)
		r := Analyze(e, nil)
		none, _ := r.Owner(Unattributed)
		padding, _ := r.Owner(Padding)
		if max(none.Flash, padding.Flash) > r.Flash/10 {
			t.Errorf("%s: %d bytes unattributed, %d padding of %d", name, none.Flash, padding.Flash, r.Flash)
		}
		for _, f := range r.Functions {
			if strings.HasPrefix(f.Linker, "_R") && f.Owner == Libs {
				t.Errorf("%s: no crate for %s", name, f.Linker)
			}
		}
	}
}

// BenchmarkAnalyze is a firmware of 5.4 MB with debug information: 0.5 s at most.
func BenchmarkAnalyze(b *testing.B) {
	path, _ := realELF(b, "ble")
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		e, err := firmware.Open(f, firmware.Options{})
		if err != nil {
			b.Fatal(err)
		}
		Analyze(e, nil)
		f.Close()
	}
}
