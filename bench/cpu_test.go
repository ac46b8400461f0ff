package bench

import (
	"debug/elf"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/rv32"
)

// chipMIPS is the speed of a real ESP32-C3 at 160 MHz from internal memory: 409
// iterations of CoreMark per second, 295.2 thousand instructions each.
const chipMIPS = 121

// cpuCheck is the output of a native build of the guest program.
const (
	cpuRounds = 100
	cpuCheck  = 0xb2fe3d62
)

// BenchmarkCPU runs a compute-bound guest (sieve, CRC, quicksort, matrices, a
// state machine, a list, divisions) in the block engine and reports millions of
// instructions per second (target 400), the multiple of the real chip (target
// 3) and, if qemu-riscv32 is installed, the ratio to it for the same binary.
// Both are the best of five, measured alternately.
//
//	go test ./bench -run '^$' -bench CPU -benchtime 1x
func BenchmarkCPU(b *testing.B) {
	devtest.Long(b, "seconds of computing")
	gcc := devtest.Tool(b, "riscv64-unknown-elf-gcc")
	guest := filepath.Join(b.TempDir(), "guest")
	if out, err := exec.Command(gcc, "-O2", "-march=rv32imc", "-mabi=ilp32", "-nostdlib", "-nostartfiles", "-ffreestanding", "-DROUNDS=100",
		"-Wl,-Ttext=0x10000", "-Wl,--build-id=none", "-o", guest, "../rv32/testdata/mix.c", "-lgcc").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	qemu, _ := exec.LookPath("qemu-riscv32")
	for b.Loop() {
		var instructions uint64
		ours, theirs := time.Hour, time.Hour
		for range 5 {
			c := cpuLoad(b, guest)
			start := time.Now()
			check := cpuRun(b, c)
			ours = min(ours, time.Since(start))
			if check != cpuCheck {
				b.Fatalf("check value 0x%08x", check)
			}
			instructions = c.Cycles()
			if qemu != "" {
				start := time.Now()
				if out, err := exec.Command(qemu, guest).Output(); err != nil || len(out) != 4 || binary.LittleEndian.Uint32(out) != cpuCheck {
					b.Fatalf("%s: %v, % x", qemu, err, out)
				}
				theirs = min(theirs, time.Since(start))
			}
		}
		mips := float64(instructions) / ours.Seconds() / 1e6
		b.ReportMetric(mips, "MIPS")
		b.ReportMetric(mips/chipMIPS, "x-chip")
		if qemu != "" {
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-qemu")
		}
		b.ReportMetric(0, "ns/op")
	}
}

// cpuLoad loads a static user program into a CPU with 1 MiB of memory.
func cpuLoad(b *testing.B, program string) *rv32.CPU {
	f, err := elf.Open(program)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	c := rv32.New(rv32.Config{})
	c.Memory().Map(0x8000, rv32.NewBank(1<<20), 0, 1<<20, rv32.Read|rv32.Write|rv32.Exec)
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		data := make([]byte, p.Filesz)
		if _, err := p.ReadAt(data, 0); err != nil {
			b.Fatal(err)
		}
		c.Memory().Write(uint32(p.Vaddr), data)
	}
	c.Reset(uint32(f.Entry))
	c.SetReg(2, 0x107000)
	return c
}

// cpuRun runs to the first system call, which writes the check value.
func cpuRun(b *testing.B, c *rv32.CPU) uint32 {
	c.OnTrap = func(rv32.Trap) { c.Yield() }
	if x := c.Run(1 << 40); x != rv32.ExitYield || c.Reg(17) != 64 {
		b.Fatalf("%v at 0x%08x", x, c.PC())
	}
	var out [4]byte
	c.Memory().Read(c.Reg(11), out[:])
	return binary.LittleEndian.Uint32(out[:])
}
