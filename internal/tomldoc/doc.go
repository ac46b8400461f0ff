// Package tomldoc is a TOML document as a tree in which every key and value
// knows its line and column, and a Reader that takes typed values out of it
// with errors that have a position. It does not know what the keys mean and
// writes nothing.
package tomldoc
