package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

func statement(t testing.TB) []byte {
	t.Helper()
	s := Statement{Type: StatementType, PredicateType: PredicateType,
		Subject: []Resource{{Name: "app.bin", Digest: map[string]string{"sha256": strings.Repeat("ab", 32)}}},
		Predicate: Provenance{Build: Build{Type: BuildType, External: map[string]any{"firmware": "app"}, Resolved: []Resource{{URI: "pkg:cargo/cfg-if@1.0.5", Digest: map[string]string{"sha256": strings.Repeat("cd", 32)}}}},
			Run: Run{Builder{LocalBuilder, map[string]string{"espalier": "1.2.3"}}, Metadata{"sha256:00/1"}}}}
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func privatePEM(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func publicPEM(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// pair is a key pair as files.
type pair struct{ private, public, passphrase []byte }

// command runs a program of devtest.Tool.
func command(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// pairs are of all kinds; those of OpenSSH and OpenPGP are made by their own programs.
func pairs(t *testing.T) map[string]pair {
	t.Helper()
	out := map[string]pair{}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ed25519": ed, "p256": p256, "p384": p384, "rsa": r} {
		out[name] = pair{private: privatePEM(t, key), public: publicPEM(t, key.Public())}
	}
	dir := t.TempDir()
	for name, args := range map[string][]string{"ssh-ed25519": {"-t", "ed25519", "-N", ""}, "ssh-rsa": {"-t", "rsa", "-b", "2048", "-N", ""}, "ssh-protected": {"-t", "ecdsa", "-N", "open sesame"}} {
		file := filepath.Join(dir, name)
		command(t, nil, devtest.Tool(t, "ssh-keygen"), append(args, "-q", "-C", name, "-f", file)...)
		p := pair{private: read(t, file), public: read(t, file+".pub")}
		if name == "ssh-protected" {
			p.passphrase = []byte("open sesame")
		}
		out[name] = p
	}
	home := gpgHome(t)
	out["pgp"] = pair{
		private: []byte(command(t, nil, devtest.Tool(t, "gpg"), "--homedir", home, "--batch", "--armor", "--export-secret-keys")),
		public:  []byte(command(t, nil, devtest.Tool(t, "gpg"), "--homedir", home, "--batch", "--armor", "--export")),
	}
	return out
}

func gpgHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg") // the agent's socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	command(t, nil, devtest.Tool(t, "gpg"), "--homedir", home, "--batch", "--quiet", "--no-autostart", "--version")
	command(t, nil, devtest.Tool(t, "gpg"), "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "release@example.com", "ed25519", "sign", "never")
	return home // gpg-agent ends when its directory is removed
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every kind of key signs, and its signature is of these bytes and of this key.
func TestSign(t *testing.T) {
	payload := statement(t)
	all := pairs(t)
	envelopes := map[string]Envelope{}
	for name, p := range all {
		signer, err := ReadSigner(p.private, p.passphrase)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, err := Sign(payload, signer)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if envelopes[name], err = ParseEnvelope(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := ReadSigner(all["ssh-protected"].private, nil); err == nil || !strings.Contains(err.Error(), "no passphrase is given") {
		t.Errorf("a protected key: %v", err)
	}
	for name, p := range all {
		keys, err := ReadVerifiers(p.public)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for of, e := range envelopes {
			s, id, err := e.Open(keys)
			if of != name {
				if err == nil {
					t.Errorf("the key %s accepts the signature of %s", name, of)
				}
				continue
			}
			if err != nil || id != keys[0].KeyID() || len(s.Subject) != 1 || e.Signatures[0].KeyID != id {
				t.Errorf("%s: %v, key %s, %s", name, err, id, e.Signatures[0].KeyID)
			}
			if _, ok := s.Find(strings.Repeat("ab", 32)); !ok {
				t.Errorf("%s: the subject is not found", name)
			}
			if _, ok := s.Find(strings.Repeat("cd", 32)); ok {
				t.Errorf("%s: a dependency is found as a subject", name)
			}
			broken := e
			broken.Payload = bytes.Replace(e.Payload, []byte("abab"), []byte("abac"), 1)
			if _, _, err := broken.Open(keys); err == nil {
				t.Errorf("%s: other bytes are accepted", name)
			}
			broken = e
			sig := bytes.Clone(e.Signatures[0].Sig)
			sig[len(sig)/2] ^= 4
			broken.Signatures = []Signature{{id, sig}}
			if _, _, err := broken.Open(keys); err == nil {
				t.Errorf("%s: a broken signature is accepted", name)
			}
		}
	}
}

// TestSecureSystemsPeer verifies envelopes with in-toto's library, which signs one
// that this package verifies.
func TestSecureSystemsPeer(t *testing.T) {
	devtest.Long(t, "starts Python")
	python := devtest.Tool(t, "securesystemslib-python")
	all := pairs(t)
	for _, name := range []string{"ed25519", "p256", "p384", "rsa"} {
		signer, err := ReadSigner(all[name].private, nil)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Sign(statement(t), signer)
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for file, content := range map[string][]byte{"envelope": b, "public": all[name].public, "private": all[name].private, "payload": statement(t)} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(python, "-c", securesystems, dir).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "verified" {
			t.Errorf("%s: %v: %s", name, err, out)
			continue
		}
		theirs, err := ParseEnvelope(read(t, filepath.Join(dir, "theirs")))
		if err != nil {
			t.Fatal(err)
		}
		keys, err := ReadVerifiers(all[name].public)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := theirs.Open(keys); err != nil {
			t.Errorf("%s: signed by the library: %v", name, err)
		}
	}
}

const securesystems = `
import json, os, sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_pem_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey, CryptoSigner
at = lambda name: os.path.join(sys.argv[1], name)
text = json.load(open(at("envelope")))
key = SSlibKey.from_crypto(load_pem_public_key(open(at("public"), "rb").read()), keyid=text["signatures"][0]["keyid"])
envelope = Envelope.from_dict(text)
if len(envelope.verify([key], 1)) != 1:
    sys.exit("not verified")
envelope.payload = envelope.payload.replace(b"abab", b"abac", 1)
try:
    envelope.verify([key], 1)
    sys.exit("other bytes are verified")
except VerificationError:
    pass
signer = CryptoSigner(load_pem_private_key(open(at("private"), "rb").read(), None), key)
mine = Envelope(open(at("payload"), "rb").read(), "application/vnd.in-toto+json", {})
mine.sign(signer)
json.dump(mine.to_dict(), open(at("theirs"), "w"))
print("verified")
`

// TestSSHPeer verifies with ssh-keygen, which signs bytes that this package verifies.
func TestSSHPeer(t *testing.T) {
	all := pairs(t)
	for _, name := range []string{"ssh-ed25519", "ssh-rsa", "ssh-protected"} {
		p := all[name]
		signer, err := ReadSigner(p.private, p.passphrase)
		if err != nil {
			t.Fatal(err)
		}
		message := PAE(PayloadType, statement(t))
		s, err := signer.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		sig, allowed, key := filepath.Join(dir, "sig"), filepath.Join(dir, "allowed"), filepath.Join(dir, "key")
		for file, content := range map[string][]byte{sig: s.Sig, allowed: append([]byte("release@example.com "), p.public...), key: p.private} {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := command(t, message, devtest.Tool(t, "ssh-keygen"), "-Y", "verify", "-f", allowed, "-I", "release@example.com", "-n", Namespace, "-s", sig)
		if !strings.HasPrefix(out, "Good ") {
			t.Errorf("%s: %s", name, out)
		}
		if p.passphrase != nil {
			continue // ssh-keygen asks for it
		}
		file := filepath.Join(dir, "message")
		if err := os.WriteFile(file, message, 0o600); err != nil {
			t.Fatal(err)
		}
		command(t, nil, devtest.Tool(t, "ssh-keygen"), "-Y", "sign", "-q", "-f", key, "-n", Namespace, file)
		keys, err := ReadVerifiers(read(t, allowed))
		if err != nil {
			t.Fatal(err)
		}
		if err := keys[0].Verify(message, Signature{Sig: read(t, file+".sig")}); err != nil {
			t.Errorf("%s: signed by ssh-keygen: %v", name, err)
		}
		command(t, nil, devtest.Tool(t, "ssh-keygen"), "-Y", "sign", "-q", "-f", key, "-n", "other", file+".sig")
		if err := keys[0].Verify(read(t, file+".sig"), Signature{Sig: read(t, file+".sig.sig")}); err == nil || !strings.Contains(err.Error(), "namespace") {
			t.Errorf("%s: another namespace: %v", name, err)
		}
	}
}

// TestPGPPeer verifies with gpg.
func TestPGPPeer(t *testing.T) {
	home := gpgHome(t)
	private := []byte(command(t, nil, devtest.Tool(t, "gpg"), "--homedir", home, "--batch", "--armor", "--export-secret-keys"))
	signer, err := ReadSigner(private, nil)
	if err != nil {
		t.Fatal(err)
	}
	message := PAE(PayloadType, statement(t))
	s, err := signer.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sig, file := filepath.Join(dir, "sig"), filepath.Join(dir, "message")
	if err := os.WriteFile(sig, s.Sig, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, message, 0o600); err != nil {
		t.Fatal(err)
	}
	out := command(t, nil, devtest.Tool(t, "gpg"), "--homedir", home, "--batch", "--status-fd", "1", "--verify", sig, file)
	if !strings.Contains(out, "GOODSIG") || !strings.Contains(out, s.KeyID) {
		t.Errorf("key %s: %s", s.KeyID, out)
	}
}

func TestPAE(t *testing.T) {
	// The example of protocol.md.
	if got, want := string(PAE("http://example.com/HelloWorld", []byte("hello world"))), "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no signature": `{"payloadType":"a","payload":"","signatures":[]}`, "base64": `{"payloadType":"a","payload":"!","signatures":[{"sig":""}]}`,
		"a list": `[]`, "a statement": `{"_type":"https://in-toto.io/Statement/v1"}`,
	} {
		if _, err := ParseEnvelope([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, text := range map[string]string{
		"type": `{"_type":"x"}`, "predicate": `{"_type":"https://in-toto.io/Statement/v1","predicateType":"x"}`,
		"subject": `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1"}`,
	} {
		if _, err := ParseStatement([]byte(text)); err == nil {
			t.Errorf("a statement without %s is accepted", name)
		}
	}
	for _, text := range []string{"", "x", "-----BEGIN FOO-----\nAAAA\n-----END FOO-----\n"} {
		if _, err := ReadSigner([]byte(text), nil); err == nil {
			t.Errorf("the private key %q is accepted", text)
		}
		if _, err := ReadVerifiers([]byte(text)); err == nil {
			t.Errorf("the public key %q is accepted", text)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	keys, err := ReadVerifiers(publicPEM(f, key.Public()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"a","sig":"AAAA"}]}`))
	f.Add([]byte(`{"payload":"_-8=","payloadType":"x","signatures":[{"sig":"-----"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(b)
		if err != nil {
			return
		}
		if _, _, err := e.Open(keys); err == nil {
			t.Fatal("a signature of a key that signed nothing is accepted")
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if f, err := ParseEnvelope(again); err != nil || !bytes.Equal(f.Payload, e.Payload) {
			t.Fatalf("%v: %q, %q", err, f.Payload, e.Payload)
		}
	})
}

func FuzzVerifiers(f *testing.F) {
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGr1Cs6rY6m8uG5c9tqU6YJ8b2Yt8e7c1nQ2V5m0zZ8x a\n"))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := ReadVerifiers(b)
		if err == nil && len(keys) == 0 {
			t.Fatal("no key and no error")
		}
		for _, k := range keys {
			if k.Verify([]byte("message"), Signature{Sig: []byte("no signature")}) == nil {
				t.Fatal("no signature is accepted")
			}
		}
	})
}

func TestStatementIsJSON(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(statement(t), &s); err != nil || s["_type"] != StatementType {
		t.Errorf("%v: %v", err, s)
	}
}
