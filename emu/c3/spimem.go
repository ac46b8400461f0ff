package c3

import (
	"encoding/binary"

	"espalier.dev/espalier/emu/chip"
)

// SPI_MEM registers, TRM 27 (SPI0 and SPI1 share the layout; names as in the
// vendor's register header).
const (
	spiCmd       = 0x00
	spiAddr      = 0x04
	spiCtrl      = 0x08
	spiUser      = 0x18
	spiUser1     = 0x1c
	spiUser2     = 0x20
	spiMosiDlen  = 0x24
	spiMisoDlen  = 0x28
	spiRdStatus  = 0x2c
	spiFSM       = 0x54
	spiW0        = 0x58
	spiSusStatus = 0xa4
	spiIntEna    = 0xc0
	spiIntClr    = 0xc4
	spiIntRaw    = 0xc8
	spiIntSt     = 0xcc
	spiBuffer    = 64 // W0 to W15

	spiUserMosi    = 1 << 27
	spiUserMiso    = 1 << 28
	spiUserAddr    = 1 << 30
	spiUserCommand = 1 << 31
)

// Bits of CMD, each starting a command.
const (
	spiCmdUser = 18
	spiCmdHPM  = 19
	spiCmdRES  = 20
	spiCmdDP   = 21
	spiCmdCE   = 22
	spiCmdBE   = 23
	spiCmdSE   = 24
	spiCmdPP   = 25
	spiCmdWRSR = 26
	spiCmdRDSR = 27
	spiCmdRDID = 28
	spiCmdWRDI = 29
	spiCmdWREN = 30
	spiCmdREAD = 31
)

// spiMem is SPI1, through which software sends commands to the flash, or SPI0,
// through which the cache reads it. A command is complete at the end of the
// write to CMD; the bits of CMD always read as zero.
type spiMem struct {
	block
	flash *flash // nil for SPI0, which does not execute commands of software
	xts   *xtsAES
	intr  interrupts
}

func newSPIMem(c *soc, n int, base uint32, f *flash) *spiMem {
	p := &spiMem{flash: f}
	p.intr.line = c.intc.source(srcSPI1)
	if f == nil {
		// SPI0 has few of the registers; values as on a chip of revision 0.4.
		p.block = newBlock("SPI0", base, []reg{
			{spiCtrl, "CTRL", 0x2c2000}, {0x0c, "CTRL1", 0}, {0x10, "CTRL2", 0x21}, {0x14, "CLOCK", 0x30103}, {spiUser, "USER", 0},
			{spiUser1, "USER1", 0x5c000007}, {spiUser2, "USER2", 0x70000000}, {spiRdStatus, "RD_STATUS", 0}, {0x34, "MISC", 0},
			{0x3c, "CACHE_FCTRL", 0}, {spiFSM, "FSM", 0x200}, {0xa8, "TIMING_CALI", 1}, {0xac, "DIN_MODE", 0}, {0xb0, "DIN_NUM", 0},
			{0xb4, "DOUT_MODE", 0}, {0xdc, "CLOCK_GATE", 1}, {0xe0, "CORE_CLK_SEL", 0}, {0x3fc, "DATE", 0x2007130},
		})
		// Firmware for several chips writes registers that this chip does not
		// have.
		p.know(0, 0xe0)
		return p
	}
	p.block = newBlock("SPI1", base, []reg{
		{spiCmd, "CMD", 0}, {spiAddr, "ADDR", 0}, {spiCtrl, "CTRL", 0x2ca000}, {0x0c, "CTRL1", 0xffc}, {0x10, "CTRL2", 0}, {0x14, "CLOCK", 0x30103},
		{spiUser, "USER", 0x80000000}, {spiUser1, "USER1", 0x5c000007}, {spiUser2, "USER2", 0x70000000}, {spiMosiDlen, "MOSI_DLEN", 0},
		{spiMisoDlen, "MISO_DLEN", 0}, {spiRdStatus, "RD_STATUS", 0}, {0x34, "MISC", 2}, {0x38, "TX_CRC", 0xffffffff}, {0x3c, "CACHE_FCTRL", 0},
		{spiFSM, "FSM", 0}, {0x98, "FLASH_WAITI_CTRL", 0x14}, {0x9c, "FLASH_SUS_CTRL", 0x8002000}, {0xa0, "FLASH_SUS_CMD", 0x5757a},
		{spiSusStatus, "SUS_STATUS", 0}, {0xa8, "TIMING_CALI", 0}, {0xac, "DIN_MODE", 0}, {0xb0, "DIN_NUM", 0}, {0xb4, "DOUT_MODE", 0},
		{spiIntEna, "INT_ENA", 0}, {spiIntClr, "INT_CLR", 0}, {spiIntRaw, "INT_RAW", 0}, {spiIntSt, "INT_ST", 0}, {0xdc, "CLOCK_GATE", 1},
		{0xe0, "CORE_CLK_SEL", 0}, {0x3fc, "DATE", 0x2007170},
	})
	p.know(spiW0, spiW0+spiBuffer-4)
	return p
}

func (p *spiMem) read(off uint32) uint32 {
	switch off {
	case spiCmd:
		return 0
	case spiIntClr:
		return 0
	case spiIntRaw:
		return p.intr.Raw
	case spiIntSt:
		return p.intr.status()
	case spiIntEna:
		return p.intr.Ena
	}
	return p.block.read(off)
}

func (p *spiMem) write(off, v uint32) {
	switch off {
	case spiCmd:
		if p.flash != nil {
			p.command(v)
		}
	case spiIntEna:
		p.intr.enable(v)
	case spiIntClr:
		p.intr.clear(v)
	case spiIntRaw, spiIntSt:
	default:
		p.block.write(off, v)
	}
}

// buffer returns W0 to W15 as bytes.
func (p *spiMem) buffer() (b [spiBuffer]byte) {
	for i := range spiBuffer / 4 {
		binary.LittleEndian.PutUint32(b[4*i:], p.words[spiW0/4+i])
	}
	return b
}

func (p *spiMem) setBuffer(in []byte) {
	for i, v := range in {
		w, shift := &p.words[spiW0/4+i/4], i%4*8
		*w = *w&^(0xff<<shift) | uint32(v)<<shift
	}
}

// command executes the commands whose bits are set, the lowest first.
func (p *spiMem) command(v uint32) {
	addr := p.get(spiAddr) & 0xffffff
	var none []byte
	for bit := spiCmdUser; bit <= spiCmdREAD; bit++ {
		if v>>bit&1 == 0 {
			continue
		}
		switch bit {
		case spiCmdUser:
			p.user()
		case spiCmdRES:
			p.flash.exec(flReleasePowerD, 0, none, none)
		case spiCmdDP:
			p.flash.exec(flPowerDown, 0, none, none)
		case spiCmdCE:
			p.flash.exec(flChipErase60, 0, none, none)
		case spiCmdBE:
			p.flash.exec(flBlockErase64, addr, none, none)
		case spiCmdSE:
			p.flash.exec(flSectorErase, addr, none, none)
		case spiCmdPP:
			b := p.buffer()
			n := min(p.get(spiAddr)>>24, spiBuffer)
			p.exec(flPageProgram, addr, b[:n], none)
		case spiCmdWRSR:
			st := p.get(spiRdStatus)
			out := []byte{byte(st), byte(st >> 8)}
			if p.get(spiCtrl)>>22&1 == 0 { // WRSR_2B
				out = out[:1]
			}
			p.flash.exec(flWriteStatus, 0, out, none)
		case spiCmdRDSR:
			var st [2]byte
			p.flash.exec(flReadStatus, 0, none, st[:1])
			p.set(spiRdStatus, p.get(spiRdStatus)&^0xffff|uint32(st[0]))
		case spiCmdRDID:
			var id [3]byte
			p.flash.exec(flReadJEDEC, 0, none, id[:])
			p.set(spiW0, uint32(id[0])|uint32(id[1])<<8|uint32(id[2])<<16)
		case spiCmdWRDI:
			p.flash.exec(flWriteDisable, 0, none, none)
		case spiCmdWREN:
			p.flash.exec(flWriteEnable, 0, none, none)
		case spiCmdREAD:
			p.transfer(flRead, addr, nil, true)
		}
	}
}

// user executes the transaction described by USER, USER1 and USER2. The address
// is sent from its most significant bit; with more than 24 bits the rest is the
// mode byte of a fast read.
func (p *spiMem) user() {
	u := p.get(spiUser)
	var op byte
	if u&spiUserCommand != 0 {
		op = byte(p.get(spiUser2))
	}
	var addr uint32
	if u&spiUserAddr != 0 {
		addr = p.get(spiAddr)
		if n := p.get(spiUser1)>>26 + 1; n > 24 && n <= 32 {
			addr >>= n - 24
		}
		addr &= 0xffffff
	}
	var out []byte
	if u&spiUserMosi != 0 {
		b := p.buffer()
		out = b[:min((field(p.get(spiMosiDlen), 9, 0)+8)/8, spiBuffer)]
	}
	p.transfer(op, addr, out, u&spiUserMiso != 0)
}

func (p *spiMem) transfer(op byte, addr uint32, out []byte, miso bool) {
	var in [spiBuffer]byte
	n := uint32(0)
	if miso {
		n = min((field(p.get(spiMisoDlen), 9, 0)+8)/8, spiBuffer)
	}
	p.exec(op, addr, out, in[:n])
	p.setBuffer(in[:n])
}

// exec sends a command to the flash. If manual encryption has released data for
// this address, it is programmed instead of the buffer.
func (p *spiMem) exec(op byte, addr uint32, out, in []byte) {
	if op == flPageProgram || op == flQuadProgram {
		if enc := p.xts.released(addr, len(out)); enc != nil {
			out = enc
		}
	}
	p.flash.exec(op, addr, out, in)
}

func (p *spiMem) reset() {
	p.block.reset()
	p.intr.reset(0)
}

func (p *spiMem) state(s *chip.State) { s.Fixed(&p.words, &p.intr.Raw, &p.intr.Ena) }
