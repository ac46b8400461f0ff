package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Types of the statement and of its parts.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://slsa.dev/provenance/v1"
	BuildType     = "https://espalier.dev/build/v1" // docs/evidence.md
	LocalBuilder  = "https://espalier.dev/local/v1" // a build on a machine of the user, who is trusted
)

// Statement is an in-toto statement about firmware (in-toto attestation framework,
// spec/v1/statement.md).
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     Provenance `json:"predicate"`
}

// Resource is a ResourceDescriptor (spec/v1/resource_descriptor.md). Digests are by
// the name of the algorithm, in lower-case hex.
type Resource struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Provenance is the SLSA predicate (slsa.dev/spec/v1.2/build-provenance).
type Provenance struct {
	Build Build `json:"buildDefinition"`
	Run   Run   `json:"runDetails"`
}

// Build is what was built, and of what.
type Build struct {
	Type     string            `json:"buildType"`
	External map[string]any    `json:"externalParameters"` // what the caller chose
	Internal map[string]string `json:"internalParameters,omitempty"`
	Resolved []Resource        `json:"resolvedDependencies"`
}

// Run is who built it. It has no times: equal builds have equal provenance.
type Run struct {
	Builder  Builder  `json:"builder"`
	Metadata Metadata `json:"metadata"`
}

// Builder is the platform that is trusted to have built as it says.
type Builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Metadata is about the run.
type Metadata struct {
	Invocation string `json:"invocationId"` // the digest of the action, which is the same on every machine
}

// Encode is the text that is signed.
func (s Statement) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return b.Bytes(), err
}

// ParseStatement reads a statement with provenance.
func ParseStatement(b []byte) (Statement, error) {
	var s Statement
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("reading the statement: %w", err)
	}
	switch {
	case s.Type != StatementType:
		return s, fmt.Errorf("the payload is of type %q, want %s", s.Type, StatementType)
	case s.PredicateType != PredicateType:
		return s, fmt.Errorf("the statement is about %q, want %s", s.PredicateType, PredicateType)
	case len(s.Subject) == 0:
		return s, errors.New("the statement has no subject")
	}
	return s, nil
}

// Find returns the subject with a SHA-256 digest in hex.
func (s Statement) Find(sha256 string) (Resource, bool) {
	for _, r := range s.Subject {
		if r.Digest["sha256"] == sha256 && sha256 != "" {
			return r, true
		}
	}
	return Resource{}, false
}
