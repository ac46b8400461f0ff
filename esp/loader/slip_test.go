package loader

import (
	"bytes"
	"testing"
)

func frames(p []byte) (out [][]byte) {
	var u unslip
	for _, b := range p {
		if f, ok := u.feed(b); ok {
			out = append(out, bytes.Clone(f))
		}
	}
	return out
}

func TestSLIP(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   string
		want []string
	}{
		{"one", "\xc0abc\xc0", []string{"abc"}},
		{"escapes", "\xc0\xdb\xdc\xdb\xdd\xc0", []string{"\xc0\xdb"}},
		{"one END between", "\xc0a\xc0b\xc0", []string{"a", "b"}},
		{"two ENDs between", "\xc0a\xc0\xc0b\xc0", []string{"a", "b"}},
		{"text before", "waiting for download\r\n\xc0a\xc0", []string{"a"}},
		{"wrong escape", "\xc0a\xdbb\xc0\xc0c\xc0", []string{"c"}},
		{"escape at the end", "\xc0a\xdb\xc0\xc0c\xc0", []string{"c"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := frames([]byte(tc.in))
			if len(got) != len(tc.want) {
				t.Fatalf("%q", got)
			}
			for i := range got {
				if string(got[i]) != tc.want[i] {
					t.Errorf("frame %d is %q, want %q", i, got[i], tc.want[i])
				}
			}
		})
	}
}

// Whatever came before, a frame that is sent twice arrives, and nothing that
// is longer than a frame can be is kept.
func FuzzSLIP(f *testing.F) {
	f.Add([]byte("noise\xc0\xdb"), []byte("payload\xc0\xdb"))
	f.Add([]byte{}, []byte{0xc0})
	f.Add(bytes.Repeat([]byte{1}, largestFrame+1), []byte{0xdb, 0xdc})
	f.Fuzz(func(t *testing.T, noise, payload []byte) {
		if len(payload) == 0 || len(payload) > largestFrame {
			return
		}
		in := appendSLIP(appendSLIP(noise, payload), payload)
		got := frames(in)
		if len(got) == 0 || !bytes.Equal(got[len(got)-1], payload) {
			t.Fatalf("%q does not arrive after %q", payload, noise)
		}
		for _, f := range got {
			if len(f) > largestFrame {
				t.Fatalf("a frame of %d bytes", len(f))
			}
			for _, n := range []int{2, 4} {
				parseResponse(f, n)
			}
		}
	})
}

func TestRequests(t *testing.T) {
	if got := appendSLIP(nil, request(opSync, syncData(), 0)); len(got) != 46 || !bytes.HasPrefix(got, []byte("\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20\x55")) {
		t.Errorf("SYNC is % x", got)
	}
	if d, sum := block(3, []byte{1, 2, 4}); sum != 0xef^7 || !bytes.Equal(d, append(words(3, 3, 0, 0), 1, 2, 4)) {
		t.Errorf("block is % x, checksum %x", d, sum)
	}
}
