package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/workspace"
)

// portLimit is how long, on the host's clock, a test on a real board may take
// without --timeout.
const portLimit = time.Minute

// testOnPort runs programs that are one test on a real board, one after the other.
func testOnPort(ctx context.Context, a *app, w *workspace.Workspace, o testOptions, programs []*fwtest.Program, built []workspace.TestProgram) error {
	rules := make([][]string, len(programs))
	for i, p := range programs {
		var err error
		if rules[i], err = fwtest.PortRules(p.ELF, o.expect); err != nil {
			hint := "espalier test --test " + p.Name + "   # without --port: on emulated boards"
			if errors.Is(err, fwtest.ErrNeedsText) {
				hint = "espalier test --port " + o.port.Port + " --expect 'all tests passed'"
			}
			return fault.New(fault.Usage, p.Name+": "+err.Error(), hint)
		}
	}
	var sum fwtest.Summary
	printer := o.printer(a)
	begin := time.Now()
	printer.Start(len(programs))
	for i, p := range programs {
		r := fwtest.Result{Program: p, Test: fwtest.Test{Name: p.Name}, Attempts: 1}
		err := o.onPort(ctx, a, w, p, built[i], rules[i], &r.Output)
		p.Repeat = nil // it names no board
		if kind := fault.KindOf(err); kind == fault.Program || kind == fault.Timeout {
			r.Outcome, r.Message = fwtest.Failed, err.Error()
		} else if err != nil {
			return err
		}
		if o.libtest.Format == fwtest.Pretty {
			fmt.Fprintln(printer.W) // the board may have left a line unfinished
		}
		for _, r := range fwtest.Subtests(r) {
			r.Output = nil // it has been shown
			printer.Result(r)
			a.ui.Event("test", fwtest.NewEvent(r))
			sum.Add(r)
		}
		if o.runner.FailFast && sum.Failed > 0 {
			break
		}
	}
	sum.Wall = time.Since(begin)
	printer.End(sum)
	if o.junit != "" {
		if err := atomicfile.Write(o.junit, fwtest.JUnit(sum.Results), 0o666); err != nil {
			return err
		}
	}
	if sum.Failed > 0 {
		return fault.New(fault.Program, fmt.Sprintf("%d of %d tests failed", sum.Failed, sum.Failed+sum.Passed))
	}
	return nil
}

// onPort writes one program to the board and waits for its text. All lines are
// appended to lines.
func (o *testOptions) onPort(ctx context.Context, a *app, w *workspace.Workspace, p *fwtest.Program, b workspace.TestProgram, expect []string, lines *[]string) error {
	s, err := newSession(a, session.Options{Expect: expect, Timeout: cmp.Or(o.runner.Limit, portLimit)})
	if err != nil {
		return err
	}
	s.Lines = func(text string) { *lines = append(*lines, text) }
	j, err := flashFirmware(ctx, a, w, &workspace.Firmware{Flash: b.Flash, ELF: p.ELF}, flashOptions{work: o.work, port: o.port})
	if err != nil {
		return err
	}
	a.ui.Note("running %s", p.Name)
	return runOnPort(ctx, a, j, flashOptions{work: o.work, port: o.port}, s)
}
