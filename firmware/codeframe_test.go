package firmware

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestCodeFramesAgainstCFI compares what the instructions say with the compiler's
// own call frame information, at every call of real firmwares.
func TestCodeFramesAgainstCFI(t *testing.T) {
	for _, name := range []string{"hello", "log", "stackdump", "http-client", "blocks"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", name+".elf"))
			if err != nil {
				devtest.Missing(t, "firmware/"+name+".elf in the test store")
			}
			e, err := Open(bytes.NewReader(b), Options{})
			if err != nil {
				t.Fatal(err)
			}
			calls, missed, wrong := 0, 0, 0
			for ret := range e.calls().sites {
				at := ret - 1
				entry := e.frameInfo().find(at)
				if entry == nil {
					continue
				}
				want, ok := entry.row(at)
				if !ok || want.cfaReg != spReg && want.cfaReg != fpReg {
					continue
				}
				calls++
				steps := maxCodeSteps
				f := e.codeFrameAt(at, &steps)
				if f == nil {
					missed++
					continue
				}
				s, ok := f.code.state(at)
				if !ok {
					missed++
					continue
				}
				distance := s.sp
				known := s.spOK
				if want.cfaReg == fpReg {
					distance, known = s.fp, s.fpOK
				}
				if !known {
					missed++
					continue
				}
				got, _ := f.code.row(at)
				if int64(distance) != want.cfaOffset || got.regs[raReg] != want.regs[raReg] || got.regs[fpReg] != want.regs[fpReg] {
					wrong++
					if wrong < 5 {
						t.Logf("%08x: sp %d fp %d, ra %v, s0 %v; want x%d%+d, ra %v, s0 %v", at, s.sp, s.fp, got.regs[raReg], got.regs[fpReg], want.cfaReg, want.cfaOffset, want.regs[raReg], want.regs[fpReg])
					}
				}
			}
			t.Logf("%d calls, %d missed, %d wrong", calls, missed, wrong)
			if calls < 100 || wrong*1000 > calls || missed*100 > calls {
				t.Fail()
			}
		})
	}
}

// Any bytes end, whatever address is asked for.
func FuzzCodeFrame(f *testing.F) {
	f.Add([]byte{0x01, 0x11, 0x06, 0xce, 0x22, 0xcc, 0x00, 0x10, 0xef, 0x00, 0x00, 0x00, 0x82, 0x80}, uint32(8)) // with a frame pointer, and a call
	f.Add([]byte{0x01, 0xa0, 0xfd, 0xbf, 0x82, 0x82, 0x13}, uint32(6))                                           // jumps in a circle, a table, half an instruction
	f.Fuzz(func(t *testing.T, code []byte, at uint32) {
		steps := 1 << 12
		c := codeFrame{code, 0x42000000, &steps}
		if s, ok := c.state(0x42000000 + at); ok && !c.has(s.pc) {
			t.Errorf("a state outside of the code, at %08x", s.pc)
		}
		if steps < -1 {
			t.Errorf("%d steps too many", -steps)
		}
	})
}
