// Package audit compares a lock with a database of advisories in the form of RustSec:
// one Markdown file for each, which begins with a TOML block. It reads no files and
// makes no connection; the caller gives it the files of the database.
package audit
