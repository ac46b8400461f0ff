// Package elfstrip removes debug information from programs, shared libraries,
// object files and archives of these: what remains links and runs as before.
//
// Input: the file, for random access. Output: the smaller file as a stream of
// its parts, so no file is in memory as a whole. The result is a function of
// the content alone. A file of another format, and one that does not agree
// with the ELF specification, is left as it is.
package elfstrip
