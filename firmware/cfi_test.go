package firmware

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestRowsAgainstReadelf compares every row of the call frame tables of real
// firmwares with what GNU readelf makes of them.
func TestRowsAgainstReadelf(t *testing.T) {
	readelf := devtest.Tool(t, "riscv64-unknown-elf-readelf")
	for _, name := range []string{"stackdump", "log", "hello"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(devtest.Store(t), "firmware", name+".elf")
			b, err := os.ReadFile(file)
			if err != nil {
				devtest.Missing(t, "firmware/"+name+".elf in the test store")
			}
			e, err := Open(bytes.NewReader(b), Options{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(readelf, "--debug-dump=frames-interp", file).Output()
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			var entry *frameEntry
			var columns []string
			for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
				f := strings.Fields(sc.Text())
				switch {
				case len(f) > 5 && f[3] == "FDE":
					from, _, _ := strings.Cut(strings.TrimPrefix(f[5], "pc="), "..")
					start, _ := strconv.ParseUint(from, 16, 32)
					if entry = e.frameInfo().find(uint32(start)); entry == nil && start != 0 {
						t.Errorf("no entry for %08x", start)
					}
				case len(f) > 3 && f[3] == "CIE":
					entry = nil
				case len(f) > 1 && f[0] == "LOC":
					columns = f[2:]
				case entry != nil && len(f) == len(columns)+2:
					at, err := strconv.ParseUint(f[0], 16, 32)
					if err != nil {
						continue
					}
					rows++
					row, ok := entry.row(uint32(at))
					if !ok {
						t.Fatalf("%08x: no row", at)
					}
					if got := fmt.Sprintf("%s%+d", readelfName(int(row.cfaReg)), row.cfaOffset); got != f[1] {
						t.Errorf("%08x: CFA %s, want %s", at, got, f[1])
					}
					for i, c := range columns {
						want := f[2+i]
						got := "u" // readelf's word for what was never said
						for n := 1; n < 32; n++ {
							if readelfName(n) == c {
								switch r := row.regs[n]; r.kind {
								case savedAt:
									got = fmt.Sprintf("c%+d", r.offset)
								case sameValue, undefined:
								default:
									got = "?"
								}
							}
						}
						if want == "s" {
							want = "u"
						}
						if got != want {
							t.Errorf("%08x: %s is %s, want %s", at, c, got, want)
						}
					}
				}
			}
			if rows < 100 {
				t.Errorf("only %d rows compared", rows)
			}
			t.Logf("%d rows", rows)
		})
	}
}

func readelfName(n int) string {
	return strings.Fields("zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6")[n]
}

func FuzzFrameTable(f *testing.F) {
	cie := "\x10\x00\x00\x00\xff\xff\xff\xff\x04\x00\x04\x00\x01\x7c\x01\x0c\x02\x00\x00\x00"
	f.Add([]byte(cie+"\x14\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x42\x40\x00\x00\x00\x42\x0e\x50\x44\x81\x01\x88\x02"), false)
	f.Add([]byte(cie+"\x18\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x42\x40\x00\x00\x00\x0a\x42\x0b\x07\x01\x14\x08\x02\x0f\x01\x00\x00"), false)
	f.Add([]byte("\x10\x00\x00\x00\x00\x00\x00\x00\x01zR\x00\x01\x7c\x01\x01\x1b\x0c\x02\x00\x10\x00\x00\x00\x18\x00\x00\x00\x00\x01\x00\x00\x20\x00\x00\x00\x00\x42\x0e\x10"), true)
	f.Fuzz(func(t *testing.T, b []byte, eh bool) {
		var table frameTable
		table.read(b, 0x1000, eh)
		for i := range table.entries {
			e := &table.entries[i]
			e.row(uint32(e.start))
			e.row(uint32(e.end - 1))
		}
	})
}

// Code that is nothing but noise: the scan reads what it can and no more.
func FuzzCalls(f *testing.F) {
	f.Add([]byte("\x97\x00\x00\x00\xe7\x80\x80\x00\x05\x20\x82\x90"))
	f.Add([]byte("\xef\x00\x40\x00\x13"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g := callGraph{sites: map[uint32]uint32{}, callers: map[uint32][]uint32{}}
		g.scan(b, 0x42000000)
		for ret := range g.sites {
			if ret < 0x42000002 || ret > 0x42000000+uint32(len(b)) {
				t.Fatalf("a call that returns to %08x", ret)
			}
		}
	})
}

// TestCallsAgainstObjdump compares the calls found with the disassembly.
func TestCallsAgainstObjdump(t *testing.T) {
	objdump := devtest.Tool(t, "riscv64-unknown-elf-objdump")
	file := filepath.Join(devtest.Store(t), "firmware", "hello.elf")
	b, err := os.ReadFile(file)
	if err != nil {
		devtest.Missing(t, "firmware/hello.elf in the test store")
	}
	e, err := Open(bytes.NewReader(b), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-d", "-M", "no-aliases", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	g := e.calls()
	n := 0
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		// 42010230:	1ea010ef	jal	ra,4201141a <_ZN...>
		f := strings.Fields(sc.Text())
		if len(f) < 4 {
			continue
		}
		to := f[3]
		switch {
		case f[2] == "c.jal", f[2] == "jal" && strings.HasPrefix(to, "ra,"):
		case f[2] == "jalr" && strings.HasPrefix(to, "ra,") && len(f) > 5 && f[4] == "#":
			to = f[5] // 8(ra) # 420111d0 <...>: after an auipc
		default:
			continue
		}
		at, err := strconv.ParseUint(strings.TrimSuffix(f[0], ":"), 16, 32)
		target, err2 := strconv.ParseUint(strings.TrimPrefix(to, "ra,"), 16, 32)
		if err != nil || err2 != nil {
			continue
		}
		ret := uint32(at) + uint32(len(f[1])/2)
		n++
		if got := g.sites[ret]; got != uint32(target) {
			t.Errorf("%08x calls %08x, found %08x", at, target, got)
		}
	}
	if n < 100 {
		t.Errorf("only %d calls compared", n)
	}
	t.Logf("%d of %d calls", n, len(g.sites))
}
