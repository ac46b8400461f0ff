// Package firmware reads what a firmware's ELF says about itself: functions,
// source lines with every inlined frame, executable ranges, the application
// descriptor, the metadata of esp crates, sizes by memory region.
//
// The input is an io.ReaderAt over an ELF file (32-bit little-endian RISC-V: a
// firmware or the mask ROM). The package writes and prints nothing and uses no
// port and no clock. All methods are safe for concurrent readers; the address
// index is built once, on first use.
package firmware
