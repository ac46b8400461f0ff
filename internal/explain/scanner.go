package explain

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/order"
)

func indexOf(b []byte, s string) int { return bytes.Index(b, []byte(s)) }

// literals finds many literals in a line at once (Aho and Corasick: Efficient
// string matching, 1975), so that the time does not grow with the rules.
type literals struct {
	next [][256]int32
	out  [][]int32 // literals that end at a state
}

func newLiterals(words []string) *literals {
	l := &literals{next: make([][256]int32, 1), out: make([][]int32, 1)}
	for id, w := range words {
		s := int32(0)
		for i := 0; i < len(w); i++ {
			if l.next[s][w[i]] == 0 {
				l.next = append(l.next, [256]int32{})
				l.out = append(l.out, nil)
				l.next[s][w[i]] = int32(len(l.next) - 1)
			}
			s = l.next[s][w[i]]
		}
		l.out[s] = append(l.out[s], int32(id))
	}
	fail := make([]int32, len(l.next))
	queue := []int32{}
	for _, s := range l.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		l.out[s] = append(l.out[s], l.out[fail[s]]...)
		for c := range 256 {
			t := l.next[s][c]
			if t == 0 {
				l.next[s][c] = l.next[fail[s]][c]
				continue
			}
			fail[t] = l.next[fail[s]][c]
			queue = append(queue, t)
		}
	}
	return l
}

// find calls fn for each literal in a line, as often as it is there.
func (l *literals) find(line []byte, fn func(id int32)) {
	s := int32(0)
	for _, c := range line {
		if s = l.next[s][c]; len(l.out[s]) > 0 {
			for _, id := range l.out[s] {
				fn(id)
			}
		}
	}
}

// Set is rules that are ready to be looked for. It is only read, and scanners
// can share it.
type Set struct {
	rules    []Rule
	patterns []pattern
	owners   [][]owner // of patterns
	words    *literals
}

// Scanner reads a log. It implements io.Writer; Result may be called at any
// time. Its memory does not grow with the log.
type Scanner struct {
	*Set
	state   []progress // of rules
	weighed uint64     // weights of the present line, a bit for each
	lines   int
	rest    []byte // of an unfinished line
	telling []Line
}

// owner is a fact of a rule; -1 is one of Not. Rule -1 is a weight.
type owner struct{ rule, fact int }

type progress struct {
	last  []int // line of each fact, 0 none
	line  int   // where all facts were there for the first time, 0 never
	first int
	text  string
	not   []int // lines of Not, the first few
}

// Line is a line of the log by its number from 1.
type Line struct {
	Number int    `json:"line"`
	Text   string `json:"text"`
	weight int
}

// Match is a rule with the line that completed it.
type Match struct {
	Rule Rule
	Line Line
}

// maxLine bounds what is kept of one line: a linker's command line has 15 KB.
const maxLine = 64 << 10

// NewScanner makes a scanner for all rules.
func NewScanner() *Scanner { return NewSet(Rules()).Scanner() }

// NewSet prepares rules.
func NewSet(rules []Rule) *Set {
	s := &Set{rules: rules}
	index := map[string]int{}
	var words []string
	add := func(text string, o owner) {
		id, ok := index[text]
		if !ok {
			id = len(s.patterns)
			index[text] = id
			p := compile(text)
			s.patterns, s.owners = append(s.patterns, p), append(s.owners, nil)
			// The automaton has a state for each byte of a word; what a short
			// word lets through, the pattern decides.
			w := p.parts[p.longest]
			words = append(words, w[:min(len(w), 16)])
		}
		s.owners[id] = append(s.owners[id], o)
	}
	for i, r := range rules {
		for f, alternatives := range r.Facts {
			for _, text := range alternatives {
				add(text, owner{i, f})
			}
		}
		for _, text := range r.Not {
			add(text, owner{i, -1})
		}
	}
	for i, w := range weights() {
		add(w.text, owner{-1, i})
	}
	s.words = newLiterals(words)
	return s
}

// Scanner starts a log.
func (s *Set) Scanner() *Scanner {
	out := &Scanner{Set: s}
	for _, r := range s.rules {
		out.state = append(out.state, progress{last: make([]int, len(r.Facts))})
	}
	return out
}

// Write takes a part of the log; it never fails.
func (s *Scanner) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\n\r")
		if i < 0 {
			s.keep(b)
			break
		}
		s.keep(b[:i])
		s.line(s.rest)
		s.rest = s.rest[:0]
		b = b[i+1:]
	}
	return n, nil
}

// keep adds to the unfinished line. One that is too long is taken as several,
// which overlap by more than any fact has.
func (s *Scanner) keep(b []byte) {
	const overlap = 512
	for len(s.rest)+len(b) > maxLine {
		n := maxLine - len(s.rest)
		s.rest = append(s.rest, b[:n]...)
		b = b[n:]
		s.match(clean(s.rest))
		s.rest = append(s.rest[:0], s.rest[len(s.rest)-overlap:]...)
	}
	s.rest = append(s.rest, b...)
}

// ReadFrom reads a whole log.
func (s *Scanner) ReadFrom(r io.Reader) (n int64, err error) {
	b := make([]byte, 1<<20)
	for {
		k, err := r.Read(b)
		s.Write(b[:k])
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// clean removes what is not text: escape sequences (ECMA-48: CSI and OSC), NUL
// bytes (of UTF-16) and other control characters.
func clean(b []byte) []byte {
	dirty := false
	for _, c := range b {
		if c < 0x20 && c != '\t' {
			dirty = true
			break
		}
	}
	if !dirty {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0x1b && i+1 < len(b) && b[i+1] == '[':
			for i += 2; i < len(b) && (b[i] < 0x40 || b[i] > 0x7e); i++ {
			}
		case c == 0x1b && i+1 < len(b) && b[i+1] == ']':
			for i += 2; i < len(b) && b[i] != 7 && b[i] != 0x1b; i++ {
			}
		case c < 0x20 && c != '\t':
		default:
			out = append(out, c)
		}
	}
	return out
}

func (s *Scanner) line(raw []byte) {
	s.lines++
	b := clean(raw)
	s.weighed = 0
	s.match(b)
	s.weigh(b)
}

func (s *Scanner) match(b []byte) {
	at := max(s.lines, 1)
	b = append(b, ' ') // so that a fact can end with the end of a word
	s.words.find(b, func(id int32) {
		p := s.patterns[id]
		if !p.in(b) {
			return
		}
		for _, o := range s.owners[id] {
			if o.rule < 0 {
				s.weighed |= 1 << o.fact
				continue
			}
			st := &s.state[o.rule]
			if o.fact < 0 {
				if len(st.not) < 64 {
					st.not = append(st.not, at)
				}
				continue
			}
			st.last[o.fact] = at
			if st.line != 0 && !s.ruledOut(st) {
				continue
			}
			oldest := slices.Min(st.last)
			if oldest > 0 && at-oldest <= window {
				st.line, st.first, st.text = at, oldest, shorten(b)
			}
		}
	})
}

func (s *Scanner) ruledOut(st *progress) bool {
	return slices.ContainsFunc(st.not, func(n int) bool { return n >= st.first-window && n <= st.line+window })
}

// Result returns the rules that match, best first: by rank, by the number of
// facts, then by the place in the log.
func (s *Scanner) Result() []Match {
	if len(s.rest) > 0 {
		s.line(s.rest)
		s.rest = s.rest[:0]
	}
	var out []Match
	for i := range s.rules {
		if st := &s.state[i]; st.line > 0 && !s.ruledOut(st) {
			out = append(out, Match{s.rules[i], Line{Number: st.line, Text: st.text}})
		}
	}
	order.Sort(out, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Rule.Rank, a.Rule.Rank), cmp.Compare(len(b.Rule.Facts), len(a.Rule.Facts)), cmp.Compare(a.Line.Number, b.Line.Number))
	})
	return out
}

// weights are words that tell about a failure, and words of lines that only
// repeat that there was one.
func weights() []weight {
	return []weight{
		{"panicked at", 9}, {"Guru Meditation", 9}, {"fatal error", 8}, {"error[E", 8}, {"LLVM ERROR", 8}, {"undefined symbol", 8},
		{"rror: ", 6}, {"ERROR", 5}, {"rror occurred", 5}, {"fatal:", 6}, {"exception", 4}, {"Exception", 4}, {"FAILED", 4}, {"failed", 3},
		{"cannot ", 3}, {"can't ", 3}, {"not found", 3}, {"No such file", 3}, {"denied", 3}, {"refused", 3}, {"timed out", 3}, {"abort", 3},
		{"could not compile", -12}, {"aborting due to", -12}, {"build failed, waiting", -9}, {"For more information about", -9},
		{"linking with", -3}, {"warning", -5}, {"process didn't exit successfully", -3}, {"0 failed", -6}, {"RUST_BACKTRACE", -6},
	}
}

type weight struct {
	text   string
	weight int
}

// mostTelling is how many lines are shown of a log that no rule matches.
const mostTelling = 3

func (s *Scanner) weigh(b []byte) {
	if len(b) > 4<<10 {
		return // a command line
	}
	if s.weighed == 0 {
		return
	}
	w := 0
	for i, x := range weights() {
		if s.weighed>>i&1 == 1 {
			w += x.weight
		}
	}
	if w <= 0 || len(s.telling) == mostTelling && w <= s.telling[mostTelling-1].weight {
		return
	}
	text := shorten(b)
	if slices.ContainsFunc(s.telling, func(l Line) bool { return l.Text == text }) {
		return
	}
	s.telling = append(s.telling, Line{Number: s.lines, Text: text, weight: w})
	order.Sort(s.telling, func(a, b Line) int { return cmp.Compare(b.weight, a.weight) })
	s.telling = s.telling[:min(len(s.telling), mostTelling)]
}

// Telling returns the lines that say most about a failure, in the log's order.
func (s *Scanner) Telling() []Line {
	out := slices.Clone(s.telling)
	order.Sort(out, func(a, b Line) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// Lines is the number of lines.
func (s *Scanner) Lines() int { return s.lines }

func shorten(b []byte) string {
	const most = 200
	text := strings.TrimSpace(strings.ToValidUTF8(string(b[:min(len(b), 4*most)]), "\ufffd"))
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
