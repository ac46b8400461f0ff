package tlsconn

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"io"
)

// Source returns a stream of random numbers for crypto/tls, made of 64 bits at
// a time. Go's crypto packages read a single byte from such a stream in one of
// two calls, at random, so that no caller depends on the amount they read; such a
// read returns zero here and consumes nothing.
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

// Seeded reports whether sessions with the same Config.Random exchange the same
// bytes. Go generates the keys of a handshake from the operating system's random
// numbers unless the program is built with the setting cryptocustomrand=1
// (GODEBUG, or a godebug line in the go.mod of the main module).
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
