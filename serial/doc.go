// Package serial opens serial ports: devices of this machine, TCP, RFC 2217 and
// pseudo-terminals. A Port transfers bytes with a timeout on every read, changes
// its speed, and sets both modem lines in one step where the system can. A Server
// shares a port over the network.
//
// Inputs are names and options; the output is an open Port. Errors are typed and
// have hints. The package does not interpret the bytes.
package serial
