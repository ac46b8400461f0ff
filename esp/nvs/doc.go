// Package nvs reads and writes partitions of ESP-IDF's non-volatile storage: typed
// values under a key in a namespace, on raw flash, plain or encrypted.
//
// Open takes the bytes of a partition, also of a damaged one, and says what is lost.
// Set and Erase return the flash operations that make the change, in an order that
// is safe when it is interrupted after any of them, or within one: the partition
// then has either the old or the new value, and all others. They change nothing
// else. The format is that of "Non-volatile Storage Library" and "NVS Encryption"
// in the ESP-IDF Programming Guide, versions 1 and 2.
//
// It is a function of its input: bytes in, values and operations out.
package nvs
