package ui

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"espalier.dev/espalier/internal/progress"
)

// bars is the block of progress bars at the bottom of a terminal. It exists
// from the first phase to the end of the last one that overlaps it; then the
// terminal is plain again.
type bars struct {
	p     *mpb.Progress
	shown map[*bar]bool
}

// barWidth is the width of a bar in columns, brackets included.
const barWidth = 22

// roomy is the width in columns, without the name of the phase, from which there
// is room for a bar: below, the counts say more.
const roomy = 48

// bar is one line of the block.
type bar struct {
	b *mpb.Bar
}

func newBars(w io.Writer) *bars {
	return &bars{
		p:     mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithAutoRefresh()),
		shown: map[*bar]bool{},
	}
}

// add opens a line. mpb gets neither count nor total: the bar reads them
// from the task when it is drawn. (Telling it means waiting for the goroutine
// that draws, which waits for the task.)
func (s *bars) add(t *task) *bar {
	b := &bar{s.p.New(0, filler(t), mpb.BarWidth(barWidth),
		mpb.PrependDecorators(decor.Name(t.phase, decor.WC{C: decor.DindentRight | decor.DSyncWidth | decor.DextraSpace})),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return t.beside(s.AvailableWidth) })),
	)}
	s.shown[b] = true
	return b
}

// filler draws the bar of a task, nothing while its total is unknown.
func filler(t *task) mpb.BarFillerBuilder {
	full := mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]").Build()
	return builder(func(w io.Writer, stat decor.Statistics) error {
		if stat.Current, stat.Total = t.counts(); stat.Total <= 0 || t.narrow.Load() {
			return nil
		}
		return full.Fill(w, stat)
	})
}

// builder makes a function an mpb.BarFillerBuilder.
type builder func(io.Writer, decor.Statistics) error

func (f builder) Build() mpb.BarFiller { return mpb.BarFillerFunc(f) }

// above prints whole lines over the bars.
func (s *bars) above(lines []byte) { s.p.Write(lines) }

// remove takes a bar away and reports whether it was the last one; the block
// is gone then.
func (s *bars) remove(b *bar) bool {
	if !s.shown[b] {
		return false
	}
	delete(s.shown, b)
	b.b.Abort(true)
	if len(s.shown) > 0 {
		return false
	}
	s.p.Wait()
	return true
}

// stop takes all bars away.
func (s *bars) stop() {
	for b := range s.shown {
		b.b.Abort(true)
	}
	clear(s.shown)
	s.p.Wait()
}

func (t *task) counts() (n, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return min(t.n, t.total), t.total
}

// beside is what follows the name of a phase in width columns, where the bar may
// take some of them. It decides whether there is a bar.
func (t *task) beside(width int) string {
	t.narrow.Store(width < roomy)
	if width < roomy {
		return t.status(width)
	}
	return " " + t.status(width-barWidth-2)
}

// status is counts, rate, remaining time and the item, in at most width columns.
func (t *task) status(width int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.progress()
	if t.item != "" {
		s += "  " + t.item
	}
	if r := []rune(s); len(r) > max(width, 0) {
		return string(r[:max(width-1, 0)]) + "…"
	}
	return s
}

// progress is counts, rate and remaining time; t.mu is held.
func (t *task) progress() string {
	var s string
	switch {
	case t.total <= 0 && t.n > 0:
		s = count(t.n, t.unit)
	case t.total > 0 && t.unit == progress.Bytes:
		s = fmt.Sprintf("%s of %s", Size(t.n), Size(t.total))
	case t.total > 0:
		s = fmt.Sprintf("%d of %s", t.n, count(t.total, t.unit))
	}
	if rate := t.rate(t.u.opt.Now()); rate > 0 {
		if t.unit == progress.Bytes {
			s += fmt.Sprintf(", %s/s", Size(int64(rate)))
		}
		if left := t.total - t.n; left > 0 {
			s += ", " + remaining(time.Duration(float64(left)/rate*float64(time.Second))) + " left"
		}
	}
	return s
}
