package attest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// PayloadType is the media type of a statement in an envelope.
const PayloadType = "application/vnd.in-toto+json"

// Envelope is a DSSE envelope (secure-systems-lab/dsse, envelope.md).
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"` // base64 in JSON
	Signatures  []Signature `json:"signatures"`
}

// Signature is one signature of PAE. Sig is what the kind of key makes: the bytes of
// an ed25519, ECDSA (ASN.1) or RSA (PSS) signature, or the armoured text of ssh-keygen
// and OpenPGP.
type Signature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   []byte `json:"sig"`
}

// PAE is what is signed (protocol.md, pre-authentication encoding).
func PAE(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Signer signs bytes.
type Signer interface {
	Sign(message []byte) (Signature, error)
}

// Verifier checks a signature of bytes.
type Verifier interface {
	KeyID() string
	Verify(message []byte, s Signature) error
}

// Sign makes an envelope.
func Sign(payload []byte, by Signer) (Envelope, error) {
	s, err := by.Sign(PAE(PayloadType, payload))
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{PayloadType, payload, []Signature{s}}, nil
}

// Encode is an envelope as a file.
func (e Envelope) Encode() ([]byte, error) {
	b, err := json.Marshal(e)
	return append(b, '\n'), err
}

// ParseEnvelope reads an envelope. Base64 may be of either alphabet.
func ParseEnvelope(b []byte) (Envelope, error) {
	var raw struct {
		PayloadType string `json:"payloadType"`
		Payload     string `json:"payload"`
		Signatures  []struct {
			KeyID string `json:"keyid"`
			Sig   string `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(b), &raw); err != nil {
		return Envelope{}, fmt.Errorf("reading the envelope: %w", err)
	}
	if raw.PayloadType == "" || len(raw.Signatures) == 0 {
		return Envelope{}, errors.New("this is not a signed envelope (DSSE)")
	}
	e := Envelope{PayloadType: raw.PayloadType}
	var err error
	if e.Payload, err = decode(raw.Payload); err != nil {
		return Envelope{}, fmt.Errorf("reading the payload: %w", err)
	}
	for _, s := range raw.Signatures {
		sig, err := decode(s.Sig)
		if err != nil {
			return Envelope{}, fmt.Errorf("reading a signature: %w", err)
		}
		e.Signatures = append(e.Signatures, Signature{s.KeyID, sig})
	}
	return e, nil
}

func decode(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(s))
}

// Open checks the signatures of an envelope and returns its statement. One signature
// of one of the keys is enough; the ID of that key is returned.
func (e Envelope) Open(keys []Verifier) (s Statement, keyID string, err error) {
	if e.PayloadType != PayloadType {
		return s, "", fmt.Errorf("the envelope has %s, want %s", e.PayloadType, PayloadType)
	}
	message := PAE(e.PayloadType, e.Payload)
	var reasons []string
	for _, k := range keys {
		for _, sig := range e.Signatures {
			if err := k.Verify(message, sig); err != nil {
				reasons = append(reasons, k.KeyID()+": "+err.Error())
				continue
			}
			s, err := ParseStatement(e.Payload)
			return s, k.KeyID(), err
		}
	}
	return s, "", fmt.Errorf("no signature is of the given keys (%s)", strings.Join(reasons, "; "))
}
