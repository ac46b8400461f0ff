package c3

import (
	"math/bits"

	"espalier.dev/espalier/emu/chip"
)

// drive is what the chip does to a pad: the output of the pad and its pull
// resistors. It is what pad hold keeps, TRM 5.10.
type drive uint8

const (
	driveOn     drive = 1 << iota // the output is enabled
	driveHigh                     // and high
	drivePullUp                   // 45 kOhm to the supply
	drivePullDown
	driveStrength = 3 << 4 // FUN_DRV

	driveStrengthShift = 4
)

// Resistances of a pad (data sheet, DC characteristics): of a pull resistor,
// and of an output by FUN_DRV (the voltage drop at 5, 10, 20 and 40 mA).
const padPullOhms = 45_000

func padOutputOhms(d drive) uint32 {
	switch d >> driveStrengthShift & 3 {
	case 0:
		return 66
	case 1:
		return 33
	case 2:
		return 17
	}
	return 8
}

// source returns the drive as others on the net see it.
func (d drive) source() chip.Source {
	high := func(on bool) int32 {
		if on {
			return chip.Supply
		}
		return 0
	}
	switch {
	case d&driveOn != 0:
		return chip.Source{MilliVolts: high(d&driveHigh != 0), Ohms: padOutputOhms(d)}
	case d&(drivePullUp|drivePullDown) == drivePullUp|drivePullDown:
		return chip.Source{MilliVolts: chip.Supply / 2, Ohms: padPullOhms / 2}
	case d&(drivePullUp|drivePullDown) != 0:
		return chip.Source{MilliVolts: high(d&drivePullUp != 0), Ohms: padPullOhms}
	}
	return chip.Source{}
}

// alone returns the level of a pad that no other source reaches.
func (d drive) alone() bool {
	if d&driveOn != 0 {
		return d&driveHigh != 0
	}
	return d&(drivePullUp|drivePullDown) == drivePullUp
}

// shown returns the drive as a PinChange reports it.
func (d drive) shown() chip.Level {
	switch {
	case d&driveOn == 0:
		return chip.Floating
	case d&driveHigh != 0:
		return chip.High
	}
	return chip.Low
}

// pad is what is derived from the registers of a pad.
type pad struct {
	source signal // what the output shows: a peripheral's signal, sigGPIO or sigNone
	now    drive
}

// flashPads belong to the flash chip, whose waveforms are not modelled: the pads
// are driven high and not reported.
const flashPads = 0x3f << 12

// drive computes what the chip does to pad n, from the registers and signals.
func (g *gpio) compute(n uint32) drive {
	mux := g.iomux.effective(n)
	d := drive(mux >> 10 & 3 << driveStrengthShift)
	if mux&ioWPU != 0 {
		d |= drivePullUp
	}
	if mux&ioWPD != 0 {
		d |= drivePullDown
	}
	var on, high bool
	switch src := g.pads[n].source; {
	case src == sigNone:
		on, high = flashPads>>n&1 != 0, true
	case g.iomux.isMatrix(n):
		cfg := g.get(gpFuncOutSel0 + 4*n)
		on = g.get(gpEnable)>>n&1 != 0
		if src == sigGPIO {
			high = g.get(gpOut)>>n&1 != 0
		} else {
			high = g.output(src)
			if cfg&gpOEnSel == 0 {
				on = has(&g.matrix.s.Enabled, src)
			}
		}
		high = high != (cfg&gpOutInv != 0)
		on = on != (cfg&gpOEnInv != 0)
		if high && g.get(gpPin0+4*n)&gpOpenDrain != 0 {
			on = false
		}
	default:
		on, high = has(&g.matrix.s.Enabled, src), g.output(src)
	}
	if g.iomux.sleeps(n) {
		on = on && mux&ioMCUOE != 0
	}
	if on {
		d |= driveOn
	}
	if high {
		d |= driveHigh
	}
	return d
}

// refresh computes the drive of pad n again, unless it is held.
func (g *gpio) refresh(n uint32) {
	bit := uint32(1) << n
	if g.s.Held&bit != 0 {
		return
	}
	d := g.compute(n)
	if g.s.Isolated&bit != 0 {
		d &= driveStrength
	}
	g.setDrive(n, d)
}

// setDrive changes what the chip does to pad n.
func (g *gpio) setDrive(n uint32, d drive) {
	old := g.pads[n].now
	if old == d {
		return
	}
	g.pads[n].now = d
	g.s.Drives[n] = d
	if (g.wired&^g.burst)>>n&1 != 0 {
		g.nets.Drive(int(n), d.source())
	} else {
		g.setLevel(n, d.alone())
	}
	if s := d.shown(); s != old.shown() && flashPads>>n&1 == 0 {
		g.soc.m.EmitPin(int(n), s)
	}
}

// setLevel is the effect of a change of a pad's level.
func (g *gpio) setLevel(n uint32, high bool) {
	bit := uint32(1) << n
	if g.s.Levels&bit != 0 == high {
		return
	}
	g.s.Levels ^= bit
	if g.watched&bit == 0 && g.soc.rtc.s.Sleep == awake {
		return
	}
	g.changed(n)
}

// changed is called after a pad on which something depends, or its input enable,
// has changed.
func (g *gpio) changed(n uint32) {
	bit := uint32(1) << n
	if in := g.s.Levels & g.ie; g.s.In&bit != in&bit {
		g.s.In ^= bit
		if in&bit != 0 {
			g.s.Status |= g.rising & bit
		} else {
			g.s.Status |= g.falling & bit
		}
		g.interrupt()
		for _, sig := range g.matrix.listeners[n] {
			g.tell(sig)
		}
	}
	g.soc.rtc.pinsMoved()
}

// rewired is called when pad n starts or ceases to share its net.
func (g *gpio) rewired(n uint32, wired bool) {
	bit := uint32(1) << n
	if wired {
		g.wired |= bit
		g.rewatch()
		g.nets.Preset(int(n), g.s.Levels&bit != 0)
		g.nets.Drive(int(n), g.pads[n].now.source())
		return
	}
	g.wired &^= bit
	g.rewatch()
	g.setLevel(n, g.pads[n].now.alone())
}

// Pad hold, TRM 5.10: PAD_HOLD for GPIO0 to 5, DIG_PAD_HOLD for the others, and
// holds of all digital pads in DIG_ISO.
const (
	rtcDigISO      = 0x8c
	rtcPadHold     = 0xd0
	rtcDigPadHold  = 0xd4
	isoAutoHeld    = 1 << 9
	isoClearHold   = 1 << 10
	isoAutoHold    = 1 << 11
	isoForceUnhold = 1 << 14
	isoForceHold   = 1 << 15
	rtcPadMask     = 1<<rtcPads - 1
)

// writeHold is a write to a register of RTC_CNTL that holds pads.
func (g *gpio) writeHold(off, v uint32) {
	r := g.soc.rtc
	if off == rtcDigISO {
		if v&isoClearHold != 0 {
			g.s.AutoHeld = 0
		}
		v &^= isoClearHold | isoAutoHeld
		if g.s.AutoHeld != 0 {
			v |= isoAutoHeld
		}
	}
	r.set(off, v)
	g.hold(false)
}

// hold holds the pads that RTC_CNTL says, and lets the others follow their
// registers again. In deep sleep the digital core has no power: of its pads
// those stay held that DIG_ISO says, the others float.
func (g *gpio) hold(deepSleep bool) {
	r := g.soc.rtc
	iso := r.get(rtcDigISO)
	held := r.get(rtcPadHold) & rtcPadMask
	digital := r.get(rtcDigPadHold) & gpPinMask &^ rtcPadMask
	switch {
	case iso&isoForceUnhold == 0 && iso&isoForceHold != 0:
		digital = gpPinMask &^ rtcPadMask
	case deepSleep && iso&isoForceUnhold == 0 && iso&isoAutoHold != 0:
		g.s.AutoHeld = digital
		r.set(rtcDigISO, iso|isoAutoHeld)
	case deepSleep:
		digital = 0
	}
	g.s.Held = held | digital | g.s.AutoHeld
	g.s.Isolated = 0
	if deepSleep {
		g.s.Isolated = gpPinMask &^ g.s.Held
	}
	g.refreshAll(gpPinMask)
	g.replain()
}

// slept is called when the chip falls asleep or wakes: pads may have another
// configuration for sleep.
func (g *gpio) slept() {
	g.hold(g.soc.rtc.s.Sleep == deepSleep)
	g.reconfigureAll()
}

// level returns the level that can be measured at a pad.
func (g *gpio) level(n uint32) chip.Level {
	if g.lazyPads>>n&1 != 0 {
		g.refresh(n)
	}
	if (g.wired&^g.burst)>>n&1 != 0 {
		if !g.nets.Connected(int(n)) {
			return chip.Floating
		}
	} else if g.pads[n].now&(driveOn|drivePullUp|drivePullDown) == 0 {
		return chip.Floating
	}
	return level(g.s.Levels>>n&1 != 0)
}

func level(high bool) chip.Level {
	if high {
		return chip.High
	}
	return chip.Low
}

// quickOutput changes the pads that only show their bit of GPIO_OUT and on which
// nothing depends: bits are their new levels.
func (g *gpio) quickOutput(pads, levels uint32) {
	g.s.Levels = g.s.Levels&^pads | levels&pads
	for ; pads != 0; pads &= pads - 1 {
		n := bits.TrailingZeros32(pads)
		g.pads[n].now ^= driveHigh
		g.s.Drives[n] = g.pads[n].now
	}
}
