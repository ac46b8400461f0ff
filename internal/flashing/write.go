package flashing

import (
	"context"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/flashcache"
	"espalier.dev/espalier/internal/progress"
)

// WriteOptions say how a plan is carried out.
type WriteOptions struct {
	EraseData []string // names of partitions to erase first
	Force     bool     // in spite of refusals that are not final
	Full      bool     // everything, not only what differs
	NoPatch   bool     // no program of espalier's on the chip
	Cache     flashcache.Cache
	Report    progress.Reporter
}

// Write makes a board's flash hold a plan's parts and verifies it. Everything
// that can be refused is refused before the first sector is erased. What was
// written is recorded in the cache; cacheErr says why that failed, which does no
// harm. Errors are those of loader.Write and faults of kind Usage.
func Write(ctx context.Context, l *loader.Loader, p Plan, o WriteOptions) (s loader.Summary, cacheErr, err error) {
	table := p.Table
	if len(table.Entries) == 0 && (p.Raw != nil || len(o.EraseData) > 0) {
		var offset uint32
		if table, offset, err = ReadTable(ctx, l); err != nil {
			return s, nil, err
		}
		if p.Raw != nil {
			p, err = p.Raw.plan(table, offset, o.Force)
		}
	} else if p.Raw != nil {
		p, err = p.Raw.plan(table, table.Offset(), o.Force)
	}
	if err != nil {
		return s, nil, err
	}
	var erase []partition.Entry
	for _, name := range o.EraseData {
		e, err := Named(table, name)
		if err != nil {
			return s, nil, err
		}
		erase = append(erase, e)
	}
	if refusals, err := l.Refusals(ctx, p.Parts); err != nil {
		return s, nil, err
	} else if len(refusals) > 0 && (!o.Force || anyFinal(refusals)) {
		return s, nil, &loader.RefusedError{Refusals: refusals}
	}
	for _, e := range erase {
		if err := Erase(ctx, l, e.Name, e.Offset, e.Size, o.Report); err != nil {
			return s, nil, err
		}
	}
	bar := &bar{report: o.Report}
	s, err = l.Write(ctx, p.Parts, loader.WriteOptions{Force: o.Force, Full: o.Full, Known: o.Cache.Recall, NoPatch: o.NoPatch, Progress: bar.step})
	bar.done(err)
	if err == nil {
		if id, e := l.Identity(ctx); e == nil { // it was read before
			cacheErr = o.Cache.Record(id, p.Parts)
		}
	}
	return s, cacheErr, err
}

func (r *Raw) plan(t partition.Table, tableOffset uint32, force bool) (Plan, error) {
	part, err := r.Place(t, tableOffset, force)
	return Plan{Parts: []loader.Part{part}, Table: t}, err
}

func anyFinal(refusals []loader.Refusal) bool {
	for _, r := range refusals {
		if r.Final {
			return true
		}
	}
	return false
}

// Erase erases a range, with progress under a name.
func Erase(ctx context.Context, l *loader.Loader, name string, offset, size uint32, report progress.Reporter) error {
	phase := "erase"
	if name != "" {
		phase += " " + name
	}
	t := report.Start(phase, progress.Bytes, int64(size))
	last := 0
	err := l.Erase(ctx, offset, size, func(done int) { t.Add(int64(done - last)); last = done })
	t.Done(err)
	return err
}

// bar shows the progress of a write: a task for each part that is written.
type bar struct {
	report progress.Reporter
	part   string
	n      int
	task   progress.Task
}

func (b *bar) step(part string, phase loader.Phase, done, total int) {
	if phase != loader.Writing {
		return
	}
	if b.part != part {
		b.done(nil)
		b.part, b.n = part, 0
		b.task = b.report.Start("write "+part, progress.Bytes, int64(total))
	}
	if done > b.n {
		b.task.Add(int64(done - b.n))
		b.n = done
	}
}

func (b *bar) done(err error) {
	if b.task != nil {
		b.task.Done(err)
		b.task, b.part = nil, ""
	}
}
