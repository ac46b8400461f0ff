package project

import (
	"math"
	"regexp"
	"strconv"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// Budget is one limit of [budget]. Name is "flash", "ram", "stack" or a crate
// or static library, whose flash counts.
type Budget struct {
	Name   string
	Text   string // as it is written
	Limit  Limit
	Origin config.Origin
}

// Limit is a size, or a growth over the recorded size: bytes, or hundredths of a
// percent.
type Limit struct {
	Bytes    int64
	Growth   bool  // Bytes or Hundredths more than recorded
	Percent  bool  // Hundredths counts, not Bytes
	Hundreds int64 // hundredths of a percent
}

// Of returns the limit in bytes; recorded is the size that a growth is of.
func (l Limit) Of(recorded uint64) uint64 {
	switch {
	case !l.Growth:
		return uint64(l.Bytes)
	case l.Percent:
		return recorded + recorded*uint64(l.Hundreds)/10000
	}
	return recorded + uint64(l.Bytes)
}

var limitForm = regexp.MustCompile(`^(\+?)\s*(\d{1,12}(?:\.\d{1,3})?)\s*(%|B|kB|KB|KiB|MB|MiB)?$`)

var units = map[string]float64{"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20}

// ParseLimit reads "900 KB", "1.5 MiB", "4096", "+2%", "+4 KB".
func ParseLimit(s string) (Limit, bool) {
	m := limitForm.FindStringSubmatch(s)
	if m == nil {
		return Limit{}, false
	}
	v, err := strconv.ParseFloat(m[2], 64)
	growth := m[1] == "+"
	if err != nil || m[3] == "%" && (!growth || v > 1000) {
		return Limit{}, false
	}
	if m[3] == "%" {
		return Limit{Growth: true, Percent: true, Hundreds: int64(math.Round(v * 100))}, true
	}
	bytes := math.Round(v * units[m[3]])
	return Limit{Bytes: int64(bytes), Growth: growth}, bytes < 1<<40
}

// budgets reads [budget], whose keys are free.
func (x *layers) budgets() (out []Budget) {
	t := x.own.Get("budget")
	if t == nil || x.err != nil || t.Kind != tomldoc.Table {
		return nil
	}
	for _, k := range t.Keys {
		b := Budget{Name: k.Name, Text: k.Value.Text, Origin: config.At(t.File(), k.Pos)}
		ok := false
		switch k.Value.Kind {
		case tomldoc.String:
			b.Limit, ok = ParseLimit(k.Value.Text)
		case tomldoc.Integer:
			b.Text = strconv.FormatInt(k.Value.Int, 10)
			b.Limit, ok = ParseLimit(b.Text)
		}
		if !ok || k.Name == "stack" && b.Limit.Growth {
			x.fail(k.Value.Errorf("budget.%s: want a size such as 900 KB or, but for stack, a growth such as +2%% or +4 KB", k.Name))
			return nil
		}
		out = append(out, b)
		x.out = append(x.out, Setting{Name: "budget." + k.Name, Value: b.Text, Origin: b.Origin})
	}
	return out
}
