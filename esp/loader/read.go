package loader

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reading: the ROM gives 64 bytes at a time, the stub streams.
const (
	slowRead     = 64
	readBlock    = sector
	readInFlight = 64
	readChunk    = 64 << 10 // verified by a digest each
)

// Read returns a range of flash, as ReadTo writes it.
func (l *Loader) Read(ctx context.Context, addr, size uint32, progress func(done int)) ([]byte, error) {
	var out bytes.Buffer
	err := l.ReadTo(ctx, &out, addr, size, progress)
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ReadTo writes a range of flash to to, in pieces of which each is verified by a
// digest that the chip computes before it is written: what has been written is
// right also when an error follows. progress, when set, receives how many bytes
// are there. Errors are those of Write, but for refusals, *SecureDownloadError,
// and that of to.
func (l *Loader) ReadTo(ctx context.Context, to io.Writer, addr, size uint32, progress func(done int)) error {
	if l.security.SecureDownload() {
		return &SecureDownloadError{"reading flash"}
	}
	err := l.persist(ctx, func() error {
		if size >= 2*sector {
			if err := l.SetBaud(ctx, l.o.Baud); err != nil {
				return err
			}
			if err := l.startStub(ctx); err != nil {
				return err
			}
		}
		return l.attach(ctx)
	})
	if err != nil {
		return err
	}
	if l.flash.Size != 0 && uint64(addr)+uint64(size) > uint64(l.flash.Size) {
		return &RefusedError{[]Refusal{{Final: true,
			Reason: fmt.Sprintf("0x%x bytes from 0x%x reach beyond the flash chip's %s", size, addr, mega(l.flash.Size)),
			Would:  "its beginning would be read again"}}}
	}
	for done := uint32(0); done < size; {
		n := min(readChunk, size-done)
		piece, err := l.readPiece(ctx, addr+done, n)
		if err != nil {
			return err
		}
		if _, err := to.Write(piece); err != nil {
			return err
		}
		done += n
		if progress != nil {
			progress(int(done))
		}
	}
	return nil
}

// readPiece reads until the digest agrees.
func (l *Loader) readPiece(ctx context.Context, addr, size uint32) (piece []byte, err error) {
	err = l.persist(ctx, func() error {
		if err := l.attach(ctx); err != nil {
			return err
		}
		var err error
		if l.stub {
			piece, err = l.stream(ctx, addr, size)
		} else {
			piece, err = l.slow(ctx, addr, size)
		}
		if err != nil {
			return err
		}
		sum, err := l.md5(ctx, addr, size)
		if err == nil && sum != md5.Sum(piece) {
			err = &TimeoutError{Command: "READ_FLASH without errors", After: timeCommand}
		}
		return err
	})
	return piece, err
}

func (l *Loader) slow(ctx context.Context, addr, size uint32) ([]byte, error) {
	out := make([]byte, 0, size)
	for uint32(len(out)) < size {
		n := min(slowRead, size-uint32(len(out)))
		r, err := l.link.command(ctx, opReadFlashSlow, words(addr+uint32(len(out)), n), timeCommand)
		if err != nil {
			return nil, err
		}
		if uint32(len(r.data)) < n {
			return nil, &TimeoutError{Command: "READ_FLASH_SLOW in full", After: timeCommand}
		}
		out = append(out, r.data[:n]...)
	}
	return out, nil
}

// stream reads through the stub: frames of plain data, each acknowledged with
// how much has come, and a digest at the end.
func (l *Loader) stream(ctx context.Context, addr, size uint32) ([]byte, error) {
	if _, err := l.link.once(ctx, opReadFlash, words(addr, size, readBlock, readInFlight), 0, timeCommand); err != nil {
		return nil, err
	}
	out := make([]byte, 0, size)
	for {
		f, err := l.link.frame(ctx, l.port.Now()+timeCommand)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, &TimeoutError{Command: "READ_FLASH", After: timeCommand}
		}
		if err != nil {
			return nil, err
		}
		if uint32(len(out)) == size {
			if sum := md5.Sum(out); string(f) != string(sum[:]) {
				return nil, &TimeoutError{Command: "READ_FLASH without errors", After: timeCommand}
			}
			return out, nil
		}
		if uint32(len(out)+len(f)) > size {
			return nil, &TimeoutError{Command: "READ_FLASH without errors", After: timeCommand}
		}
		out = append(out, f...)
		if err := l.link.send(ctx, binary.LittleEndian.AppendUint32(nil, uint32(len(out)))); err != nil {
			return nil, err
		}
	}
}
