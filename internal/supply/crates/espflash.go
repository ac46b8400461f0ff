package crates

import (
	"context"
	"errors"
	"fmt"
	"io"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// carrier is the crate that ships what an ESP32-C3 board has before the user's
// program: Espressif's second-stage bootloaders, mask ROM images and flasher
// stub (licences in NOTICE). They are pinned here by content; the lock of a
// project repeats the pins, so a project keeps its own when these move on.
var carrier = lock.Crate{
	Name:    "espflash",
	Version: "4.7.0",
	Digest:  store.Digest{Hash: "470053a0b1671c0d2c47b69000daceb8d79cedf0ad0b13990bf137ef8ddbe5cb", Size: 4579753},
}

// Names of the board's blobs in espalier.lock.
const (
	Bootloader    = "bootloader"     // second stage, flash in DIO mode
	BootloaderQIO = "bootloader-qio" // second stage, flash in QIO mode
	ROM           = "rom-rev300"     // mask ROM of chip revision 3 and 4, ELF
	ROMRev101     = "rom-rev101"     // mask ROM of chip revision 1.1
	Stub          = "stub"           // serial flasher stub
)

var boardFiles = []struct {
	name, path string
	hash       string
	size       int64
}{
	{Bootloader, "resources/bootloaders/esp32c3-bootloader.bin", "7c04141e1fd8da5a391e8004ffe3d8ee8e20eeb5baf9bd3abc05c03a17b1ed09", 20560},
	{BootloaderQIO, "resources/bootloaders/esp32c3-qio-bootloader.bin", "2c1002d391966c5af4e22a3257c0e164bb90fbf3d8f302fbc33b367342c28084", 21520},
	{ROMRev101, "resources/roms/esp32c3_rev101_rom.elf", "9495e1453f36f7eec4112714ea1dca22d77808776adffa93dda7dda4393e8336", 559244},
	{ROM, "resources/roms/esp32c3_rev300_rom.elf", "19ac22e08707df926fb0cf4c54795d4067b983fae8635f396ded173a6d78fc3c", 556332},
	{Stub, "resources/stubs/esp32c3.toml", "37490a3f1421b63abb387395ce825201401ec5892509435660577783a49bed8b", 8253},
}

// Board returns the pins of the board's own files that this version of
// espalier chooses for a new lock, sorted by name.
func Board() []lock.Blob {
	var out []lock.Blob
	for _, f := range boardFiles {
		out = append(out, lock.Blob{
			Name:   f.name,
			Digest: store.Digest{Hash: f.hash, Size: f.size},
			From:   fmt.Sprintf("%s %s: %s", carrier.Name, carrier.Version, f.path),
			Crate:  carrier.Digest,
		})
	}
	return out
}

// BoardBlob returns Board's pin of one name.
func BoardBlob(name string) lock.Blob {
	for _, b := range Board() {
		if b.Name == name {
			return b
		}
	}
	panic("crates: no board blob " + name)
}

// parseFrom splits "<crate> <version>: <path>".
func parseFrom(from string) (name, version, path string, err error) {
	if _, err := fmt.Sscanf(from, "%s %s %s", &name, &version, &path); err != nil || len(version) < 2 || version[len(version)-1] != ':' {
		return "", "", "", fault.Newf(fault.Pins, "blob location %q: want \"<crate> <version>: <path>\"", from)
	}
	return name, version[:len(version)-1], path, nil
}

// Blobs brings the files named by blobs into the store. The crates that carry
// them are fetched when they are missing; a blob that is there is not looked
// at again.
func (f *Fetcher) Blobs(ctx context.Context, blobs []lock.Blob) error {
	type carrierKey struct {
		name, version string
		digest        store.Digest
	}
	byCrate := map[carrierKey]map[string]store.Digest{}
	for _, b := range blobs {
		if f.Store.Has(b.Digest) {
			continue
		}
		name, version, path, err := parseFrom(b.From)
		if err != nil {
			return err
		}
		key := carrierKey{name, version, b.Crate}
		files := byCrate[key]
		if files == nil {
			files = map[string]store.Digest{}
			byCrate[key] = files
		}
		files[path] = b.Digest
	}
	for key, files := range byCrate {
		c := lock.Crate{Name: key.name, Version: key.version, Digest: key.digest}
		if err := f.One(ctx, c); err != nil {
			return err
		}
		if err := extractFiles(ctx, f.Store, c, files); err != nil {
			return err
		}
	}
	return nil
}

// extractFiles stores the named files of a crate, each checked by content.
func extractFiles(ctx context.Context, st *store.Store, c lock.Crate, files map[string]store.Digest) error {
	blob, err := st.Get(ctx, c.Digest)
	if err != nil {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("crate %s %s", c.Name, c.Version), "espalier fetch")
	}
	defer blob.Close()
	found := 0
	err = Extract(blob, Folder(c), func(name string, _ bool, target string, r io.Reader) error {
		want, ok := files[name]
		if !ok || target != "" {
			return nil
		}
		found++
		_, err := st.PutExpected(ctx, r, want)
		return err
	})
	if err == nil && found != len(files) {
		err = errors.New("a pinned file is not in the archive")
	}
	if err != nil {
		return fault.Wrap(fault.Pins, err, fmt.Sprintf("files of crate %s %s", c.Name, c.Version))
	}
	return nil
}
