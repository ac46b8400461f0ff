package rv32

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// The address space of the random user programs: text, then data that they
// access through s0, then the buffer for the dump of the registers.
const (
	textAt   = 0x10000
	dataAt   = 0x20000
	dataSize = 2048
	dumpAt   = dataAt + dataSize
	dumpSize = dataSize + 4*32
)

// elf32 wraps code and data in a static Linux executable.
func elf32(code []byte) []byte {
	le := binary.LittleEndian
	size := uint32(dataAt - textAt + PageSize)
	b := append([]byte{0x7f, 'E', 'L', 'F', 1, 1, 1}, make([]byte, 9)...)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 243)
	for _, w := range []uint32{1, textAt, 52, 0, 1} {
		b = le.AppendUint32(b, w)
	}
	for _, h := range []uint16{52, 32, 1, 0, 0, 0} {
		b = le.AppendUint16(b, h)
	}
	for _, w := range []uint32{1, PageSize, textAt, textAt, size, size, 7, PageSize} {
		b = le.AppendUint32(b, w)
	}
	b = append(b, make([]byte, PageSize-len(b))...)
	return append(append(b, code...), make([]byte, int(size)-len(code))...)
}

// userProgram is a terminating program: forward branches, counted loops,
// forward calls, every RV32IMC computation, loads and stores around s0 at any
// alignment. Reserved: s0 the data, x30 the loop counter, x31 the call target.
func userProgram(r *rand.Rand, n int) []byte {
	var b []byte
	put := func(w uint32, size int) {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))[:len(b)+size]
	}
	put32 := func(w ...uint32) {
		for _, w := range w {
			put(w, 4)
		}
	}
	dest := func() uint32 {
		for {
			if rd := r.Uint32() & 31; rd != 8 && rd != 30 && rd != 31 {
				return rd
			}
		}
	}
	reg := func() uint32 { return r.Uint32() & 31 }
	for i := uint32(1); i < 30; i++ {
		v := r.Uint32()
		switch r.IntN(4) {
		case 0:
			v = []uint32{0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 2}[r.IntN(6)]
		case 1:
			v &= 0xff
		}
		put32(lui(i, v+0x800), iType(v, i, 0, i, 0x13))
	}
	put32(lui(8, dataAt), iType(1024, 8, 0, 8, 0x13), iType(0, 0, 0, 30, 0x13))
	loop := -1
	for range n {
		switch r.IntN(16) {
		case 0, 1, 2:
			f3 := r.Uint32() & 7
			imm := r.Uint32()
			if f3 == 1 {
				imm &= 31
			} else if f3 == 5 {
				imm &= 0x41f
			}
			put32(iType(imm, reg(), f3, dest(), 0x13))
		case 3, 4:
			f7, f3 := r.Uint32()&1, r.Uint32()&7
			if (f3 == 0 || f3 == 5) && r.IntN(3) == 0 {
				f7 = 0x20
			}
			put32(rType(f7, reg(), reg(), f3, dest(), 0x33))
		case 5: // multiplication and division
			put32(rType(1, reg(), reg(), r.Uint32()&7, dest(), 0x33))
		case 6, 7:
			put32(iType(uint32(r.IntN(2040)-1020), 8, []uint32{0, 1, 2, 4, 5}[r.IntN(5)], dest(), 0x03))
		case 8, 9:
			put32(sType(uint32(r.IntN(2040)-1020), reg(), 8, r.Uint32()%3))
		case 10: // over the next two instructions, or to the existing part of them
			put32(bType(12, reg(), reg(), []uint32{0, 1, 4, 5, 6, 7}[r.IntN(6)]), rType(0, reg(), reg(), 0, dest(), 0x33), rType(0, reg(), reg(), 4, dest(), 0x33))
		case 11:
			put32(jType(8, dest()), 0xffffffff)
		case 12: // auipc x31,0; jalr rd,12(x31)
			put32(31<<7|0x17, iType(uint32(12+r.IntN(2)), 31, 0, dest(), 0x67), 0)
		case 13:
			if loop < 0 {
				put32(iType(uint32(r.IntN(20)), 0, 0, 30, 0x13))
				loop = len(b)
			} else {
				put32(iType(0xfff, 30, 0, 30, 0x13), bType(uint32(loop-len(b)-4), 30, 0, 4)) // bgtz x30
				loop = -1
			}
		case 14:
			put32(lui(dest(), r.Uint32()))
		default:
			for {
				w := r.Uint32() & 0xffff
				in, size := Decode(w, 0)
				ends := in.Op.endsBlock() || in.Op >= OpBEQ && in.Op <= OpBGEU
				memory := in.Op >= OpLB && in.Op <= OpSW
				if size == 2 && !ends && (!memory || in.Rs1 == 8) && in.Rd != 8 && in.Rd < 30 && w&^0x1f7c != 0x0002 {
					put(w, 2)
					break
				}
			}
		}
	}
	// the dump: base in s0 is known, then the system calls
	for i := uint32(0); i < 30; i++ {
		put32(sType(1024+4*i&0x7ff, i, 8, 2))
	}
	return b
}

// exitSequence writes the dump to file 1 and exits.
func exitSequence(b []byte) []byte {
	for _, w := range []uint32{iType(1, 0, 0, 10, 0x13), lui(11, dataAt), lui(12, dumpSize+0x800), iType(dumpSize&0xfff, 12, 0, 12, 0x13),
		iType(64, 0, 0, 17, 0x13), 0x73, iType(0, 0, 0, 10, 0x13), iType(93, 0, 0, 17, 0x13), 0x73} {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func TestRandomProgramsAgainstQEMU(t *testing.T) {
	qemu := devtest.Tool(t, "qemu-riscv32")
	programs := 60
	if testing.Short() {
		programs = 8
	}
	for seed := range programs {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		file := filepath.Join(t.TempDir(), "guest")
		if err := os.WriteFile(file, elf32(exitSequence(userProgram(r, 3000))), 0o777); err != nil {
			t.Fatal(err)
		}
		want, err := exec.Command(qemu, file).Output()
		if err != nil || len(want) != dumpSize {
			t.Fatalf("seed %d: qemu: %v, %d bytes", seed, err, len(want))
		}
		for _, e := range []Engine{EngineReference, EngineBlock} {
			got := runUser(t, userMachine(t, e, file))
			if !bytes.Equal(got, want) {
				for i := 0; i < dumpSize; i += 4 {
					if g, w := binary.LittleEndian.Uint32(got[i:]), binary.LittleEndian.Uint32(want[i:]); g != w {
						t.Fatalf("seed %d, engine %d: word at 0x%x (x%d): 0x%08x, qemu 0x%08x", seed, e, i, (i-dataSize)/4, g, w)
					}
				}
			}
		}
	}
}

func TestCompiledProgramsAgainstQEMU(t *testing.T) {
	devtest.Long(t, "compiles programs with several options")
	qemu := devtest.Tool(t, "qemu-riscv32")
	for _, flags := range [][]string{{"-O0"}, {"-O1"}, {"-O2"}, {"-O3", "-funroll-loops"}, {"-Os"}, {"-Os", "-msave-restore"}, {"-march=rv32im"}, {"-march=rv32i", "-O2"}} {
		program := compile(t, "testdata/mix.c", flags...)
		want, err := exec.Command(qemu, program).Output()
		if err != nil {
			t.Fatalf("%v: qemu: %v", flags, err)
		}
		for _, e := range []Engine{EngineReference, EngineBlock} {
			if got := runUser(t, userMachine(t, e, program)); !bytes.Equal(got, want) || binary.LittleEndian.Uint32(got) != mixCheck {
				t.Errorf("%v, engine %d: % x, qemu % x, native %x", flags, e, got, want, uint32(mixCheck))
			}
		}
	}
}
