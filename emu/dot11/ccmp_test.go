package dot11

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The test vector of IEEE Std 802.11, annex J.6.4.
func TestCCMPVector(t *testing.T) {
	key := unhex(t, "c97c1f67ce371185514a8a19f2bdd52f")
	header := unhex(t, "0848c32c0fd2e128a57c5030f1844408abaea5b8fcba8033 0ce70020769703b5")
	plain := unhex(t, "f8ba1a55d02f85ae967bb62fb6cda8eb7e78a050")
	want := unhex(t, "f3d0a2fe9a3dbf2342a643e43246e80c3c04d019 7845ce0b16f97623")

	f := Frame(slices.Concat(header, plain, make([]byte, CCMPMIC)))
	if pn, id, ok := f.CCMP(); !ok || pn != 0xb5039776e70c || id != 0 {
		t.Errorf("packet number %x, key %d, %v", pn, id, ok)
	}
	if err := SealCCMP(key, f); err != nil {
		t.Fatal(err)
	}
	if got := f[len(header):]; !bytes.Equal(got, want) {
		t.Fatalf("sealed:\n%x, want\n%x", got, want)
	}
	if err := OpenCCMP(key, f); err != nil {
		t.Fatal(err)
	}
	if got := f[len(header) : len(f)-CCMPMIC]; !bytes.Equal(got, plain) {
		t.Fatalf("opened: %x", got)
	}
}

// Every bit of a frame is authenticated except those that may change on the way.
func TestCCMPAuthenticates(t *testing.T) {
	key := bytes.Repeat([]byte{7}, CCMPKey)
	for _, qos := range []bool{false, true} {
		f := Frame(AppendHeader(nil, DataControl(qos, true), Addr{2, 1}, Addr{2, 2}, Addr{2, 3}, 0x120))
		if qos {
			f = append(f, 5, 0)
		}
		f = AppendCCMPHeader(f, 0x123456789abc, 1)
		f = append(f, "some payload that is longer than a block"...)
		f = append(f, make([]byte, CCMPMIC)...)
		if err := SealCCMP(key, f); err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(f) {
			g := slices.Clone(f)
			g[bit/8] ^= 1 << (bit % 8)
			before := slices.Clone(g)
			if len(g) < 2 || !g.Valid() {
				continue
			}
			err := OpenCCMP(key, g)
			if unprotected(f, bit) {
				continue
			}
			if err == nil {
				t.Errorf("QoS %v: bit %d of byte %d is not authenticated", qos, bit%8, bit/8)
			} else if !bytes.Equal(g, before) {
				t.Fatalf("QoS %v: a frame that does not decrypt was changed", qos)
			}
		}
	}
}

// unprotected reports whether a bit of a frame is not authenticated: subtype bits 4 to 6, Retry,
// PwrMgt, MoreData, Order of QoS frames, Duration, sequence number, QoS bits
// other than the TID, and the reserved parts of the CCMP header.
func unprotected(f Frame, bit int) bool {
	at, b := bit/8, bit%8
	n := f.HeaderLen()
	switch {
	case at == 0:
		return b >= 4 && b <= 6
	case at == 1:
		return b == 3 || b == 4 || b == 5 || b == 7
	case at == 2 || at == 3:
		return true
	case at == 22:
		return b >= 4
	case at == 23:
		return true
	case f.QoS() && at == 24:
		return b >= 4
	case f.QoS() && at == 25:
		return true
	case at == n+2:
		return true
	case at == n+3:
		return b != 5
	}
	return false
}

func TestHeaderLength(t *testing.T) {
	for _, c := range []struct {
		name    string
		control uint16
		want    int
	}{
		{"management", 0x0080, 24},
		{"management with HT control", 0x8080, 28},
		{"ACK", 0x00d4, 10},
		{"PS-Poll", 0x00a4, 16},
		{"data", 0x0108, 24},
		{"QoS data", 0x0188, 26},
		{"QoS data with HT control", 0x8188, 30},
		{"four addresses", 0x0308, 30},
		{"QoS, four addresses", 0x0388, 32},
	} {
		f := Frame{byte(c.control), byte(c.control >> 8)}
		if got := f.HeaderLen(); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

// No method panics on a valid frame, and sealing is the inverse of opening.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0, 0})
	f.Add([]byte{0xd4, 0, 0, 0, 1, 2, 3, 4, 5, 6})
	f.Add(append([]byte{0x88, 0xc1}, make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame := Frame(b)
		if len(b) < 2 || !frame.Valid() {
			return
		}
		if frame.Type() != Control {
			frame.A1()
			frame.A2()
			frame.A3()
			frame.Sequence()
			frame.TID()
			for id := range 256 {
				Element(frame.Body(), byte(id))
			}
		}
		if _, _, ok := frame.CCMP(); !ok {
			return
		}
		key := make([]byte, CCMPKey)
		before := slices.Clone(b)
		if err := SealCCMP(key, frame); err != nil {
			t.Fatal(err)
		}
		if err := OpenCCMP(key, frame); err != nil {
			t.Fatal(err)
		}
		if n := len(b) - CCMPMIC; !bytes.Equal(b[:n], before[:n]) {
			t.Fatal("sealing and opening is not the identity")
		}
	})
}
