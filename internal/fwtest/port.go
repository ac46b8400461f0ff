package fwtest

import (
	"bytes"
	"errors"
)

// Errors of PortRules.
var (
	ErrNeedsProbe = errors.New("embedded-test chooses tests by semihosting, which needs a debug probe")
	ErrNeedsText  = errors.New("with --port a test passes by a text that it prints")
	ErrNeedsRTT   = errors.New("defmt-test logs by RTT, which needs a debug probe; esp-println with its feature defmt-espflash logs to the port")
)

// PortRules returns the rules for the output of a program on a board that only a
// serial port is connected to: those given, else the last line of defmt-test. What
// needs a debug probe is one of the errors above.
func PortRules(elf []byte, given []string) ([]string, error) {
	// defmt's strings are names of symbols.
	defmtTest := bytes.Contains(elf, []byte(`"tag":"defmt_println","data":"all tests passed!"`)) && bytes.Contains(elf, []byte("running `"))
	switch {
	case IsTest(elf):
		return nil, ErrNeedsProbe
	case len(given) > 0:
		return given, nil
	case !defmtTest:
		return nil, ErrNeedsText
	case bytes.Contains(elf, []byte("_SEGGER_RTT\x00")):
		return nil, ErrNeedsRTT
	}
	return []string{"all tests passed!"}, nil
}
