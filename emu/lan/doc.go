// Package lan is the network behind the emulated access point: a router with
// DHCP, DNS, SNTP, ICMP, TCP and UDP over IPv4 and IPv6, and a few servers.
// Ethernet frames and guest time come in, Ethernet frames and the instant of
// the next deadline go out.
//
// By itself it is an island: nothing that a guest sends leaves it, and the same
// frames at the same times are answered with the same bytes. The outside, where
// it is wanted, is an Uplink that somebody else provides; this package opens no
// connection, runs nothing in parallel and reads no clock. It knows neither the
// air nor the chip.
package lan
