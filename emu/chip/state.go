package chip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
)

// State saves or restores the state of a device in one walk that serves both: a
// device lists its fields once, so that a snapshot has all of them in the same
// order.
type State struct {
	buf     bytes.Buffer
	loading bool
	err     error
}

// Save returns what a walk lists. size is a guess of its length in bytes; a good
// one saves copies.
func Save(walk func(*State), size int) []byte {
	s := &State{}
	s.buf.Grow(size)
	walk(s)
	return s.buf.Bytes()
}

// Load has a walk restore what Save returned for it. After an error, part of
// the state may have been restored.
func Load(saved []byte, walk func(*State)) error {
	s := &State{loading: true, buf: *bytes.NewBuffer(saved)} // only read
	walk(s)
	if s.err == nil && s.buf.Len() > 0 {
		return fmt.Errorf("%d bytes too many", s.buf.Len())
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
		if words, ok := v.(*[1024]uint32); ok { // a block's registers: most of a snapshot
			s.words(words[:])
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

func (s *State) words(w []uint32) {
	if !s.loading {
		b := s.buf.AvailableBuffer()
		for _, v := range w {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		s.buf.Write(b)
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

// Memory saves or loads a memory in place: its length does not change.
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
