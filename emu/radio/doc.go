// Package radio simulates the 2.4 GHz environment of emulated chips: the wireless
// medium, to which the antennas of any number of chips are connected, and access
// points with WPA2-Personal.
//
// The frames that a chip transmits and the Ethernet frames of the distribution
// system go in, with guest time; the frames that a chip receives, Ethernet frames
// and the instant of the next event come out. The result depends on nothing but
// the configuration, the fault schedule and the seed: there is no goroutine, no
// host clock and no other source of random numbers.
//
// The package does not depend on the chip, whose side of the antenna is
// emu.Radio, nor on the network of an access point, which is a
// DistributionSystem. Numbers in comments are clauses of IEEE Std 802.11-2020.
package radio
