// Package tomldoc is a TOML document as a tree in which every key and value
// knows its line and column. It reads; it writes nothing.
package tomldoc

// Pos is a place in a file, 1-based; the zero Pos is no place.
type Pos struct{ Line, Col int }
