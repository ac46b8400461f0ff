// Package templates holds the projects that espalier new starts from. Each
// folder is an ordinary cargo project that can be opened, built and run where
// it is; nothing in it is a placeholder. What a new project changes is the
// package's name.
package templates

import "embed"

// FS has one folder per template. Folders that cargo makes (target) are not
// part of a template.
//
//go:embed all:hello all:http-client all:http-client-embassy
var FS embed.FS
