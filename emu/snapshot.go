package emu

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// Snapshot is the whole state of a board at an instant. It does not change, so that
// boards on several goroutines can restore it at a time. Its memories are shared,
// page by page, with the board it was made from and with the boards that restored
// it: each copies a page of 4 KiB before its first write to it.
type Snapshot struct{ saved chip.Saved }

// SnapshotError reports a snapshot that cannot be read, or not be restored on a
// board. The board is unchanged.
type SnapshotError struct{ Reason string }

func (e *SnapshotError) Error() string { return "restoring snapshot: " + e.Reason }

// Snapshot returns the state of the board: a board with the same ROM and flash size
// that restores it continues exactly as this one. The counts of unmodelled accesses
// and the state of Config.Radio are not part of it.
func (b *Board) Snapshot() *Snapshot {
	s := &Snapshot{chip.Save(b.m.State, b.saved+8)}
	b.saved = len(s.saved.Fields)
	return s
}

// Restore sets the state of the board to that of a snapshot. The error is a *SnapshotError.
func (b *Board) Restore(s *Snapshot) error {
	b.saved = len(s.saved.Fields)
	before := b.Snapshot()
	if err := chip.Load(s.saved, b.m.State); err != nil {
		if again := chip.Load(before.saved, b.m.State); again != nil {
			panic("emu: own snapshot does not load: " + again.Error())
		}
		return &SnapshotError{err.Error()}
	}
	return nil
}

// SharedBytes returns how many bytes of memory two snapshots have in common.
func (s *Snapshot) SharedBytes(other *Snapshot) (n int) {
	for i := range min(len(s.saved.Banks), len(other.saved.Banks)) {
		n += rv32.PageSize * s.saved.Banks[i].Shared(other.saved.Banks[i])
	}
	return n
}

// A snapshot as bytes: snapshotMagic, the number of memories, the length of the
// fields and of each memory (32 bits, little endian), these in that order, and the
// CRC-32 of all of it.
const (
	snapshotMagic    = "espsnap\x01"
	snapshotMemories = 16
)

// Bytes returns the snapshot for a file; ParseSnapshot reads it.
func (s *Snapshot) Bytes() []byte {
	size := len(s.saved.Fields) + 64
	for _, m := range s.saved.Banks {
		size += int(m.Size())
	}
	p := append(make([]byte, 0, size), snapshotMagic...)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(s.saved.Banks)))
	p = binary.LittleEndian.AppendUint32(p, uint32(len(s.saved.Fields)))
	for _, m := range s.saved.Banks {
		p = binary.LittleEndian.AppendUint32(p, m.Size())
	}
	p = append(p, s.saved.Fields...)
	for _, m := range s.saved.Banks {
		p = m.AppendTo(p)
	}
	return binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(p))
}

// ParseSnapshot reads what Snapshot.Bytes returned. The snapshot uses the memory of
// p, which must not change. The error is a *SnapshotError.
func ParseSnapshot(p []byte) (*Snapshot, error) {
	s, err := parseSnapshot(p)
	if err != nil {
		return nil, &SnapshotError{err.Error()}
	}
	return s, nil
}

func parseSnapshot(p []byte) (*Snapshot, error) {
	const head = len(snapshotMagic) + 8
	if len(p) < head+4 || string(p[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errors.New("not a snapshot of this version")
	}
	body := p[:len(p)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(p[len(body):]) {
		return nil, errors.New("checksum differs")
	}
	n := binary.LittleEndian.Uint32(p[len(snapshotMagic):])
	fields := uint64(binary.LittleEndian.Uint32(p[len(snapshotMagic)+4:]))
	if n > snapshotMemories || len(body) < head+4*int(n) {
		return nil, errors.New("damaged header")
	}
	sizes, body := body[head:head+4*int(n)], body[head+4*int(n):]
	if fields > uint64(len(body)) {
		return nil, errors.New("cut short")
	}
	s := &Snapshot{chip.Saved{Fields: body[:fields]}}
	body = body[fields:]
	for ; len(sizes) > 0; sizes = sizes[4:] {
		size := binary.LittleEndian.Uint32(sizes)
		if uint64(size) > uint64(len(body)) || size%rv32.PageSize != 0 {
			return nil, errors.New("cut short")
		}
		s.saved.Banks = append(s.saved.Banks, rv32.PagesOf(body[:size]))
		body = body[size:]
	}
	if len(body) > 0 {
		return nil, errors.New("too long")
	}
	return s, nil
}
