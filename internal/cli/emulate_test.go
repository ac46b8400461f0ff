package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
)

// lookupIn reads variables from a list like os.Environ's.
func lookupIn(env []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, kv := range env {
			if v, ok := strings.CutPrefix(kv, name+"="); ok {
				return v, true
			}
		}
		return "", false
	}
}

// emulateHere runs espalier emulate without a terminal.
func emulateHere(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(context.Background(), append([]string{"emulate"}, args...), strings.NewReader(""), &out, &errs, lookupIn(env))
	return code, out.String(), errs.String()
}

// TestEmulatePipe: on a pipe, stdout is what the board wrote, byte for byte,
// and the verdict is in the exit status.
func TestEmulatePipe(t *testing.T) {
	env := testChipFiles(t)
	hello, panics := testFirmware(t, "hello.elf"), testFirmware(t, "panic.elf")
	log := filepath.Join(t.TempDir(), "uart.log")

	code, out, errs := emulateHere(t, env, hello, "--expect", "blink 3", "--log", log)
	if code != 0 || errs != "" {
		t.Errorf("exit %d, stderr %q", code, errs)
	}
	if b, err := os.ReadFile(log); err != nil || string(b) != out {
		t.Errorf("--log has %d bytes, stdout %d: %v", len(b), len(out), err)
	}
	if !strings.HasPrefix(out, "ESP-ROM:esp32c3") || !strings.Contains(out, "\r\n") || !strings.Contains(out, "Hello from an ESP32-C3!") {
		t.Errorf("stdout %q", out)
	}

	for _, tt := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"expected text is missing", []string{hello, "--expect", "never", "--for", "1s"}, 124, `espalier: "never" did not appear within 1s`},
		{"a second of the guest", []string{hello, "--for", "1s"}, 0, ""},
		{"text that must not come", []string{hello, "--fail", "/blink [23]/", "--expect", "never"}, 1, "blink 2"},
		{"panic", []string{panics, "--expect", "never"}, 1, "espalier: the firmware panicked: index out of bounds"},
		{"host timeout", []string{hello, "--timeout", "50ms", "--speed", "1"}, 124, "espalier: timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, _, errs := emulateHere(t, env, tt.args...)
			if code != tt.code || !strings.Contains(errs, tt.text) {
				t.Errorf("exit %d, want %d; stderr:\n%s\nwant %q", code, tt.code, errs, tt.text)
			}
		})
	}
}

// TestEmulateBluetooth: firmware that wants what the board does not have is told
// so, once, with the function that wanted it; it is an input that cannot be used.
func TestEmulateBluetooth(t *testing.T) {
	env := testChipFiles(t)
	ble := testFirmware(t, "ble.elf")
	want := regexp.MustCompile(`^espalier: the emulated board has no Bluetooth LE controller, which the firmware uses: write to 0x6003[0-9a-f]{4} at 0x42[0-9a-f]{6} \(\w+\+0x[0-9a-f]+\)\nhint: espalier run --port \S+ .*\n$`)
	for _, args := range [][]string{{"--expect", "never", "--for", "1m"}, {"--strict"}, {"--share", "tcp://127.0.0.1:0", "--for", "1m"}} {
		code, out, errs := emulateHere(t, env, append(args, ble)...)
		if code != 2 || !want.MatchString(errs) {
			t.Errorf("%v: exit %d, stderr:\n%s", args, code, errs)
		}
		if args[0] != "--share" && !strings.HasSuffix(strings.TrimSpace(out), "starting Bluetooth LE") {
			t.Errorf("%v: stdout:\n%s", args, out)
		}
	}
}

// TestEmulateStrict: a register that is not modelled is named with the function
// that uses it, and without --strict it changes nothing.
func TestEmulateStrict(t *testing.T) {
	env := testChipFiles(t)
	file := testFirmware(t, "transfer.elf")
	code, _, errs := emulateHere(t, env, "--for", "2s", "--strict", file)
	want := regexp.MustCompile(`^espalier: the emulated board does not model this register: (read of|write to) 0x600[0-9a-f]{5} \(\w+\) at 0x4[0-9a-f]{7} \(.+\)\nhint: without --strict .*\n$`)
	if code != 2 || !want.MatchString(errs) {
		t.Errorf("exit %d, stderr:\n%s", code, errs)
	}
	if code, _, errs := emulateHere(t, env, "--for", "2s", file); code != 0 {
		t.Errorf("without --strict: exit %d, stderr:\n%s", code, errs)
	}
}

// TestEmulateEvents: with --json, lines, reports and the result are events,
// and equal runs say the same.
func TestEmulateEvents(t *testing.T) {
	env := testChipFiles(t)
	panics := testFirmware(t, "panic.elf")
	code, out, _ := emulateHere(t, env, panics, "--json", "--expect", "never")
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	seen := map[string]int{}
	for line := range strings.Lines(out) {
		var e struct {
			Version int
			Event   string
			Verdict string
			Exit    int
			Trace   string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Version != 1 {
			t.Fatalf("%v: %s", err, line)
		}
		seen[e.Event]++
		if e.Event == "result" && (e.Verdict != "crashed" || len(e.Trace) != 16) || e.Event == "error" && e.Exit != 1 {
			t.Errorf("%s", line)
		}
	}
	if seen["line"] < 20 || seen["report"] != 1 || seen["result"] != 1 || seen["error"] != 1 {
		t.Errorf("events %v", seen)
	}
	if _, again, _ := emulateHere(t, env, panics, "--json", "--expect", "never"); again != out {
		t.Error("a second run of the same firmware says something else")
	}
}

// TestEmulateImages: an ELF, its application image and its flash image are the
// same firmware.
func TestEmulateImages(t *testing.T) {
	env := testChipFiles(t)
	elf, err := os.ReadFile(testFirmware(t, "hello.elf"))
	if err != nil {
		t.Fatal(err)
	}
	flash := flashOf(t, env, elf)
	var first string
	for name, b := range map[string][]byte{"app.bin": flash.App(), "flash.bin": flash.Merged(), "trimmed.bin": flash.Trimmed(), "hello": elf} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
		code, out, errs := emulateHere(t, env, file, "--expect", "blink 2")
		if code != 0 {
			t.Errorf("%s: exit %d: %s", name, code, errs)
		}
		if first == "" {
			first = out
		}
		if out != first {
			t.Errorf("%s boots differently", name)
		}
	}
}

// testChipFiles names Espressif's ROM and bootloader, from the resources of the
// espflash crate, by environment variables.
func testChipFiles(t *testing.T) []string {
	t.Helper()
	devtest.Long(t, "boots a board")
	dir := filepath.Join(os.Getenv("ESPALIER_PEERS"), "espflash", "resources")
	rom, boot := filepath.Join(dir, "roms", "esp32c3_rev300_rom.elf"), filepath.Join(dir, "bootloaders", "esp32c3-bootloader.bin")
	for _, f := range []string{rom, boot} {
		if _, err := os.Stat(f); err != nil {
			devtest.Missing(t, "the resources of the espflash crate in $ESPALIER_PEERS/espflash")
		}
	}
	return []string{"ESPALIER_ROM=" + rom, "ESPALIER_BOOTLOADER=" + boot, "ESPALIER_STORE=" + filepath.Join(t.TempDir(), "store")}
}

// testFirmware names a program that the tests' set-up has built.
func testFirmware(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(devtest.Store(t), "firmware", name)
	if _, err := os.Stat(path); err != nil {
		devtest.Missing(t, "firmware/"+name+" in the shared test store")
	}
	return path
}

// flashOf makes the flash image of a program.
func flashOf(t *testing.T, env []string, elf []byte) *image.Flash {
	t.Helper()
	name, _ := lookupIn(env)("ESPALIER_BOOTLOADER")
	boot, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The step after an expected line begins when the line has come, also at full speed.
func TestEmulateScenario(t *testing.T) {
	env := testChipFiles(t)
	file := filepath.Join(t.TempDir(), "s.scenario")
	if err := os.WriteFile(file, []byte("expect \"Hello\" within 20s\nexpect \"blink 1\" within 20s\nwait 1ms\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	code, out, errs := emulateHere(t, env, testFirmware(t, "hello.elf"), "--scenario", file, "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var result struct {
		Event   string
		Seconds float64
	}
	err := json.Unmarshal([]byte(lines[len(lines)-1]), &result)
	if code != 0 || err != nil || result.Event != "result" || result.Seconds == 0 || result.Seconds > 2 {
		t.Errorf("exit %d, %v, %+v\n%s", code, err, result, errs)
	}
}
