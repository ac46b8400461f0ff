package lan

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
)

// In a program whose TLS keys the seed does not decide, the first TLS connection
// gives one warning; in others there is none.
func TestUnseededTLSWarning(t *testing.T) {
	if os.Getenv("GODEBUG") != "cryptocustomrand=0" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestUnseededTLSWarning$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=cryptocustomrand=0")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
	} else if TLSSeeded() {
		t.Fatal("GODEBUG has no effect")
	}
	var warnings []string
	s := newStation(t, Config{Warn: func(_ emu.Time, reason string) { warnings = append(warnings, reason) }})
	s.join()
	for range 2 {
		s.fetch(s.secure("espalier.lan"), asking(t, "GET", "https://espalier.lan/", ""))
	}
	want := 1
	if TLSSeeded() {
		want = 0
	}
	if len(warnings) != want || want == 1 && !strings.Contains(warnings[0], "cryptocustomrand=1") {
		t.Errorf("seeded %v: warnings %q", TLSSeeded(), warnings)
	}
}
