// Package pin resolves the names of a project to pins (Lock) and fetches what
// pins name (Fetch, Pins). These are the only operations of espalier that use
// the network for inputs. Everything that is fetched is verified by content.
//
// A project and an older lock come in, a new lock goes out; no file of the
// project is written. What a pin means for a build is internal/build's part,
// the format of the file internal/lock's.
package pin
