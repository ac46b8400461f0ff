package emutest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// chipPaths name the chip's files; "" is the one that espalier has fetched.
type chipPaths struct{ rom, bootloader string }

// finder returns what finds the chip's files.
func (p chipPaths) finder() chipfiles.Finder {
	paths := chipfiles.Paths{ROM: p.rom, Bootloader: p.bootloader}
	return chipfiles.Finder{Paths: paths.WithEnvironment(os.LookupEnv), OpenStore: openStore}
}

// openStore opens the store of espalier, but does not create one.
func openStore(ctx context.Context) (*store.Store, error) {
	dir := os.Getenv("ESPALIER_STORE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("opening the store of espalier: %w", err)
		}
		dir = filepath.Join(cache, "espalier")
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, &noStoreError{dir, err}
	}
	return store.Open(ctx, dir)
}

// noStoreError is a machine on which espalier has never fetched anything.
type noStoreError struct {
	dir string
	err error
}

func (e *noStoreError) Error() string { return "no store of espalier at " + e.dir }
func (e *noStoreError) Unwrap() error { return e.err }

// readROM returns the mask ROM.
func (p chipPaths) readROM(ctx context.Context) ([]byte, error) {
	b, err := p.finder().ROM(ctx, chipfiles.EmulatedRevision)
	return b, explain(err, "mask ROM")
}

// readBootloader returns the second-stage bootloader.
func (p chipPaths) readBootloader(ctx context.Context) ([]byte, error) {
	b, err := p.finder().Bootloader(ctx, image.DIO)
	return b, explain(err, "second-stage bootloader")
}

// explain adds what to type to an error.
func explain(err error, what string) error {
	if err == nil {
		return nil
	}
	hints := fault.Hints(err)
	var none *noStoreError
	if len(hints) == 0 || errors.As(err, &none) {
		hints = []string{
			"espalier demo    # fetches mask ROM and bootloader",
			"espalier fetch   # the same in a project that has an espalier.lock",
		}
	}
	return fmt.Errorf("%s of the ESP32-C3: %w\n\t%s", what, err, strings.Join(hints, "\n\t"))
}
