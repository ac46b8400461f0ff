package radio

import (
	"bytes"
	"encoding/hex"
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

// IEEE Std 802.11, annex J.4.2.
func TestPMKVectors(t *testing.T) {
	for _, c := range []struct{ passphrase, ssid, want string }{
		{"password", "IEEE", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"},
		{"ThisIsAPassword", "ThisIsASSID", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"},
		{strings.Repeat("a", 32), strings.Repeat("Z", 32), "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"},
	} {
		if got := hex.EncodeToString(pmkOf(c.passphrase, c.ssid)); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.passphrase, c.ssid, got, c.want)
		}
	}
}

// IEEE Std 802.11, annex J.3.2.
func TestPRFVectors(t *testing.T) {
	for _, c := range []struct {
		key, data []byte
		want      string
	}{
		{bytes.Repeat([]byte{0x0b}, 20), []byte("Hi There"), "bcd4c650b30b9684951829e0d75f9d54b862175ed9f00606e17d8da35402ffee75df78c3d31e0f889f012120c0862beb67753e7439ae242edb8373698356cf5a"},
		{[]byte("Jefe"), []byte("what do ya want for nothing?"), "51f4de5b33f249adf81aeb713a3c20f4fe631446fabdfa58244759ae58ef9009a99abf4eac2ca5fa87e692c440eb40023e7babb206d61de7b92f41529092b8fc"},
	} {
		want := unhex(t, c.want)
		for _, n := range []int{16, 48, 64} {
			if got := prf(c.key, "prefix", c.data, n); !bytes.Equal(got, want[:n]) {
				t.Errorf("%q, %d bytes: %x, want %x", c.data, n, got, want[:n])
			}
		}
	}
}

// RFC 3394, 4.1 and a longer one made of 4.1's key, 4.4 needs larger keys.
func TestKeyWrapVector(t *testing.T) {
	kek := unhex(t, "000102030405060708090a0b0c0d0e0f")
	plain := unhex(t, "00112233445566778899aabbccddeeff")
	want := unhex(t, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5")
	got := wrap(kek, plain)
	if !bytes.Equal(got, want) {
		t.Fatalf("wrapped: %x, want %x", got, want)
	}
	if back, err := unwrap(kek, got); err != nil || !bytes.Equal(back, plain) {
		t.Errorf("unwrapped: %x, %v", back, err)
	}
	for i := range got {
		bad := bytes.Clone(got)
		bad[i] ^= 0x40
		if _, err := unwrap(kek, bad); err == nil {
			t.Errorf("byte %d is not authenticated", i)
		}
	}
	for _, n := range []int{0, 8, 16, 23, 25} {
		if _, err := unwrap(kek, make([]byte, n)); err == nil {
			t.Errorf("%d bytes unwrap", n)
		}
	}
	long := bytes.Repeat([]byte("eight by"), 8)
	if back, err := unwrap(kek, wrap(kek, long)); err != nil || !bytes.Equal(back, long) {
		t.Errorf("unwrapped: %x, %v", back, err)
	}
}

func FuzzEAPOLKey(f *testing.F) {
	k := newEAPOLKey(keyVersionAES|keyPairwise|keyMIC, 16, 1, make([]byte, 32), rsnElement())
	f.Add([]byte(k))
	f.Add([]byte(k[:98]))
	f.Add(append([]byte(k), "padding"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, ok := parseEAPOLKey(b)
		if !ok {
			return
		}
		if len(k) > len(b) || len(k.data()) > len(k)-keyFrameSize {
			t.Fatal("longer than its bytes")
		}
		before := bytes.Clone(k)
		k.sign(make([]byte, 16))
		if !k.signed(make([]byte, 16)) {
			t.Fatal("own MIC is wrong")
		}
		copy(k.mic(), before[81:97])
		if !bytes.Equal(k, before) {
			t.Fatal("signing changes more than the MIC")
		}
	})
}
