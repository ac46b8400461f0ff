// Package export writes recipes that make a firmware again without espalier: from
// the files of an archive, with the same bytes as the result. Script is a POSIX
// shell script; Containerfile and Nix run its parts in other surroundings.
//
// Input: a Recipe, a value that says which blobs of the archive go where, the
// command of the build in one step (without a layer), and what the results must
// be. Output: text. The package reads no files and starts nothing.
//
// A recipe does not have espalier's sandbox. It checks every input by its digest
// and the results by theirs, so what the surroundings change is found, and not
// prevented.
package export

import (
	"slices"
	"strings"
)

// Recipe is what a build consists of.
type Recipe struct {
	Name     string   // of the firmware: app makes app.elf and app.bin
	Archive  string   // file name of the archive, beside the recipe
	Packages []string // hashes of Debian packages, in the order of unpacking
	Links    []Link   // in the root directory, that no package has
	Files    []File   // that are written into the root directory
	Dirs     []string // that must exist in the root directory
	Crates   []Crate
	Trees    []Tree // tar files: sources, git commits

	Argv []string // of the build
	Env  map[string]string
	Dir  string // where it starts, absolute
	Out  string // path of the ELF in the root directory

	ELF, Image string   // SHA-256 of what must come out
	Parts      []string // hashes of the chip's files that Pieces names, without the ELF
	Pieces     []Piece
}

// Link is a symbolic link.
type Link struct{ Name, Target string }

// File is a text.
type File struct{ Name, Text string }

// Crate is a crate's archive: its hash, and its directory in cargo's directory
// source.
type Crate struct{ Hash, Folder string }

// Tree is a tar file and the directory that it is unpacked in.
type Tree struct{ Hash, Dir string }

// hashes are all files of the archive that a recipe uses, sorted.
func (r Recipe) hashes() []string {
	out := slices.Clone(r.Packages)
	for _, c := range r.Crates {
		out = append(out, c.Hash)
	}
	for _, t := range r.Trees {
		out = append(out, t.Hash)
	}
	out = append(out, r.Parts...)
	slices.Sort(out)
	return slices.Compact(out)
}

// quote makes one word of a text for a POSIX shell.
func quote(s string) string {
	plain := func(c rune) bool {
		return strings.ContainsRune("-_./=:,+@%", c) || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	if s != "" && strings.IndexFunc(s, func(c rune) bool { return !plain(c) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// environment is "NAME=VALUE" for each variable, sorted.
func (r Recipe) environment() []string {
	var out []string
	for k, v := range r.Env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
