package c3

import (
	"encoding/binary"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// FuzzPins writes random values to the blocks that drive pins, with pins
// connected in a circle, and compares a board whose pins are observed with one
// whose pins are not.
func FuzzPins(f *testing.F) {
	blocks := []uint32{gpioBase, gpioBase + 0x100, gpioBase + 0x500, iomuxBase, uart0, 0x60010000, rmtBase, rmtBase + rmtRAM, ledcBase, sdmBase, adcBase, 0x60008080}
	op := func(block, reg byte, v uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{block, reg}, v) }
	seed := func(ops ...[]byte) {
		var all []byte
		for _, o := range ops {
			all = append(all, o...)
		}
		f.Add(all)
	}
	seed(op(4, 0, 'x'), op(255, 0, 900), op(4, uartConf0/4, 1<<22|1<<14|1<<8), op(255, 0, 900))
	seed(op(7, 0, 0x00018001), op(6, rmtTxConf0/4, 1<<16|1<<8|rmtTxConti|rmtTxWrap|rmtTxStart), op(2, 0x15, uint32(sigRMT0)), op(255, 0, 500))
	seed(op(8, ledcConf/4, 1), op(8, ledcTimer0/4, 256<<4|1), op(8, 2, 1<<19-1), op(8, 3, 1<<31|1), op(8, 0, 0xffffffff), op(255, 0, 500))
	seed(op(9, 0, 0x7f), op(9, 9, 1<<30), op(2, 0x15, uint32(sigGPIOSD0)), op(255, 0, 99))
	seed(op(3, 1, 1<<12|ioIE), op(2, 0x15, 97|gpOutInv), op(1, 0x15+97, gpInSelMatrix), op(255, 0, 9))
	seed(op(10, adcOnetime/4, 7<<29), op(10, adcCtrl2/4, 1<<24), op(10, adcDMAConf/4, 1<<31), op(255, 0, 999))
	seed(op(11, 0x13, 0x3f), op(11, 0x14, ^uint32(0)), op(11, 3, isoForceHold), op(254, 3, 1), op(253, 2, 1700))
	f.Fuzz(func(t *testing.T, ops []byte) {
		var traces [2]uint64
		var out [2]int
		var short bool // an input with more events than there is time for
		for i := range traces {
			cfg := emu.Config{ROM: program(func(a *asm) { a.halt() }).rom(), Output: func(o emu.Output) { out[i] += len(o.Data) }}
			if i == 1 {
				cfg.Pin = func(emu.PinChange) {}
			}
			c, b, err := newBoard(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 5 {
				b.Join(n, (n+1)%5)
			}
			ctx := &expiring{t.Context(), 41 + 8} // as in FuzzRegisters
			p := ops
			for n := 0; len(p) >= 6 && n < 40; n, p = n+1, p[6:] {
				v := binary.LittleEndian.Uint32(p[2:])
				switch p[0] {
				case 255:
					b.Run(ctx, emu.Limit(time.Duration(1+v%1000)*time.Microsecond))
				case 254:
					b.SetPin(int(p[1]), emu.Level(v%3))
				case 253:
					b.SetVoltage(int(p[1]), int(v%4000), v>>16)
				default:
					addr := blocks[int(p[0])%len(blocks)] + 4*uint32(p[1])
					if addr >= 0x60004f00 && addr < 0x60005000 && p[0]%12 != 9 || addr>>12 != blocks[int(p[0])%len(blocks)]>>12 {
						continue
					}
					if v&1 == 0 || p[0]&16 == 0 {
						c.bus.Store(addr, 4, v)
					}
					c.bus.Load(addr, 4)
				}
			}
			res := b.Run(ctx, emu.Limit(time.Millisecond))
			traces[i], short = res.Trace, short || res.Reason == emu.StopContext
		}
		if !short && (traces[0] != traces[1] || out[0] != out[1]) {
			t.Errorf("the observed board has trace %x and sent %d bytes, the other %x and %d", traces[1], out[1], traces[0], out[0])
		}
	})
}
