package defmt_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
	"espalier.dev/espalier/internal/devtest"
)

// specimen returns the firmware that logs everything.
func specimen(t *testing.T) []byte {
	t.Helper()
	elf, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", "log.elf"))
	if err != nil {
		devtest.Missing(t, "firmware/log.elf in the test store")
	}
	return elf
}

func table(t *testing.T, elf []byte) *defmt.Table {
	t.Helper()
	e, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tab, err := e.Defmt()
	if err != nil || tab == nil {
		t.Fatalf("table %v: %v", tab, err)
	}
	return tab
}

// print runs defmt-print on a stream.
func print(t *testing.T, elf, stream []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "firmware.elf")
	if err := os.WriteFile(name, elf, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(devtest.Tool(t, "defmt-print"), "-e", name, "--log-format", "{t} {L} {s} @{f}:{l}")
	cmd.Stdin = bytes.NewReader(stream)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Logf("defmt-print: %v\n%s", err, stderr.String())
	}
	return string(out)
}

// shown is a frame as print's log format shows it; println has only its text.
func shown(f *defmt.Frame) string {
	if f.Level == defmt.NoLevel {
		return fmt.Sprintf("%s\n", f.Message)
	}
	place := "<invalid location>:?"
	if f.Place != nil {
		place = fmt.Sprintf("%s:%-4d", filepath.Base(f.Place.Path), f.Place.Line)
	}
	return fmt.Sprintf("%s %-5s %s @%s\n", f.Timestamp, f.Level, f.Message, place)
}

// TestAgainstDefmtPrint sends random frames of a real program, some of them
// damaged, through both decoders.
func TestAgainstDefmtPrint(t *testing.T) {
	devtest.Long(t, "runs defmt-print for each case")
	elf := specimen(t)
	patch := func(from, to string) []byte {
		if len(from) != len(to) || !bytes.Contains(elf, []byte(from)) {
			t.Fatalf("%q cannot become %q", from, to)
		}
		return bytes.ReplaceAll(elf, []byte(from), []byte(to))
	}
	for _, c := range []struct {
		name   string
		elf    []byte
		raw    bool
		damage bool
	}{
		{"rzcobs", elf, false, false},
		{"damaged", elf, false, true},
		{"version 3", patch("_defmt_version_ = 4", "_defmt_version_ = 3"), false, false},
		{"raw", patch("_defmt_encoding_ = rzcobs", "_defmt_encoding_ = raw\x00\x00\x00"), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := table(t, c.elf)
			if raw := tab.Encoding() == defmt.Raw; raw != c.raw {
				t.Fatalf("encoding %v", tab.Encoding())
			}
			r := rand.New(rand.NewPCG(1, 2))
			d := defmt.NewDecoder(tab)
			var stream []byte
			var want strings.Builder
			good := 0
			for range 4000 {
				b := tab.Generate(r)
				packet := defmt.Pack(b)
				if c.damage && len(packet) > 2 && r.IntN(2) == 0 {
					packet[r.IntN(len(packet))] ^= 1 << r.IntN(8)
					if bytes.IndexByte(packet, 0) >= 0 {
						continue
					}
				}
				if !c.raw {
					var err error
					if b, err = defmt.Unpack(nil, packet); err == nil && len(b) == 0 {
						continue
					}
					if err != nil {
						b = nil
					}
				}
				f, _, err := d.Decode(b)
				if err == nil {
					if bytes.Contains(f.Message, []byte("iso ")) {
						continue // the peer panics at years beyond 9999
					}
					want.WriteString(shown(&f))
					good++
				} else if c.raw {
					continue
				}
				if c.raw {
					stream = append(stream, b...)
				} else {
					stream = append(append(stream, packet...), 0)
				}
			}
			if good < 1000 {
				t.Fatalf("only %d good frames", good)
			}
			got := print(t, c.elf, stream)
			compare(t, got, want.String())
		})
	}
}

// The peer says what is wrong with CBOR.
var reason = regexp.MustCompile(`invalid CBOR \(error: [^\[]*, bytes: `)

func compare(t *testing.T, got, want string) {
	t.Helper()
	got = reason.ReplaceAllString(got, "invalid CBOR (bytes: ")
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			t.Fatalf("line %d of %d (%d):\n ours   %.400q\n theirs %.400q", i, len(w), len(g), w[i], g[min(i, len(g)-1)])
		}
	}
	t.Fatalf("the peer has %d more lines", len(g)-len(w))
}
