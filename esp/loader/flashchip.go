package loader

import (
	"context"
	"encoding/hex"
	"fmt"
)

// FlashID is what the SPI flash chip says about itself (JEDEC command 0x9f).
type FlashID struct {
	Manufacturer uint8
	Device       uint16
	Size         uint32 // bytes; 0 when the code is not a size
}

func (f FlashID) String() string {
	names := map[uint8]string{0x0b: "XTX", 0x1c: "Eon", 0x20: "XMC", 0x46: "XMC", 0x51: "GD", 0x68: "Boya", 0x85: "Puya", 0x9d: "ISSI", 0xa1: "Fudan", 0xc2: "Macronix", 0xc4: "GT", 0xc8: "GigaDevice", 0xcd: "TH", 0xef: "Winbond"}
	name := names[f.Manufacturer]
	if name == "" {
		name = "unknown"
	}
	return fmt.Sprintf("%s (0x%02x), device 0x%04x", name, f.Manufacturer, f.Device)
}

// SPI1 registers, TRM 27.7.
const (
	spiCmd      = 0x60002000
	spiUser     = 0x60002018
	spiUser2    = 0x60002020
	spiMisoLen  = 0x60002028
	spiW0       = 0x60002058
	spiUserGo   = 1 << 18
	spiUserCmd  = 1 << 31
	spiUserMiso = 1 << 28
	cmdJEDEC    = 0x9f
)

// attach connects the flash chip and sets its size in the loader. It may be
// called again.
func (l *Loader) attach(ctx context.Context) error {
	if l.attached {
		return nil
	}
	data := words(0, 0)
	if l.stub {
		data = words(0)
	}
	if _, err := l.link.command(ctx, opSPIAttach, data, timeCommand); err != nil {
		return err
	}
	if l.flash.Manufacturer == 0 && !l.security.SecureDownload() {
		if err := l.readFlashID(ctx); err != nil {
			return err
		}
	}
	size := l.flash.Size
	if size == 0 {
		size = 4 << 20
	}
	if _, err := l.link.command(ctx, opSPISetParams, words(0, size, 0x10000, 0x1000, 0x100, 0xffff), timeCommand); err != nil {
		return err
	}
	l.attached = true
	return nil
}

// FlashID returns what the flash chip says about itself.
func (l *Loader) FlashID(ctx context.Context) (FlashID, error) {
	if l.security.SecureDownload() {
		return FlashID{}, &SecureDownloadError{"asking the flash chip"}
	}
	err := l.persist(ctx, func() error { return l.attach(ctx) })
	return l.flash, err
}

// readFlashID asks until an answer makes sense. A chip of an unknown size is
// accepted when it says so every time.
func (l *Loader) readFlashID(ctx context.Context) error {
	for range attempts {
		id, err := l.jedec(ctx)
		if err != nil {
			return err
		}
		l.flash = FlashID{Manufacturer: uint8(id), Device: uint16(id>>8&0xff)<<8 | uint16(id>>16&0xff)}
		if code := id >> 16 & 0xff; code >= 0x12 && code <= 0x1a && id&0xff != 0 && id&0xff != 0xff {
			l.flash.Size = 1 << code
			return nil
		}
	}
	return nil
}

// jedec lets the SPI controller send one command to the flash chip.
func (l *Loader) jedec(ctx context.Context) (uint32, error) {
	user, err := l.ReadRegister(ctx, spiUser)
	if err != nil {
		return 0, err
	}
	user2, err := l.ReadRegister(ctx, spiUser2)
	if err != nil {
		return 0, err
	}
	for _, w := range [][2]uint32{
		{spiMisoLen, 23}, {spiUser, spiUserCmd | spiUserMiso}, {spiUser2, 7<<28 | cmdJEDEC}, {spiW0, 0}, {spiCmd, spiUserGo},
	} {
		if err := l.WriteRegister(ctx, w[0], w[1]); err != nil {
			return 0, err
		}
	}
	for range 10 {
		v, err := l.ReadRegister(ctx, spiCmd)
		if err != nil {
			return 0, err
		}
		if v&spiUserGo == 0 {
			break
		}
	}
	id, err := l.readTwice(ctx, spiW0)
	if err != nil {
		return 0, err
	}
	if err := l.WriteRegister(ctx, spiUser, user); err != nil {
		return 0, err
	}
	return id & 0xffffff, l.WriteRegister(ctx, spiUser2, user2)
}

// md5 asks for the digest of a range of flash: hex from the ROM, bytes from
// the stub.
func (l *Loader) md5(ctx context.Context, addr, size uint32) ([16]byte, error) {
	var sum [16]byte
	r, err := l.link.command(ctx, opFlashMD5, words(addr, size, 0, 0), timeFor(timeMD5PerM, size))
	if err != nil {
		return sum, err
	}
	switch {
	case len(r.data) == 16:
		copy(sum[:], r.data)
	case len(r.data) == 32:
		// Noise in the text is a digest that fits nothing.
		_, _ = hex.Decode(sum[:], r.data)
	default:
		return sum, &TimeoutError{Command: "SPI_FLASH_MD5 in full", After: timeMD5PerM}
	}
	return sum, nil
}

// MD5 returns the digest of a range of flash as the chip computes it.
func (l *Loader) MD5(ctx context.Context, addr, size uint32) (sum [16]byte, err error) {
	err = l.persist(ctx, func() error {
		if err := l.attach(ctx); err != nil {
			return err
		}
		sum, err = l.md5(ctx, addr, size)
		return err
	})
	return sum, err
}
