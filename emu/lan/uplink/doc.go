// Package uplink is the only way out of the island: a lan.Uplink over the
// host's sockets. Connections and datagrams of the guest become connections and
// datagrams of this process, and ports of the host become ports of the guest.
// Nothing of it is in use unless somebody asked for it, and a run with it is not
// the same twice; it can be recorded and played again (emu/recording).
package uplink
