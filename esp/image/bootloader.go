package image

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"espalier.dev/espalier/esp/chip"
)

// BootloaderFor returns the name of the bootloader in the espflash crate's
// resources/bootloaders that suits a flash mode. Quad I/O needs one that
// switches the flash chip itself; for quad output there is none, and the
// ordinary one then reads in dual mode.
func BootloaderFor(m Mode) string {
	if m == QIO {
		return "esp32c3-qio-bootloader.bin"
	}
	return "esp32c3-bootloader.bin"
}

// PatchBootloader returns a copy of a bootloader image with the flash
// parameters in its header and its digest redone, and the header that an
// application inherits from it. The two headers differ: the mask ROM cannot
// start a bootloader marked QIO or QOUT, so that one says DIO.
func PatchBootloader(boot []byte, p Params) (patched []byte, appHeader [headerSize]byte, err error) {
	img, err := Parse(boot)
	if err != nil {
		return nil, appHeader, err
	}
	if c := chip.ESP32C3(); img.Header.ChipID != c.ID {
		return nil, appHeader, &ChipError{Found: img.Header.ChipName(), Evidence: "so says its image header"}
	}
	if !img.ChecksumOK {
		return nil, appHeader, &FormatError{img.checksumAt, "checksum mismatch: the file is damaged"}
	}
	if img.Header.HasDigest && !img.DigestOK {
		return nil, appHeader, &FormatError{img.checksumAt + 1, "sha256 mismatch: the file is damaged"}
	}
	out := slices.Clone(boot)
	if err := putParams(out, p); err != nil {
		return nil, appHeader, err
	}
	copy(appHeader[:], out)
	switch p.Mode {
	case QIO, QOUT:
		out[2] = byte(DIO - 1)
	}
	if img.Header.HasDigest {
		sum := sha256.Sum256(out[:img.checksumAt+1])
		copy(out[img.checksumAt+1:], sum[:])
	}
	return out, appHeader, nil
}

// bootloaderDescriptor is the magic byte at 0x20 of a bootloader image
// (esp_bootloader_desc_t).
const bootloaderDescriptor = 0x50

// describe names what an image is, for people.
func (i *Image) describe() string {
	switch {
	case i.Descriptor != nil:
		return "application image"
	case len(i.Segments) > 0 && len(i.Segments[0].Data) > 0 && i.Segments[0].Data[0] == bootloaderDescriptor && i.Segments[0].Offset == descOffset:
		return "bootloader image"
	}
	return fmt.Sprintf("image of %d segments", len(i.Segments))
}
