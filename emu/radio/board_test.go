package radio

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/rv32"
)

// The passphrase and the name that the test firmware is built with.
const (
	testSSID       = "espalier"
	testPassphrase = "a trellis in the air"
)

// The firmware: the template with the current releases of the crates, and a
// program with older ones.
const (
	newLine = "http-client.elf"
	oldLine = "wifi-old.elf"
)

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// espflash returns the directory with Espressif's mask ROMs and bootloaders.
func espflash(t testing.TB) string {
	t.Helper()
	candidates := []string{filepath.Join(devtest.Peers(t), "espflash", "resources")}
	if home, err := os.UserHomeDir(); err == nil {
		cached, _ := filepath.Glob(filepath.Join(home, ".cargo", "registry", "src", "*", "espflash-4.7.0", "resources"))
		candidates = append(candidates, cached...)
	}
	for _, dir := range candidates {
		if st, err := os.Stat(filepath.Join(dir, "roms")); err == nil && st.IsDir() {
			return dir
		}
	}
	devtest.Missing(t, "the resources of the espflash crate 4.7.0 (mask ROM and bootloader)")
	return ""
}

// firmware returns a flash image of a program that scripts/firmware has built.
func firmware(t testing.TB, name string) []byte {
	t.Helper()
	path := filepath.Join(devtest.Store(t), "firmware", name)
	if _, err := os.Stat(path); err != nil {
		devtest.Missing(t, path+", which scripts/firmware builds")
	}
	f, err := image.FromELF(readFile(t, path), image.Inputs{Bootloader: readFile(t, espflash(t), "bootloaders", "esp32c3-bootloader.bin")})
	if err != nil {
		t.Fatal(err)
	}
	return f.Merged()
}

// testbed is a chip with an access point in range.
type testbed struct {
	t      testing.TB
	medium *Medium
	ap     *AccessPoint
	board  *emu.Board
	text   strings.Builder
}

// setup describes a testbed. Its zero value is the default network.
type setup struct {
	firmware string
	ap       Config
	seed     uint64
	engine   rv32.Engine
	capture  func(at emu.Time, packet []byte)
	change   func(s *testbed)
}

func newTestbed(t testing.TB, c setup) *testbed {
	t.Helper()
	s := &testbed{t: t, medium: NewMedium(MediumConfig{Capture: c.capture})}
	if c.ap.SSID == "" {
		c.ap.SSID = testSSID
		if c.ap.Passphrase == "" { // an open network is asked for by its name
			c.ap.Passphrase = testPassphrase
		}
	}
	if c.ap.DS == nil {
		network, err := lan.New(lan.Config{Seed: c.seed})
		if err != nil {
			t.Fatal(err)
		}
		c.ap.DS = network
	}
	c.ap.Seed = c.seed
	ap, err := NewAccessPoint(c.ap)
	if err != nil {
		t.Fatal(err)
	}
	s.ap = ap
	s.medium.Add(ap)
	if c.change != nil {
		c.change(s)
	}
	board, err := c3.New(emu.Config{
		ROM:    readFile(t, espflash(t), "roms", "esp32c3_rev300_rom.elf"),
		Flash:  firmware(t, c.firmware),
		Seed:   c.seed,
		Engine: c.engine,
		Radio:  s.medium.Antenna(),
		Output: func(o emu.Output) { s.text.Write(o.Data) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.board = board
	return s
}

// newBoard returns another chip.
func newBoard(t testing.TB, name string, antenna *Antenna, mac [6]byte, output func(emu.Output)) (*emu.Board, error) {
	return c3.New(emu.Config{
		ROM:    readFile(t, espflash(t), "roms", "esp32c3_rev300_rom.elf"),
		Flash:  firmware(t, name),
		MAC:    mac,
		Radio:  antenna,
		Output: output,
	})
}

// until runs until a text appears on the console.
func (s *testbed) until(text string, limit emu.Duration) emu.Result {
	s.t.Helper()
	res := s.board.Run(s.t.Context(), emu.UntilText(text), emu.Limit(limit.Std()))
	if res.Reason != emu.StopText {
		s.t.Fatalf("no %q in %v: stopped with %v at %v\n%s", text, limit, res.Reason, res.Now, s.text.String())
	}
	return res
}

// Firmware with both releases of the crates joins the network and fetches a page.
func TestFirmwareReachesHTTP(t *testing.T) {
	for _, name := range []string{newLine, oldLine} {
		t.Run(name, func(t *testing.T) {
			s := newTestbed(t, setup{firmware: name})
			res := s.until(" 200 OK", 10*emu.Second)
			t.Logf("%v, %d M instructions\n%s", res.Now, res.Instructions/1e6, s.text.String())
			for _, a := range s.board.Unmodelled() {
				t.Log(a)
			}
		})
	}
}
