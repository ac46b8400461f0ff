package cli

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/ui"
)

type flashOptions struct {
	work      workOptions
	port      portOptions
	chip      chipOptions
	At        string
	EraseData []string
	Exact     bool
	Force     bool
	Full      bool
}

func newFlash(a *app) *cobra.Command {
	var o flashOptions
	cmd := &cobra.Command{
		Use:   "flash [FILE]",
		Short: "write to a board what differs, and prove it",
		Long: `Build the project and make the flash of a board hold it: bootloader, partition
table, application. With FILE nothing is built: an ELF, an application image, the
image of a whole flash; with --at any bytes.

The board is asked for digests first, and only sectors that differ are written;
what was written is proven by a digest. When flash holds what espalier wrote last,
the chip is sent a patch and makes the sectors out of what it has. Interrupted at any
moment, the next flash finishes the job. Nothing is erased that is not named: nvs and other data stay,
unless --erase-data names them, and blank stretches of a whole-flash image are left
alone without --exact.

Before the first byte the chip, its revision, its eFuses, the size of its flash and
its security settings are compared with what is to be written. A refusal says what
would have happened.` + exits(fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox),
		Example: `  espalier flash
  espalier flash --port rfc2217://lab:4000 firmware.elf
  espalier flash --erase-data nvs
  espalier flash logo.bin --at 0x200000`,
		Args: args("[FILE]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.flash(cmd.Context(), names, o)
		},
	}
	o.work.addFlags(cmd.Flags())
	o.port.addFlags(cmd.Flags())
	o.port.addAfter(cmd.Flags())
	o.chip.addImageFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.At, "at", "", "write FILE as it is, at an `OFFSET` or the partition of that name")
	f.StringSliceVar(&o.EraseData, "erase-data", nil, "erase these partitions, `NAMES` separated by commas")
	f.BoolVar(&o.Exact, "exact", false, "write the blank stretches of a whole-flash image, too")
	f.BoolVar(&o.Force, "force", false, "write in spite of refusals")
	f.BoolVar(&o.Full, "full", false, "write everything, not only what differs")
	return cmd
}

// flashJob is what is to be in flash.
type flashJob struct {
	parts []loader.Part
	table partition.Table // for the names of partitions; may have no entries
	stub  *loader.Stub
}

func (a *app) flash(ctx context.Context, names []string, o flashOptions) error {
	var j flashJob
	var err error
	if len(names) == 0 {
		if o.At != "" {
			return fault.New(fault.Usage, "--at wants a FILE")
		}
		j, err = a.flashProject(ctx, o)
	} else {
		j, err = a.flashFile(ctx, names[0], o)
	}
	if err != nil {
		return err
	}
	p, l, err := a.connect(ctx, o.port, j.stub)
	if err != nil {
		return err
	}
	return a.finish(ctx, p, l, o.port, a.write(ctx, l, j, o))
}

// flashProject builds the project and takes its parts.
func (a *app) flashProject(ctx context.Context, o flashOptions) (flashJob, error) {
	o.work.forRun(false)
	w, err := a.open(ctx, o.work)
	if err != nil {
		return flashJob{}, err
	}
	defer w.close()
	f, err := w.firmware(ctx)
	if err != nil {
		return flashJob{}, err
	}
	return w.flashJob(ctx, f, o.port)
}

// flashJob takes the parts of what was built.
func (w *workspace) flashJob(ctx context.Context, f *firmware, o portOptions) (j flashJob, err error) {
	j = flashJob{parts: partsOf(f.flash), table: f.flash.Table}
	j.stub, err = stub(ctx, w.app.ui, w.app.chipFiles(chipfiles.Paths{}), o)
	return j, err
}

func partsOf(f *image.Flash) []loader.Part {
	var out []loader.Part
	for _, p := range f.Parts {
		out = append(out, loader.Part{Name: p.Name, Offset: p.Offset, Bytes: p.Bytes})
	}
	return out
}

// flashFile takes the parts of a file by its kind.
func (a *app) flashFile(ctx context.Context, name string, o flashOptions) (flashJob, error) {
	var j flashJob
	b, err := a.readInput(ctx, name)
	if err != nil {
		return j, err
	}
	if j.stub, err = stub(ctx, a.ui, a.chipFiles(chipfiles.Paths{}), o.port); err != nil {
		return j, err
	}
	if o.At != "" {
		at, err := a.placeOf(ctx, o)
		if err != nil {
			return j, err
		}
		j.parts = []loader.Part{{Name: name, Offset: at, Bytes: b}}
		return j, nil
	}
	switch kind := image.Identify(b); kind {
	case image.WholeFlash:
		if _, err := image.FullFlash(b); err != nil {
			return j, atFile(name, err)
		}
		c, err := image.ParseFlash(b)
		if err != nil {
			return j, atFile(name, err)
		}
		j.table = c.Table
		j.parts = wholeFlash(b, c, o.Exact)
	case image.ELF, image.Single:
		in, err := a.imageInputs(o.chip)
		if err != nil {
			return j, err
		}
		if in.Bootloader, err = a.chipFiles(o.chip.paths()).Bootloader(ctx, in.Params.Mode); err != nil {
			return j, err
		}
		var f *image.Flash
		if kind == image.ELF {
			if err := image.CheckELF(b); err != nil {
				return j, atFile(name, err)
			}
			f, err = image.FromELF(b, in)
		} else {
			f, err = image.FromApp(b, in)
		}
		if err != nil {
			return j, atFile(name, err)
		}
		j.parts, j.table = partsOf(f), f.Table
	default:
		return j, fault.New(fault.Usage, fmt.Sprintf("%s: neither an ELF nor an image (%s)", name, kind),
			"espalier flash "+name+" --at OFFSET writes it as it is")
	}
	return j, nil
}

// placeOf reads --at: a number, or the name of a partition.
func (a *app) placeOf(ctx context.Context, o flashOptions) (uint32, error) {
	if v, err := strconv.ParseUint(o.At, 0, 32); err == nil {
		return uint32(v), nil
	}
	in, err := a.imageInputs(o.chip)
	if err != nil {
		return 0, err
	}
	t := in.Table
	if len(t.Entries) == 0 {
		t = partition.Default(in.Params.Size)
	}
	e, err := namedPartition(t, o.At)
	return e.Offset, err
}

// namedPartition finds a partition, or says which there are.
func namedPartition(t partition.Table, name string) (partition.Entry, error) {
	if e, ok := t.Find(name); ok {
		return e, nil
	}
	var have []string
	for _, e := range t.Entries {
		have = append(have, e.Name)
	}
	return partition.Entry{}, fault.New(fault.Usage, "no partition called "+name, "there are "+strings.Join(have, ", "), "--partition-table FILE names another table")
}

// wholeFlash takes the image of a flash apart: what is recognised, and every
// other stretch that is not blank. With exact it is one part.
func wholeFlash(b []byte, c *image.Contents, exact bool) []loader.Part {
	if exact {
		return []loader.Part{{Name: "flash", Offset: 0, Bytes: b}}
	}
	const sector = partition.SectorSize
	name := make([]string, (len(b)+sector-1)/sector) // of each sector; "": not to be written
	mark := func(from, size uint32, what string) {
		for at := from / sector; uint64(at) < (uint64(from)+uint64(size)+sector-1)/sector && int(at) < len(name); at++ {
			name[at] = what
		}
	}
	for at := range name {
		piece := b[at*sector : min((at+1)*sector, len(b))]
		if len(bytes.TrimLeft(piece, "\xff")) > 0 {
			name[at] = fmt.Sprintf("0x%x", at*sector)
			for _, e := range c.Table.Entries {
				if uint64(at*sector) >= uint64(e.Offset) && uint64(at*sector) < e.End() {
					name[at] = e.Name
				}
			}
		}
	}
	if c.Bootloader != nil {
		mark(0, uint32(c.Bootloader.Size), "bootloader")
	}
	mark(c.TableOffset, partition.BinarySize, "partition-table")
	for _, s := range c.Apps {
		if s.Image != nil {
			mark(s.Partition.Offset, uint32(s.Image.Size), s.Partition.Name)
		}
	}
	var out []loader.Part
	for at := 0; at < len(name); {
		end := at + 1
		for end < len(name) && name[end] == name[at] {
			end++
		}
		if name[at] != "" {
			out = append(out, loader.Part{Name: name[at], Offset: uint32(at * sector), Bytes: b[at*sector : min(end*sector, len(b))]})
		}
		at = end
	}
	return out
}

// write erases what is to be erased and writes the parts, with progress.
func (a *app) write(ctx context.Context, l *loader.Loader, j flashJob, o flashOptions) error {
	var erase []partition.Entry
	for _, name := range o.EraseData {
		e, err := namedPartition(j.table, name)
		if err != nil {
			return err
		}
		erase = append(erase, e)
	}
	// Refusals come before erasing, too.
	if refusals, err := l.Refusals(ctx, j.parts); err != nil {
		return err
	} else if len(refusals) > 0 && !o.Force {
		return &loader.RefusedError{Refusals: refusals}
	}
	for _, e := range erase {
		t := a.ui.Start("erase "+e.Name, progress.Bytes, int64(e.Size))
		n := 0
		err := l.Erase(ctx, e.Offset, e.Size, func(done int) { t.Add(int64(done - n)); n = done })
		t.Done(err)
		if err != nil {
			return err
		}
	}
	bar := &flashBar{ui: a.ui}
	sum, err := l.Write(ctx, j.parts, loader.WriteOptions{Force: o.Force, Full: o.Full, Known: a.recallBoard, NoPatch: o.port.NoStub, Progress: bar.step})
	bar.done(err)
	a.flashed(sum, err)
	if err == nil {
		if id, err := l.Identity(ctx); err == nil { // read before
			a.rememberBoard(id, j.parts)
		}
	}
	return err
}

// flashBar shows the progress of a Write: one bar for each part that is
// written.
type flashBar struct {
	ui   *ui.UI
	part string
	n    int
	task progress.Task
}

func (b *flashBar) step(part string, phase loader.Phase, done, total int) {
	if phase != loader.Writing {
		return
	}
	if b.part != part {
		b.done(nil)
		b.part, b.n = part, 0
		b.task = b.ui.Start("write "+part, progress.Bytes, int64(total))
	}
	if done > b.n {
		b.task.Add(int64(done - b.n))
		b.n = done
	}
}

func (b *flashBar) done(err error) {
	if b.task != nil {
		b.task.Done(err)
		b.task, b.part = nil, ""
	}
}

type flashedPart struct {
	Name    string `json:"name"`
	Offset  string `json:"offset"`
	Size    int    `json:"size"`
	Written int    `json:"written"`
}

// flashed says what a Write did.
func (a *app) flashed(s loader.Summary, err error) {
	var parts []flashedPart
	size := 0
	for _, p := range s.Parts {
		n := 0
		for _, r := range p.Runs {
			n += int(r.Size)
		}
		size += (p.Size + partition.SectorSize - 1) / partition.SectorSize * partition.SectorSize
		parts = append(parts, flashedPart{p.Name, fmt.Sprintf("0x%x", p.Offset), p.Size, n})
		a.ui.Debugf("%s at 0x%x: %d of %d bytes written", p.Name, p.Offset, n, p.Size)
	}
	a.ui.Event("flashed", struct {
		OK       bool          `json:"ok"`
		Parts    []flashedPart `json:"parts"`
		Written  int           `json:"written"`
		Sent     int           `json:"sent"`
		Received int           `json:"received"`
		Seconds  float64       `json:"seconds"`
		Stub     bool          `json:"stub"`
		Patched  int           `json:"patched"`
		Retries  int           `json:"retries"`
	}{err == nil, parts, s.Bytes, s.Sent, s.Received, s.Elapsed.Seconds(), s.Stub, s.Patched, s.Retries})
	if err != nil {
		return
	}
	if s.Bytes == 0 {
		a.ui.Note("the board holds it already (%s compared in %s)", ui.Size(int64(size)), ui.Seconds(s.Elapsed))
		return
	}
	a.ui.Note("wrote %s of %s in %s, verified", ui.Size(int64(s.Bytes)), ui.Size(int64(size)), ui.Seconds(s.Elapsed))
}
