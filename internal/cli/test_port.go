package cli

import (
	"cmp"
	"context"
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
	for _, p := range programs {
		if fwtest.IsTest(p.ELF) {
			return fault.New(fault.Usage, p.Name+": embedded-test chooses tests by semihosting, which needs a debug probe",
				"espalier test --test "+p.Name+"   # without --port: on emulated boards")
		}
	}
	if len(o.expect) == 0 {
		return fault.New(fault.Usage, "with --port a test passes by a text that it prints", "espalier test --port "+o.port.Port+" --expect 'all tests passed'")
	}
	var sum fwtest.Summary
	printer := o.printer(a)
	begin := time.Now()
	printer.Start(len(programs))
	for i, p := range programs {
		err := o.onPort(ctx, a, w, p, built[i])
		p.Repeat = nil // it names no board
		r := fwtest.Result{Program: p, Test: fwtest.Test{Name: p.Name}, Attempts: 1}
		if kind := fault.KindOf(err); kind == fault.Program || kind == fault.Timeout {
			r.Outcome, r.Message = fwtest.Failed, err.Error()
		} else if err != nil {
			return err
		}
		if o.libtest.Format == fwtest.Pretty {
			fmt.Fprintln(printer.W) // the board may have left a line unfinished
		}
		printer.Result(r)
		a.ui.Event("test", fwtest.NewEvent(r))
		sum.Add(r)
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

// onPort writes one program to the board and waits for its text.
func (o *testOptions) onPort(ctx context.Context, a *app, w *workspace.Workspace, p *fwtest.Program, b workspace.TestProgram) error {
	s, err := newSession(a, session.Options{Expect: o.expect, Timeout: cmp.Or(o.runner.Limit, portLimit)})
	if err != nil {
		return err
	}
	j, err := flashFirmware(ctx, a, w, &workspace.Firmware{Flash: b.Flash, ELF: p.ELF}, flashOptions{work: o.work, port: o.port})
	if err != nil {
		return err
	}
	a.ui.Note("running %s", p.Name)
	return runOnPort(ctx, a, j, flashOptions{work: o.work, port: o.port}, s)
}
