// Package serial is the wire between a computer and a board: real ports, TCP,
// RFC 2217, pseudo-terminals. A Port carries bytes with a deadline on every
// read, changes its speed, and sets both modem lines in one step where the
// system can.
//
// Names and options come in, an open Port goes out. Everything that goes wrong
// is a typed error with hints. The package does not know what the bytes mean,
// nor who is at the other end.
package serial
