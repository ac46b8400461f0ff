package chip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"

	"espalier.dev/espalier/rv32"
)

// State saves or restores the state of a device in one walk that serves both: a
// device lists its fields once, so that a snapshot has all of them in the same
// order.
type State struct {
	buf     bytes.Buffer
	banks   []rv32.Pages
	loading bool
	err     error
}

// Saved is what a walk listed. It does not change.
type Saved struct {
	Fields []byte
	Banks  []rv32.Pages // memories, shared with the device until it writes to them
}

// Save returns what a walk lists. size is a guess of the length of Fields in
// bytes; a good one saves copies.
func Save(walk func(*State), size int) Saved {
	s := &State{}
	s.buf.Grow(size)
	walk(s)
	return Saved{s.buf.Bytes(), s.banks}
}

// Load has a walk restore what Save returned for it. After an error, part of
// the state may have been restored.
func Load(saved Saved, walk func(*State)) error {
	s := &State{loading: true, buf: *bytes.NewBuffer(saved.Fields), banks: saved.Banks} // only read
	walk(s)
	if s.err == nil && (s.buf.Len() > 0 || len(s.banks) > 0) {
		return fmt.Errorf("%d bytes and %d memories too many", s.buf.Len(), len(s.banks))
	}
	return s.err
}

// Loading reports whether the walk restores a snapshot.
func (s *State) Loading() bool { return s.loading }

// Err returns the first error of a restoring walk.
func (s *State) Err() error { return s.err }

// Fixed saves or loads values of fixed size: pointers to integers, to arrays,
// or to structs of exported fields that are such values.
func (s *State) Fixed(values ...any) {
	for _, v := range values {
		switch v := v.(type) { // without reflection: most of a snapshot
		case *[1024]uint32: // a block's registers
			s.words(v)
			continue
		case *[256]byte:
			s.Memory(v[:])
			continue
		}
		if s.loading {
			if s.err == nil {
				s.err = binary.Read(&s.buf, binary.LittleEndian, v)
			}
			continue
		}
		if err := binary.Write(&s.buf, binary.LittleEndian, reflect.ValueOf(v).Elem().Interface()); err != nil {
			panic(fmt.Sprintf("chip: state of type %T: %v", v, err))
		}
	}
}

// words saves or loads registers after a byte that is 0 when all are zero, which
// are not saved then.
func (s *State) words(w *[1024]uint32) {
	if !s.loading {
		if *w == [1024]uint32{} {
			s.buf.WriteByte(0)
			return
		}
		b := append(s.buf.AvailableBuffer(), 1)
		for _, v := range w {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		s.buf.Write(b)
		return
	}
	if s.err != nil {
		return
	}
	if kind := s.buf.Next(1); len(kind) == 1 && kind[0] == 0 {
		clear(w[:])
		return
	}
	p := s.buf.Next(4 * len(w))
	if len(p) < 4*len(w) {
		if s.err == nil {
			s.err = io.ErrUnexpectedEOF
		}
		return
	}
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(p[4*i:])
	}
}

// Expect saves a value and, when loading, requires the same one: it identifies
// the kind of board that a snapshot belongs to.
func (s *State) Expect(what string, value uint64) {
	v := value
	s.Fixed(&v)
	if s.loading && s.err == nil && v != value {
		s.err = fmt.Errorf("%s is %d, this board has %d", what, v, value)
	}
}

// Bytes saves or loads a slice whose length may differ between snapshots.
func (s *State) Bytes(p *[]byte) {
	n := uint32(len(*p))
	s.Fixed(&n)
	if !s.loading {
		s.buf.Write(*p)
		return
	}
	if s.err != nil {
		return
	}
	if int(n) > s.buf.Len() {
		s.err = fmt.Errorf("field of %d bytes in %d", n, s.buf.Len())
		return
	}
	*p = append((*p)[:0], s.buf.Next(int(n))...)
}

// Bank saves or loads a memory, whose size does not change.
func (s *State) Bank(b *rv32.Bank) {
	switch {
	case !s.loading:
		s.banks = append(s.banks, b.Share())
	case s.err != nil:
	case len(s.banks) == 0 || s.banks[0].Size() != b.Size():
		s.err = fmt.Errorf("no memory of %d bytes", b.Size())
	default:
		b.Replace(s.banks[0])
		s.banks = s.banks[1:]
	}
}

// Memory saves or loads a memory that is not a bank, in place: its length does not
// change.
func (s *State) Memory(p []byte) {
	if !s.loading {
		s.buf.Write(p)
		return
	}
	if s.err != nil {
		return
	}
	if len(p) > s.buf.Len() {
		s.err = fmt.Errorf("memory of %d bytes in %d", len(p), s.buf.Len())
		return
	}
	copy(p, s.buf.Next(len(p)))
}
