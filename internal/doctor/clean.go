package doctor

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// Cleaned is the result of Clean.
type Cleaned struct {
	Store   string      `json:"store"`
	DryRun  bool        `json:"dry-run"`
	Freed   int64       `json:"freed"`
	Blobs   int         `json:"blobs"`
	Trees   int         `json:"trees"`
	Results int         `json:"results"`
	Limit   int64       `json:"limit"` // in bytes; 0: none
	Kept    []KeptEvent `json:"kept"`
	report  store.Report
	maxAge  time.Duration
}

// KeptEvent is content that stays; bytes on the disk.
type KeptEvent struct {
	What  store.Content `json:"what"`
	Why   store.Reason  `json:"why"`
	Count int           `json:"count"`
	Bytes int64         `json:"bytes"`
}

// Clean removes from the store of a configuration what is older than the
// policy's age or over the configured limit.
func Clean(ctx context.Context, c project.Config, p store.Policy) (Cleaned, error) {
	p.Limit = c.StoreLimit.V
	r, err := store.GC(ctx, c.Store.V, p)
	out := Cleaned{Store: c.Store.V, DryRun: p.DryRun, Freed: r.Freed, Blobs: r.Blobs, Trees: r.Trees, Results: r.Results,
		Limit: p.Limit, Kept: []KeptEvent{}, report: r, maxAge: p.MaxAge}
	for _, k := range r.Kept {
		out.Kept = append(out.Kept, KeptEvent(k))
	}
	return out, err
}

// Lines are the result in words: what is freed, and what stays against the
// limit.
func (c Cleaned) Lines() []string {
	word := "freed"
	if c.DryRun {
		word = "would free"
	}
	lines := []string{fmt.Sprintf("%s %s: %d blobs, %d trees, %d results", word, ui.Size(c.Freed), c.Blobs, c.Trees, c.Results)}
	size := c.report.Size()
	switch {
	case c.Limit == 0:
		lines = append(lines, "kept "+ui.Size(size)+", without a limit")
	case size > c.Limit:
		lines = append(lines, fmt.Sprintf("kept %s, more than the limit of %s: locks pin it", ui.Size(size), ui.Size(c.Limit)))
	default:
		lines = append(lines, fmt.Sprintf("kept %s of at most %s", ui.Size(size), ui.Size(c.Limit)))
	}
	return lines
}

// Table lists what is kept and why.
func (c Cleaned) Table() ui.Table {
	t := ui.Table{Head: []string{"kept", "number", "size", "why"}, Right: []int{1, 2}}
	for _, k := range c.Kept {
		why := "an espalier.lock on this machine pins it"
		if k.Why == store.RecentlyUsed {
			why = "used within " + days(c.maxAge)
		}
		t.Rows = append(t.Rows, []string{string(k.What), strconv.Itoa(k.Count), ui.Size(k.Bytes), why})
	}
	return t
}

func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
