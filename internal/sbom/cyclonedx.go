package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The types are those of the CycloneDX 1.6 JSON schema, with the fields that a
// Bill fills.
type (
	cdxBOM struct {
		Format       string          `json:"bomFormat"`
		SpecVersion  string          `json:"specVersion"`
		SerialNumber string          `json:"serialNumber,omitempty"`
		Version      int             `json:"version"`
		Metadata     cdxMetadata     `json:"metadata"`
		Components   []cdxComponent  `json:"components"`
		Dependencies []cdxDependency `json:"dependencies"`
		Compositions []cdxCompleted  `json:"compositions"`
		Formulation  []cdxFormula    `json:"formulation,omitempty"`
	}
	cdxMetadata struct {
		Timestamp  string        `json:"timestamp"`
		Lifecycles []cdxPhase    `json:"lifecycles"`
		Tools      cdxTools      `json:"tools"`
		Component  cdxComponent  `json:"component"`
		Supplier   *cdxSupplier  `json:"supplier,omitempty"`
		Properties []cdxProperty `json:"properties,omitempty"`
	}
	cdxPhase struct {
		Phase string `json:"phase"`
	}
	cdxTools struct {
		Components []cdxComponent `json:"components"`
	}
	cdxComponent struct {
		Type        string         `json:"type"`
		Ref         string         `json:"bom-ref,omitempty"`
		Supplier    *cdxSupplier   `json:"supplier,omitempty"`
		Authors     []cdxAuthor    `json:"authors,omitempty"`
		Name        string         `json:"name"`
		Version     string         `json:"version,omitempty"`
		Description string         `json:"description,omitempty"`
		Scope       string         `json:"scope,omitempty"`
		Hashes      []cdxHash      `json:"hashes,omitempty"`
		Licences    []cdxLicence   `json:"licenses,omitempty"`
		PURL        string         `json:"purl,omitempty"`
		References  []cdxReference `json:"externalReferences,omitempty"`
		Properties  []cdxProperty  `json:"properties,omitempty"`
	}
	cdxSupplier struct {
		Name string `json:"name"`
	}
	cdxAuthor struct {
		Name  string `json:"name,omitempty"`
		Email string `json:"email,omitempty"`
	}
	cdxHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	cdxLicence struct {
		Expression string   `json:"expression,omitempty"`
		Named      *cdxName `json:"license,omitempty"`
	}
	cdxName struct {
		Name string `json:"name"`
	}
	cdxReference struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	cdxProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	cdxDependency struct {
		Ref     string   `json:"ref"`
		Depends []string `json:"dependsOn,omitempty"`
	}
	cdxCompleted struct {
		Aggregate    string   `json:"aggregate"`
		Assemblies   []string `json:"assemblies,omitempty"`
		Dependencies []string `json:"dependencies,omitempty"`
	}
	cdxFormula struct {
		Ref        string         `json:"bom-ref"`
		Components []cdxComponent `json:"components"`
		Workflows  []cdxWorkflow  `json:"workflows,omitempty"`
	}
	cdxWorkflow struct {
		Ref       string    `json:"bom-ref"`
		UID       string    `json:"uid"`
		Name      string    `json:"name"`
		TaskTypes []string  `json:"taskTypes"`
		Tasks     []cdxTask `json:"tasks"`
	}
	cdxTask struct {
		Ref       string   `json:"bom-ref"`
		UID       string   `json:"uid"`
		Name      string   `json:"name"`
		TaskTypes []string `json:"taskTypes"`
	}
)

// CycloneDX encodes a bill as CycloneDX 1.6 JSON. The serial number is made of
// the content.
func CycloneDX(b Bill) ([]byte, error) {
	b.sort()
	doc := cdxBOM{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: cdxMetadata{
		Timestamp: b.Time.UTC().Format(time.RFC3339), Lifecycles: []cdxPhase{{"build"}},
		Tools:     cdxTools{[]cdxComponent{{Type: "application", Name: "espalier", Version: b.Tool}}},
		Component: cdxOf(b.Firmware), Supplier: supplier(b.Firmware.Supplier), Properties: cdxProperties(b.Notes),
	}}
	inside := map[string]bool{b.Firmware.ID: true}
	for _, c := range b.Inside {
		inside[c.ID] = true
	}
	whole := cdxCompleted{Aggregate: "complete", Dependencies: []string{b.Firmware.ID}}
	for _, c := range append([]Component{b.Firmware}, b.Inside...) {
		d := cdxDependency{Ref: c.ID, Depends: within(c.Depends, inside)}
		doc.Dependencies = append(doc.Dependencies, d)
		if c.ID != b.Firmware.ID {
			one := cdxOf(c)
			one.Scope = "required"
			doc.Components = append(doc.Components, one)
		}
	}
	doc.Compositions = []cdxCompleted{whole}
	f := cdxFormula{Ref: "formula"}
	for _, c := range b.Build {
		f.Components = append(f.Components, cdxOf(c))
	}
	if len(b.Steps) > 0 {
		w := cdxWorkflow{Ref: "build", UID: b.Steps[len(b.Steps)-1].Action.String(), Name: "espalier build", TaskTypes: []string{"build"}}
		for i, s := range b.Steps {
			w.Tasks = append(w.Tasks, cdxTask{Ref: fmt.Sprintf("step-%d", i+1), UID: s.Action.String(), Name: s.Name, TaskTypes: []string{"build"}})
		}
		f.Workflows = []cdxWorkflow{w}
	}
	if len(f.Components) > 0 {
		doc.Formulation = []cdxFormula{f}
	}
	text, err := encode(doc)
	if err != nil {
		return nil, err
	}
	doc.SerialNumber = "urn:uuid:" + uuid(text)
	return encode(doc)
}

// uuid is a UUID of version 8 (RFC 9562, section 5.8) that names a content.
func uuid(b []byte) string {
	sum := sha256.Sum256(b)
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

func encode(doc any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(doc)
	return b.Bytes(), err
}

// within keeps the IDs that are in a set, sorted.
func within(ids []string, set map[string]bool) []string {
	var out []string
	for _, id := range ids {
		if set[id] && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func cdxOf(c Component) cdxComponent {
	out := cdxComponent{
		Type: cdxType(c.Kind), Ref: c.ID, Name: c.Name, Version: c.Version, Description: c.Description, PURL: c.PURL,
		Supplier: supplier(c.Supplier), Properties: cdxProperties(c.Notes),
	}
	for _, a := range c.Authors {
		name, mail := author(a)
		out.Authors = append(out.Authors, cdxAuthor{name, mail})
	}
	if !c.Digest.IsZero() {
		out.Hashes = []cdxHash{{"SHA-256", c.Digest.Hash}}
	}
	switch {
	case isExpression(c.Licence):
		out.Licences = []cdxLicence{{Expression: c.Licence}}
	case c.Licence != "":
		out.Licences = []cdxLicence{{Named: &cdxName{c.Licence}}}
	}
	if c.Repository != "" {
		out.References = []cdxReference{{"vcs", c.Repository}}
	}
	if c.Commit != "" {
		out.Properties = append(out.Properties, cdxProperty{"espalier:commit", c.Commit})
	}
	return out
}

func cdxType(k Kind) string {
	switch k {
	case Firmware, Bootloader:
		return "firmware"
	case Program:
		return "file"
	case Data:
		return "data"
	case Tool:
		return "application"
	}
	return "library"
}

func supplier(name string) *cdxSupplier {
	if name == "" {
		return nil
	}
	return &cdxSupplier{name}
}

func cdxProperties(notes []Note) (out []cdxProperty) {
	for _, n := range notes {
		out = append(out, cdxProperty{"espalier:" + n.Name, n.Value})
	}
	return out
}

// author splits "Name <address>".
func author(s string) (name, mail string) {
	name, rest, found := strings.Cut(s, "<")
	if mail, _, ok := strings.Cut(rest, ">"); found && ok && strings.Contains(mail, "@") && !strings.ContainsAny(mail, " ,") {
		return strings.TrimSpace(name), mail
	}
	return strings.TrimSpace(s), ""
}
