package session

import (
	"io/fs"

	"espalier.dev/espalier/emu/testbed"
)

// Testbed is the environment for boards of which each has its own; files is what
// is served to them, nil without --serve. Forwarded ports, recordings and captures
// are of one board and are left out.
func (e *Environment) Testbed(files fs.FS) testbed.Config {
	cfg := testbed.Config{
		Network: e.network, SSID: e.ssid, Passphrase: e.passphrase, Channel: e.channel,
		Names: e.hosts, Faults: e.faults, Files: files,
	}
	cfg.Board.Seed = e.seed
	return cfg
}

// Serve is the directory that is served to the board; "" for none.
func (e *Environment) Serve() string { return e.serve }
