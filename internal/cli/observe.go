package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// observeOptions say how a board on a port is watched, and until when.
type observeOptions struct {
	Expect    []string
	Fail      []string
	Timeout   time.Duration
	For       time.Duration
	Log       string
	KeepGoing bool // a crash ends nothing

	look lookOptions

	silence time.Duration // before a remark; 0: the usual time

	// reopen waits for a port that has vanished; nil: portReturns is all the
	// patience there is.
	reopen func(ctx context.Context, was serial.Info) (serial.Port, error)
}

func (o *observeOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.Expect, "expect", nil, "succeed when a line contains `TEXT` or matches /regex/; all of several")
	f.StringArrayVar(&o.Fail, "fail", nil, "fail when a line contains `TEXT` or matches /regex/")
	f.DurationVar(&o.Timeout, "timeout", 0, "give up after this `TIME` (exit 124)")
	f.DurationVar(&o.For, "for", 0, "watch for this `TIME`")
	f.StringVar(&o.Log, "log", "", "write every byte of the board to `FILE`")
	o.look.addFlags(f)
}

// observer watches one board.
type observer struct {
	a     *app
	o     observeOptions
	port  serial.Port
	view  *view
	m     *monitor.Monitor
	keys  *keyboard
	log   *bufio.Writer
	start time.Time
	heard bool // something has come
	left  bool // a key has ended it
}

// observe shows what a board says until it is decided how the run went, the
// output ends, or a key ends it. It closes the port.
func (a *app) observe(ctx context.Context, p serial.Port, e emulation, o observeOptions) error {
	w := &observer{a: a, o: o, port: p, start: time.Now()}
	defer func() { w.port.Close() }()
	opt := monitor.Options{For: o.For, KeepGoing: o.KeepGoing, KeepColor: a.ui.Color(ui.Stdout)}
	var err error
	if opt.Expect, err = monitor.ParseRules(o.Expect); err != nil {
		return err
	}
	if opt.Fail, err = monitor.ParseRules(o.Fail); err != nil {
		return err
	}
	if w.view, err = a.newView(o.look); err != nil {
		return err
	}
	opt.Symbols = a.symbols(e)
	opt.Raw = w.view.raw()
	if o.Log != "" {
		f, err := os.Create(o.Log)
		if err != nil {
			return openError(o.Log, err)
		}
		defer f.Close()
		w.log = bufio.NewWriter(f)
		defer w.log.Flush()
		opt.Log = w.log
	}
	w.m = monitor.New(opt, w.view)
	w.keys = a.openKeyboard()
	defer w.keys.close()
	err = w.run(ctx)
	w.view.resume()
	if err != nil {
		return err
	}
	w.view.release()
	r := w.m.Result()
	a.ui.Event("result", struct {
		Verdict string  `json:"verdict"`
		Reason  string  `json:"reason"`
		Seconds float64 `json:"seconds"`
	}{verdictName(r.Verdict), r.Reason, w.now().Seconds()})
	if err := w.m.Err(); err != nil {
		return fault.Wrap(fault.Usage, err, "writing the log")
	}
	return verdictError(r)
}

func (w *observer) now() time.Duration { return time.Since(w.start) }

// glance is how long a port is read at a time: after so much silence keys are
// looked at, and lines that have not ended are shown.
const glance = 25 * time.Millisecond

func (w *observer) run(ctx context.Context) error {
	inner := ctx
	if w.o.Timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, w.o.Timeout)
		defer cancel()
	}
	buf := make([]byte, 32<<10)
	for !w.m.Done() {
		w.pressed(inner)
		if w.left {
			w.m.Close(w.now())
			return nil
		}
		n, err := w.port.Read(inner, buf, glance)
		var gone *serial.GoneError
		switch {
		case err == nil:
			w.heard = true
			w.m.Write(streamOf(w.port), w.now(), buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.m.Flush(w.now())
			w.m.Tick(w.now())
			w.silent()
			if w.log != nil {
				w.log.Flush() // somebody may be following it
			}
		case ctx.Err() != nil:
			w.m.Close(w.now())
			return ctx.Err()
		case inner.Err() != nil:
			w.m.Timeout(w.now())
		case errors.As(err, &gone) && returns(w.port.Info()):
			if err := w.wait(ctx, inner, gone); err != nil {
				return err
			}
		case errors.As(err, &gone) && gone.Err == nil:
			if w.keys != nil {
				w.a.ui.Note("%v", gone) // a person wonders why it ends
			} else {
				w.a.ui.Debugf("%v", gone)
			}
			w.m.Close(w.now())
		default:
			w.m.Close(w.now())
			return portFault(err)
		}
	}
	return nil
}

// silence is how long a board may say nothing before that is remarkable.
const silence = 5 * time.Second

// silent says once why nothing may have come at all: the program talks to the
// chip's other port.
func (w *observer) silent() {
	patience := w.o.silence
	if patience == 0 {
		patience = silence
	}
	if w.heard || w.now() < patience {
		return
	}
	w.heard = true // it has been said
	other := "this is UART0; it may talk to USB-Serial-JTAG, the chip's own USB device"
	if streamOf(w.port) == monitor.USB {
		other = "this is USB-Serial-JTAG; it may talk to UART0, behind a USB bridge"
	}
	w.a.ui.Note("the board has said nothing yet: %s", other)
	w.a.ui.Hints("espalier monitor --reset: the mask ROM speaks to both", "esp-println chooses by its features uart, jtag-serial and auto")
}

// returns reports whether a port that has vanished can come back as itself. A
// pseudo-terminal can by the name of a link: its number will be anybody's.
func returns(i serial.Info) bool {
	if i.Kind == serial.Terminal {
		return !strings.HasPrefix(i.Name, "/dev/pts/")
	}
	return i.Kind != serial.Network
}

func streamOf(p serial.Port) monitor.Stream {
	if p.Info().Kind == serial.USBJTAG {
		return monitor.USB
	}
	return monitor.UART0
}

// wait waits for a port that has vanished: native USB goes away when its chip
// sleeps or resets, or the cable was pulled.
func (w *observer) wait(ctx, inner context.Context, gone *serial.GoneError) error {
	w.m.Flush(w.now())
	w.a.ui.Note("%v; waiting for it", gone)
	was := w.port.Info()
	w.port.Close()
	reopen := w.o.reopen
	if reopen == nil {
		reopen = func(ctx context.Context, was serial.Info) (serial.Port, error) {
			return serial.Reopen(ctx, was, serial.Options{}, portReturns)
		}
	}
	waiting, cancel := context.WithCancel(inner)
	defer cancel()
	if w.o.For > 0 {
		waiting, cancel = context.WithTimeout(waiting, max(w.o.For-w.now(), time.Millisecond))
		defer cancel()
	}
	type result struct {
		p   serial.Port
		err error
	}
	back := make(chan result, 1)
	go func() {
		p, err := reopen(waiting, was)
		back <- result{p, err}
	}()
	for {
		select {
		case e := <-w.keys.pressed():
			if e.act == actLeave {
				w.left = true
				cancel()
			} else if e.act != actSend && e.act != actReset {
				w.key(waiting, e)
			}
		case r := <-back:
			switch {
			case r.err == nil:
				w.port = r.p
				w.a.ui.Note("%s is back", r.p.Info().Name)
				return nil
			case w.left:
				w.m.Close(w.now())
				return nil
			case ctx.Err() != nil:
				w.m.Close(w.now())
				return ctx.Err()
			case inner.Err() != nil:
				w.m.Timeout(w.now())
				return nil
			case waiting.Err() != nil:
				w.m.Tick(max(w.now(), w.o.For))
				return nil
			}
			w.m.Close(w.now())
			return portFault(r.err)
		}
	}
}

// pressed handles the keys that wait.
func (w *observer) pressed(ctx context.Context) {
	for !w.left {
		select {
		case e := <-w.keys.pressed():
			w.key(ctx, e)
		default:
			return
		}
	}
}

func (w *observer) key(ctx context.Context, e keyEvent) {
	u := w.a.ui
	switch e.act {
	case actSend:
		if err := w.port.Write(ctx, []byte(e.text)); err != nil {
			u.Debugf("writing: %v", err)
		}
	case actLeave:
		w.left = true
	case actReset:
		if err := loader.Run(ctx, w.port); err != nil {
			if errors.Is(err, errors.ErrUnsupported) {
				u.Note("this port has no reset line")
				return
			}
			u.Note("reset: %v", err)
		}
	case actStamps:
		w.view.stamps = !w.view.stamps
	case actHelp:
		u.Note("%s", keyHelp)
	case actPrompt:
		w.view.pause()
		io.WriteString(u.Writer(ui.Stderr), e.text)
	case actResume:
		w.view.resume()
	case actEcho:
		io.WriteString(u.Writer(ui.Stderr), e.text)
	case actFilter:
		defer w.view.resume()
		var rules []monitor.Rule
		if e.text != "" {
			r, err := monitor.ParseRule(e.text)
			if err != nil {
				u.Note("%v", err)
				return
			}
			rules = []monitor.Rule{r}
		}
		w.view.filter = rules
	}
}
