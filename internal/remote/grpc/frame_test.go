package grpc

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"espalier.dev/espalier/internal/reapi"
)

func TestFrames(t *testing.T) {
	var stream []byte
	for _, data := range [][]byte{nil, []byte("one"), bytes.Repeat([]byte("x"), 3<<20)} {
		b, err := encode(&reapi.ReadResponse{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, b...)
	}
	r := bytes.NewReader(stream)
	var head [5]byte
	var buf []byte
	for _, want := range []int{0, 3, 3 << 20} {
		b, err := readFrame(r, &head, buf)
		if err != nil {
			t.Fatal(err)
		}
		var m reapi.ReadResponse
		if err := reapi.Unmarshal(b, &m); err != nil || len(m.Data) != want {
			t.Fatalf("%d bytes, %v, want %d", len(m.Data), err, want)
		}
		buf = b
	}
	if _, err := readFrame(r, &head, buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for name, b := range map[string][]byte{
		"cut in the prefix":  stream[:3],
		"cut in the message": stream[5:12],
		"compressed":         {1, 0, 0, 0, 0},
		"too long":           {0, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := readFrame(bytes.NewReader(b), &head, nil); err == nil || err == io.EOF {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStatus(t *testing.T) {
	h := func(kv ...string) http.Header {
		out := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			out.Set(kv[i], kv[i+1])
		}
		return out
	}
	for want, head := range map[string]http.Header{
		"unavailable: the answer ends without a status": h(),
		"not found: no such blob":                       h("Grpc-Status", "5", "Grpc-Message", "no%20such%0Ablob"),
		"gRPC status 77":                                h("Grpc-Status", "77"),
		"unknown: status \"-1\"":                        h("Grpc-Status", "-1"),
		"internal: 100%":                                h("Grpc-Status", "13", "Grpc-Message", "100%"),
	} {
		if err := statusOf(head); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", head, err, want)
		}
	}
	if err := statusOf(h("Grpc-Status", "0")); err != nil {
		t.Error(err)
	}
}

// FuzzFrame: any bytes are messages up to an error, and never more than arrived.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 2, 0x52, 0x00})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{0, 3, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		var head [5]byte
		var buf []byte
		for {
			left := r.Len()
			m, err := readFrame(r, &head, buf)
			if err != nil {
				if left == 0 && err != io.EOF || left > 0 && errors.Is(err, io.EOF) {
					t.Fatalf("%d bytes left: %v", left, err)
				}
				return
			}
			if len(m) > left-5 || cap(m) > len(b)+2<<20 {
				t.Fatalf("a message of %d bytes (%d reserved) from %d", len(m), cap(m), left)
			}
			buf = m
		}
	})
}
