package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// Annotate copies the log of a board from in to stdout, line by line, each
// followed by the functions and source lines at the code addresses in it. A crash
// gets its report, defmt frames become lines. With --json the lines and reports
// are events. It returns when in ends, or ctx does with the error of ctx.
func Annotate(ctx context.Context, out *ui.UI, in io.Reader, symbols *firmware.Symbols) error {
	w := bufio.NewWriterSize(out.Writer(ui.Stdout), 64<<10)
	sink := &annotated{lines: New(out, Options{}), ui: out, w: w}
	m := monitor.New(monitor.Options{
		Symbols: symbols, KeepGoing: true, AllowReset: true, Timeless: true, KeepColor: out.Color(ui.Stdout),
	}, sink)
	err := pump(ctx, in, func(p []byte, more bool) error {
		m.Write(monitor.UART0, 0, p)
		if !more {
			return w.Flush() // a slow stream is shown line by line
		}
		return nil
	})
	m.Close(0)
	if e := w.Flush(); err == nil {
		err = e
	}
	if err != nil && ctx.Err() == nil && !errors.As(err, new(*fault.Error)) {
		err = fault.Wrap(fault.Usage, err, "reading the log")
	}
	return err
}

// pump reads in until it ends or ctx does and calls use with the bytes. more says
// that further bytes have arrived already.
func pump(ctx context.Context, in io.Reader, use func(p []byte, more bool) error) error {
	type chunk struct {
		b   []byte
		err error
	}
	chunks := make(chan chunk, 4)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			b := make([]byte, 64<<10)
			n, err := in.Read(b)
			select {
			case chunks <- chunk{b[:n], err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-chunks:
			if err := use(c.b, len(chunks) > 0 && c.err == nil); err != nil {
				return err
			}
			if c.err == io.EOF {
				return nil
			}
			if c.err != nil {
				return c.err
			}
		}
	}
}

// annotated is a sink that writes each line, and after it the functions at the
// addresses in it.
type annotated struct {
	lines *Console
	ui    *ui.UI
	w     *bufio.Writer
	line  []byte
}

// Line implements monitor.Sink.
func (s *annotated) Line(l monitor.Line) {
	if s.ui.JSON() {
		s.lines.Line(l)
		return
	}
	text := l.Text
	if l.Logged || l.Class == monitor.Boot && s.ui.Color(ui.Stdout) {
		text = Paint(s.ui, ui.Stdout, l)
	}
	s.w.WriteString(text)
	switch l.End {
	case monitor.Partial, monitor.Newline:
		s.w.WriteByte('\n')
	case monitor.Return:
		s.w.WriteByte('\r')
	}
	if len(l.Notes) == 0 {
		return
	}
	// A log has millions of lines: no text is made that is not written.
	b := s.line[:0]
	color := s.ui.Color(ui.Stdout)
	for _, n := range l.Notes {
		for i := range n.Frames {
			if color {
				b = append(b, "\x1b["+ui.Yellow+"m"...)
			}
			if i == 0 {
				b = AppendAddress(append(b, "  "...), n.Addr)
				b = append(b, ' ')
			} else {
				b = append(b, "         in "...)
			}
			b = AppendFrame(b, &n.Frames[i])
			if color {
				b = append(b, "\x1b[0m"...)
			}
			b = append(b, '\n')
		}
	}
	s.w.Write(b)
	s.line = b
}

// Report implements monitor.Sink.
func (s *annotated) Report(r *monitor.Report) {
	if s.ui.JSON() {
		s.lines.Report(r)
		return
	}
	for _, l := range strings.SplitAfter(strings.TrimSuffix(r.String(), "\n"), "\n") {
		s.w.WriteString("  " + l)
	}
	s.w.WriteByte('\n')
}
