package nvs

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/crypto/xts"
)

// Keys are the two keys of an encrypted partition: XTS-AES with keys of 256 bits
// each, one entry of 32 bytes as the data unit, and its offset in the partition as
// the unit's number. Page headers and bitmaps are not encrypted.
type Keys struct {
	Encryption [32]byte
	Tweak      [32]byte
}

// KeysSize is the size of a keys partition, in bytes.
const KeysSize = PageSize

// NewKeys makes keys from a source of random bytes, such as crypto/rand.Reader.
func NewKeys(random io.Reader) (Keys, error) {
	var k Keys
	if _, err := io.ReadFull(random, k.Encryption[:]); err != nil {
		return k, err
	}
	_, err := io.ReadFull(random, k.Tweak[:])
	return k, err
}

// HMACKeys derives the keys from one that is in an eFuse block, as ESP-IDF's
// HMAC-based scheme does: HMAC-SHA256 of eight words of a constant each.
func HMACKeys(efuse [32]byte) Keys {
	derive := func(seed uint32) [32]byte {
		var message [32]byte
		for at := 0; at < len(message); at += 4 {
			binary.LittleEndian.PutUint32(message[at:], seed)
		}
		h := hmac.New(sha256.New, efuse[:])
		_, _ = h.Write(message[:]) // never fails
		return [32]byte(h.Sum(nil))
	}
	return Keys{Encryption: derive(0xaebe5a5a), Tweak: derive(0xcedea5a5)}
}

// Errors of ParseKeys.
var (
	ErrNoKeys  = errors.New("the keys partition is blank")
	ErrBadKeys = errors.New("the checksum of the keys partition is wrong")
)

// ParseKeys reads a keys partition (subtype nvs_keys): 32 bytes encryption key, 32
// bytes tweak key, CRC-32. The error is ErrNoKeys or ErrBadKeys.
func ParseKeys(b []byte) (Keys, error) {
	if len(b) < 68 {
		return Keys{}, ErrBadKeys
	}
	if blank(b[:68]) {
		return Keys{}, ErrNoKeys
	}
	if binary.LittleEndian.Uint32(b[64:]) != checksum(b[:64]) {
		return Keys{}, ErrBadKeys
	}
	return Keys{[32]byte(b[:32]), [32]byte(b[32:64])}, nil
}

// Partition returns the content of a keys partition.
func (k Keys) Partition() []byte {
	b := bytes.Repeat([]byte{0xff}, KeysSize)
	copy(b, k.Encryption[:])
	copy(b[32:], k.Tweak[:])
	binary.LittleEndian.PutUint32(b[64:], checksum(b[:64]))
	return b
}

func (k Keys) cipher() *xts.Cipher {
	c, err := xts.NewCipher(aes.NewCipher, append(bytes.Clone(k.Encryption[:]), k.Tweak[:]...))
	if err != nil {
		panic(err) // the length is a constant
	}
	return c
}
