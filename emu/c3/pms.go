package c3

import (
	"encoding/binary"
	"strings"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// SENSITIVE registers, TRM 14: the split lines of the internal SRAM, permissions
// of the areas between them, and the monitors that record a violation.
const (
	pmsDMAMonitor   = 0x080 // _0: lock, _1: clear and enable, _2 and _3: what happened
	pmsLineID       = 0x094 // between instructions and data; the other lines follow
	pmsIRAM         = 0x0b0 // CORE_X_IRAM0_PMS_CONSTRAIN_2: world 0
	pmsIRAMMonitor  = 0x0b4
	pmsDRAM         = 0x0c4
	pmsDRAMMonitor  = 0x0c8
	pmsPIF          = 0x0dc // CORE_0_PIF_PMS_CONSTRAIN_1 to 4: world 0
	pmsRTCFastLine  = 0x0fc
	pmsRTCFast      = 0x100
	pmsPIFMonitor   = 0x130
	pmsLineUnit     = 9 // a line lies between units of 512 bytes
	pmsSegment      = 128 << 10
	pmsMonitorClear = 1 << 0
	pmsMonitorOn    = 1 << 1

	// Bits of a peripheral and of the RTC memory: not those of SRAM, which has
	// rv32.Read, Write and Exec.
	pifWrite = 1 << 0
	pifRead  = 1 << 1
	pifFetch = 1 << 2

	// Addresses in the monitors count words from here.
	pmsIRAMBase = 0x40000000
	pmsDRAMBase = 0x3c000000

	pmsWorld0 = 1 // as a monitor reports it
)

// pifFields places the peripherals in CORE_0_PIF_PMS_CONSTRAIN_1 to 4: the page
// of the block, and the number of its two bits, counted over all four.
var pifFields = map[uint32]uint{
	0x60000: 0, 0x60002: 1, 0x60003: 2, 0x60004: 3, 0x60005: 4, 0x60006: 5, 0x60008: 7, 0x60009: 8, 0x6000e: 13, 0x60010: 15,
	0x60011: 16, 0x60013: 18, 0x60014: 19, 0x60016: 21, 0x60019: 24, 0x6001d: 27, 0x6001f: 29, 0x60020: 30, 0x60023: 31,
	0x60024: 32, 0x60026: 34, 0x6002b: 37, 0x6002d: 39, 0x60031: 43, 0x60033: 45, 0x60034: 45, 0x60035: 46,
	0x6003a: 50, 0x6003b: 50, 0x6003c: 50, 0x6003d: 50, 0x6003e: 50, 0x6003f: 51, 0x60040: 52, 0x60043: 55,
	0x600c0: 56, 0x600c1: 57, 0x600c2: 58, 0x600c4: 60, 0x600c5: 60, 0x600ce: 61, 0x600cf: 62, 0x600d0: 63,
}

// dmaConstrain is the register with the permissions of a peripheral of the GDMA, 0
// where it needs none.
var dmaConstrain = [dmaPeripherals + 1]uint32{dmaSPI2: 0x03c, dmaUHCI0: 0x044, dmaI2S0: 0x04c, dmaAES: 0x06c, dmaSHA: 0x074, dmaADC: 0x07c}

// sensitive is SENSITIVE, TRM 14: the permission control. The CPU is in world 0
// always: the block that changes worlds is not modelled. A refused load reads
// zero, a refused store has no effect, a refused fetch is an exception; the
// first violation since the monitor was cleared is recorded and raises its
// interrupt.
//
// Memory is mapped in pages of 4 KiB. In a page with a split line loads and
// stores are checked one by one, and fetching is permitted when one of the
// areas permits it.
type sensitive struct {
	block
	soc     *soc
	lines   [4]*line // DMA, IRAM0, DRAM0, PIF
	lockOf  [1024]uint32
	refuses bool // some access to a peripheral may be refused
	mapped  [pmsMemories][sram1Size / rv32.PageSize]rv32.Perm
	by      [9]uint32 // the registers by which mapped was computed
	dmaOpen [dmaPeripherals + 1]bool
}

// pmsMonitors are the monitors' first registers, in the order of their interrupt
// sources.
var pmsMonitors = [4]uint32{pmsDMAMonitor, pmsIRAMMonitor, pmsDRAMMonitor, pmsPIFMonitor}

func newSensitive(c *soc) *sensitive {
	s := &sensitive{soc: c}
	s.block = newBlock("SENSITIVE", 0x600c1000, sensitiveRegs())
	for i := range s.lines {
		s.lines[i] = c.intc.source(srcDMAPMS + uint(i))
	}
	// Each group of registers has a lock: the one that ends in _LOCK or _0.
	locks := map[string]uint32{}
	for _, r := range s.table {
		name := strings.TrimSuffix(r.name, "_LOCK")
		if name == r.name {
			name = strings.TrimSuffix(r.name, "_0")
		}
		if name != r.name {
			locks[name] = r.off
		}
	}
	for _, r := range s.table {
		s.lockOf[r.off>>2] = ^uint32(0)
		name := r.name
		if i := strings.LastIndexByte(name, '_'); i > 0 && name[i+1] >= '0' && name[i+1] <= '9' {
			name = name[:i]
		}
		if lock, ok := locks[name]; ok {
			s.lockOf[r.off>>2] = lock
		}
	}
	return s
}

func (s *sensitive) write(off, v uint32) {
	if lock := s.lockOf[off>>2]; lock != ^uint32(0) && s.get(lock)&1 != 0 {
		return
	}
	s.soc.spi2.split()
	for i, m := range pmsMonitors {
		switch off {
		case m + 4:
			s.block.write(off, v&3)
			if v&pmsMonitorClear != 0 {
				s.set(m+8, 0)
				s.set(m+12, s.get(m+12)&^s.statusBits(i))
				s.lines[i].set(false)
			}
			return
		case m + 8, m + 12:
			if off == m+8 || m != pmsIRAMMonitor { // which has one word of status
				return
			}
		}
	}
	s.block.write(off, v)
	s.apply()
}

// statusBits are those of the second word of status of monitor i.
func (s *sensitive) statusBits(i int) uint32 {
	if pmsMonitors[i] == pmsIRAMMonitor {
		return 0
	}
	return ^uint32(0)
}

// violation records what monitor i has seen, unless it has recorded something.
func (s *sensitive) violation(i int, status, more uint32) {
	m := pmsMonitors[i]
	if ctl := s.get(m + 4); ctl&pmsMonitorOn == 0 || ctl&pmsMonitorClear != 0 || s.get(m+8)&1 != 0 {
		return
	}
	s.set(m+8, status|1)
	if s.statusBits(i) != 0 {
		s.set(m+12, more)
	}
	s.lines[i].set(true)
}

// line returns the offset in SRAM1 of a split line. A segment is below the line,
// has it (category 1 or 2), or is above it (3).
func (s *sensitive) line(n uint32) uint32 {
	v := s.get(pmsLineID + 4*n)
	for i := range uint32(sram1Size / pmsSegment) {
		switch v >> (2 * i) & 3 {
		case 1, 2:
			return i*pmsSegment + field(v, 21, 14)<<pmsLineUnit
		case 3:
			return i * pmsSegment
		}
	}
	return sram1Size
}

// iram returns the permissions of an offset in SRAM1 on the instruction bus.
func (s *sensitive) iram(off uint32) rv32.Perm {
	area := uint32(2)
	switch {
	case off >= s.line(0):
		area = 3
	case off < s.line(1):
		area = 0
	case off < s.line(2):
		area = 1
	}
	return rv32.Perm(s.get(pmsIRAM) >> (3 * area) & 7)
}

// dram returns the permissions of an offset in SRAM1 on the data bus, or of a
// DMA, as a register has them.
func (s *sensitive) dram(off, reg uint32) rv32.Perm {
	area := uint32(3)
	switch {
	case off < s.line(0):
		area = 0
	case off < s.line(3):
		area = 1
	case off < s.line(4):
		area = 2
	}
	return rv32.Perm(s.get(reg) >> (2 * area) & 3)
}

// rtcFast returns the permissions of an offset in the RTC memory.
func (s *sensitive) rtcFast(off uint32) (p rv32.Perm) {
	bits := s.get(pmsRTCFast)
	if off >= field(s.get(pmsRTCFastLine), 10, 0)<<2 {
		bits >>= 3
	}
	for bit, perm := range map[uint32]rv32.Perm{pifWrite: rv32.Write, pifRead: rv32.Read, pifFetch: rv32.Exec} {
		if bits&bit != 0 {
			p |= perm
		}
	}
	return p
}

// memories that have permissions.
func (s *sensitive) memories() [pmsMemories]protected {
	c := s.soc
	return [pmsMemories]protected{
		{sram0Base, c.sram0, 1, func(uint32) rv32.Perm { return rv32.Perm(field(s.get(pmsIRAM), 14, 12)) }},
		{sram1Code, c.sram1, 1, s.iram},
		{sram1Data, c.sram1, 2, func(off uint32) rv32.Perm { return s.dram(off, pmsDRAM) }},
		{rtcFastBase, c.rtcFast, 3, s.rtcFast},
	}
}

const pmsMemories = 4

// protected is a memory in the address space of the CPU.
type protected struct {
	base    uint32
	bank    *rv32.Bank
	monitor int
	perm    func(off uint32) rv32.Perm
}

// apply maps the memories with their permissions.
func (s *sensitive) apply() {
	s.refuses = false
	for _, n := range pifFields {
		s.refuses = s.refuses || s.pif(n) != pifRead|pifWrite
	}
	for p, reg := range dmaConstrain {
		s.dmaOpen[p] = reg == 0 || s.get(reg)&0xff == 0xff
	}
	by := [9]uint32{s.get(pmsLineID), s.get(pmsLineID + 4), s.get(pmsLineID + 8), s.get(pmsLineID + 12), s.get(pmsLineID + 16),
		s.get(pmsIRAM), s.get(pmsDRAM), s.get(pmsRTCFastLine), s.get(pmsRTCFast)}
	if s.by == by {
		return
	}
	s.by = by
	mem := s.soc.m.CPU.Memory()
	for n, p := range s.memories() {
		for page := uint32(0); page < p.bank.Size(); page += rv32.PageSize {
			all, any := rv32.Read|rv32.Write, rv32.Perm(0)
			for off := page; off < page+rv32.PageSize; off += 1 << pmsLineUnit {
				perm := p.perm(off)
				all, any = all&perm, any|perm
			}
			perm := all | any&rv32.Exec
			old := &s.mapped[n][page/rv32.PageSize]
			if *old == perm && perm != 0 {
				continue
			}
			*old = perm
			mem.Map(p.base+page, p.bank, page, rv32.PageSize, perm)
		}
	}
}

// pif returns the permissions of the peripheral with number n.
func (s *sensitive) pif(n uint) uint32 { return s.get(pmsPIF+4*uint32(n/16)) >> (n % 16 * 2) & 3 }

// peripheral reports whether the CPU may access a register; the bus calls it
// while refuses is set.
func (s *sensitive) peripheral(addr uint32, size int, write bool) bool {
	n, ok := pifFields[addr>>12]
	need := uint32(pifRead)
	if write {
		need = pifWrite
	}
	if !ok || s.pif(n)&need != 0 {
		return true
	}
	s.refusePIF(addr, size, write, false)
	return false
}

func (s *sensitive) refusePIF(addr uint32, size int, write, fetch bool) {
	status := uint32(size>>1)<<2 | pmsWorld0<<6
	if write {
		status |= 1 << 5
	}
	if !fetch {
		status |= 1 << 1 // HPORT_0: data
	}
	s.violation(3, status, addr)
}

// refuse records a violation at addr, in the memory of a monitor.
func (s *sensitive) refuse(p *protected, addr uint32, size int, write, fetch bool) {
	wr := uint32(0)
	if write {
		wr = 1
	}
	switch p.monitor {
	case 1:
		data := uint32(1)
		if fetch {
			data = 0
		}
		s.violation(1, wr<<1|data<<2|pmsWorld0<<3|(addr-pmsIRAMBase)>>2<<5, 0)
	case 2:
		s.violation(2, pmsWorld0<<2|(addr-pmsDRAMBase)>>2<<4, wr|(1<<size-1)<<(addr&3)<<1)
	case 3:
		s.refusePIF(addr, size, write, fetch)
	}
}

// access performs a load or store that the mapping of its page does not permit.
// ok is false at an address without memory.
func (s *sensitive) access(addr uint32, size int, store bool, v uint32) (uint32, bool) {
	for _, p := range s.memories() {
		off := addr - p.base
		if off >= p.bank.Size() {
			continue
		}
		need := rv32.Read
		if store {
			need = rv32.Write
		}
		if p.perm(off)&need == 0 {
			s.refuse(&p, addr, size, store, false)
			return 0, true
		}
		var b [4]byte
		if !store {
			p.bank.Read(off, b[:size])
			return binary.LittleEndian.Uint32(b[:]), true
		}
		binary.LittleEndian.PutUint32(b[:], v)
		p.bank.Write(off, b[:size])
		return 0, true
	}
	return 0, false
}

// fetch records an instruction that cannot be fetched at addr.
func (s *sensitive) fetch(addr uint32) {
	for _, p := range s.memories() {
		if off := addr - p.base; off < p.bank.Size() {
			s.refuse(&p, addr, 4, false, true)
		}
	}
}

// dma reports whether the GDMA may access n bytes of SRAM1 for a peripheral.
func (s *sensitive) dma(p dmaPeripheral, addr, n uint32, write bool) bool {
	if p > dmaPeripherals || s.dmaOpen[p] {
		return true
	}
	reg := dmaConstrain[p]
	need := rv32.Read
	if write {
		need = rv32.Write
	}
	for at := addr; at < addr+n; at = at&^(1<<pmsLineUnit-1) + 1<<pmsLineUnit {
		if s.dram(at-sram1Data, reg)&need == 0 {
			wr := uint32(0)
			if write {
				wr = 1
			}
			s.violation(0, pmsWorld0<<1|(at-pmsDRAMBase)>>2<<3, wr|0xf<<1)
			return false
		}
	}
	return true
}

func (s *sensitive) reset() {
	s.block.reset()
	for _, l := range s.lines {
		l.set(false)
	}
	s.apply()
}

func (s *sensitive) state(st *chip.State) {
	st.Fixed(&s.words)
	if st.Loading() {
		s.apply()
	}
}
