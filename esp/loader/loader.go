package loader

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/serial"
)

// Options say how to reach a chip and what to use there.
type Options struct {
	Before Before
	// Baud is the speed for writing and reading flash; 0 stays at 115200.
	// It is set when there is something to transfer, and means nothing on
	// USB-Serial-JTAG.
	Baud int
	// Stub is the flasher stub; nil uses the ROM's loader only.
	Stub *Stub
	// Event, when set, receives one line for each event: reset strategies,
	// retries, speeds.
	Event func(text string)
}

// Loader is a chip whose serial loader answers.
type Loader struct {
	port     serial.Port
	link     link
	o        Options
	stub     bool // the stub runs
	baud     int  // of the link
	noLines  bool
	fixed    bool     // the speed of the port cannot be changed
	strategy strategy // the one that worked
	security Security
	flash    FlashID
	fuses    *Identity // nil until asked for
	attached bool
	patcher  bool // the patcher is in RAM
	careful  int  // failures in a row while writing: pieces become smaller
}

// rounds is how often the list of strategies is gone through.
const rounds = 2

// Connect brings the chip at a port into its loader and finds out what it is.
// Nothing is changed in flash. Errors: *ConnectError, *WrongChipError, those of
// the port.
func Connect(ctx context.Context, port serial.Port, o Options) (*Loader, error) {
	l := &Loader{port: port, o: o, link: link{port: port, status: 4}, baud: serial.DefaultBaud}
	l.link.trace = o.Event
	if err := l.reach(ctx); err != nil {
		return nil, err
	}
	l.link.sent, l.link.heard = 0, 0
	if err := l.identify(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Loader) event(format string, args ...any) {
	if l.o.Event != nil {
		l.o.Event(fmt.Sprintf(format, args...))
	}
}

// reach resets and synchronises until the loader answers.
func (l *Loader) reach(ctx context.Context) error {
	l.attached = false
	fail := &ConnectError{Port: l.port.Info().Name}
	list := strategies(l.port.Info(), l.o.Before)
	if l.strategy.name != "" {
		list = []strategy{l.strategy}
	}
	if err := l.setBaud(ctx, serial.DefaultBaud); err != nil {
		return err
	}
	for range rounds {
		for _, s := range list {
			fail.Tried = append(fail.Tried, s.name)
			ok, err := l.try(ctx, s, fail)
			if err != nil {
				return err
			}
			if ok {
				l.strategy = s
				return nil
			}
			if fail.NoLines || s.steps == nil {
				return l.searchBaud(ctx, fail)
			}
		}
	}
	return fail
}

// try resets once and synchronises. It reports whether the loader answers; an
// error ends all attempts.
func (l *Loader) try(ctx context.Context, s strategy, fail *ConnectError) (bool, error) {
	l.link.slip.restart()
	l.link.in = nil
	l.stub, l.patcher, l.link.status = false, false, 4
	before := l.link.heard
	if len(s.steps) > 0 && !fail.NoLines {
		l.event("reset into the loader: %s", s.name)
		err := s.apply(ctx, l.port)
		if errors.Is(err, errors.ErrUnsupported) {
			fail.NoLines, l.noLines = true, true
		} else if err != nil {
			return false, err
		}
	}
	if err := l.link.drain(ctx, quiet); err != nil {
		return false, err
	}
	err := l.synchronise(ctx)
	if err == nil {
		return true, nil
	}
	if !recoverable(err) {
		return false, err
	}
	fail.Err = err
	fail.Heard += l.link.heard - before
	if m := bootMode().FindSubmatch(l.link.slip.text); m != nil {
		fail.Boot = string(m[1])
	}
	return false, nil
}

// bootMode finds what the ROM says about its mode.
func bootMode() *regexp.Regexp {
	return regexp.MustCompile(`boot:(0x[0-9a-fA-F]+ \([A-Z0-9_/()]+\))`)
}

// synchronise sends SYNC until it is answered. A stub that a former session
// left running answers too, and says so by its status.
func (l *Loader) synchronise(ctx context.Context) error {
	var last error
	for n := range 7 {
		timeout := timeSync
		if n == 0 {
			// The ROM measures the speed by the first one and answers the next.
			timeout = timeSync / 3
		}
		heard := l.link.heard
		r, err := l.link.once(ctx, opSync, syncData(), 0, timeout)
		if err == nil {
			l.link.status, l.stub = r.bytes, r.bytes == 2
			return l.link.drain(ctx, quiet)
		}
		if !recoverable(err) {
			return err
		}
		last = err
		if l.link.heard == heard {
			continue // nothing to drain
		}
		if err := l.link.drain(ctx, quiet); err != nil {
			return err
		}
	}
	return last
}

// searchBaud looks for a loader that a former session has left at another
// speed, on a port that cannot reset it.
func (l *Loader) searchBaud(ctx context.Context, fail *ConnectError) error {
	if l.fixed || l.port.Info().Kind == serial.USBJTAG {
		return fail
	}
	bauds := []int{921600, 460800, 230400, 1500000, 2000000}
	if l.o.Baud != 0 {
		bauds = append([]int{l.o.Baud}, bauds...)
	}
	for _, b := range bauds {
		if err := l.setBaud(ctx, b); err != nil {
			continue
		}
		l.event("listening at %d baud", b)
		ok, err := l.try(ctx, strategy{name: "none"}, fail)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
	}
	if err := l.setBaud(ctx, serial.DefaultBaud); err != nil {
		return err
	}
	return fail
}

func (l *Loader) setBaud(ctx context.Context, baud int) error {
	err := l.port.SetBaud(ctx, baud)
	if errors.Is(err, errors.ErrUnsupported) {
		l.fixed = true
		return nil
	}
	if err == nil {
		l.baud = baud
	}
	return err
}

// identify asks what the chip is. The answer decides about refusals, and
// nothing in the protocol protects it against noise, so two equal ones are
// wanted.
func (l *Loader) identify(ctx context.Context) error {
	s, err := l.readSecurity(ctx)
	for range attempts {
		var again Security
		if err == nil {
			if again, err = l.readSecurity(ctx); err == nil && again == s {
				break
			}
			s = again
		}
		if err != nil && !recoverable(err) {
			return err
		}
	}
	if err != nil {
		return err
	}
	l.security = s
	if s.ChipID != uint32(chip.ESP32C3().ID) {
		name := chip.NameOf(uint16(s.ChipID))
		if name == "" {
			name = fmt.Sprintf("one with id %d", s.ChipID)
		}
		return &WrongChipError{Name: name}
	}
	if l.port.Info().Kind == serial.USBJTAG && !s.SecureDownload() {
		return l.quietWatchdogs(ctx)
	}
	return nil
}

// Stub reports whether the flasher stub runs.
func (l *Loader) Stub() bool { return l.stub }

// Security returns what GET_SECURITY_INFO said.
func (l *Loader) Security() Security { return l.security }

// Traffic returns how many bytes have been sent and received since the loader
// answered for the first time.
func (l *Loader) Traffic() (sent, received int) { return l.link.sent, l.link.heard }

// ReadRegister reads a 32-bit register or memory word.
func (l *Loader) ReadRegister(ctx context.Context, addr uint32) (uint32, error) {
	r, err := l.link.command(ctx, opReadReg, words(addr), timeCommand)
	return r.value, err
}

// WriteRegister writes a 32-bit register or memory word.
func (l *Loader) WriteRegister(ctx context.Context, addr, value uint32) error {
	_, err := l.link.command(ctx, opWriteReg, words(addr, value, 0xffffffff, 0), timeCommand)
	return err
}

// readTwice reads a word until two reads agree.
func (l *Loader) readTwice(ctx context.Context, addr uint32) (uint32, error) {
	v, err := l.ReadRegister(ctx, addr)
	for range attempts {
		if err != nil {
			return 0, err
		}
		var again uint32
		if again, err = l.ReadRegister(ctx, addr); again == v && err == nil {
			return v, nil
		}
		v = again
	}
	return v, err
}

// SetBaud changes the speed of both ends. USB-Serial-JTAG has no speed.
func (l *Loader) SetBaud(ctx context.Context, baud int) error {
	if baud == 0 || baud == l.baud || l.fixed || l.port.Info().Kind == serial.USBJTAG {
		return nil
	}
	old := uint32(0)
	if l.stub {
		old = uint32(l.baud)
	}
	// Not command: a retry at the wrong speed is not heard.
	if _, err := l.link.once(ctx, opChangeBaud, words(uint32(baud), old), 0, timeCommand); err != nil {
		return err
	}
	if err := l.setBaud(ctx, baud); err != nil {
		return err
	}
	if err := l.port.Wait(ctx, 10*ms); err != nil { // the adapter and the chip change
		return err
	}
	l.event("%d baud", baud)
	return l.link.resync(ctx)
}

// restart brings a chip that does not understand any more back to where it
// was: loader, flash, stub, speed.
func (l *Loader) restart(ctx context.Context) error {
	baud, stub, attached := l.baud, l.stub, l.attached
	l.event("starting again with the chip")
	err := l.link.resync(ctx)
	if err != nil {
		if !recoverable(err) {
			return err
		}
		if err := l.reach(ctx); err != nil {
			return err
		}
		if l.port.Info().Kind == serial.USBJTAG {
			if err := l.quietWatchdogs(ctx); err != nil {
				return err
			}
		}
		if stub && !l.stub {
			if err := l.startStub(ctx); err != nil {
				return err
			}
		}
		if baud != l.baud {
			if err := l.SetBaud(ctx, baud); err != nil {
				return err
			}
		}
	}
	if attached {
		l.attached = false
		return l.attach(ctx)
	}
	return nil
}

// persist calls f until it succeeds, starting again with the chip after each
// failure that this can cure.
func (l *Loader) persist(ctx context.Context, f func() error) error {
	var err error
	for n := range attempts {
		if n > 0 {
			if e := l.restart(ctx); e != nil {
				if recoverable(e) {
					continue
				}
				return e
			}
		}
		if err = f(); err == nil || !recoverable(err) {
			return err
		}
		l.event("%v", err)
	}
	return err
}

// elapsed is for rates.
func (l *Loader) elapsed(since time.Duration) time.Duration { return l.port.Now() - since }
