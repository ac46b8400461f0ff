package lan_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/emu/pcap"
	"espalier.dev/espalier/emu/radio"
	"espalier.dev/espalier/emu/recording"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
)

// The network with firmware on a whole board: the templates http-client and
// http-client-embassy, and a TLS client.

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		devtest.Missing(t, filepath.Join(path...))
	}
	return b
}

func espflash(t testing.TB, path ...string) []byte {
	t.Helper()
	candidates := []string{filepath.Join(devtest.Peers(t), "espflash", "resources")}
	if home, err := os.UserHomeDir(); err == nil {
		more, _ := filepath.Glob(filepath.Join(home, ".cargo", "registry", "src", "*", "espflash-4.7.0", "resources"))
		candidates = append(candidates, more...)
	}
	for _, dir := range candidates {
		if b, err := os.ReadFile(filepath.Join(append([]string{dir}, path...)...)); err == nil {
			return b
		}
	}
	devtest.Missing(t, "the resources of the espflash crate 4.7.0")
	return nil
}

// testbed is a board with a network.
type testbed struct {
	*emu.Board
	text strings.Builder
}

type setup struct {
	firmware string // http-client when empty
	faults   faults.Schedule
	seed     uint64
	config   func(*lan.Config)
	wrap     func(emu.Radio, emu.Config) emu.Radio
	replay   []emu.Input
}

func power(t testing.TB, s setup) *testbed {
	t.Helper()
	if s.firmware == "" {
		s.firmware = "http-client"
	}
	elf := read(t, devtest.Store(t), "firmware", s.firmware+".elf")
	flash, err := image.FromELF(elf, image.Inputs{Bootloader: espflash(t, "bootloaders", "esp32c3-bootloader.bin")})
	if err != nil {
		t.Fatal(err)
	}
	cfg := lan.Config{Seed: s.seed, Faults: s.faults}
	if s.config != nil {
		s.config(&cfg)
	}
	network, err := lan.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ap, err := radio.NewAccessPoint(radio.Config{SSID: "espalier", Passphrase: "a trellis in the air", Seed: s.seed, DS: network, Faults: s.faults})
	if err != nil {
		t.Fatal(err)
	}
	medium := radio.NewMedium(radio.MediumConfig{})
	medium.Add(ap)
	b := &testbed{}
	board := emu.Config{
		ROM: espflash(t, "roms", "esp32c3_rev300_rom.elf"), Flash: flash.Merged(), Seed: s.seed, Radio: medium.Antenna(), Replay: s.replay,
		Output: func(o emu.Output) { b.text.Write(o.Data) },
	}
	if s.wrap != nil {
		board.Radio = s.wrap(board.Radio, board)
	}
	if b.Board, err = c3.New(board); err != nil {
		t.Fatal(err)
	}
	return b
}

const ok = "HTTP/1.0 200 OK"

func parse(t testing.TB, texts ...string) faults.Schedule {
	t.Helper()
	s, err := faults.ParseAll(texts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTemplates(t *testing.T) {
	for _, name := range []string{"http-client", "http-client-embassy"} {
		t.Run(name, func(t *testing.T) {
			b := power(t, setup{firmware: name})
			r := b.Run(context.Background(), emu.UntilText("of this machine."), emu.Limit(10*time.Second))
			text := b.text.String()
			for _, want := range []string{"scanning\r\n", "  espalier             channel  1  -40 dBm Some(Wpa2Personal)\r\n", "joined on channel 1", "got ip 192.168.71.100/24", ok + "\r\n", "This is not www.mobile-j.de."} {
				if !strings.Contains(strings.ReplaceAll(text, "\n", "\r\n"), want) && !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "\r\n", "\n")) {
					t.Errorf("no %q", want)
				}
			}
			if t.Failed() || r.Reason != emu.StopText {
				t.Fatalf("%v after %s:\n%s", r.Reason, r.Now, text)
			}
			t.Logf("%s: guest %s, %d instructions", name, r.Now, r.Instructions)
		})
	}
}

// What the firmware prints at each fault, and that it then gets a page.
func TestFirmwareAndFaults(t *testing.T) {
	devtest.Long(t, "minutes of guest time")
	for _, tc := range []struct {
		fault string
		says  string
	}{
		{"from 0s to 15s no-lease", "no address for 10 s; trying again"},
		{"from 0s to 10s late-lease 15s", "no address"},
		{"from 0s to 5s late-lease 2s", "got ip"},
		{"from 0s to 5s dns-failure", "no such host; trying again"},
		{"from 0s to 5s dns-failure nxdomain", "no such host; trying again"},
		{"from 0s to 15s dns-failure silence", "trying again"},
		{"from 0s to 5s tcp-reset", "connection reset; trying again"},
		{"from 0s to 15s half-open", "no connection for"},
		{"from 0s to 5s slow-server 3s", ok},
		{"from 0s to 20s slow-server 15s", "no data for"},
		{"from 0s to 20s loss 30%", "got ip"},
		{"duplication 50%", ok},
		{"reordering 50%", ok},
		{"delay 200ms", ok},
		{"from 0s to 4s no-network", "trying again"},
		{"from 0s to 15s wrong-passphrase", "trying again"},
		{"at 5s deauth reason 4", ok},
		{"at 5s lease-change", ok},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			t.Parallel()
			b := power(t, setup{seed: 3, faults: parse(t, tc.fault)})
			b.Run(context.Background(), emu.Limit(100*time.Second))
			text := b.text.String()
			at := strings.Index(text, tc.says)
			if at < 0 || !strings.Contains(text[at:], ok) {
				t.Fatalf("%q and then %q are not in\n%s", tc.says, ok, text)
			}
		})
	}
}

// storm returns random faults that end at 20 s.
func storm(r *faults.Random) faults.Schedule {
	var list []faults.Fault
	for range 1 + r.N(5) {
		f := faults.Fault{Kind: faults.Kind(r.N(uint64(faults.Kinds)))}
		f.From = emu.Time(r.N(18000)) * emu.Time(emu.Millisecond)
		f.To = f.From.Add(emu.Duration(1+r.N(9000)) * emu.Millisecond)
		f.To = min(f.To, emu.Time(20*emu.Second))
		f.PPM = uint32(1 + r.N(1e6))
		f.Delay = emu.Duration(r.N(8000)) * emu.Millisecond
		f.Level = -int8(60 + r.N(40))
		f.Reason = uint16(1 + r.N(24))
		f.Answer = faults.Answer(r.N(3))
		if f.Kind.Instant() || f.Kind == faults.TCPReset && r.N(2) == 0 {
			f.To = f.From
		}
		list = append(list, f)
	}
	return faults.New(list...)
}

// After random faults the firmware's own retries restore the connection.
func TestStorms(t *testing.T) {
	storms := 100
	if testing.Short() {
		storms = 1
	}
	r := faults.NewRandom(1, "storms")
	for i := range storms {
		s := storm(r)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			b := power(t, setup{seed: uint64(i), faults: s})
			b.Run(context.Background(), emu.Limit(20*time.Second))
			before := b.text.Len()
			res := b.Run(context.Background(), emu.UntilText(ok), emu.Limit(100*time.Second))
			if res.Reason != emu.StopText {
				t.Fatalf("%v at %s; faults:\n%s\nbefore 20 s:\n%s\nafter:\n%s", res.Reason, res.Now, s, b.text.String()[:before], b.text.String()[before:])
			}
			if len(res.Resets) > 0 {
				t.Errorf("resets %v", res.Resets)
			}
		})
	}
}

// A run with faults can be recorded and replayed without the radio environment,
// the network and the faults.
func TestRecordAndReplay(t *testing.T) {
	var file bytes.Buffer
	var rec *recording.Recorder
	run := func(b *testbed) emu.Result {
		b.Run(context.Background(), emu.Limit(4*time.Second))
		if len(b.Inputs()) == 0 && rec != nil {
			b.Send(emu.UART0, []byte("hello"))
		}
		return b.Run(context.Background(), emu.Limit(16*time.Second))
	}
	first := power(t, setup{seed: 9, faults: parse(t, "at 3s deauth", "loss 10%", "from 0s to 1s no-network"), wrap: func(r emu.Radio, c emu.Config) emu.Radio {
		rec = recording.NewRecorder(&file, recording.Header{Seed: c.Seed}, r)
		return rec
	}})
	a := run(first)
	if err := rec.Finish(first.Inputs(), recording.End{At: emu.At(a.Now), Trace: a.Trace}); err != nil {
		t.Fatal(err)
	}
	rec = nil
	was, err := recording.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	player := was.Replay()
	second := power(t, setup{seed: 9, replay: was.Inputs, wrap: func(emu.Radio, emu.Config) emu.Radio { return player }})
	b := run(second)
	if a.Trace != b.Trace || a.Now != b.Now || first.text.String() != second.text.String() || player.Err() != nil {
		t.Errorf("trace %x at %s and %x at %s, %v\n%s\n---\n%s", a.Trace, a.Now, b.Trace, b.Now, player.Err(), first.text.String(), second.text.String())
	}
}

// Wireshark reads the capture of the network.
func TestWiresharkReadsTheNetwork(t *testing.T) {
	devtest.Long(t, "starts tshark")
	tshark := devtest.Tool(t, "tshark")
	name := filepath.Join(t.TempDir(), "lan.pcapng")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := pcap.NewWriter(f, lan.DefaultEpoch(), pcap.Interface{Name: "lan", Link: pcap.Ethernet})
	b := power(t, setup{config: func(c *lan.Config) { c.Capture = func(at emu.Time, b []byte) { p.Frame(0, at, b) } }})
	b.Run(context.Background(), emu.UntilText(ok), emu.Limit(10*time.Second))
	b.Run(context.Background(), emu.Limit(time.Second))
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	cmd := exec.Command(tshark, "-r", name, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	for _, want := range []string{"DHCP Discover", "DHCP Offer", "DHCP Request", "DHCP ACK", "Who has 192.168.71.1?", "192.168.71.1 is at 02:65:73:70:00:01",
		"Standard query response", "A www.mobile-j.de A 198.18.0.1", "[SYN, ACK]", "GET / HTTP/1.0", "HTTP/1.0 200 OK"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, bad := range []string{"Malformed", "incorrect", "Bogus", "Retransmission", "Out-Of-Order"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q", bad)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// Wireshark decrypts TLS with the keys in the capture.
func TestWiresharkReadsTLS(t *testing.T) {
	devtest.Long(t, "starts tshark")
	devtest.Long(t, "boots firmware")
	tshark := devtest.Tool(t, "tshark")
	name := filepath.Join(t.TempDir(), "lan.pcapng")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := pcap.NewWriter(f, lan.DefaultEpoch(), pcap.Interface{Name: "lan", Link: pcap.Ethernet})
	b := power(t, setup{firmware: "https-client", config: func(c *lan.Config) {
		c.Capture = func(at emu.Time, b []byte) { p.Frame(0, at, b) }
		c.Keys = p.TLSKeys
	}})
	b.Run(context.Background(), emu.UntilText("all hosts requested"), emu.Limit(10*time.Second))
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	out, err := exec.Command(tshark, "-r", name, "-Y", "tls && http", "-T", "fields", "-e", "http.host", "-e", "http.response.code").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); !slices.Equal(got, []string{"espalier.lan", "200", "www.example.com", "200"}) {
		t.Errorf("tshark reads %q", out)
	}
}

// BenchmarkHTTP measures power-on to HTTP 200 in wall time per guest time.
func BenchmarkHTTP(b *testing.B) {
	var guest time.Duration
	start := time.Now()
	for b.Loop() {
		x := power(b, setup{})
		r := x.Run(context.Background(), emu.UntilText(ok), emu.Limit(10*time.Second))
		if r.Reason != emu.StopText {
			b.Fatal(x.text.String())
		}
		guest += r.Elapsed
	}
	b.ReportMetric(time.Since(start).Seconds()/guest.Seconds(), "wall/guest")
}

// A TLS client in Rust with the root of the network compiled in: it sets its clock,
// accepts valid certificates and refuses the others.
func TestTLSClient(t *testing.T) {
	devtest.Long(t, "boots firmware several times")
	const last = "all hosts requested"
	run := func(t *testing.T, s setup) (string, uint64) {
		s.firmware, s.seed = "https-client", 1
		b := power(t, s)
		r := b.Run(context.Background(), emu.UntilText(last), emu.Limit(20*time.Second))
		if r.Reason != emu.StopText {
			t.Fatalf("%v after %s:\n%s", r.Reason, r.Now, b.text.String())
		}
		for _, a := range r.Unmodelled {
			t.Errorf("not modelled: %s", a)
		}
		return b.text.String(), r.Trace
	}
	inOrder := func(t *testing.T, text string, wants ...string) {
		rest := text
		for _, want := range wants {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Fatalf("no %q in the rest of:\n%s", want, text)
			}
			rest = after
		}
	}
	files := fstest.MapFS{"index.html": {Data: []byte("a page of my own\n")}}
	t.Run("trust", func(t *testing.T) {
		var log []string
		serve := setup{config: func(c *lan.Config) {
			c.Files = files
			c.Log = func(_ emu.Time, line string) { log = append(log, line) }
		}}
		text, trace := run(t, serve)
		inOrder(t, text,
			"Unix time 1767225600\n",
			"GET https://espalier.lan/\n", "espalier.lan: certificate verified", ok, "\r\n\r\na page of my own\n",
			"GET https://untrusted.espalier.lan/\nuntrusted.espalier.lan: Tls(InvalidCertificate)\n",
			"GET https://wrong-name.espalier.lan/\nwrong-name.espalier.lan: Tls(InvalidCertificate)\n",
			"GET https://expired.espalier.lan/\nexpired.espalier.lan: Tls(InvalidCertificate)\n",
			"GET https://www.example.com/\n", "www.example.com: certificate verified", ok, "This is not www.example.com.", last)
		if strings.Count(text, "certificate verified") != 2 || strings.Count(text, ok) != 2 {
			t.Errorf("unexpected answer:\n%s", text)
		}
		inOrder(t, strings.Join(log, "\n"), "GET https://espalier.lan/: 200", "GET https://www.example.com/: 200")
		if again, same := run(t, serve); again != text || same != trace {
			t.Errorf("another run: traces %x and %x:\n%s\nand\n%s", trace, same, text, again)
		}
	})
	t.Run("wrong time", func(t *testing.T) {
		text, _ := run(t, setup{faults: parse(t, "clock-skew -21600h")}) // 2023: certificates are valid from 2024
		inOrder(t, text, "espalier.lan: Tls(InvalidCertificate)\n", "www.example.com: Tls(InvalidCertificate)\n", last)
		if strings.Contains(text, ok) {
			t.Errorf("it accepted a certificate:\n%s", text)
		}
	})
	t.Run("lossy", func(t *testing.T) {
		text, _ := run(t, setup{faults: parse(t, "loss 5%")})
		inOrder(t, text, ok, "Hello from espalier.lan", last)
	})
}
