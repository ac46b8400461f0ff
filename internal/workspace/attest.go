package workspace

import (
	"context"
	"os"
	"path/filepath"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/attest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// Attested is the event "attest".
type Attested struct {
	File         string       `json:"file"`
	Signed       bool         `json:"signed"`
	KeyID        string       `json:"key-id,omitempty"`
	ELF          store.Digest `json:"elf"`
	Dependencies int          `json:"dependencies"`
}

// AttestOptions say who attests what, and where.
type AttestOptions struct {
	Key     string // file of the private key; empty: not signed
	File    string // empty: beside the firmware
	Builder string // URI of the platform; empty: a machine of the user
}

// PassphraseVariable is the variable of the environment that opens a protected key.
const PassphraseVariable = "ESPALIER_KEY_PASSPHRASE"

// Attest builds the firmware and writes its provenance, signed when there is a key.
func (w *Workspace) Attest(ctx context.Context, o AttestOptions) (Attested, error) {
	var out Attested
	var signer attest.Signer
	if o.Key != "" {
		b, err := os.ReadFile(o.Key)
		if err != nil {
			return out, fault.Opening(o.Key, err)
		}
		passphrase, _ := w.opener.Lookup(PassphraseVariable)
		if signer, err = attest.ReadSigner(b, []byte(passphrase)); err != nil {
			return out, fault.InFile(o.Key, err)
		}
	}
	statement, f, err := w.Provenance(ctx, o.Builder)
	if err != nil {
		return out, err
	}
	text, err := statement.Encode()
	if err != nil {
		return out, err
	}
	out = Attested{File: o.File, ELF: f.Digest, Dependencies: len(statement.Predicate.Build.Resolved)}
	if signer != nil {
		envelope, err := attest.Sign(text, signer)
		if err != nil {
			return out, fault.Wrap(fault.Usage, err, "signing with "+o.Key)
		}
		if text, err = envelope.Encode(); err != nil {
			return out, err
		}
		out.Signed, out.KeyID = true, envelope.Signatures[0].KeyID
	}
	if out.File == "" {
		out.File = filepath.Join(w.OutDir(), f.Name+".intoto.json")
		if err := os.MkdirAll(w.OutDir(), 0o777); err != nil {
			return out, fault.Writing(out.File, err)
		}
	}
	return out, fault.Wrap(fault.Usage, atomicfile.Write(out.File, text, 0o644), "writing "+out.File)
}

// Attestation is the event "provenance": a signature that is good, and the files that
// are subjects of what it signs.
type Attestation struct {
	File    string   `json:"file"`
	KeyID   string   `json:"key-id"`
	Builder string   `json:"builder"`
	Matches []string `json:"matches"` // names of the subjects

	statement attest.Statement
}

// OpenProvenance verifies the signature of an envelope with the public keys in a file.
func OpenProvenance(file, key string) (Attestation, error) {
	out := Attestation{File: file, Matches: []string{}}
	b, err := os.ReadFile(key)
	if err != nil {
		return out, fault.Opening(key, err)
	}
	keys, err := attest.ReadVerifiers(b)
	if err != nil {
		return out, fault.InFile(key, err)
	}
	if b, err = os.ReadFile(file); err != nil {
		return out, fault.Opening(file, err)
	}
	envelope, err := attest.ParseEnvelope(b)
	if err != nil {
		return out, fault.InFile(file, err)
	}
	if out.statement, out.KeyID, err = envelope.Open(keys); err != nil {
		return out, fault.InFile(file, fault.Wrap(fault.Differ, err, ""))
	}
	out.Builder = out.statement.Predicate.Run.Builder.ID
	return out, nil
}

// Match compares a file with the subjects.
func (a *Attestation) Match(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fault.Opening(name, err)
	}
	d := store.DigestOf(b)
	subject, ok := a.statement.Find(d.Hash)
	if !ok {
		return fault.New(fault.Differ, name+": the provenance is of other bytes: sha256:"+d.Hash+" is not a subject of it")
	}
	a.Matches = append(a.Matches, subject.Name)
	return nil
}

// MatchFirmware compares the firmware of the project with the subjects: both its files
// must be there.
func (w *Workspace) MatchFirmware(ctx context.Context, a *Attestation) error {
	if names := w.Project.UseStandIns(); len(names) > 0 {
		return fault.New(fault.Usage, "firmware with secrets cannot be compared with a provenance", "espalier verify --provenance "+a.File+" --key KEY FILE")
	}
	f, err := w.Firmware(ctx)
	if err != nil {
		return err
	}
	for _, d := range []store.Digest{f.Digest, store.DigestOf(f.Flash.Trimmed())} {
		subject, ok := a.statement.Find(d.Hash)
		if !ok {
			return fault.New(fault.Differ, "the provenance is of other firmware: "+d.String()+" is not a subject of it",
				"espalier diff OTHER.bin NAME.bin   # what differs from the firmware that it is of")
		}
		a.Matches = append(a.Matches, subject.Name)
	}
	return nil
}
