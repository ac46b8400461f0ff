// Package dot11 is the form of IEEE 802.11 frames: a view over bytes with the
// standard's names, elements, and CCMP. The Wi-Fi MAC of the chip and the air
// both speak it.
//
// In come bytes, out go bytes. Nothing here waits, keeps state or knows what a
// frame is for. Numbers in comments are clauses of IEEE Std 802.11-2020.
package dot11
