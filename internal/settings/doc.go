// Package settings brings values into NVS partitions: those that [nvs] of a project
// names and that belong to one device, and single ones that a user reads or changes.
// A partition is on a board behind a loader, in the content of an emulated board's
// flash, or in a file. Everything else in it stays, and a change may be interrupted
// (see esp/nvs). It builds nothing and prints nothing.
package settings
