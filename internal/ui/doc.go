// Package ui is the only code that prints. Values, notes, progress and errors
// come in; lines, tables, progress bars, colours and JSON events go out, on the
// two streams that it was given. It does not
// depend on what it prints: of this module it imports fault and progress only.
//
// The rules of the terminal are at the top of terminal.go.
package ui
