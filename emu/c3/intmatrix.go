package c3

import (
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// Interrupt sources, TRM 8.3.1: the index of the source's MAP register.
const (
	srcWiFiMAC        = 0
	srcWiFiPWR        = 2
	srcUHCI0          = 15
	srcGPIO           = 16
	srcGPIONMI        = 17
	srcSPI1           = 18
	srcSPI2           = 19
	srcI2S0           = 20
	srcUART0          = 21
	srcUART1          = 22
	srcLEDC           = 23
	srcEFuse          = 24
	srcI2C0           = 29
	srcTWAI           = 25
	srcUSBSerialJTAG  = 26
	srcRTC            = 27
	srcRMT            = 28
	srcTIMG0T0        = 32
	srcTIMG0WDT       = 33
	srcTIMG1T0        = 34
	srcTIMG1WDT       = 35
	srcCacheIA        = 36
	srcSystimer0      = 37
	srcAPBSARADC      = 43
	srcGDMA0          = 44
	srcRSA            = 47
	srcAES            = 48
	srcSHA            = 49
	srcFromCPU0       = 50
	srcAssistDebug    = 54
	srcDMAPMS         = 55 // and IRAM0, DRAM0, PIF
	srcCacheAccess    = 61
	sources           = 62
	lines             = 32
	regSourceStatus0  = 0xf8
	regSourceStatus1  = 0xfc
	regIntClockGate   = 0x100
	regCPUIntEnable   = 0x104
	regCPUIntType     = 0x108
	regCPUIntClear    = 0x10c
	regCPUIntEIP      = 0x110
	regCPUIntPri0     = 0x114
	regCPUIntThresh   = 0x194
	regIntMatrixDate  = 0x7fc
	intMatrixDateC3   = 0x2007210
	lastPriorityReg   = regCPUIntPri0 + 4*(lines-1)
	lastSourceMapping = 4 * (sources - 1)
)

// line is an interrupt source of a hardware block, as a level.
type line struct {
	matrix *intMatrix
	source uint
}

func (l *line) set(level bool) { l.matrix.setSource(l.source, level) }

func (l *line) high() bool { return l.matrix.s.Raw>>l.source&1 != 0 }

// intMatrix is INTERRUPT_CORE0, TRM 8: it maps 62 sources to 31 CPU lines, each
// with an enable bit, a type (level or edge) and a priority, and presents the
// line of highest priority that passes the threshold to the CPU.
//
// Every write that can change the result takes effect at once: FreeRTOS raises
// the threshold for a critical section and would lose wake-ups if the change
// took effect some instructions later.
type intMatrix struct {
	block
	s struct {
		Raw     uint64 // level of each source, live
		Latched uint32 // edge lines that have seen a rising edge
		Level   uint32 // level of each line, before enable
	}
	request func(line uint32) // presents a line to the CPU; 0 is none
}

func newIntMatrix(request func(uint32)) *intMatrix {
	m := &intMatrix{request: request}
	m.block = newBlock("INTERRUPT_CORE0", 0x600c2000, []reg{
		{regSourceStatus0, "INTR_STATUS_0", 0},
		{regSourceStatus1, "INTR_STATUS_1", 0},
		{regIntClockGate, "CLOCK_GATE", 1},
		{regCPUIntEnable, "CPU_INT_ENABLE", 0},
		{regCPUIntType, "CPU_INT_TYPE", 0},
		{regCPUIntClear, "CPU_INT_CLEAR", 0},
		{regCPUIntEIP, "CPU_INT_EIP_STATUS", 0},
		{regCPUIntThresh, "CPU_INT_THRESH", 0},
		{regIntMatrixDate, "INTERRUPT_DATE", intMatrixDateC3},
	})
	m.know(0, lastSourceMapping)
	m.know(regCPUIntPri0, lastPriorityReg)
	return m
}

// source returns the line that a hardware block raises its interrupt on.
func (m *intMatrix) source(n uint) *line { return &line{m, n} }

func (m *intMatrix) setSource(n uint, level bool) {
	bit := uint64(1) << n
	if (m.s.Raw&bit != 0) == level {
		return
	}
	m.s.Raw ^= bit
	m.update()
}

// update recomputes the line levels from the sources, latches rising edges and
// presents the line to the CPU.
func (m *intMatrix) update() {
	var level uint32
	for raw := m.s.Raw; raw != 0; raw &= raw - 1 {
		level |= 1 << (m.words[bits.TrailingZeros64(raw)] & 31)
	}
	level &^= 1 // unused sources are mapped to line 0
	edge := m.words[regCPUIntType>>2]
	m.s.Latched = (m.s.Latched | level&^m.s.Level) & edge
	m.s.Level = level
	m.request(m.best())
}

// pending returns the requesting lines, before enable and priority.
func (m *intMatrix) pending() uint32 {
	edge := m.words[regCPUIntType>>2]
	return m.s.Level&^edge | m.s.Latched&edge
}

// best returns the enabled pending line of highest priority that reaches the
// threshold; of equal ones the lowest number.
func (m *intMatrix) best() uint32 {
	var line, highest uint32
	threshold := m.words[regCPUIntThresh>>2] & 15
	for p := m.pending() & m.words[regCPUIntEnable>>2]; p != 0; p &= p - 1 {
		n := uint32(bits.TrailingZeros32(p))
		prio := m.words[regCPUIntPri0>>2+n] & 15
		if prio > highest && prio >= threshold {
			line, highest = n, prio
		}
	}
	return line
}

func (m *intMatrix) read(off uint32) uint32 {
	switch off {
	case regSourceStatus0:
		// The current level of the source, regardless of its mapping: esp-hal
		// uses it to find the handlers to call.
		return uint32(m.s.Raw)
	case regSourceStatus1:
		return uint32(m.s.Raw >> 32)
	case regCPUIntEIP:
		return m.pending() & m.words[regCPUIntEnable>>2]
	case regCPUIntClear:
		return 0
	}
	return m.block.read(off)
}

func (m *intMatrix) write(off, v uint32) {
	switch {
	case off <= lastSourceMapping:
		v &= 31
	case off == regCPUIntClear:
		m.s.Latched &^= v // no effect on level lines
		v = 0
	case off == regSourceStatus0 || off == regSourceStatus1 || off == regCPUIntEIP:
		return
	}
	m.block.write(off, v)
	m.update()
}

func (m *intMatrix) reset() {
	m.block.reset()
	m.s.Latched, m.s.Level = 0, 0
	m.update()
}

func (m *intMatrix) state(s *chip.State) { s.Fixed(&m.words, &m.s) }
