// Package emuport makes an emulated board available as a serial.Port: what a
// flasher, a monitor or serial.Server opens in place of a device.
//
// The board runs while the caller reads or waits, on the caller's goroutine,
// and the port's clock is guest time: a flasher in the same process is as
// deterministic as the board. Options.Pace holds guest time to the host's clock,
// so that the same port can be shared with other programs.
package emuport
