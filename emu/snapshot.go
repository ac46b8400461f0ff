package emu

import (
	"encoding/binary"
	"hash/crc32"

	"espalier.dev/espalier/emu/chip"
)

// SnapshotError reports a snapshot that cannot be restored on a board. The board
// is unchanged.
type SnapshotError struct{ Reason string }

func (e *SnapshotError) Error() string { return "restoring snapshot: " + e.Reason }

// Snapshot returns the whole state of the board: a board with the same ROM and
// flash size that restores it continues exactly as this one. The counts of
// unmodelled accesses and the state of Config.Radio are not part of it.
func (b *Board) Snapshot() []byte {
	p := chip.Save(b.m.State, b.saved+8)
	b.saved = len(p)
	return binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(p))
}

// Restore sets the state of the board to that of a snapshot. The error is a *SnapshotError.
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
