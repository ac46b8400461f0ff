package budget

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/size"
)

func report(esp, pp uint64) *size.Report {
	return &size.Report{
		Flash: esp + pp, RAM: 100, Stack: 5000,
		Owners: []size.Owner{
			{Name: "esp-hal", Kind: size.Crate, Flash: esp, RAM: 60},
			{Name: "libpp.a", Kind: size.Library, Flash: pp, RAM: 40},
			{Name: size.Padding, Kind: size.None},
		},
		Functions: []size.Symbol{{Name: "esp_hal::init", Owner: "esp_hal", Size: 30, Inlined: 10}, {Name: "pp", Owner: "libpp.a", Size: 7}},
	}
}

func limits(t *testing.T, of ...string) (out []project.Budget) {
	for i := 0; i < len(of); i += 2 {
		l, ok := project.ParseLimit(of[i+1])
		if !ok {
			t.Fatal(of[i+1])
		}
		out = append(out, project.Budget{Name: of[i], Text: of[i+1], Limit: l})
	}
	return out
}

func at(project.Budget) string { return "espalier.toml:2:1" }

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, "app", report(1000, 500)); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, "other", report(1, 1)); err != nil {
		t.Fatal(err)
	}
	recorded, err := Read(dir)
	if err != nil || len(recorded.Firmware) != 2 {
		t.Fatal(recorded, err)
	}
	now := report(1100, 490)
	for _, test := range []struct {
		limits []string
		want   []string // name and culprits
	}{
		{[]string{"flash", "1590", "ram", "100", "stack", "5000", "esp_hal", "1100", "libpp.a", "+0"}, nil},
		{[]string{"flash", "1589"}, []string{"flash esp-hal +100"}},
		{[]string{"flash", "+5%"}, []string{"flash esp-hal +100"}},
		{[]string{"flash", "+6%"}, nil},
		{[]string{"esp-hal", "+9.99%"}, []string{"esp-hal esp_hal::init"}},
		{[]string{"esp-hal", "+10%"}, nil},
		{[]string{"stack", "5001", "ram", "99"}, []string{"stack esp-hal +0 libpp.a +0", "ram esp-hal +0 libpp.a +0"}},
	} {
		got, err := Check(limits(t, test.limits...), "app", now, recorded, at)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, v := range got {
			s := v.Name
			for _, c := range v.Culprits {
				s += " " + c.Name
				if c.Grew != nil {
					s += " +" + strings.TrimPrefix(strings.Fields(strings.Split(c.String(), ", ")[1])[0], "+")
				}
			}
			names = append(names, s)
		}
		if !reflect.DeepEqual(names, test.want) {
			t.Errorf("%q: %q, want %q", test.limits, names, test.want)
		}
	}
	for _, bad := range [][]string{{"absent", "1"}, {"flash", "+1%"}} {
		name := "app"
		if bad[0] == "flash" {
			name = "unrecorded"
		}
		if _, err := Check(limits(t, bad...), name, now, recorded, at); fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) == 0 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// A crate that is gone keeps its budget.
	gone := report(1, 0)
	gone.Owners = gone.Owners[:1]
	if got, err := Check(limits(t, "libpp.a", "+1%"), "app", gone, recorded, at); err != nil || got != nil {
		t.Error(got, err)
	}
}

// TestFile: what is written can be read, equal sizes leave equal bytes, and a
// damaged or newer file is an error with a remedy.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if r, err := Read(dir); err != nil || r.Firmware != nil {
		t.Fatal(r, err)
	}
	var first []byte
	for range 3 {
		if err := Write(dir, "app", report(3, 4)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if string(b) != string(first) {
			t.Errorf("%s\nthen\n%s", first, b)
		}
	}
	for _, text := range []string{"version = 2\n", "version = ", "[firmware]\napp = 1\n", ""} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("version = 1\n[firmware.app]\nflash = 1\n[firmware.app.owners.core]\nflash = 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode("espalier.size", b)
		if err == nil {
			Check([]project.Budget{{Name: "core"}, {Name: "flash"}}, "app", report(1, 2), r, at)
		}
	})
}
