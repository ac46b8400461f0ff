package chipfiles

import (
	"fmt"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// Names of the chip's files in espalier.lock.
const (
	BootloaderName    = "bootloader"     // second stage; the flash chip is read in dual mode
	BootloaderQIOName = "bootloader-qio" // second stage; the flash chip is switched to quad mode
	ROMName           = "rom-rev300"     // mask ROM of revisions v0.3 and v0.4, ELF
	ROMRev101Name     = "rom-rev101"     // mask ROM of revision v1.1, ELF
	StubName          = "stub"           // serial flasher stub, TOML with base64 segments
)

// carrier is the crate that ships Espressif's files (licences in NOTICE). They
// are pinned here by content. The lock of a project repeats the pins, so that a
// project keeps its own when these move on.
func carrier() lock.Crate {
	return lock.Crate{
		Name:    "espflash",
		Version: "4.7.0",
		Digest:  store.Digest{Hash: "470053a0b1671c0d2c47b69000daceb8d79cedf0ad0b13990bf137ef8ddbe5cb", Size: 4579753},
	}
}

// Pins returns the pins that this version of espalier chooses for a new lock,
// sorted by name.
func Pins() []lock.Blob {
	c := carrier()
	pin := func(name, path, hash string, size int64) lock.Blob {
		return lock.Blob{
			Name:   name,
			Digest: store.Digest{Hash: hash, Size: size},
			From:   fmt.Sprintf("%s %s: %s", c.Name, c.Version, path),
			Crate:  c.Digest,
		}
	}
	return []lock.Blob{
		pin(BootloaderName, "resources/bootloaders/esp32c3-bootloader.bin",
			"7c04141e1fd8da5a391e8004ffe3d8ee8e20eeb5baf9bd3abc05c03a17b1ed09", 20560),
		pin(BootloaderQIOName, "resources/bootloaders/esp32c3-qio-bootloader.bin",
			"2c1002d391966c5af4e22a3257c0e164bb90fbf3d8f302fbc33b367342c28084", 21520),
		pin(ROMRev101Name, "resources/roms/esp32c3_rev101_rom.elf",
			"9495e1453f36f7eec4112714ea1dca22d77808776adffa93dda7dda4393e8336", 559244),
		pin(ROMName, "resources/roms/esp32c3_rev300_rom.elf",
			"19ac22e08707df926fb0cf4c54795d4067b983fae8635f396ded173a6d78fc3c", 556332),
		pin(StubName, "resources/stubs/esp32c3.toml",
			"37490a3f1421b63abb387395ce825201401ec5892509435660577783a49bed8b", 8253),
	}
}
