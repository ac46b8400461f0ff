package c3

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/emu"
)

const (
	gdmaBase = 0x6003f000
	dmaTop   = sram1Data + 0x40000 // memory that the tests use
)

func (c *testChip) pokeBytes(addr uint32, b []byte) {
	c.t.Helper()
	if !c.m.CPU.Memory().Write(addr, b) {
		c.t.Fatalf("no memory at 0x%08x", addr)
	}
}

func (c *testChip) peekWord(addr uint32) uint32 { return le32(c.peek(addr, 4)) }

// list writes a chain of descriptors at addr for buffers of the given sizes at
// buf and returns the address after the last buffer. A transmit list has its
// lengths set and EOF in the last descriptor.
func (c *testChip) list(addr, buf uint32, transmit bool, sizes ...int) uint32 {
	for i, n := range sizes {
		w, next := uint32(dmaOwner)|uint32(n), addr+12
		if transmit {
			w |= uint32(n) << dmaLengthLow
		}
		if i == len(sizes)-1 {
			next = 0
			if transmit {
				w |= dmaSucEOF
			}
		}
		c.poke(addr, w, buf, next)
		addr, buf = addr+12, buf+uint32(n)
	}
	return buf
}

func gdmaReg(channel uint32, out bool, reg uint32) uint32 {
	a := gdmaBase + gdChannel0 + channel*gdChanSize + reg
	if out {
		a += gdOut
	}
	return a
}

// startIn and startOut start the two sides of a channel.
func (c *testChip) startIn(channel, desc uint32) {
	c.w(gdmaReg(channel, false, gdLink), desc&gdLinkMask|1<<22)
}

func (c *testChip) startOut(channel, desc uint32) {
	c.w(gdmaReg(channel, true, gdLink), desc&gdLinkMask|1<<21)
}

// Memory is copied whatever the lists on both sides look like: oracle is the
// concatenation of the buffers.
func TestGDMAMemoryToMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	split := func(total int) (sizes []int) {
		for total > 0 {
			n := min(total, 1+rng.IntN(700))
			sizes, total = append(sizes, n), total-n
		}
		return sizes
	}
	for range 30 {
		c := newTestChip(t, emu.Config{})
		total, channel := 1+rng.IntN(9000), uint32(rng.IntN(gdmaChans))
		data := make([]byte, total)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		const txDesc, rxDesc, tx, rx = dmaTop, dmaTop + 0x1000, dmaTop + 0x2000, dmaTop + 0x6000
		c.pokeBytes(tx, data)
		rxSizes := split(total + rng.IntN(2)*100)
		c.list(txDesc, tx, true, split(total)...)
		c.list(rxDesc, rx, false, rxSizes...)
		c.w(gdmaReg(channel, false, gdConf0), gdMemTrans)
		c.w(gdmaBase+channel*gdIntSize+gdIntEna, gdIntInSucEOF)
		c.startIn(channel, rxDesc)
		c.startOut(channel, txDesc)
		c.run(emu.Millisecond)
		if got := c.peek(rx, total); !bytes.Equal(got, data) {
			t.Fatalf("%d bytes in channel %d differ", total, channel)
		}
		want := uint32(gdIntInDone | gdIntInSucEOF | gdIntOutDone | gdIntOutEOF | gdIntOutTotal)
		c.want(gdmaBase+channel*gdIntSize, want)
		c.want(gdmaBase+channel*gdIntSize+gdIntSt, gdIntInSucEOF)
		if line := c.r(0x600c20fc) >> (44 + channel - 32) & 1; line != 1 {
			t.Error("the interrupt source is low")
		}
		// Every used receive descriptor says how much it holds.
		got := 0
		for i := range rxSizes {
			w := c.peekWord(rxDesc + 12*uint32(i))
			if got == total {
				if w&dmaOwner == 0 {
					t.Errorf("descriptor %d was not needed and is not the DMA's", i)
				}
				continue
			}
			n := int(w >> dmaLengthLow & dmaSizeMask)
			got += n
			if w&dmaOwner != 0 || (w&dmaSucEOF != 0) != (got == total) {
				t.Errorf("descriptor %d is 0x%08x after %d of %d bytes", i, w, got, total)
			}
			if got == total {
				c.want(gdmaReg(channel, false, gdEOFDesc), rxDesc+12*uint32(i))
			}
		}
		c.w(gdmaBase+channel*gdIntSize+gdIntClr, gdIntAll)
		c.want(gdmaBase+channel*gdIntSize, 0)
	}
}

// What is wrong with a list is an error interrupt and never a hang.
func TestGDMAErrors(t *testing.T) {
	const desc, buf = dmaTop, dmaTop + 0x1000
	for _, k := range []struct {
		name    string
		prepare func(c *testChip)
		raised  uint32
	}{
		{"owner is the CPU", func(c *testChip) {
			c.poke(desc, 4|4<<dmaLengthLow, buf, 0)
			c.w(gdmaReg(0, true, gdConf1), gdCheckOwn)
		}, gdIntOutDscr},
		{"owner is not checked", func(c *testChip) { c.poke(desc, 4|4<<dmaLengthLow, buf, 0) }, gdIntOutDone | gdIntOutTotal},
		{"buffer in flash", func(c *testChip) { c.poke(desc, dmaOwner|4|4<<dmaLengthLow, dromBase, 0) }, gdIntOutDscr},
		{"buffer over the end of SRAM", func(c *testChip) { c.poke(desc, dmaOwner|8|8<<dmaLengthLow, sram1Data+sram1Size-4, 0) }, gdIntOutDscr},
		{"buffer on the instruction bus", func(c *testChip) { c.poke(desc, dmaOwner|4|4<<dmaLengthLow, sram1Code, 0) }, gdIntOutDscr},
		{"next outside of SRAM", func(c *testChip) { c.poke(desc, dmaOwner|4|4<<dmaLengthLow, buf, 0x20000000) }, gdIntOutDone | gdIntOutDscr},
		{"loop of empty descriptors", func(c *testChip) { c.poke(desc, dmaOwner, buf, desc) }, gdIntOutDone | gdIntOutDscr},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTestChip(t, emu.Config{})
			k.prepare(c)
			c.w(gdmaReg(0, true, gdPeriSel), uint32(dmaSHA))
			c.startOut(0, desc)
			var p [100]byte
			if o := c.gdma.transmitter(dmaSHA); o != nil {
				o.pullAll(p[:])
			}
			c.want(gdmaBase, k.raised)
			if c.r(gdmaReg(0, true, gdLink))>>23&1 != 1 {
				t.Error("the side is not idle")
			}
		})
	}
}

// A full list keeps what had room, says so, and goes on with what software
// appends.
func TestGDMAReceiveListEnds(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const desc, buf = dmaTop, dmaTop + 0x1000
	c.list(desc, buf, false, 4)
	c.w(gdmaReg(1, false, gdPeriSel), uint32(dmaI2S0))
	c.startIn(1, desc)
	in := c.gdma.receiver(dmaI2S0)
	if n := in.push([]byte("abcdef"), false); n != 4 {
		t.Errorf("%d bytes had room", n)
	}
	c.want(gdmaBase+gdIntSize, gdIntInDone|gdIntInEmpty)
	if c.gdma.receiver(dmaI2S0) != nil {
		t.Error("a full list still receives")
	}
	c.list(desc+0x100, buf+0x100, false, 8)
	c.poke(desc+8, desc+0x100)
	c.w(gdmaReg(1, false, gdLink), desc&gdLinkMask|1<<23)
	if in = c.gdma.receiver(dmaI2S0); in == nil {
		t.Fatal("a restarted list does not receive")
	}
	in.push([]byte("ghi"), true)
	if got := string(c.peek(buf, 4)) + string(c.peek(buf+0x100, 3)); got != "abcdghi" {
		t.Errorf("received %q", got)
	}
	if w := c.peekWord(desc + 0x100); w != 8|3<<dmaLengthLow|dmaSucEOF {
		t.Errorf("descriptor 0x%08x", w)
	}
	c.want(gdmaReg(1, false, gdDescBF0), desc)
}

// A packet whose end is known only after its last byte has filled a buffer.
func TestGDMAEndAfterFullBuffer(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const desc, buf = dmaTop, dmaTop + 0x1000
	c.list(desc, buf, false, 2, 2)
	c.w(gdmaReg(0, false, gdPeriSel), uint32(dmaUHCI0))
	c.startIn(0, desc)
	in := c.gdma.receiver(dmaUHCI0)
	in.push([]byte("ab"), false)
	in.push(nil, true)
	if w := c.peekWord(desc); w != 2|2<<dmaLengthLow|dmaSucEOF {
		t.Errorf("descriptor 0x%08x", w)
	}
	c.want(gdmaBase, gdIntInDone|gdIntInSucEOF)
	in.pushError([]byte("c"))
	if w := c.peekWord(desc + 12); w != 2|1<<dmaLengthLow|dmaSucEOF|dmaErrEOF {
		t.Errorf("descriptor 0x%08x", w)
	}
	c.want(gdmaReg(0, false, gdErrDesc), desc+12)
}

// The channel of the highest priority serves a peripheral that several select.
func TestGDMAPriority(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const desc, buf = dmaTop, dmaTop + 0x1000
	for n := range uint32(gdmaChans) {
		c.list(desc+0x100*n, buf, true, 4)
		c.w(gdmaReg(n, true, gdPeriSel), uint32(dmaAES))
		c.w(gdmaReg(n, true, gdPri), [...]uint32{1, 5, 5}[n])
		c.startOut(n, desc+0x100*n)
	}
	if o := c.gdma.transmitter(dmaAES); o != &c.gdma.chans[1].out {
		t.Error("another channel than the first of priority 5 serves")
	}
	c.want(gdmaReg(1, true, gdFIFO), 0x07800000|4<<2)
	c.w(gdmaReg(1, true, gdConf0), 1) // reset
	c.want(gdmaReg(1, true, gdFIFO), 0x07800002)
	if o := c.gdma.transmitter(dmaAES); o != &c.gdma.chans[2].out {
		t.Error("a channel in reset serves")
	}
}

// A peripheral that waits is told when its list starts.
func TestGDMATellsPeripheral(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	told := 0
	c.gdma.onReady(dmaADC, func() { told++ })
	c.list(dmaTop, dmaTop+0x1000, false, 4)
	c.w(gdmaReg(2, false, gdPeriSel), uint32(dmaADC))
	c.startIn(2, dmaTop)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
