package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
)

// espalierHere runs a command line without a terminal.
func espalierHere(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code = Run(ctx, args, strings.NewReader(""), &out, &errs, lookupIn(env))
	return code, out.String(), errs.String()
}

// sharedBoard runs espalier emulate with args in the background and returns the
// port that it prints, and a function that ends it.
func sharedBoard(t *testing.T, env []string, args ...string) (port string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, append([]string{"emulate"}, args...), strings.NewReader(""), w, &errs, lookupIn(env))
		w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		cancel()
		t.Fatalf("emulate %v: exit %d\n%s", args, <-done, errs.String())
	}
	stop = func() int { cancel(); return <-done }
	t.Cleanup(cancel)
	return strings.TrimSpace(string(line[:n])), stop
}

// run --port with a file writes it, resets the board and monitors it; the second
// time nothing is written.
func TestRunOnPort(t *testing.T) {
	devtest.Long(t, "real time")
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	for _, tc := range []struct {
		name  string
		args  []string
		again bool // the port can bring the chip into its loader
	}{
		{"PTY", []string{"--download", "--pty"}, true},
		{"TCP", []string{"--download", "--share", "tcp://127.0.0.1:0"}, false},
		{"RFC 2217", []string{"--download", "--share", "rfc2217://127.0.0.1:0"}, true},
		{"RFC 2217, USB", []string{"--download", "--usb", "--share", "rfc2217://127.0.0.1:0"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			port, _ := sharedBoard(t, env, tc.args...)
			code, out, errs := espalierHere(t, env, "run", hello, "--port", port, "--expect", "Hello from", "--timeout", "40s")
			if code != 0 || !strings.Contains(out, "Loaded app from partition") || !strings.Contains(out, "Hello from an ESP32-C3!") || !strings.Contains(errs, ", verified") {
				t.Fatalf("exit %d\n%s\n%s", code, out, errs)
			}
			if !tc.again {
				return
			}
			code, _, errs = espalierHere(t, env, "flash", hello, "--port", port)
			if code != 0 || !strings.Contains(errs, "flash is up to date") {
				t.Errorf("again: exit %d\n%s", code, errs)
			}
		})
	}
}

// The other verbs of a port, one after the other on one board.
func TestPortVerbs(t *testing.T) {
	devtest.Long(t, "real time")
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	dir := t.TempDir()
	saved := filepath.Join(dir, "saved.bin")
	port, stop := sharedBoard(t, env, "--download", "--share", "rfc2217://127.0.0.1:0", "--save-flash", saved, "--speed", "4")
	want := bytes.Repeat([]byte("espalier"), 700)
	file := filepath.Join(dir, "data")
	if err := os.WriteFile(file, want, 0o666); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, 100<<10), 0o666); err != nil {
		t.Fatal(err)
	}
	direct := filepath.Join(dir, "direct") // for direct boot: no bootloader
	if err := os.WriteFile(direct, append(bytes.Repeat([]byte{0x1d, 0x04, 0xdb, 0xae}, 2), make([]byte, 0x100)...), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		text string // on stderr
	}{
		{[]string{"flash", hello}, 0, ", verified"},
		{[]string{"flash", file}, 2, "neither an ELF nor an image"},
		{[]string{"flash", file, "--at", "nvs"}, 0, "wrote 8.0 KiB of 8.0 KiB"},
		{[]string{"flash", file, "--at", "0x9010"}, 2, "would be erased"},
		{[]string{"flash", file, "--at", "0x3ff000"}, 2, "does not fit partition factory"},
		{[]string{"flash", file, "--at", "0x3ff000", "--force"}, 2, "bootloader would be overwritten"},
		{[]string{"flash", large, "--at", "nvs"}, 2, "does not fit partition nvs: 102400 bytes from 0x9000, 77824 too many; it would overwrite partition phy_init and partition factory"},
		{[]string{"flash", large, "--at", "0xa000"}, 2, "does not fit partition nvs"},
		{[]string{"flash", file, "--at", "0"}, 2, "is not a bootloader"},
		{[]string{"flash", file, "--at", "attic"}, 2, "no partition called attic"},
		{[]string{"flash", hello, "--erase-data", "attic"}, 2, "no partition called attic"},
		{[]string{"read-flash", "--partition", "attic", "x"}, 2, "there are nvs, phy_init, factory"},
		{[]string{"read-flash", "0x3ff000", "0x2000", "x"}, 2, "beyond the flash chip's 4 MB"},
		{[]string{"erase", "0x9000", "0x10"}, 2, "not whole sectors"},
		{[]string{"erase", "0x9000"}, 2, "want OFFSET SIZE"},
		{[]string{"read-flash", "--partition", "nvs", filepath.Join(dir, "nvs")}, 0, ""},
		{[]string{"flash", hello, "--erase-data", "nvs"}, 0, "flash is up to date"},
		{[]string{"read-flash", "0x9000", "0x1000", filepath.Join(dir, "erased")}, 0, ""},
		{[]string{"erase", "--partition", "factory"}, 0, ""},
		{[]string{"flash", direct}, 0, ", verified"},
	} {
		code, _, errs := espalierHere(t, env, append(tc.args, "--port", port)...)
		if code != tc.code || !strings.Contains(errs, tc.text) {
			t.Errorf("%v: exit %d, want %d and %q\n%s", tc.args, code, tc.code, tc.text, errs)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "nvs")); err != nil || len(b) != 0x6000 || !bytes.HasPrefix(b, want) {
		t.Errorf("nvs reads back as %d bytes, %v", len(b), err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "erased")); err != nil || len(bytes.Trim(b, "\xff")) != 0 {
		t.Errorf("nvs is not erased, %v", err)
	}
	code, out, errs := espalierHere(t, env, "inspect", "--json", "--port", port)
	var chip struct {
		Event, Revision, MAC string
		FlashSize            int `json:"flash-size"`
	}
	events := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(events[len(events)-1]), &chip); code != 0 || err != nil || chip.Event != "chip" || chip.Revision != "v0.4" || chip.MAC != "7c:df:a1:c3:00:01" || chip.FlashSize != 4<<20 {
		t.Errorf("inspect: exit %d, %v\n%s\n%s", code, err, out, errs)
	}
	if code := stop(); code != 130 {
		t.Errorf("the board ended with %d", code)
	}
	b, err := os.ReadFile(saved)
	if err != nil || len(b) != 4<<20 || binary.LittleEndian.Uint32(b) != 0xaedb041d || b[0x10000] != 0xff {
		t.Errorf("saved flash: %d bytes, %v", len(b), err)
	}
}

// What is read goes aside, piece by piece: a reader that is interrupted leaves
// the older file, and nothing else.
func TestReadFlashInterrupted(t *testing.T) {
	devtest.Long(t, "real time")
	env := testChipFiles(t)
	port, _ := sharedBoard(t, env, "--download", "--share", "rfc2217://127.0.0.1:0")
	dir := t.TempDir()
	file := filepath.Join(dir, "board.bin")
	if err := os.WriteFile(file, []byte("older"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		done <- Run(ctx, []string{"read-flash", "--no-stub", "--all", file, "--port", port}, strings.NewReader(""), io.Discard, &errs, lookupIn(env))
	}()
	aside := func() (size int64) {
		list, _ := filepath.Glob(filepath.Join(dir, ".espalier-*"))
		for _, name := range list {
			if st, err := os.Stat(name); err == nil {
				size = st.Size()
			}
		}
		return size
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for aside() == 0 {
		select {
		case <-tick.C:
		case code := <-done:
			t.Fatalf("exit %d before anything was written\n%s", code, errs.String())
		}
	}
	if n := aside(); n%(64<<10) != 0 || n > 1<<20 {
		t.Errorf("%d bytes are aside", n) // pieces, not all at once
	}
	cancel()
	if code := <-done; code == 0 {
		t.Error("exit 0")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "older" {
		t.Errorf("the file holds %d bytes, %v", len(b), err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
	// The board is as it was before, and another one can be read.
	code, out, text := espalierHere(t, env, "read-flash", "0", "0x2000", "-", "--port", port)
	if code != 0 || len(out) != 0x2000 {
		t.Errorf("exit %d, %d bytes\n%s", code, len(out), text)
	}
	if code, _, text := espalierHere(t, env, "read-flash", "0", "0x1000", filepath.Join(dir, "none", "x"), "--port", port); code != 2 || !strings.Contains(text, "writing "+filepath.Join(dir, "none", "x")) {
		t.Errorf("exit %d: %s", code, text)
	}
}

// TestCargoRunner: the real cargo calls espalier as its runner, for the emulated
// board and for one at a port.
func TestCargoRunner(t *testing.T) {
	devtest.Long(t, "real time")
	cargo := devtest.Tool(t, "cargo")
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	port, _ := sharedBoard(t, env, "--download", "--pty")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	espalier := filepath.Join(dir, "espalier")
	if err := os.Symlink(exe, espalier); err != nil {
		t.Fatal(err)
	}
	// What cargo links is the firmware: no toolchain for the chip is needed.
	for name, text := range map[string]string{
		"Cargo.toml":  "[package]\nname = \"fw\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"src/main.rs": "fn main() {}\n",
		"link":        "#!/bin/sh\nwhile [ $# -gt 0 ]; do if [ \"$1\" = -o ]; then exec cp '" + hello + "' \"$2\"; fi; shift; done\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, runner string
		code         int
		text         string
	}{
		{"emulated", "run --expect Hello --timeout 40s", 0, "Hello from an ESP32-C3!"},
		{"on a port", "run --port " + port + " --expect Hello --timeout 40s", 0, ", verified"},
		{"fails", "run --expect Farewell --for 2s", 124, "Farewell"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := "[target.'cfg(all())']\nlinker = \"./link\"\nrunner = \"" + espalier + " " + tc.runner + "\"\n"
			if err := os.MkdirAll(filepath.Join(dir, ".cargo"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, ".cargo", "config.toml"), []byte(config), 0o666); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), cargo, "run", "--offline")
			cmd.Dir = dir
			cmd.Env = append(append(os.Environ(), env...), "ESPALIER_STORE="+filepath.Join(dir, "store"))
			out, err := cmd.CombinedOutput()
			if err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tc.code || !strings.Contains(string(out), tc.text) {
				t.Errorf("%v, want exit %d and %q\n%s", err, tc.code, tc.text, out)
			}
		})
	}
}

// TestServePort: a board on one machine is flashed and watched from another,
// through the port that serve-port shares; its modem lines work all the way. There
// and back the chip is reset by its watchdog, too.
func TestServePort(t *testing.T) {
	devtest.Long(t, "real time")
	env := testChipFiles(t)
	hello := testFirmware(t, "hello.elf")
	here, _ := sharedBoard(t, env, "--download", "--pty")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		done <- Run(ctx, []string{"serve-port", here, "--listen", "rfc2217://127.0.0.1:0"}, strings.NewReader(""), w, &errs, lookupIn(env))
		w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		t.Fatalf("exit %d\n%s", <-done, errs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	there := strings.TrimSpace(string(line[:n]))
	if !strings.HasPrefix(there, "rfc2217://127.0.0.1:") {
		t.Fatalf("serve-port says %q", there)
	}
	for _, args := range [][]string{
		{"flash", hello, "--after", "watchdog-reset"},
		{"monitor", hello, "--expect", "blink 3", "--timeout", "30s"},
		{"run", hello, "--expect", "Hello from", "--timeout", "30s"},
	} {
		if code, out, text := espalierHere(t, env, append(args, "--port", there)...); code != 0 {
			t.Fatalf("%v: exit %d\n%s\n%s", args, code, out, text)
		}
	}
	cancel()
	if code := <-done; code != 130 && code != 0 {
		t.Errorf("serve-port: exit %d\n%s", code, errs.String())
	}
}

// TestRunProjectOnPort: build, flash and monitor in one, as a person types it,
// then after an edit, then again.
func TestRunProjectOnPort(t *testing.T) {
	dir, env := miniProject(t)
	board := testChipFiles(t)
	port, _ := sharedBoard(t, board, "--download", "--pty")
	env = append(env, "ESPALIER_PORT="+port)
	run := func(expect string) string {
		t.Helper()
		out, err := espalier(t, env, "-C", dir, "run", "-v", "--port", port, "--expect", expect, "--timeout", "60s").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	// What this board holds is remembered in the store, which others use, too.
	defer os.Remove(filepath.Join(devtest.Store(t), "boards", "020000000001"))
	if out := run(mini.Expect); !strings.Contains(out, ", verified") {
		t.Errorf("nothing was written:\n%s", out)
	}
	mini.Edit(t, dir, "macros/src/lib.rs", `"42"`, `"4711"`)
	if out := run("mini: generated, 4711"); !strings.Contains(out, ", verified") || strings.Contains(out, "flasher stub runs") {
		t.Errorf("more than the edit was written:\n%s", out)
	}
	if out := run("mini: generated, 4711"); !strings.Contains(out, "flash is up to date") {
		t.Errorf("it is written again:\n%s", out)
	}
}
