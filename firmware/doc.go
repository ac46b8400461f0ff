// Package firmware is an ELF as a person sees it: functions, source lines with
// every inlined frame, executable ranges, the application descriptor, the
// metadata that esp crates leave, sizes by memory region.
//
// In comes an io.ReaderAt over an ELF file (32-bit little-endian RISC-V: a
// firmware or the mask ROM); out come values. It never writes, never prints,
// knows no ports and no clock. All methods are safe for concurrent readers;
// the address index is built once, on first use.
package firmware
