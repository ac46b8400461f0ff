package secure

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"io"
)

// Source is a stream of random numbers as crypto/tls should read it, over 64
// bits at a time. Go's packages read a single byte, or do not, so that nobody
// depends on how much they read; such a byte is not taken from the stream.
func Source(next func() uint64) io.Reader { return source(next) }

type source func() uint64

func (s source) Read(b []byte) (int, error) {
	if len(b) == 1 {
		b[0] = 0
		return 1, nil
	}
	var word [8]byte
	for i := range b {
		if i%8 == 0 {
			binary.LittleEndian.PutUint64(word[:], s())
		}
		b[i] = word[i%8]
	}
	return len(b), nil
}

// Seeded reports whether sessions are the same for the same Config.Random. Go
// makes the keys of a handshake from its own randomness, and from another only
// under the setting cryptocustomrand=1 (GODEBUG, or a godebug line in the go.mod
// of the program). Without it everything works, and no two handshakes have the
// same keys.
func Seeded() bool {
	key := func() []byte {
		k, err := ecdh.P256().GenerateKey(source(func() uint64 { return 1 }))
		if err != nil {
			return nil
		}
		return k.Bytes()
	}
	a := key()
	return a != nil && bytes.Equal(a, key())
}
