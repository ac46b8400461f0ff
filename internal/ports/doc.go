// Package ports lists serial ports, chooses that of a project's board and remembers it.
// The order is: the name on the command line, the environment, the port that the
// project remembers, the only port with a probable board. A USB device is
// remembered by its serial number, since the names of devices change.
package ports
