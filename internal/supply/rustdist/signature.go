package rustdist

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// readKeys parses OpenPGP public keys, armoured or binary.
func readKeys(b []byte) (openpgp.EntityList, error) {
	if bytes.Contains(b, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
		return openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	}
	return openpgp.ReadKeyRing(bytes.NewReader(b))
}

// checkSignature verifies a detached, armoured signature of text by one of
// keys and returns the fingerprint of the signer's primary key, upper-case
// hex. A signature that none of the keys made is an error.
func checkSignature(keys openpgp.EntityList, text, signature []byte, now time.Time) (signer string, err error) {
	cfg := &packet.Config{Time: func() time.Time { return now }}
	e, err := openpgp.CheckArmoredDetachedSignature(keys, bytes.NewReader(text), io.LimitReader(bytes.NewReader(signature), 1<<16), cfg)
	if err != nil {
		return "", fmt.Errorf("signature of the channel manifest: %w", err)
	}
	return strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint)), nil
}
