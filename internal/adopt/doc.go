// Package adopt reads a cargo project that other tools have built so far and
// finds what is in its files only because of them: development dependencies
// that repeat crates of the standard library, flags that declare atomic
// instructions, linkers, settings of cargo that no longer do anything. Each
// finding has a file and line, a reason, and says whether it can be deleted as
// the project is.
//
// A Project comes in, findings and edits come out; Write is the only function
// that changes files. The package fetches and builds nothing.
package adopt
