// Package cli is the command line: the tree of verbs (one file per verb, an
// options struct each), the flags that all share, and the mapping from errors
// to exit statuses. argv comes in, an exit status goes out. It may know every
// room, and no room knows it; what it does itself is only to wire rooms
// together and to choose words.
//
// A new verb is a file with a constructor and one line in verbs.go.
package cli
