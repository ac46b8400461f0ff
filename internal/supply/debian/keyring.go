package debian

import (
	"bytes"
	"crypto/rsa"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The public keys of Debian's archive, for a machine without apt. They come
// from the debian-archive-keyring package, whose copyright file says that the
// keys "don't fall under any copyright".
//
//go:embed keys/*.asc
var archiveKeys embed.FS

// keyring is a set of certificates and the names of their files.
type keyring struct {
	entities openpgp.EntityList
	files    []string
	only     []string // fingerprints that may sign; empty means all
}

// readKeys parses an armoured or binary key file.
func readKeys(b []byte) (openpgp.EntityList, error) {
	if bytes.Contains(b, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
		return openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	}
	return openpgp.ReadKeyRing(bytes.NewReader(b))
}

// builtinKeys returns the embedded certificates.
func builtinKeys() (openpgp.EntityList, error) {
	var all openpgp.EntityList
	err := fs.WalkDir(archiveKeys, "keys", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := archiveKeys.ReadFile(path)
		if err != nil {
			return err
		}
		some, err := readKeys(b)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, some...)
		return nil
	})
	return all, err
}

// keysFor returns the certificates that may sign for a source: those of its
// Signed-By, else apt's trusted ones, else the embedded ones.
func keysFor(root string, conf *aptConf, s *Source) (*keyring, error) {
	k := &keyring{}
	add := func(name string, must bool) error {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			if must {
				return fmt.Errorf("reading the key file that %s names: %w", s.where(), err)
			}
			return nil
		}
		some, err := readKeys(b)
		if err != nil && must {
			return fmt.Errorf("reading the key file %s: %w", name, err)
		}
		if len(some) > 0 {
			k.entities = append(k.entities, some...)
			k.files = append(k.files, name)
		}
		return nil
	}
	if s.InlineKey != "" {
		some, err := readKeys([]byte(s.InlineKey))
		if err != nil {
			return nil, fmt.Errorf("reading the key in %s: %w", s.where(), err)
		}
		k.entities, k.files = some, []string{s.where()}
		return k, nil
	}
	files := 0
	for _, by := range s.SignedBy {
		if strings.HasPrefix(by, "/") {
			files++
			if err := add(by, true); err != nil {
				return nil, err
			}
		} else {
			k.only = append(k.only, strings.ToUpper(by))
		}
	}
	if files > 0 {
		return k, nil
	}
	if s.File != "" {
		if err := add(conf.path("Dir::Etc::trusted", "trusted.gpg"), false); err != nil {
			return nil, err
		}
		parts := conf.path("Dir::Etc::trustedparts", "trusted.gpg.d")
		names, err := partNames(filepath.Join(root, parts), ".gpg", ".asc")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if err := add(filepath.Join(parts, n), false); err != nil {
				return nil, err
			}
		}
	}
	if len(k.entities) == 0 {
		some, err := builtinKeys()
		if err != nil {
			return nil, err
		}
		k.entities, k.files = some, []string{"the keys of Debian's archive inside espalier"}
	}
	return k, nil
}

// verify checks the signatures of a document by apt's rule: one good signature
// by a known, valid key is sufficient; signatures by unknown keys are ignored;
// one wrong signature by a known key is an error; weak signatures, expired ones
// and those by expired or revoked keys do not count. It returns the fingerprint
// of the signer's primary key.
func (k *keyring) verify(text []byte, signatures []*packet.Signature, now time.Time) (signer string, err error) {
	var unknown, rejected []string
	for _, sig := range signatures {
		key, entity := k.find(sig)
		if key == nil {
			unknown = append(unknown, issuer(sig))
			continue
		}
		fp := fingerprint(entity.PrimaryKey)
		if why := weakness(sig, key); why != "" {
			rejected = append(rejected, fmt.Sprintf("%s: %s", fp, why))
			continue
		}
		h, err := sig.PrepareVerify()
		if err != nil {
			rejected = append(rejected, fmt.Sprintf("%s: %v", fp, err))
			continue
		}
		h.Write(text)
		if err := key.VerifySignature(h, sig); err != nil {
			return "", fmt.Errorf("the signature by %s is wrong: the file was changed after signing", fp)
		}
		if why := expired(sig, key, entity, now); why != "" {
			rejected = append(rejected, fmt.Sprintf("%s: %s", fp, why))
			continue
		}
		if len(k.only) > 0 && !k.allowed(entity, key) {
			unknown = append(unknown, fp+" (not among the fingerprints of Signed-By)")
			continue
		}
		if signer == "" {
			signer = fp
		}
	}
	switch {
	case signer != "":
		return signer, nil
	case len(rejected) > 0:
		return "", fmt.Errorf("no valid signature: %s", strings.Join(rejected, "; "))
	case len(unknown) > 0:
		return "", &missingKeyError{keys: unknown, files: k.files}
	}
	return "", errors.New("it is not signed")
}

// missingKeyError reports that there is no signature by a known key.
type missingKeyError struct{ keys, files []string }

func (e *missingKeyError) Error() string {
	return fmt.Sprintf("signed by %s, and that key is not in %s", strings.Join(e.keys, ", "), strings.Join(e.files, ", "))
}

// find returns the key that made a signature and its certificate.
func (k *keyring) find(sig *packet.Signature) (*packet.PublicKey, *openpgp.Entity) {
	match := func(p *packet.PublicKey) bool {
		if len(sig.IssuerFingerprint) > 0 {
			return bytes.Equal(sig.IssuerFingerprint, p.Fingerprint)
		}
		return sig.IssuerKeyId != nil && *sig.IssuerKeyId == p.KeyId
	}
	for _, e := range k.entities {
		if match(e.PrimaryKey) {
			return e.PrimaryKey, e
		}
		for i := range e.Subkeys {
			if match(e.Subkeys[i].PublicKey) {
				return e.Subkeys[i].PublicKey, e
			}
		}
	}
	return nil, nil
}

// allowed applies the fingerprints of Signed-By: a primary key's fingerprint
// includes its subkeys, unless it ends in an exclamation mark.
func (k *keyring) allowed(e *openpgp.Entity, key *packet.PublicKey) bool {
	own, primary := fingerprint(key), fingerprint(e.PrimaryKey)
	return slices.ContainsFunc(k.only, func(want string) bool {
		exact := strings.HasSuffix(want, "!")
		want = strings.TrimSuffix(want, "!")
		return strings.HasSuffix(own, want) || !exact && strings.HasSuffix(primary, want)
	})
}

// weakness returns the reason why signatures of this kind are not accepted, ""
// when they are.
func weakness(sig *packet.Signature, key *packet.PublicKey) string {
	if sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText {
		return "not a signature of a document"
	}
	if sig.Hash.Size() < 28 { // MD5, SHA-1, RIPEMD-160
		return fmt.Sprintf("weak digest %v", sig.Hash)
	}
	if r, ok := key.PublicKey.(*rsa.PublicKey); ok && r.N.BitLen() < 2048 {
		return fmt.Sprintf("weak key rsa%d", r.N.BitLen())
	}
	if key.PubKeyAlgo == packet.PubKeyAlgoDSA {
		return "weak key dsa"
	}
	return ""
}

// expired returns the reason why a correct signature is not accepted because of
// time, "" when it is.
func expired(sig *packet.Signature, key *packet.PublicKey, e *openpgp.Entity, now time.Time) string {
	if sig.SigExpired(now) {
		return "signature expired"
	}
	if e.Revoked(now) {
		return "key revoked"
	}
	if id := e.PrimaryIdentity(); id != nil && id.SelfSignature != nil && e.PrimaryKey.KeyExpired(id.SelfSignature, now) {
		return "key expired"
	}
	if bytes.Equal(key.Fingerprint, e.PrimaryKey.Fingerprint) {
		return ""
	}
	for i := range e.Subkeys {
		sub := &e.Subkeys[i]
		if !bytes.Equal(sub.PublicKey.Fingerprint, key.Fingerprint) {
			continue
		}
		switch {
		case sub.Revoked(now):
			return "subkey revoked"
		case sub.Sig == nil || sub.PublicKey.KeyExpired(sub.Sig, now):
			return "subkey expired"
		case sub.Sig.FlagsValid && !sub.Sig.FlagSign:
			return "subkey is not for signing"
		}
	}
	return ""
}

func fingerprint(p *packet.PublicKey) string {
	return strings.ToUpper(hex.EncodeToString(p.Fingerprint))
}

func issuer(sig *packet.Signature) string {
	if len(sig.IssuerFingerprint) > 0 {
		return strings.ToUpper(hex.EncodeToString(sig.IssuerFingerprint))
	}
	if sig.IssuerKeyId != nil {
		return fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	return "an unnamed key"
}
