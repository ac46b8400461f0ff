package loader

import (
	"context"
	"errors"
	"time"

	"espalier.dev/espalier/serial"
)

// Before says how the chip gets into its loader.
type Before uint8

// Ways into the loader.
const (
	// ResetAuto resets through the modem lines where there are any.
	ResetAuto Before = iota
	// NoReset expects the loader to wait already.
	NoReset
	// ResetUSB uses the sequence of USB-Serial-JTAG whatever the port says:
	// through a USB/IP tunnel its ids are lost.
	ResetUSB
)

// After says what becomes of the chip afterwards.
type After uint8

// Ways out of the loader.
const (
	// HardReset starts the firmware: through the modem lines, else through the
	// watchdog.
	HardReset After = iota
	// StayInLoader leaves ROM or stub waiting.
	StayInLoader
	// WatchdogReset starts the firmware through the RTC watchdog.
	WatchdogReset
)

// step sets both lines and then waits.
type step struct {
	dtr, rts bool
	wait     time.Duration
}

// strategy is a way to reset the chip into its loader. DTR pulls GPIO9 low and
// RTS pulls EN low, each through a transistor that conducts only while the
// other line is released.
type strategy struct {
	name  string
	steps []step
}

const ms = time.Millisecond

// tight changes both lines in one step where that matters, so that the chip
// leaves reset with GPIO9 low whatever the capacitor at EN.
func tight(delay time.Duration) strategy {
	return strategy{"tight, " + delay.String(), []step{
		{false, false, 0}, {true, true, 0}, {false, true, 100 * ms}, {true, false, delay}, {false, false, 0},
	}}
}

// classic changes one line at a time, for drivers that cannot do both.
func classic(delay time.Duration) strategy {
	return strategy{"classic, " + delay.String(), []step{
		{false, true, 100 * ms}, {true, true, 0}, {true, false, delay}, {false, false, 0},
	}}
}

// usbJTAG is for the peripheral inside the chip: it passes through both lines
// asserted, never both released, which would take the request back.
func usbJTAG() strategy {
	return strategy{"USB-Serial-JTAG", []step{
		{false, false, 100 * ms}, {true, false, 100 * ms}, {true, true, 0}, {false, true, 100 * ms}, {false, false, 0},
	}}
}

// strategies is the order in which ways are tried.
func strategies(info serial.Info, before Before) []strategy {
	switch {
	case before == NoReset:
		return []strategy{{name: "none"}}
	case before == ResetUSB:
		return []strategy{usbJTAG()}
	case info.Kind == serial.USBJTAG:
		return []strategy{usbJTAG()}
	case info.Kind == serial.Network, info.Kind == serial.Terminal:
		// What is at the other end of a network is not known.
		return []strategy{tight(50 * ms), usbJTAG(), classic(50 * ms), tight(550 * ms), classic(550 * ms)}
	}
	return []strategy{tight(50 * ms), tight(550 * ms), classic(50 * ms), classic(550 * ms)}
}

// apply sets the lines as the strategy says. The error is errors.ErrUnsupported
// for a port without lines.
func (s strategy) apply(ctx context.Context, p serial.Port) error {
	for _, st := range s.steps {
		if err := p.SetLines(ctx, st.dtr, st.rts); err != nil {
			return err
		}
		if st.wait > 0 {
			if err := p.Wait(ctx, st.wait); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run resets the chip at a port into its firmware through the modem lines. The
// error is errors.ErrUnsupported for a port without lines.
func Run(ctx context.Context, p serial.Port) error {
	s := strategy{"run", []step{{false, true, 100 * ms}, {false, false, 0}}}
	if p.Info().Kind == serial.USBJTAG {
		s.steps = []step{{false, false, 100 * ms}, {false, true, 100 * ms}, {false, false, 0}}
	}
	return s.apply(ctx, p)
}

// RTC watchdog, TRM 12.4.
const (
	rtcWDTConfig0 = 0x60008090
	rtcWDTConfig1 = 0x60008094
	rtcWDTProtect = 0x600080a8
	rtcWDTKey     = 0x50d83aa1
	rtcSWDConf    = 0x600080ac
	rtcSWDProtect = 0x600080b0
	rtcSWDKey     = 0x8f1d312a
	wdtEnable     = 1 << 31
	wdtStage0RTC  = 4 << 28  // reset everything, RTC included, so that straps are read again
	wdtChipReset  = 1<<8 | 2 // CHIP_RESET_EN, CHIP_RESET_WIDTH
	swdAutoFeed   = 1 << 31
)

// watchdogReset lets the RTC watchdog reset the chip: the way for ports without
// modem lines, and out of the download mode that remains after a USB reset.
func (l *Loader) watchdogReset(ctx context.Context) error {
	for _, w := range [][2]uint32{
		{rtcWDTProtect, rtcWDTKey},
		{rtcWDTConfig1, 2000},
		{rtcWDTConfig0, wdtEnable | wdtStage0RTC | wdtChipReset},
	} {
		if err := l.WriteRegister(ctx, w[0], w[1]); err != nil {
			return err
		}
	}
	// It bites after some 15 ms, and the ROM speaks soon after that. Locking
	// the registers again might come too late; the reset does it.
	return l.setBaud(ctx, serial.DefaultBaud)
}

// quietWatchdogs keeps the watchdogs from resetting the chip in the middle of
// a long erase: on USB-Serial-JTAG they run on.
func (l *Loader) quietWatchdogs(ctx context.Context) error {
	for _, w := range [][2]uint32{
		{rtcWDTProtect, rtcWDTKey}, {rtcWDTConfig0, 0}, {rtcWDTProtect, 0},
		{rtcSWDProtect, rtcSWDKey},
	} {
		if err := l.WriteRegister(ctx, w[0], w[1]); err != nil {
			return err
		}
	}
	v, err := l.ReadRegister(ctx, rtcSWDConf)
	if err != nil {
		return err
	}
	if err := l.WriteRegister(ctx, rtcSWDConf, v|swdAutoFeed); err != nil {
		return err
	}
	return l.WriteRegister(ctx, rtcSWDProtect, 0)
}

// Leave ends the session. The lines of the port are released in any case.
func (l *Loader) Leave(ctx context.Context, how After) error {
	switch how {
	case StayInLoader:
		return nil
	case WatchdogReset:
		return l.watchdogReset(ctx)
	}
	err := Run(ctx, l.port)
	if errors.Is(err, errors.ErrUnsupported) {
		if l.security.SecureDownload() {
			return nil // no register can be written, and no line pulled
		}
		err = l.watchdogReset(ctx)
	}
	if err == nil {
		// Every firmware starts at this speed.
		err = l.setBaud(ctx, serial.DefaultBaud)
	}
	return err
}
