package settings

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/nvs"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

// Action is what a user wants of a partition.
type Action struct {
	verb           string // list, read, set, erase
	namespace, key string
	text           *string  // of set
	raw            []byte   // of set, the content of a file
	typ            nvs.Type // 0: that of the value that is there, else string
}

// ActionOptions are what an action needs besides its words.
type ActionOptions struct {
	Type  string    // name of a type; "" none
	From  string    // file with the value; "" none
	Stdin io.Reader // has the value when there is neither a word nor a file
}

// ParseAction reads "list [NAMESPACE]", "read NAMESPACE KEY", "set NAMESPACE KEY
// [VALUE]", "erase NAMESPACE [KEY]". Errors are faults of kind Usage.
func ParseAction(words []string, o ActionOptions) (a Action, err error) {
	forms := map[string][2]int{"list": {0, 1}, "read": {2, 2}, "set": {2, 3}, "erase": {1, 2}}
	form, ok := forms[words[0]]
	if !ok {
		return a, fault.New(fault.Usage, fmt.Sprintf("nvs %s: want list, read, set or erase", words[0]), "espalier nvs --help")
	}
	a.verb, words = words[0], words[1:]
	if len(words) < form[0] || len(words) > form[1] {
		return a, fault.New(fault.Usage, fmt.Sprintf("nvs %s: %d names are given", a.verb, len(words)),
			"espalier nvs "+map[string]string{"list": "list [NAMESPACE]", "read": "read NAMESPACE KEY", "set": "set NAMESPACE KEY [VALUE]", "erase": "erase NAMESPACE [KEY]"}[a.verb])
	}
	if len(words) > 0 {
		a.namespace = words[0]
	}
	if len(words) > 1 {
		a.key = words[1]
	}
	if (o.Type != "" || o.From != "") && a.verb != "set" {
		return a, fault.New(fault.Usage, "--type and --from are for nvs set")
	}
	if o.Type != "" {
		if a.typ, ok = nvs.ParseType(o.Type); !ok {
			return a, fault.New(fault.Usage, fmt.Sprintf("--type %s: want one of %s", o.Type, strings.Join(nvs.Types(), ", ")))
		}
	}
	if a.verb != "set" {
		return a, nil
	}
	switch {
	case o.From != "" && len(words) == 3:
		return a, fault.New(fault.Usage, "nvs set: a value and --from exclude each other")
	case o.From != "":
		b, err := os.ReadFile(o.From)
		if err != nil {
			return a, fault.Wrap(fault.Usage, config.Pathless(err), "reading "+o.From)
		}
		if a.typ == 0 {
			a.typ = nvs.Blob
		}
		if a.raw = b; a.typ != nvs.Blob {
			text := strings.TrimRight(string(b), "\r\n")
			a.text = &text
		}
	case len(words) == 3:
		a.text = &words[2]
	default:
		line, err := bufio.NewReader(io.LimitReader(o.Stdin, 1<<20)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return a, fault.Wrap(fault.Usage, err, "reading the value")
		}
		line = strings.TrimRight(line, "\r\n")
		a.text = &line
	}
	return a, nil
}

// Result is what an action has found or done.
type Result struct {
	Values  []Value
	Bare    bool // of read: the value alone is printed
	Changed bool
	Lost    []nvs.Damage
	Usage   nvs.Usage
	Listed  bool
	where   string
}

// Value is the event "nvs-value": one value.
type Value struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Type      string `json:"type"`
	Value     string `json:"value"` // a number in decimal, a blob in hexadecimal
}

// Printer prints results.
type Printer interface {
	Printf(format string, args ...any)
	Note(format string, args ...any)
	Event(name string, data any)
}

// Print prints a result: values on standard output, the rest as notes.
func (r Result) Print(out Printer) {
	for _, d := range r.Lost {
		out.Note("%s is damaged: %s", r.where, d.Text)
	}
	for _, v := range r.Values {
		out.Event("nvs-value", v)
		switch {
		case r.Bare:
			out.Printf("%s", v.Value)
		default:
			out.Printf("%s.%s\t%s\t%s", v.Namespace, v.Key, v.Type, v.Value)
		}
	}
	if r.Listed {
		out.Note("%s: %d of %d entries are used", r.where, r.Usage.Used, r.Usage.Total)
	}
}

// InFlash carries out an action in a partition of a flash. label is "" for nvs, or
// for the only partition of that kind; keysFile is the content of a keys partition,
// "" for the one in the flash.
func InFlash(ctx context.Context, f Flash, table partition.Table, label, keysFile string, act Action) (Result, error) {
	e, err := named(table, label)
	if err != nil {
		return Result{}, err
	}
	pl := &Place{Flash: f, Entry: e}
	if k, ok := table.Find(firstKeys(table)); ok {
		pl.Keys = &k
	}
	return act.run(ctx, pl, keysFile)
}

// InFile carries out an action in a file: the image of a whole flash, or a
// partition. The file is replaced when the action changes something.
func InFile(ctx context.Context, name string, content []byte, label, keysFile string, act Action) (r Result, err error) {
	b := slices.Clone(content)
	if image.Identify(b) == image.WholeFlash {
		var c *image.Contents
		if c, err = image.ParseFlash(b); err != nil {
			return r, fault.InFile(name, err)
		}
		r, err = InFlash(ctx, Memory(b), c.Table, label, keysFile, act)
	} else {
		pl := &Place{Flash: Memory(b), Entry: partition.Entry{Name: name, Size: uint32(len(b))}}
		r, err = act.run(ctx, pl, keysFile)
	}
	if err != nil || !r.Changed {
		return r, err
	}
	st, err := os.Stat(name)
	if err != nil {
		return r, fault.Wrap(fault.Usage, err, "")
	}
	return r, fault.Wrap(fault.Usage, atomicfile.Write(name, b, st.Mode().Perm()), "writing "+name)
}

// named finds the partition: the one with a name, else nvs, else the only one of
// that kind.
func named(t partition.Table, label string) (partition.Entry, error) {
	var all []string
	var found []partition.Entry
	for _, e := range t.Entries {
		if e.Type == partition.Data && e.Subtype == partition.DataNVS {
			all = append(all, e.Name)
			if label == "" || e.Name == label {
				found = append(found, e)
			}
		}
	}
	if label == "" && len(found) > 1 {
		found = slices.DeleteFunc(found, func(e partition.Entry) bool { return e.Name != "nvs" })
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return partition.Entry{}, fault.New(fault.Usage, "the partition table has no partition of type data and subtype nvs")
	case label == "":
		return partition.Entry{}, fault.New(fault.Usage, "there are several nvs partitions", "--partition NAME chooses one of "+strings.Join(all, ", "))
	}
	return partition.Entry{}, fault.New(fault.Usage, "no nvs partition called "+label, "there are "+strings.Join(all, ", "))
}

func (a Action) run(ctx context.Context, pl *Place, keysFile string) (r Result, err error) {
	r.where = "partition " + pl.Entry.Name
	if keysFile != "" {
		b, err := os.ReadFile(keysFile)
		if err != nil {
			return r, fault.Wrap(fault.Usage, config.Pathless(err), "reading "+keysFile)
		}
		keys, err := nvs.ParseKeys(b)
		if err != nil {
			return r, fault.Wrap(fault.Usage, err, keysFile)
		}
		pl.Given = &keys
	}
	p, err := pl.Open(ctx)
	if err != nil {
		return r, err
	}
	r.Lost, r.Usage, r.Listed, r.Bare = p.Damage(), p.Usage(), a.verb == "list", a.verb == "read"
	notFound := func() error {
		return fault.New(fault.Usage, fmt.Sprintf("%s has no value %s", r.where, strings.TrimSuffix(a.namespace+"."+a.key, ".")), "espalier nvs list")
	}
	var ops []nvs.Op
	switch a.verb {
	case "list", "read":
		for _, e := range p.List() {
			if (a.namespace == "" || e.Namespace == a.namespace) && (a.key == "" || e.Key == a.key) {
				r.Values = append(r.Values, Value{e.Namespace, e.Key, e.Value.Type.String(), e.Value.String()})
			}
		}
		if a.verb == "read" && len(r.Values) == 0 {
			return r, notFound()
		}
		return r, nil
	case "set":
		value, err := a.value(p)
		if err != nil {
			return r, fault.Wrap(fault.Usage, err, a.namespace+"."+a.key)
		}
		if ops, err = p.Set(a.namespace, a.key, value); err != nil {
			return r, fault.Wrap(fault.Usage, err, r.where)
		}
	case "erase":
		if ops, err = p.Erase(a.namespace, a.key); errors.Is(err, nvs.ErrNotFound) {
			return r, notFound()
		} else if err != nil {
			return r, fault.Wrap(fault.Usage, err, r.where)
		}
	}
	r.Changed = len(ops) > 0
	return r, pl.Commit(ctx, ops)
}

// value is the value of set. One that is there keeps its type.
func (a Action) value(p *nvs.Partition) (nvs.Value, error) {
	if a.text == nil {
		return nvs.Bytes(a.raw), nil
	}
	t := a.typ
	if t == 0 {
		t = nvs.String
		if old, err := p.Get(a.namespace, a.key); err == nil {
			t = old.Type
		}
	}
	return nvs.Parse(t, *a.text)
}
