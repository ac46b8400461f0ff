// Package chip holds the facts of the ESP32-C3 that an image builder, a loader
// and an inspector share: its number in image headers, its address map, the
// places of bootloader, partition table and application in flash. For the other
// chips of the family it has what is needed to name the one that a program was
// built for. It has values only and imports no other package.
//
// Sources: ESP32-C3 Technical Reference Manual, chapter "System and Memory";
// the Espressif firmware image format page for the header's chip numbers.
package chip
