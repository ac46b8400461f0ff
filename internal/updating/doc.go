// Package updating moves pins. A Plan says what would move, from and to which
// version, why, what it needs of the compiler, what stays behind and for which
// reason, which lines of the project's files change, and which known
// incompatible combinations result. It is a value, computed by New from a
// project, its lock and the names that were asked for; Apply writes it to the
// project, Discard forgets it.
//
// Versions are chosen by the pinned cargo in a sandboxed step, in a copy of the
// project inside the store: nothing is written to the project before Apply. The
// package has no resolver of its own. Requirements and the registry's index are
// read only to say why a version was not chosen.
//
// Crates of one family (Families) are released together and fit together only
// as of one day; the name of one selects all. Rules are known incompatible
// combinations, each with its source.
//
// Manifests change only when the request says so (Request.Edit).
package updating
