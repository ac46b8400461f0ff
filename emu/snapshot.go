package emu

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// snapshotVersion changes when the walk over the state does.
const snapshotVersion = 3

// SnapshotError says why a snapshot cannot be restored on a board. The board
// is as it was before.
type SnapshotError struct{ Reason string }

func (e *SnapshotError) Error() string { return "restoring snapshot: " + e.Reason }

// Snapshot returns the whole state of the board: a board with the same ROM and
// flash size that restores it goes on exactly as this one. Only the list of
// unmodelled accesses is not part of it.
func (b *Board) Snapshot() []byte {
	s := &State{}
	b.state(s)
	return binary.LittleEndian.AppendUint32(s.buf.Bytes(), crc32.ChecksumIEEE(s.buf.Bytes()))
}

// Restore takes the state of a snapshot. The error is a *SnapshotError.
func (b *Board) Restore(snapshot []byte) error {
	n := len(snapshot) - 4
	if n < 0 || crc32.ChecksumIEEE(snapshot[:n]) != binary.LittleEndian.Uint32(snapshot[n:]) {
		return &SnapshotError{"checksum differs"}
	}
	before := b.Snapshot()
	if err := b.load(snapshot[:n]); err != nil {
		if again := b.load(before[:len(before)-4]); again != nil {
			panic("emu: own snapshot does not load: " + again.Error())
		}
		return &SnapshotError{err.Error()}
	}
	return nil
}

func (b *Board) load(snapshot []byte) error {
	s := &State{loading: true}
	s.buf.Write(snapshot)
	b.state(s)
	if s.err == nil && s.buf.Len() > 0 {
		return fmt.Errorf("%d bytes too many", s.buf.Len())
	}
	return s.err
}

// state walks over everything.
func (b *Board) state(s *State) {
	m := b.m
	s.Expect("version", snapshotVersion)
	cpu := m.CPU.State()
	s.Fixed(&cpu, &m.clock, &m.trace, &m.reset, &m.halted, &m.period)
	b.chip.State(s)
	m.timers.state(s)
	b.inputs.state(s)
	if s.loading && s.err == nil {
		m.CPU.SetState(cpu)
	}
}

// state saves or restores the deadlines; timers themselves are part of the
// chip and the same on every board of its kind.
func (q *timers) state(s *State) {
	s.Expect("number of timers", uint64(len(q.all)))
	if s.err != nil {
		return
	}
	for _, t := range q.all {
		when := t.When()
		s.Fixed(&when)
		if s.loading {
			t.Set(when)
		}
	}
}

func (q *inputs) state(s *State) {
	for _, list := range []*[]Input{&q.done, &q.pending} {
		n := uint32(len(*list))
		s.Fixed(&n)
		if s.loading {
			*list = nil
		}
		for i := uint32(0); i < n && s.err == nil; i++ {
			var in Input
			if !s.loading {
				in = (*list)[i]
			}
			pin := int64(in.Pin)
			s.Fixed(&in.At, &in.Kind, &in.Port, &in.Level, &in.Strap, &pin)
			s.Bytes(&in.Data)
			in.Pin = int(pin)
			if s.loading {
				*list = append(*list, in)
			}
		}
	}
}
