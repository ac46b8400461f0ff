// Package pin resolves the names of a project to pins (Lock) and fetches what
// pins name (Fetch, Pins). These are the only operations of espalier that use
// the network for inputs. Everything that is fetched is verified by content.
//
// Lock takes a project and an older lock and returns a new lock; no file of the
// project is written. How a pin is used in a build is internal/build's part,
// the format of the file is internal/lock's.
package pin
