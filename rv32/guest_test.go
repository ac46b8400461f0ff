package rv32

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// compile builds a freestanding program from testdata for RV32IMC.
func compile(t testing.TB, source string, flags ...string) string {
	t.Helper()
	gcc := devtest.Tool(t, "riscv64-unknown-elf-gcc")
	out := filepath.Join(t.TempDir(), "guest")
	args := append([]string{"-O2", "-march=rv32imc", "-mabi=ilp32", "-nostdlib", "-nostartfiles", "-ffreestanding",
		"-Wl,-Ttext=0x10000", "-Wl,--build-id=none", "-o", out}, flags...)
	if msg, err := exec.Command(gcc, append(args, source, "-lgcc")...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", gcc, err, msg)
	}
	return out
}

// userMachine is a machine for statically linked user programs: 1 MiB at
// 0x8000 with the stack on top; run it with runUser.
func userMachine(t testing.TB, e Engine, program string) *CPU {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := New(Config{Engine: e})
	c.Memory().Map(0x8000, NewBank(1<<20), 0, 1<<20, Read|Write|Exec) // the ELF headers are before the text
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if !c.Memory().Write(uint32(p.Vaddr), b) {
			t.Fatalf("segment at 0x%08x is outside memory", p.Vaddr)
		}
	}
	c.Reset(uint32(f.Entry))
	c.SetReg(2, 0x107000)
	return c
}

// runUser runs a program to its exit and returns what it wrote to file 1.
func runUser(t testing.TB, c *CPU) (out []byte) {
	t.Helper()
	failed := false
	c.OnTrap = func(tr Trap) {
		failed = tr.Cause != CauseEcallM
		c.Yield()
	}
	for {
		if x := c.Run(1 << 40); x != ExitYield || failed {
			t.Fatalf("%v, mcause %d at 0x%08x, mtval 0x%08x", x, c.csr.Mcause, c.csr.Mepc, c.csr.Mtval)
		}
		if c.Reg(17) != 64 {
			return out
		}
		b := make([]byte, c.Reg(12))
		c.Memory().Read(c.Reg(11), b)
		out = append(out, b...)
		c.SetPC(c.csr.Mepc + 4)
	}
}
