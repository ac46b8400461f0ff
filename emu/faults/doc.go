// Package faults is the schedule of faults that are injected into the network of
// an emulated board. Text such as "at 2s deauth" goes in; a Schedule, which
// returns the faults that are active at an instant of guest time, comes out. The
// access point (emu/radio) and its network (emu/lan) query it. A schedule is a
// value: the same text gives the same run. docs/network.md has the table of
// faults.
package faults
