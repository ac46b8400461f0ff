package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/console"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

type symbolizeOptions struct {
	ELF string
	ROM string
}

func newSymbolize(a *app) *cobra.Command {
	var o symbolizeOptions
	cmd := &cobra.Command{
		Use:   "symbolize [LOG | ADDRESS...]",
		Short: "functions and source lines for the addresses in a log, or in a list",
		Long: `Read the log of a board, from a file or standard input, and print the same lines,
each followed by the functions and source lines at the code addresses in it, with
every inlined call; defmt frames become lines; a crash gets its report. With
addresses instead (0x42001234 or 42001234), print the functions at them.

The firmware is the ELF that made the log: --elf, or the only one that espalier
build has left in target/espalier.` + exits(),
		Example: `  espalier symbolize uart.log --elf target/espalier/blinky.elf
  ssh lab cat /dev/ttyACM0 | espalier symbolize --elf blinky.elf
  espalier symbolize 0x42001234 0x40380010 --elf blinky.elf`,
		Args: logOrAddresses,
		RunE: func(cmd *cobra.Command, names []string) error { return symbolize(cmd.Context(), a, names, o) },
	}
	cmd.Flags().StringVar(&o.ELF, "elf", "", "ELF `FILE` with the symbols")
	cmd.Flags().StringVar(&o.ROM, "rom", "", "mask ROM as an ELF `FILE` (default: the locked one)")
	return cmd
}

// logOrAddresses accepts one file, or any number of addresses.
func logOrAddresses(_ *cobra.Command, names []string) error {
	if len(names) < 2 {
		return nil
	}
	for _, n := range names {
		if _, ok := addressArgument(n); !ok {
			return fault.New(fault.Usage, fmt.Sprintf("symbolize: unexpected argument %s", n), "either one log or addresses such as 0x42001234")
		}
	}
	return nil
}

func symbolize(ctx context.Context, a *app, names []string, o symbolizeOptions) error {
	var addrs []uint32
	for _, n := range names {
		if v, ok := addressArgument(n); ok {
			addrs = append(addrs, v)
		}
	}
	e, err := a.symbolFiles(ctx, o.ELF, o.ROM, true)
	if err != nil {
		return err
	}
	syms := session.Symbols(e.ELF, e.ROM, a.ui)
	if addrs != nil {
		for _, v := range addrs {
			n := monitor.Note{Addr: v, Frames: syms.Frames(v)}
			if len(n.Frames) == 0 {
				a.ui.Printf("%s ??", console.Address(v))
			}
			for _, l := range console.NoteLines(n) {
				a.ui.Printf("%s", strings.TrimPrefix(l, "  "))
			}
			a.ui.Event("address", console.NewPlace(v, "", n.Frames))
		}
		return nil
	}
	in := a.stdin
	if len(names) == 1 && names[0] != "-" {
		f, err := os.Open(names[0])
		if err != nil {
			return openError(names[0], err)
		}
		defer f.Close()
		in = f
	} else {
		a.ui.Debugf("reading standard input")
	}
	w := bufio.NewWriterSize(a.ui.Writer(ui.Stdout), 64<<10)
	out := &annotated{console: console.New(a.ui, console.Options{}), ui: a.ui, w: w}
	m := monitor.New(monitor.Options{Symbols: syms, KeepGoing: true, AllowReset: true, Timeless: true, KeepColor: a.ui.Color(ui.Stdout)}, out)
	err = pump(ctx, in, func(p []byte, more bool) error {
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

// addressArgument reads an argument that is an address and not the name of a file.
func addressArgument(s string) (uint32, bool) {
	if v, ok := parseAddress(s); ok {
		if _, err := os.Stat(s); err != nil {
			return v, true
		}
	}
	return 0, false
}

// parseAddress reads an address as logs and debuggers print it: 0x and up to
// eight hex digits, or eight without 0x; a colon or comma may follow, and of
// PC:SP, as in a backtrace, it takes the first.
func parseAddress(s string) (uint32, bool) {
	s, _, _ = strings.Cut(strings.TrimRight(s, ",;"), ":")
	digits, prefixed := strings.CutPrefix(strings.ToLower(s), "0x")
	if !prefixed && len(digits) != 8 {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	return uint32(v), err == nil
}

// pump reads in until it ends or ctx does, and hands on what comes. more says
// that further bytes are there already.
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

// annotated is a sink that writes lines with what is at their addresses.
type annotated struct {
	console *console.Console
	ui      *ui.UI
	w       *bufio.Writer
	line    []byte
}

// Line implements monitor.Sink.
func (s *annotated) Line(l monitor.Line) {
	if s.ui.JSON() {
		s.console.Line(l)
		return
	}
	text := l.Text
	if l.Logged || l.Class == monitor.Boot && s.ui.Color(ui.Stdout) {
		text = console.Paint(s.ui, ui.Stdout, l)
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
				b = console.AppendAddress(append(b, "  "...), n.Addr)
				b = append(b, ' ')
			} else {
				b = append(b, "         in "...)
			}
			b = console.AppendFrame(b, &n.Frames[i])
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
		s.console.Report(r)
		return
	}
	for _, l := range strings.SplitAfter(strings.TrimSuffix(r.String(), "\n"), "\n") {
		s.w.WriteString("  " + l)
	}
	s.w.WriteByte('\n')
}

// symbolFiles reads the ELF that names a firmware's addresses and, if it can be
// had, the mask ROM. Without a name it is the only one that a build has left;
// needed says that there must be one.
func (a *app) symbolFiles(ctx context.Context, elf, rom string, needed bool) (e emulation, err error) {
	if elf == "" {
		if elf, err = a.builtELF(); err != nil && needed {
			return e, err
		}
	}
	if elf != "" {
		if e.ELF, err = a.readInput(ctx, elf); err != nil {
			return e, err
		}
		if kind := image.Identify(e.ELF); kind != image.ELF {
			return e, fault.New(fault.Usage, fmt.Sprintf("%s: not an ELF (%s)", elf, kind), "the ELF of the same build has the symbols")
		}
		if err := image.CheckELF(e.ELF); err != nil {
			return e, atFile(elf, err)
		}
		a.ui.Debugf("symbols: %s", elf)
	}
	if e.ROM, err = a.chipFiles(chipfiles.Paths{ROM: rom}).ROM(ctx, chipfiles.EmulatedRevision); err != nil {
		if rom != "" {
			return e, err
		}
		a.ui.Debugf("no names for addresses of the mask ROM: %v", err)
	}
	return e, nil
}

// builtELF finds the ELF that espalier build has left in the project here.
func (a *app) builtELF() (string, error) {
	dir, err := filepath.Abs(a.projectDir())
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "finding the project")
	}
	for at := dir; ; at = filepath.Dir(at) {
		found, _ := filepath.Glob(filepath.Join(at, "target", "espalier", "*.elf"))
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return "", fault.New(fault.Usage, fmt.Sprintf("which firmware? %d ELFs are in %s", len(found), filepath.Dir(found[0])), "--elf "+found[0])
		}
		if filepath.Dir(at) == at {
			return "", fault.New(fault.Usage, "which firmware? there is no ELF in target/espalier here or above", "--elf FILE", "espalier build")
		}
	}
}
