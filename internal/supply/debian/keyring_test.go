package debian

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

func TestVerify(t *testing.T) {
	known, other := newKey(t, "Known", nil), newKey(t, "Other", nil)
	expiredKey := newKey(t, "Expired", &packet.Config{KeyLifetimeSecs: 86400})
	revoked := newKey(t, "Revoked", nil)
	if err := revoked.RevokeKey(packet.KeyRetired, "", &packet.Config{Time: func() time.Time { return today.AddDate(0, -1, 0) }}); err != nil {
		t.Fatal(err)
	}
	text := releaseText("s", "", map[string]store.Digest{"x": store.DigestOf(nil)})
	ring := func(keys ...*openpgp.Entity) *keyring { return &keyring{entities: keys, files: []string{"ring"}} }
	only := func(k *keyring, fps ...string) *keyring { k.only = fps; return k }
	fp := func(e *openpgp.Entity) string { return fingerprint(e.PrimaryKey) }
	tamper := func(b []byte) []byte { return bytes.Replace(b, []byte("Origin"), []byte("origin"), 1) }
	tests := []struct {
		name string
		b    []byte
		keys *keyring
		want string // signer or substring of the error
		ok   bool
	}{
		{"good", signed(t, text, today, crypto.SHA512, known), ring(other, known), fp(known), true},
		{"SHA-256", signed(t, text, today, crypto.SHA256, known), ring(known), fp(known), true},
		{"two signers, one known", signed(t, text, today, crypto.SHA256, other, known), ring(known), fp(known), true},
		{"two known signers, text changed", tamper(signed(t, text, today, crypto.SHA256, known, other)), ring(known, other), "changed after signing", false},
		{"unknown signer", signed(t, text, today, crypto.SHA256, other), ring(known), "signed by " + fp(other) + ", and that key is not in ring", false},
		{"expired key", signed(t, text, today, crypto.SHA256, expiredKey), ring(expiredKey), "key expired", false},
		{"expired key beside a good one", signed(t, text, today, crypto.SHA256, expiredKey, known), ring(expiredKey, known), fp(known), true},
		{"revoked key", signed(t, text, today, crypto.SHA256, revoked), ring(revoked), "key revoked", false},
		{"fingerprint of Signed-By", signed(t, text, today, crypto.SHA256, known), only(ring(known, other), fp(known)), fp(known), true},
		{"other fingerprint", signed(t, text, today, crypto.SHA256, known), only(ring(known, other), fp(other)), "not among the fingerprints", false},
		{"fingerprint with exclamation mark", signed(t, text, today, crypto.SHA256, known), only(ring(known), fp(known)+"!"), fp(known), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rel, err := openInRelease(test.b, test.keys, today)
			switch {
			case test.ok && (err != nil || rel.signer != test.want || rel.raw != store.DigestOf(test.b)):
				t.Errorf("%+v, %v", rel, err)
			case !test.ok && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestWeakness(t *testing.T) {
	key := newKey(t, "Known", nil).PrimaryKey
	for hash, weak := range map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true, crypto.SHA256: false, crypto.SHA512: false} {
		if got := weakness(&packet.Signature{SigType: packet.SigTypeText, Hash: hash}, key); (got != "") != weak {
			t.Errorf("%v: %q", hash, got)
		}
	}
	if weakness(&packet.Signature{SigType: packet.SigTypeGenericCert, Hash: crypto.SHA256}, key) == "" {
		t.Error("a certification counts as a document's signature")
	}
}

// gpgv, which apt uses, agrees about good and bad documents.
func TestVerifyLikeGpgv(t *testing.T) {
	gpgv := devtest.Tool(t, "gpgv")
	known, other := newKey(t, "Known", nil), newKey(t, "Other", nil)
	var ring bytes.Buffer
	if err := known.Serialize(&ring); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ringFile := filepath.Join(dir, "ring.gpg")
	if err := os.WriteFile(ringFile, ring.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(ring.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	text := releaseText("s", "", map[string]store.Digest{"x": store.DigestOf(nil)})
	good := signed(t, text, today.AddDate(-1, 0, 0).Add(time.Hour), crypto.SHA512, known)
	for name, b := range map[string][]byte{
		"good": good, "stranger": signed(t, text, today, crypto.SHA512, other), "changed": bytes.Replace(good, []byte("Origin"), []byte("0rigin"), 1),
		"dashes": signed(t, "- a\n-- b\nFrom c\n"+text, today.AddDate(-1, 0, 0).Add(time.Hour), crypto.SHA256, known),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(gpgv, "--keyring", ringFile, file).CombinedOutput()
		theirs := err == nil
		_, canonical, sigs, err := splitClearsigned(b)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&keyring{entities: keys}).verify(canonical, sigs, today)
		if theirs != (err == nil) {
			t.Errorf("%s: gpgv says %v (%s), we say %v", name, theirs, said, err)
		}
		if want := name == "good" || name == "dashes"; theirs != want {
			t.Errorf("%s: gpgv says %v", name, theirs)
		}
	}
}

// The embedded keys can be parsed, and they verify the archive that this
// machine uses when nothing else is configured.
func TestBuiltinKeys(t *testing.T) {
	keys, err := builtinKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bookworm", "trixie"} {
		n := 0
		for _, e := range keys {
			if strings.Contains(strings.ToLower(e.PrimaryIdentity().Name), "/"+want) || strings.Contains(strings.ToLower(e.PrimaryIdentity().Name), want) {
				n++
			}
		}
		if n == 0 {
			for _, e := range keys {
				t.Log(e.PrimaryIdentity().Name)
			}
			t.Errorf("no key for %s", want)
		}
	}
	devtest.Long(t, "asks a Debian archive")
	if runtime.GOOS != "linux" {
		devtest.Missing(t, "a Debian machine")
	}
	conf, err := readAptConf("/")
	if err != nil {
		t.Fatal(err)
	}
	list, err := readSources("/", conf)
	if err != nil || len(list) == 0 {
		devtest.Missing(t, fmt.Sprintf("apt sources: %v", err))
	}
	release := codename("/")
	var lines []string
	for _, s := range list {
		if strings.HasPrefix(s.Suite, release) && len(s.Components) > 0 && s.Components[0] == "main" {
			lines = append(lines, fmt.Sprintf("deb [check-valid-until=no check-date=no] %s %s main", s.URI, s.Suite))
		}
	}
	sup, err := Discover(t.TempDir(), Config{Sources: lines})
	if err != nil {
		t.Fatal(err)
	}
	u, _, err := sup.index(context.Background(), testStore(t), progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s offers %s", sup, versions(u.offers()))
}
