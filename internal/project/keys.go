package project

import (
	"slices"

	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/tomldoc"
)

// espalierTables are the tables of espalier.toml and their keys.
var espalierTables = []struct {
	name string
	keys []string
	user bool // allowed in the user file: does not change what is built
}{
	{"build", []string{"package", "bin", "example", "profile", "target", "features", "no-default-features", "all-features", "include", "env"}, false},
	{"image", []string{"flash-mode", "flash-size", "flash-freq", "partition-table", "partition-table-offset", "target-app-partition", "bootloader", "min-chip-rev"}, false},
	{"secret", nil, false}, // names of secrets
	{"nvs", []string{"partition", "encrypted", "keys", "devices"}, false}, // and namespaces
	{"budget", []string{"flash", "ram", "stack"}, false},                  // and the names of crates
	{"run", []string{"expect", "fail", "timeout", "for", "log"}, true},
	{"net", []string{"ssid", "passphrase", "channel", "mode", "hosts", "forward", "serve"}, true},
	{"faults", []string{"schedule", "seed"}, true},
	{"board", board.Keys(), true},
	{"supply", []string{"prefixes", "source", "rust-dist", "rust-keys"}, true},
	{"toolchain", []string{"accept"}, false},
	{"store", []string{"dir", "limit"}, true},
	{"remote", []string{"cache", "execute", "runner", "instance", "mode", "token-file", "token-header", "ca", "certificate", "key"}, true}, // the user's own only
}

// Keys returns the keys of espalier.toml with their tables, such as
// "run.timeout", sorted.
func Keys() []string {
	var out []string
	for _, t := range espalierTables {
		for _, key := range t.keys {
			out = append(out, t.name+"."+key)
		}
	}
	slices.Sort(out)
	return out
}

// checkEspalier refuses unknown tables and keys, and in the user file those
// that would make the same project build differently for another person.
func checkEspalier(n *tomldoc.Node, user bool) error {
	if n == nil {
		return nil
	}
	r := &tomldoc.Reader{}
	var names []string
	for _, t := range espalierTables {
		names = append(names, t.name)
	}
	r.Known(n, "", names...)
	for _, t := range espalierTables {
		tab := r.Table(n, t.name)
		if t.name != "budget" && t.name != "secret" && t.name != "nvs" {
			r.Known(tab, t.name, t.keys...)
		}
		if tab != nil && user && !t.user {
			r.Fail(n.ErrorAt(n.KeyPos(t.name), "[%s] changes what is built and belongs into the project's %s, not into the user's", t.name, FileName))
		}
	}
	return r.Err()
}
