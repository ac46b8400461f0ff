package c3

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/emu"
)

const i2sBase = 0x6002d000

// i2sLoop routes the data output and input of I2S0 to pin 3.
func (c *testChip) i2sLoop() {
	c.w(iomuxBase+ioPin0+4*3, 1<<12|1<<9|2<<10)
	c.w(gpioBase+gpFuncOutSel0+4*3, uint32(sigI2SOSD))
	c.w(gpioBase+gpEnable+4, 1<<3)
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigI2SISD), 3|gpInSelMatrix)
	for _, out := range []bool{false, true} {
		c.w(gdmaReg(0, out, gdPeriSel), uint32(dmaI2S0))
	}
	for _, reg := range []uint32{isTxClkm, isRxClkm} {
		c.w(i2sBase+reg, 2<<27|isClkActive|20) // 8 MHz
	}
}

// What is transmitted in any format is received in the same format, and the
// transmitter ends when the list does.
func TestI2SLoopback(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range 40 {
		c := newTestChip(t, emu.Config{})
		c.i2sLoop()
		data := []uint32{8, 16, 24, 32}[i%4]
		slot := []uint32{data, 32}[i>>2&1]
		slots := 2 + rng.Uint32N(3)
		mask := 1 + rng.Uint32N(1<<slots-1)
		conf := rng.Uint32() & (isBigEndian | isLSBFirst | isLeftAlign | isWSIdle)
		mode := uint32(isTDM)
		if i%5 == 0 { // PDM: raw bits of two channels
			mode, data, slot, slots, mask = isPDM, 16, 16, 2, 3
		} else if i%7 == 0 { // standard
			mode, slots, mask = 0, 2, 3
		}
		conf1 := (slots*slot/2-1)&0x7f | 1<<7 | (data-1)<<13 | (slot-1)<<18 | (slot-1)<<24 | rng.Uint32()&isMSBShift
		c.w(i2sBase+isTxConf1, conf1)
		c.w(i2sBase+isRxConf1, conf1)
		c.w(i2sBase+isTxTDM, mask|(slots-1)<<16)
		c.w(i2sBase+isRxTDM, mask|(slots-1)<<16)
		c.w(i2sBase+isRxEOFNum, 0xfff)
		n := 12 * (1 + rng.IntN(20))
		size := int((data + 7) / 8)
		for k := mask; k != 0; k &= k - 1 {
			n += 12 * (size - 1)
		}
		per := 0
		for k := mask; k != 0; k &= k - 1 {
			per += size
		}
		n -= n % per
		const txDesc, rxDesc, tx, rx = dmaTop, dmaTop + 0x100, dmaTop + 0x1000, dmaTop + 0x2000
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		c.pokeBytes(tx, want)
		c.list(txDesc, tx, true, n)
		c.list(rxDesc, rx, false, n+64)
		c.startIn(0, rxDesc)
		c.startOut(0, txDesc)
		c.w(i2sBase+isRxConf, conf|mode|isSlave|isStart)
		c.w(i2sBase+isTxConf, conf|mode|isStopEn|isLoopback|isStart)
		c.want(i2sBase+isState, 0)
		c.run(20 * emu.Millisecond)
		c.want(i2sBase+isState, 1)
		c.want(i2sBase+isIntRaw, isTxDone)
		// The bit after the last frame is the end of it where data is shifted.
		if got := c.peek(rx, n); !bytes.Equal(got, want) {
			t.Fatalf("case %d: %d slots of %d bits in %d, mask 0x%x, conf 0x%x 0x%x:\n% x\n% x", i, slots, data, slot, mask, conf|mode, conf1, got, want)
		}
	}
}

// A receiver that is master samples at the rate of its clock registers and stops
// when its FIFO is full.
func TestI2SReceive(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.i2sLoop()
	c.board.SetPin(9, emu.High)
	c.w(iomuxBase+ioPin0+4*9, 1<<12|1<<9)
	c.w(gpioBase+gpFuncInSel0+4*uint32(sigI2SISD), 9|gpInSelMatrix)
	c.run(1)
	c.w(i2sBase+isRxConf1, 15|4<<7|15<<13|15<<18|15<<24) // BCK 1.6 MHz, 50,000 frames a second
	c.w(i2sBase+isRxTDM, 3|1<<16)
	c.w(i2sBase+isRxEOFNum, 0xfff)
	const desc, buf = dmaTop, dmaTop + 0x1000
	c.list(desc, buf, false, 400)
	c.startIn(0, desc)
	c.w(i2sBase+isRxConf, isTDM|isStopOnFull<<13|isStart)
	c.run(emu.Millisecond) // 50 frames of 4 bytes
	if got := bytes.Count(c.peek(buf, 400), []byte{0xff}); got < 196 || got > 204 {
		t.Errorf("%d bytes after 1 ms, want 200", got)
	}
	c.want(i2sBase+isIntRaw, 0)
	c.run(2 * emu.Millisecond)
	c.want(i2sBase+isIntRaw, isRxDone)
	if c.r(gdmaBase)&gdIntInEmpty == 0 {
		t.Error("IN_DSCR_EMPTY is not raised")
	}
}
