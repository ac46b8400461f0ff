// Package proof compares two ELF files of one build and locates the difference:
// section, bytes, the text in them, and the likely cause. Differences are
// returned as values; the package neither builds nor prints.
package proof
