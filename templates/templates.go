// Package templates contains the projects that espalier new copies. Each
// directory is an ordinary cargo project that can be built and run in place;
// there are no placeholders. A new project gets another package name, nothing
// else.
package templates

import "embed"

// FS has one directory per template. Directories that cargo creates (target) are
// not part of a template.
//
//go:embed all:hello all:http-client all:http-client-embassy
var FS embed.FS
