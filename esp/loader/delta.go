package loader

import (
	"bytes"
	"context"
	"crypto/md5"
)

// Range is whole sectors of flash.
type Range struct{ Offset, Size uint32 }

// delta finds the sectors of a part that flash does not hold, by asking for
// digests: of the whole, then of halves of what differs. A wrong "equal" cannot
// happen; a wrong "different" costs a sector that is written again.
type delta struct {
	addr uint32
	want []byte // whole sectors
	ask  func(ctx context.Context, addr, size uint32) ([16]byte, error)
	runs []Range
}

// Below and above these counts of sectors it does not pay to look closer.
const (
	probeFrom = 12 // sectors: smaller ranges are halved without probing
	probes    = 5
)

// padded returns b filled with 0xff to whole sectors.
func padded(b []byte) []byte {
	n := (len(b) + sector - 1) / sector * sector
	if n == len(b) {
		return b
	}
	out := make([]byte, n)
	for i := copy(out, b); i < n; i++ {
		out[i] = 0xff
	}
	return out
}

// find fills runs, in order.
func (d *delta) find(ctx context.Context) error {
	d.runs = nil
	n := len(d.want) / sector
	if n >= probeFrom {
		// A chip that holds something else altogether is recognised by a few
		// sectors spread over the part. The ROM takes a millisecond for each
		// KiB that it is asked about.
		all, err := d.different(ctx, 0, n)
		if err != nil {
			return err
		}
		if all {
			d.add(0, n)
			return nil
		}
	}
	same, err := d.same(ctx, 0, n)
	if err != nil || same {
		return err
	}
	return d.split(ctx, 0, n)
}

// same asks about sectors from to to.
func (d *delta) same(ctx context.Context, from, to int) (bool, error) {
	b := d.want[from*sector : to*sector]
	have, err := d.ask(ctx, d.addr+uint32(from*sector), uint32(len(b)))
	return have == md5.Sum(b), err
}

// different reports whether all probed sectors differ. Sectors that are all
// 0xff would say nothing: they are equal in an erased chip.
func (d *delta) different(ctx context.Context, from, to int) (bool, error) {
	for i := range probes {
		at := from + (to-from)*(2*i+1)/(2*probes)
		for at < to && blank(d.want[at*sector:(at+1)*sector]) {
			at++
		}
		if at == to {
			continue
		}
		same, err := d.same(ctx, at, at+1)
		if err != nil || same {
			return false, err
		}
	}
	return true, nil
}

func blank(b []byte) bool { return len(bytes.TrimLeft(b, "\xff")) == 0 }

// split halves a range that is known to differ.
func (d *delta) split(ctx context.Context, from, to int) error {
	if to-from == 1 {
		d.add(from, to)
		return nil
	}
	mid := from + (to-from)/2
	same, err := d.same(ctx, from, mid)
	if err != nil {
		return err
	}
	if same {
		return d.split(ctx, mid, to) // then the other half is what differs
	}
	if err := d.split(ctx, from, mid); err != nil {
		return err
	}
	if same, err = d.same(ctx, mid, to); err != nil || same {
		return err
	}
	return d.split(ctx, mid, to)
}

func (d *delta) add(from, to int) {
	d.runs = addRun(d.runs, d.addr+uint32(from*sector), uint32((to-from)*sector))
}

// addRun appends a range that starts after the others end.
func addRun(runs []Range, at, size uint32) []Range {
	if n := len(runs); n > 0 && runs[n-1].Offset+runs[n-1].Size == at {
		runs[n-1].Size += size
		return runs
	}
	return append(runs, Range{at, size})
}

// total is how much the runs write.
func total(runs []Range) (n int) {
	for _, r := range runs {
		n += int(r.Size)
	}
	return n
}
