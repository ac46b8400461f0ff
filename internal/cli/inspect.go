package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
)

// largestInput bounds what inspect and emulate read into memory: an ELF with
// full debug information has tens of MiB.
const largestInput = 1 << 30

func newInspect(a *app) *cobra.Command {
	var port portOptions
	cmd := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "a lock, ELF, image, partition table or chip as a table or JSON",
		Long: `Show what is in a file: an ELF, an application or bootloader image, the image of a
whole flash, a partition table (CSV or binary), an espalier.lock. What the file is
follows from its content. Without FILE, the project's espalier.lock; - is
standard input. A file that the ESP32-C3 could not use is shown as far as it
goes, and the reason is an error. With --port, the chip of a board: revision, MAC
address, flash, security; it is reset for that, twice.` + exits(fault.Port, fault.Chip, fault.Pins),
		Example: `  espalier inspect                           the project's lock
  espalier inspect firmware.bin
  espalier inspect --json partitions.csv
  espalier inspect --port /dev/ttyACM0`,
		Args: args("[FILE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if cmd.Flags().Changed("port") {
				if len(names) > 0 {
					return fault.New(fault.Usage, "inspect: a FILE or --port, not both")
				}
				return inspectPort(cmd.Context(), a, port)
			}
			if len(names) == 0 {
				return a.inspectProjectLock()
			}
			b, err := a.readInput(cmd.Context(), names[0])
			if err != nil {
				return err
			}
			if err := a.inspect(names[0], b); err != nil {
				return atFile(names[0], err)
			}
			return nil
		},
	}
	port.addFlags(cmd.Flags())
	port.addAfter(cmd.Flags())
	return cmd
}

// readInput reads a file that the user named; "-" is standard input.
func (a *app) readInput(ctx context.Context, name string) ([]byte, error) {
	if name == "-" {
		return a.readStdin(ctx)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, openError(name, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, openError(name, err)
	}
	if st.IsDir() {
		return nil, fault.New(fault.Usage, fmt.Sprintf("opening %s: it is a directory", name))
	}
	if st.Size() > largestInput {
		return nil, fault.New(fault.Usage, fmt.Sprintf("opening %s: %d bytes are too many for a firmware", name, st.Size()))
	}
	b, err := io.ReadAll(io.LimitReader(f, largestInput))
	if err != nil {
		return nil, openError(name, err)
	}
	return b, nil
}

// readStdin reads standard input until it ends or ctx does: a person may have
// typed "-" and now wants to leave.
func (a *app) readStdin(ctx context.Context) ([]byte, error) {
	a.ui.Debugf("reading standard input")
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(a.stdin, largestInput))
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, fault.Wrap(fault.Usage, r.err, "reading standard input")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// openError says why a file cannot be read, without the system call's name.
func openError(name string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fault.Wrap(fault.Usage, err, "opening "+name)
}

// positioned is an error with a place in a text file.
type positioned interface {
	error
	Position() (line, col int, text string)
}

// atFile puts a file's name before an error, and line and column after the
// name where there are any: "partitions.csv:3:7: unknown type".
func atFile(name string, err error) error {
	var p positioned
	var other interface{ InFile() string }
	if errors.As(err, &other) {
		name = other.InFile()
	}
	if errors.As(err, &p) {
		line, col, text := p.Position()
		at := name
		if line > 0 {
			at += ":" + itoa(line)
		}
		if col > 0 {
			at += ":" + itoa(col)
		}
		err = classify(err)
		return fault.Wrap(fault.KindOf(err), errors.New(text), at, fault.Hints(err)...)
	}
	err = classify(err)
	return fault.Wrap(fault.KindOf(err), err, name)
}

// inspect shows b by its kind.
func (a *app) inspect(name string, b []byte) error {
	switch kind := image.Identify(b); kind {
	case image.ELF:
		return a.inspectELF(name, b)
	case image.Single:
		return a.inspectImage(name, b)
	case image.WholeFlash:
		return a.inspectFlash(name, b)
	case image.TableBinary, image.TableCSV:
		t, err := partition.Parse(b)
		if err != nil {
			return err
		}
		a.showTable(name, t, nil)
		return nil
	}
	if filepath.Base(name) == lock.FileName || looksLikeLock(b) {
		f, err := lock.Decode(name, b)
		if err != nil {
			return err
		}
		return a.showLock(name, f)
	}
	if len(b) == 0 {
		return fault.New(fault.Usage, "the file is empty")
	}
	return fault.New(fault.Usage, "neither an ELF, nor an image, nor a partition table, nor a lock",
		fmt.Sprintf("it starts with % x", b[:min(len(b), 16)]))
}

// inspectProjectLock shows the lock of the project here.
func (a *app) inspectProjectLock() error {
	path, err := chipfiles.NearestLock(a.projectDir())
	if err != nil {
		return err
	}
	if path == "" {
		return fault.New(fault.Usage, "no "+lock.FileName+" here or above", "espalier lock", "espalier inspect FILE")
	}
	f, err := lock.Read(path)
	if err != nil {
		return err
	}
	return a.showLock(path, f)
}
