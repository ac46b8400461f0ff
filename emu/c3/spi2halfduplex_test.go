package c3

import (
	"bytes"
	"fmt"
	"testing"

	"espalier.dev/espalier/emu"
)

// halfMaster is an SPI master outside of the chip that sends commands: clock on pin
// 6, chip select on 10, lines 0 to 3 on 7, 2, 5 and 4.
type halfMaster struct {
	*testChip
	mode  uint32
	lines []int
	qpi   bool
}

func newHalfMaster(t testing.TB, mode uint32) *halfMaster {
	c := newTestChip(t, emu.Config{})
	m := &halfMaster{c, mode, []int{7, 2, 5, 4}, false}
	for i, pin := range m.lines {
		c.w(gpioBase+gpFuncOutSel0+4*uint32(pin), uint32(spiLaneIn[i]))
		c.w(gpioBase+gpFuncInSel0+4*uint32(spiLaneIn[i]), uint32(pin)|gpInSelMatrix)
		c.w(iomuxBase+ioPin0+4*uint32(pin), 1<<12|1<<9|2<<10)
	}
	for _, pin := range []uint32{6, 10} {
		c.w(iomuxBase+ioPin0+4*pin, 1<<12|1<<9|2<<10)
	}
	m.set(6, mode >= 2)
	m.set(10, true)
	c.spiPinsIn(6, 10, 7)
	edge := uint32(0)
	if mode == 1 || mode == 2 {
		edge = sp2UserTSck | sp2UserRSck
	}
	c.w(spi2Base+sp2Misc, 0)
	c.w(spi2Base+sp2Ctrl, 0)
	c.w(spi2Base+sp2User, edge)
	c.w(spi2Base+sp2Slave, sp2SlaveMode|(mode&1)<<2|0xf<<8)
	return m
}

func (m *halfMaster) set(pin int, high bool) {
	l := emu.Low
	if high {
		l = emu.High
	}
	m.board.SetPin(pin, l)
	m.run(emu.Microsecond)
}

// clock makes a clock cycle: out are the levels of n lines, or with n 0 nothing is
// driven. It returns the levels at the sampling edge.
func (m *halfMaster) clock(out byte, n int) (in byte) {
	idle, phase := m.mode >= 2, m.mode&1 == 1
	edge := func() {
		for i, pin := range m.lines {
			if i < n {
				m.set(pin, out>>i&1 != 0)
			} else {
				m.board.SetPin(pin, emu.Floating)
			}
		}
		m.run(emu.Microsecond)
	}
	sample := func() {
		for i, pin := range m.lines {
			if m.board.Pin(pin) == emu.High {
				in |= 1 << i
			}
		}
	}
	if phase {
		m.set(6, !idle)
		edge()
		sample()
		m.set(6, idle)
		return in
	}
	edge()
	sample()
	m.set(6, !idle)
	m.set(6, idle)
	return in
}

func (m *halfMaster) send(b byte, n int) {
	for at := 8 - n; at >= 0; at -= n {
		m.clock(b>>at&(1<<n-1), n)
	}
}

func (m *halfMaster) receive(n int) (b byte) {
	for range 8 / n {
		in := m.clock(0, 0)
		if n == 1 {
			in >>= 1
		}
		b = b<<n | in&(1<<n-1)
	}
	return b
}

// transfer sends a command with write, or reads n bytes.
func (m *halfMaster) transfer(command, address byte, write []byte, n int) (read []byte) {
	cmd, addr, data := 1, 1, 1
	switch command >> 4 {
	case 1:
		data = 2
	case 5:
		addr, data = 2, 2
	case 2:
		data = 4
	case 0xa:
		addr, data = 4, 4
	}
	if m.qpi {
		cmd, addr, data = 4, 4, 4
	}
	m.w(spi2Base+sp2IntClr, sp2IntAll)
	m.set(10, false)
	m.send(command, cmd)
	if op := command & 0xf; op >= 1 && op <= 4 {
		m.send(address, addr)
		for range map[bool]int{true: 8, false: 4}[data == 1] {
			m.clock(0, 0)
		}
		for _, b := range write {
			m.send(b, data)
		}
		for range n {
			read = append(read, m.receive(data))
		}
	}
	m.set(10, true)
	return read
}

// A master writes and reads the registers and DMA on one, two and four lines.
func TestSPI2HalfDuplex(t *testing.T) {
	const rx, tx, rxDesc, txDesc = dmaTop, dmaTop + 0x100, dmaTop + 0x200, dmaTop + 0x300
	for mode := range uint32(4) {
		for _, lines := range []byte{0x00, 0x10, 0x50, 0x20, 0xa0} {
			t.Run(fmt.Sprintf("mode %d, %02x", mode, lines), func(t *testing.T) {
				m := newHalfMaster(t, mode)
				c := m.testChip
				c.t = t
				data := []byte{0x9e, 0x01, 0x7c, 0xf3, 0x25}
				m.transfer(hdWriteBuffer|lines, 6, data, 0)
				if got := c.spi2.bytes(sp2W0, 12)[6:11]; !bytes.Equal(got, data) {
					t.Errorf("W1 and W2 have % x", got)
				}
				c.want(spi2Base+sp2IntRaw, sp2WriteBuffer)
				c.want(spi2Base+sp2Slave1, 40|uint32(hdWriteBuffer|lines)<<18|6<<26)
				if got := m.transfer(hdReadBuffer|lines, 7, nil, 3); !bytes.Equal(got, data[1:4]) {
					t.Errorf("read % x of the buffer", got)
				}
				c.want(spi2Base+sp2IntRaw, sp2ReadBuffer)
				c.want(spi2Base+sp2Slave1, 24|uint32(hdReadBuffer|lines)<<18|7<<26)

				toMaster := []byte{0xc3, 0x18, 0xff, 0x02, 0x55, 0xaa}
				c.pokeBytes(tx, toMaster)
				c.list(txDesc, tx, true, 6)
				c.list(rxDesc, rx, false, 16)
				c.w(gdmaReg(0, false, gdPeriSel), uint32(dmaSPI2))
				c.w(gdmaReg(0, true, gdPeriSel), uint32(dmaSPI2))
				c.startIn(0, rxDesc)
				c.startOut(0, txDesc)
				c.w(spi2Base+sp2DMAConf, sp2DMARx|sp2DMATx|sp2Segments)
				// Two segments each way; none of the bytes between them is lost.
				got := append(m.transfer(hdReadDMA|lines, 0, nil, 2), m.transfer(hdReadDMA|lines, 0, nil, 4)...)
				if !bytes.Equal(got, toMaster) {
					t.Errorf("read % x by DMA", got)
				}
				c.want(spi2Base+sp2IntRaw, sp2ReadDMA)
				m.transfer(hdWriteDMA|lines, 0, data[:2], 0)
				m.transfer(hdWriteDMA|lines, 0, data[2:], 0)
				c.want(spi2Base+sp2IntRaw, sp2WriteDMA)
				if c.r(gdmaBase)&gdIntInSucEOF != 0 {
					t.Error("EOF before the end of the segments")
				}
				m.transfer(hdSegmentsEnd, 0, nil, 0)
				c.want(spi2Base+sp2IntRaw, sp2SegDone)
				if c.r(gdmaBase)&gdIntInSucEOF == 0 {
					t.Error("no EOF")
				}
				if got := c.peek(rx, 5); !bytes.Equal(got, data) {
					t.Errorf("DMA has written % x", got)
				}
				if got := m.transfer(hdReadDMA|lines, 0, nil, 1); !bytes.Equal(got, []byte{0}) {
					t.Errorf("read % x, which DMA did not have", got)
				}
				c.want(spi2Base+sp2IntRaw, sp2ReadDMA|sp2OutFIFOEmpty)
			})
		}
	}
}

// Commands without data, four lines for everything, and what a slave refuses.
func TestSPI2HalfDuplexCommands(t *testing.T) {
	m := newHalfMaster(t, 0)
	for command, want := range map[byte]uint32{
		hdCommand7: sp2SlaveCmd7, 8: sp2SlaveCmd7 << 1, 9: sp2SlaveCmd7 << 2, hdCommandA: sp2SlaveCmd7 << 3,
		0x0f: sp2BadCommand, 0x00: sp2BadCommand, 0x31: sp2BadCommand,
	} {
		m.transfer(command, 0, nil, 0)
		if got := m.r(spi2Base + sp2IntRaw); got != want {
			t.Errorf("command 0x%02x: interrupts 0x%x, want 0x%x", command, got, want)
		}
	}
	m.transfer(hdEnterQPI, 0, nil, 0)
	m.want(spi2Base+sp2IntRaw, sp2SlaveQPI)
	m.qpi = true
	m.transfer(hdWriteBuffer|0xa0, 60, []byte{1, 2, 3, 4}, 0)
	m.want(spi2Base+sp2IntRaw, sp2WriteBuffer)
	m.want(spi2Base+sp2W0+60, 0x04030201)
	m.transfer(hdExitQPI, 0, nil, 0)
	m.want(spi2Base+sp2IntRaw, sp2SlaveExitQPI)
	m.qpi = false
	if got := m.transfer(hdReadBuffer, 60, nil, 4); !bytes.Equal(got, []byte{1, 2, 3, 4}) {
		t.Errorf("the end of the buffer: % x", got)
	}
	m.want(spi2Base+sp2IntRaw, sp2ReadBuffer)
	m.transfer(hdReadBuffer, 61, nil, 4)
	m.want(spi2Base+sp2IntRaw, sp2ReadBuffer|sp2BadAddress)
	m.transfer(hdWriteBuffer, 62, []byte{7, 8, 9}, 0)
	m.want(spi2Base+sp2IntRaw, sp2WriteBuffer|sp2BadAddress)
	m.want(spi2Base+sp2W0+60, 0x08070201)
	// Data in one DMA transfer ends with the chip select.
	m.list(dmaTop+0x200, dmaTop, false, 8)
	m.w(gdmaReg(0, false, gdPeriSel), uint32(dmaSPI2))
	m.startIn(0, dmaTop+0x200)
	m.w(spi2Base+sp2DMAConf, sp2DMARx)
	m.transfer(hdWriteDMA, 0, []byte{5, 6}, 0)
	m.want(spi2Base+sp2IntRaw, sp2WriteDMA|sp2TransDone)
	if m.r(gdmaBase)&gdIntInSucEOF == 0 || !bytes.Equal(m.peek(dmaTop, 2), []byte{5, 6}) {
		t.Error("no packet of two bytes")
	}
}
