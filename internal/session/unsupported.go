package session

import (
	"errors"
	"fmt"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/console"
	"espalier.dev/espalier/internal/fault"
)

// refused returns the access that ended a run because the emulated chip does not
// have what it is for, nil for other errors.
func refused(err error) *emu.Access {
	var absent *emu.AbsentError
	var strict *emu.StrictError
	switch {
	case errors.As(err, &absent):
		return &absent.Access
	case errors.As(err, &strict):
		return &strict.Access
	}
	return nil
}

// unsupported explains an error of a board whose firmware uses what the emulated
// chip does not have, and names the function that does. Other errors are
// returned as they are.
func unsupported(err error, symbols func() *firmware.Symbols) error {
	where := func(a emu.Access) string { return place(a.PC, symbols()) }
	var absent *emu.AbsentError
	var strict *emu.StrictError
	var loop *emu.TrapLoopError
	switch {
	case errors.As(err, &loop):
		return trapLoop(loop, symbols())
	case errors.As(err, &absent):
		return fault.New(fault.Usage,
			fmt.Sprintf("the emulated board has no %s, which the firmware uses: write to %s at %s",
				absent.Device, console.Address(absent.Access.Addr), where(absent.Access)),
			"espalier run --port /dev/ttyACM0   # a real board has one")
	case errors.As(err, &strict):
		a, what, block := strict.Access, "read of", "no block of the chip"
		if a.Writes > 0 {
			what = "write to"
		}
		if a.Block != "" {
			block = a.Block
		}
		return fault.New(fault.Usage,
			fmt.Sprintf("the emulated board does not model this register: %s %s (%s) at %s",
				what, console.Address(a.Addr), block, where(a)),
			"without --strict the run continues: the register stores what is written; -v lists all such registers at the end")
	}
	return err
}

// place is an address with its function and line.
func place(pc uint32, symbols *firmware.Symbols) string {
	if f := symbols.Frames(pc); len(f) > 0 && f[0].Function != "" {
		return console.Address(pc) + " (" + console.Frame(f[0]) + ")"
	}
	return console.Address(pc)
}

// trapLoop explains a run that ended in an exception without an end.
func trapLoop(e *emu.TrapLoopError, symbols *firmware.Symbols) error {
	how := "its handler at " + place(e.Loop.Handler, symbols) + " comes back to it"
	if e.InHandler() {
		how = "it is in the trap handler itself"
	}
	return fault.New(fault.Program, "endless trap: "+e.Exception()+" at "+place(e.Loop.PC, symbols)+"; "+how)
}
