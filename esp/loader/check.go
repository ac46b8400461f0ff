package loader

import (
	"fmt"
	"strings"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
)

// Part is what is to be at an offset in flash. It owns the whole
// sectors of 4 KiB that it touches: the rest of its last one becomes 0xff.
type Part struct {
	Name   string
	Offset uint32
	Bytes  []byte
}

func (p Part) end() uint64 { return uint64(p.Offset) + uint64(len(p.Bytes)) }

// sector is the smallest piece of flash that can be erased.
const sector = 0x1000

// State is what decides whether parts may be written.
type State struct {
	Identity Identity
	Flash    FlashID
	Security Security
}

// Check returns the reasons not to write parts to a chip, in the order of
// their weight; none when the result will start. It reads what the parts are
// from their content and place.
func Check(s State, parts []Part) []Refusal {
	var out []Refusal
	refuse := func(r Refusal) { out = append(out, r) }
	if s.Security.SecureDownload() {
		refuse(Refusal{Final: true,
			Reason: "the chip is in Secure Download mode",
			Would:  "nothing could be read back, so neither what differs nor whether it was written would be known",
			Hint:   "esptool --no-stub write-flash writes blindly"})
	}
	for _, p := range parts {
		checkPlace(s, p, refuse)
	}
	for i, p := range parts {
		for _, q := range parts[i+1:] {
			if p.end() > uint64(q.Offset&^(sector-1)) && q.end() > uint64(p.Offset&^(sector-1)) {
				refuse(Refusal{Final: true,
					Reason: fmt.Sprintf("%s at 0x%x and %s at 0x%x overlap", p.Name, p.Offset, q.Name, q.Offset),
					Would:  "the one written last would destroy the other"})
			}
		}
	}
	if s.Security.Encrypted() {
		refuse(Refusal{
			Reason: "flash encryption is on",
			Would:  "the chip would decrypt these plain bytes to noise and never start",
			Hint:   "encrypt the image for this chip's key first"})
	}
	for _, p := range parts {
		switch {
		case p.Offset == chip.ESP32C3().BootloaderOffset && image.Identify(p.Bytes) == image.Direct:
			checkDirect(s, p, refuse)
		case p.Offset == chip.ESP32C3().BootloaderOffset:
			checkBootloader(s, p, refuse)
		case partition.IsBinary(p.Bytes):
			checkTable(s, p, refuse)
		case len(p.Bytes) > 0 && p.Bytes[0] == 0xe9:
			checkApp(s, p, refuse)
		}
	}
	return out
}

func checkPlace(s State, p Part, refuse func(Refusal)) {
	if len(p.Bytes) == 0 {
		refuse(Refusal{Final: true, Reason: p.Name + " is empty", Would: "there would be nothing to write"})
	}
	if p.Offset%sector != 0 {
		refuse(Refusal{Final: true,
			Reason: fmt.Sprintf("%s starts at 0x%x, within a sector", p.Name, p.Offset),
			Would:  fmt.Sprintf("the bytes from 0x%x on, which were not named, would be erased", p.Offset&^(sector-1))})
	}
	if s.Flash.Size != 0 && p.end() > uint64(s.Flash.Size) {
		refuse(Refusal{Final: true,
			Reason: fmt.Sprintf("%s ends at 0x%x, the flash chip has %s", p.Name, p.end(), mega(s.Flash.Size)),
			Would:  "addresses wrap there, so the bootloader would be overwritten",
			Hint:   "--flash-size, and a partition table that fits"})
	}
}

func checkBootloader(s State, p Part, refuse func(Refusal)) {
	img, err := image.Parse(p.Bytes)
	if err != nil {
		refuse(Refusal{
			Reason: fmt.Sprintf("%s is not a bootloader: %v", p.Name, err),
			Would:  "the ROM would print \"invalid header\" and reset forever"})
		return
	}
	if why := img.Problems(); len(why) > 0 {
		refuse(Refusal{
			Reason: p.Name + ": " + strings.Join(why, ", "),
			Would:  "the ROM would refuse it and reset forever"})
	}
	checkRevision(s, p.Name, img.Header, "its own start", refuse)
	if size := img.Header.Size; size != 0 && s.Flash.Size != 0 && size > s.Flash.Size {
		refuse(Refusal{
			Reason: fmt.Sprintf("%s is set to %s of flash, the chip has %s", p.Name, mega(size), mega(s.Flash.Size)),
			Would:  "partitions beyond its end would be read as its beginning",
			Hint:   "--flash-size " + strings.ReplaceAll(mega(s.Flash.Size), " ", "")})
	}
	if s.Security.SecureBoot() && !signed(p, img) {
		refuse(Refusal{
			Reason: "secure boot is on and " + p.Name + " is not signed",
			Would:  "the ROM would refuse it, and the chip would not start until it is replaced",
			Hint:   "sign bootloader and app with the key whose digest is in this chip"})
	}
}

// checkDirect is about a program that the ROM starts without a bootloader.
func checkDirect(s State, p Part, refuse func(Refusal)) {
	if s.Security.SecureBoot() {
		refuse(Refusal{
			Reason: "secure boot is on and " + p.Name + " is for direct boot, which cannot be signed",
			Would:  "the ROM would refuse it, and the chip would not start until it is replaced"})
	}
}

func checkTable(s State, p Part, refuse func(Refusal)) {
	t, err := partition.ParseBinary(p.Bytes)
	if err != nil {
		refuse(Refusal{
			Reason: fmt.Sprintf("%s: %v", p.Name, err),
			Would:  "the bootloader would find no app and reset forever"})
		return
	}
	if s.Flash.Size == 0 {
		return
	}
	for _, e := range t.Entries {
		if e.End() > uint64(s.Flash.Size) {
			refuse(Refusal{
				Reason: fmt.Sprintf("partition %s ends at 0x%x, the flash chip has %s", e.Name, e.End(), mega(s.Flash.Size)),
				Would:  "what is stored there would land on the bootloader",
				Hint:   "--flash-size, and a partition table that fits"})
		}
	}
}

func checkApp(s State, p Part, refuse func(Refusal)) {
	img, err := image.Parse(p.Bytes)
	if err != nil {
		refuse(Refusal{
			Reason: fmt.Sprintf("%s is not a complete image: %v", p.Name, err),
			Would:  "the bootloader would refuse it and reset forever"})
		return
	}
	if why := img.Problems(); len(why) > 0 {
		refuse(Refusal{
			Reason: p.Name + ": " + strings.Join(why, ", "),
			Would:  "the bootloader would refuse it and reset forever"})
	}
	checkRevision(s, p.Name, img.Header, "the bootloader's check", refuse)
	if d := img.Descriptor; d != nil {
		if d.MinBlockRev != 0 && d.MinBlockRev != 0xffff && s.Identity.Block < d.MinBlockRev {
			refuse(blockRefusal(p.Name, "at least", d.MinBlockRev, s.Identity.Block))
		}
		if d.MaxBlockRev != 0 && d.MaxBlockRev != 0xffff && s.Identity.Block > d.MaxBlockRev {
			refuse(blockRefusal(p.Name, "at most", d.MaxBlockRev, s.Identity.Block))
		}
	}
	if s.Security.SecureBoot() && !signed(p, img) {
		refuse(Refusal{
			Reason: "secure boot is on and " + p.Name + " is not signed",
			Would:  "the bootloader would refuse it"})
	}
}

func blockRefusal(name, bound string, want, have uint16) Refusal {
	return Refusal{
		Reason: fmt.Sprintf("%s wants an eFuse block revision of %s v%s, the chip has v%s", name, bound, version(want), version(have)),
		Would:  "the bootloader would refuse it and reset forever",
		Hint:   "if the number is absurd, the app descriptor is not where the linker script puts it: espalier inspect shows it"}
}

func checkRevision(s State, name string, h image.Header, who string, refuse func(Refusal)) {
	rev := s.Identity.Revision
	switch {
	case rev < h.MinRev:
		refuse(Refusal{
			Reason: fmt.Sprintf("%s is for chip revision v%s and later, this is v%s", name, version(h.MinRev), version(rev)),
			Would:  "it would fail at " + who + " and reset forever"})
	case h.MaxRev != 0 && h.MaxRev != 0xffff && rev > h.MaxRev:
		refuse(Refusal{
			Reason: fmt.Sprintf("%s is for chip revisions up to v%s, this is v%s", name, version(h.MaxRev), version(rev)),
			Would:  "it would fail at " + who + " and reset forever",
			Hint:   "a newer bootloader knows newer chips: espalier update"})
	}
}

// signed reports whether a signature block of secure boot v2 follows the image.
func signed(p Part, img *image.Image) bool {
	at := (img.Size + sector - 1) / sector * sector
	return at+2 <= len(p.Bytes) && p.Bytes[at] == 0xe7 && p.Bytes[at+1] == 2
}

func version(v uint16) string { return fmt.Sprintf("%d.%d", v/100, v%100) }

func mega(n uint32) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
