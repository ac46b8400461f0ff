// Package emutest runs firmware for the ESP32-C3 on an emulated board in
// go test: without hardware, with its Wi-Fi, and with the same result in every
// run.
//
//	func TestGreeting(t *testing.T) {
//		b := emutest.New(t,
//			emutest.Firmware("target/riscv32imc-unknown-none-elf/release/app"),
//			emutest.Host("api.example.com", handler))
//		b.Expect("got ip")
//		b.Expect("200 OK")
//		b.Send("status\n")
//		m := b.ExpectRegexp(`temperature (\d+)`)
//		…
//	}
//
// All times are guest time: a firmware that waits for a minute is tested in as
// long as the host takes to emulate it, which is much less when the chip idles. A
// test does not depend on the load of the machine, and t.Parallel is safe: boards
// share nothing.
//
// A test that fails shows the last lines of the board and a backtrace with
// functions and source lines. With go test -artifacts, the serial output, a
// capture of the radio and the network (pcapng) and a recording of the run are
// kept in t.ArtifactDir.
//
// The board needs Espressif's mask ROM and second-stage bootloader. They are
// found where espalier fetch has put them, by the espalier.lock at or above the
// directory of the test, or by the pins of this version of espalier; or in the
// files that ROM and Bootloader, or the environment variables ESPALIER_ROM and
// ESPALIER_BOOTLOADER, name. The store is $ESPALIER_STORE or espalier in the
// user's cache directory.
//
// Programs that are not tests use package emu/testbed.
package emutest
