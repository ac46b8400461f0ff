// Package proof compares builds and says what their difference means: which
// section, which bytes, which text in them, and the likely cause. Two ELF files
// come in, differences as values go out; it neither builds nor prints.
package proof
