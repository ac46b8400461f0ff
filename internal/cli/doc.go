// Package cli is the command line: the tree of verbs, the flags that all of them
// have, and the mapping from errors to exit codes. A verb turns flags into values,
// gives them to packages and their results to package ui; its logic is elsewhere.
// No package imports cli.
//
// A new verb is a file with a constructor and one line in verbs.go.
package cli
