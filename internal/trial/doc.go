// Package trial builds and runs a project twice, with the pins that it has and
// with those of an update, and says what the update would break: Try compares the
// two, Bisect finds the crate and the version.
//
// Input: a plan of package updating, which has the copy of the project with the
// new versions. Output: a Result, a value. The project, its lock and its target
// directory are only read. Both sides run on the emulated board with [run] of
// espalier.toml, and the project's tests for the chip run, if it has any.
//
// A cause (FindCause) is the first failure in words: the compiler's first error,
// or what package explain finds in the log; the crate that is responsible, with
// the version that it moved from and to; the lines of the project that need a
// change. It is read from cargo's JSON messages and not from their rendering.
package trial
