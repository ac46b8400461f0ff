package c3

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// EXTMEM registers, TRM 3.3.3 and 14 (names as in the vendor's register
// header: the manual leaves the cache to software).
const (
	exCtrl        = 0x00
	exCtrl1       = 0x04
	exLockCtrl    = 0x1c
	exSyncCtrl    = 0x28
	exPreload     = 0x34
	exAutoload    = 0x40
	exIlgEna      = 0x78
	exIlgClr      = 0x7c
	exIlgSt       = 0x80
	exAcsEna      = 0x84
	exAcsClr      = 0x88
	exAcsSt       = 0x8c
	exMMUFault    = 0xa0
	exMMUFaultVA  = 0xa4
	exCacheState  = 0xb0
	exFreeze      = 0xcc
	exEnable      = 1 << 0
	exShutIbus    = 1 << 0
	exShutDbus    = 1 << 1
	exMMUFaultBit = 1 << 5
	exIlgAll      = 1<<9 - 1

	// Bits of the CORE0_ACS_CACHE_INT registers.
	exAcsIbusShut  = 1 << 0
	exAcsIbusWrite = 1 << 1
	exAcsDbusShut  = 1 << 3
	exAcsDbusWrite = 1 << 5
	exAcsAll       = 1<<6 - 1
)

// The flash windows, TRM 3.3.3. One table of 128 entries serves both: the
// entry of an address is (address & 7fffff) / 64 KiB.
const (
	dromBase   = 0x3c000000
	iromBase   = 0x42000000
	windowSize = 8 << 20
	mmuPage    = 64 << 10
	mmuEntries = 128
	mmuInvalid = 1 << 8
	mmuBase    = 0x600c5000
)

// extmem is EXTMEM, the cache in front of the flash. The cache holds nothing
// of its own: an access through a window sees the flash as it is, a lock, a
// preload and an invalidation are done at once. What matters is who may see
// which page: the MMU table, the enable bit and the two shut bits.
type extmem struct {
	block
	soc   *soc
	mmu   mmu
	crypt flashView
	line  *line
	acs   *line
	s     struct {
		IbusOpen, DbusOpen bool
		Fault              uint32 // ILG_INT_ST
		Access             uint32 // CORE0_ACS_CACHE_INT_ST
	}
}

// mmu is the table at 600C5000.
type mmu struct {
	block
	cache *extmem
}

func newExtmem(c *soc) *extmem {
	x := &extmem{soc: c}
	x.crypt.cache = x
	x.line, x.acs = c.intc.source(srcCacheIA), c.intc.source(srcCacheAccess)
	x.block = newBlock("EXTMEM", 0x600c4000, []reg{
		{exCtrl, "ICACHE_CTRL", 0}, {exCtrl1, "ICACHE_CTRL1", 3}, {0x08, "ICACHE_TAG_POWER_CTRL", 5}, {0x0c, "ICACHE_PRELOCK_CTRL", 0},
		{0x10, "ICACHE_PRELOCK_SCT0_ADDR", 0}, {0x14, "ICACHE_PRELOCK_SCT1_ADDR", 0}, {0x18, "ICACHE_PRELOCK_SCT_SIZE", 0},
		{exLockCtrl, "ICACHE_LOCK_CTRL", 4}, {0x20, "ICACHE_LOCK_ADDR", 0}, {0x24, "ICACHE_LOCK_SIZE", 0}, {exSyncCtrl, "ICACHE_SYNC_CTRL", 2},
		{0x2c, "ICACHE_SYNC_ADDR", 0}, {0x30, "ICACHE_SYNC_SIZE", 0}, {exPreload, "ICACHE_PRELOAD_CTRL", 2}, {0x38, "ICACHE_PRELOAD_ADDR", 0},
		{0x3c, "ICACHE_PRELOAD_SIZE", 0}, {exAutoload, "ICACHE_AUTOLOAD_CTRL", 8}, {0x44, "ICACHE_AUTOLOAD_SCT0_ADDR", 0},
		{0x48, "ICACHE_AUTOLOAD_SCT0_SIZE", 0}, {0x4c, "ICACHE_AUTOLOAD_SCT1_ADDR", 0}, {0x50, "ICACHE_AUTOLOAD_SCT1_SIZE", 0},
		{0x54, "IBUS_TO_FLASH_START_VADDR", iromBase}, {0x58, "IBUS_TO_FLASH_END_VADDR", iromBase + windowSize - 1},
		{0x5c, "DBUS_TO_FLASH_START_VADDR", dromBase}, {0x60, "DBUS_TO_FLASH_END_VADDR", dromBase + windowSize - 1},
		{0x64, "CACHE_ACS_CNT_CLR", 0}, {0x78, "CACHE_ILG_INT_ENA", 0}, {exIlgClr, "CACHE_ILG_INT_CLR", 0}, {exIlgSt, "CACHE_ILG_INT_ST", 0},
		{0x84, "CORE0_ACS_CACHE_INT_ENA", 0}, {0x88, "CORE0_ACS_CACHE_INT_CLR", 0}, {0x8c, "CORE0_ACS_CACHE_INT_ST", 0},
		{0x90, "CORE0_DBUS_REJECT_ST", 0}, {0x94, "CORE0_DBUS_REJECT_VADDR", 0xffffffff}, {0x98, "CORE0_IBUS_REJECT_ST", 0},
		{0x9c, "CORE0_IBUS_REJECT_VADDR", 0xffffffff}, {exMMUFault, "CACHE_MMU_FAULT_CONTENT", 0}, {exMMUFaultVA, "CACHE_MMU_FAULT_VADDR", 0},
		{0xa8, "CACHE_WRAP_AROUND_CTRL", 0}, {0xac, "CACHE_MMU_POWER_CTRL", 5}, {exCacheState, "CACHE_STATE", 1},
		{0xb4, "CACHE_ENCRYPT_DECRYPT_RECORD_DISABLE", 0}, {0xb8, "CACHE_ENCRYPT_DECRYPT_CLK_FORCE_ON", 7}, {0xbc, "CACHE_PRELOAD_INT_CTRL", 0},
		{0xc0, "CACHE_SYNC_INT_CTRL", 1}, {0xc4, "CACHE_MMU_OWNER", 0}, {0xc8, "CACHE_CONF_MISC", 7}, {exFreeze, "ICACHE_FREEZE", 0},
		{0xd0, "ICACHE_ATOMIC_OPERATE_ENA", 1}, {0xd4, "CACHE_REQUEST", 0},
		{0xe0, "IBUS_PMS_TBL_BOUNDARY1", 0x800}, {0xe4, "IBUS_PMS_TBL_BOUNDARY2", 0x800}, {0xe8, "IBUS_PMS_TBL_ATTR", 0xff},
		{0xf4, "DBUS_PMS_TBL_BOUNDARY1", 0x800}, {0xf8, "DBUS_PMS_TBL_BOUNDARY2", 0x800}, {0xfc, "DBUS_PMS_TBL_ATTR", 0xf}, {0x100, "CLOCK_GATE", 1}, {0x3fc, "DATE", 0x2007160},
	})
	x.mmu.cache = x
	x.mmu.block = newBlock("MMU_TABLE", mmuBase, nil)
	x.mmu.know(0, 4*(mmuEntries-1))
	for i := range mmuEntries {
		x.mmu.words[i] = mmuInvalid
	}
	return x
}

func (x *extmem) write(off, v uint32) {
	switch off {
	case exLockCtrl:
		v = v&^3 | 1<<2
	case exSyncCtrl:
		v = v&^1 | 1<<1 // INVALIDATE_ENA clears itself when it is done
	case exPreload:
		v = v&^1 | 1<<1
	case exAutoload:
		v |= 1 << 3
	case exFreeze:
		v = v&3 | v&1<<2
	case exIlgEna:
		x.block.write(off, v&exIlgAll)
		x.update()
		return
	case exIlgClr:
		x.s.Fault &^= v
		x.update()
		if v&exMMUFaultBit != 0 {
			x.set(exMMUFault, 0)
			x.set(exMMUFaultVA, 0)
		}
		return
	case exAcsEna:
		x.block.write(off, v&exAcsAll)
		x.update()
		return
	case exAcsClr:
		x.s.Access &^= v
		x.update()
		return
	case exCacheState, exIlgSt, exMMUFault, exMMUFaultVA, exAcsSt, 0x90, 0x94, 0x98, 0x9c:
		return
	}
	x.block.write(off, v)
	if off == exCtrl || off == exCtrl1 {
		x.open()
	}
}

func (x *extmem) read(off uint32) uint32 {
	switch off {
	case exIlgSt:
		return x.s.Fault
	case exAcsSt:
		return x.s.Access
	}
	return x.block.read(off)
}

// open maps or unmaps the windows after a change of enable or shut bits.
func (x *extmem) open() {
	on := x.get(exCtrl)&exEnable != 0
	ibus := on && x.get(exCtrl1)&exShutIbus == 0
	dbus := on && x.get(exCtrl1)&exShutDbus == 0
	if ibus != x.s.IbusOpen {
		x.s.IbusOpen = ibus
		x.mapWindow(iromBase, ibus)
	}
	if dbus != x.s.DbusOpen {
		x.s.DbusOpen = dbus
		x.mapWindow(dromBase, dbus)
	}
}

func (x *extmem) mapWindow(base uint32, open bool) {
	for n := range uint32(mmuEntries) {
		if x.mmu.words[n]&mmuInvalid == 0 {
			x.mapPage(base, n, open)
		}
	}
}

// mapPage shows or hides the page of entry n in one window. The flash ignores
// address bits beyond its size.
func (x *extmem) mapPage(base, n uint32, open bool) {
	mem := x.soc.m.CPU.Memory()
	entry := x.mmu.words[n]
	if !open || entry&mmuInvalid != 0 {
		mem.Unmap(base+n*mmuPage, mmuPage)
		return
	}
	page := entry & 0xff & (x.soc.flashBank.Size()/mmuPage - 1)
	mem.Map(base+n*mmuPage, x.crypt.view(page), page*mmuPage, mmuPage, rv32.Read|rv32.Exec)
}

// remap shows every window as registers and table say, after a snapshot.
func (x *extmem) remap() {
	for n := range uint32(mmuEntries) {
		x.mapPage(iromBase, n, x.s.IbusOpen)
		x.mapPage(dromBase, n, x.s.DbusOpen)
	}
}

// fault records an access to a window: a store, which the cache never takes, one
// while the window is shut, or one that the MMU table maps to nothing.
func (x *extmem) fault(addr uint32, store bool) {
	open, bit := x.s.IbusOpen, uint32(exAcsIbusShut)
	if addr-dromBase < windowSize {
		open, bit = x.s.DbusOpen, exAcsDbusShut
	}
	entry := x.mmu.words[addr&(windowSize-1)/mmuPage]
	switch {
	case store && bit == exAcsIbusShut:
		bit = exAcsIbusWrite
	case store:
		bit = exAcsDbusWrite
	}
	if store || !open {
		x.s.Access |= bit
		x.update()
	}
	if !open || entry&mmuInvalid == 0 {
		return
	}
	x.s.Fault |= exMMUFaultBit
	x.set(exMMUFault, entry)
	x.set(exMMUFaultVA, addr)
	x.update()
}

// update drives the interrupts of faults, CACHE_IA and CACHE_CORE0_ACS.
func (x *extmem) update() {
	x.line.set(x.s.Fault&x.get(exIlgEna) != 0)
	x.acs.set(x.s.Access&x.get(exAcsEna) != 0)
}

// reset leaves the MMU table as it is: it is memory, software clears it.
func (x *extmem) reset() {
	x.block.reset()
	x.s.Fault, x.s.Access = 0, 0
	x.update()
	x.open()
	x.crypt.update()
}

func (x *extmem) state(s *chip.State) {
	s.Fixed(&x.words, &x.s, &x.mmu.words)
	if s.Loading() {
		x.crypt.forget()
		x.remap()
	}
}

func (t *mmu) write(off, v uint32) {
	n := off / 4
	if n >= mmuEntries {
		t.block.write(off, v)
		return
	}
	v &= 0x1ff
	if t.words[n] == v {
		return
	}
	t.words[n] = v
	t.cache.mapPage(iromBase, n, t.cache.s.IbusOpen)
	t.cache.mapPage(dromBase, n, t.cache.s.DbusOpen)
}

func (t *mmu) reset() {}
