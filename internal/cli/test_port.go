package cli

import (
	"context"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/workspace"
)

// testOnPort runs programs that are one test on a real board, one after the other.
func testOnPort(ctx context.Context, a *app, o testOptions, programs []*fwtest.Program, built []workspace.TestProgram) error {
	for i, p := range programs {
		if fwtest.IsTest(p.ELF) {
			return fault.New(fault.Usage, p.Name+": embedded-test chooses tests by semihosting, which needs a debug probe",
				"espalier test --test "+p.Name+"   # without --port: on emulated boards")
		}
		if len(o.expect) == 0 {
			return fault.New(fault.Usage, "with --port a test passes by a text that it prints", "espalier test --port "+o.port.Port+" --expect 'all tests passed'")
		}
		s, err := newSession(a, session.Options{Expect: o.expect, Timeout: o.portTimeout})
		if err != nil {
			return err
		}
		j, err := flashFirmware(ctx, a, &workspace.Firmware{Flash: built[i].Flash, ELF: p.ELF}, o.port)
		if err != nil {
			return err
		}
		a.ui.Note("running %s", p.Name)
		if err := runOnPort(ctx, a, j, p.ROM, flashOptions{work: o.work, port: o.port}, s); err != nil {
			return err
		}
	}
	return nil
}
