package session

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// surroundings are the testbed of one board and the files that it reads and
// writes.
type surroundings struct {
	ui      *ui.UI
	bed     *testbed.Testbed
	closers []func() error
}

// Close closes the network and the files, the latest first, and returns the
// first error.
func (s *surroundings) Close() error {
	var first error
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](); err != nil && first == nil {
			first = err
		}
	}
	s.closers = nil
	return first
}

// file creates a file that Close closes.
func (s *surroundings) file(name string) (*outputFile, error) {
	f, err := createFile(name)
	if err == nil {
		s.closers = append(s.closers, f.Close)
	}
	return f, err
}

// open prepares the testbed of a board; e may be nil for a board without a
// network. The board is to be made of s.bed.Config.
func (s *surroundings) open(e *Environment, board emu.Config) error {
	if e == nil {
		e = &Environment{network: testbed.None}
	}
	board.Seed = e.seed
	cfg := testbed.Config{
		Board: board, Network: e.network, SSID: e.ssid, Passphrase: e.passphrase, Channel: e.channel,
		Names: e.hosts, Forward: e.forward, Faults: e.faults, Note: e.note(),
	}
	if s.ui.Verbose() {
		cfg.Log = func(at time.Duration, line string) { s.ui.Debugf("%.6f network: %s", at.Seconds(), line) }
	}
	cfg.Warn = func(reason string) { s.ui.Note("the run is not reproducible: %s", reason) }
	if err := s.files(e, &cfg); err != nil {
		return err
	}
	bed, err := testbed.Prepare(cfg)
	if err != nil {
		return environmentError(e, err)
	}
	s.bed = bed
	s.closers = append(s.closers, bed.Close)
	if e.network == testbed.Host && e.replay == "" {
		s.ui.Note("the board can reach the network of this machine (--net host); the run is not reproducible without --record")
	}
	for i, addr := range bed.Forwarded() {
		s.ui.Note("%s is forwarded to port %d of the board", addr, e.forward[i].Port)
	}
	return nil
}

// files opens the files of the testbed. Their errors of writing are returned by
// Close.
func (s *surroundings) files(e *Environment, cfg *testbed.Config) error {
	if e.replay != "" {
		f, err := os.Open(e.replay)
		if err != nil {
			return fault.Opening(e.replay, err)
		}
		s.closers = append(s.closers, f.Close)
		cfg.Replay = f
		return nil
	}
	if e.serve != "" && e.network != testbed.None {
		files, err := s.directory(e.serve)
		if err != nil {
			return err
		}
		cfg.Files = files
	}
	if e.capture != "" {
		f, err := s.file(e.capture)
		if err != nil {
			return err
		}
		cfg.Capture = f
	}
	if e.record != "" {
		f, err := s.file(e.record)
		if err != nil {
			return err
		}
		cfg.Record = f
	}
	return nil
}

// directory opens a directory whose symbolic links cannot lead out of it.
func (s *surroundings) directory(dir string) (fs.FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Opening(dir, err)
	}
	s.closers = append(s.closers, root.Close)
	return root.FS(), nil
}

// environmentError gives an error of the testbed its kind.
func environmentError(e *Environment, err error) error {
	var mismatch *testbed.MismatchError
	var network *testbed.NetworkError
	switch {
	case errors.As(err, &mismatch):
		return fault.Wrap(fault.Differ, err, e.replay, "use the same firmware, --seed and --usb as when it was recorded")
	case errors.As(err, &network):
		return fault.Wrap(fault.Port, err, "", "another port: --forward 0:80 takes a free one")
	case e.replay != "":
		return fault.Wrap(fault.Usage, err, "reading "+e.replay)
	}
	return fault.Wrap(fault.Usage, err, "emulated network")
}
