package rv32

import (
	"os"
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

// notOnChip are programs that ask for what the ESP32-C3 has not.
var notOnChip = map[string]string{
	"rv32mi-breakpoint":       "hardware triggers are storage here",
	"rv32mi-csr":              "counts on supervisor-style CSR fields",
	"rv32mi-instret_overflow": "no minstret",
	"rv32mi-zicntr":           "no cycle, time, instret",
}

// TestRISCVTests runs the ISA tests of riscv-software-src from a checkout of
// the sources (with its env submodule) in $ESPALIER_PEERS/riscv-tests.
func TestRISCVTests(t *testing.T) {
	root := filepath.Join(os.Getenv("ESPALIER_PEERS"), "riscv-tests")
	if _, err := os.Stat(filepath.Join(root, "isa")); os.Getenv("ESPALIER_PEERS") == "" || err != nil {
		t.Skip("needs a checkout of riscv-tests in $ESPALIER_PEERS")
	}
	gcc := devtest.Tool(t, "riscv64-unknown-elf-gcc")
	ran := 0
	for _, set := range []string{"rv32ui", "rv32um", "rv32uc", "rv32mi"} {
		sources, _ := filepath.Glob(filepath.Join(root, "isa", set, "*.S"))
		for _, source := range sources {
			name := set + "-" + strings.TrimSuffix(filepath.Base(source), ".S")
			t.Run(name, func(t *testing.T) {
				if why := notOnChip[name]; why != "" {
					t.Skip(why)
				}
				out := filepath.Join(t.TempDir(), "guest")
				args := []string{"-w", "-march=rv32imc_zicsr_zifencei", "-mabi=ilp32", "-static", "-mcmodel=medany", "-nostdlib", "-nostartfiles",
					"-Itestdata", "-I" + filepath.Join(root, "env"), "-I" + filepath.Join(root, "isa", "macros", "scalar"),
					"-Wl,-Ttext=0x10000", "-Wl,--no-relax", "-o", out, source}
				if msg, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, msg)
				}
				for _, e := range []Engine{EngineReference, EngineBlock} {
					port := &resultPort{}
					c := userMachine(t, e, out)
					c.bus, port.c = port, c
					if x := c.Run(1e6); x != ExitYield || port.result != 1 {
						t.Errorf("engine %d: %v, result %d, pc 0x%08x mcause %d mepc 0x%08x mtval 0x%08x", e, x, port.result>>1, c.PC(), c.csr.Mcause, c.csr.Mepc, c.csr.Mtval)
					}
				}
				ran++
			})
		}
	}
	t.Logf("%d programs", ran)
}
