// Package defmt turns the frames of defmt, a logger that leaves its texts in
// the ELF and sends numbers, back into lines.
//
// In come the symbols of the section .defmt (NewTable) and the bytes of
// frames (Unpack, Decoder); out go level, timestamp and message, as
// defmt-print shows them. Wire formats 3 and 4, encodings raw and rzcobs. It
// knows no ELF, no port and no clock; bytes that make no sense are an error,
// never a panic, and cost memory in proportion to their number.
//
// Sources: the defmt book (https://defmt.ferrous-systems.com), chapters
// "Interning", "Serialization" and "Display hints", and the behaviour of
// defmt-print 1.x, with which the tests compare.
package defmt
