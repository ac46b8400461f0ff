package tlsconn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"time"
)

// Certificate is the certificate of a host, with its key.
type Certificate struct{ tls tls.Certificate }

// Authority is a certificate authority whose keys are derived from its name.
// Everyone who knows the name has the keys, so nothing outside an emulator may
// trust it.
type Authority struct {
	key  deterministic // of the root
	host deterministic // of every certificate
	cert *x509.Certificate
}

// NewAuthority returns the authority with a name. Its root certificate is the
// same in every run and on every machine: an ECDSA key on P-256, signed as in RFC
// 6979.
func NewAuthority(name string) (*Authority, error) {
	a := &Authority{}
	var err error
	if a.key, err = keyOf(name); err != nil {
		return nil, err
	}
	if a.host, err = keyOf(name + ": hosts"); err != nil {
		return nil, err
	}
	root := template(name)
	root.Subject.CommonName = name
	root.IsCA, root.BasicConstraintsValid = true, true
	root.KeyUsage = x509.KeyUsageCertSign
	root.ExtKeyUsage = nil
	der, err := x509.CreateCertificate(nil, root, root, a.key.Public(), a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate of %q: %w", name, err)
	}
	return a, nil
}

// Root returns the root certificate, DER.
func (a *Authority) Root() []byte { return a.cert.Raw }

// Certificate returns a certificate for a host name or an address. Certificates
// are valid from 2024 to 2099, expired ones only in 2024.
func (a *Authority) Certificate(host string, expired bool) (*Certificate, error) {
	leaf := template(host)
	leaf.Subject.CommonName = "emulated host"
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	if expired {
		leaf.NotAfter = leaf.NotBefore.AddDate(1, 0, 0)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		leaf.IPAddresses = append(leaf.IPAddresses, ip.AsSlice())
	} else {
		leaf.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(nil, leaf, a.cert, a.host.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %q: %w", host, err)
	}
	return &Certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.host}}, nil
}

func template(subject string) *x509.Certificate {
	sum := sha256.Sum256([]byte(subject))
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum[:15]), // positive, in fewer than 20 bytes
		Subject:      pkix.Name{Organization: []string{"espalier"}},
		NotBefore:    time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2099, time.December, 31, 23, 59, 59, 0, time.UTC),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// deterministic is a key with deterministic signatures (RFC 6979).
type deterministic struct{ key *ecdsa.PrivateKey }

// Public implements crypto.Signer.
func (k deterministic) Public() crypto.PublicKey { return k.key.Public() }

// Sign implements crypto.Signer.
func (k deterministic) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(nil, digest, opts)
}

// keyOf derives a key from a name. It fails for one name in 2^32.
func keyOf(name string) (deterministic, error) {
	sum := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		return deterministic{}, fmt.Errorf("key of %q: %w", name, err)
	}
	return deterministic{k}, nil
}
