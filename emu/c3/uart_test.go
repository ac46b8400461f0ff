package c3

import (
	"bytes"
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
)

const uart1 = 0x60010000

// line is UART0's transmitter, by GPIO3 and a wire, at UART1's receiver on GPIO2:
// 1 Mbaud from the crystal, 160 ticks a bit.
func uartLine(t *testing.T) *testChip {
	c := newTestChip(t, emu.Config{})
	for _, base := range []uint32{uart0, uart1} {
		c.w(base+uartClkConf, 0x3700000)
		c.w(base+uartClkDiv, 40)
		c.w(base+uartIdleConf, 0x100)
	}
	c.board.Join(2, 3)
	c.pad(3, 0)
	c.w(gpioBase+gpFuncOutSel0+4*3, uint32(sigU0TXD))
	c.pad(2, ioIE|ioWPU)
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigU1RXD), gpInSelMatrix|2)
	c.run(emu.Microsecond)
	c.w(uart1+uartIntClr, uartIntMask)
	return c
}

func (c *testChip) received(base uint32) (p []byte) {
	for c.r(base+uartStatus)&0x3ff != 0 {
		p = append(p, byte(c.r(base)))
	}
	return p
}

func (c *testChip) sendByte(base uint32, p ...byte) {
	for _, b := range p {
		c.w(base, uint32(b))
	}
}

func TestUARTFrameOnPin(t *testing.T) {
	c := uartLine(t)
	c.pins = nil
	from := c.m.Now()
	c.sendByte(uart0, 0x55, 0x00)
	c.run(25 * emu.Microsecond)
	levels, ticks := c.train(3, from)
	if n := len(levels); n != 10+2 {
		t.Fatalf("%d edges: %v", n, levels)
	}
	for i, d := range ticks[:9] {
		if d != 160 {
			t.Errorf("bit %d has %d ticks", i, d)
		}
	}
	if ticks[10] != 9*160 {
		t.Errorf("the zero byte is low for %d ticks", ticks[10])
	}
	if got := c.received(uart1); !bytes.Equal(got, []byte{0x55, 0}) {
		t.Errorf("received %x", got)
	}
	if got := c.out[emu.UART0]; !bytes.Equal(got, []byte{0x55, 0}) {
		t.Errorf("the host received %x", got)
	}
}

func TestUARTFormats(t *testing.T) {
	for _, k := range []struct {
		name   string
		tx, rx uint32 // CONF0, without bits that are not of the format
		want   uint32 // INT_RAW: errors
	}{
		{"8N1", 3<<2 | 1<<4, 3<<2 | 1<<4, 0},
		{"8E1", 3<<2 | 1<<4 | uartConf0ParityEn, 3<<2 | 1<<4 | uartConf0ParityEn, 0},
		{"7O2", 2<<2 | 3<<4 | uartConf0ParityEn | uartConf0ParityOdd, 2<<2 | 3<<4 | uartConf0ParityEn | uartConf0ParityOdd, 0},
		{"5N1.5", 2 << 4, 2 << 4, 0},
		{"odd to even", 3<<2 | 1<<4 | uartConf0ParityEn | uartConf0ParityOdd, 3<<2 | 1<<4 | uartConf0ParityEn, uartIntParityErr},
		{"both inverted", 3<<2 | 1<<4 | uartConf0TxdInv, 3<<2 | 1<<4 | uartConf0RxdInv, 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := uartLine(t)
			c.w(uart0+uartConf0, k.tx)
			c.w(uart1+uartConf0, k.rx)
			c.run(20 * emu.Microsecond)
			c.w(uart1+uartConf0, k.rx|uartConf0RxRst)
			c.w(uart1+uartConf0, k.rx)
			c.w(uart1+uartIntClr, uartIntMask)
			c.sendByte(uart0, 0x15, 0x0a)
			c.run(40 * emu.Microsecond)
			if got := c.received(uart1); !bytes.Equal(got, []byte{0x15, 0x0a}) {
				t.Errorf("received %x", got)
			}
			const errors = uartIntParityErr | uartIntFrameErr | uartIntBreak | uartIntGlitch
			if raw := c.r(uart1+uartIntRaw) & errors; raw != k.want {
				t.Errorf("errors 0x%x, want 0x%x", raw, k.want)
			}
		})
	}
}

// A receiver at another speed reads something else, and says so.
func TestUARTSpeedMismatch(t *testing.T) {
	c := uartLine(t)
	c.w(uart0+uartClkDiv, 80)
	c.sendByte(uart0, 0x41, 0x42)
	c.run(100 * emu.Microsecond)
	if got := c.received(uart1); bytes.Equal(got, []byte{0x41, 0x42}) {
		t.Errorf("received %q at twice the speed", got)
	}
	if raw := c.r(uart1 + uartIntRaw); raw&(uartIntFrameErr|uartIntBreak) == 0 {
		t.Errorf("INT_RAW 0x%x", raw)
	}
}

func TestUARTBreak(t *testing.T) {
	c := uartLine(t)
	c.w(uart0+uartTxBrkConf, 20)
	c.sendByte(uart0, 'a')
	c.w(uart0+uartConf0, 0x1c|uartConf0TxdBrk)
	c.run(60 * emu.Microsecond)
	if raw := c.r(uart0 + uartIntRaw); raw&(uartIntTxBrkDone|uartIntTxDone) != uartIntTxBrkDone|uartIntTxDone {
		t.Errorf("the sender has INT_RAW 0x%x", raw)
	}
	raw := c.r(uart1 + uartIntRaw)
	if raw&uartIntBreak == 0 || raw&uartIntFrameErr != 0 {
		t.Errorf("the receiver has INT_RAW 0x%x", raw)
	}
	if got := c.received(uart1); !bytes.Equal(got, []byte{'a', 0}) {
		t.Errorf("received %x", got)
	}
	c.w(uart0+uartConf0, 0x1c)
	c.w(uart1+uartIntClr, uartIntMask)
	c.sendByte(uart0, 'b')
	c.run(20 * emu.Microsecond)
	if got := c.received(uart1); !bytes.Equal(got, []byte("b")) {
		t.Errorf("received %x after the break", got)
	}
}

// A full FIFO: firmware waits, or the receiver loses bytes.
func TestUARTFull(t *testing.T) {
	c := uartLine(t)
	c.sendByte(uart0, bytes.Repeat([]byte{7}, 200)...)
	if n := c.r(uart0+uartStatus) >> 16 & 0x3ff; n != uartBlock {
		t.Errorf("the transmit FIFO holds %d", n)
	}
	c.run(640 * emu.Microsecond) // half of it
	if n := c.r(uart0+uartStatus) >> 16 & 0x3ff; n < 60 || n > 66 {
		t.Errorf("%d bytes after 64 frames", n)
	}
	if c.r(uart0+uartFSMStatus)>>4 == 0 {
		t.Error("the transmitter says that it is idle")
	}
	for n := 0; n < 3; n++ {
		c.sendByte(uart0, bytes.Repeat([]byte{8}, 60)...)
		c.run(700 * emu.Microsecond)
	}
	if raw := c.r(uart1 + uartIntRaw); raw&(uartIntRxFIFOOvf|uartIntRxFIFOFull) != uartIntRxFIFOOvf|uartIntRxFIFOFull {
		t.Errorf("INT_RAW 0x%x", raw)
	}
	if n := len(c.received(uart1)); n != uartBlock {
		t.Errorf("received %d", n)
	}
	// A reset clears what has not been sent.
	c.out[emu.UART0] = nil
	c.sendByte(uart0, bytes.Repeat([]byte{9}, 100)...)
	c.requestReset(causeSWSystem)
	c.run(20 * emu.Millisecond)
	if n := len(c.out[emu.UART0]); n > 1 {
		t.Errorf("%d bytes after a reset", n)
	}
}

func TestUARTFlowControl(t *testing.T) {
	c := uartLine(t)
	// UART1's RTS on GPIO8 is UART0's CTS.
	c.pad(8, ioIE)
	c.w(gpioBase+gpFuncOutSel0+4*8, uint32(sigU1RTS))
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigU0CTS), gpInSelMatrix|8)
	c.w(uart1+uartMemConf, 0xa0012|5<<7)
	c.w(uart1+uartConf1, 0xc060|uartConf1RxFlowEn)
	c.w(uart0+uartConf0, 0x1000001c|uartConf0TxFlowEn)
	c.sendByte(uart0, []byte("0123456789")...)
	c.run(200 * emu.Microsecond)
	if n := c.r(uart1+uartStatus) & 0x3ff; n < 5 || n > 6 {
		t.Errorf("%d bytes although RTS says stop at 5", n)
	}
	if c.board.Pin(8) != emu.High || c.r(uart0+uartStatus)>>14&1 != 1 {
		t.Error("RTS or CTS is low")
	}
	got := c.received(uart1)
	c.run(200 * emu.Microsecond)
	if got = append(got, c.received(uart1)...); string(got) != "0123456789" {
		t.Errorf("received %q", got)
	}

	c = uartLine(t) // XON and XOFF
	c.w(uart0+uartFlowConf, uartFlowSWEn|uartFlowDelete)
	c.board.Send(emu.UART0, []byte{0x13})
	c.run(15 * emu.Microsecond)
	c.sendByte(uart0, 'x')
	c.run(50 * emu.Microsecond)
	if len(c.out[emu.UART0]) != 0 {
		t.Error("sent after XOFF")
	}
	c.board.Send(emu.UART0, []byte{0x11})
	c.run(50 * emu.Microsecond)
	if string(c.out[emu.UART0]) != "x" || c.r(uart0+uartStatus)&0x3ff != 0 {
		t.Errorf("sent %q after XON, %d received", c.out[emu.UART0], c.r(uart0+uartStatus)&0x3ff)
	}
}

func TestUARTTimeoutAndATCommand(t *testing.T) {
	c := uartLine(t)
	c.w(uart1+uartConf1, 0xc060|uartConf1RxToutEn)
	c.w(uart1+uartATPreCnt, 20)
	c.w(uart1+uartATPostCnt, 30)
	c.w(uart1+uartATGap, 15)
	c.w(uart1+uartATCmdChar, 3<<8|'+')
	c.sendByte(uart0, []byte("ab")...)
	c.run(29 * emu.Microsecond)
	if c.r(uart1+uartIntRaw)&uartIntRxTimeout != 0 {
		t.Error("timeout before 10 bits of silence")
	}
	c.run(10 * emu.Microsecond)
	if c.r(uart1+uartIntRaw)&uartIntRxTimeout == 0 {
		t.Error("no timeout after 10 bits of silence")
	}
	at := func(text string, want bool) {
		t.Helper()
		c.run(100 * emu.Microsecond)
		c.w(uart1+uartIntClr, uartIntMask)
		c.sendByte(uart0, []byte(text)...)
		c.run(chip.Duration(len(text))*10*emu.Microsecond + 20*emu.Microsecond)
		if c.r(uart1+uartIntRaw)&uartIntATCmd != 0 {
			t.Errorf("%q: detected before the silence", text)
		}
		c.run(20 * emu.Microsecond)
		if got := c.r(uart1+uartIntRaw)&uartIntATCmd != 0; got != want {
			t.Errorf("%q: detected %v", text, got)
		}
	}
	at("+++", true)
	at("++a+", false)
	at("x+++", false)
}

func TestUARTAutobaudOnPin(t *testing.T) {
	c := uartLine(t)
	c.w(uart1+uartConf0, 0x1000001c|uartConf0Autobaud)
	c.sendByte(uart0, 'U', 'U')
	c.run(30 * emu.Microsecond)
	if n := c.r(uart1 + uartRxdCnt); n != 20 {
		t.Errorf("%d edges in two times 0x55", n)
	}
	for _, reg := range []uint32{uartLowPulse, uartHighPulse} {
		if w := c.r(uart1 + reg); w < 39 || w > 41 { // 40 MHz, 1 Mbaud
			t.Errorf("pulse of %d cycles", w)
		}
	}
	if w := c.r(uart1 + uartPosPulse); w < 79 || w > 81 {
		t.Errorf("%d cycles from edge to edge", w)
	}
}

func TestUARTGlitchAndWakeup(t *testing.T) {
	c := uartLine(t)
	c.w(gpioBase+gpFuncOutSel0+4*3, gpOutSelGPIO|gpOEnSel)
	c.w(gpioBase+gpEnable, 1<<3)
	c.w(gpioBase+gpOut, 1<<3)
	c.run(20 * emu.Microsecond)
	c.w(uart1+uartIntClr, uartIntMask)
	c.w(gpioBase+gpOut, 0)
	c.run(50)
	c.w(gpioBase+gpOut, 1<<3)
	c.run(20 * emu.Microsecond)
	if raw := c.r(uart1 + uartIntRaw); raw&uartIntGlitch == 0 || c.r(uart1+uartStatus)&0x3ff != 0 {
		t.Errorf("INT_RAW 0x%x after a glitch", raw)
	}
	c.w(uart1+uartSleepConf, 2)
	c.w(rtcBase+rtcWakeupState, wakeUART0<<1<<15)
	c.w(rtcBase+rtcState0, 1<<31)
	for n := range 5 {
		if c.rtc.s.Sleep == awake {
			t.Fatalf("awake after %d edges", n)
		}
		c.board.SetPin(2, emu.Low)
		c.w(gpioBase+gpOut, 0)
		c.run(10 * emu.Microsecond)
		c.w(gpioBase+gpOut, 1<<3)
		c.board.SetPin(2, emu.High)
		c.run(10 * emu.Microsecond)
	}
	if c.rtc.s.Sleep != awake || c.r(rtcBase+rtcWakeupCause) != wakeUART0<<1 {
		t.Errorf("asleep: %v, cause 0x%x", c.rtc.s.Sleep, c.r(rtcBase+rtcWakeupCause))
	}
}

func TestUARTRS485(t *testing.T) {
	c := uartLine(t)
	c.pad(8, 0)
	c.w(gpioBase+gpFuncOutSel0+4*8, uint32(sigU0DTR))
	c.w(uart0+uartRS485Conf, uartRS485En)
	if c.board.Pin(8) != emu.Low {
		t.Error("the driver is enabled at rest")
	}
	c.pins = nil
	c.sendByte(uart0, 'a')
	if c.board.Pin(8) != emu.High {
		t.Error("the driver is not enabled while sending")
	}
	c.run(20 * emu.Microsecond)
	levels, _ := c.train(8, 0)
	if want := []emu.Level{emu.High, emu.Low}; !slices.Equal(levels, want) {
		t.Errorf("driver enable %v", levels)
	}
}
