package bench

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/cli"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
)

// edit is a change of one line of a project.
type edit struct{ kind, from, to string }

// edits are typical changes between two flashes, for each project.
func edits() map[string][]edit {
	return map[string][]edit{
		"hello": {
			{"constant", "delay_millis(500)", "delay_millis(250)"},
			{"text", "Hello from an", "Howdy from an"},
			{"longer", "Hello from an ESP32-C3!", "Hello from an ESP32-C3, edited once!"},
			{"statement", "        led.toggle();\n", "        led.toggle();\n        if count % 8 == 0 { println!(\"eight more\"); }\n"},
		},
		"http-client": {
			{"constant", "Duration::from_secs(30)", "Duration::from_secs(45)"},
			{"text", `println!("scanning")`, `println!("Scanning")`},
			{"longer", `println!("scanning")`, `println!("scanning for networks")`},
			{"statement", "        network.restart();\n", "        network.restart();\n        println!(\"again, channel {}\", joined.channel);\n"},
		},
	}
}

// editedELF builds a locked project of the test store with an edit; nil builds
// it unchanged.
func editedELF(b *testing.B, name string, e *edit) []byte {
	b.Helper()
	from := filepath.Join(devtest.Store(b), "projects", name)
	if _, err := os.Stat(filepath.Join(from, lock.FileName)); err != nil {
		devtest.Missing(b, "the locked project "+name+" (scripts/firmware)")
	}
	dir := filepath.Join(b.TempDir(), name)
	check(b, os.CopyFS(dir, os.DirFS(from)))
	if e != nil {
		path := filepath.Join(dir, "src", "main.rs")
		was := string(readAll(b, path))
		now := strings.Replace(was, e.from, e.to, 1)
		if now == was {
			b.Fatalf("%s has no line %q", name, e.from)
		}
		check(b, os.WriteFile(path, []byte(now), 0o666))
	}
	out := filepath.Join(dir, "out")
	env := func(k string) (string, bool) {
		if k == "ESPALIER_STORE" {
			return devtest.Store(b), true
		}
		return os.LookupEnv(k)
	}
	var errs bytes.Buffer
	if code := cli.Run(context.Background(), []string{"-C", dir, "build", "--offline", "--out", out}, strings.NewReader(""), &bytes.Buffer{}, &errs, env); code != 0 {
		b.Fatalf("building %s: exit %d\n%s", name, code, errs.String())
	}
	return readAll(b, filepath.Join(out, name+".elf"))
}

// BenchmarkFlashEdit builds two programs, unchanged and with one line edited in
// four ways, and flashes the edited one over the original. It reports the bytes
// on the wire in both directions, from the flasher's first byte on, as a ratio
// to espflash (target 0.15 with its stub, its default). It is measured with
// espalier's cached copy of the flash, as for every flash but the first, and
// without; and in ROM mode, where espflash does not compress.
//
//	go test ./bench -run '^$' -bench FlashEdit -benchtime 1x
func BenchmarkFlashEdit(b *testing.B) {
	devtest.Long(b, "builds firmware, and flashes in real time")
	for _, name := range []string{"hello", "http-client"} {
		r := newFlashers(b)
		before := r.image(name, editedELF(b, name, nil))
		for _, e := range edits()[name] {
			after := r.image(name+"-"+e.kind, editedELF(b, name, &e))
			b.Run(name+"/"+e.kind, func(b *testing.B) {
				r := *r
				r.b = b
				for b.Loop() {
					theirs, theirROM := r.measure(before.Merged(), after, r.espflash()), r.measure(before.Merged(), after, r.espflash("--no-stub"))
					known := r.measure(before.Merged(), after, r.espalier(true, before))
					unknown := r.measure(before.Merged(), after, r.espalier(true, nil))
					rom := r.measure(before.Merged(), after, r.espalier(false, before))
					b.Logf("espalier %d bytes in %v, without memory %d in %v, ROM commands only %d in %v; espflash %d in %v, ROM %d in %v", known.bytes, known.time, unknown.bytes, unknown.time, rom.bytes, rom.time, theirs.bytes, theirs.time, theirROM.bytes, theirROM.time)
					b.ReportMetric(float64(known.bytes)/float64(theirs.bytes), "wire/espflash")
					b.ReportMetric(float64(unknown.bytes)/float64(theirs.bytes), "without-memory/espflash")
					b.ReportMetric(float64(rom.bytes)/float64(theirROM.bytes), "rom/espflash-rom")
					b.ReportMetric(known.time.Seconds()/theirs.time.Seconds(), "time/espflash")
				}
			})
		}
	}
}
