package c3

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/emu"
)

const spi2Base = 0x60024000

// newUnwatchedChip is newTestChip without an observer of the pins: outputs are
// computed when they are read.
func newUnwatchedChip(t testing.TB) *testChip {
	t.Helper()
	c := &testChip{t: t}
	var err error
	c.soc, c.board, err = newBoard(emu.Config{ROM: program(func(a *asm) { a.halt() }).rom()})
	if err != nil {
		t.Fatal(err)
	}
	c.boot()
	return c
}

// spiPins routes SPI2 through the GPIO matrix to pins, as drivers do: clock on
// 6, lines 0 to 3 on pins, CS0 on 10.
func (c *testChip) spiPins(pins ...uint32) {
	out := func(pin uint32, sig signal) {
		c.w(gpioBase+gpFuncOutSel0+4*pin, uint32(sig))
		c.w(gpioBase+gpEnable+4, 1<<pin)
		c.w(iomuxBase+ioPin0+4*pin, 1<<12|1<<9|2<<10)
	}
	for i, pin := range pins {
		out(pin, spiLaneIn[i])
		c.w(gpioBase+gpFuncInSel0+4*uint32(spiLaneIn[i]), pin|gpInSelMatrix)
	}
	out(6, sigFSPICLK)
	out(10, sigFSPICS0)
}

// spiPinsIn routes pins to the inputs of the slave.
func (c *testChip) spiPinsIn(clk, cs, mosi uint32) {
	for sig, pin := range map[signal]uint32{sigFSPICLK: clk, sigFSPICS0: cs, sigFSPID: mosi} {
		c.w(gpioBase+gpFuncInSel0+4*uint32(sig), pin|gpInSelMatrix)
	}
}

// spiMaster configures SPI2 as a master in full duplex, with a clock of 80 MHz
// divided by div.
func (c *testChip) spiMaster(div uint32) {
	c.w(spi2Base+sp2ClkGate, 7)
	c.w(spi2Base+sp2Slave, 0)
	c.w(spi2Base+sp2Misc, 0x3e)
	c.w(spi2Base+sp2Ctrl, 0)
	c.w(spi2Base+sp2Clock, (div-1)<<12|(div/2-1)<<6|(div-1))
	c.w(spi2Base+sp2User, sp2UserDuplex|sp2UserMosi|sp2UserMiso)
}

// spiTransfer starts a transfer of n bits and lets it end.
func (c *testChip) spiTransfer(n uint32) {
	c.t.Helper()
	c.w(spi2Base+sp2Dlen, n-1)
	c.w(spi2Base+sp2IntClr, sp2IntAll)
	c.w(spi2Base+sp2Cmd, sp2CmdUpdate)
	c.w(spi2Base+sp2Cmd, sp2CmdUser)
	c.want(spi2Base+sp2Cmd, sp2CmdUser)
	for range 1000 {
		if c.r(spi2Base+sp2Cmd)&sp2CmdUser == 0 {
			c.want(spi2Base+sp2IntRaw, sp2TransDone)
			return
		}
		c.run(10 * emu.Microsecond)
	}
	c.t.Fatal("the transfer does not end")
}

// A wire from the output to the input returns what is sent, in each mode and bit
// order, with data of any number of bits; without it the input is constant.
func TestSPI2Loopback(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		c := newUnwatchedChip(t)
		c.spiPins(7, 2)
		joined := i%5 != 0
		if joined {
			c.board.Join(7, 2)
			c.run(1)
		} else {
			c.board.SetPin(2, emu.High)
			c.run(1)
		}
		c.spiMaster(2 + 2*rng.Uint32N(8))
		c.w(spi2Base+sp2Misc, uint32(i&1)<<29)
		c.w(spi2Base+sp2User, sp2UserDuplex|sp2UserMosi|sp2UserMiso|uint32(i>>1&1)<<9|sp2UserCSSetup)
		order := uint32(i >> 2 & 1)
		c.w(spi2Base+sp2Ctrl, order*(sp2CtrlRdLSB|sp2CtrlWrLSB))
		n := 8 * (1 + rng.Uint32N(64))
		var sent [sp2Words]uint32
		for w := range sent {
			sent[w] = rng.Uint32()
			c.w(spi2Base+sp2W0+4*uint32(w), sent[w])
		}
		c.spiTransfer(n)
		for b := range n / 8 {
			want := sent[b/4] >> (b % 4 * 8) & 0xff
			if !joined {
				want = 0xff
			}
			if got := c.r(spi2Base+sp2W0+b&^3) >> (b % 4 * 8) & 0xff; got != want {
				t.Fatalf("case %d: byte %d of %d is 0x%02x, want 0x%02x", i, b, n/8, got, want)
			}
		}
	}
}

// Whether the user looks at the pins changes neither data nor the trace, and a
// waveform has the edges that the mode prescribes.
func TestSPI2Waveform(t *testing.T) {
	for mode := range uint32(4) {
		var edges []emu.PinChange
		send := func(watch bool) uint64 {
			c := newTestChip(t, emu.Config{})
			if !watch {
				c = newUnwatchedChip(t)
			}
			c.w(0x600c0000+sysSysclkConf, 1<<10|40<<12)
			c.w(0x600c0000+sysCPUPerConf, 0xd) // 160 MHz
			c.run(1)
			c.spiPins(7, 2)
			c.spiMaster(8) // 100 ns
			idle, out := mode>>1, (mode>>1)^(mode&1)
			c.w(spi2Base+sp2Misc, idle<<29)
			c.w(spi2Base+sp2User, sp2UserDuplex|sp2UserMosi|out<<9)
			c.w(spi2Base+sp2W0, 0xa5)
			c.pins = nil
			c.spiTransfer(8)
			edges = c.pins
			return c.board.Trace()
		}
		if send(true) != send(false) {
			t.Errorf("mode %d: the trace depends on watching", mode)
		}
		send(true)
		// Decode the waveform as an independent receiver does.
		var clk, mosi, cs bool
		clk, cs = mode>>1 == 1, true
		var got, rises uint32
		var first, last emu.Time
		for _, e := range edges {
			high := e.Level == emu.High
			switch e.Pin {
			case 7:
				mosi = high
			case 10:
				cs = high
			case 6:
				if high == clk {
					continue
				}
				clk = high
				sampleHigh := mode == 0 || mode == 3
				if high == sampleHigh && !cs {
					got = got << 1
					if mosi {
						got |= 1
					}
					if rises == 0 {
						first = e.At
					}
					last = e.At
					rises++
				}
			}
		}
		if got != 0xa5 || rises != 8 || !cs {
			t.Errorf("mode %d: received 0x%x with %d clocks, CS %v", mode, got, rises, cs)
		}
		if d := last.Sub(first); d != 7*16 {
			t.Errorf("mode %d: 7 clock cycles take %d ticks, want 112", mode, d)
		}
	}
}

// Command, address, dummy cycles and data of a read from a memory, on one, two
// and four lines: decoded by a receiver at the clock's rising edges.
func TestSPI2HalfDuplexPhases(t *testing.T) {
	for _, lines := range []uint{1, 2, 4} {
		var groups []uint32
		c := newUnwatchedChip(t)
		c.w(0x600c0000+sysSysclkConf, 1<<10|40<<12)
		c.w(0x600c0000+sysCPUPerConf, 0xd) // 160 MHz
		c.run(1)
		level := uint32(0)
		pins := []uint32{7, 2, 5, 4}
		c.spiPins(pins...)
		c.spiMaster(8)
		dual, quad := uint32(0), uint32(0)
		switch lines {
		case 2:
			dual = 1
		case 4:
			quad = 1
		}
		c.w(spi2Base+sp2Ctrl, dual<<5|quad<<6|dual<<8|quad<<9|dual<<14|quad<<15)
		c.w(spi2Base+sp2User, sp2UserCommand|sp2UserAddr|sp2UserDummy|sp2UserMosi|dual<<12|quad<<13)
		c.w(spi2Base+sp2User2, 7<<28|0x9b)
		c.w(spi2Base+sp2Addr, 0x12345600)
		c.w(spi2Base+sp2User1, 23<<27|3)
		c.w(spi2Base+sp2W0, 0xc0de)
		// Sample at each rising edge of the clock.
		high := false
		c.w(spi2Base+sp2Dlen, 15)
		c.w(spi2Base+sp2Cmd, sp2CmdUser)
		for range 3000 {
			c.run(1)
			if now := c.gpio.output(sigFSPICLK); now != high {
				if high = now; high {
					level = 0
					for i := range lines {
						if c.gpio.output(spiLaneIn[i]) {
							level |= 1 << i
						}
					}
					groups = append(groups, level)
				}
			}
		}
		per := 1
		if lines > 1 {
			per = int(lines)
		}
		var got []byte
		bits, n := uint32(0), 0
		for i, g := range groups {
			if i >= (8+24)/per && i < (8+24)/per+4 {
				continue // dummy cycles
			}
			bits, n = bits<<per|g, n+per
			if n == 8 {
				got, bits, n = append(got, byte(bits)), 0, 0
			}
		}
		want := []byte{0x9b, 0x12, 0x34, 0x56, 0xde, 0xc0}
		if !bytes.Equal(got, want) {
			t.Errorf("%d lines: % x, want % x", lines, got, want)
		}
	}
}

// DMA: the buffers of any lists are exchanged over a wire, and the lists end as
// the manual says.
func TestSPI2DMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		c := newTestChip(t, emu.Config{})
		c.spiPins(7, 2)
		c.board.Join(7, 2)
		c.run(1)
		c.spiMaster(2)
		const txDesc, rxDesc, tx, rx = dmaTop, dmaTop + 0x100, dmaTop + 0x1000, dmaTop + 0x3000
		n := 1 + rng.IntN(600)
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		c.pokeBytes(tx, data)
		k := rng.IntN(n)
		c.list(txDesc, tx, true, k, n-k)
		c.list(rxDesc, rx, false, n-k, k+8)
		c.startIn(1, rxDesc)
		c.startOut(1, txDesc)
		c.w(gdmaReg(1, false, gdPeriSel), uint32(dmaSPI2))
		c.w(gdmaReg(1, true, gdPeriSel), uint32(dmaSPI2))
		c.w(spi2Base+sp2DMAConf, sp2DMARx|sp2DMATx)
		c.spiTransfer(uint32(n) * 8)
		if got := c.peek(rx, n); !bytes.Equal(got, data) {
			t.Fatalf("%d bytes differ", n)
		}
		if raw := c.r(gdmaBase + gdIntSize); raw&(gdIntInSucEOF|gdIntOutEOF) != gdIntInSucEOF|gdIntOutEOF {
			t.Errorf("interrupts of the channel: 0x%x", raw)
		}
	}
}

// A shorter length and UPDATE end a transfer with the current byte.
func TestSPI2Abort(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.spiMaster(64) // 0.8 us for each bit
	c.w(spi2Base+sp2Dlen, 511)
	c.w(spi2Base+sp2Cmd, sp2CmdUser)
	c.run(20 * emu.Microsecond) // in the fourth byte
	c.w(spi2Base+sp2Dlen, 1)
	c.w(spi2Base+sp2Cmd, sp2CmdUpdate)
	c.want(spi2Base+sp2Cmd, sp2CmdUser)
	c.run(7 * emu.Microsecond)
	c.want(spi2Base+sp2Cmd, 0)
	c.want(spi2Base+sp2IntRaw, sp2TransDone)
}

// DMA without data ends the transfer with an error, as MST_REMPTY_ERR_END_EN says.
func TestSPI2WithoutData(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.spiMaster(8)
	c.w(spi2Base+sp2DMAConf, sp2DMATx)
	c.w(spi2Base+sp2User2, sp2EndOnEmpty)
	c.w(spi2Base+sp2Dlen, 127)
	c.w(spi2Base+sp2Cmd, sp2CmdUser)
	c.run(1)
	c.want(spi2Base+sp2Cmd, 0)
	c.want(spi2Base+sp2IntRaw, sp2TransDone|sp2OutFIFOEmpty|sp2TxEmpty)
}

// A segmented transfer configures itself from DMA and ends where the
// configuration says so; a wrong magic value ends it with an error.
func TestSPI2Segments(t *testing.T) {
	for _, magic := range []uint32{0xa, 0xb} {
		c := newTestChip(t, emu.Config{})
		c.spiMaster(8)
		const desc, buf = dmaTop, dmaTop + 0x100
		user := uint32(sp2UserDuplex | sp2UserMosi)
		c.poke(buf, magic<<28|1<<3|1<<6, user|sp2UserConfNext, 31, 0x11223344, // USER, MS_DLEN, 4 bytes
			magic<<28|1<<3|1<<6, user, 15, 0x5566)
		c.list(desc, buf, true, 30)
		c.w(gdmaReg(0, true, gdPeriSel), uint32(dmaSPI2))
		c.startOut(0, desc)
		c.w(spi2Base+sp2DMAConf, sp2DMATx)
		c.w(spi2Base+sp2Slave, 0xa<<22|sp2SlaveConf)
		c.w(spi2Base+sp2Cmd, sp2CmdUser)
		c.run(100 * emu.Microsecond)
		c.want(spi2Base+sp2Cmd, 0)
		want := uint32(sp2SegDone)
		if magic != 0xa {
			want |= sp2SegMagic
		} else {
			c.want(spi2Base+sp2Dlen, 15)
		}
		c.want(spi2Base+sp2IntRaw, want)
	}
}

// A master made of GPIO outputs exchanges bytes with the slave in each mode, with
// the registers and with DMA.
func TestSPI2Slave(t *testing.T) {
	for mode := range uint32(4) {
		for _, dma := range []bool{false, true} {
			c := newTestChip(t, emu.Config{})
			const clk, cs, mosi, miso = 6, 10, 7, 2
			for _, pin := range []uint32{clk, cs, mosi} {
				c.w(iomuxBase+ioPin0+4*pin, 1<<12|1<<9|2<<10)
				c.w(gpioBase+gpEnable+4, 1<<pin)
			}
			set := func(pin uint32, high bool) {
				if high {
					c.w(gpioBase+gpOut+4, 1<<pin)
				} else {
					c.w(gpioBase+gpOut+8, 1<<pin)
				}
			}
			idle, phase := mode>>1 == 1, mode&1 == 1
			set(cs, true)
			set(clk, idle)
			c.spiPinsIn(clk, cs, mosi)
			c.w(gpioBase+gpFuncOutSel0+4*miso, uint32(sigFSPIQ))
			c.w(gpioBase+gpEnable+4, 1<<miso)
			c.w(iomuxBase+ioPin0+4*miso, 1<<12|1<<9|2<<10)
			edge := uint32(0)
			if mode == 1 || mode == 2 {
				edge = sp2UserTSck | sp2UserRSck
			}
			c.w(spi2Base+sp2Misc, 0)
			c.w(spi2Base+sp2Slave, sp2SlaveMode|(mode&1)<<2)
			c.w(spi2Base+sp2User, sp2UserDuplex|sp2UserMosi|sp2UserMiso|edge)
			toSlave, toMaster := []byte{0x12, 0x9f, 0x80}, []byte{0xc3, 0x01, 0x7e}
			const rx, tx, rxDesc, txDesc = dmaTop, dmaTop + 0x100, dmaTop + 0x200, dmaTop + 0x300
			if dma {
				c.pokeBytes(tx, toMaster)
				c.list(txDesc, tx, true, 3)
				c.list(rxDesc, rx, false, 3)
				c.w(gdmaReg(0, false, gdPeriSel), uint32(dmaSPI2))
				c.w(gdmaReg(0, true, gdPeriSel), uint32(dmaSPI2))
				c.startIn(0, rxDesc)
				c.startOut(0, txDesc)
				c.w(spi2Base+sp2DMAConf, sp2DMARx|sp2DMATx)
			} else {
				c.w(spi2Base+sp2W0, 0x7e01c3)
			}
			c.w(spi2Base+sp2Cmd, sp2CmdUser)
			set(cs, false)
			var got []byte
			for _, b := range toSlave {
				var in byte
				for i := range 8 {
					bit := b<<i&0x80 != 0
					sample := func() {
						in <<= 1
						if c.r(gpioBase+gpIn)>>miso&1 != 0 {
							in |= 1
						}
					}
					if !phase {
						set(mosi, bit)
						sample()
						set(clk, !idle)
						set(clk, idle)
					} else {
						set(clk, !idle)
						set(mosi, bit)
						sample()
						set(clk, idle)
					}
				}
				got = append(got, in)
			}
			set(cs, true)
			if !bytes.Equal(got, toMaster) {
				t.Errorf("mode %d, DMA %v: the master received % x, want % x", mode, dma, got, toMaster)
			}
			slave := c.peek(rx, 3)
			if !dma {
				slave = c.spi2.bytes(sp2W0, 4)[:3]
			}
			if !bytes.Equal(slave, toSlave) {
				t.Errorf("mode %d, DMA %v: the slave received % x, want % x", mode, dma, slave, toSlave)
			}
			c.want(spi2Base+sp2IntRaw, sp2TransDone)
			c.want(spi2Base+sp2Slave1, 23)
			if dma && c.r(gdmaBase)&gdIntInSucEOF == 0 {
				t.Error("no EOF")
			}
		}
	}
}

// A segment that is announced and does not come ends the transfer.
func TestSPI2SegmentMissing(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.spiMaster(8)
	c.w(spi2Base+sp2User, sp2UserConfNext)
	c.w(spi2Base+sp2Slave, sp2SlaveConf)
	c.w(spi2Base+sp2Cmd, sp2CmdUser)
	c.want(spi2Base+sp2Cmd, 0)
	c.want(spi2Base+sp2IntRaw, sp2SegDone|sp2OutFIFOEmpty|sp2TxEmpty)
}
