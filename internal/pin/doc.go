// Package pin turns names into pins and pins into bytes: it asks the
// suppliers what a project's names mean today (Lock), and brings everything
// that a lock names into the store (Fetch). These are the only two things in
// espalier that use the network for inputs, and everything that comes is
// believed by content alone.
//
// A project and an older lock come in, a new lock goes out. What a pin means
// for a build is internal/build's business; the file is internal/lock's.
package pin
