package attest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Namespace is the namespace of signatures of OpenSSH keys, ssh-keygen -Y -n.
const Namespace = "espalier-provenance"

// sshMagic begins a signature and what is signed (OpenSSH, PROTOCOL.sshsig).
const sshMagic = "SSHSIG"

// sshSigned is what the key signs.
type sshSigned struct {
	Namespace, Reserved, Hash, Digest string
}

// sshBlob is a signature, after the magic.
type sshBlob struct {
	Version                                   uint32
	Key, Namespace, Reserved, Hash, Signature string
}

type sshSigner struct{ ssh.Signer }

func readSSHSigner(b, passphrase []byte) (Signer, error) {
	var s ssh.Signer
	var err error
	if len(passphrase) > 0 {
		s, err = ssh.ParsePrivateKeyWithPassphrase(b, passphrase)
	} else {
		s, err = ssh.ParsePrivateKey(b)
	}
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		return nil, errors.New("the key is protected, and no passphrase is given")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	return sshSigner{s}, nil
}

// Sign makes what ssh-keygen -Y sign makes.
func (s sshSigner) Sign(message []byte) (Signature, error) {
	sum := sha512.Sum512(message)
	text := append([]byte(sshMagic), ssh.Marshal(sshSigned{Namespace, "", "sha512", string(sum[:])})...)
	var sig *ssh.Signature
	var err error
	if rsa, ok := s.Signer.(ssh.AlgorithmSigner); ok && s.PublicKey().Type() == ssh.KeyAlgoRSA {
		sig, err = rsa.SignWithAlgorithm(rand.Reader, text, ssh.KeyAlgoRSASHA512) // SHA-1 is refused
	} else {
		sig, err = s.Signer.Sign(rand.Reader, text)
	}
	if err != nil {
		return Signature{}, err
	}
	blob := append([]byte(sshMagic), ssh.Marshal(sshBlob{1, string(s.PublicKey().Marshal()), Namespace, "", "sha512", string(ssh.Marshal(sig))})...)
	return Signature{ssh.FingerprintSHA256(s.PublicKey()), pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: blob})}, nil
}

type sshVerifier struct{ key ssh.PublicKey }

// readSSHVerifiers reads lines of authorized_keys, or of allowed_signers, which begin
// with principals.
func readSSHVerifiers(b []byte) ([]Verifier, error) {
	var out []Verifier
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if _, rest, ok := strings.Cut(line, " "); err != nil && ok {
			key, _, _, _, err = ssh.ParseAuthorizedKey([]byte(rest))
		}
		if err != nil {
			return nil, errors.New("want public keys: PEM, lines of OpenSSH, or an armoured keyring of OpenPGP")
		}
		out = append(out, sshVerifier{key})
	}
	if len(out) == 0 {
		return nil, errors.New("there is no public key")
	}
	return out, nil
}

func (v sshVerifier) KeyID() string { return ssh.FingerprintSHA256(v.key) }

func (v sshVerifier) Verify(message []byte, s Signature) error {
	block, _ := pem.Decode(s.Sig)
	if block == nil || block.Type != "SSH SIGNATURE" {
		return errors.New("not a signature of an OpenSSH key")
	}
	rest, ok := bytes.CutPrefix(block.Bytes, []byte(sshMagic))
	var blob sshBlob
	if !ok || ssh.Unmarshal(rest, &blob) != nil || blob.Version != 1 {
		return errors.New("a malformed signature of an OpenSSH key")
	}
	if blob.Namespace != Namespace {
		return fmt.Errorf("the signature is for the namespace %q, want %s", blob.Namespace, Namespace)
	}
	if blob.Key != string(v.key.Marshal()) {
		return errors.New("the signature is of another key")
	}
	var sum []byte
	switch blob.Hash {
	case "sha512":
		d := sha512.Sum512(message)
		sum = d[:]
	case "sha256":
		sum = hashed(crypto.SHA256, message)
	default:
		return fmt.Errorf("the signature has the unknown hash %q", blob.Hash)
	}
	var sig ssh.Signature
	if ssh.Unmarshal([]byte(blob.Signature), &sig) != nil {
		return errors.New("a malformed signature of an OpenSSH key")
	}
	if sig.Format == ssh.KeyAlgoRSA { // SHA-1
		return errors.New("the signature uses SHA-1")
	}
	text := append([]byte(sshMagic), ssh.Marshal(sshSigned{blob.Namespace, blob.Reserved, blob.Hash, string(sum)})...)
	if v.key.Verify(text, &sig) != nil {
		return errSignature
	}
	return nil
}
