package attest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp"
)

type pgpSigner struct{ key *openpgp.Entity }

func readPGPSigner(b, passphrase []byte) (Signer, error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	if len(ring) != 1 || ring[0].PrivateKey == nil {
		return nil, errors.New("want the private key of one person: gpg --export-secret-keys --armor ADDRESS")
	}
	if err := ring[0].DecryptPrivateKeys(passphrase); err != nil {
		if len(passphrase) == 0 {
			return nil, errors.New("the key is protected, and no passphrase is given")
		}
		return nil, fmt.Errorf("opening the private key: %w", err)
	}
	return pgpSigner{ring[0]}, nil
}

func (s pgpSigner) Sign(message []byte) (Signature, error) {
	var b bytes.Buffer
	err := openpgp.ArmoredDetachSign(&b, s.key, bytes.NewReader(message), nil)
	return Signature{pgpID(s.key), b.Bytes()}, err
}

func pgpID(e *openpgp.Entity) string { return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint) }

type pgpVerifier struct{ key *openpgp.Entity }

func readPGPVerifiers(b []byte) (out []Verifier, err error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("reading the public keys: %w", err)
	}
	for _, e := range ring {
		out = append(out, pgpVerifier{e})
	}
	if len(out) == 0 {
		return nil, errors.New("there is no public key")
	}
	return out, nil
}

func (v pgpVerifier) KeyID() string { return pgpID(v.key) }

func (v pgpVerifier) Verify(message []byte, s Signature) error {
	if !bytes.HasPrefix(s.Sig, []byte("-----BEGIN PGP SIGNATURE-----")) {
		return errors.New("not a signature of an OpenPGP key")
	}
	_, err := openpgp.CheckArmoredDetachedSignature(openpgp.EntityList{v.key}, bytes.NewReader(message), bytes.NewReader(s.Sig), nil)
	return err
}
