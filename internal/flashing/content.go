package flashing

import (
	"bytes"
	"context"
	"crypto/md5"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/progress"
)

// contentBlock is how much Content compares at a time, in bytes.
const contentBlock = 64 << 10

// Content returns the content of the first size bytes of a board's flash. Blocks of which
// the chip computes the digest that the same block of known has are not read, and neither
// are blank ones; known may be shorter. MD5 is what the chip's loader computes: it is no
// proof for a board that wants to deceive, but such a board can also lie about its content.
func Content(ctx context.Context, l *loader.Loader, known []byte, size uint32, report progress.Reporter) ([]byte, error) {
	out := bytes.Repeat([]byte{0xff}, int(size))
	copy(out, known)
	other, err := differing(ctx, l, out, len(known), report)
	for _, r := range other {
		if err != nil {
			break
		}
		var read bytes.Buffer
		err = Read(ctx, l, &read, r.Offset, r.Size, report)
		copy(out[r.Offset:], read.Bytes())
	}
	return out, err
}

// differing finds the ranges in which a flash is not content. The first known bytes of
// content may be blank on the board instead: they are then made blank.
func differing(ctx context.Context, l *loader.Loader, content []byte, known int, report progress.Reporter) (list []Region, err error) {
	task := report.Start("compare", progress.Bytes, int64(len(content)))
	defer func() { task.Done(err) }()
	blank := bytes.Repeat([]byte{0xff}, contentBlock)
	for at := 0; at < len(content); at += contentBlock {
		block := content[at:min(at+contentBlock, len(content))]
		sum, err := l.MD5(ctx, uint32(at), uint32(len(block)))
		if err != nil {
			return nil, err
		}
		switch last := len(list) - 1; {
		case sum == md5.Sum(block):
		case at < known && sum == md5.Sum(blank[:len(block)]):
			copy(block, blank)
		case last >= 0 && list[last].Offset+list[last].Size == uint32(at):
			list[last].Size += uint32(len(block))
		default:
			list = append(list, Region{Offset: uint32(at), Size: uint32(len(block))})
		}
		task.Add(int64(len(block)))
	}
	return list, nil
}
