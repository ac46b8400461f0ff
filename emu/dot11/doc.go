// Package dot11 encodes and decodes IEEE 802.11 frames: views over bytes with the
// names of the standard, information elements, and CCMP. The Wi-Fi MAC of the chip
// and the access point use it.
//
// Bytes go in, bytes come out: the package has no state and no clock, and does not
// depend on the meaning of a frame. Numbers in comments are clauses of IEEE Std
// 802.11-2020.
package dot11
