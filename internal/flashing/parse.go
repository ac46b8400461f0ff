package flashing

import (
	"context"
	"fmt"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
)

// ParseBefore reads how the loader is reached: default-reset (also ""), usb-reset
// or no-reset. The error is a fault.Usage.
func ParseBefore(s string) (loader.Before, error) {
	switch s {
	case "default-reset", "":
		return loader.ResetAuto, nil
	case "usb-reset":
		return loader.ResetUSB, nil
	case "no-reset":
		return loader.NoReset, nil
	}
	return 0, fault.New(fault.Usage, fmt.Sprintf("--before %s: want default-reset, usb-reset or no-reset", s))
}

// ParseAfter reads how the board is left: hard-reset (also ""), watchdog-reset or
// no-reset. The error is a fault.Usage.
func ParseAfter(s string) (loader.After, error) {
	switch s {
	case "hard-reset", "":
		return loader.HardReset, nil
	case "watchdog-reset":
		return loader.WatchdogReset, nil
	case "no-reset":
		return loader.StayInLoader, nil
	}
	return 0, fault.New(fault.Usage, fmt.Sprintf("--after %s: want hard-reset, watchdog-reset or no-reset", s))
}

// ReadStub reads the flasher stub. The loader works without it, so that a stub
// which cannot be had is nil with the reason why; err is about a file that the
// user named in chips.
func ReadStub(ctx context.Context, chips chipfiles.Finder) (s *loader.Stub, why, err error) {
	named := chips.Paths.Stub
	b, err := chips.Stub(ctx)
	if err == nil {
		if s, err = loader.ParseStub(b); err == nil {
			return s, nil, nil
		}
		err = fault.Wrap(fault.Usage, err, named)
	}
	if named != "" {
		return nil, nil, err
	}
	return nil, err, nil
}
