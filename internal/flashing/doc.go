// Package flashing plans what goes into a board's flash and drives the loader
// through it: which parts a file has, whether a file fits the place it is meant
// for, which ranges a partition name means, writing with the flash cache, reading
// into a file. Files and flags come in as values; a loader and a cache do the
// work. Report alone prints.
package flashing
