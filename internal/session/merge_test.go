package session

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/monitor"
)

func TestMerge(t *testing.T) {
	const ms = time.Millisecond
	type step struct {
		stream monitor.Stream
		at     time.Duration
		bytes  string
	}
	for _, tc := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"one stream passes unaltered", []step{{"a", 0, "x"}, {"a", 9 * time.Second, "y\r\n\x00\xff"}}, "xy\r\n\x00\xff"},
		{"byte by byte", []step{{"a", 0, "1"}, {"b", 0, "3"}, {"a", 0, "2"}, {"b", 0, "4"}, {"a", 0, "\n"}, {"b", 0, "\n"}}, "12\n34\n"},
		{"whole lines go first", []step{{"a", 0, "un"}, {"b", 0, "one\ntwo\nthr"}, {"a", 0, "til\nnext"}, {"b", ms, "ee\n"}, {"a", ms, "\n"}}, "until\none\ntwo\nthree\nnext\n"},
		{"a prompt gives way after a while", []step{{"a", 0, "> "}, {"b", 10 * ms, "log\n"}, {"b", 60 * ms, "more\n"}}, "> \nlog\nmore\n"},
		{"a line feed within a frame ends nothing", []step{{"a", 0, "\xff\x00ab\ncd"}, {"b", 0, "line\n"}, {"a", 0, "ef\x00"}}, "\xff\x00ab\ncdef\x00line\n"},
		{"the end writes everything", []step{{"a", 0, "half"}, {"b", 0, "other"}}, "half\nother"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			m := merger{to: []io.Writer{&out}}
			for _, s := range tc.steps {
				m.write(s.stream, s.at, []byte(s.bytes))
			}
			m.close()
			if out.String() != tc.want {
				t.Errorf("%q, want %q", out.String(), tc.want)
			}
		})
	}
}

// Lines of two streams in pieces of any size stay whole and in order, and none
// is lost.
func TestMergeKeepsLines(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var out bytes.Buffer
		m := merger{to: []io.Writer{&out}}
		var text [2]string
		for i := range text {
			for n := range r.IntN(20) {
				text[i] += strings.Repeat(string(rune('a'+i)), 1+r.IntN(30)) + string(rune('0'+n%10)) + "\n"
			}
		}
		rest := text
		for rest[0] != "" || rest[1] != "" {
			i := r.IntN(2)
			n := min(len(rest[i]), r.IntN(40))
			m.write(monitor.Stream(rune('A'+i)), 0, []byte(rest[i][:n]))
			rest[i] = rest[i][n:]
		}
		m.close()
		var got [2]string
		for line := range strings.Lines(out.String()) {
			i := int(line[0] - 'a')
			if strings.Trim(line, line[:1]) != line[len(line)-2:] {
				t.Fatalf("a spliced line %q in\n%s", line, out.String())
			}
			got[i] += line
		}
		if got != text {
			t.Fatalf("got %q, want %q", got, text)
		}
	}
}

type fullDisk struct{ writes int }

func (f *fullDisk) Write([]byte) (int, error) {
	f.writes++
	return 0, errors.New("no space left on device")
}

func TestMergeKeepsFirstError(t *testing.T) {
	disk := &fullDisk{}
	m := merger{to: []io.Writer{disk}}
	m.write("a", 0, []byte("x"))
	m.write("a", 0, []byte("y"))
	if m.err == nil || disk.writes != 1 {
		t.Errorf("error %v after %d writes, want one", m.err, disk.writes)
	}
}
