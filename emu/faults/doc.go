// Package faults is the time line of what goes wrong with an emulated network:
// text such as "at 2s deauth" comes in, a Schedule that can be asked what is
// wrong at an instant of guest time goes out. The access point (emu/radio) and
// the network behind it (emu/lan) ask; neither is known here. A schedule is a
// pure value: the same text gives the same run. docs/network.md has the table.
package faults
