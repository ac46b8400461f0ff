package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ReadSigner reads a private key. passphrase opens a protected one of OpenSSH or
// OpenPGP; nil is none.
func ReadSigner(b, passphrase []byte) (Signer, error) {
	if bytes.Contains(b, []byte("BEGIN PGP PRIVATE KEY BLOCK")) {
		return readPGPSigner(b, passphrase)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("want a private key: PEM, OpenSSH, or an armoured one of OpenPGP")
	}
	var key any
	var err error
	switch block.Type {
	case "OPENSSH PRIVATE KEY":
		return readSSHSigner(b, passphrase)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("a protected PEM key is not supported: use one of OpenSSH, or remove the protection with openssl pkey -in KEY -out PLAIN")
	default:
		return nil, fmt.Errorf("a PEM block %q is not a private key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	id, err := keyID(s.Public())
	if err != nil {
		return nil, err
	}
	return pemSigner{s, id}, nil
}

// ReadVerifiers reads public keys: one in PEM (or a certificate), lines as in
// authorized_keys or allowed_signers of OpenSSH, or a keyring of OpenPGP, armoured.
func ReadVerifiers(b []byte) ([]Verifier, error) {
	if bytes.Contains(b, []byte("BEGIN PGP PUBLIC KEY BLOCK")) {
		return readPGPVerifiers(b)
	}
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		return readSSHVerifiers(b)
	}
	var out []Verifier
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		var key crypto.PublicKey
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "CERTIFICATE":
			var c *x509.Certificate
			if c, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = c.PublicKey
			}
		default:
			return nil, fmt.Errorf("a PEM block %q is not a public key", block.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the public key: %w", err)
		}
		id, err := keyID(key)
		if err != nil {
			return nil, err
		}
		out = append(out, pemVerifier{key, id})
	}
	if len(out) == 0 {
		return nil, errors.New("want a public key in PEM")
	}
	return out, nil
}

// keyID is the SHA-256 of the public key's SubjectPublicKeyInfo, in hex.
func keyID(key crypto.PublicKey) (string, error) {
	switch key.(type) {
	case ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey:
	default:
		return "", fmt.Errorf("keys of type %T are not supported", key)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return fmt.Sprintf("%x", sha256.Sum256(der)), err
}

type pemSigner struct {
	key crypto.Signer
	id  string
}

// Sign signs as securesystemslib and cosign do: ed25519 the message itself, ECDSA and
// RSA (PSS) its digest, SHA-256 or of the size of the curve.
func (s pemSigner) Sign(message []byte) (Signature, error) {
	digest, h := message, crypto.Hash(0)
	var opts crypto.SignerOpts = h
	switch k := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		h = curveHash(k)
		digest, opts = hashed(h, message), h
	case *rsa.PublicKey:
		h = crypto.SHA256
		digest, opts = hashed(h, message), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	sig, err := s.key.Sign(rand.Reader, digest, opts)
	return Signature{s.id, sig}, err
}

func curveHash(k *ecdsa.PublicKey) crypto.Hash {
	switch bits := k.Curve.Params().BitSize; {
	case bits > 384:
		return crypto.SHA512
	case bits > 256:
		return crypto.SHA384
	}
	return crypto.SHA256
}

func hashed(h crypto.Hash, message []byte) []byte {
	d := h.New()
	d.Write(message)
	return d.Sum(nil)
}

type pemVerifier struct {
	key crypto.PublicKey
	id  string
}

func (v pemVerifier) KeyID() string { return v.id }

var errSignature = errors.New("the signature does not match")

func (v pemVerifier) Verify(message []byte, s Signature) error {
	ok := false
	switch k := v.key.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, message, s.Sig)
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, hashed(curveHash(k), message), s.Sig)
	case *rsa.PublicKey:
		ok = rsa.VerifyPSS(k, crypto.SHA256, hashed(crypto.SHA256, message), s.Sig, nil) == nil
	}
	if !ok {
		return errSignature
	}
	return nil
}
