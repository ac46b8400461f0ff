package c3

import (
	"bytes"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
)

const (
	uart0 = 0x60000000
	usbSJ = 0x60043000
)

func TestUARTReceivesAtBaudRateWithoutLoss(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(uart0+0x78, 0x3700000) // crystal, undivided
	c.w(uart0+0x14, 347)       // 115274 baud
	sent := bytes.Repeat([]byte("espalier"), 100)
	c.board.Send(emu.UART0, sent)
	c.run(870 * emu.Microsecond) // ten frames of 86.7 us, and a margin
	if n := c.r(uart0+0x1c) & 0x3ff; n != 10 {
		t.Errorf("%d bytes after ten frames", n)
	}
	c.run(emu.Second)
	if n := c.r(uart0+0x1c) & 0x3ff; n != uartBlock {
		t.Errorf("FIFO holds %d", n)
	}
	var got []byte
	for len(got) < len(sent) {
		if c.r(uart0+0x1c)&0x3ff == 0 {
			if c.run(emu.Millisecond); c.r(uart0+0x1c)&0x3ff == 0 {
				break
			}
		}
		got = append(got, byte(c.r(uart0)))
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("received %d bytes, sent %d", len(got), len(sent))
	}
}

func TestUARTInterrupts(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const full, empty, tout, done = 1, 2, 1 << 8, 1 << 14
	c.w(uart0+0x24, 3|1<<9|1<<21) // full at 3, empty below 1, RX_TOUT_EN
	c.w(uart0+0xc, full|tout)
	c.board.Send(emu.UART0, []byte("ab"))
	c.run(emu.Second)
	c.want(uart0+0x8, tout)
	c.w(uart0+0x10, tout)
	c.board.Send(emu.UART0, []byte("c"))
	c.run(100 * emu.Millisecond)
	c.want(uart0+0x8, full|tout)
	c.w(uart0+0x10, full|tout) // the FIFO still has three bytes: full remains set
	c.want(uart0+0x8, full)
	for range 3 {
		c.r(uart0)
	}
	c.w(uart0+0x10, full)
	c.want(uart0+0x8, 0)
	c.w(uart0, 'x')
	c.run(400 * emu.Microsecond)
	if raw := c.r(uart0 + 4); raw&(empty|done) != empty|done {
		t.Errorf("INT_RAW 0x%x after a byte was sent", raw)
	}
	if string(c.out[emu.UART0]) != "x" {
		t.Errorf("sent %q", c.out[emu.UART0])
	}
}

func TestUARTLoopbackAndReset(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(uart0+0x20, 0x1000001c|1<<14)
	for _, b := range []byte("loop") {
		c.w(uart0, uint32(b))
	}
	c.run(1400 * emu.Microsecond)
	if n := c.r(uart0+0x1c) & 0x3ff; n != 4 {
		t.Fatalf("%d bytes came back", n)
	}
	if v := c.r(uart0); v != 'l' {
		t.Errorf("first is %#x", v)
	}
	c.w(uart0+0x20, 0x1000001c|1<<17)
	if n := c.r(uart0+0x1c) & 0x3ff; n != 0 {
		t.Errorf("%d bytes after RXFIFO_RST", n)
	}
	if len(c.out[emu.UART0]) != 0 {
		t.Error("loopback left the chip")
	}
}

func TestUSBWithoutHostFillsUp(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	for range 70 {
		c.w(usbSJ, 'x')
	}
	c.w(usbSJ+4, 1)
	c.run(emu.Second)
	if c.r(usbSJ+4)&usbInDataFree != 0 {
		t.Error("the endpoint drains without a host")
	}
	if c.r(usbSJ+8)&usbIntSOF != 0 || c.r(usbSJ+0x24) != 0 {
		t.Error("frames without a host")
	}
	c.board.PlugUSB(true)
	c.run(10 * emu.Millisecond)
	if got := string(c.out[emu.USB]); got != strings.Repeat("x", 64) {
		t.Errorf("host took %q", got)
	}
	if c.r(usbSJ+8)&usbIntSOF == 0 || c.r(usbSJ+0x24) < 9 {
		t.Error("no frames with a host")
	}
}

func TestUSBBothWays(t *testing.T) {
	c := newTestChip(t, emu.Config{USBHost: true})
	sent := bytes.Repeat([]byte{0xa5, 1, 2, 3, 4, 5, 6}, 30)
	c.board.Send(emu.USB, sent)
	var got []byte
	for range 1000 {
		c.run(20 * emu.Microsecond)
		for c.r(usbSJ+4)&usbOutDataAvai != 0 {
			got = append(got, byte(c.r(usbSJ)))
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("received %d bytes, sent %d", len(got), len(sent))
	}
	for i, b := range sent {
		for c.r(usbSJ+4)&usbInDataFree == 0 {
			c.run(20 * emu.Microsecond)
		}
		c.w(usbSJ, uint32(b))
		if i%13 == 0 {
			c.w(usbSJ+4, 1)
		}
	}
	c.w(usbSJ+4, 1)
	c.run(emu.Millisecond)
	if !bytes.Equal(c.out[emu.USB], sent) {
		t.Errorf("host has %d bytes of %d", len(c.out[emu.USB]), len(sent))
	}
}
