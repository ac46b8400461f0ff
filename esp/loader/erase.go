package loader

import (
	"bytes"
	"context"
	"fmt"
)

// Erase makes a range of flash 0xff, in whole sectors, and verifies it. Sectors
// that are blank already are not touched. progress, when set, receives how many
// bytes are done.
func (l *Loader) Erase(ctx context.Context, addr, size uint32, progress func(done int)) error {
	if l.security.SecureDownload() {
		return &SecureDownloadError{"erasing flash"}
	}
	if addr%sector != 0 || size%sector != 0 || size == 0 {
		return &RefusedError{[]Refusal{{Final: true,
			Reason: fmt.Sprintf("0x%x bytes from 0x%x are not whole sectors of 0x%x", size, addr, sector),
			Would:  "bytes that were not named would be erased"}}}
	}
	if err := l.persist(ctx, func() error { return l.attach(ctx) }); err != nil {
		return err
	}
	if l.flash.Size != 0 && uint64(addr)+uint64(size) > uint64(l.flash.Size) {
		return &RefusedError{[]Refusal{{Final: true,
			Reason: fmt.Sprintf("0x%x bytes from 0x%x reach beyond the flash chip's %s", size, addr, mega(l.flash.Size)),
			Would:  "addresses wrap there, so the bootloader would be erased"}}}
	}
	empty := bytes.Repeat([]byte{0xff}, eraseChunk)
	for done := uint32(0); done < size; {
		n := min(eraseChunk-addr%eraseChunk, size-done)
		var left []Range
		for try := range attempts {
			d := &delta{addr: addr, want: empty[:n], ask: l.md5}
			err := l.persist(ctx, func() error {
				if err := l.attach(ctx); err != nil {
					return err
				}
				whole, err := d.same(ctx, 0, int(n/sector))
				if err != nil || whole {
					d.runs = nil
					return err
				}
				d.runs = []Range{{addr, n}}
				if try > 0 {
					return d.find(ctx)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if left = d.runs; len(left) == 0 {
				break
			}
			for _, r := range left {
				if err := l.persist(ctx, func() error { return l.eraseRun(ctx, r) }); err != nil {
					return err
				}
			}
		}
		if len(left) > 0 {
			return l.notErased(ctx, left[0])
		}
		addr, done = addr+n, done+n
		if progress != nil {
			progress(int(done))
		}
	}
	return nil
}

// eraseChunk is one step of progress.
const eraseChunk = 256 << 10

// eraseRun erases by beginning to write nothing: ROM and stub both know that.
func (l *Loader) eraseRun(ctx context.Context, r Range) error {
	timeout := timeFor(timeErasePM, r.Size)
	if l.stub {
		_, err := l.link.once(ctx, opEraseRegion, words(r.Offset, r.Size), 0, timeout)
		return err
	}
	_, err := l.link.once(ctx, opFlashBegin, words(r.Size, 0, romBlock, r.Offset, 0), 0, timeout)
	return err
}

func (l *Loader) notErased(ctx context.Context, r Range) error {
	have, err := l.Read(ctx, r.Offset, sector, nil)
	if err != nil {
		return err
	}
	for i, b := range have {
		if b != 0xff {
			return &VerifyError{Part: "erased flash", Addr: r.Offset + uint32(i), Want: 0xff, Got: b, Attempts: attempts}
		}
	}
	return nil
}
