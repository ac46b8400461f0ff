// Package tape writes down a run of a board so that it can be played again,
// bit for bit, without the air, the network and the person that took part in
// it. A Recorder sits between a chip and its emu.Radio and sees everything that
// the outside does to the chip over the air; the board itself knows its other
// inputs. A Recording is the same, read back: what the air did is an emu.Radio
// again, which also notices when the board does something else than it did.
//
// It knows neither the air nor the chip, and no file: bytes go to an io.Writer
// and come from an io.Reader. docs/network.md has the format.
package tape
