package emu

import (
	"encoding/binary"
	"hash/crc32"

	"espalier.dev/espalier/emu/chip"
)

// SnapshotError says why a snapshot cannot be restored on a board. The board
// is as it was before.
type SnapshotError struct{ Reason string }

func (e *SnapshotError) Error() string { return "restoring snapshot: " + e.Reason }

// Snapshot returns the whole state of the board: a board with the same ROM and
// flash size that restores it goes on exactly as this one. Only the list of
// unmodelled accesses is not part of it.
func (b *Board) Snapshot() []byte {
	p := chip.Save(b.m.State)
	return binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(p))
}

// Restore takes the state of a snapshot. The error is a *SnapshotError.
func (b *Board) Restore(snapshot []byte) error {
	n := len(snapshot) - 4
	if n < 0 || crc32.ChecksumIEEE(snapshot[:n]) != binary.LittleEndian.Uint32(snapshot[n:]) {
		return &SnapshotError{"checksum differs"}
	}
	before := b.Snapshot()
	if err := chip.Load(snapshot[:n], b.m.State); err != nil {
		if again := chip.Load(before[:len(before)-4], b.m.State); again != nil {
			panic("emu: own snapshot does not load: " + again.Error())
		}
		return &SnapshotError{err.Error()}
	}
	return nil
}
