package diff

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/size"
)

func sizes(b []byte) (*size.Report, error) {
	e, err := elfview.Open(bytes.NewReader(b), elfview.Options{})
	if err != nil {
		return nil, err
	}
	return size.Analyze(e, nil), nil
}

func file(name string, b []byte) File { return File{name, b, sizes} }

// TestDeltasAddUp: the deltas of the sections, and those of the owners in flash
// and RAM, are the differences of the totals.
func TestDeltasAddUp(t *testing.T) {
	grown := elftest.Hello()
	for i := range grown.Sections {
		if grown.Sections[i].Name == ".rodata" {
			grown.Sections[i].Data = append(bytes.Clone(grown.Sections[i].Data), make([]byte, 100)...)
		}
	}
	pairs := [][2][]byte{{elftest.Hello().Bytes(), grown.Bytes()}}
	if !testing.Short() {
		var real [2][]byte
		for i, name := range []string{"hello.elf", "http-client.elf"} {
			b, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", name))
			if err != nil {
				devtest.Missing(t, "firmware/"+name+" in the test store (scripts/firmware)")
			}
			real[i] = b
		}
		pairs = append(pairs, real)
	}
	for _, p := range pairs {
		r, err := Files(file("a", p[0]), file("b", p[1]))
		if err != nil || r.Equal || r.Kind != "elf" {
			t.Fatal(r, err)
		}
		sum := map[string]int64{}
		total := map[string]int64{}
		for _, row := range r.Rows {
			if row.Delta == nil {
				continue
			}
			if row.Area == "total" {
				total[row.Name] = *row.Delta
			}
			sum[row.Area] += *row.Delta
		}
		if sum["flash"] != total["flash"] || sum["ram"] != total["ram"] || sum["flash"] == 0 {
			t.Errorf("owners differ by %d and %d, the totals by %d and %d", sum["flash"], sum["ram"], total["flash"], total["ram"])
		}
		back, err := Files(file("b", p[1]), file("a", p[0]))
		if err != nil || len(back.Rows) != len(r.Rows) {
			t.Errorf("%d differences, in the other order %d, %v", len(r.Rows), len(back.Rows), err)
		}
	}
}

func FuzzFiles(f *testing.F) {
	hello := elftest.Hello().Bytes()
	f.Add(hello, hello[:len(hello)-1])
	f.Add([]byte("{\"espalier-run\":1}\n{\"at\":1}\n"), []byte("{\"espalier-run\":1,\"x\":[1,{\"name\":\"a\"}]}\n{\"end\":1}\n"))
	f.Add([]byte("factory, app, factory, 0x10000, 1M\n"), []byte("factory, app, factory, 0x10000, 2M\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r, err := Files(file("a", a), file("b", b))
		if err == nil && r.Equal != bytes.Equal(a, b) {
			t.Error("equal is wrong")
		}
		r.Table(3)
	})
}
