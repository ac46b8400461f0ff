package explain

// Tail keeps the beginning and the end of what is written to it, so that a
// program can explain its own output after it has failed. It implements
// io.Writer.
type Tail struct {
	head, end []byte
}

const (
	keptHead = 256 << 10
	keptEnd  = 1 << 20
)

// Write takes a part of the output; it never fails.
func (t *Tail) Write(b []byte) (int, error) {
	n := len(b)
	if k := min(len(b), keptHead-len(t.head)); k > 0 {
		t.head = append(t.head, b[:k]...)
		b = b[k:]
	}
	if len(t.end)+len(b) > 2*keptEnd {
		t.end = append(t.end[:0], t.end[max(0, len(t.end)-keptEnd):]...)
	}
	if len(b) > keptEnd {
		b, t.end = b[len(b)-keptEnd:], t.end[:0]
	}
	t.end = append(t.end, b...)
	return n, nil
}

// Best returns the rule that explains what was kept and more best, if any does.
func (t *Tail) Best(more string) (Rule, bool) {
	s := NewScanner()
	for _, b := range [][]byte{t.head, t.end, []byte("\n" + more)} {
		s.Write(b)
	}
	if found := s.Result(); len(found) > 0 {
		return found[0].Rule, true
	}
	return Rule{}, false
}

// Text is what was kept.
func (t *Tail) Text() string { return string(t.head) + string(t.end) }
