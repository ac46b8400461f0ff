package firmware

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
)

// peer is the addr2line that must agree with us.
const peer = "riscv64-unknown-elf-addr2line"

// realFirmware returns the ELF files of esp-hal projects that other tests
// built into the shared store.
func realFirmware(t testing.TB) []string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(devtest.Store(t), "firmware", "*.elf"))
	if len(files) == 0 {
		devtest.Missing(t, "a firmware in the test store (firmware/hello.elf)")
	}
	return files
}

func openFile(t testing.TB, name string) *ELF {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	e, err := Open(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// askPeer asks addr2line about every second address of all code and returns
// its answer per address: "function\nfile:line" for each frame.
func askPeer(t testing.TB, tool, name string, e *ELF) (addrs []uint32, answers []string) {
	t.Helper()
	var in bytes.Buffer
	for _, r := range e.ExecutableRanges() {
		for a := uint64(r.Start); a < r.End; a += 2 {
			addrs = append(addrs, uint32(a))
			fmt.Fprintf(&in, "0x%08x\n", a)
		}
	}
	cmd := exec.Command(tool, "-afi", "-e", name)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(out), "\n0x")[1:] {
		_, rest, _ := strings.Cut(part, "\n")
		answers = append(answers, strings.TrimSpace(rest))
	}
	if len(answers) != len(addrs) {
		t.Fatalf("%d answers for %d addresses", len(answers), len(addrs))
	}
	return addrs, answers
}

// sameThing reports whether two names for addr are equally right: of one
// address, or ours is a data object there (tables in executable sections),
// where the peer takes the nearest function.
func sameThing(e *ELF, addr uint32, ours, theirs string) bool {
	a, ok := e.Lookup(ours)
	b, ok2 := e.Lookup(theirs)
	if ok && ok2 && a.Addr == b.Addr {
		return true
	}
	return ok && !a.Func && a.Size > 0 && addr >= a.Addr && addr-a.Addr < a.Size
}

var discriminator = regexp.MustCompile(` \(discriminator \d+\)`)

// compareWithPeer checks every frame of every address. Two things of the
// peer are not wanted and left out: it names local labels (.L0, .Lpcrel_hi5)
// as functions, and it shows the symbol table's file where there is no line.
func compareWithPeer(t *testing.T, tool, name string) {
	e := openFile(t, name)
	if n, err := e.DebugInfo(); n == 0 || err != nil {
		t.Fatalf("debug information: %d units, %v", n, err)
	}
	addrs, answers := askPeer(t, tool, name, e)
	frames, inlined, lines, wrong, misnamed := 0, 0, 0, 0, 0
	for i, addr := range addrs {
		var got []string
		fs := e.Frames(addr)
		for _, f := range fs {
			fn, path := f.Linker, f.Path
			if fn == "" {
				fn = "??"
			}
			if path == "" {
				path = "??"
			}
			got = append(got, fn, fmt.Sprintf("%s:%d", path, f.Line))
			if f.Inline {
				inlined++
			}
			if f.Line > 0 {
				lines++
			}
		}
		frames += len(fs)
		if len(fs) == 0 {
			got = []string{"??", "??:0"}
		}
		want := strings.Split(answers[i], "\n")
		for j, w := range want {
			w = discriminator.ReplaceAllString(w, "")
			if s, ok := strings.CutSuffix(w, ":?"); ok {
				w = s + ":0"
			}
			if j%2 == 0 && strings.HasPrefix(w, ".L") && j < len(got) {
				w = got[j]
			}
			if j%2 == 1 && !strings.Contains(w, "/") {
				w = "??:0" // a file symbol, no path from a line table
			}
			if j%2 == 0 && len(fs) == 0 {
				w = "??" // the peer's nearest symbol, however far
			}
			if j%2 == 0 && j < len(got) && got[j] != w && sameThing(e, addr, got[j], w) {
				w = got[j]
			}
			// The peer sometimes gives an inlined extern "C" function the name of
			// the function around it; the line, which is compared, is the inlined one's.
			if j == 0 && len(fs) > 1 && got[0] != w && w == fs[len(fs)-1].Linker {
				w = got[0]
				misnamed++
			}
			want[j] = w
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			if wrong++; wrong <= 5 {
				t.Errorf("0x%08x:\n%s\n%s says:\n%s", addr, g, filepath.Base(tool), w)
			}
		}
	}
	if misnamed > len(addrs)/10000 {
		t.Errorf("%d innermost functions are named otherwise", misnamed)
	}
	if wrong > 0 {
		t.Errorf("%d of %d addresses differ", wrong, len(addrs))
	}
	t.Logf("%d addresses, %d frames, %d of them inlined, %d with a line", len(addrs), frames, inlined, lines)
	if lines == 0 {
		t.Error("no address has a line: the comparison compared nothing")
	}
}

func TestFramesAgreeWithAddr2lineRust(t *testing.T) {
	devtest.Long(t, "asks addr2line about a whole firmware")
	for _, name := range realFirmware(t) {
		t.Run(filepath.Base(name), func(t *testing.T) { compareWithPeer(t, devtest.Tool(t, peer), name) })
	}
}

// cProgram has inlining in two levels, a function split into a cold part, a
// function that the linker drops, and one without debug information.
const cProgram = `
#include <stdint.h>
volatile uint32_t sink;
static inline __attribute__((always_inline)) uint32_t twice(uint32_t x) { sink = x; return x * 2; }
static inline __attribute__((always_inline)) uint32_t fourfold(uint32_t x)
{
	return twice(x) +
		twice(x + 1);
}
uint32_t never_called(uint32_t x) { return fourfold(x) ^ 0x55; }
__attribute__((noinline, cold)) void fail(uint32_t x) { for (;;) sink = x; }
__attribute__((noinline)) uint32_t work(uint32_t n)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (__builtin_expect(i == 1000, 0))
			fail(fourfold(i));
		sum += fourfold(i);
	}
	return sum;
}
void _start(void)
{
	sink = work(sink);
	for (;;)
		;
}
`

func buildC(t testing.TB, flags ...string) string {
	t.Helper()
	gcc := devtest.Tool(t, "riscv64-unknown-elf-gcc")
	dir := t.TempDir()
	src, out := filepath.Join(dir, "prog.c"), filepath.Join(dir, "prog.elf")
	if err := os.WriteFile(src, []byte(cProgram), 0o666); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-march=rv32imc", "-mabi=ilp32", "-ffreestanding", "-nostdlib", "-ffunction-sections",
		"-Wl,--gc-sections,-Ttext=0x42000020,--build-id=none", "-o", out, src}, flags...)
	if b, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

func TestFramesAgreeWithAddr2lineC(t *testing.T) {
	devtest.Long(t, "runs a C compiler")
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"dwarf 3", []string{"-O2", "-gdwarf-3"}},
		{"dwarf 4", []string{"-O2", "-gdwarf-4"}},
		{"dwarf 5", []string{"-O2", "-gdwarf-5"}},
		{"dwarf 5, no optimisation", []string{"-O0", "-gdwarf-5"}},
		{"dwarf 5, compressed", []string{"-O2", "-gdwarf-5", "-Wl,--compress-debug-sections=zlib"}},
	} {
		t.Run(c.name, func(t *testing.T) { compareWithPeer(t, devtest.Tool(t, peer), buildC(t, c.flags...)) })
	}
}

// GNU addr2line knows no lines in 64-bit DWARF, so the same program with
// 32-bit offsets is the oracle.
func TestFrames64BitDWARF(t *testing.T) {
	devtest.Long(t, "runs a C compiler")
	small := openFile(t, buildC(t, "-O2", "-gdwarf-5"))
	large := openFile(t, buildC(t, "-O2", "-gdwarf-5", "-gdwarf64"))
	seen := 0
	for _, r := range small.ExecutableRanges() {
		for a := uint64(r.Start); a < r.End; a += 2 {
			want, got := small.Frames(uint32(a)), large.Frames(uint32(a))
			for i := range want {
				want[i].Path, want[i].File = filepath.Base(want[i].Path), ""
			}
			for i := range got {
				got[i].Path, got[i].File = filepath.Base(got[i].Path), ""
			}
			if !slices.Equal(got, want) {
				t.Errorf("0x%08x: %+v, want %+v", a, got, want)
			}
			seen += len(want)
		}
	}
	if seen == 0 {
		t.Error("nothing compared")
	}
}

// GNU addr2line takes the file of a unit made by GCC's link-time optimiser
// from the unit's name ("<artificial>"); LLVM's takes it from the line table.
func TestFramesOfLinkTimeOptimisedC(t *testing.T) {
	devtest.Long(t, "runs a C compiler")
	compareWithPeer(t, devtest.Tool(t, "llvm-addr2line"), buildC(t, "-O2", "-gdwarf-5", "-flto"))
}

// Without debug information names still come from the symbol table.
func TestFramesWithoutDebugInformation(t *testing.T) {
	devtest.Long(t, "runs a C compiler")
	e := openFile(t, buildC(t, "-O2", "-g0"))
	work, ok := e.Lookup("work")
	if !ok {
		t.Fatal("no symbol work")
	}
	fs := e.Frames(work.Addr + 4)
	if len(fs) != 1 || fs[0].Function != "work" || fs[0].Offset != 4 || fs[0].Source != FromSymbols || fs[0].Line != 0 {
		t.Errorf("%+v", fs)
	}
}

// The mask ROM is a second source of names; it has symbols only.
func TestRealROM(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("ESPALIER_PEERS"), "espflash", "resources", "roms", "esp32c3_*.elf"))
	if len(files) == 0 {
		devtest.Missing(t, "the resources of the espflash crate in $ESPALIER_PEERS/espflash")
	}
	for _, name := range files {
		e := openFile(t, name)
		s, ok := e.Lookup("ets_delay_us")
		if !ok {
			t.Errorf("%s: no ets_delay_us", name)
			continue
		}
		if fs := e.Frames(s.Addr + 2); len(fs) != 1 || fs[0].Function != "ets_delay_us" {
			t.Errorf("%s: %+v", name, fs)
		}
	}
}

func TestConcurrentReaders(t *testing.T) {
	e := open(t, smallFirmware())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for a := uint32(0x42010000); a < 0x42010200; a += 2 {
				e.Frames(a)
				e.Lookup("hello::main")
				e.DebugInfo()
			}
		})
	}
	wg.Wait()
}

// BenchmarkFrames reports the time per address and, as a ratio, against
// addr2line fed the same million addresses.
func BenchmarkFrames(b *testing.B) {
	files := realFirmware(b)
	e := openFile(b, files[0])
	var addrs []uint32
	for len(addrs) < 1_000_000 {
		for _, r := range e.ExecutableRanges() {
			for a := uint64(r.Start); a < r.End && len(addrs) < 1_000_000; a += 2 {
				addrs = append(addrs, uint32(a))
			}
		}
	}
	var in bytes.Buffer
	for _, a := range addrs {
		fmt.Fprintf(&in, "0x%08x\n", a)
	}
	cmd := exec.Command(devtest.Tool(b, peer), "-afiC", "-e", files[0])
	cmd.Stdin = &in
	start := time.Now()
	if _, err := cmd.Output(); err != nil {
		b.Fatal(err)
	}
	theirs := time.Since(start)
	var fs []Frame
	for b.Loop() {
		fresh := openFile(b, files[0]) // with the index, as they do
		for _, a := range addrs {
			fs = fresh.AppendFrames(fs[:0], a)
		}
	}
	ours := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(ours)/float64(len(addrs)), "ns/addr")
	b.ReportMetric(float64(ours)/float64(theirs), "x-addr2line")
}

// BenchmarkIndex is the price of the first question.
func BenchmarkIndex(b *testing.B) {
	files := realFirmware(b)
	for b.Loop() {
		openFile(b, files[0]).DebugInfo()
	}
}

// TestMutatedFirmware damages a real firmware in many ways: no panic, no
// memory beyond a small multiple of the file, no endless loop.
func TestMutatedFirmware(t *testing.T) {
	devtest.Long(t, "reads a firmware some hundred times")
	good, err := os.ReadFile(realFirmware(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	sound := open(t, good)
	shoff := int(binary.LittleEndian.Uint32(good[32:]))
	refused, damaged, fine := 0, 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := bytes.Clone(good)
		for range 1 + r.IntN(20) {
			at := r.IntN(len(b))
			switch r.IntN(4) {
			case 0: // section headers
				at = shoff + r.IntN(len(sound.sections)*40)
			case 1, 2: // a section that is parsed
				s := sound.section([]string{".debug_info", ".debug_abbrev", ".debug_line", ".debug_ranges", ".debug_str", ".symtab", ".strtab"}[r.IntN(7)])
				if s != nil && s.size > 0 {
					at = int(s.off) + r.IntN(min(int(s.size), 1<<12))
				}
			}
			b[at] = byte(r.Uint32())
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := Open(bytes.NewReader(b), Options{})
		switch {
		case err != nil:
			refused++
			continue
		default:
			if _, err := e.DebugInfo(); err != nil {
				damaged++
			} else {
				fine++
			}
			e.Metadata()
			e.AppDescriptor()
			for _, x := range e.ExecutableRanges() {
				for a := uint64(x.Start); a < min(x.End, uint64(x.Start)+0x10000); a += 64 {
					e.Frames(uint32(a))
				}
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 100*uint64(len(b)) {
			t.Errorf("seed %d allocated %d bytes for a file of %d", seed, n, len(b))
		}
	}
	t.Logf("%d refused, %d with damaged debug information, %d read", refused, damaged, fine)
}
