package radio

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/binary"
	"errors"

	"espalier.dev/espalier/emu/dot11"
)

// pmkOf returns the pairwise master key of a passphrase, IEEE 802.11 J.4.
func pmkOf(passphrase, ssid string) []byte {
	key, err := pbkdf2.Key(sha1.New, passphrase, []byte(ssid), 4096, 32)
	if err != nil {
		panic("radio: PBKDF2: " + err.Error())
	}
	return key
}

// prf returns n bytes of the pseudo-random function of 12.7.1.2.
func prf(key []byte, label string, data []byte, n int) []byte {
	var out []byte
	for i := byte(0); len(out) < n; i++ {
		h := hmac.New(sha1.New, key)
		h.Write([]byte(label))
		h.Write([]byte{0})
		h.Write(data)
		h.Write([]byte{i})
		out = h.Sum(out)
	}
	return out[:n]
}

// ptk is the pairwise transient key: the keys for confirmation and encryption
// of EAPOL-Key frames, and the one for data.
type ptk struct{ kck, kek, tk [16]byte }

func derivePTK(pmk []byte, aa, spa dot11.Addr, anonce, snonce []byte) (k ptk) {
	var data []byte
	for _, pair := range [2][2][]byte{{aa[:], spa[:]}, {anonce, snonce}} {
		a, b := pair[0], pair[1]
		if bytes.Compare(a, b) > 0 {
			a, b = b, a
		}
		data = append(append(data, a...), b...)
	}
	all := prf(pmk, "Pairwise key expansion", data, 48)
	copy(k.kck[:], all)
	copy(k.kek[:], all[16:])
	copy(k.tk[:], all[32:])
	return k
}

// wrapIV is the initial value of RFC 3394.
const wrapIV = 0xa6a6a6a6a6a6a6a6

// wrap encrypts key data, RFC 3394 2.2.1. The length of the plaintext is a
// multiple of 8 and at least 16.
func wrap(kek, plain []byte) []byte {
	block := mustAES(kek)
	n := len(plain) / 8
	out := append(make([]byte, 8), plain...)
	a := uint64(wrapIV)
	var b [16]byte
	for j := range 6 {
		for i := 1; i <= n; i++ {
			binary.BigEndian.PutUint64(b[:], a)
			copy(b[8:], out[8*i:])
			block.Encrypt(b[:], b[:])
			a = binary.BigEndian.Uint64(b[:]) ^ uint64(n*j+i)
			copy(out[8*i:8*i+8], b[8:])
		}
	}
	binary.BigEndian.PutUint64(out, a)
	return out
}

var errUnwrap = errors.New("key data does not unwrap")

// unwrap is the reverse, RFC 3394 2.2.2.
func unwrap(kek, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 24 || len(wrapped)%8 != 0 {
		return nil, errUnwrap
	}
	block := mustAES(kek)
	n := len(wrapped)/8 - 1
	out := bytes.Clone(wrapped)
	a := binary.BigEndian.Uint64(out)
	var b [16]byte
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(b[:], a^uint64(n*j+i))
			copy(b[8:], out[8*i:8*i+8])
			block.Decrypt(b[:], b[:])
			a = binary.BigEndian.Uint64(b[:])
			copy(out[8*i:8*i+8], b[8:])
		}
	}
	if a != wrapIV {
		return nil, errUnwrap
	}
	return out[8:], nil
}

func mustAES(key []byte) interface {
	Encrypt(dst, src []byte)
	Decrypt(dst, src []byte)
} {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("radio: AES: " + err.Error())
	}
	return block
}
