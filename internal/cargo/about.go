package cargo

import (
	"strings"

	"espalier.dev/espalier/internal/tomldoc"
)

// About is what a manifest says about a package for its users: The Cargo Book,
// The Manifest Format. Fields that it does not have are empty.
type About struct {
	License     string // an SPDX expression, with OR where old manifests have "/"
	LicenseFile string
	Authors     []string // as written: "Name <address>"
	Repository  string
	Homepage    string
	Description string
}

// ParseAbout reads the manifest of a package. workspace is the manifest that it
// inherits fields from, nil without one. Fields of another form are skipped:
// cargo has accepted the manifest, and it may be newer than this program.
func ParseAbout(name string, text, workspace []byte) (About, error) {
	doc, err := tomldoc.Parse(name, text)
	if err != nil {
		return About{}, err
	}
	var shared *tomldoc.Node
	if workspace != nil {
		root, err := tomldoc.Parse(name, workspace)
		if err != nil {
			return About{}, err
		}
		shared = root.Get("workspace", "package")
	}
	pkg := doc.Get("package")
	field := func(key string) *tomldoc.Node {
		n := pkg.Get(key)
		if n != nil && n.Kind == tomldoc.Table {
			return shared.Get(key) // { workspace = true }
		}
		return n
	}
	plain := func(key string) string {
		if n := field(key); n != nil && n.Kind == tomldoc.String {
			return n.Text
		}
		return ""
	}
	a := About{
		License: license(plain("license")), LicenseFile: plain("license-file"), Repository: plain("repository"),
		Homepage: plain("homepage"), Description: plain("description"),
	}
	if n := field("authors"); n != nil && n.Kind == tomldoc.Array {
		for _, item := range n.Elem {
			if item.Kind == tomldoc.String && item.Text != "" {
				a.Authors = append(a.Authors, item.Text)
			}
		}
	}
	return a, nil
}

// Inherits reports whether a manifest takes fields of About from its workspace.
func Inherits(text []byte) bool {
	doc, err := tomldoc.Parse("Cargo.toml", text)
	if err != nil {
		return false
	}
	for _, key := range []string{"license", "license-file", "authors", "repository", "homepage", "description"} {
		if n := doc.Get("package", key); n != nil && n.Kind == tomldoc.Table {
			return true
		}
	}
	return false
}

// license writes the form that cargo accepted before SPDX expressions,
// "MIT/Apache-2.0", as one.
func license(s string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, " OR ")
}
