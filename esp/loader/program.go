package loader

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
)

// Program clears bits of flash, and erases nothing, so an interruption loses
// nothing. data is what flash holds afterwards, from the start of a sector on: it
// may have a 1 only where flash has one already, which the mask ROM verifies. What is
// there already is programmed again, since the ROM begins at sectors. The length of
// data is a multiple of 4. The stub always erases what it writes, so a chip that
// runs it is reset first.
//
// Errors: *RefusedError when the range is not in the flash or not of words, those of
// the port and of the chip.
func (l *Loader) Program(ctx context.Context, addr uint32, data []byte) error {
	if l.security.SecureDownload() {
		return &SecureDownloadError{"writing flash"}
	}
	if addr%sector != 0 || len(data)%4 != 0 {
		return &RefusedError{[]Refusal{{Final: true,
			Reason: fmt.Sprintf("%d bytes from 0x%x are not whole words from the start of a sector", len(data), addr),
			Would:  "the chip would refuse them"}}}
	}
	if err := l.persist(ctx, func() error { return l.attachROM(ctx) }); err != nil {
		return err
	}
	if l.flash.Size != 0 && uint64(addr)+uint64(len(data)) > uint64(l.flash.Size) {
		return &RefusedError{[]Refusal{{Final: true,
			Reason: fmt.Sprintf("0x%x bytes from 0x%x reach beyond the flash chip's %s", len(data), addr, mega(l.flash.Size)),
			Would:  "addresses wrap there, so the bootloader would be overwritten"}}}
	}
	for len(data) > 0 {
		n := min(len(data), sector)
		err := l.persist(ctx, func() error {
			if err := l.attachROM(ctx); err != nil {
				return err
			}
			return l.program(ctx, addr, data[:n])
		})
		if err != nil {
			return err
		}
		addr, data = addr+uint32(n), data[n:]
	}
	return nil
}

// attachROM is attach with the mask ROM's own loader.
func (l *Loader) attachROM(ctx context.Context) error {
	if l.stub {
		baud := l.baud
		if err := l.reach(ctx); err != nil {
			return err
		}
		if l.stub {
			return &RefusedError{[]Refusal{{Final: true, Reason: "the flasher stub runs and the port cannot reset the chip",
				Would: "the stub would erase the whole sector"}}}
		}
		if err := l.SetBaud(ctx, baud); err != nil {
			return err
		}
	}
	return l.attach(ctx)
}

// program writes the start of a sector, after beginning to erase nothing. Repeating
// it is harmless. A block has the ROM's size, or all of a shorter write: what fills
// up a block would be verified, too.
func (l *Loader) program(ctx context.Context, addr uint32, data []byte) error {
	size := min(len(data), romBlock)
	for len(data)%size != 0 {
		size -= 4
	}
	w := words(0, uint32(len(data)/size), uint32(size), addr, 0) // not encrypted
	if _, err := l.link.once(ctx, opFlashBegin, w, 0, timeCommand); err != nil {
		return err
	}
	for i := range len(data) / size {
		d, sum := block(uint32(i), data[i*size:][:size])
		if err := l.putBlock(ctx, opFlashData, d, sum, timeCommand); err != nil {
			return err
		}
	}
	return nil
}

// Holds reports whether a range of flash has exactly this content, by a digest that
// the chip computes.
func (l *Loader) Holds(ctx context.Context, addr uint32, content []byte) (bool, error) {
	sum, err := l.MD5(ctx, addr, uint32(len(content)))
	return err == nil && bytes.Equal(sum[:], digest(content)), err
}

func digest(b []byte) []byte {
	sum := md5.Sum(b)
	return sum[:]
}
