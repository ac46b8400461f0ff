// Package budget compares the size of a firmware with the limits of [budget] in
// espalier.toml and with the sizes that espalier.size records. Check
// returns the limits that are exceeded, with what grew most; Read and Write are
// for the recorded file.
package budget

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/size"
)

// FileName is the file of recorded sizes, beside espalier.lock. It is committed
// with the project and is no input of a build.
const FileName = "espalier.size"

// Recorded is the content of the file: the sizes of each firmware by its name.
type Recorded struct {
	Version  int              `toml:"version"`
	Firmware map[string]Sizes `toml:"firmware"`
}

// Sizes are the sizes of one firmware in bytes.
type Sizes struct {
	Flash  uint64           `toml:"flash"`
	RAM    uint64           `toml:"ram"`
	Stack  uint64           `toml:"stack"`
	Owners map[string]Owner `toml:"owners"` // crates and static libraries
}

// Owner is what a crate or static library takes.
type Owner struct {
	Flash uint64 `toml:"flash"`
	RAM   uint64 `toml:"ram"`
}

const version = 1

// Read reads the recorded sizes in a directory; without a file there are none.
func Read(dir string) (Recorded, error) {
	path := filepath.Join(dir, FileName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Recorded{}, nil
	}
	if err != nil {
		return Recorded{}, fault.Wrap(fault.Usage, err, "reading the recorded sizes")
	}
	return decode(path, b)
}

func decode(path string, b []byte) (r Recorded, err error) {
	hint := "espalier size --record   # writes it again"
	if err := toml.Unmarshal(b, &r); err != nil {
		return Recorded{}, fault.Wrap(fault.Usage, errors.New(strings.TrimPrefix(err.Error(), "toml: ")), path, hint)
	}
	if r.Version != version {
		return Recorded{}, fault.New(fault.Usage, fmt.Sprintf("%s: version %d, this espalier reads version %d", path, r.Version, version), hint)
	}
	return r, nil
}

// Write records the sizes of one firmware and keeps those of others.
func Write(dir, name string, r *size.Report) error {
	all, err := Read(dir)
	if err != nil {
		return err
	}
	all.Version = version
	if all.Firmware == nil {
		all.Firmware = map[string]Sizes{}
	}
	s := Sizes{Flash: r.Flash, RAM: r.RAM, Stack: r.Stack, Owners: map[string]Owner{}}
	for _, o := range r.Owners {
		if o.Kind != size.None {
			s.Owners[o.Name] = Owner{o.Flash, o.RAM}
		}
	}
	all.Firmware[name] = s
	b, err := toml.Marshal(all)
	if err != nil {
		return err
	}
	head := "# Sizes in bytes, recorded by espalier size --record. [budget] in espalier.toml compares\n# growth with them.\n"
	return fault.Wrap(fault.Usage, atomicfile.WriteChanged(filepath.Join(dir, FileName), append([]byte(head), b...), 0o644), "writing the recorded sizes")
}

// Violation is a limit that a firmware does not keep.
type Violation struct {
	Name     string    `json:"name"` // flash, ram, stack, or an owner
	Budget   string    `json:"budget"`
	Limit    uint64    `json:"limit"`
	Size     uint64    `json:"size"`
	Place    string    `json:"place"` // where the limit is written
	Culprits []Culprit `json:"culprits,omitempty"`
}

// Culprit is an owner, or for the budget of an owner a function or static of
// it, with what it takes and how much that is more than recorded.
type Culprit struct {
	Name string `json:"name"`
	Size uint64 `json:"size"`
	Grew *int64 `json:"grew,omitempty"` // nil: nothing is recorded
}

func (v Violation) String() string {
	if v.Name == "stack" {
		return fmt.Sprintf("%s: budget.stack: %d bytes are left to the stack, the budget wants %d (%d too few)", v.Place, v.Size, v.Limit, v.Limit-v.Size)
	}
	return fmt.Sprintf("%s: budget.%s: %d bytes, the budget is %s: %d (%d too many)", v.Place, v.Name, v.Size, v.Budget, v.Limit, v.Size-v.Limit)
}

func (c Culprit) String() string {
	if c.Grew == nil {
		return fmt.Sprintf("%s takes %d bytes", c.Name, c.Size)
	}
	return fmt.Sprintf("%s takes %d bytes, %+d since they were recorded", c.Name, c.Size, *c.Grew)
}

// mostCulprits is how many are named for each limit.
const mostCulprits = 5

// Check compares a firmware with the limits. A growth without a recorded size,
// and a name that is not in the firmware, are faults of kind Usage: a budget
// that checks nothing would be a success by luck.
func Check(limits []project.Budget, name string, r *size.Report, all Recorded, place func(project.Budget) string) ([]Violation, error) {
	recorded, known := all.Firmware[name]
	var out []Violation
	for _, b := range limits {
		where := place(b)
		if b.Limit.Growth && !known {
			return nil, fault.New(fault.Usage, fmt.Sprintf("%s: budget.%s = %q, and no size of %s is recorded", where, b.Name, b.Text, name),
				"espalier size --record   # then commit "+FileName)
		}
		v := Violation{Name: b.Name, Budget: b.Text, Place: where}
		var before uint64
		switch b.Name {
		case "flash":
			v.Size, before = r.Flash, recorded.Flash
		case "ram":
			v.Size, before = r.RAM, recorded.RAM
		case "stack":
			v.Size = r.Stack
		default:
			o, ok := r.Owner(b.Name)
			old, was := recorded.owner(b.Name)
			if !ok && !was {
				return nil, fault.New(fault.Usage, fmt.Sprintf("%s: budget.%s: no crate or static library of %s has this name", where, b.Name, name), "espalier size")
			}
			v.Size, before = o.Flash, old.Flash
		}
		v.Limit = b.Limit.Of(before)
		if over := v.Size > v.Limit; over != (b.Name == "stack") && v.Size != v.Limit {
			v.Culprits = culprits(b.Name, r, recorded, known)
			out = append(out, v)
		}
	}
	return out, nil
}

func (s Sizes) owner(name string) (Owner, bool) {
	for have, o := range s.Owners {
		if size.SameCrate(have, name) {
			return o, true
		}
	}
	return Owner{}, false
}

// culprits names what grew most since the sizes were recorded; without a record,
// or when nothing grew, what takes most.
func culprits(name string, r *size.Report, recorded Sizes, known bool) []Culprit {
	var list []Culprit
	if name != "flash" && name != "ram" && name != "stack" {
		for _, symbols := range [][]size.Symbol{r.Functions, r.Statics} {
			for _, s := range symbols {
				if size.SameCrate(s.Owner, name) {
					list = append(list, Culprit{Name: s.Name, Size: s.Size - s.Inlined})
				}
			}
		}
		known = false
	} else {
		for _, o := range r.Owners {
			if o.Kind == size.None {
				continue
			}
			old, _ := recorded.owner(o.Name)
			c, before := Culprit{Name: o.Name, Size: o.Flash}, old.Flash
			if name != "flash" {
				c.Size, before = o.RAM, old.RAM
			}
			if known {
				grew := int64(c.Size) - int64(before)
				c.Grew = &grew
			}
			list = append(list, c)
		}
	}
	grew := func(c Culprit) int64 {
		if c.Grew == nil {
			return 0
		}
		return *c.Grew
	}
	if slices.ContainsFunc(list, func(c Culprit) bool { return grew(c) > 0 }) {
		list = slices.DeleteFunc(list, func(c Culprit) bool { return grew(c) <= 0 })
	}
	order.Sort(list, func(a, b Culprit) int {
		return cmp.Or(cmp.Compare(grew(b), grew(a)), cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), mostCulprits)]
}
