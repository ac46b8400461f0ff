// Package diff compares two files of one kind: firmware ELFs, images, images of
// a whole flash, partition tables, locks, recordings of runs. What a file is
// follows from its content. Files takes their bytes and returns a Result; the
// package opens and prints nothing.
package diff

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/inspect"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/ui"
)

// Result is what differs, and the event "diff".
type Result struct {
	Kind  string `json:"kind"` // elf, image, flash, partition-table, lock-file, recording, revision
	Old   string `json:"old"`
	New   string `json:"new"`
	Equal bool   `json:"equal"` // the same bytes
	Rows  []Row  `json:"changes"`
}

// Row is one difference. From is empty for what is only in the new file, To for
// what is only in the old one. Delta is for sizes in bytes.
type Row struct {
	Area  string `json:"area"` // flash, ram, function, static, section, ...
	Name  string `json:"name"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Delta *int64 `json:"delta,omitempty"`
}

// File is one side: its name, its bytes and, for an ELF, who owns them.
type File struct {
	Name  string
	Bytes []byte
	Size  func([]byte) (*size.Report, error) // of an ELF
}

// Files compares two files. Files of different kinds or chips are a fault of
// kind Usage.
func Files(a, b File) (Result, error) {
	r := Result{Old: a.Name, New: b.Name, Equal: bytes.Equal(a.Bytes, b.Bytes)}
	fa, err := factsOf(a)
	if err != nil {
		return r, inFile(a.Name, err)
	}
	fb, err := factsOf(b)
	if err != nil {
		return r, inFile(b.Name, err)
	}
	if fa.kind != fb.kind {
		return r, fault.New(fault.Usage, fmt.Sprintf("%s is %s, %s is %s: nothing to compare", a.Name, kinds[fa.kind], b.Name, kinds[fb.kind]))
	}
	if fa.chip != fb.chip && fa.chip != "" && fb.chip != "" {
		return r, fault.New(fault.Usage, fmt.Sprintf("%s is for %s, %s for %s: nothing to compare", a.Name, fa.chip, b.Name, fb.chip))
	}
	r.Kind = fa.kind
	if r.Equal {
		return r, nil
	}
	switch r.Kind {
	case "lock-file":
		r.Rows = lockRows(fa.lock, fb.lock)
	case "recording":
		r.Rows = append(compare(fa, fb), recordingRows(a.Bytes, b.Bytes)...)
	default:
		r.Rows = compare(fa, fb)
	}
	return r, nil
}

// inFile is fault.InFile for errors of which some, those of a lock, begin with
// the file's name.
func inFile(name string, err error) error {
	if strings.HasPrefix(err.Error(), name+":") {
		return err
	}
	return fault.InFile(name, err)
}

var kinds = map[string]string{
	"elf": "an ELF", "image": "an image", "flash": "the image of a flash", "partition-table": "a partition table",
	"lock-file": "a lock", "recording": "a recording",
}

// key names a fact of a file.
type key struct{ area, name string }

// value is a text, or a number of bytes.
type value struct {
	text   string
	bytes  uint64
	isSize bool
}

// facts are what is known about a file, in the order of areas.
type facts struct {
	kind, chip string
	areas      []string
	of         map[key]value
	lock       []byte
}

func (f *facts) set(area, name string, v value) {
	if !slices.Contains(f.areas, area) {
		f.areas = append(f.areas, area)
	}
	f.of[key{area, name}] = v
}

func bytesOf(n uint64) value { return value{strconv.FormatUint(n, 10), n, true} }

func digest(b []byte) value {
	sum := sha256.Sum256(b)
	return value{text: hex.EncodeToString(sum[:8])}
}

func factsOf(f File) (*facts, error) {
	if isRecording(f.Bytes) {
		return recordingFacts(f.Bytes)
	}
	v, err := inspect.File(f.Name, f.Bytes)
	if v.Event == nil {
		return nil, err
	}
	out := &facts{kind: v.Event.EventName(), of: map[key]value{}}
	switch e := v.Event.(type) {
	case inspect.ELF:
		if err != nil {
			return nil, err // for another chip: nothing in it has a meaning here
		}
		out.chip = e.Chip
		return out, elfFacts(out, f, e)
	case inspect.LockFile:
		out.lock = f.Bytes
	case inspect.Image:
		out.chip = e.Chip
		img, err := image.Parse(f.Bytes)
		if err != nil {
			return nil, err
		}
		for i, s := range img.Segments {
			out.set("segment", fmt.Sprintf("%d at 0x%08x", i+1, s.Addr), bytesOf(uint64(len(s.Data))))
			out.set("content", fmt.Sprintf("segment %d at 0x%08x", i+1, s.Addr), digest(s.Data))
		}
		e.Segments = nil
		flatten(out, "image", "", e)
	default:
		flatten(out, out.kind, "", e)
		if out.kind == "flash" {
			flashFacts(out, f.Bytes)
		}
	}
	return out, nil
}

// flashFacts notes which 64 KiB of a flash hold what.
func flashFacts(out *facts, b []byte) {
	const block = 64 << 10
	for at := 0; at < len(b); at += block {
		part := b[at:min(at+block, len(b))]
		if len(bytes.Trim(part, "\xff")) > 0 {
			out.set("content", fmt.Sprintf("flash from 0x%06x", at), digest(bytes.TrimRight(part, "\xff"))) // erased or not written: the same
		}
	}
}

func elfFacts(out *facts, f File, e inspect.ELF) error {
	r, err := f.Size(f.Bytes)
	if err != nil {
		return err
	}
	out.set("total", "flash", bytesOf(r.Flash))
	out.set("total", "ram", bytesOf(r.RAM))
	out.set("total", "left to the stack", bytesOf(r.Stack))
	for _, s := range r.Sections {
		out.set("section", s.Name, bytesOf(s.Size))
	}
	for _, o := range r.Owners {
		name := o.Name
		for k, n := range map[string]uint64{"flash": o.Flash, "ram": o.RAM, "inlined": o.Parts.Inlined} {
			if n > 0 {
				out.set(k, name, bytesOf(n))
			}
		}
		if len(o.Versions) > 0 {
			out.set("version", name, value{text: strings.Join(o.Versions, ", ")})
		}
	}
	// A crate's hash is part of its symbols: names for people are compared, and
	// functions of one name are added up.
	for area, list := range map[string][]size.Symbol{"function": r.Functions, "static": r.Statics} {
		sums := map[string]uint64{}
		for _, s := range list {
			sums[s.Name] += s.Size
		}
		for name, n := range sums {
			out.set(area, name, bytesOf(n))
		}
	}
	if e.Descriptor != nil {
		flatten(out, "descriptor", "", e.Descriptor)
	}
	for k, v := range e.Metadata {
		out.set("metadata", k, value{text: v})
	}
	for _, s := range e.Sections {
		if b := sectionBytes(f.Bytes, s); b != nil {
			out.set("content", s.Name, digest(b))
		}
	}
	out.areas = []string{"total", "flash", "ram", "inlined", "version", "section", "function", "static", "descriptor", "metadata", "content"}
	return nil
}

// flatten makes facts of the JSON of a value: "apps 1 size". The file's own
// name, size and digest are no differences of their own.
func flatten(out *facts, area, prefix string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree any
	if d.Decode(&tree) == nil {
		walk(out, area, prefix, tree)
	}
}

func walk(out *facts, area, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if name == "" && (k == "file" || k == "sha256") {
				continue
			}
			walk(out, area, strings.TrimSpace(name+" "+k), e)
		}
	case []any:
		for i, e := range v {
			label := strconv.Itoa(i + 1)
			if m, ok := e.(map[string]any); ok {
				if s, ok := m["name"].(string); ok && s != "" {
					label = s
				}
			}
			walk(out, area, strings.TrimSpace(name+" "+label), e)
		}
	case nil:
	default:
		text := fmt.Sprint(v)
		if n, err := strconv.ParseUint(text, 10, 63); err == nil && (name == "size" || strings.HasSuffix(name, " size")) {
			out.set(area, name, bytesOf(n))
			return
		}
		out.set(area, name, value{text: text})
	}
}

// compare lists the facts that differ: by area, sizes by how much they differ.
func compare(a, b *facts) []Row {
	areas := slices.Clone(a.areas)
	for _, s := range b.areas {
		if !slices.Contains(areas, s) {
			areas = append(areas, s)
		}
	}
	var rows []Row
	for k, va := range a.of {
		vb, ok := b.of[k]
		if ok && va == vb {
			continue
		}
		rows = append(rows, row(k, va, vb, true, ok))
	}
	for k, vb := range b.of {
		if _, ok := a.of[k]; !ok {
			rows = append(rows, row(k, value{}, vb, false, true))
		}
	}
	grow := func(r Row) int64 {
		if r.Delta == nil {
			return 0
		}
		return max(*r.Delta, -*r.Delta)
	}
	order.Sort(rows, func(x, y Row) int {
		return cmp.Or(cmp.Compare(slices.Index(areas, x.Area), slices.Index(areas, y.Area)), cmp.Compare(grow(y), grow(x)), cmp.Compare(x.Name, y.Name))
	})
	return rows
}

func row(k key, a, b value, inA, inB bool) Row {
	r := Row{Area: k.area, Name: k.name}
	if inA {
		r.From = cmp.Or(a.text, `""`)
	}
	if inB {
		r.To = cmp.Or(b.text, `""`)
	}
	if a.isSize || b.isSize {
		d := int64(b.bytes) - int64(a.bytes)
		r.Delta = &d
	}
	return r
}

// Table makes the table of the differences, at most top rows of each area; 0 is
// all.
func (r Result) Table(top int) ui.Table {
	t := ui.Table{Head: []string{"", "old", "new", "delta", "name"}, Right: []int{1, 2, 3}}
	count := map[string]int{}
	for _, row := range r.Rows {
		if count[row.Area]++; top > 0 && count[row.Area] > top {
			continue
		}
		delta := ""
		if row.Delta != nil {
			delta = fmt.Sprintf("%+d", *row.Delta)
		}
		t.Rows = append(t.Rows, []string{row.Area, cmp.Or(row.From, "-"), cmp.Or(row.To, "-"), delta, row.Name})
	}
	return t
}
