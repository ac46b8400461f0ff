package testbed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan/uplink"
	"espalier.dev/espalier/emu/radio"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/store"
)

// files returns the mask ROM and the flash with one of the firmwares of
// scripts/firmware.
func files(t testing.TB, firmware string) (rom, flash []byte) {
	t.Helper()
	dir := devtest.Store(t)
	elf, err := os.ReadFile(filepath.Join(dir, "firmware", firmware+".elf"))
	if err != nil {
		devtest.Missing(t, firmware+".elf (scripts/firmware)")
	}
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rom, err = chipfiles.Own().ROM(t.Context(), st, chipfiles.EmulatedRevision)
	if err != nil {
		devtest.Missing(t, "mask ROM: "+err.Error())
	}
	boot, err := chipfiles.Own().Bootloader(t.Context(), st, image.DIO)
	if err != nil {
		devtest.Missing(t, "bootloader: "+err.Error())
	}
	f, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
	if err != nil {
		t.Fatal(err)
	}
	return rom, f.Merged()
}

// page answers every request with a line about it.
func page(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "%s %s%s, %d bytes\n", r.Method, r.Host, r.URL.Path, len(body))
}

// One run with everything: a handler of our own, a capture and a recording; and
// its replay without any of them.
func TestRunRecordReplay(t *testing.T) {
	devtest.Long(t, "boots firmware several times")
	rom, flash := files(t, "http-client")
	var text strings.Builder
	board := emu.Config{ROM: rom, Flash: flash, Seed: 7, Output: func(o emu.Output) { text.Write(o.Data) }}
	requests := 0
	hosts := map[string]http.Handler{"www.mobile-j.de": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		page(w, r)
	})}
	var record, capture bytes.Buffer
	run := func(cfg testbed.Config) (*testbed.Testbed, emu.Result) {
		t.Helper()
		text.Reset()
		cfg.Board = board
		bed, err := testbed.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { bed.Close() })
		return bed, bed.Board.Run(t.Context(), emu.UntilText("GET www.mobile-j.de/, 0 bytes"), emu.Limit(20*time.Second))
	}
	bed, first := run(testbed.Config{Hosts: hosts, Record: &record, Capture: &capture})
	if first.Reason != emu.StopText || requests != 1 {
		t.Fatalf("%v after %v, %d requests:\n%s", first.Reason, first.Now, requests, text.String())
	}
	if _, err := bed.Finish(bed.Board); err != nil {
		t.Fatal(err)
	}
	if err := bed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"wlan", "lan", "GET / HTTP/1."} {
		if !bytes.Contains(capture.Bytes(), []byte(s)) {
			t.Errorf("no %q in the capture of %d bytes", s, capture.Len())
		}
	}
	said := text.String()

	saved := record.Bytes()
	bed, again := run(testbed.Config{Replay: bytes.NewReader(saved)})
	if out, err := bed.Finish(bed.Board); out != testbed.Equal || err != nil {
		t.Errorf("replay: %v, %v", out, err)
	}
	if again.Trace != first.Trace || again.Now != first.Now || text.String() != said || requests != 1 {
		t.Errorf("replay: trace %x at %v, %d requests; recorded trace %x at %v", again.Trace, again.Now, requests, first.Trace, first.Now)
	}

	// A replay that goes less far is equal so far; one of another firmware is
	// refused, and one that goes differently is noticed.
	short, err := testbed.New(testbed.Config{Board: board, Replay: bytes.NewReader(saved)})
	if err != nil {
		t.Fatal(err)
	}
	short.Board.Run(t.Context(), emu.Limit(50*time.Millisecond))
	if out, err := short.Finish(short.Board); out != testbed.EqualSoFar || err != nil {
		t.Errorf("a shorter replay: %v, %v", out, err)
	}
	other := board
	other.Seed++
	var mismatch *testbed.MismatchError
	if _, err := testbed.New(testbed.Config{Board: other, Replay: bytes.NewReader(saved)}); !errors.As(err, &mismatch) {
		t.Errorf("another seed: %v", err)
	}
	late, err := testbed.New(testbed.Config{Board: board, Replay: bytes.NewReader(saved)})
	if err != nil {
		t.Fatal(err)
	}
	late.Board.Reset(emu.StrapFlash)
	late.Board.Run(t.Context(), emu.Limit(first.Now))
	if _, err := late.Finish(late.Board); !errors.As(err, &mismatch) {
		t.Errorf("a run with another input: %v", err)
	}
}

// Faults and credentials reach the access point.
func TestFaultsAndCredentials(t *testing.T) {
	devtest.Long(t, "boots firmware several times")
	rom, flash := files(t, "http-client")
	schedule, err := faults.ParseAll([]string{"no-network"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		cfg  testbed.Config
		want string
	}{
		{"default", testbed.Config{}, "got ip 192.168.71.100"},
		{"another network", testbed.Config{SSID: "elsewhere", Passphrase: "12345678", Channel: 6}, "elsewhere            channel  6"},
		{"switched off", testbed.Config{Faults: schedule}, "NoAccessPointFound"},
		{"no access point", testbed.Config{Network: testbed.None}, "NoAccessPointFound"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var text strings.Builder
			tc.cfg.Board = emu.Config{ROM: rom, Flash: flash, Output: func(o emu.Output) { text.Write(o.Data) }}
			bed, err := testbed.New(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer bed.Close()
			if res := bed.Board.Run(t.Context(), emu.UntilText(tc.want), emu.Limit(10*time.Second)); res.Reason != emu.StopText {
				t.Errorf("no %q: %v\n%s", tc.want, res.Reason, text.String())
			}
		})
	}
}

func TestErrors(t *testing.T) {
	var ap *radio.ConfigError
	if _, err := testbed.Prepare(testbed.Config{SSID: "x", Passphrase: "short"}); !errors.As(err, &ap) {
		t.Errorf("a short passphrase: %v", err)
	}
	var rom *emu.ROMError
	if _, err := testbed.New(testbed.Config{}); !errors.As(err, &rom) {
		t.Errorf("no mask ROM: %v", err)
	}
	if _, err := testbed.New(testbed.Config{Replay: strings.NewReader("hello")}); err == nil || !strings.Contains(err.Error(), "not a recording") {
		t.Errorf("not a recording: %v", err)
	}
	first, err := testbed.Prepare(testbed.Config{Forward: []uplink.Forward{{Listen: "127.0.0.1:0", Port: 80}}})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if !first.RealTime() || len(first.Forwarded()) != 1 {
		t.Fatalf("real time %v, forwarded %v", first.RealTime(), first.Forwarded())
	}
	var network *testbed.NetworkError
	taken := []uplink.Forward{{Listen: first.Forwarded()[0].String(), Port: 80}}
	if _, err := testbed.Prepare(testbed.Config{Forward: taken}); !errors.As(err, &network) {
		t.Errorf("a port in use: %v", err)
	}
}

// part records that it was attached.
type part struct {
	at  time.Duration
	err error
}

func (p *part) Attach(b *emu.Board) error {
	p.at = b.Now()
	return p.err
}

func TestParts(t *testing.T) {
	p, bad := &part{at: -1}, &part{err: errors.New("no such pin")}
	bed, err := testbed.New(testbed.Config{Board: emu.Config{ROM: make([]byte, 384<<10)}, Parts: []emu.Part{p}, Network: testbed.None})
	if err != nil {
		t.Fatal(err)
	}
	defer bed.Close()
	if p.at != 0 {
		t.Errorf("attached at %v", p.at)
	}
	_, err = testbed.New(testbed.Config{Board: emu.Config{ROM: make([]byte, 384<<10)}, Parts: []emu.Part{p, bad}})
	if !errors.Is(err, bad.err) {
		t.Errorf("a part that cannot be attached: %v", err)
	}
}

// A caller that makes the board itself gets the same run.
func TestPrepare(t *testing.T) {
	rom := make([]byte, 384<<10)
	one, err := testbed.New(testbed.Config{Board: emu.Config{ROM: rom}})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	two, err := testbed.Prepare(testbed.Config{Board: emu.Config{ROM: rom}})
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	board, err := c3.New(two.Config)
	if err != nil {
		t.Fatal(err)
	}
	a := one.Board.Run(context.Background(), emu.Limit(time.Millisecond))
	if b := board.Run(context.Background(), emu.Limit(time.Millisecond)); a.Trace != b.Trace {
		t.Errorf("trace %x, and %x with a board of one's own", a.Trace, b.Trace)
	}
}

func TestParseNetwork(t *testing.T) {
	for _, n := range []testbed.Network{testbed.Isolated, testbed.Host, testbed.None} {
		if got, ok := testbed.ParseNetwork(n.String()); got != n || !ok {
			t.Errorf("%v: %v, %v", n, got, ok)
		}
	}
	if _, ok := testbed.ParseNetwork("island"); ok {
		t.Error("an unknown name is accepted")
	}
}
