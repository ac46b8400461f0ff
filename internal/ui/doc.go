// Package ui is the only code that prints. Values, notes, progress and errors
// come in; lines, tables, progress bars, colours and JSON events go out, on the
// two streams that it was given. It knows nothing of what it prints: it
// imports no room but fault and progress.
//
// The rules that it keeps stand at the top of terminal.go.
package ui
