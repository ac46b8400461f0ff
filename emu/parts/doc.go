// Package parts has components that are connected to the pins of an emulated
// board, as emu.Part: sensors on an I2C bus and others.
//
// A part sees levels of wires and the guest's time only, so that it works with a
// controller of the chip and with pins that firmware moves itself. Its state is
// part of the board's snapshots.
package parts
