package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Digest names a blob by content: the SHA-256 of its bytes and their number. It
// is also an REAPI Digest, an OCI descriptor digest, the checksum in a
// Cargo.lock and the SHA256 field of a Debian Packages stanza.
type Digest struct {
	Hash string // 64 lower-case hex digits
	Size int64  // bytes; -1 when unknown, as in Cargo.lock
}

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	h := sha256.Sum256(b)
	return Digest{hex.EncodeToString(h[:]), int64(len(b))}
}

// String returns "sha256:<hex>/<size>", without "/<size>" when the size is
// unknown.
func (d Digest) String() string {
	if d.Size < 0 {
		return "sha256:" + d.Hash
	}
	return "sha256:" + d.Hash + "/" + strconv.FormatInt(d.Size, 10)
}

// IsZero reports whether d is the zero digest.
func (d Digest) IsZero() bool { return d.Hash == "" }

// ParseDigest parses the result of String.
func ParseDigest(s string) (Digest, error) {
	rest, ok := strings.CutPrefix(s, "sha256:")
	if !ok {
		return Digest{}, fmt.Errorf("digest %q: want sha256:<hex>[/<size>]", s)
	}
	hash, sizeText, sized := strings.Cut(rest, "/")
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha256.Size || strings.ToLower(hash) != hash {
		return Digest{}, fmt.Errorf("digest %q: want 64 lower-case hex digits", s)
	}
	d := Digest{Hash: hash, Size: -1}
	if sized {
		n, err := strconv.ParseInt(sizeText, 10, 64)
		if err != nil || n < 0 {
			return Digest{}, fmt.Errorf("digest %q: bad size", s)
		}
		d.Size = n
	}
	return d, nil
}

// MarshalText encodes a Digest in TOML and JSON.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *Digest) UnmarshalText(b []byte) error {
	v, err := ParseDigest(string(b))
	if err == nil {
		*d = v
	}
	return err
}
