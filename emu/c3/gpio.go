package c3

import "espalier.dev/espalier/emu/chip"

// GPIO registers, TRM 5.14.
const (
	gpOut         = 0x04 // value, +4 W1TS, +8 W1TC
	gpEnable      = 0x20
	gpStrap       = 0x38
	gpIn          = 0x3c
	gpStatus      = 0x44
	gpPCPUInt     = 0x5c
	gpPCPUNMIInt  = 0x60
	gpPin0        = 0x74  // PINn, +4n
	gpFuncInSel0  = 0x154 // FUNCn_IN_SEL_CFG, +4n
	gpFuncOutSel0 = 0x554 // FUNCn_OUT_SEL_CFG, +4n
	gpPins        = 22
	gpPinRegs     = 26
	gpSignals     = 128
	gpPinMask     = 1<<gpPins - 1

	gpOutSelGPIO = 0x80
	gpOutInv     = 1 << 8
	gpOEnSel     = 1 << 9
	gpOEnInv     = 1 << 10

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

// gpio is GPIO, TRM 5: output and enable registers, output matrix, pin levels
// and pin interrupts. A pin that the matrix gives to a peripheral is held at
// the peripheral's idle level, high: waveforms of peripherals are not modelled.
type gpio struct {
	block
	soc   *soc
	iomux *iomux
	cpu   *line
	nmi   *line
	s     struct {
		Levels   uint32             // what IN would show without input enables
		Driven   uint32             // pins that the guest drives
		External [gpPins]chip.Level // what the outside does
		Shown    [gpPins]chip.Level // last level reported to the host
		Strap    uint32             // strapping pins, sampled at the next reset
		Status   uint32
	}
}

func newGPIO(c *soc, strap chip.Strap) *gpio {
	g := &gpio{soc: c, cpu: c.intc.source(srcGPIO), nmi: c.intc.source(srcGPIONMI)}
	g.iomux = newIOMux(g)
	table := []reg{{gpStrap, "STRAP", 0}, {0x62c, "CLOCK_GATE", 1}, {0x6fc, "DATE", 0x2006130}}
	for n := range uint32(gpPinRegs) {
		table = append(table, reg{gpFuncOutSel0 + 4*n, "FUNC_OUT_SEL_CFG", gpOutSelGPIO})
	}
	g.block = newBlock("GPIO", 0x60004000, table)
	g.know(0, gpPCPUNMIInt)
	g.know(gpPin0, gpPin0+4*(gpPinRegs-1))
	g.know(0x14c, 0x14c)
	g.know(gpFuncInSel0, gpFuncInSel0+4*(gpSignals-1))
	for i := range g.s.External {
		g.s.External[i], g.s.Shown[i] = chip.Floating, chip.Floating
	}
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
		return g.s.Levels & g.iomux.inputs()
	case gpStatus:
		return g.s.Status
	case gpPCPUInt:
		return g.pending(13)
	case gpPCPUNMIInt:
		return g.pending(14)
	case gpOut + 4, gpOut + 8, gpEnable + 4, gpEnable + 8, gpStatus + 4, gpStatus + 8:
		return 0
	}
	return g.block.read(off)
}

func (g *gpio) write(off, v uint32) {
	switch off {
	case gpOut, gpEnable:
		g.set(off, v)
	case gpOut + 4, gpEnable + 4:
		g.set(off-4, g.get(off-4)|v)
	case gpOut + 8, gpEnable + 8:
		g.set(off-8, g.get(off-8)&^v)
	case gpStatus:
		g.s.Status = v & gpPinMask
	case gpStatus + 4:
		g.s.Status |= v & gpPinMask
	case gpStatus + 8:
		g.s.Status &^= v
	case gpStrap, gpIn, gpPCPUInt, gpPCPUNMIInt:
		return
	default:
		g.block.write(off, v)
	}
	g.update()
}

// wakes reports whether a pin is at a level that ends light sleep, TRM 5.9.
func (g *gpio) wakes() bool {
	for n := range uint32(gpPins) {
		cfg, high := g.get(gpPin0+4*n), g.s.Levels>>n&1 != 0
		kind := field(cfg, 9, 7)
		if cfg>>10&1 != 0 && (kind == gpIntHigh && high || kind == gpIntLow && !high) {
			return true
		}
	}
	return false
}

// output returns whether the guest drives pin n, and to which level.
func (g *gpio) output(n uint32) (driven, high bool) {
	if !g.iomux.isGPIO(n) {
		// A fixed function: the outputs among them, flash and U0TXD, idle high.
		return n >= 12 && n <= 17 || n == 21, true
	}
	sel := g.get(gpFuncOutSel0 + 4*n)
	driven = g.get(gpEnable)>>n&1 != 0
	if field(sel, 7, 0) != gpOutSelGPIO {
		high = true
		if sel&gpOEnSel == 0 {
			driven = true
		}
	} else {
		high = g.get(gpOut)>>n&1 != 0
	}
	if sel&gpOutInv != 0 {
		high = !high
	}
	if sel&gpOEnInv != 0 {
		driven = !driven
	}
	if high && g.get(gpPin0+4*n)>>2&1 != 0 { // PAD_DRIVER: open drain
		driven = false
	}
	return driven, high
}

// update computes the pin levels, reports changes and raises interrupts.
func (g *gpio) update() {
	var levels, drivenPins uint32
	for n := range uint32(gpPins) {
		driven, high := g.output(n)
		shown := chip.Floating
		switch ext := g.s.External[n]; {
		case driven:
			shown = level(high)
			drivenPins |= 1 << n
		case ext != chip.Floating:
			high = ext == chip.High
		default:
			high = g.iomux.pullUp(n)
		}
		if high {
			levels |= 1 << n
		}
		if g.s.Shown[n] != shown && !(n >= 12 && n <= 17) { // flash pins are nobody's business
			g.s.Shown[n] = shown
			g.soc.m.EmitPin(int(n), shown)
		}
	}
	changed := levels ^ g.s.Levels
	g.s.Levels, g.s.Driven = levels, drivenPins
	g.interrupts(changed)
	g.soc.rtc.pinsMoved()
}

func level(high bool) chip.Level {
	if high {
		return chip.High
	}
	return chip.Low
}

// interrupts sets STATUS for edges among changed and for level types, TRM 5.8.
func (g *gpio) interrupts(changed uint32) {
	for n := range uint32(gpPins) {
		bit := uint32(1) << n
		high := g.s.Levels&bit != 0
		switch field(g.get(gpPin0+4*n), 9, 7) {
		case gpIntRising:
			if changed&bit != 0 && high {
				g.s.Status |= bit
			}
		case gpIntFalling:
			if changed&bit != 0 && !high {
				g.s.Status |= bit
			}
		case gpIntAny:
			g.s.Status |= changed & bit
		case gpIntLow:
			if !high {
				g.s.Status |= bit
			}
		case gpIntHigh:
			if high {
				g.s.Status |= bit
			}
		}
	}
	g.cpu.set(g.pending(13) != 0)
	g.nmi.set(g.pending(14) != 0)
}

// pending returns the pins whose status is set and enabled by bit ena of PINn.
func (g *gpio) pending(ena uint) (pins uint32) {
	for n := range uint32(gpPins) {
		pins |= g.s.Status >> n & (g.get(gpPin0+4*n) >> ena) & 1 << n
	}
	return pins
}

// drive sets what the outside does to a pin.
func (g *gpio) drive(n int, l chip.Level) {
	if n < 0 || n >= gpPins {
		return
	}
	g.s.External[n] = l
	g.update()
}

// pin returns the level that can be measured.
func (g *gpio) pin(n int) chip.Level {
	if n < 0 || n >= gpPins {
		return chip.Floating
	}
	bit := uint32(1) << n
	if g.s.Driven&bit == 0 && g.s.External[n] == chip.Floating && !g.iomux.pullUp(uint32(n)) && !g.iomux.pullDown(uint32(n)) {
		return chip.Floating
	}
	return level(g.s.Levels&bit != 0)
}

func (g *gpio) reset() {
	strap := g.get(gpStrap)
	g.block.reset()
	g.set(gpStrap, strap)
	g.s.Status = 0
	g.update()
}

func (g *gpio) state(s *chip.State) { s.Fixed(&g.words, &g.s, &g.iomux.words) }
