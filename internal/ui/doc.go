// Package ui is the only code that prints: it writes values, notes, progress and
// errors as lines, tables, progress bars, colours and JSON events to the two
// streams that it was given. It does not depend on what it prints: of this module
// it imports fault and progress only.
//
// The rules of the terminal are at the top of terminal.go.
package ui
