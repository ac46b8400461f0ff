package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// RMT registers, TRM 33.5. Channels 0 and 1 transmit, 2 and 3 receive.
const (
	rmtData0      = 0x00 // CHnDATA, +4n: the channel's memory as a FIFO
	rmtTxConf0    = 0x10 // CHnCONF0, +4n
	rmtRxConf0    = 0x18 // CHmCONF0, +8(m-2)
	rmtRxConf1    = 0x1c // CHmCONF1, +8(m-2)
	rmtTxStatus   = 0x28
	rmtRxStatus   = 0x30
	rmtIntRaw     = 0x38
	rmtIntSt      = 0x3c
	rmtIntEna     = 0x40
	rmtIntClr     = 0x44
	rmtCarrier    = 0x48 // CHnCARRIER_DUTY
	rmtRxCarrier  = 0x50 // CHm_RX_CARRIER_RM
	rmtTxLim      = 0x58
	rmtRxLim      = 0x60
	rmtSysConf    = 0x68
	rmtTxSim      = 0x6c
	rmtRefCntRst  = 0x70
	rmtDate       = 0xcc
	rmtRAM        = 0x400
	rmtBlockWords = 48
	rmtBlocks     = 4
	rmtWords      = rmtBlocks * rmtBlockWords

	rmtTxStart     = 1 << 0
	rmtTxMemRdRst  = 1 << 1
	rmtTxAPBRst    = 1 << 2
	rmtTxConti     = 1 << 3
	rmtTxWrap      = 1 << 4
	rmtTxIdleLevel = 1 << 5
	rmtTxIdleEn    = 1 << 6
	rmtTxStop      = 1 << 7
	rmtTxCarrierEn = 1 << 21
	rmtTxCarrierLv = 1 << 22
	rmtTxSelf      = rmtTxStart | rmtTxMemRdRst | rmtTxAPBRst | rmtTxStop | 1<<23 | 1<<24 // clear themselves

	rmtRxEn        = 1 << 0
	rmtRxMemWrRst  = 1 << 1
	rmtRxAPBRst    = 1 << 2
	rmtRxOwner     = 1 << 3
	rmtRxFilterEn  = 1 << 4
	rmtRxWrap      = 1 << 13
	rmtRxSelf      = rmtRxMemWrRst | rmtRxAPBRst | 1<<14 | 1<<15
	rmtRxCarrierEn = 1 << 28
	rmtRxCarrierLv = 1 << 29

	rmtLimLoopEn    = 1 << 19
	rmtLimLoopReset = 1 << 20
	rmtSimEn        = 1 << 2

	// Interrupts of channel 0; those of channel n are n bits higher, the ones of
	// receiving channels take the place of transmitting ones.
	rmtIntEnd  = 1 << 0
	rmtIntErr  = 1 << 4
	rmtIntThr  = 1 << 8
	rmtIntLoop = 1 << 12
)

// rmt is RMT, TRM 33: two channels that make pulse trains of their memory and
// two that write the pulses of an input into theirs. Registers are in force when
// they are written: the synchronization by CONF_UPDATE takes no time.
type rmt struct {
	block
	soc  *soc
	intr interrupts
	tx   [2]rmtTx
	rx   [2]rmtRx
}

func newRMT(c *soc) *rmt {
	r := &rmt{soc: c}
	r.intr.line = c.intc.source(srcRMT)
	r.block = newBlock("RMT", 0x60016000, []reg{
		{rmtData0, "CH0DATA", 0}, {rmtData0 + 4, "CH1DATA", 0}, {rmtData0 + 8, "CH2DATA", 0}, {rmtData0 + 12, "CH3DATA", 0},
		{rmtTxConf0, "CH0CONF0", 0x710200}, {rmtTxConf0 + 4, "CH1CONF0", 0x710200},
		{rmtRxConf0, "CH2CONF0", 0x30ffff02}, {rmtRxConf1, "CH2CONF1", 0x1e8}, {rmtRxConf0 + 8, "CH3CONF0", 0x30ffff02}, {rmtRxConf1 + 8, "CH3CONF1", 0x1e8},
		{rmtTxStatus, "CH0STATUS", 0}, {rmtTxStatus + 4, "CH1STATUS", 0}, {rmtRxStatus, "CH2STATUS", 0}, {rmtRxStatus + 4, "CH3STATUS", 0},
		{rmtIntRaw, "INT_RAW", 0}, {rmtIntSt, "INT_ST", 0}, {rmtIntEna, "INT_ENA", 0}, {rmtIntClr, "INT_CLR", 0},
		{rmtCarrier, "CH0CARRIER_DUTY", 0x400040}, {rmtCarrier + 4, "CH1CARRIER_DUTY", 0x400040},
		{rmtRxCarrier, "CH2_RX_CARRIER_RM", 0}, {rmtRxCarrier + 4, "CH3_RX_CARRIER_RM", 0},
		{rmtTxLim, "CH0_TX_LIM", 0x80}, {rmtTxLim + 4, "CH1_TX_LIM", 0x80}, {rmtRxLim, "CH2_RX_LIM", 0x80}, {rmtRxLim + 4, "CH3_RX_LIM", 0x80},
		{rmtSysConf, "SYS_CONF", 0x5000010}, {rmtTxSim, "TX_SIM", 0}, {rmtRefCntRst, "REF_CNT_RST", 0}, {rmtDate, "DATE", 0x2006231},
	})
	r.know(rmtRAM, rmtRAM+4*(rmtWords-1))
	r.mark(varies, rmtData0, rmtData0+4, rmtData0+8, rmtData0+12)
	r.mark(clocked, rmtIntRaw, rmtTxStatus, rmtTxStatus+4, rmtRxStatus, rmtRxStatus+4)
	for n := range r.tx {
		r.tx[n].init(r, n)
		r.rx[n].init(r, n)
	}
	return r
}

// spinLoad implements counter: the registers change when a pulse ends or begins.
func (r *rmt) spinLoad(off uint32, _ chip.Time) rv32.SpinValue { return spinConstant(r.read(off)) }

func (r *rmt) read(off uint32) uint32 {
	switch {
	case off < rmtTxConf0:
		return r.popData(off / 4)
	case off == rmtIntRaw:
		return r.intr.Raw
	case off == rmtIntSt:
		return r.intr.status()
	case off == rmtIntEna:
		return r.intr.Ena
	case off == rmtIntClr:
		return 0
	case off >= rmtTxStatus && off < rmtRxStatus:
		return r.tx[(off-rmtTxStatus)/4].status()
	case off >= rmtRxStatus && off < rmtIntRaw:
		return r.rx[(off-rmtRxStatus)/4].status()
	}
	return r.block.read(off)
}

func (r *rmt) write(off, v uint32) {
	switch {
	case off < rmtTxConf0:
		r.pushData(off/4, v)
	case off < rmtRxConf0:
		r.tx[(off-rmtTxConf0)/4].configure(v)
	case off < rmtTxStatus:
		ch := &r.rx[(off-rmtRxConf0)/8]
		if off&4 == 0 {
			r.set(off, v)
		} else {
			ch.configure(v)
		}
	case off < rmtIntRaw, off == rmtIntRaw, off == rmtIntSt:
	case off == rmtIntEna:
		r.intr.enable(v)
	case off == rmtIntClr:
		r.intr.clear(v)
	case off == rmtTxLim, off == rmtTxLim+4:
		if v&rmtLimLoopReset != 0 {
			r.tx[(off-rmtTxLim)/4].s.Loops = 0
		}
		r.set(off, v)
	default:
		r.block.write(off, v)
	}
}

// Channel memory by the FIFO registers: the pointers of the APB side.
func (r *rmt) pushData(n, v uint32) {
	if n < 2 {
		t := &r.tx[n].s
		r.setWord(n, t.APB, r.size(n), v)
		t.APB++
	}
}

func (r *rmt) popData(n uint32) uint32 {
	if n < 2 {
		return 0
	}
	x := &r.rx[n-2].s
	v := r.word(n, x.APB, r.size(n))
	x.APB++
	return v
}

// size returns the words of channel n's memory: MEM_SIZE blocks from its own on.
func (r *rmt) size(n uint32) uint32 {
	blocks := field(r.get(rmtTxConf0+4*n), 18, 16)
	if n >= 2 {
		blocks = field(r.get(rmtRxConf0+8*(n-2)), 25, 23)
	}
	return max(1, min(blocks, rmtBlocks-n)) * rmtBlockWords
}

func (r *rmt) word(n, at, size uint32) uint32 { return r.get(rmtRAM + 4*(n*rmtBlockWords+at%size)) }
func (r *rmt) setWord(n, at, size, v uint32)  { r.set(rmtRAM+4*(n*rmtBlockWords+at%size), v) }

// period is a length of time in 1/65536 of a guest tick.
type period uint64

func (p period) times(n uint64) chip.Duration { return chip.Duration(uint64(p) * n >> 16) }

// clock returns the period of RMT_SCLK.
func (r *rmt) clock() period {
	conf := r.get(rmtSysConf)
	hz := uint64(r.soc.apbHz())
	switch field(conf, 25, 24) {
	case 2:
		hz = rcFastHz
	case 3:
		hz = xtalHz
	}
	num, a, b := uint64(field(conf, 11, 4))+1, uint64(field(conf, 17, 12)), uint64(field(conf, 23, 18))
	if b == 0 {
		a, b = 0, 1
	}
	return period(max(1, (num*b+a)*(chip.TicksPerSecond<<16)/(hz*b)))
}

// divided returns the period of a channel's counter: DIV_CNT of 0 is 256.
func (r *rmt) divided(div uint32) period {
	if div &= 0xff; div == 0 {
		div = 256
	}
	return r.clock() * period(div)
}

func (r *rmt) reset() {
	ram := [rmtWords]uint32(r.words[rmtRAM>>2 : rmtRAM>>2+rmtWords])
	r.block.reset()
	copy(r.words[rmtRAM>>2:], ram[:]) // memory has no reset
	for n := range r.tx {
		r.tx[n].reset()
		r.rx[n].reset()
	}
	r.intr.reset(0)
}

func (r *rmt) state(s *chip.State) {
	s.Fixed(&r.words, &r.intr.Raw, &r.intr.Ena, &r.tx[0].s, &r.tx[1].s, &r.rx[0].s, &r.rx[1].s)
}
