// Package loader talks to the serial loader in the ESP32-C3's mask ROM, and
// with the flasher stub that it can be given, from the host's side of a
// serial.Port.
//
// A port and parts (name, offset, bytes) come in; the flash holds them when
// Write returns nil, and only what differed was written. Sources: Espressif's
// serial protocol page, the ESP32-C3 Technical Reference Manual, and the ROM
// itself. The package prints nothing, and does not know whether the chip at
// the other end is real.
package loader
