package session

import (
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/rv32"
)

// A run that ends in a trap loop says in one line which exception, where, and why it
// does not end.
func TestTrapLoopMessage(t *testing.T) {
	for want, loop := range map[string]rv32.TrapLoop{
		"endless trap: illegal instruction at 0x42000010; its handler at 0x40380100 comes back to it": {
			PC: 0x42000010, Cause: rv32.CauseIllegal, Handler: 0x40380100},
		"endless trap: load access fault of 0x00000004 at 0x42000010; its handler at 0x40380100 comes back to it": {
			PC: 0x42000010, Cause: rv32.CauseLoad, Value: 4, Handler: 0x40380100},
		"endless trap: instruction access fault of 0x70000000 at 0x70000000; it is in the trap handler itself": {
			PC: 0x70000000, Cause: rv32.CauseFetch, Value: 0x70000000, Handler: 0x70000000},
		"endless trap: store access faults at one address after the other at 0x40380104; it is in the trap handler itself": {
			PC: 0x40380104, Cause: rv32.CauseStore, Value: 8, Handler: 0x40380100, Nested: true},
	} {
		err := unsupported(&emu.TrapLoopError{Loop: loop}, func() *firmware.Symbols { return &firmware.Symbols{} })
		if err.Error() != want || fault.KindOf(err) != fault.Program {
			t.Errorf("%v (%v), want %s", err, fault.KindOf(err), want)
		}
	}
}
