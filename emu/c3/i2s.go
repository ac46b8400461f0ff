package c3

import "espalier.dev/espalier/emu/chip"

// I2S registers, TRM 30.14. The receive and transmit registers have one layout,
// four bytes apart, with few exceptions.
const (
	isIntRaw     = 0x0c
	isIntSt      = 0x10
	isIntEna     = 0x14
	isIntClr     = 0x18
	isRxConf     = 0x20
	isTxConf     = 0x24
	isRxConf1    = 0x28
	isTxConf1    = 0x2c
	isRxClkm     = 0x30
	isTxClkm     = 0x34
	isRxClkmDiv  = 0x38
	isTxClkmDiv  = 0x3c
	isPCM2PDM    = 0x40
	isPCM2PDM1   = 0x44
	isRxTDM      = 0x50
	isTxTDM      = 0x54
	isRxEOFNum   = 0x64
	isSingleData = 0x68
	isState      = 0x6c

	isReset       = 1 << 0
	isFIFOReset   = 1 << 1
	isStart       = 1 << 2
	isSlave       = 1 << 3
	isMono        = 1 << 5
	isChanEqual   = 1 << 6 // TX
	isBigEndian   = 1 << 7
	isUpdate      = 1 << 8
	isPCMBypass   = 1 << 12 // without companding
	isStopEn      = 1 << 13 // TX
	isLeftAlign   = 1 << 15
	isFill24      = 1 << 16
	isWSIdle      = 1 << 17
	isLSBFirst    = 1 << 18
	isTDM         = 1 << 19
	isPDM         = 1 << 20
	isLoopback    = 1 << 27 // TX
	isMSBShift    = 1 << 29 // CONF1
	isClkActive   = 1 << 26 // CLKM_CONF
	isConvert     = 1 << 25 // TX_PCM2PDM_CONF: PCM2PDM_CONV_EN
	isSkipMask    = 1 << 20 // TX_TDM_CTRL
	isRxDone      = 1 << 0
	isTxDone      = 1 << 1
	isIntAll      = 1<<4 - 1
	isStopOnEOF   = 1 // RX_CONF: RX_STOP_MODE
	isStopOnFull  = 2
	i2sMaxBits    = 16 * 32
	i2sFIFO       = 64 // bytes
	i2sMaxConvert = 1 << 14
)

// i2s is I2S0, TRM 30: a transmitter and a receiver (i2sunit.go) that move
// samples by DMA, as masters or slaves, in TDM, PDM and the standard formats.
//
// A unit works through frames. DMA takes part at the ends of frames; between them
// each bit is on the lines at its instant, as with SPI2. The output of the filter
// that converts PCM to PDM is not modelled: samples are consumed at their pace,
// the line is low, and the use of TX_PCM2PDM_CONF counts as unmodelled. A-law and
// mu-law compression and the MCLK output are not modelled either.
type i2s struct {
	block
	soc  *soc
	intr interrupts
	tx   i2sUnit
	rx   i2sUnit
	at   chip.Time // instant of the step that is being done, 0 outside of steps
	s    struct {
		Out     [i2sMaxBits / 8]byte // TX: bits of the frame
		Carry   bool                 // TX: the last bit of the frame, with MSB_SHIFT
		Last    bool                 // TX: a bit is to come after the frame, if it is the last
		In      [i2sMaxBits / 8]byte // RX: bits of the frame
		InBits  uint32               // RX: bits in In
		Delay   bool                 // RX: a bit is to be skipped, with MSB_SHIFT
		SD      bool                 // RX: level of the input
		Sampled uint64               // RX: bits of its clock that were sampled
		EOF     uint32               // RX: bytes since the last EOF
		Over    uint32               // RX: bytes for which there was no descriptor
		WS      bool                 // RX as a slave: the last level
	}
}

func newI2S(c *soc) *i2s {
	p := &i2s{soc: c}
	p.intr.line = c.intc.source(srcI2S0)
	p.block = newBlock("I2S0", 0x6002d000, []reg{
		{isIntRaw, "INT_RAW", 0}, {isIntSt, "INT_ST", 0}, {isIntEna, "INT_ENA", 0}, {isIntClr, "INT_CLR", 0},
		{isRxConf, "RX_CONF", 0x9600}, {isTxConf, "TX_CONF", 0xb200}, {isRxConf1, "RX_CONF1", 0x2f3de300},
		{isTxConf1, "TX_CONF1", 0x6f3de300}, {isRxClkm, "RX_CLKM_CONF", 2}, {isTxClkm, "TX_CLKM_CONF", 2},
		{isRxClkmDiv, "RX_CLKM_DIV_CONF", 0x200}, {isTxClkmDiv, "TX_CLKM_DIV_CONF", 0x200},
		{isPCM2PDM, "TX_PCM2PDM_CONF", 0x4aa004}, {isPCM2PDM1, "TX_PCM2PDM_CONF1", 0x3f783c0},
		{isRxTDM, "RX_TDM_CTRL", 0xffff}, {isTxTDM, "TX_TDM_CTRL", 0xffff}, {0x58, "RX_TIMING", 0},
		{0x5c, "TX_TIMING", 0}, {0x60, "LC_HUNG_CONF", 0x810}, {isRxEOFNum, "RXEOF_NUM", 0x40},
		{isSingleData, "CONF_SIGLE_DATA", 0}, {isState, "STATE", 1}, {0x80, "DATE", 0x2007220},
	})
	p.unmodelled(isTxConf, isPCMBypass, isPCMBypass)
	p.unmodelled(isRxConf, isPCMBypass, isPCMBypass)
	p.tx.init(p, isTxConf, sigI2SOBCK, sigI2SOWS, p.txFrameEnd)
	p.rx.init(p, isRxConf, sigI2SIBCK, sigI2SIWS, p.rxFrameEnd)
	g := c.gpio
	g.lazily(sigI2SOSD, p.sdLevel, p.tx.watch)
	g.observe(sigI2SISD, p.sdChanged)
	g.observe(sigI2SIBCK, p.rxClock)
	g.observe(sigI2SOBCK, p.txClock)
	return p
}

func (p *i2s) read(off uint32) uint32 {
	switch off {
	case isIntRaw:
		return p.intr.Raw
	case isIntSt:
		return p.intr.status()
	case isIntEna:
		return p.intr.Ena
	case isIntClr:
		return 0
	case isState:
		if p.tx.s.On {
			return 0
		}
		return 1
	}
	return p.block.read(off)
}

func (p *i2s) write(off, v uint32) {
	switch off {
	case isIntEna:
		p.intr.enable(v & isIntAll)
	case isIntClr:
		p.intr.clear(v)
	case isIntRaw, isIntSt, isState:
	case isTxConf, isRxConf:
		p.block.write(off, v&^uint32(isReset|isFIFOReset|isUpdate))
		u := &p.tx
		if off == isRxConf {
			u = &p.rx
		}
		if v&isReset != 0 {
			u.stop()
		}
		if v&isFIFOReset != 0 && u == &p.rx {
			p.s.EOF, p.s.Over, p.s.InBits = 0, 0, 0
		}
		p.startStop(u)
	case isTxClkm, isRxClkm:
		p.block.write(off, v)
		p.startStop(&p.tx)
		p.startStop(&p.rx)
	default:
		p.block.write(off, v)
	}
}

func (p *i2s) has(reg, bit uint32) bool { return p.get(reg)&bit != 0 }

// startStop follows TX_START or RX_START and the clock gate.
func (p *i2s) startStop(u *i2sUnit) {
	want := p.has(u.conf, isStart) && p.has(u.clkm(), isClkActive)
	if u == &p.rx && !want && p.has(isRxConf, isStart) && p.has(isRxConf, isSlave) {
		want = true // clocked from outside
	}
	switch {
	case !want:
		if u.s.On && u == &p.rx {
			u.stop()
			p.intr.raise(isRxDone)
		} else if u.s.On {
			u.s.Stopping = true // after the frame
		}
	case u.s.On:
		u.s.Stopping = false
	case u.s.Ended: // stopped by itself: START must fall first
	case u == &p.tx:
		p.txStart()
	default:
		p.rxStart()
	}
	if !p.has(u.conf, isStart) {
		u.s.Ended = false
	}
}

// now returns the present, or the instant of the step that is being done.
func (p *i2s) now() chip.Time {
	if p.at != 0 {
		return p.at
	}
	return p.soc.m.Now()
}

func (p *i2s) reset() {
	p.block.reset()
	p.intr.reset(0)
	p.tx.stop()
	p.rx.stop()
	p.tx.s.Ended, p.rx.s.Ended = false, false
	p.s.InBits, p.s.EOF, p.s.Over = 0, 0, 0
}

func (p *i2s) state(s *chip.State) {
	s.Fixed(&p.words, &p.intr.Raw, &p.intr.Ena, &p.tx.s, &p.rx.s, &p.s)
}
