package settings

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emutest"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
)

// Firmware of the template reads the network from the partition with the crate
// esp-nvs, a reader of its own, and joins it. The passphrase is neither in the
// capture of the radio nor in the recording of the run. Without values the firmware
// joins the network that it was compiled with.
func TestFirmwareJoins(t *testing.T) {
	const passphrase = "of the partition only"
	elf, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", "http-client.elf"))
	if err != nil {
		devtest.Missing(t, "http-client.elf (scripts/firmware)")
	}
	t.Setenv("ESPALIER_STORE", devtest.Store(t))
	boot, err := os.ReadFile(filepath.Join(devtest.Data(t, "espflash"), "resources", "bootloaders", "esp32c3-bootloader.bin"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := open(t, app+"-- espalier.toml --\n[nvs.wifi]\nssid = \"a stored name\"\npassword = \""+passphrase+"\"\n")
	if err != nil {
		t.Fatal(err)
	}
	j, err := For(p, img.Table, "", secret)
	if err != nil {
		t.Fatal(err)
	}
	flash := Memory(img.Merged())
	if _, err := j.Write(t.Context(), flash, c3.DefaultMAC(), rand.NewChaCha8([32]byte{})); err != nil {
		t.Fatal(err)
	}
	artifacts := t.TempDir()
	t.Cleanup(func() { // runs when the boards are closed and the files complete
		files := 0
		err := filepath.WalkDir(artifacts, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			content, err := os.ReadFile(name)
			if bytes.Contains(content, []byte(passphrase)) {
				t.Errorf("the passphrase is in %s", d.Name())
			}
			return err
		})
		if err != nil || files < 2 {
			t.Errorf("%d files of the run, %v", files, err)
		}
	})
	b := emutest.New(t, emutest.FlashBytes(flash), emutest.WiFi("a stored name", passphrase), emutest.Artifacts(artifacts))
	b.Expect("the network is that of the partition nvs")
	b.Expect("joining a stored name")
	b.Expect("got ip")
	b = emutest.New(t, emutest.FlashBytes(img.Merged()))
	b.Expect("joining espalier")
	b.Expect("got ip")
}
