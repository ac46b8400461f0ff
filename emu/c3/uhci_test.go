package c3

import (
	"bytes"
	"testing"

	"espalier.dev/espalier/emu"
)

// UART1 in loopback sends and receives by DMA: more bytes than its FIFO has, ended
// by the length or by the idle line. Packets are reported as not modelled.
func TestUHCI(t *testing.T) {
	const base = 0x60014000
	for _, idle := range []bool{false, true} {
		c := newTestChip(t, emu.Config{})
		const txDesc, rxDesc, tx, rx, n = dmaTop, dmaTop + 0x100, dmaTop + 0x1000, dmaTop + 0x2000, 300
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i * 7)
		}
		c.pokeBytes(tx, want)
		c.list(txDesc, tx, true, 100, 200)
		c.list(rxDesc, rx, false, 150, 200)
		for _, out := range []bool{false, true} {
			c.w(gdmaReg(2, out, gdPeriSel), uint32(dmaUHCI0))
		}
		uart1 := uint32(0x60010000)
		c.w(uart1+uartConf0, c.r(uart1+uartConf0)|uartConf0Loopback)
		conf := uint32(uhUART0 << 1)
		if idle {
			conf |= uhIdleEOF
		} else {
			conf |= uhLenEOF
			c.w(base+uhPktThres, n)
		}
		c.w(base+uhConf0, conf)
		c.startIn(2, rxDesc)
		c.startOut(2, txDesc)
		c.run(5 * emu.Millisecond)
		if c.r(gdmaBase+2*gdIntSize)&gdIntInSucEOF != 0 {
			t.Fatal("EOF before the line can have carried the bytes")
		}
		c.run(200 * emu.Millisecond)
		if got := c.peek(rx, n); !bytes.Equal(got, want) {
			t.Errorf("received % x", got)
		}
		const done = gdIntInSucEOF | gdIntOutEOF
		if raw := c.r(gdmaBase + 2*gdIntSize); raw&done != done {
			t.Errorf("idle %v: interrupts 0x%x", idle, raw)
		}
		c.want(base+uhIntRaw, uhIntStart|uhIntTx)
		if l := c.board.Unmodelled(); len(l) != 0 {
			t.Errorf("not modelled: %v", l)
		}
		c.w(base+uhConf0, conf|1<<5)
		c.startOut(2, txDesc)
		if l := c.board.Unmodelled(); len(l) != 1 || l[0].Addr != base+uhConf0 {
			t.Errorf("packets: %v", l)
		}
	}
}
