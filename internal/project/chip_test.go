package project

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

// In the directory of a program for the host the firmware of its workspace is meant,
// unless the program says that it is for the chip.
func TestInsideHostProgram(t *testing.T) {
	files := func(main string) string {
		return "-- Cargo.toml --\n[workspace]\nmembers = ['fw', 'tool']\nresolver = '2'\n" +
			"-- fw/Cargo.toml --\n[package]\nname = 'fw'\nversion = '0.1.0'\n[dependencies]\nesp-hal = { version = '1', features = ['esp32c3'] }\n-- fw/src/main.rs --\n" +
			"-- tool/Cargo.toml --\n[package]\nname = 'tool'\nversion = '0.1.0'\n-- tool/src/main.rs --\n" + main + "\n"
	}
	p := open(t, filepath.Join(unpack(t, files("fn main() {}")), "tool"))
	note := func(n config.Note) bool {
		return n.Text == "package tool is a program for the host; the firmware is package fw"
	}
	if p.Package != "fw" || p.CheckChip() != nil || !slices.ContainsFunc(p.Notes, note) {
		t.Errorf("package %s, %v, notes %v", p.Package, p.CheckChip(), p.Notes)
	}
	if p := open(t, filepath.Join(unpack(t, files("#![no_std]")), "tool")); p.Package != "tool" || slices.ContainsFunc(p.Notes, note) {
		t.Errorf("package %s, notes %v", p.Package, p.Notes)
	}
}

func TestCheckChip(t *testing.T) {
	with := func(more string) string { return strings.Replace(app, "-- src/main.rs", more+"\n-- src/main.rs", 1) }
	choice := with("[dependencies]\nesp-hal = '1'\n[features]\ndefault = ['esp32s3']\nesp32s3 = ['esp-hal/esp32s3']\nesp32c3 = ['esp-hal/esp32c3']")
	host := `-- Cargo.toml --
[workspace]
members = ["fw", "xtask"]
resolver = "2"
-- fw/Cargo.toml --
[package]
name = "fw"
version = "0.1.0"
[dependencies]
esp-hal = { version = "1", features = ["esp32c3"] }
-- fw/src/main.rs --
#![no_std]
-- xtask/Cargo.toml --
[package]
name = "xtask"
version = "0.1.0"
[dependencies]
xshell = "0.2"
-- xtask/src/main.rs --
fn main() {}
`
	for _, c := range []struct {
		name, files string
		opts        Options
		want, hint  string
	}{
		{"this chip", with("[dependencies]\nesp-hal = { version = '1', features = ['esp32c3', 'unstable'] }"), Options{}, "", ""},
		{"no chip", with("[dependencies]\nriscv = '0.15'"), Options{}, "", ""},
		{"another chip", with("[dependencies]\nesp-hal = { version = '1', features = ['esp32s3'] }"), Options{}, "package app is for the ESP32-S3", ""},
		{"another chip's crate", with("[dependencies]\nesp32c6-hal = '0.5'"), Options{}, "package app is for the ESP32-C6", ""},
		{"this chip's crate of 2023", with("[dependencies]\nesp32c3-hal = '0.14'\nesp-println = { version = '0.7', features = ['esp32c3'] }"), Options{}, "", ""},
		{"default feature", choice, Options{}, "package app is for the ESP32-S3", "espalier run --no-default-features --features esp32c3"},
		{"chosen feature", choice, Options{Flags: Flags{NoDefaultFeatures: true, Features: []string{"esp32c3"}}}, "", ""},
		{"chosen feature beside the default", choice, Options{Flags: Flags{Features: []string{"esp32c3"}}}, "", ""},
		{"ESP-IDF", with("[dependencies]\nesp-idf-svc = '0.51'"), Options{}, "esp-idf-svc: this is an ESP-IDF project", "espalier new"},
		{"ESP-IDF's target", app + "-- .cargo/config.toml --\n[build]\ntarget = 'riscv32imc-esp-espidf'\n", Options{}, ".cargo/config.toml:2: target riscv32imc-esp-espidf: this is an ESP-IDF", ""},
		{"host program", host, Options{Package: "xtask"}, "package xtask cannot be firmware of the ESP32-C3: it depends on no crate for the chip, and xtask/src/main.rs has no #![no_std]", "espalier run -p fw"},
		{"beside a host program", host, Options{}, "", ""},
		{"no crate of the chip", strings.Replace(host, "fn main() {}", "#![cfg_attr(not(test), no_std)]", 1), Options{Package: "xtask"}, "", ""},
		{"chip by a path dependency", strings.Replace(host, `xshell = "0.2"`, `fw = { path = "../fw" }`, 1), Options{Package: "xtask"}, "", ""},
		{"no package for the chip", strings.Replace(host, "esp-hal", "riscv", 1), Options{Package: "xtask"}, "", ""},
		{"Xtensa", app + "-- .cargo/config.toml --\n[build]\ntarget = 'xtensa-esp32-none-elf'\n", Options{}, "target xtensa-esp32-none-elf is another chip's", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Open(unpack(t, c.files), c.opts)
			if err != nil {
				t.Fatal(err)
			}
			err = p.CheckChip()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if c.hint != "" && !strings.Contains(strings.Join(fault.Hints(err), "\n"), c.hint) {
				t.Errorf("hints %q, want %s", fault.Hints(err), c.hint)
			}
		})
	}
}
