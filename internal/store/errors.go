package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"espalier.dev/espalier/internal/fault"
)

// Sentinels for errors.Is. The caller, which knows the origin of missing or
// corrupt content, can store it again.
var (
	ErrMissing = errors.New("not in the store")
	ErrCorrupt = errors.New("damaged in the store")
	ErrPresent = errors.New("already in the store")
)

// MismatchError is returned by PutExpected and Partial.Commit for bytes with
// another digest. They are discarded.
type MismatchError struct {
	Want, Got Digest // Got is zero when the stream was longer than expected and not read to its end
}

func (e *MismatchError) Error() string {
	if e.Got.IsZero() {
		return fmt.Sprintf("sha256 mismatch: want %s, got more than %d bytes", e.Want, e.Want.Size)
	}
	return fmt.Sprintf("sha256 mismatch: want %s, got %s", e.Want, e.Got)
}

// ConflictError reports that two sources of one tree have different entries for
// a path.
type ConflictError struct {
	Path              string
	First, Second     string // names of the sources
	FirstIs, SecondIs string // the entry of each, such as "symlink to usr/lib"
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("conflict at %s: %s from %s, %s from %s",
		e.Path, e.FirstIs, nameOf(e.First), e.SecondIs, nameOf(e.Second))
}

func nameOf(source string) string {
	if source == "" {
		return "an unnamed source"
	}
	return source
}

// mismatch is the error for received bytes with another digest.
func mismatch(want, got Digest) error {
	return fault.Wrap(fault.Pins, &MismatchError{Want: want, Got: got}, "")
}

// missing is the error for a missing blob, tree or result.
func missing(kind string, d Digest) error {
	return fault.Wrap(fault.Pins, ErrMissing, kind+" "+d.String(),
		"espalier fetch   # brings everything that espalier.lock names")
}

// corrupt is the error for stored bytes that do not match their name.
func corrupt(kind string, d Digest, detail string) error {
	return fault.Wrap(fault.Pins, fmt.Errorf("%w: %s", ErrCorrupt, detail), kind+" "+d.String(),
		"espalier fetch   # replaces it; the damaged bytes are in quarantine")
}

// writing classifies a file system error during a write to the store: a full
// disk and a store that is not writable are errors that a user can fix, and the
// store's location is part of the configuration.
func (s *Store) writing(what string, err error) error {
	if err == nil {
		return nil
	}
	text := "writing " + what + " to the store " + s.dir
	switch {
	case isFull(err):
		return full(text, err)
	case isReadOnly(err):
		return s.readOnlyError(text, err)
	}
	return fmt.Errorf("%s: %w", text, err)
}

// Full is the error of a program that ran out of space on the store's disk
// during the operation text.
func (s *Store) Full(text string) error {
	return full(text+" in the store "+s.dir, syscall.ENOSPC)
}

func full(text string, err error) error {
	return fault.Wrap(fault.Usage, err, text,
		"espalier gc   # removes what no lock and no recent build needs",
		"ESPALIER_STORE=/path/on/a/larger/disk espalier ...   # puts the store elsewhere")
}

func (s *Store) readOnlyError(text string, err error) error {
	return fault.Wrap(fault.Usage, err, text,
		"ESPALIER_STORE=/path/that/you/can/write espalier ...   # the store here can only be read")
}

// mayWrite returns an error for a read-only store. All writing functions call
// it first.
func (s *Store) mayWrite(what string) error {
	if s.readOnly {
		return s.readOnlyError("writing "+what+" to the store "+s.dir, fs.ErrPermission)
	}
	return nil
}

func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
