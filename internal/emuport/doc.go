// Package emuport puts an emulated board behind a serial.Port: what a flasher
// or a monitor is given in place of a device.
//
// The board runs while somebody reads or waits, on the caller's goroutine, and
// the port's clock is the guest's: a flasher in the same process is as
// deterministic as the board. With Options.Pace the guest is held to the
// host's clock, and the same port can be lent to other programs (serial.Server).
// The package knows no flasher and no network.
package emuport
