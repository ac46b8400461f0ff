// Package project is what the user wrote, as one value: cargo's files (package
// cargo), espalier.toml with the other layers of the configuration, and the
// files that make the input tree, each field with its origin.
//
// A directory and a lookup function for the environment come in, a Project
// comes out. The package only reads the working tree. It never edits, fetches
// or runs anything, does not read the process's environment, and does not
// depend on pins or stores.
package project
