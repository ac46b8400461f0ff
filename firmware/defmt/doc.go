// Package defmt decodes the frames of defmt, a logger whose format strings
// are in the ELF and whose frames have their numbers and the arguments.
//
// A Table is made of the symbols of the section .defmt (NewTable); Unpack and
// Decoder take the bytes of frames and return level, timestamp and message, as
// defmt-print shows them. Wire formats 3 and 4, encodings raw and rzcobs. The
// package uses no ELF, port or clock; malformed bytes are an error, never a
// panic, and use memory in proportion to their number.
//
// Sources: the defmt book (https://defmt.ferrous-systems.com), chapters
// "Interning", "Serialization" and "Display hints", and the behaviour of
// defmt-print 1.x, with which the tests compare.
package defmt
