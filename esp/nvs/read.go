package nvs

import (
	"bytes"
	"cmp"
	"slices"
)

// Entry is one value with its name.
type Entry struct {
	Namespace, Key string
	Value          Value
}

// List returns all values, sorted by namespace and key. A value whose namespace is
// lost has the namespace "".
func (p *Partition) List() []Entry {
	names := p.namespaceNames()
	var out []Entry
	for _, it := range p.items {
		if it.namespace == 0 {
			continue
		}
		if v, ok := p.value(it); ok {
			out = append(out, Entry{names[it.namespace], it.key, v})
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// Namespaces returns the names of all namespaces, also of empty ones, sorted.
func (p *Partition) Namespaces() []string {
	var out []string
	for _, n := range p.namespaceNames() {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Get returns a value. The error is ErrNotFound.
func (p *Partition) Get(namespace, key string) (Value, error) {
	it, ok := p.find(namespace, key)
	if !ok {
		return Value{}, ErrNotFound
	}
	v, _ := p.value(it)
	return v, nil
}

// Usage is how many entries of 32 bytes a partition has.
type Usage struct {
	Used, Total int // of Total, one page is always kept free
}

// Usage counts entries.
func (p *Partition) Usage() Usage {
	u := Usage{Total: len(p.b) / PageSize * Entries}
	for _, it := range p.items {
		u.Used += it.len
	}
	return u
}

func (p *Partition) namespaceNames() map[uint8]string {
	out := map[uint8]string{}
	for _, it := range p.items {
		if it.namespace == 0 && it.typ == U8 {
			if n := it.data[0]; n != 0 && n <= maxNamespace && out[n] == "" {
				out[n] = it.key
			}
		}
	}
	return out
}

// namespace returns the number of a namespace; 0 when there is none.
func (p *Partition) namespace(name string) uint8 {
	for _, it := range p.items {
		if it.namespace == 0 && it.typ == U8 && it.key == name {
			return it.data[0]
		}
	}
	return 0
}

// find returns the item of a value: of several with different types, the last.
func (p *Partition) find(namespace, key string) (found item, ok bool) {
	n := p.namespace(namespace)
	for _, it := range p.items {
		if n != 0 && it.namespace == n && it.key == key && it.typ != blobData {
			found, ok = it, true
		}
	}
	return found, ok
}

// value returns the value of an item; a chunk is none.
func (p *Partition) value(it item) (Value, bool) {
	switch {
	case it.typ.integer():
		return decodeInteger(it.typ, it.data), true
	case it.typ == String:
		return Value{Type: String, Data: bytes.Clone(bytes.TrimSuffix(it.payload, []byte{0}))}, true
	case it.typ == blobOld:
		return Bytes(bytes.Clone(it.payload)), true
	case it.typ == Blob:
		b, err := p.assemble(it)
		return Bytes(b), err == nil
	}
	return Value{}, false
}
