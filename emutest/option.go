package emutest

import (
	"io/fs"
	"net/http"
	"net/netip"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/rv32"
)

// Option configures a board. Options are applied in order; an error in one of
// them fails the test in New.
type Option func(*config) error

// config is what the options make.
type config struct {
	bed       testbed.Config
	firmware  string
	elf       []byte
	flash     string
	flashSize int
	table     partition.Table
	joined    [][]int
	files     chipPaths
	timeout   time.Duration
	artifacts string
	scenario  *scenario.Scenario
	steps     []scenario.Step
	named     namedParts
}

// Firmware boots the firmware of an ELF file. The path is relative to the
// directory of the test's package.
func Firmware(path string) Option {
	return func(c *config) error { c.firmware = path; return nil }
}

// FirmwareBytes boots the firmware of an ELF file's content.
func FirmwareBytes(elf []byte) Option {
	return func(c *config) error { c.elf = elf; return nil }
}

// Flash makes a file the content of the whole flash, as espalier save-image and
// emu.Board.Flash make it. With Firmware as well, the ELF only names addresses.
func Flash(path string) Option {
	return func(c *config) error { c.flash = path; return nil }
}

// FlashBytes is Flash for the content of the file.
func FlashBytes(content []byte) Option {
	return func(c *config) error { c.bed.Board.Flash = content; return nil }
}

// FlashSize sets the size of the flash chip in bytes: 1, 2, 4, 8 or 16 MiB; 4 MiB
// if not given.
func FlashSize(bytes int) Option {
	return func(c *config) error { c.flashSize = bytes; return nil }
}

// Partitions sets the partition table of the flash that Firmware makes, as CSV.
func Partitions(csv string) Option {
	return func(c *config) (err error) {
		c.table, err = partition.ParseCSV([]byte(csv))
		return err
	}
}

// EFuse sets the content of the eFuse blocks, as emu.Board.EFuse returns it.
func EFuse(content []byte) Option {
	return func(c *config) error { c.bed.Board.EFuse = content; return nil }
}

// MAC sets the base MAC address.
func MAC(mac [6]byte) Option {
	return func(c *config) error { c.bed.Board.MAC = mac; return nil }
}

// Join connects pins by a wire, before the board starts.
func Join(pins ...int) Option {
	return func(c *config) error { c.joined = append(c.joined, pins); return nil }
}

// Parts attaches parts, before the board starts.
func Parts(parts ...emu.Part) Option {
	return func(c *config) error { c.bed.Parts = append(c.bed.Parts, parts...); return nil }
}

// Scenario attaches the parts of a scenario and performs its steps while guest
// time passes, see docs/testing.md for the statements. A step that fails fails the
// test, and so does one that was not reached at its end; Play waits for the last
// one. The text is the content of a file, or literal.
func Scenario(text string) Option {
	return func(c *config) (err error) {
		c.scenario, err = scenario.Parse("scenario", []byte(text), nil)
		return err
	}
}

// WiFi sets the name and the WPA2 passphrase of the access point; an empty
// passphrase is an open network. Without this option they are
// testbed.DefaultSSID and testbed.DefaultPassphrase.
func WiFi(ssid, passphrase string) Option {
	return func(c *config) error { c.bed.SSID, c.bed.Passphrase = ssid, passphrase; return nil }
}

// Channel sets the channel of the access point, 1 to 13.
func Channel(n int) Option {
	return func(c *config) error { c.bed.Channel = n; return nil }
}

// NoWiFi makes a board without an access point in reach.
func NoWiFi() Option {
	return func(c *config) error { c.bed.Network = testbed.None; return nil }
}

// Host serves a host of the network by a handler, over HTTP and HTTPS. What a
// handler may do is described at lan.Config.Handlers. It runs on the goroutine of
// the test, so it may use t.
func Host(name string, h http.Handler) Option {
	return func(c *config) error {
		if c.bed.Hosts == nil {
			c.bed.Hosts = map[string]http.Handler{}
		}
		c.bed.Hosts[name] = h
		return nil
	}
}

// Files serves files at http://espalier.lan/ and https.
func Files(files fs.FS) Option {
	return func(c *config) error { c.bed.Files = files; return nil }
}

// Name makes the network's name server return an address for a host name.
func Name(host string, addr netip.Addr) Option {
	return func(c *config) error {
		if c.bed.Names == nil {
			c.bed.Names = map[string]netip.Addr{}
		}
		c.bed.Names[host] = addr
		return nil
	}
}

// Faults injects faults into the radio medium and the network, in the syntax of
// faults.Parse: "at 2s deauth", "from 5s to 10s loss 20%".
func Faults(schedule ...string) Option {
	return func(c *config) error {
		s, err := faults.ParseAll(schedule)
		c.bed.Faults = faults.New(append(c.bed.Faults, s...)...)
		return err
	}
}

// Seed seeds the random number generators of chip, access point and network. The
// seed is 0 if not given; runs with the same seed are equal.
func Seed(n uint64) Option {
	return func(c *config) error { c.bed.Board.Seed = n; return nil }
}

// USB connects a host to USB-Serial-JTAG.
func USB() Option {
	return func(c *config) error { c.bed.Board.USBHost = true; return nil }
}

// Strict fails the test at the first access to a register that the board does
// not model.
func Strict() Option {
	return func(c *config) error { c.bed.Board.Strict = true; return nil }
}

// Engine chooses how instructions are executed; results are the same.
func Engine(e rv32.Engine) Option {
	return func(c *config) error { c.bed.Board.Engine = e; return nil }
}

// Timeout is how much guest time Expect and its relatives wait, 30 s if not
// given.
func Timeout(d time.Duration) Option {
	return func(c *config) error { c.timeout = d; return nil }
}

// ROM and Bootloader name files to use instead of those that espalier has
// fetched.
func ROM(path string) Option {
	return func(c *config) error { c.files.rom = path; return nil }
}

// Bootloader names the second-stage bootloader, see ROM.
func Bootloader(path string) Option {
	return func(c *config) error { c.files.bootloader = path; return nil }
}

// Artifacts keeps serial output, capture and recording in a directory, in each
// run of the test. Without this option they are kept in t.ArtifactDir, when go
// test runs with -artifacts and the test fails.
func Artifacts(dir string) Option {
	return func(c *config) error { c.artifacts = dir; return nil }
}
