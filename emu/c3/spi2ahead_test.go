package c3

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
)

// aheadChip is a chip that sends by DMA to a part that notes each byte with the
// level of another pin.
type aheadChip struct {
	*testChip
	part  receiver
	dc    *emu.Terminal
	got   []byte
	runs  int // calls with more than a chunk
	log   strings.Builder
	poke  *chip.Timer // calls store while the board runs
	store func()
}

func newAheadChip(t *testing.T, single bool) *aheadChip {
	a := &aheadChip{testChip: newUnwatchedChip(t)}
	a.spi2.single = single
	a.poke = a.m.NewProbe(func() { a.store() })
	a.part.clock, a.part.data, a.dc = a.board.NewTerminal(nil), a.board.NewTerminal(nil), a.board.NewTerminal(nil)
	a.board.Clocked(a.part.clock, a.part.data, func(data []byte, n int) {
		if n > 8*spiChunk {
			a.runs++
		}
		for _, b := range data[:(n+7)/8] {
			a.got = append(a.got, b, byte(b2n(a.dc.High())))
		}
	})
	a.board.Join(a.part.clock.Pin(), 6)
	a.board.Join(a.part.data.Pin(), 7)
	a.board.Join(a.dc.Pin(), 3)
	a.run(emu.Microsecond)
	a.spiMaster(2)
	a.w(spi2Base+sp2User, sp2UserMosi)
	a.spiPins(7)
	a.w(gpioBase+gpEnable+4, 1<<3)
	a.w(gdmaReg(0, true, gdPeriSel), 0)
	a.w(spi2Base+sp2DMAConf, sp2DMATx)
	a.got = nil
	return a
}

// note records what firmware can read.
func (a *aheadChip) note(what string) {
	fmt.Fprintf(&a.log, "%s at %v:", what, a.m.Now())
	for _, addr := range []uint32{
		spi2Base + sp2Cmd, spi2Base + sp2IntRaw, gdmaBase + gdIntRaw, gdmaReg(0, true, gdFIFO), gdmaReg(0, true, gdState),
		gdmaReg(0, true, gdDesc), gdmaReg(0, true, gdEOFDesc), gpioBase + gpOut,
	} {
		fmt.Fprintf(&a.log, " %x", a.r(addr))
	}
	a.log.WriteByte('\n')
}

// Chunks that are joined send what single chunks send, whatever happens meanwhile:
// software writes to the buffer, moves another pin, changes the length, stops the
// list or the transfer, looks at registers, and saves and restores the board.
func TestSPI2Ahead(t *testing.T) {
	const desc, buf = dmaTop, dmaTop + 0x1000
	rounds := 200
	if testing.Short() {
		rounds = 12
	}
	joined := 0
	for seed := range uint64(rounds) {
		var ends [2]*aheadChip
		for i := range ends {
			rng := rand.New(rand.NewPCG(seed, 5))
			a := newAheadChip(t, i == 0)
			a.spiMaster([]uint32{2, 4, 10}[rng.IntN(3)])
			a.w(spi2Base+sp2User, sp2UserMosi)
			for range 4 {
				var sizes []int
				total := 0
				for range 1 + rng.IntN(4) {
					n := 1 + rng.IntN(4095)
					sizes, total = append(sizes, n), total+n
				}
				data := make([]byte, total)
				for i := range data {
					data[i] = byte(rng.Uint32())
				}
				a.pokeBytes(buf, data)
				a.list(desc, buf, true, sizes...)
				a.w(spi2Base+sp2Dlen, uint32(8*(total+rng.IntN(3)-1)-1))
				a.w(spi2Base+sp2IntClr, sp2IntAll)
				a.startOut(0, desc)
				a.w(spi2Base+sp2Cmd, sp2CmdUpdate)
				a.w(spi2Base+sp2Cmd, sp2CmdUser)
				for step := 0; a.r(spi2Base+sp2Cmd)&sp2CmdUser != 0 && step < 60; step++ {
					a.run(emu.Duration(1 + rng.IntN(1<<rng.IntN(18))))
					switch op := rng.IntN(12); op {
					case 0, 1:
						at, v := buf+uint32(rng.IntN(total)), byte(rng.Uint32())
						a.store = func() { a.pokeBytes(at, []byte{v, 0x55}) }
						a.poke.Set(a.m.Now().Add(emu.Duration(rng.IntN(20000))))
					case 2, 3:
						a.w(gpioBase+gpOut, rng.Uint32()&(1<<3|1<<4))
					case 4:
						a.note("registers")
					case 5:
						if rng.IntN(4) == 0 {
							a.w(spi2Base+sp2Dlen, uint32(8*(1+rng.IntN(total))-1))
							a.w(spi2Base+sp2Cmd, sp2CmdUpdate)
						}
					case 6:
						if rng.IntN(6) == 0 {
							a.w(gdmaReg(0, true, gdLink), 1<<20)
						}
					case 7:
						if rng.IntN(6) == 0 {
							a.w(spi2Base+sp2Slave, sp2SlaveReset)
						}
					case 8:
						if err := a.board.Restore(a.board.Snapshot()); err != nil {
							t.Fatal(err)
						}
					case 9:
						fmt.Fprintln(&a.log, a.board.Pin(6), a.board.Pin(7), a.board.Pin(10))
					case 10:
						a.w(gdmaReg(0, true, gdPri), uint32(rng.IntN(10)))
					}
				}
				a.run(20 * emu.Millisecond)
				a.note("end")
			}
			ends[i] = a
		}
		one, many := ends[0], ends[1]
		if one.runs != 0 {
			t.Fatal("single chunks are joined")
		}
		joined += many.runs
		if one.log.String() != many.log.String() {
			x, y := strings.Split(one.log.String(), "\n"), strings.Split(many.log.String(), "\n")
			for i := range x {
				if i >= len(y) || x[i] != y[i] {
					t.Fatalf("seed %d, line %d:\nsingle %s\njoined %s", seed, i, x[i], y[min(i, len(y)-1)])
				}
			}
		}
		if !bytes.Equal(one.got, many.got) {
			for i := range min(len(one.got), len(many.got)) {
				if one.got[i] != many.got[i] {
					t.Fatalf("seed %d: byte %d of %d differs: %x, %x", seed, i/2, len(one.got)/2, one.got[i&^1:i&^1+2], many.got[i&^1:i&^1+2])
				}
			}
			t.Fatalf("seed %d: %d bytes by single chunks, %d joined", seed, len(one.got)/2, len(many.got)/2)
		}
		if !bytes.Equal(one.board.Snapshot().Bytes(), many.board.Snapshot().Bytes()) {
			t.Fatalf("seed %d: the boards differ", seed)
		}
	}
	if joined < rounds {
		t.Errorf("%d joins in %d rounds", joined, rounds)
	}
}
