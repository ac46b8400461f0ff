// Package chipfiles finds Espressif's files of the ESP32-C3 that a firmware
// needs around it: mask ROM by chip revision, second-stage bootloader by flash
// mode, flasher stub. They are never part of espalier: a lock pins them by
// content (or this version of espalier does, where there is no lock), the crate
// that carries them is fetched as every crate is, and the store holds them as
// blobs. A Set answers from one set of pins, a Finder also from files that the
// user names. The package fetches nothing itself: a Finder's Bring does.
package chipfiles
