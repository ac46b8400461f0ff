package inspect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/ui"
)

// show returns what View.Show prints as text and as an event.
func show(t *testing.T, v View) (text, event string) {
	t.Helper()
	var out, events, errs bytes.Buffer
	v.Show(ui.New(ui.Options{Stdout: &out, Stderr: &errs}))
	v.Show(ui.New(ui.Options{Stdout: &events, Stderr: &errs, JSON: true}))
	return out.String(), events.String()
}

func TestPartitionTable(t *testing.T) {
	v, err := File("table.csv", []byte("# Name, Type, SubType, Offset, Size\nnvs, data, nvs, 0x9000, 0x6000\nfactory, app, factory, 0x10000, 1M\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, event := show(t, v)
	for _, want := range []string{"name", "nvs      data  nvs", "0x009000", "0x006000", "24.0 KiB", "factory  app   factory", "1.0 MiB"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	var e struct {
		Event string
		PartitionTable
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil || e.Event != "partition-table" || e.File != "table.csv" ||
		len(e.Partitions) != 2 || e.Partitions[1] != (Partition{"factory", "app", "factory", 0x10000, 0x100000, ""}) {
		t.Errorf("%v: %s", err, event)
	}
}

// What is none of the known kinds is an error with the file's name.
func TestUnknown(t *testing.T) {
	for name, b := range map[string][]byte{"empty": {}, "text": []byte("hello\n"), "cut ELF": []byte("\x7fELF\x01\x01"), "cut image": {0xe9, 1, 2, 0x20}} {
		if v, err := File(name, b); err == nil {
			t.Errorf("%s is described as %T", name, v.Event)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "nvs, data, nvs, 0x9000, 0x6000\n", "\x7fELF\x01\x01\x01", "\xe9\x01\x02\x20", "version = 2\n", "\xaaP\x01\x02"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := File("file", b); err == nil && v.Event == nil {
			t.Error("neither an error nor an event")
		}
	})
}
