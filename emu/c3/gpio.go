package c3

import (
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// GPIO registers, TRM 5.14.
const (
	gpBTSelect    = 0x00
	gpOut         = 0x04 // value, +4 W1TS, +8 W1TC
	gpSDIOSelect  = 0x1c
	gpEnable      = 0x20
	gpStrap       = 0x38
	gpIn          = 0x3c
	gpStatus      = 0x44
	gpPCPUInt     = 0x5c
	gpPCPUNMIInt  = 0x60
	gpCPUSDIOInt  = 0x64
	gpPin0        = 0x74 // PINn, +4n
	gpStatusNext  = 0x14c
	gpFuncInSel0  = 0x154 // FUNCn_IN_SEL_CFG, +4n
	gpFuncOutSel0 = 0x554 // FUNCn_OUT_SEL_CFG, +4n
	gpPins        = 22
	gpPinRegs     = 26
	gpPinMask     = 1<<gpPins - 1
	gpRegMask     = 1<<gpPinRegs - 1

	gpOpenDrain = 1 << 2 // PINn PAD_DRIVER
	gpWakeup    = 1 << 10
	gpIntCPU    = 1 << 13
	gpIntNMI    = 1 << 14

	gpOutSelGPIO  = 0x80
	gpOutInv      = 1 << 8
	gpOEnSel      = 1 << 9
	gpOEnInv      = 1 << 10
	gpInHigh      = 0x1e // FUNCn_IN_SEL: a constant one; 0x1f is a constant zero
	gpInInv       = 1 << 5
	gpInSelMatrix = 1 << 6

	// GPIO_STRAP values that the ROM takes as its boot modes, TRM 7.2.
	strapFlash    = 0xd // bit 3 is GPIO9
	strapDownload = 0x5
)

// Interrupt types of PINn_INT_TYPE.
const (
	gpIntRising  = 1
	gpIntFalling = 2
	gpIntAny     = 3
	gpIntLow     = 4
	gpIntHigh    = 5
)

// outsideOhms is the resistance of what the user drives a pin with: it beats a
// pull resistor, and a driven pin beats it.
const outsideOhms = 1000

// gpio is GPIO, TRM 5: the registers of outputs and inputs, the GPIO matrix
// (matrix.go), the pads with their nets (pads.go), pin interrupts, and dedicated
// GPIO (dedicated.go). The two-stage synchronizer of inputs takes no time.
type gpio struct {
	block
	soc    *soc
	iomux  *iomux
	matrix matrix
	nets   *chip.Nets
	cpu    *line
	nmi    *line
	s      struct {
		Levels          uint32 // of the pads
		In              uint32 // of the pads with their input enabled, as it was last acted on
		Status          uint32
		Strap           uint32 // strapping pins, sampled at the next reset
		Held            uint32 // pads that keep their drive
		AutoHeld        uint32 // of them, those held since deep sleep
		Isolated        uint32 // pads without power
		Drives          [gpPins]drive
		DedicatedEnable uint32
		DedicatedOut    uint32
	}

	// Derived from the registers; each has one bit for each pad.
	pads                                 [gpPins]pad
	ie                                   uint32 // input enable
	plain                                uint32 // the output shows the bit of GPIO_OUT, and it is enabled
	watched                              uint32 // something depends on each change of the level
	wired                                uint32 // the net has other sources
	burst                                uint32 // SPI2's lines to parts that take its bits without edges
	lazyPads                             uint32 // the output is lazy and not watched
	rising, falling, lowLevel, highLevel uint32 // interrupt types
	stale                                bool   // a snapshot was restored, and rewatch not called since
	depth                                int    // of observers that call each other
	toCPU, toNMI                         uint32 // interrupt enables
}

func newGPIO(c *soc, strap chip.Strap) *gpio {
	g := &gpio{soc: c, cpu: c.intc.source(srcGPIO), nmi: c.intc.source(srcGPIONMI), nets: chip.NewNets(c.m)}
	g.iomux = newIOMux(g)
	table := []reg{
		{gpBTSelect, "BT_SELECT", 0}, {gpSDIOSelect, "SDIO_SELECT", 0}, {gpStrap, "STRAP", 0}, {0x62c, "CLOCK_GATE", 1}, {0x6fc, "DATE", 0x2006130},
	}
	for n := range uint32(gpPinRegs) {
		table = append(table, reg{gpFuncOutSel0 + 4*n, "FUNC_OUT_SEL_CFG", gpOutSelGPIO})
	}
	g.block = newBlock("GPIO", 0x60004000, table)
	g.know(0, gpCPUSDIOInt)
	g.know(gpPin0, gpPin0+4*(gpPinRegs-1))
	g.know(gpStatusNext, gpStatusNext)
	g.know(gpFuncInSel0, gpFuncInSel0+4*(signals-1))
	g.matrix.s.Enabled = [2]uint64{^uint64(0), ^uint64(0)}
	for n := range uint32(gpPins) {
		g.nets.AddPin(func(high bool) { g.setLevel(n, high) }, func(wired bool) { g.rewired(n, wired) })
		g.pads[n].source = sigGPIO
	}
	for i := range signal(4) {
		g.observe(sigFunc97+i, func(high bool) { g.drive(sigFunc97+i, high) })
	}
	c.m.OnRun(g.resume)
	g.strap(strap)
	return g
}

// strap sets what the strapping pins select at the next reset.
func (g *gpio) strap(s chip.Strap) {
	g.s.Strap = strapFlash
	if s == chip.StrapDownload {
		g.s.Strap = strapDownload
	}
}

// latchStraps samples the strapping pins, TRM 7.1.
func (g *gpio) latchStraps() { g.set(gpStrap, g.s.Strap) }

// flashBoot reports whether the chip was strapped to boot from flash. Only then
// do the watchdogs guard the boot, TRM 12.2.2.3.
func (g *gpio) flashBoot() bool { return g.get(gpStrap)>>3&1 != 0 }

func (g *gpio) read(off uint32) uint32 {
	switch off {
	case gpIn:
		g.refreshAll(g.lazyPads)
		return g.s.Levels & g.ie
	case gpStatus, gpStatusNext:
		return g.s.Status
	case gpPCPUInt:
		return g.s.Status & g.toCPU
	case gpPCPUNMIInt:
		return g.s.Status & g.toNMI
	case gpOut + 4, gpOut + 8, gpEnable + 4, gpEnable + 8, gpStatus + 4, gpStatus + 8, gpCPUSDIOInt:
		return 0
	}
	return g.block.read(off)
}

func (g *gpio) write(off, v uint32) {
	switch off {
	case gpOut:
		g.setOut(v)
	case gpOut + 4:
		g.setOut(g.get(gpOut) | v)
	case gpOut + 8:
		g.setOut(g.get(gpOut) &^ v)
	case gpEnable:
		g.setEnable(v)
	case gpEnable + 4:
		g.setEnable(g.get(gpEnable) | v)
	case gpEnable + 8:
		g.setEnable(g.get(gpEnable) &^ v)
	case gpStatus:
		g.setStatus(v)
	case gpStatus + 4:
		g.setStatus(g.s.Status | v)
	case gpStatus + 8:
		g.setStatus(g.s.Status &^ v)
	case gpStrap, gpIn, gpPCPUInt, gpPCPUNMIInt, gpCPUSDIOInt, gpStatusNext:
	default:
		g.configure(off, v)
	}
}

// setOut is GPIO_OUT. Firmware that toggles pins does little else, so pads that
// only show their bit take the short way.
func (g *gpio) setOut(v uint32) {
	v &= gpRegMask
	changed := g.get(gpOut) ^ v
	g.set(gpOut, v)
	if quick := changed & g.plain &^ g.watched; quick != 0 {
		g.quickOutput(quick, v)
		changed &^= quick
	}
	if changed &= gpPinMask; changed != 0 {
		g.refreshAll(changed)
	}
}

func (g *gpio) setEnable(v uint32) {
	v &= gpRegMask
	changed := (g.get(gpEnable) ^ v) & gpPinMask
	g.set(gpEnable, v)
	g.refreshAll(changed)
	g.replain()
}

func (g *gpio) setStatus(v uint32) {
	g.s.Status = v & gpPinMask
	g.interrupt()
}

// configure is a write to a register of one pin or signal.
func (g *gpio) configure(off, v uint32) {
	g.soc.spi2.split()
	old := g.get(off)
	g.block.write(off, v)
	if old == v {
		return
	}
	switch {
	case off >= gpPin0 && off < gpPin0+4*gpPins, off >= gpFuncOutSel0 && off < gpFuncOutSel0+4*gpPins:
		n := (off - gpPin0) / 4
		if off >= gpFuncOutSel0 {
			n = (off - gpFuncOutSel0) / 4
		}
		g.reconfigure(n)
	case off >= gpFuncInSel0 && off < gpFuncInSel0+4*signals:
		g.routeInput(signal((off - gpFuncInSel0) / 4))
		g.rewatch()
	}
}

// reconfigure derives everything again that depends on the registers of pad n.
func (g *gpio) reconfigure(n uint32) {
	g.routePad(n)
	g.rewatch()
	g.refresh(n)
	g.replain()
	g.changed(n)
	g.interrupt()
}

// reconfigureAll derives everything again, after a reset or the restoring of a
// snapshot.
func (g *gpio) reconfigureAll() {
	for n := range uint32(gpPins) {
		g.routePad(n)
	}
	for n := range signal(signals) {
		g.routeInput(n)
	}
	g.rewatch()
	g.refreshAll(gpPinMask)
	g.replain()
	for n := range uint32(gpPins) {
		g.changed(n)
	}
	g.interrupt()
}

// routePad derives what pad n shows and which interrupt it raises.
func (g *gpio) routePad(n uint32) {
	bit := uint32(1) << n
	set := func(mask *uint32, on bool) {
		*mask &^= bit
		if on {
			*mask |= bit
		}
	}
	cfg := g.get(gpPin0 + 4*n)
	kind := field(cfg, 9, 7)
	set(&g.rising, kind == gpIntRising || kind == gpIntAny)
	set(&g.falling, kind == gpIntFalling || kind == gpIntAny)
	set(&g.lowLevel, kind == gpIntLow)
	set(&g.highLevel, kind == gpIntHigh)
	set(&g.toCPU, cfg&gpIntCPU != 0)
	set(&g.toNMI, cfg&gpIntNMI != 0)
	set(&g.ie, g.iomux.effective(n)&ioIE != 0)

	d, matrix := directSignals(n, g.iomux.function(n))
	source := d.out
	if matrix {
		source = signal(field(g.get(gpFuncOutSel0+4*n), 7, 0))
		if source > sigGPIO {
			source = sigGPIO
		}
	}
	if old := g.pads[n].source; old != source {
		if old < signals {
			g.matrix.carriers[old] &^= bit
		}
		g.pads[n].source = source
	}
	if source < signals && source != sigNone {
		g.matrix.carriers[source] |= bit
	}
	if in := d.in; !matrix && in != sigNone {
		g.routeInput(in)
	}
	for _, in := range [...]signal{sigU0RXD, sigFSPIQ, sigFSPIHD, sigFSPIWP, sigFSPICLK, sigFSPID, sigFSPICS0} {
		if pad, _, _ := directPad(in); pad == n {
			g.routeInput(in)
		}
	}
}

// replain derives which pads only show their bit of GPIO_OUT.
func (g *gpio) replain() {
	g.plain = 0
	for p := g.get(gpEnable) & gpPinMask &^ (g.s.Held | g.s.Isolated); p != 0; p &= p - 1 {
		n := uint32(bits.TrailingZeros32(p))
		if g.pads[n].source == sigGPIO && g.get(gpFuncOutSel0+4*n)&(gpOutInv|gpOEnInv) == 0 &&
			g.get(gpPin0+4*n)&gpOpenDrain == 0 && !g.iomux.sleeps(n) {
			g.plain |= 1 << n
		}
	}
}

// interrupt raises level interrupts, TRM 5.8, and presents what is pending.
func (g *gpio) interrupt() {
	in := g.s.Levels & g.ie
	g.s.Status |= g.highLevel&in | g.lowLevel&^in
	g.cpu.set(g.s.Status&g.toCPU != 0)
	g.nmi.set(g.s.Status&g.toNMI != 0)
}

// wakes reports whether a pin is at a level that ends light sleep, TRM 5.9.
func (g *gpio) wakes() bool {
	for n := range uint32(gpPins) {
		if g.get(gpPin0+4*n)&gpWakeup == 0 {
			continue
		}
		if bit := uint32(1) << n; g.highLevel&bit&g.s.Levels != 0 || g.lowLevel&bit&^g.s.Levels != 0 {
			return true
		}
	}
	return false
}

// outside sets what the user of the board does to a pin.
func (g *gpio) outside(n int, s chip.Source) {
	if n >= 0 && n < g.nets.Len() {
		g.nets.SetOutside(n, s)
	}
}

// join connects two pins by a wire, cut removes the wires of a pin.
func (g *gpio) join(a, b int) {
	if n := g.nets.Len(); a >= 0 && a < n && b >= 0 && b < n {
		g.nets.Join(a, b)
	}
}

func (g *gpio) cut(n int) {
	if n >= 0 && n < g.nets.Len() {
		g.nets.Cut(n)
	}
}

// pin returns the level that can be measured.
func (g *gpio) pin(n int) chip.Level {
	if n < 0 || n >= gpPins {
		return chip.Floating
	}
	return g.level(uint32(n))
}

// milliVolts returns the voltage at a pin, 0 for one that is not connected.
func (g *gpio) milliVolts(n int) int {
	if n < 0 || n >= gpPins {
		return 0
	}
	g.refreshAll(g.lazyPads & (1 << n))
	if (g.wired&^g.burst)>>n&1 != 0 {
		return g.nets.MilliVolts(n)
	}
	return int(g.pads[n].now.source().MilliVolts)
}

func (g *gpio) reset() {
	strap := g.get(gpStrap)
	g.block.reset()
	g.set(gpStrap, strap)
	g.s.Status = 0
	g.setDedicated(0, 0)
	g.reconfigureAll()
}

func (g *gpio) state(s *chip.State) {
	s.Fixed(&g.words, &g.s, &g.iomux.words, &g.matrix.s)
	g.nets.State(s)
	if s.Loading() && s.Err() == nil {
		g.restored()
	}
}

// restored derives from the registers of a snapshot what is not part of it.
// Nothing changes: levels, drives and what the observers know are part of it. Who
// looks at pins may be another user; that is found when the board runs, since
// guest time is not restored yet.
func (g *gpio) restored() {
	g.stale, g.lazyPads, g.wired, g.burst = true, 0, 0, 0
	for n := range uint32(gpPins) {
		if g.nets.Wired(int(n)) {
			g.wired |= 1 << n
		}
		g.pads[n].now = g.s.Drives[n]
		g.routePad(n)
	}
	for n := range signal(signals) {
		g.routeInput(n)
	}
	g.burst = g.bursts()
	g.watched = g.dependents()
	g.replain()
}

// resume is called when a run begins.
func (g *gpio) resume() {
	if g.stale {
		g.stale = false
		g.rewatch()
	}
}
