// Package radio is the air around emulated chips: access points, and the
// medium that they share with the antennas of any number of chips.
//
// In come the frames that a chip transmits and Ethernet frames of the network
// behind an access point, with guest time; out go the same in the other
// direction and the instant of the next event. Nothing else decides what
// happens but the configuration, a schedule of faults and a seed: there is no
// goroutine, no host clock and no other source of chance.
//
// The package does not know the chip: it meets it in emu.Radio. It does not
// know what is behind an access point either: that is a Wire.
package radio
