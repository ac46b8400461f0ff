// Package tomldoc is a TOML document as a tree in which every key and value
// knows its line and column, and a Reader that takes typed values out of it
// with errors a person can act on. Bytes come in, a tree or one positioned
// error comes out. It knows nothing of what the keys mean and writes nothing.
package tomldoc
