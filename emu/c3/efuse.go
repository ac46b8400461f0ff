package c3

import (
	"encoding/binary"
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
)

// EFUSE registers, TRM 4.5.
const (
	efPgmData   = 0x00 // 8 words
	efPgmCheck  = 0x20 // 3 words
	efRead      = 0x2c // first read register: WR_DIS
	efRepeat0   = 0x30 // RD_REPEAT_DATA0
	efRepeat1   = 0x34
	efKey0      = 0x9c // 8 words each
	efSysPart2  = 0x15c
	efRepeatErr = 0x17c
	efRSErr0    = 0x1c0
	efRSErr1    = 0x1c4
	efConf      = 0x1cc
	efStatus    = 0x1d0
	efCmd       = 0x1d4
	efIntRaw    = 0x1d8
	efIntSt     = 0x1dc
	efIntEna    = 0x1e0
	efIntClr    = 0x1e4
	efContent   = efRepeatErr - efRead // bytes of all blocks, as the read registers show them
	// efContentCheck is the size of content with the check bytes of all blocks.
	efContentCheck = efContent + efuseBlocks*rsCheck
	efOpWrite      = 0x5a5a
	efOpRead       = 0x5aa5
	efIntRead      = 1 << 0
	efIntProgram   = 1 << 1
	// efOperation is how long reading or burning takes.
	efOperation = 100 * chip.Microsecond
)

// efuse is EFUSE, TRM 4: 4096 one-time programmable bits in eleven blocks. The
// read registers hold what was read at the last reset or READ command; a burn
// shows there only after the next. Errors of the Reed-Solomon code are corrected
// at reading and counted in RS_ERR: a block that is burnt twice, or with wrong
// check bytes, has some.
type efuse struct {
	block
	soc   *soc
	intr  interrupts
	fuses [efContent]byte // what is burnt, in the order of the read registers
	check [efuseBlocks][rsCheck]byte
	rs    *rsField
	s     struct{ Cmd uint32 }
	done  *chip.Timer
}

func newEFuse(c *soc, cfg *emu.Config) (*efuse, error) {
	e := &efuse{soc: c, rs: newRSField()}
	e.intr.line = c.intc.source(srcEFuse)
	e.done = c.m.NewTimer(e.complete)
	switch {
	case cfg.EFuse == nil:
		revision := cfg.Revision
		if revision == 0 {
			revision = newestRevision
		}
		if !slices.Contains(revisions, revision) {
			return nil, &emu.RevisionError{Revision: revision, Known: revisions}
		}
		e.healthy(cfg.MAC, uint32(revision))
		e.encodeAll()
	case len(cfg.EFuse) == efContent:
		copy(e.fuses[:], cfg.EFuse)
		e.encodeAll()
	case len(cfg.EFuse) == efContentCheck:
		e.setContent(cfg.EFuse)
	default:
		return nil, &emu.EFuseSizeError{Size: len(cfg.EFuse), Want: efContent}
	}
	e.block = newBlock("EFUSE", 0x60008800, []reg{
		{0x1c8, "CLK", 2}, {efConf, "CONF", 0}, {efStatus, "STATUS", 0}, {efCmd, "CMD", 0}, {efIntRaw, "INT_RAW", 0}, {efIntSt, "INT_ST", 0},
		{efIntEna, "INT_ENA", 0}, {efIntClr, "INT_CLR", 0}, {0x1e8, "DAC_CONF", 0x1fe1c}, {0x1ec, "RD_TIM_CONF", 0x12000000},
		{0x1f0, "WR_TIM_CONF1", 0x288000}, {0x1f4, "WR_TIM_CONF2", 0x190}, {0x1fc, "DATE", 0x2007200},
	})
	e.know(0, 0x190)
	e.know(efRSErr0, efRSErr1)
	e.latch()
	return e, nil
}

// DefaultMAC returns the base MAC address of a board made without eFuse content:
// one of Espressif's, so that the addresses derived from it differ from one
// another.
func DefaultMAC() [6]byte { return [6]byte{0x7c, 0xdf, 0xa1, 0xc3, 0x00, 0x01} }

// Revisions of the chip that a board can have, as major*100 + minor.
var revisions = []uint16{3, 4, 101}

const newestRevision = 4 // of the chips that are in most boards

// healthy burns what a chip leaves the factory with; the calibration is that of
// one chip of revision 0.4.
func (e *efuse) healthy(mac [6]byte, revision uint32) {
	if mac == [6]byte{} {
		mac = DefaultMAC()
	}
	word := func(off, v uint32) { binary.LittleEndian.PutUint32(e.fuses[off-efRead:], v) }
	word(0x44, uint32(mac[2])<<24|uint32(mac[3])<<16|uint32(mac[4])<<8|uint32(mac[5]))
	word(0x48, uint32(mac[0])<<8|uint32(mac[1]))
	word(0x3c, 1<<31) // ERR_RST_ENABLE
	major, minor := revision/100, revision%100
	word(0x50, 0x4b000000|minor&7<<18)            // WAFER_VERSION_MINOR_LO, BLK_VERSION_MINOR 3, flash of 4 MB
	word(0x54, 0xd1f0a619)                        // calibration of voltages and clocks, as on a chip of revision 0.4
	word(0x58, 0x0007d280|minor>>3<<23|major<<24) // WAFER_VERSION_MINOR_HI, WAFER_VERSION_MAJOR
	word(0x6c, 0x15e4e001)                        // BLK_VERSION_MAJOR 1 and calibration of the ADC; TEMP_CALIB 0: an exact sensor
	word(0x70, 0xba1e0c7d)
	word(0x74, 0xce458664)
	word(0x78, 9)
}

// content returns what is burnt, for Config.EFuse of another board: with the
// check bytes only where they are not those of the data.
func (e *efuse) content() []byte {
	p := append([]byte(nil), e.fuses[:]...)
	if !e.consistent() {
		for _, c := range e.check {
			p = append(p, c[:]...)
		}
	}
	return p
}

func (e *efuse) setContent(p []byte) {
	p = p[copy(e.fuses[:], p):]
	for n := range e.check {
		p = p[copy(e.check[n][:], p):]
	}
}

// latch reads the fuses into the read registers, but for keys that are
// protected against reading (RD_DIS).
func (e *efuse) latch() {
	for w := range uint32(6) {
		e.set(efRead+4*w, e.fuse(efRead+4*w))
	}
	e.set(efRSErr0, 0)
	e.set(efRSErr1, 0)
	protected := e.get(efRepeat0) & 0x7f // KEY0 to KEY5, SYS_PART2
	for n := uint32(1); n < efuseBlocks; n++ {
		word := e.codeWord(n)
		raw := word
		wrong, ok := e.rs.correct(&word)
		if !ok {
			word, wrong = raw, 8 // FAIL
		}
		e.set(efRSErr0+4*((n-1)/8), e.get(efRSErr0+4*((n-1)/8))|uint32(wrong)<<((n-1)%8*4))
		start, words := efuseBlock(n)
		if n >= efuseFirstKey && protected>>(n-efuseFirstKey)&1 != 0 {
			word = [rsLength]byte{}
		}
		e.setBytes(start, word[:4*words])
	}
}

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
		e.soc.extmem.crypt.update()
		e.intr.raise(efIntRead)
		return
	}
	e.burn(field(e.s.Cmd, 5, 2))
	e.intr.raise(efIntProgram)
}

// burn sets fuses of block n from PGM_DATA, and for all but block 0 its check
// bytes from PGM_CHECK; a fuse that is set stays set.
func (e *efuse) burn(n uint32) {
	start, words := efuseBlock(n)
	wrDis := e.fuse(efRead)
	if words == 0 || n >= 1 && wrDis>>efuseWrDisBit[n]&1 != 0 {
		return
	}
	for w := range words {
		v := e.get(efPgmData + 4*w)
		if n == 0 {
			for _, p := range efuseProtected {
				if p.word == w && wrDis>>p.bit&1 != 0 {
					v &^= p.mask
				}
			}
		}
		at := e.fuses[start+4*w-efRead:]
		binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|v)
	}
	if n > 0 {
		for i, c := range e.bytes(efPgmCheck, rsCheck) {
			e.check[n][i] |= c
		}
	}
}

func (e *efuse) reset() {
	e.block.reset()
	e.done.Stop()
	e.intr.reset(0)
	e.latch()
}

func (e *efuse) state(s *chip.State) {
	s.Fixed(&e.words, &e.fuses, &e.check, &e.s, &e.intr.Raw, &e.intr.Ena)
}
