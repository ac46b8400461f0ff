package emutest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emutest"
)

// A test of firmware that fetches a page, in a package of one's own. go test runs
// it as TestThermometer(t *testing.T).
func Example() {
	_ = func(t *testing.T) {
		b := emutest.New(t,
			emutest.Firmware("target/riscv32imc-unknown-none-elf/release/thermometer"),
			emutest.WiFi("office", "correct horse"),
			emutest.Host("api.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintln(w, `{"interval": 60}`)
			})))
		b.Expect("got ip")
		b.Send("report\n")
		m := b.ExpectRegexp(`temperature (-?\d+)`)
		t.Logf("the firmware measured %s degrees", m[1])
	}
}

// A button at GPIO9 that is pressed for 50 ms must switch the LED at GPIO8.
func ExampleBoard_SetPin() {
	_ = func(t *testing.T) {
		b := emutest.New(t, emutest.Firmware("button.elf"), emutest.NoWiFi())
		b.Expect("ready")
		b.SetPin(9, emu.Low)
		b.Run(50 * time.Millisecond)
		b.SetPin(9, emu.Floating)
		b.ExpectPin(8, emu.High)
	}
}

// The firmware must survive a lost access point.
func ExampleFaults() {
	_ = func(t *testing.T) {
		b := emutest.New(t, emutest.Firmware("app.elf"), emutest.Faults("from 5s to 20s no-network"), emutest.Timeout(time.Minute))
		b.Expect("connected")
		b.Expect("disconnected")
		b.Expect("connected")
	}
}
