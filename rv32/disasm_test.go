package rv32

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// objdump disassembles a sequence of encodings, keyed by address.
func objdump(t testing.TB, code []byte) map[uint32]string {
	t.Helper()
	tool := devtest.Tool(t, "riscv64-unknown-elf-objdump")
	// Newer versions of objdump need an ELF whose attributes are RV32IMC and
	// that has no symbols, which would mark the bytes as data.
	gcc := devtest.Tool(t, "riscv64-unknown-elf-gcc")
	dir := t.TempDir()
	source, file := filepath.Join(dir, "code.S"), filepath.Join(dir, "code.elf")
	if err := os.WriteFile(filepath.Join(dir, "code.bin"), code, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte(".text\n.incbin \"code.bin\"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	link := exec.Command(gcc, "-march=rv32imc_zicsr_zifencei", "-mabi=ilp32", "-nostdlib", "-s", "-Wl,-Ttext=0,-e,0", "-o", file, source)
	link.Dir = dir
	if out, err := link.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(tool, "-d", "-z", "-j", ".text", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := map[uint32]string{}
	line := regexp.MustCompile(`(?m)^ *([0-9a-f]+):\t[0-9a-f ]+\t(.*)$`)
	for _, m := range line.FindAllStringSubmatch(string(out), -1) {
		var addr uint32
		for _, c := range m[1] {
			addr = addr<<4 | uint32(strings.IndexRune("0123456789abcdef", c))
		}
		text, _, _ := strings.Cut(m[2], " # ")
		lines[addr] = strings.TrimSpace(text)
	}
	return lines
}

var (
	immediateAlias = regexp.MustCompile(`^(add|and|or|xor|sll|srl|sra|slt|sltu)\t(.*),(-?\d+|0x[0-9a-f]+)$`)
	csrAlias       = regexp.MustCompile(`^(csr[wsc])\t([^,]*),(\d+)$`)
	csrAlias3      = regexp.MustCompile(`^(csrr[wsc])\t([^,]*),([^,]*),(\d+)$`)
)

// zeroShift is a compressed shift by 0, which older versions of objdump show
// under the name that it has in RV128.
var zeroShift = regexp.MustCompile(`^(c\.(?:slli|srli|srai))\t([^,]*),0x0$`)

// canonical removes the differences between versions of objdump: immediate
// forms with the name of the register form, and shifts by 0.
func canonical(s string) string {
	if m := zeroShift.FindStringSubmatch(s); m != nil {
		return m[1] + "64\t" + m[2]
	}
	if m := immediateAlias.FindStringSubmatch(s); m != nil {
		name := m[1] + "i"
		if m[1] == "sltu" {
			name = "sltiu"
		}
		return name + "\t" + m[2] + "," + m[3]
	}
	if m := csrAlias.FindStringSubmatch(s); m != nil {
		return m[1] + "i\t" + m[2] + "," + m[3]
	}
	if m := csrAlias3.FindStringSubmatch(s); m != nil {
		return m[1] + "i\t" + m[2] + "," + m[3] + "," + m[4]
	}
	return s
}

// reservedShift is a compressed shift by 32 or more, which objdump shows and
// RV32 leaves to custom extensions.
var reservedShift = regexp.MustCompile(`^(c\.)?(slli|srli|srai)\t.*,0x[23].$`)

// isOurs reports whether objdump's text is an instruction of the chip.
func isOurs(text string) bool {
	if reservedShift.MatchString(text) {
		return false
	}
	name, _, _ := strings.Cut(text, "\t")
	return ours[name]
}

// ours are the names in the output of Disassemble.
var ours = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range opNames {
		m[n] = true
	}
	for _, n := range strings.Fields(`nop li mv not zext.b seqz neg snez sltz sgtz j jr ret lui auipc unimp c.nop c.li c.lui c.srli64 c.srai64
		c.slli64 c.slli c.mv c.add fence.i fence.tso csrr csrw csrs csrc csrwi csrsi csrci beqz bnez bltz bgez bgtz blez`) {
		m[n] = true
	}
	for _, n := range []string{"illegal", "fencei"} {
		delete(m, n)
	}
	return m
}()

func check(t *testing.T, words []uint32) {
	t.Helper()
	var code []byte
	at := make([]uint32, len(words))
	for i, w := range words {
		at[i] = uint32(len(code))
		code = binary.LittleEndian.AppendUint16(code, uint16(w))
		if w&3 == 3 {
			code = binary.LittleEndian.AppendUint16(code, uint16(w>>16))
		}
	}
	want := objdump(t, code)
	bad, valid := 0, 0
	for i, w := range words {
		got, _ := Disassemble(w, at[i])
		text, ok := want[at[i]]
		if !ok {
			continue // objdump skips zeros
		}
		text = canonical(text)
		if strings.HasPrefix(got, ".") {
			if !isOurs(text) || w == 0x6101 { // reserved: c.addi16sp of 0
				continue
			}
		} else {
			valid++
			if strings.HasPrefix(got, "csr") && strings.Contains(got, "0x") {
				continue // a CSR that the chip does not have, or a custom one: objdump uses other names
			}
		}
		if got != text {
			if bad++; bad <= 20 {
				t.Errorf("%08x: got %q, objdump says %q", w, got, text)
			}
		}
	}
	if bad > 20 {
		t.Errorf("%d differences", bad)
	}
	t.Logf("%d encodings, %d valid", len(words), valid)
}

func TestDisassembleCompressed(t *testing.T) {
	var words []uint32
	for w := range uint32(1 << 16) {
		if w&3 != 3 {
			words = append(words, w)
		}
	}
	check(t, words)
}

func TestDisassembleSampled(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	opcodes := []uint32{0x37, 0x17, 0x6f, 0x67, 0x63, 0x03, 0x23, 0x13, 0x33, 0x0f, 0x73}
	words := []uint32{0x0ff0000f, 0x8330000f, 0x100f, 0x30200073, 0x10500073, 0x100073, 0x73, 0x8067, 0xfff54513, 0x0ff57513,
		0x00153513, 0x00a03533, 0x00a02533, 0x00052533, 0x40a00533, 0x00000013, 0x00050513, 0x10200073, 0x00200073}
	for _, op := range opcodes {
		for range 4000 {
			w := r.Uint32()&^0x7f | op
			switch {
			case op == 0x33 && r.IntN(8) != 0: // mostly real functions
				w = w&^(0x7f<<25) | []uint32{0, 1, 0x20}[r.IntN(3)]<<25
			case op == 0x13 && w>>12&3 == 1 && r.IntN(8) != 0:
				w &^= 0x5f << 25
			case op == 0x0f: // reserved fields are ignored by the chip, printed by objdump
				w &= 0x0ff0100f
				if w>>12&1 != 0 {
					w = 0x100f
				}
			case op == 0x67 || op == 0x73 && r.IntN(8) != 0:
				if op == 0x67 {
					w &^= 7 << 12
				} else {
					names := []uint32{0x300, 0x301, 0x305, 0x341, 0x3a1, 0x3bf, 0x7a1, 0xf14}
					w = w&0xfffff | names[r.IntN(len(names))]<<20
				}
			}
			if r.IntN(4) == 0 {
				w &^= 31 << 15 // x0 as source
			}
			if r.IntN(4) == 0 {
				w &^= 31 << 20
			}
			if r.IntN(4) == 0 {
				w &^= 31 << 7
			}
			words = append(words, w)
		}
	}
	check(t, words)
}

func FuzzDecode(f *testing.F) {
	for _, w := range []uint32{0, 0xffffffff, 0x8067, 0x4501, 0xdeadbeef, 0x30200073} {
		f.Add(w, uint32(0x42000020))
	}
	f.Fuzz(func(t *testing.T, w, pc uint32) {
		in, size := Decode(w, pc)
		text, n := Disassemble(w, pc)
		if size != 2 && size != 4 || uint32(n) != size {
			t.Fatalf("size %d, %d", size, n)
		}
		if in.Rd > SinkReg || in.Rs1 > 31 || in.Rs2 > 31 || int(in.Op) >= len(opNames) {
			t.Fatalf("%+v", in)
		}
		if (in.Op == OpIllegal) != strings.HasPrefix(text, ".") && w&0xffff != 0 {
			t.Fatalf("%+v is %q", in, text)
		}
	})
}
