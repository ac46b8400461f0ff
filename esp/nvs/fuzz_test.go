package nvs

import (
	"testing"
)

// Any bytes are a partition: reading gives values or damage, and a write either
// fails without a change or can be read back with everything else.
func FuzzOpen(f *testing.F) {
	f.Add(written(f, MinSize, nil, []Entry{{"n", "k", Text("v")}, {"n", "b", Bytes(filled(4500, 1))}}).Bytes())
	f.Add(written(f, MinSize, nil, []Entry{{"n", "k", number(f, I8, "-1")}}).Bytes())
	f.Add(make([]byte, MinSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 8*PageSize {
			return
		}
		p, err := Open(b, nil)
		if err != nil {
			return
		}
		before := p.List()
		if _, err := p.Set("fuzz", "key", Text("value")); err != nil {
			return
		}
		q, err := Open(p.Bytes(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := q.Get("fuzz", "key"); err != nil || v.String() != "value" {
			t.Fatalf("%v, %v", v, err)
		}
		var after []Entry
		for _, e := range q.List() {
			if e.Namespace != "fuzz" || e.Key != "key" {
				after = append(after, e)
			}
		}
		var kept []Entry
		for _, e := range before {
			if e.Namespace != "fuzz" || e.Key != "key" {
				kept = append(kept, e)
			}
		}
		same(t, after, kept)
	})
}
