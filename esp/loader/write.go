package loader

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/zlib"
)

// Phase is what a Write is doing.
type Phase uint8

// Phases of a Write.
const (
	Comparing Phase = iota
	Writing
	Verifying
)

func (p Phase) String() string { return [...]string{"comparing", "writing", "verifying"}[p] }

// WriteOptions say how to write.
type WriteOptions struct {
	// Force writes in spite of refusals that are not final.
	Force bool
	// Full writes everything instead of what differs.
	Full bool
	// Known, when set, is asked what the flash of this board probably holds:
	// what was written last. It is used only as far as the chip's digests
	// agree; then nothing has to be searched, and what has merely moved is not
	// sent again.
	Known func(Identity) []Part
	// NoPatch keeps the patcher off the chip: only the mask ROM's own commands
	// are used, and the stub's where there is one.
	NoPatch bool
	// Progress, when set, receives the progress: done of total bytes.
	Progress func(part string, phase Phase, done, total int)
}

// Written is what became of a part.
type Written struct {
	Name   string
	Offset uint32
	Size   int
	Runs   []Range // what was written; none: it was there already
}

// Summary is what a Write did.
type Summary struct {
	Parts          []Written
	Bytes          int           // written to flash
	Sent, Received int           // on the wire, since Connect
	Elapsed        time.Duration // of Write
	Stub           bool
	Patched        int // of Bytes, those that the chip made out of what it had
	Retries        int
}

// stubFrom is how much must be written before loading the stub pays: it has
// 6 KiB itself, and what it gains is larger blocks.
const stubFrom = 192 << 10

// maxStuck is how many times in a row a part may fail without progress.
const maxStuck = 4

// Write makes the flash hold parts, and verifies it by digests that the chip
// computes. Sectors that hold what they should are not touched, and none that
// no part covers. It may be ended at any time: the next Write finishes.
//
// Errors: *RefusedError before anything was changed, *VerifyError, *TimeoutError
// and *CommandError when the chip does not come back, those of the port.
func (l *Loader) Write(ctx context.Context, parts []Part, o WriteOptions) (Summary, error) {
	start := l.port.Now()
	w := writer{l: l, o: o}
	if o.Progress == nil {
		w.o.Progress = func(string, Phase, int, int) {}
	}
	err := w.write(ctx, parts)
	w.sum.Sent, w.sum.Received = l.Traffic()
	w.sum.Elapsed = l.elapsed(start)
	w.sum.Stub = l.stub
	return w.sum, err
}

// Refusals returns why parts should not be written to this chip.
func (l *Loader) Refusals(ctx context.Context, parts []Part) ([]Refusal, error) {
	s := State{Security: l.security}
	if s.Security.SecureDownload() {
		return Check(s, parts), nil
	}
	err := l.persist(ctx, func() error {
		if err := l.attach(ctx); err != nil {
			return err
		}
		s.Flash = l.flash
		var err error
		s.Identity, err = l.Identity(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return Check(s, parts), nil
}

type writer struct {
	l   *Loader
	o   WriteOptions
	sum Summary
}

// job is a part on its way.
type job struct {
	part    Part
	want    []byte // whole sectors
	base    []byte // what flash holds instead, from the same address on; nil: unknown
	runs    []Range
	patches []patch // the short way to write the runs; nil: there is none
}

func (w *writer) write(ctx context.Context, parts []Part) error {
	refusals, err := w.l.Refusals(ctx, parts)
	if err != nil {
		return err
	}
	if len(refusals) > 0 && (!w.o.Force || slices.ContainsFunc(refusals, func(r Refusal) bool { return r.Final })) {
		return &RefusedError{refusals}
	}
	known, err := w.known(ctx)
	if err != nil {
		return err
	}
	var jobs []*job
	todo, send := 0, 0
	for _, p := range parts {
		j := &job{part: p, want: padded(p.Bytes)}
		w.o.Progress(p.Name, Comparing, 0, len(p.Bytes))
		if err := w.compareKnown(ctx, j, known); err != nil {
			return err
		}
		if j.patches == nil {
			todo += total(j.runs)
		}
		send += w.cost(j)
		jobs = append(jobs, j)
	}
	if send > 0 {
		if err := w.prepare(ctx, todo, send); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		done := Written{Name: j.part.Name, Offset: j.part.Offset, Size: len(j.part.Bytes), Runs: j.runs}
		if len(j.runs) > 0 {
			if err := w.finish(ctx, j); err != nil {
				return err
			}
		}
		w.sum.Parts = append(w.sum.Parts, done)
		w.sum.Bytes += total(done.Runs)
	}
	return nil
}

// known asks what flash probably holds.
func (w *writer) known(ctx context.Context) ([]Part, error) {
	if w.o.Known == nil || w.o.Full || w.l.security.SecureDownload() {
		return nil, nil
	}
	id, err := w.l.Identity(ctx)
	if err != nil {
		return nil, err
	}
	return w.o.Known(id), nil
}

// compareKnown is compare for a part of which something may be known. One
// digest decides between three: flash holds what it should, what is known, or
// something else.
func (w *writer) compareKnown(ctx context.Context, j *job, known []Part) error {
	i := slices.IndexFunc(known, func(p Part) bool { return p.Offset == j.part.Offset })
	if i < 0 || w.o.Full {
		return w.compare(ctx, j, w.o.Full)
	}
	base := padded(known[i].Bytes)
	both := min(len(base), len(j.want))
	sum, err := w.l.MD5(ctx, j.part.Offset, uint32(both))
	if err != nil {
		return err
	}
	switch sum {
	case md5.Sum(base[:both]):
		j.base = base[:both]
	case md5.Sum(j.want[:both]):
		j.base = j.want[:both]
	default:
		return w.compare(ctx, j, false)
	}
	for at := 0; at < both; at += sector {
		if !bytes.Equal(j.base[at:at+sector], j.want[at:at+sector]) {
			j.runs = addRun(j.runs, j.part.Offset+uint32(at), sector)
		}
	}
	if both < len(j.want) {
		rest := &job{part: Part{Name: j.part.Name, Offset: j.part.Offset + uint32(both)}, want: j.want[both:]}
		if err := w.compare(ctx, rest, false); err != nil {
			return err
		}
		for _, r := range rest.runs {
			j.runs = addRun(j.runs, r.Offset, r.Size)
		}
	}
	if len(j.runs) > 0 && !w.l.stub && !w.o.NoPatch && bytes.HasPrefix(base, j.base) {
		j.patches = w.shorter(j)
	}
	return nil
}

// shorter returns the patches for a job if they are clearly shorter than its
// sectors.
func (w *writer) shorter(j *job) []patch {
	p, ok := patches(j.part.Offset, j.want, j.base, j.runs)
	if !ok || patchCost(p)+1024 > runCost(j) {
		return nil
	}
	return p
}

// patchCost is about how many bytes of protocol patches take, with the patcher.
func patchCost(patches []patch) int {
	n := 512
	for _, p := range patches {
		n += 200 + len(p.deflated)
	}
	return n
}

// runCost is the same for runs as they are.
func runCost(j *job) int {
	n := 0
	for _, r := range j.runs {
		b := len(deflate(j.want[r.Offset-j.part.Offset:][:r.Size]))
		n += 80 + b + b/romBlock*45
	}
	return n
}

func (w *writer) cost(j *job) int {
	switch {
	case len(j.runs) == 0:
		return 0
	case j.patches != nil:
		return patchCost(j.patches)
	}
	return runCost(j)
}

// compare finds out what differs; all says everything does.
func (w *writer) compare(ctx context.Context, j *job, all bool) error {
	d := &delta{addr: j.part.Offset, want: j.want, ask: w.l.md5}
	if all {
		j.runs = []Range{{j.part.Offset, uint32(len(j.want))}}
		return nil
	}
	err := w.l.persist(ctx, func() error {
		if err := w.l.attach(ctx); err != nil {
			return err
		}
		return d.find(ctx)
	})
	j.runs = d.runs
	return err
}

// slowest is how many bytes are sent at the speed that both ends have: a change
// of it costs 400 bytes and 60 ms.
const slowest = 4 << 10

// prepare chooses speed and stub for todo bytes of flash, and send on the wire.
func (w *writer) prepare(ctx context.Context, todo, send int) error {
	l := w.l
	return l.persist(ctx, func() error {
		if send > slowest {
			if err := l.SetBaud(ctx, l.o.Baud); err != nil {
				return err
			}
		}
		if todo >= stubFrom {
			if err := l.startStub(ctx); err != nil {
				return err
			}
		}
		return l.attach(ctx)
	})
}

// finish writes a job's runs and verifies them; what does not verify is
// written again.
func (w *writer) finish(ctx context.Context, j *job) error {
	stuck, before := 0, total(j.runs)+1
	w.l.careful = 0
	for {
		patched := j.patches != nil
		err := w.put(ctx, j)
		if err == nil {
			w.o.Progress(j.part.Name, Verifying, 0, len(j.part.Bytes))
		} else if !recoverable(err) {
			return err
		} else {
			w.l.event("%v", err)
			if e := w.l.persist(ctx, func() error { return w.l.restart(ctx) }); e != nil {
				return e
			}
		}
		if e := w.compare(ctx, j, false); e != nil {
			return e
		}
		left := total(j.runs)
		if left == 0 {
			return nil
		}
		w.sum.Retries++
		if stuck++; left < before {
			stuck, before = 0, left
		}
		if patched {
			// A chip on which patches do not work is no bad wire: the sectors are
			// sent as if there had been none.
			if e := w.prepare(ctx, left, runCost(j)); e != nil {
				return e
			}
		} else {
			w.l.careful++
		}
		if stuck >= maxStuck {
			if err != nil {
				return err
			}
			return w.mismatch(ctx, j)
		}
		w.l.event("%s: %d bytes are not there yet", j.part.Name, left)
	}
}

// mismatch names the first wrong byte.
func (w *writer) mismatch(ctx context.Context, j *job) error {
	at := j.runs[0].Offset
	have, err := w.l.Read(ctx, at, sector, nil)
	if err != nil {
		return fmt.Errorf("verifying %s: the digest of the sector at 0x%08x is wrong: %w", j.part.Name, at, err)
	}
	want := j.want[at-j.part.Offset:][:sector]
	for i := range want {
		if want[i] != have[i] {
			return &VerifyError{Part: j.part.Name, Addr: at + uint32(i), Want: want[i], Got: have[i], Attempts: w.sum.Retries + 1}
		}
	}
	return &TimeoutError{Command: "SPI_FLASH_MD5 with the digest of what it reads", After: timeCommand}
}

// put writes all runs of a job: by patches the first time, as they are when
// those have failed.
func (w *writer) put(ctx context.Context, j *job) error {
	list := j.patches
	j.patches = nil
	if list == nil || w.l.stub {
		return w.runs(ctx, j)
	}
	all, done := total(j.runs), 0
	w.l.event("%s: %d bytes as a patch", j.part.Name, all)
	for _, p := range list {
		n := total(p.runs)
		if err := w.l.runPatch(ctx, p, n); err != nil {
			return err
		}
		done += n
		w.sum.Patched += n
		w.o.Progress(j.part.Name, Writing, done, all)
	}
	return nil
}

// runs writes all runs of a job.
func (w *writer) runs(ctx context.Context, j *job) error {
	all, done := total(j.runs), 0
	for _, r := range w.l.pieces(j.runs) {
		data := j.want[r.Offset-j.part.Offset:][:r.Size]
		err := w.l.writeRun(ctx, r.Offset, data, func(n int) { w.o.Progress(j.part.Name, Writing, done+n, all) })
		if err != nil {
			return err
		}
		done += len(data)
	}
	return nil
}

// pieces cuts runs into single sectors once something has failed, so that what
// has been written stays written.
func (l *Loader) pieces(runs []Range) []Range {
	if l.careful == 0 {
		return runs
	}
	var out []Range
	for _, r := range runs {
		for at := uint32(0); at < r.Size; at += sector {
			out = append(out, Range{r.Offset + at, sector})
		}
	}
	return out
}

// Blocks of FLASH_DATA and FLASH_DEFL_DATA.
const (
	romBlock  = 0x400
	stubBlock = 0x4000
)

// writeRun writes whole sectors: deflated when that is shorter.
func (l *Loader) writeRun(ctx context.Context, addr uint32, data []byte, progress func(int)) error {
	size := romBlock
	if l.stub {
		size = stubBlock
	}
	size = max(0x100, size>>(2*l.careful)) // a shorter frame has better chances
	payload := deflate(data)
	begin, put := opFlashDeflBegin, opFlashDeflData
	if len(payload) >= len(data) {
		payload, begin, put = data, opFlashBegin, opFlashData
	}
	blocks := (len(payload) + size - 1) / size
	w := words(uint32(len(data)), uint32(blocks), uint32(size), addr)
	if !l.stub {
		w = append(w, words(0)...) // not encrypted
	}
	if _, err := l.link.once(ctx, begin, w, 0, timeFor(timeErasePM, uint32(len(data)))); err != nil {
		return err
	}
	// A block inflates to more where the content is dull.
	most := min(len(data), 8*(len(data)/blocks+1))
	for i := range blocks {
		piece := payload[i*size : min((i+1)*size, len(payload))]
		if put == opFlashData && len(piece) < size {
			piece = append(slices.Clone(piece), bytes.Repeat([]byte{0xff}, size-len(piece))...)
		}
		d, sum := block(uint32(i), piece)
		if err := l.putBlock(ctx, put, d, sum, timeFor(timeErasePM, uint32(most))); err != nil {
			return err
		}
		progress(len(data) * (i + 1) / blocks)
	}
	return nil
}

// putBlock sends a block, and again when the chip says that it came damaged:
// it did nothing with it then. A block that was not answered may have been
// written, and a deflated one cannot be repeated, so that is for the caller.
func (l *Loader) putBlock(ctx context.Context, op opcode, data []byte, sum uint32, timeout time.Duration) error {
	for n := 0; ; n++ {
		_, err := l.link.once(ctx, op, data, sum, timeout)
		var c *CommandError
		if n < 3 && errors.As(err, &c) && (c.Code == 0x07 || c.Code == 0xc1) {
			l.event("%v", err)
			if err := l.link.drain(ctx, quiet); err != nil {
				return err
			}
			continue
		}
		return err
	}
}

// deflate compresses as the chip wants it: zlib, RFC 1950. The library's highest
// level is 1 % shorter than that of the standard library.
func deflate(data []byte) []byte {
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	if _, err := z.Write(data); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
