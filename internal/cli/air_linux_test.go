package cli

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/recording"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/rv32"
)

// elsewhere is an environment that has as little as possible in common with
// this process': time zone, language, directories, processors.
func elsewhere(dir string, env ...string) []string {
	return append([]string{
		"GOMAXPROCS=1", "GOGC=20", "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "NO_COLOR=1", "TERM=dumb",
		"HOME=" + dir, "USER=somebody", "XDG_CACHE_HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "TMPDIR=" + dir, "PATH=/nonexistent",
	}, env...)
}

// A run that one process has written down is played by another to the same
// instruction count and trace hash: one of another architecture (the same
// program, built for 32-bit x86), of another user when there is one, in another
// place and time zone, on one processor; and by the other engine. A recording
// with one bit changed is not.
func TestReplayElsewhere(t *testing.T) {
	env := testChipFiles(t)
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}
	// Everything where another user can read it.
	dir, err := os.MkdirTemp("", "espalier-elsewhere-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, home} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	own := func(name, from string) string {
		to := filepath.Join(dir, name)
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	here := lookupIn(env)
	rom, _ := here("ESPALIER_ROM")
	boot, _ := here("ESPALIER_BOOTLOADER")
	env = []string{"ESPALIER_ROM=" + own("rom.elf", rom), "ESPALIER_BOOTLOADER=" + own("bootloader.bin", boot)}
	client := own("client.elf", testFirmware(t, "http-client.elf"))

	run := filepath.Join(dir, "run.esr")
	code, text, errs := emulateHere(t, env, client, "--expect", "200 OK", "--fault", "radio-loss 20%", "--fault", "from 0s to 1s no-lease", "--record", run, "--seed", "5")
	if code != 0 {
		t.Fatalf("recording: exit %d\n%s\n%s", code, text, errs)
	}

	program := filepath.Join(dir, "espalier")
	build := exec.Command(gotool, "build", "-o", program, "espalier.dev/espalier/cmd/espalier")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building for 386: %v\n%s", err, out)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(run, 0o644); err != nil {
		t.Fatal(err)
	}
	play := func(file string) (string, string, error) {
		cmd := exec.Command(program, "emulate", client, "--replay", file, "--seed", "5")
		cmd.Env, cmd.Dir = elsewhere(home, env...), home
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		return string(out), errs.String(), err
	}
	if out, errs, err := play(run); err != nil || out != text || !strings.Contains(errs, "the run is the recorded one") {
		t.Errorf("played on 386: %v\n%s\nstdout is the same: %v", err, errs, out == text)
	}

	// A frame that arrived differently.
	b, err := os.ReadFile(run)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(dir, "changed.esr")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(b), `"level":-40`, `"level":-41`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := play(changed); err == nil || !strings.Contains(errs, "differs") {
		t.Errorf("another recording: %v\n%s", err, errs)
	}

	// The other engine, in this process.
	f, err := os.Open(run)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := recording.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	elf, err := os.ReadFile(client)
	if err != nil {
		t.Fatal(err)
	}
	mask, err := os.ReadFile(rom)
	if err != nil {
		t.Fatal(err)
	}
	player := rec.Replay()
	board, err := c3.New(emu.Config{
		ROM: mask, Flash: flashOf(t, env, elf).Merged(), MAC: rec.Header.MAC, EFuse: rec.Header.EFuse, Seed: rec.Header.Seed,
		USBHost: rec.Header.USBHost, Radio: player, Replay: rec.Inputs, Engine: rv32.EngineReference,
	})
	if err != nil {
		t.Fatal(err)
	}
	res := board.Run(t.Context(), emu.Instructions(rec.End.Instructions))
	if res.Instructions != rec.End.Instructions || emu.At(res.Now) != rec.End.At || res.Trace != rec.End.Trace || player.Err() != nil {
		t.Errorf("reference engine: %d instructions to %v, trace %016x, %v; recorded %+v", res.Instructions, res.Now, res.Trace, player.Err(), rec.End)
	}
}

const insideNamespace = "ESPALIER_TEST_NET_HOST"

// TestNetHost: with --net host the firmware of the demo fetches a page from a
// server on this machine's network, and says so on stderr; it does not reach what
// listens on the loopback interface. The machine's network is a namespace with
// nothing else in it, so that port 80, which the firmware wants, is free.
func TestNetHost(t *testing.T) {
	env := testChipFiles(t)
	client := testFirmware(t, "http-client.elf")
	ip := devtest.Tool(t, "ip")
	recording := os.Getenv(insideNamespace)
	if recording == "" {
		recording = filepath.Join(t.TempDir(), "run.esr")
		cmd := exec.Command(os.Args[0], "-test.run=^TestNetHost$", "-test.v")
		cmd.Env = append(os.Environ(), insideNamespace+"="+recording)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		if cmd.Process == nil {
			t.Skipf("no network namespace: %v", err)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		// What came from outside is in the recording: here is no server.
		code, text, errs := emulateHere(t, env, client, "--replay", recording)
		if code != 0 || !strings.Contains(text, "a page of this machine") || !strings.Contains(errs, "the run is the recorded one") {
			t.Errorf("played: exit %d\n%s\n%s", code, text, errs)
		}
		return
	}

	for _, line := range []string{"link set lo up", "addr add 192.0.2.1/32 dev lo"} {
		if out, err := exec.Command(ip, strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", line, err, out)
		}
	}
	var requests, secrets atomic.Int32
	serve := func(addr string, count *atomic.Int32) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count.Add(1)
			fmt.Fprintf(w, "a page of this machine for %s\n", r.Host)
		})}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { s.Close() })
	}
	serve("192.0.2.1:80", &requests)
	serve("127.0.0.1:80", &secrets)

	code, text, errs := emulateHere(t, env, client, "--net", "host", "--host", "www.mobile-j.de=192.0.2.1", "--expect", "a page of this machine for www.mobile-j.de", "--record", recording)
	if code != 0 || !strings.Contains(text, "200 OK") || requests.Load() != 1 {
		t.Errorf("exit %d, %d requests\n%s\n%s", code, requests.Load(), text, errs)
	}
	if want := "the board can reach the network of this machine (--net host)"; !strings.Contains(errs, want) {
		t.Errorf("stderr does not announce it: %q", errs)
	}
	code, text, errs = emulateHere(t, env, client, "--net", "host", "--host", "www.mobile-j.de=127.0.0.1", "--for", "2s")
	if code != 0 || strings.Contains(text, "a page") || secrets.Load() != 0 {
		t.Errorf("loopback: exit %d, %d requests\n%s\n%s", code, secrets.Load(), text, errs)
	}
}
