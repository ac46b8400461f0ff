package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

// The firmware of the demo on the emulated board: faults, recordings, captures
// and files, as a user meets them.
func TestEmulateOnTheAir(t *testing.T) {
	env := testChipFiles(t)
	client := testFirmware(t, "http-client.elf")
	dir := t.TempDir()
	run, capture := filepath.Join(dir, "run.esr"), filepath.Join(dir, "run.pcapng")

	code, first, errs := emulateHere(t, env, client, "--expect", "200 OK", "--fault", "from 0s to 2s no-lease", "--record", run, "--pcap", capture, "--seed", "5")
	if code != 0 || !strings.Contains(first, "got ip 192.168.71.100/24") {
		t.Fatalf("exit %d\n%s\n%s", code, first, errs)
	}
	if b, err := os.ReadFile(capture); err != nil || !bytes.HasPrefix(b, []byte{0x0a, 0x0d, 0x0d, 0x0a}) || !bytes.Contains(b, []byte("GET / HTTP/1.0")) {
		t.Errorf("capture of %d bytes, %v", len(b), err)
	}

	code, again, errs := emulateHere(t, env, client, "--replay", run, "--seed", "5")
	if code != 0 || again != first || !strings.Contains(errs, "the run is the recorded one") {
		t.Errorf("exit %d, stderr %q, stdout is the same: %v", code, errs, again == first)
	}
	if code, _, errs := emulateHere(t, env, client, "--replay", run); code != int(fault.Differ) || !strings.Contains(errs, "another seed") {
		t.Errorf("another seed: exit %d, %s", code, errs)
	}
	if code, _, errs := emulateHere(t, env, testFirmware(t, "hello.elf"), "--replay", run, "--seed", "5"); code != int(fault.Differ) || !strings.Contains(errs, "another flash") {
		t.Errorf("another firmware: exit %d, %s", code, errs)
	}
	b, err := os.ReadFile(run)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(dir, "changed.esr")
	if err := os.WriteFile(changed, bytes.Replace(b, []byte(`"acked":true`), []byte(`"acked":false`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := emulateHere(t, env, client, "--replay", changed, "--seed", "5"); code != int(fault.Differ) || !strings.Contains(errs, "replay differs") {
		t.Errorf("an acknowledgement that is lost: exit %d, %s", code, errs)
	}
	short := filepath.Join(dir, "short.esr")
	if err := os.WriteFile(short, b[:len(b)-20], 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := emulateHere(t, env, client, "--replay", short, "--seed", "5", "--for", "500ms"); code != 0 ||
		!strings.Contains(errs, "short.esr was cut short: it has no end") || !strings.Contains(errs, "the run is the same as far as the recording goes") {
		t.Errorf("cut short: exit %d, %s", code, errs)
	}

	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("from a file"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := emulateHere(t, env, client, "--host", "www.mobile-j.de=192.168.71.1", "--for", "1500ms", "--serve", dir); code != 0 || !strings.Contains(out, "from 192.168.71.1") {
		t.Errorf("--host: exit %d\n%s\n%s", code, out, errs)
	}
	if code, out, _ := emulateHere(t, env, client, "--for", "4s", "--net", "none"); code != 0 || !strings.Contains(out, "not joined: NoAccessPointFound") {
		t.Errorf("--net none: exit %d\n%s", code, out)
	}
	if code, out, errs := emulateHere(t, env, client, "--for", "100ms", "--forward", "127.0.0.1:0:80", "--speed", "max"); code != 0 || !strings.Contains(errs, "is forwarded to port 80 of the board") {
		t.Errorf("--forward: exit %d\n%s\n%s", code, out, errs)
	}
}
