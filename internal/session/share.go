package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

// ShareOptions say how the serial port of an emulated board is shared with other
// programs, and for how long.
type ShareOptions struct {
	Sharing
	Download bool          // start in the mask ROM's serial loader
	Log      string        // file for every byte of the board; "": none
	Timeout  time.Duration // of the host's clock; fault.Timeout then; 0: none
	For      time.Duration // end without an error after this time; 0: none
}

// Share powers on an emulated board and shares its serial port until ctx ends or
// the time is over. It returns the content of the flash, also with an error of
// the board or of sharing.
func Share(ctx context.Context, cfg EmulatedConfig, opt ShareOptions, symbols *firmware.Symbols) (flash []byte, err error) {
	around := surroundings{ui: cfg.UI}
	defer func() {
		if e := around.Close(); err == nil {
			err = e
		}
	}()
	board := emu.Config{ROM: cfg.ROM, Flash: cfg.Flash, Strict: cfg.Strict, USBHost: cfg.USB}
	if opt.Download {
		board.Strap = emu.StrapDownload
	}
	if opt.Log != "" {
		log, err := around.file(opt.Log)
		if err != nil {
			return nil, err
		}
		board.Output = func(r emu.Output) { _, _ = log.Write(r.Data) } // Close returns the error
	}
	tcp := strings.HasPrefix(opt.Address, "tcp:")
	options := emuport.Options{Pace: cfg.Speed, NoLines: tcp, AnyBaud: tcp}
	if cfg.USB {
		options.Stream = emu.USB
	}
	if err := around.open(cfg.Environment, board); err != nil {
		return nil, err
	}
	port, err := emuport.New(around.bed.Config, options)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "emulated board")
	}
	if err := around.bed.Attach(port.Board()); err != nil {
		return nil, err
	}
	opt.Event = func(text string) { cfg.UI.Debugf("%s", text) }
	err = shareFor(ctx, port, opt)
	port.Do(func(b *emu.Board) { flash = b.Flash() })
	return flash, unsupported(err, func() *firmware.Symbols { return symbols })
}

// shareFor shares a port until the time is over.
func shareFor(ctx context.Context, port serial.Port, opt ShareOptions) error {
	limited := ctx
	for _, d := range []time.Duration{opt.Timeout, opt.For} {
		if d > 0 {
			var cancel context.CancelFunc
			limited, cancel = context.WithTimeout(limited, d)
			defer cancel()
		}
	}
	err := SharePort(limited, port, opt.Sharing)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	if opt.Timeout > 0 && (opt.For == 0 || opt.Timeout < opt.For) {
		return fault.New(fault.Timeout, "timeout")
	}
	return nil
}
