package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"espalier.dev/espalier/internal/store"
)

// maxRelease bounds an InRelease file, in bytes; Debian's largest has 150 kB.
const maxRelease = 16 << 20

// release is a verified InRelease.
type release struct {
	raw      store.Digest // of the file as published
	signer   string
	origin   string
	suite    string
	codename string
	date     time.Time
	until    time.Time // zero: never
	byHash   bool
	archs    []string
	allIsNot bool // No-Support-for-Architecture-all: Packages
	noAuto   bool // NotAutomatic
	butAuto  bool // ButAutomaticUpgrades
	files    map[string]store.Digest
}

// splitClearsigned separates a clear-signed document from its signatures.
// Unsigned bytes before or after the signed text are errors: if they were
// ignored, a parser of the whole file could be made to read other text than was
// signed.
func splitClearsigned(b []byte) (text, canonical []byte, sigs []*packet.Signature, err error) {
	if !bytes.HasPrefix(b, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		return nil, nil, nil, errors.New("it is not clear-signed (a login page or an error text?)")
	}
	block, rest := clearsign.Decode(b)
	if block == nil {
		return nil, nil, nil, errors.New("the clear signature is damaged or cut off")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, nil, nil, errors.New("there is text after the signature")
	}
	sigs, err = readSignatures(block.ArmoredSignature.Body)
	return block.Plaintext, block.Bytes, sigs, err
}

func readSignatures(r io.Reader) ([]*packet.Signature, error) {
	var sigs []*packet.Signature
	packets := packet.NewReader(r)
	for {
		p, err := packets.NextWithUnsupported()
		if err == io.EOF {
			return sigs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the signature: %w", err)
		}
		if s, ok := p.(*packet.Signature); ok {
			sigs = append(sigs, s)
		}
	}
}

// openInRelease verifies an InRelease.
func openInRelease(b []byte, keys *keyring, now time.Time) (*release, error) {
	text, canonical, sigs, err := splitClearsigned(b)
	if err != nil {
		return nil, err
	}
	signer, err := keys.verify(canonical, sigs, now)
	if err != nil {
		return nil, err
	}
	rel, err := parseRelease(text)
	if err != nil {
		return nil, err
	}
	rel.raw, rel.signer = store.DigestOf(b), signer
	return rel, nil
}

// openRelease verifies a Release with its detached Release.gpg, the older
// form for archives without InRelease.
func openRelease(b, detached []byte, keys *keyring, now time.Time) (*release, error) {
	var body io.Reader = bytes.NewReader(detached)
	if bytes.HasPrefix(bytes.TrimSpace(detached), []byte("-----BEGIN")) {
		block, err := armor.Decode(body)
		if err != nil {
			return nil, fmt.Errorf("reading Release.gpg: %w", err)
		}
		body = block.Body
	}
	sigs, err := readSignatures(body)
	if err != nil {
		return nil, err
	}
	signer, err := keys.verify(b, sigs, now)
	if err != nil {
		return nil, err
	}
	rel, err := parseRelease(b)
	if err != nil {
		return nil, err
	}
	rel.raw, rel.signer = store.DigestOf(b), signer
	return rel, nil
}

// parseRelease parses the fields of a Release file. It only uses SHA256: MD5
// and SHA-1 are not secure.
func parseRelease(text []byte) (*release, error) {
	st, err := NewStanzaReader(bytes.NewReader(text), "Release", nil).Next()
	if err != nil {
		return nil, err
	}
	rel := &release{
		origin:   st.Get("origin"),
		suite:    st.Get("suite"),
		codename: st.Get("codename"),
		archs:    words(st.Get("architectures")),
		byHash:   st.Get("acquire-by-hash") == "yes",
		noAuto:   st.Get("notautomatic") == "yes",
		butAuto:  st.Get("butautomaticupgrades") == "yes",
		allIsNot: strings.Contains(st.Get("no-support-for-architecture-all"), "Packages"),
		files:    map[string]store.Digest{},
	}
	if rel.date, err = parseDate(st.Get("date")); err != nil {
		return nil, fmt.Errorf("field Date of the Release file: %w", err)
	}
	if v := st.Get("valid-until"); v != "" {
		if rel.until, err = parseDate(v); err != nil {
			return nil, fmt.Errorf("field Valid-Until of the Release file: %w", err)
		}
	}
	sums := st.Get("sha256")
	if sums == "" {
		return nil, errors.New("the Release file has no SHA256 sums, and weaker ones are not accepted")
	}
	for _, line := range strings.Split(sums, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 {
			return nil, fmt.Errorf("the Release file has a damaged line %q", clip([]byte(line)))
		}
		d, err := store.ParseDigest("sha256:" + strings.ToLower(f[0]) + "/" + f[1])
		if err != nil {
			return nil, fmt.Errorf("the Release file: %w", err)
		}
		rel.files[f[2]] = d
	}
	return rel, nil
}

// parseDate reads the dates of Release files: RFC 5322 with UTC or GMT or a
// numeric zone, days with one digit allowed.
func parseDate(v string) (time.Time, error) {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 -0700", "Mon, _2 Jan 2006 15:04:05 -0700"} {
		t, err := time.Parse(layout, v)
		if err == nil {
			if z, off := t.Zone(); off == 0 && z != "UTC" && z != "GMT" && z != "" && z != "Z" {
				continue // an unknown zone name would be parsed as UTC
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date", v)
}

// fresh checks Date and Valid-Until as apt does, with the options of the source
// and of apt.conf.
func (rel *release) fresh(s *Source, conf *aptConf, now time.Time) error {
	checkDate := s.CheckDate != "no" && (s.CheckDate == "yes" || !conf.off("Acquire::Check-Date"))
	if checkDate && rel.date.After(now.Add(10*time.Second)) {
		return fmt.Errorf("it is dated %s, which is in the future: the clock of this machine is wrong", rel.date.Format(time.RFC3339))
	}
	if s.CheckUntil == "no" || s.CheckUntil == "" && conf.off("Acquire::Check-Valid-Until") || !checkDate {
		return nil
	}
	until := rel.until
	if n, err := strconv.ParseInt(s.MaxAge, 10, 64); err == nil && n > 0 {
		if limit := rel.date.Add(time.Duration(n) * time.Second); until.IsZero() || limit.Before(until) {
			until = limit
		}
	}
	if n, err := strconv.ParseInt(s.MinAge, 10, 64); err == nil && n > 0 && !until.IsZero() {
		if limit := rel.date.Add(time.Duration(n) * time.Second); limit.After(until) {
			until = limit
		}
	}
	if !until.IsZero() && now.After(until) {
		return &staleError{date: rel.date, until: until}
	}
	return nil
}

// staleError reports an index after its Valid-Until.
type staleError struct{ date, until time.Time }

func (e *staleError) Error() string {
	return fmt.Sprintf("it is of %s and was valid until %s: an old copy, or an archive that is no longer kept up",
		e.date.Format("2006-01-02"), e.until.Format("2006-01-02 15:04 MST"))
}

// isFor reports whether the release has the requested suite or codename; a
// mirror must not serve another suite instead.
func (rel *release) isFor(suite string) bool {
	for _, name := range []string{rel.suite, rel.codename} {
		if name != "" && (suite == name || strings.HasPrefix(suite, name+"/")) {
			return true
		}
	}
	return rel.suite == "" && rel.codename == ""
}

// priority is apt's default pin for packages of the release.
func (rel *release) priority() int {
	switch {
	case rel.noAuto && rel.butAuto:
		return 100
	case rel.noAuto:
		return 1
	}
	return 500
}
