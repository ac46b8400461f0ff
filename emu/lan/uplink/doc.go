// Package uplink is a lan.Uplink over the host's sockets: connections and
// datagrams of the guest become connections and datagrams of this process, and
// ports of the host are forwarded to ports of the guest. It is the only package of
// the emulator that opens connections. A run with an uplink is not reproducible;
// it can be recorded and replayed (emu/recording).
package uplink
