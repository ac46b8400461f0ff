// Package workspace is a project that has been opened for work: its
// configuration, its store, the sandbox, and from these its pins, its plan, its
// firmware and what verbs derive from it (a check, a verification, test programs,
// a budget). An Opener says where the project is and what the command line and the
// environment say; a Selection which part of the project is meant. Notes for the
// user go to package ui; results are returned. The package knows neither flags nor
// boards.
package workspace
