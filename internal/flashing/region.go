package flashing

import (
	"context"
	"fmt"
	"strconv"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/fault"
)

// Region says which bytes of a board's flash are meant: a range, a partition of
// the table that is on the board, or everything.
type Region struct {
	Partition    string
	All          bool
	Offset, Size uint32 // when neither of the others is set
}

// ParseRange reads an offset and a size in bytes, decimal or 0x.
func ParseRange(offset, size string) (Region, error) {
	at, err := strconv.ParseUint(offset, 0, 32)
	if err != nil {
		return Region{}, fault.New(fault.Usage, fmt.Sprintf("offset %s: want a number such as 0x9000", offset))
	}
	n, err := strconv.ParseUint(size, 0, 32)
	if err != nil || n == 0 {
		return Region{}, fault.New(fault.Usage, fmt.Sprintf("size %s: want a number such as 0x6000", size))
	}
	return Region{Offset: uint32(at), Size: uint32(n)}, nil
}

// Resolve returns offset and size of a region on the board.
func (r Region) Resolve(ctx context.Context, l *loader.Loader) (offset, size uint32, err error) {
	switch {
	case r.All:
		f, err := l.FlashID(ctx)
		if err == nil && f.Size == 0 {
			err = fault.New(fault.Chip, fmt.Sprintf("the flash chip (%s) does not say how large it is", f), "name OFFSET and SIZE")
		}
		return 0, f.Size, err
	case r.Partition != "":
		t, _, err := ReadTable(ctx, l)
		if err != nil {
			return 0, 0, err
		}
		e, err := Named(t, r.Partition)
		return e.Offset, e.Size, err
	}
	return r.Offset, r.Size, nil
}
