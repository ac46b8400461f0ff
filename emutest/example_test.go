package emutest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emutest"
	"espalier.dev/espalier/internal/devtest"
)

func TestMain(m *testing.M) {
	os.Exit(devtest.Examples(m, "^Example", "hello.elf", "http-client.elf", "joined.elf", "panic.elf"))
}

// elf is the path of a firmware that scripts/firmware has built.
func elf(name string) string {
	return filepath.Join(os.Getenv("ESPALIER_STORE"), "firmware", name)
}

// run runs the function of an example as go test runs a test of this name.
func run(test func(t testing.TB)) {
	t := &exampleT{}
	done := make(chan struct{})
	go func() { defer close(done); test(t) }()
	<-done
	for _, f := range slices.Backward(t.end) {
		f()
	}
}

// exampleT is a test that prints what it reports.
type exampleT struct {
	testing.TB
	end    []func()
	failed bool
}

func (t *exampleT) Helper()                  {}
func (t *exampleT) Name() string             { return "Example" }
func (t *exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Cleanup(f func())         { t.end = append(t.end, f) }
func (t *exampleT) Failed() bool             { return t.failed }
func (t *exampleT) Output() io.Writer        { return os.Stdout }
func (t *exampleT) Log(args ...any)          { fmt.Println(args...) }
func (t *exampleT) Logf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
}
func (t *exampleT) Errorf(format string, args ...any) { t.failed = true; t.Logf(format, args...) }
func (t *exampleT) Fatal(args ...any)                 { t.failed = true; t.Log(args...); runtime.Goexit() }
func (t *exampleT) Fatalf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }

// A test of firmware that prints a greeting and blinks. A package of one's own has it
// as TestHello(t *testing.T); run does here what go test does there.
func Example() {
	testHello := func(t testing.TB) {
		b := emutest.New(t, emutest.Firmware(elf("hello.elf")), emutest.NoWiFi())
		t.Log(b.Expect("Hello"))
		m := b.ExpectRegexp(`blink (\d): GPIO8 is (\w+)`)
		if b.Pin(8) != emu.High && b.Pin(8) != emu.Low {
			t.Errorf("GPIO8 is %v", b.Pin(8))
		}
		t.Log(m[0])
	}
	run(testHello)
	// Output:
	// Hello from an ESP32-C3!
	// blink 1: GPIO8 is high
}

// The firmware fetches a page over the emulated Wi-Fi; the test is the server.
func ExampleHost() {
	testPage := func(t testing.TB) {
		b := emutest.New(t, emutest.Firmware(elf("http-client.elf")),
			emutest.Host("www.mobile-j.de", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				t.Log(r.Method, r.Host, r.URL.Path)
				fmt.Fprintln(w, "temperature 21")
			})))
		b.Expect("200 OK")
		t.Log("the firmware read", b.ExpectRegexp(`temperature (\d+)`)[1])
	}
	run(testPage)
	// Output:
	// GET www.mobile-j.de /
	// the firmware read 21
}

// The firmware panics, and the test finds where.
func ExampleBoard_ExpectCrash() {
	testPanic := func(t testing.TB) {
		b := emutest.New(t, emutest.Firmware(elf("panic.elf")), emutest.NoWiFi())
		r := b.ExpectCrash()
		t.Log(r.Kind, filepath.Base(r.Location))
	}
	run(testPanic)
	// Output:
	// panic panic.rs:30:5
}

// Two boards are joined by UART1: TX at GPIO4, RX at GPIO5. The one whose GPIO3 is
// high asks, the other answers.
func ExampleGroup() {
	testJoined := func(t testing.TB) {
		a := emutest.New(t, emutest.Firmware(elf("joined.elf")), emutest.NoWiFi())
		b := emutest.New(t, emutest.Firmware(elf("joined.elf")), emutest.NoWiFi())
		g := emutest.NewGroup(t, a, b)
		g.Join(a, 4, b, 5)
		g.Join(b, 4, a, 5)
		a.SetPin(3, emu.High)
		t.Log(a.Expect("square of 3"))
		t.Log(b.Expect("asked for 4"))
	}
	run(testJoined)
	// Output:
	// the square of 3 is 9
	// asked for 4
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
