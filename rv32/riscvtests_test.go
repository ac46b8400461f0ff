package rv32

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// resultPort is where testdata/riscv_test.h stores the result.
type resultPort struct {
	c      *CPU
	result uint32
}

func (p *resultPort) Load(uint32, int) (uint32, bool) { return 0, false }
func (p *resultPort) Store(addr uint32, _ int, v uint32) bool {
	if addr == 0x60000000 {
		p.result = v
		p.c.Yield()
	}
	return addr == 0x60000000
}

// riscvTests is the number of programs in the suite.
const riscvTests = 45

// TestRISCVTests runs the tests of the RV32IM instructions by the authors of
// the instruction set (riscv-software-src/riscv-tests), as the PicoRV32 project
// packages them: sources that are assembled here.
func TestRISCVTests(t *testing.T) {
	root := devtest.Data(t, "riscv-tests")
	sources, err := filepath.Glob(filepath.Join(root, "*.S"))
	if err != nil || len(sources) != riscvTests {
		t.Fatalf("%d programs in %s, want %d: %v", len(sources), root, riscvTests, err)
	}
	for _, source := range sources {
		t.Run(strings.TrimSuffix(filepath.Base(source), ".S"), func(t *testing.T) { runISATest(t, source) })
	}
}

// TestISA runs programs for features that the suite does not cover: the
// compressed instructions, and traps, privileges and registers of machine mode
// of the ESP32-C3.
func TestISA(t *testing.T) {
	for _, name := range []string{"compressed", "machine"} {
		t.Run(name, func(t *testing.T) { runISATest(t, filepath.Join("testdata", "isa", name+".S")) })
	}
}

// runISATest assembles one program and runs it on both engines.
func runISATest(t *testing.T, source string) {
	t.Helper()
	gcc := devtest.Tool(t, "riscv64-unknown-elf-gcc")
	out := filepath.Join(t.TempDir(), "guest")
	args := []string{"-march=rv32imc_zicsr_zifencei", "-mabi=ilp32", "-static", "-nostdlib", "-nostartfiles",
		"-D_ENV_PICORV32_TEST_H", "-include", "testdata/riscv_test.h", "-Wl,-Ttext=0x10000", "-Wl,--no-relax",
		"-Wl,--no-warn-rwx-segments", "-o", out, source}
	if msg, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	for _, e := range []Engine{EngineReference, EngineBlock} {
		port := &resultPort{}
		c := userMachine(t, e, out)
		c.bus, port.c = port, c
		if x := c.Run(1e6); x != ExitYield || port.result != 1 {
			t.Errorf("engine %d: %v, failed at test %d, pc 0x%08x mcause %d mepc 0x%08x mtval 0x%08x",
				e, x, port.result>>1, c.PC(), c.csr.Mcause, c.csr.Mepc, c.csr.Mtval)
		}
	}
}
