package emutest_test

import (
	"fmt"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/emutest"
	"espalier.dev/espalier/internal/devtest"
)

// built returns the path of a firmware of scripts/firmware, and has emutest find
// the chip's files in the store of the tests.
func built(t testing.TB, name string) string {
	t.Helper()
	dir := devtest.Store(t)
	path := filepath.Join(dir, "firmware", name+".elf")
	if _, err := os.Stat(path); err != nil {
		devtest.Missing(t, name+".elf (scripts/firmware)")
	}
	t.Setenv("ESPALIER_STORE", dir)
	return path
}

func TestWiFi(t *testing.T) {
	var seen []string
	b := emutest.New(t,
		emutest.Firmware(built(t, "http-client")),
		emutest.Seed(3),
		emutest.Host("www.mobile-j.de", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Method+" "+r.Host)
			fmt.Fprintln(w, "temperature 21, humidity 40")
		})))
	b.Expect("2nd stage bootloader")
	if line := b.Expect("got ip"); !strings.Contains(line, "192.168.71.100") {
		t.Errorf("line %q", line)
	}
	b.Expect("200 OK")
	// Two matches in one line.
	if m := b.ExpectRegexp(`temperature (\d+)`); !slices.Equal(m, []string{"temperature 21", "21"}) {
		t.Errorf("match %q", m)
	}
	b.Expect("humidity 40")
	if !slices.Equal(seen, []string{"GET www.mobile-j.de"}) {
		t.Errorf("requests %q", seen)
	}
	if now := b.Now(); now <= 0 || now > 5*time.Second {
		t.Errorf("guest time %v", now)
	}
}

func TestCrash(t *testing.T) {
	b := emutest.New(t, emutest.Firmware(built(t, "panic")), emutest.NoWiFi())
	r := b.ExpectCrash()
	if r.Kind.String() != "panic" || r.Location == "" {
		t.Errorf("%v at %q: %s", r.Kind, r.Location, r)
	}
}

func TestFlashSizeAndMAC(t *testing.T) {
	mac := [6]byte{0x02, 1, 2, 3, 4, 5}
	b := emutest.New(t, emutest.Firmware(built(t, "hello")), emutest.FlashSize(8<<20), emutest.MAC(mac), emutest.NoWiFi())
	b.Expect("8MB")
	if n := len(b.Emu().Flash()); n != 8<<20 {
		t.Errorf("flash of %d bytes", n)
	}
	flash := b.Emu().Flash()
	again := emutest.New(t, emutest.FlashBytes(flash), emutest.NoWiFi())
	again.Expect("2nd stage bootloader")
	again.SetPin(4, emu.High)
	again.ExpectPin(4, emu.High)
	at := again.Now()
	if res := again.Run(3 * time.Millisecond); again.Now() != at+3*time.Millisecond || res.Elapsed != 3*time.Millisecond {
		t.Errorf("ran from %v to %v: %+v", at, again.Now(), res)
	}
	if res := again.Run(0); again.Now() != at+3*time.Millisecond || res.Reason != emu.StopLimit {
		t.Errorf("ran for no time to %v: %+v", again.Now(), res)
	}
	again.Reset()
	again.Expect("rst:0x1 (POWERON)")
}

// recordingT is a test that may fail without failing the test around it.
type recordingT struct {
	testing.TB
	failed bool
	text   strings.Builder
	dir    string
	end    []func()
}

func (r *recordingT) Helper()             {}
func (r *recordingT) Failed() bool        { return r.failed }
func (r *recordingT) ArtifactDir() string { return r.dir }
func (r *recordingT) Cleanup(f func())    { r.end = append(r.end, f) }
func (r *recordingT) Log(args ...any)     { fmt.Fprintln(&r.text, args...) }
func (r *recordingT) Logf(format string, args ...any) {
	fmt.Fprintf(&r.text, format+"\n", args...)
}
func (r *recordingT) Errorf(format string, args ...any) { r.Logf(format, args...); r.failed = true }
func (r *recordingT) Fatal(args ...any) {
	r.Log(args...)
	r.failed = true
	runtime.Goexit()
}
func (r *recordingT) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

// failing runs f as a test of its own and returns what it logs.
func failing(t *testing.T, f func(t testing.TB)) (failed bool, text string) {
	t.Helper()
	r := &recordingT{TB: t, dir: t.TempDir()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	for _, f := range slices.Backward(r.end) {
		f()
	}
	return r.failed, r.text.String()
}

func TestFailures(t *testing.T) {
	hello, panics, client := built(t, "hello"), built(t, "panic"), built(t, "http-client")
	for _, tc := range []struct {
		name string
		test func(t testing.TB)
		want []string // parts of the message, in order
	}{
		{"text that does not come", func(t testing.TB) {
			emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi(), emutest.Timeout(300*time.Millisecond)).Expect("no such text")
		}, []string{`no line with "no such text" within 300ms of guest time`, "| ", "the CPU is at", " at ", "-artifacts"}},
		{"a bad expression", func(t testing.TB) {
			emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi()).ExpectRegexp("(")
		}, []string{"missing closing )"}},
		{"crash", func(t testing.TB) {
			emutest.New(t, emutest.Firmware(panics), emutest.NoWiFi()).Expect("no such text")
		}, []string{"the firmware crashed", "| ", "panic"}},
		{"no crash", func(t testing.TB) {
			emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi(), emutest.Timeout(200*time.Millisecond)).ExpectCrash()
		}, []string{"no crash", "the CPU is at"}},
		{"strict", func(t testing.TB) {
			emutest.New(t, emutest.Firmware(client), emutest.Strict()).Expect("no such text")
		}, []string{"no line with"}},
		{"no firmware", func(t testing.TB) { emutest.New(t) }, []string{"no firmware: want the option"}},
		{"no such file", func(t testing.TB) { emutest.New(t, emutest.Firmware("absent.elf")) }, []string{"reading firmware", "absent.elf"}},
		{"not a fault", func(t testing.TB) { emutest.New(t, emutest.Firmware(hello), emutest.Faults("at noon")) }, []string{"fault \"at noon\""}},
		{"not an ELF file", func(t testing.TB) { emutest.New(t, emutest.FirmwareBytes([]byte("hello"))) }, []string{"flash image of the firmware"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			failed, text := failing(t, tc.test)
			rest := text
			for _, w := range tc.want {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Fatalf("no %q in order in:\n%s", w, text)
				}
				rest = after
			}
			if !failed {
				t.Errorf("did not fail:\n%s", text)
			}
		})
	}
}

// Without a store the message says what to type.
func TestNothingFetched(t *testing.T) {
	t.Setenv("ESPALIER_STORE", filepath.Join(t.TempDir(), "absent"))
	t.Setenv("ESPALIER_ROM", "")
	_, text := failing(t, func(t testing.TB) { emutest.New(t, emutest.FirmwareBytes(nil)) })
	for _, want := range []string{"mask ROM of the ESP32-C3", "no store of espalier at", "espalier demo"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if _, err := os.Stat(os.Getenv("ESPALIER_STORE")); err == nil {
		t.Error("a store was created")
	}
}

// The artefacts of a run are complete, and the recording replays.
func TestArtifacts(t *testing.T) {
	client, dir := built(t, "http-client"), filepath.Join(t.TempDir(), "kept")
	failed, text := failing(t, func(t testing.TB) {
		b := emutest.New(t, emutest.Firmware(client), emutest.Artifacts(dir))
		b.Expect("got ip")
	})
	if failed {
		t.Fatal(text)
	}
	for name, want := range map[string]string{"serial.log": "got ip", "capture.pcapng": "wlan", "run.recording": `"finish"`} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		content, err := io.ReadAll(f)
		f.Close()
		if err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s: no %q in %d bytes, %v", name, want, len(content), err)
		}
	}
}

// Two boards in parallel tests give the same run, and each other's traffic does
// not reach them.
func TestParallel(t *testing.T) {
	client := built(t, "http-client")
	runs := make(chan string, 2)
	for range 2 {
		go func() {
			r := &recordingT{TB: t, dir: ""}
			defer func() {
				for _, f := range r.end {
					f()
				}
				runs <- r.text.String()
			}()
			b := emutest.New(r, emutest.Firmware(client), emutest.Seed(9))
			b.Expect("got ip")
			r.Logf("%x %v", b.Emu().Trace(), b.Now())
		}()
	}
	if a, b := <-runs, <-runs; a != b || a == "" {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestScenario(t *testing.T) {
	hello := built(t, "hello")
	b := emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi(), emutest.Scenario("wire 2 3\npin 2 high\nexpect pin 3 high\nexpect \"2nd stage bootloader\"\n"))
	b.Play()
	for _, tc := range []struct{ name, text, want string }{
		{"a step that fails", "expect \"no such text\" within 100ms\n", `scenario:1:1: no line with "no such text" within 100ms`},
		{"a step that is not reached", "wait 20s\n", "scenario:1:1: not reached: wait"},
		{"not a scenario", "dance\n", `scenario:1:1: unknown statement "dance"`},
	} {
		failed, text := failing(t, func(t testing.TB) {
			emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi(), emutest.Scenario(tc.text)).Run(200 * time.Millisecond)
		})
		if !failed || !strings.Contains(text, tc.want) {
			t.Errorf("%s: failed %v: %s", tc.name, failed, text)
		}
	}
}

func TestSteps(t *testing.T) {
	hello := built(t, "hello")
	dir := t.TempDir()
	t.Run("all", func(t *testing.T) {
		b := emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi(), emutest.Artifacts(dir), emutest.Join(2, 3),
			emutest.Named("start", &parts.Button{Pin: 9, Pull: 10_000}), emutest.Named("screen", &parts.SSD1306{SDA: 4, SCL: 5}),
			emutest.Steps(
				emutest.DrivePin(2, emu.High),
				emutest.ExpectPin(3, emu.High, time.Millisecond),
				emutest.ExpectText("2nd stage bootloader", 0),
				emutest.Press("start", 20*time.Millisecond),
				emutest.ExpectPin(9, emu.Low, 5*time.Millisecond),
				emutest.ExpectPin(9, emu.High, 50*time.Millisecond),
				emutest.Screenshot("screen", "pictures/off.png"),
				emutest.At(2*time.Second, emutest.SetTemperature(30)),
			))
		b.Play()
		if b.Now() < 2*time.Second {
			t.Errorf("ended at %v, before its last step", b.Now())
		}
	})
	f, err := os.Open(filepath.Join(dir, "pictures", "off.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() != 128 {
		t.Errorf("%v, %v", img, err)
	}
	for name, c := range map[string]struct {
		step emutest.Step
		want string
	}{
		"a text that does not come": {emutest.ExpectText("no such text", 100*time.Millisecond), "emutest_test.go:"},
		"no such part":              {emutest.Press("other", 0), `"other" is not a button`},
		"no such display":           {emutest.Screenshot("start", "a.png"), `"start" is not a display`},
		"no such voltage":           {emutest.SetSupply(5), "5 is not a value of supply"},
		"no quantity":               {emutest.Set("start", "temperature", 1), `"start" has no quantity`},
	} {
		failed, text := failing(t, func(t testing.TB) {
			emutest.New(t, emutest.Firmware(hello), emutest.NoWiFi(), emutest.Named("start", &parts.Button{Pin: 9}), emutest.Steps(c.step)).Run(200 * time.Millisecond)
		})
		if !failed || !strings.Contains(text, c.want) {
			t.Errorf("%s: failed %v: %s", name, failed, text)
		}
	}
}

// The access point goes and comes back, and the firmware with it.
func TestStepsSwitchWiFi(t *testing.T) {
	b := emutest.New(t, emutest.Firmware(built(t, "http-client")), emutest.Timeout(5*time.Minute), emutest.Steps(
		emutest.ExpectText("200 OK", 20*time.Second),
		emutest.SwitchWiFi(false),
		emutest.ExpectText("trying again", 90*time.Second),
		emutest.SwitchWiFi(true),
		emutest.ExpectText("joined on channel", 90*time.Second),
		emutest.ExpectText("200 OK", 20*time.Second),
	))
	b.Play()
}
