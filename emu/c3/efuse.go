package c3

import (
	"encoding/binary"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
)

// EFUSE registers, TRM 4.5.
const (
	efPgmData    = 0x00 // 8 words, then 3 of check value
	efRead       = 0x2c // first read register: WR_DIS
	efRepeat0    = 0x30 // RD_REPEAT_DATA0
	efRepeat1    = 0x34
	efKey0       = 0x9c // 8 words each
	efSysPart2   = 0x15c
	efRepeatErr  = 0x17c
	efConf       = 0x1cc
	efStatus     = 0x1d0
	efCmd        = 0x1d4
	efIntRaw     = 0x1d8
	efIntSt      = 0x1dc
	efIntEna     = 0x1e0
	efIntClr     = 0x1e4
	efContent    = efRepeatErr - efRead // bytes of all blocks, as the read registers show them
	efOpWrite    = 0x5a5a
	efOpRead     = 0x5aa5
	efIntRead    = 1 << 0
	efIntProgram = 1 << 1
	// efOperation is how long reading or burning takes.
	efOperation = 100 * chip.Microsecond
)

// efuse is EFUSE, TRM 4: 4096 one-time programmable bits in eleven blocks. The
// read registers hold what was read at the last reset or READ command; a burn
// shows there only after the next.
type efuse struct {
	block
	soc   *soc
	intr  interrupts
	fuses [efContent]byte // what is burnt, in the order of the read registers
	s     struct{ Cmd uint32 }
	done  *chip.Timer
}

func newEFuse(c *soc, cfg *emu.Config) (*efuse, error) {
	e := &efuse{soc: c}
	e.intr.line = c.intc.source(srcEFuse)
	e.done = c.m.NewTimer(e.complete)
	switch {
	case cfg.EFuse == nil:
		e.healthy(cfg.MAC)
	case len(cfg.EFuse) != efContent:
		return nil, &emu.EFuseSizeError{Size: len(cfg.EFuse), Want: efContent}
	default:
		copy(e.fuses[:], cfg.EFuse)
	}
	e.block = newBlock("EFUSE", 0x60008800, []reg{
		{0x1c8, "CLK", 2}, {efConf, "CONF", 0}, {efStatus, "STATUS", 0}, {efCmd, "CMD", 0}, {efIntRaw, "INT_RAW", 0}, {efIntSt, "INT_ST", 0},
		{efIntEna, "INT_ENA", 0}, {efIntClr, "INT_CLR", 0}, {0x1e8, "DAC_CONF", 0x1fe1c}, {0x1ec, "RD_TIM_CONF", 0x12000000},
		{0x1f0, "WR_TIM_CONF1", 0x288000}, {0x1f4, "WR_TIM_CONF2", 0x190}, {0x1fc, "DATE", 0x2007200},
	})
	e.know(0, 0x190)
	e.know(0x1c0, 0x1c4)
	e.latch()
	return e, nil
}

// healthy burns what a chip of revision 0.4 leaves the factory with.
func (e *efuse) healthy(mac [6]byte) {
	if mac == [6]byte{} {
		mac = [6]byte{2, 0, 0, 0, 0, 1}
	}
	word := func(off, v uint32) { binary.LittleEndian.PutUint32(e.fuses[off-efRead:], v) }
	word(0x44, uint32(mac[2])<<24|uint32(mac[3])<<16|uint32(mac[4])<<8|uint32(mac[5]))
	word(0x48, uint32(mac[0])<<8|uint32(mac[1]))
	word(0x50, 4<<18|3<<24) // WAFER_VERSION_MINOR_LO, BLK_VERSION_MINOR
	word(0x6c, 1)           // BLK_VERSION_MAJOR
}

// latch copies the fuses to the read registers, but for keys that are
// protected against reading (RD_DIS).
func (e *efuse) latch() {
	for off := uint32(efRead); off < efRepeatErr; off += 4 {
		e.set(off, binary.LittleEndian.Uint32(e.fuses[off-efRead:]))
	}
	protected := e.get(efRepeat0) & 0x7f // KEY0 to KEY5, SYS_PART2
	for n := range uint32(7) {
		if protected>>n&1 != 0 {
			for w := range uint32(8) {
				e.set(efKey0+32*n+4*w, 0)
			}
		}
	}
}

// wdtDelay returns WDT_DELAY_SEL.
func (e *efuse) wdtDelay() uint32 { return field(e.get(efRepeat1), 17, 16) }

func (e *efuse) read(off uint32) uint32 {
	switch off {
	case efIntRaw:
		return e.intr.Raw
	case efIntSt:
		return e.intr.status()
	case efIntEna:
		return e.intr.Ena
	case efIntClr:
		return 0
	}
	return e.block.read(off)
}

func (e *efuse) write(off, v uint32) {
	switch {
	case off == efCmd:
		e.command(v)
	case off == efIntEna:
		e.intr.enable(v)
	case off == efIntClr:
		e.intr.clear(v)
	case off >= efRead && off < efRepeatErr, off == efIntRaw, off == efIntSt, off == efStatus:
	default:
		e.block.write(off, v)
	}
}

// command starts reading (bit 0) or burning (bit 1, block in 5:2). CMD keeps
// its value until the operation has ended. A wrong opcode in CONF makes it do
// nothing.
func (e *efuse) command(v uint32) {
	op := e.get(efConf) & 0xffff
	if v&1 != 0 && op != efOpRead || v&2 != 0 && op != efOpWrite || v&3 == 0 {
		return
	}
	e.set(efCmd, v)
	e.s.Cmd = v
	e.done.Set(e.soc.m.Now().Add(efOperation))
}

func (e *efuse) complete() {
	e.set(efCmd, 0)
	if e.s.Cmd&1 != 0 {
		e.latch()
		e.intr.raise(efIntRead)
		return
	}
	e.burn(field(e.s.Cmd, 5, 2))
	e.intr.raise(efIntProgram)
}

// burn sets fuses from PGM_DATA; a fuse that is set stays set. The Reed-Solomon
// check words are taken as correct and not stored.
func (e *efuse) burn(n uint32) {
	start, words := efuseBlock(n)
	wrDis := binary.LittleEndian.Uint32(e.fuses[:])
	if words == 0 || n >= 1 && n <= 10 && wrDis>>efuseWrDisBit[n]&1 != 0 {
		return
	}
	for w := range words {
		at := e.fuses[start+4*w-efRead:]
		binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|e.get(efPgmData+4*w))
	}
}

// efuseWrDisBit is the bit of WR_DIS that protects a block, TRM table 4.3-1.
var efuseWrDisBit = [11]uint{0, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}

// efuseBlock returns the first read register of a block and its words.
func efuseBlock(n uint32) (start, words uint32) {
	switch {
	case n == 0:
		return efRead, 6
	case n == 1:
		return 0x44, 6
	case n <= 10:
		return 0x5c + 32*(n-2), 8
	}
	return 0, 0
}

func (e *efuse) reset() {
	e.block.reset()
	e.done.Stop()
	e.intr.reset(0)
	e.latch()
}

func (e *efuse) state(s *chip.State) {
	s.Fixed(&e.words, &e.fuses, &e.s, &e.intr.Raw, &e.intr.Ena)
}
