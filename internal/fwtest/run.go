package fwtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/probe"
	"espalier.dev/espalier/monitor"
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
	Program   *Program
	Test      Test
	Outcome   Outcome
	Message   string        // why it failed
	Output    []string      // lines that it has written, by whatever way
	Backtrace []string      // of a failed test: where the CPU was, innermost call first
	Elapsed   time.Duration // guest time of the test, without the shared boot
	Trace     uint64        // trace hash of the board since power-on
	Attempts  int           // 1 unless the test was repeated
	Seed      uint64        // of the last attempt
}

// Runner runs tests on emulated boards.
type Runner struct {
	// Bed describes the surroundings of one board; each test has its own. Board's
	// fields ROM, Flash and Output are set by the Runner.
	Bed func() (testbed.Config, error)
	// Prepare, when not nil, is called before each test on a board that has
	// booted: it can break something that the test depends on.
	Prepare func(*emu.Board) error
	// Fresh boots a board for each test, instead of sharing boots.
	Fresh bool
	// BootLimit is the guest time until a program of embedded-test must ask which
	// test to run; 0 is 20 s.
	BootLimit time.Duration
	// Limit, unless 0, is the guest time of each test in place of its own.
	Limit time.Duration
	// Args is the command line of a program that is one test.
	Args string
	// Workers is how many boards run at a time; 0 is 1.
	Workers int
	// Retries is how often a failed test is repeated, each time with the next seed
	// and a boot of its own.
	Retries int
	// FailFast ends the run after the first test that fails.
	FailFast bool
	// Artifacts is the folder below which each test keeps its screenshots and, with
	// VCD, the levels of its pins: PROGRAM/TEST/FILE, with "::" in the name of a test
	// as a slash. "" drops screenshots.
	Artifacts string
	VCD       bool
	// Files is the folder that semihosting reaches; nil: none.
	Files semihost.Files
	// Seed seeds the random number generators of each board.
	Seed uint64
}

// boot is the state of a program's board in front of the question which test to
// run, shared by its tests.
type boot struct {
	once     sync.Once
	snapshot *emu.Snapshot
	err      error
}

// Load lists the tests of a program. Firmware with embedded-test up to 0.6 is
// booted for that.
func (r *Runner) Load(ctx context.Context, p *Program) error {
	if err := p.open(); err != nil || p.kind != byName {
		return err
	}
	m, err := r.asked(ctx, p, r.Seed)
	if err != nil {
		return err
	}
	defer m.close()
	command := "list"
	m.host.CommandLine = &command
	m.run(ctx, m.board.Now()+r.bootLimit())
	if m.host.TestList == nil {
		return fmt.Errorf("%s: the program did not list its tests", p.Name)
	}
	if p.Tests, err = listed(m.host.TestList); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return nil
}

func (r *Runner) bootLimit() time.Duration {
	if r.BootLimit == 0 {
		return 20 * time.Second
	}
	return r.BootLimit
}

// machine powers on a board for a program.
func (r *Runner) machine(p *Program, seed uint64) (*machine, error) {
	bed, err := r.Bed()
	if err != nil {
		return nil, err
	}
	bed.Board.Seed = seed
	m, err := newMachine(p, bed, r.VCD)
	if err == nil {
		m.host.Files = r.Files
	}
	return m, err
}

// asked returns a board whose firmware asks which test to run. The error wraps
// errBoot when it does not.
func (r *Runner) asked(ctx context.Context, p *Program, seed uint64) (*machine, error) {
	m, err := r.machine(p, seed)
	if err != nil {
		return nil, err
	}
	res := m.run(ctx, r.bootLimit())
	if err := ctx.Err(); err != nil {
		m.close()
		return nil, err
	}
	if res.Reason != emu.StopEbreak || !m.host.AtCommandLine {
		defer m.close()
		m.monitor.Close(m.board.Now())
		why := fmt.Sprintf("stopped by %v after %v", res.Reason, m.board.Now())
		if res.Err != nil {
			why = res.Err.Error()
		}
		if rep := m.out.report; rep != nil {
			why = rep.Kind.String() + ": " + rep.Message
		}
		return nil, &bootError{fmt.Errorf("%w: %s", errBoot, why), m.out.texts()}
	}
	m.restart()
	return m, nil
}

// bootError has the output of the boot.
type bootError struct {
	error
	output []string
}

func (e *bootError) Unwrap() error { return e.error }

// forked returns a board in the state that asked returns, from the shared
// snapshot.
func (r *Runner) forked(ctx context.Context, p *Program, b *boot) (*machine, error) {
	b.once.Do(func() {
		m, err := r.asked(ctx, p, r.Seed)
		if err != nil {
			b.err = err
			return
		}
		b.snapshot = m.board.Snapshot()
		m.close()
	})
	if b.err != nil {
		return nil, b.err
	}
	m, err := r.machine(p, r.Seed)
	if err != nil {
		return nil, err
	}
	if err := m.board.Restore(b.snapshot); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// test runs one test, and again while it fails and may be repeated. The error is
// that of the board or of ctx.
func (r *Runner) test(ctx context.Context, p *Program, t Test, b *boot) ([]Result, error) {
	if t.Ignored {
		return []Result{{Program: p, Test: t, Outcome: Ignored}}, nil
	}
	for attempt := range r.Retries + 1 {
		res, err := r.attempt(ctx, p, t, b, r.Seed+uint64(attempt), attempt > 0)
		if err != nil {
			return nil, err
		}
		if res.Outcome == Passed || attempt == r.Retries {
			res.Attempts = attempt + 1
			return Subtests(res), nil
		}
	}
	panic("unreachable")
}

func (r *Runner) attempt(ctx context.Context, p *Program, t Test, b *boot, seed uint64, fresh bool) (Result, error) {
	res := Result{Program: p, Test: t, Seed: seed}
	if r.Limit > 0 {
		t.Timeout = r.Limit
	}
	var m *machine
	var err error
	switch {
	case p.kind == whole:
		m, err = r.machine(p, seed)
	case fresh || r.Fresh:
		m, err = r.asked(ctx, p, seed)
	default:
		m, err = r.forked(ctx, p, b)
	}
	var failed *bootError
	switch {
	case errors.As(err, &failed):
		res.Outcome, res.Message, res.Output = Failed, failed.Error(), failed.output
		return res, nil
	case err != nil:
		return res, err
	}
	defer m.close()
	line := r.Args
	switch p.kind {
	case byAddress:
		line = "run_addr " + strconv.FormatUint(uint64(t.Entry), 10)
	case byName:
		line = "run " + t.Name
	}
	m.host.CommandLine, m.host.AtCommandLine = &line, false
	if r.Prepare != nil {
		if err := r.Prepare(m.board); err != nil {
			return res, err
		}
	}
	begin := m.board.Now()
	keep := artifacts{r.Artifacts, p.Name, t.Name}
	m.save = keep.write
	if m.levels != nil {
		m.levels.Begin()
	}
	m.start(begin)
	end := m.run(ctx, begin+t.Timeout)
	if err := ctx.Err(); err != nil {
		return res, err
	}
	res.Elapsed, res.Trace = m.board.Now()-begin, m.board.Trace()
	res.Backtrace = m.backtrace()
	if m.host.Exited != nil {
		m.board.Run(ctx, emu.Limit(probe.Drain), emu.UntilReset())
	}
	m.monitor.Close(m.board.Now())
	if m.playing && m.failed == nil {
		m.failed = m.player.Advance(m.board) // the last lines
	}
	res.Output = m.out.texts()
	if err := keep.writeVCD(m.levels); err != nil {
		return res, err
	}
	res.Outcome, res.Message = m.verdict(t, end)
	if res.Outcome == Passed {
		res.Backtrace = nil
	}
	return res, nil
}

// verdict decides on a test that has ended.
func (m *machine) verdict(t Test, end emu.Result) (Outcome, string) {
	exit, report := m.host.Exited, m.out.report
	crashed := report != nil && report.Kind == monitor.Panic || exit != nil && !exit.Success()
	switch {
	case m.failed != nil:
		return Failed, m.failed.Error()
	case m.player != nil && !t.ShouldPanic && exit != nil && exit.Success() && m.player.Pending() != nil:
		return Failed, m.player.Pending().Error()
	case m.plays() && m.player.Done() && exit == nil && report == nil && m.p.kind == whole && len(m.out.rules) == 0:
		return Passed, ""
	case len(m.out.rules) > 0 && m.out.matched == len(m.out.rules):
		return Passed, ""
	case t.ShouldPanic && crashed:
		return Passed, ""
	case exit != nil && exit.Success() && t.ShouldPanic:
		return Failed, "should panic and does not"
	case exit != nil && exit.Success() && len(m.out.rules) > 0:
		return Failed, "the expected text is missing"
	case exit != nil && exit.Success():
		return Passed, ""
	case report != nil:
		return Failed, panicText(report)
	case exit != nil && exit.Code == 101:
		return Failed, "panicked"
	case exit != nil && exit.Code == 134:
		return Failed, "aborted, or returned an error"
	case exit != nil && exit.Reason == semihost.ApplicationExit:
		return Failed, fmt.Sprintf("exit status %d", exit.Code)
	case exit != nil:
		return Failed, fmt.Sprintf("exit with reason 0x%x", exit.Reason)
	case end.Reason == emu.StopReset:
		return Failed, "the chip was reset: " + end.Resets[len(end.Resets)-1].Name
	case end.Reason == emu.StopLimit || end.Reason == emu.StopOutput:
		return Failed, fmt.Sprintf("timed out after %v of guest time", t.Timeout)
	case end.Reason == emu.StopIdle:
		return Failed, "the firmware waits for an interrupt that will not come, and has not exited"
	case end.Err != nil:
		return Failed, end.Err.Error()
	}
	return Failed, fmt.Sprintf("stopped by %v at 0x%08x", end.Reason, m.board.CPU().PC())
}

// panicText is the first line of a crash.
func panicText(r *monitor.Report) string {
	first, _, _ := strings.Cut(r.Message, "\n")
	text := r.Kind.String()
	if r.Kind == monitor.Panic {
		text = "panicked"
	}
	if r.Location != "" {
		text += " at " + r.Location
	}
	if strings.Count(first, "'") == 1 { // defmt quotes its messages and states no place after them
		first = strings.TrimSuffix(first, "'")
	}
	if first != "" {
		text += ": " + first
	}
	return text
}
