package sbom

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The types are those of the SPDX 2.3 JSON schema, with the fields that a Bill
// fills.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicence   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Comment       string             `json:"comment,omitempty"`
		Describes     []string           `json:"documentDescribes"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
		Licences      []spdxLicence      `json:"hasExtractedLicensingInfos,omitempty"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		Name        string          `json:"name"`
		ID          string          `json:"SPDXID"`
		Version     string          `json:"versionInfo,omitempty"`
		Supplier    string          `json:"supplier,omitempty"`
		Originator  string          `json:"originator,omitempty"`
		Location    string          `json:"downloadLocation"`
		Analysed    bool            `json:"filesAnalyzed"`
		Checksums   []spdxChecksum  `json:"checksums,omitempty"`
		Concluded   string          `json:"licenseConcluded"`
		Declared    string          `json:"licenseDeclared"`
		Copyright   string          `json:"copyrightText"`
		Description string          `json:"description,omitempty"`
		Comment     string          `json:"comment,omitempty"`
		References  []spdxReference `json:"externalRefs,omitempty"`
		Purpose     string          `json:"primaryPackagePurpose"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
	spdxLicence struct {
		ID   string `json:"licenseId"`
		Text string `json:"extractedText"`
		Name string `json:"name"`
	}
)

const noAssertion = "NOASSERTION"

// SPDX encodes a bill as SPDX 2.3 JSON. The namespace is made of the content.
func SPDX(b Bill) ([]byte, error) {
	b.sort()
	ids := map[string]string{}
	all := append(append([]Component{b.Firmware}, b.Inside...), b.Build...)
	for i, c := range all {
		ids[c.ID] = spdxID(i, c.Name)
	}
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicence: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: b.Firmware.Name,
		Creation:  spdxCreation{b.Time.UTC().Format(time.RFC3339), []string{"Tool: espalier-" + b.Tool}},
		Describes: []string{ids[b.Firmware.ID]},
	}
	if s := b.Firmware.Supplier; s != "" {
		doc.Creation.Creators = append(doc.Creation.Creators, "Organization: "+s)
	}
	for _, n := range b.Notes {
		doc.Comment += n.Name + ": " + n.Value + "\n"
	}
	licences := map[string]string{} // text to ID
	relate := func(from, kind, to string) {
		doc.Relationships = append(doc.Relationships, spdxRelationship{from, kind, to})
	}
	relate(doc.ID, "DESCRIBES", ids[b.Firmware.ID])
	for i, c := range all {
		doc.Packages = append(doc.Packages, doc.pack(c, ids[c.ID], licences))
		own := ids[c.ID]
		switch {
		case i == 0:
		case i <= len(b.Inside):
			relate(ids[b.Firmware.ID], "CONTAINS", own)
		default:
			relate(own, "BUILD_DEPENDENCY_OF", ids[b.Firmware.ID])
		}
		for _, d := range c.Depends {
			if to, ok := ids[d]; ok {
				relate(own, "DEPENDS_ON", to)
			}
		}
	}
	text, err := encode(doc)
	if err != nil {
		return nil, err
	}
	doc.Namespace = fmt.Sprintf("https://espalier.dev/spdx/%x", sha256.Sum256(text))
	return encode(doc)
}

// spdxID is an identifier of the letters that SPDX allows.
func spdxID(i int, name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, name)
	return "SPDXRef-" + strconv.Itoa(i) + "-" + clean
}

func (d *spdxDocument) pack(c Component, id string, licences map[string]string) spdxPackage {
	p := spdxPackage{
		Name: c.Name, ID: id, Version: c.Version, Location: noAssertion, Concluded: noAssertion, Declared: noAssertion,
		Copyright: noAssertion, Description: c.Description, Supplier: noAssertion, Purpose: spdxPurpose(c.Kind),
	}
	if c.Supplier != "" {
		p.Supplier = "Organization: " + c.Supplier
	}
	if len(c.Authors) > 0 {
		name, mail := author(c.Authors[0])
		p.Originator = "Person: " + name
		if mail != "" {
			p.Originator += " (" + mail + ")"
		}
	}
	if !c.Digest.IsZero() {
		p.Checksums = []spdxChecksum{{"SHA256", c.Digest.Hash}}
	}
	if c.Commit != "" && c.Repository != "" {
		p.Location = "git+" + c.Repository + "@" + c.Commit
	}
	if c.PURL != "" {
		p.References = []spdxReference{{"PACKAGE-MANAGER", "purl", c.PURL}}
	}
	switch {
	case isExpression(c.Licence):
		p.Declared = c.Licence
	case c.Licence != "":
		ref, ok := licences[c.Licence]
		if !ok {
			ref = fmt.Sprintf("LicenseRef-%d", len(licences)+1)
			licences[c.Licence] = ref
			d.Licences = append(d.Licences, spdxLicence{ref, c.Licence, c.Licence})
		}
		p.Declared = ref
	}
	var notes []string
	for _, n := range c.Notes {
		notes = append(notes, n.Name+": "+n.Value)
	}
	p.Comment = strings.Join(notes, "\n")
	return p
}

func spdxPurpose(k Kind) string {
	switch k {
	case Firmware, Bootloader:
		return "FIRMWARE"
	case Program:
		return "FILE"
	case Data:
		return "OTHER"
	case Tool:
		return "APPLICATION"
	}
	return "LIBRARY"
}
