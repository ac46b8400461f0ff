package embedtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/semihost"
)

// Outcome is the verdict on a test.
type Outcome uint8

// Outcomes of a test.
const (
	Passed Outcome = iota
	Failed
	Ignored
)

func (o Outcome) String() string { return [...]string{"ok", "FAILED", "ignored"}[o] }

// Result is what became of one test.
type Result struct {
	Test    Test
	Outcome Outcome
	Message string        // why it failed
	Text    string        // what the test wrote by semihosting: the panic's message
	Serial  []byte        // what it wrote to its serial ports
	Elapsed time.Duration // guest time from the call of the test
}

// Runner runs the tests of one program.
type Runner struct {
	// Board makes a board whose flash holds the program. Its output must be
	// given to output.
	Board func(output func(emu.Output)) (*emu.Board, error)
	// Prepare, when not nil, is called before each test on a board that has
	// booted: it can break something that the test depends on.
	Prepare func(*emu.Board) error
	// Fresh boots a board for each test. Otherwise each test starts from a
	// snapshot of one board that has booted, which has the same verdicts.
	Fresh bool
	// BootLimit is the guest time until the program must ask for the test to
	// run; 0 is 20 s.
	BootLimit time.Duration
}

// ErrBoot is wrapped by the error of a program that does not get as far as
// asking for the test to run.
var ErrBoot = errors.New("the program did not ask for a test to run")

// Run runs tests in order and calls report after each. The error is of the
// board or of booting, or the context's; a test that fails is none.
func (r *Runner) Run(ctx context.Context, tests []Test, report func(Result)) error {
	var s *session
	for _, t := range tests {
		if t.Ignored {
			report(Result{Test: t, Outcome: Ignored})
			continue
		}
		if s == nil || r.Fresh {
			var err error
			if s, err = r.boot(ctx); err != nil {
				return err
			}
		} else if err := s.restore(); err != nil {
			return err
		}
		if r.Prepare != nil {
			if err := r.Prepare(s.board); err != nil {
				return err
			}
		}
		res := s.test(ctx, t)
		if err := ctx.Err(); err != nil {
			return err
		}
		report(res)
	}
	return nil
}

// session is a board in front of SYS_GET_CMDLINE.
type session struct {
	board    *emu.Board
	host     *semihost.Host
	snapshot []byte
	text     strings.Builder
	serial   []byte
}

func (r *Runner) boot(ctx context.Context) (*session, error) {
	s := &session{}
	write := func(b []byte) { s.text.Write(b) }
	s.host = &semihost.Host{StopAtCommandLine: true, Stdout: write, Stderr: write}
	var err error
	s.board, err = r.Board(func(o emu.Output) {
		if len(s.serial) < maxSerial {
			s.serial = append(s.serial, o.Data...)
		}
	})
	if err != nil {
		return nil, err
	}
	s.host.Centiseconds = func() uint32 { return uint32(s.board.Now() / (10 * time.Millisecond)) }
	s.host.Attach(s.board.CPU())
	limit := r.BootLimit
	if limit == 0 {
		limit = 20 * time.Second
	}
	res := s.board.Run(ctx, emu.Limit(limit))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if res.Reason != emu.StopEbreak || !s.host.AtCommandLine {
		return nil, fmt.Errorf("%w: stopped by %v after %s\n%s", ErrBoot, res.Reason, limit, s.serial)
	}
	if !r.Fresh {
		s.snapshot = s.board.Snapshot()
	}
	return s, nil
}

// maxSerial bounds what is kept of a test that writes without end.
const maxSerial = 1 << 20

func (s *session) restore() error {
	s.text.Reset()
	s.serial = nil
	s.host.Reset()
	s.host.CommandLine = nil
	return s.board.Restore(s.snapshot)
}

// test answers the request for a command line and runs to the exit.
func (s *session) test(ctx context.Context, t Test) Result {
	s.serial = nil
	line := "run_addr " + strconv.FormatUint(uint64(t.Entry), 10)
	s.host.CommandLine = &line
	run := s.board.Run(ctx, emu.Limit(t.Timeout), emu.UntilReset())
	res := Result{Test: t, Text: s.text.String(), Serial: s.serial, Elapsed: run.Elapsed}
	res.Outcome, res.Message = s.verdict(t, run)
	return res
}

func (s *session) verdict(t Test, run emu.Result) (Outcome, string) {
	switch {
	case run.Reason == emu.StopLimit:
		return Failed, fmt.Sprintf("timed out after %s", t.Timeout)
	case run.Reason == emu.StopReset:
		return Failed, "the chip was reset: " + run.Resets[len(run.Resets)-1].Name
	case run.Reason != emu.StopEbreak || s.host.Exited == nil:
		if run.Err != nil {
			return Failed, run.Err.Error()
		}
		return Failed, fmt.Sprintf("stopped by %v at 0x%08x", run.Reason, s.board.CPU().PC())
	case s.host.Exited.Success() == t.ShouldPanic:
		if t.ShouldPanic {
			return Failed, "should panic and does not"
		}
		if s.host.Exited.Code == 101 {
			return Failed, "panicked"
		}
		return Failed, fmt.Sprintf("exit status %d", s.host.Exited.Code)
	}
	return Passed, ""
}
