package deptest

import (
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestModule(t *testing.T) {
	found, err := Check(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range found {
		t.Error(line)
	}
}

// Each rule is checked on a module that violates it.
func TestViolations(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string // path -> source without the package clause
		want  []string          // parts of the lines, in order; none: no breach
	}{
		{"allowed", map[string]string{
			"internal/action/a.go":  `import ("fmt"; "espalier.dev/espalier/internal/store"; "espalier.dev/espalier/internal/fault")`,
			"internal/action/b.go":  "const x = 1\nvar table = []int{1}\nfunc f() { table := map[string]int{}; table[\"x\"] = 1 }",
			"internal/cli/a.go":     `import "espalier.dev/espalier/internal/build"`,
			"internal/ui/a.go":      `import "fmt"` + "\nfunc f() { fmt.Println() }",
			"internal/sandbox/a.go": `import ("os/exec"; "unsafe")`,
			"cmd/espalier/main.go":  `import ("espalier.dev/espalier/internal/cli"; "os")` + "\nfunc f() { os.Exit(1) }",
			"rv32/gen.go":           "ignored",
			"rv32/translate.go":     `import "unsafe"`,
			"emu/c3/a_test.go":      `import ("os"; "espalier.dev/espalier/esp/loader")`,
			"testdata/x/a.go":       `import "os/exec"`,
		}, nil},
		{"unknown package", map[string]string{"internal/util/a.go": ""}, []string{"internal/util is not in the table"}},
		{"back edge", map[string]string{"internal/store/a.go": `import "espalier.dev/espalier/internal/action"`}, []string{"internal/store imports internal/action: blobs and trees"}},
		{"another system's file", map[string]string{"internal/store/a_windows.go": `import "espalier.dev/espalier/internal/lock"`}, []string{"internal/store imports internal/lock"}},
		{"cli", map[string]string{"internal/build/a.go": `import "espalier.dev/espalier/internal/cli"`}, []string{"no package depends on the cli"}},
		{"test helper", map[string]string{"internal/build/a.go": `import "espalier.dev/espalier/internal/devtest"`}, []string{"it is for tests"}},
		{"public", map[string]string{"emu/a.go": `import "espalier.dev/espalier/internal/progress"`}, []string{"emu imports internal/progress: other modules"}},
		{"public, with an entry", map[string]string{"emutest/a.go": `import "espalier.dev/espalier/internal/store"` + `
type T struct { st *store.Store }
func (T) get() *store.Store { return nil }
type hidden struct { St *store.Store }
func (hidden) Get() *store.Store { return nil }
func New() T { var s *store.Store; return T{s} }`}, nil},
		{"internal type in an exported declaration", map[string]string{"emutest/a.go": `import st "espalier.dev/espalier/internal/store"` + `
func Open() (*st.Store, error) { return nil, nil }
type T struct { St *st.Store; st *st.Store }
type I interface { Get(*st.Store) }
var V = st.Store{}`}, []string{"emutest/a.go:3: Open exposes st.Store", "emutest/a.go:4: T exposes", "emutest/a.go:5: I exposes", "emutest/a.go:6: V exposes"}},
		{"accepted, but gone", map[string]string{"monitor/a.go": ""}, []string{`accepted violation "monitor -> internal/fault" does not exist`}},
		{"accepted", map[string]string{"monitor/a.go": `import "espalier.dev/espalier/internal/fault"`}, nil},
		{"rv32 library", map[string]string{"rv32/a.go": `import "golang.org/x/sys/cpu"`}, []string{"rv32 is standard library only"}},
		{"clock in a format", map[string]string{"esp/image/a.go": `import "time"`}, []string{"esp/image/a.go imports time: bytes in"}},
		{"files in a format, at one remove", map[string]string{
			"esp/image/a.go": `import "espalier.dev/espalier/esp/chip"`,
			"esp/chip/a.go":  `import "os"`,
		}, []string{"esp/chip/a.go imports os", "esp/image imports os through esp/chip"}},
		{"loader may", map[string]string{"esp/loader/a.go": `import "time"`}, nil},
		{"network in the chip", map[string]string{"emu/c3/a.go": `import "net"`}, []string{"only some packages make connections", "the chip is deterministic"}},
		{"host clock", map[string]string{"emu/a.go": `import "time"` + "\nfunc f() { time.Now() }"}, []string{"emu/a.go:3 uses time.Now: guest time"}},
		{"host clock, renamed", map[string]string{"emu/a.go": `import clock "time"` + "\nfunc f() { clock.Sleep(1) }"}, []string{"uses time.Sleep"}},
		{"emulator and flasher", map[string]string{
			"emu/radio/a.go":  `import "espalier.dev/espalier/emu"`,
			"emu/a.go":        `import "espalier.dev/espalier/esp/loader"`,
			"esp/loader/a.go": "",
		}, []string{"emu imports esp/loader: the board", "emu/a.go imports espalier.dev/espalier/esp/loader: the emulator does not depend", "emu/radio imports espalier.dev/espalier/esp/loader through emu"}},
		{"process", map[string]string{"internal/build/a.go": `import "os/exec"`}, []string{"only the sandbox starts processes"}},
		{"process by hand", map[string]string{"internal/build/a.go": `import "os"` + "\nfunc f() { os.StartProcess(\"\", nil, nil) }"}, []string{"uses os.StartProcess"}},
		{"connection", map[string]string{"internal/build/a.go": `import "net/http"`}, []string{"only some packages make connections"}},
		{"unsafe", map[string]string{"rv32/decode.go": `import "unsafe"`}, []string{"unsafe"}},
		{"cgo", map[string]string{"internal/build/a.go": `import "C"`}, []string{"cgo"}},
		{"print", map[string]string{"internal/build/a.go": `import "fmt"` + "\nfunc f() { fmt.Println(); println() }"}, []string{"uses fmt.Println: only ui prints", "uses println"}},
		{"stream", map[string]string{"internal/build/a.go": `import "os"` + "\nvar w = os.Stderr"}, []string{"uses os.Stderr"}},
		{"exit", map[string]string{"internal/build/a.go": `import "os"` + "\nfunc f() { os.Exit(1) }"}, []string{"uses os.Exit"}},
		{"init", map[string]string{"internal/build/a.go": "func init() {}"}, []string{"internal/build/a.go:2: func init"}},
		{"variable", map[string]string{
			"internal/build/a.go": "var n int\nvar m = map[string]int{}\nvar s []struct{ x int }",
			"internal/build/b.go": "func f() { n++; m[\"x\"] = 1; delete(m, \"x\"); s[0].x = 1 }\nfunc g(n int) { n++ }",
		}, []string{"b.go:2: changes the package variable m", "b.go:2: changes the package variable n", "b.go:2: changes the package variable s"}},
		{"once", map[string]string{"internal/build/a.go": `import "sync"` + "\nvar once sync.Once"}, []string{"once is a sync.Once"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range tc.files {
				host := filepath.Join(root, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(host), 0o755); err != nil {
					t.Fatal(err)
				}
				head := "package p\n"
				if text == "ignored" {
					head, text = "//go:build ignore\n\npackage main\n", `import "os/exec"`
				}
				if err := os.WriteFile(host, []byte(head+text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := check(root, map[string]string{"monitor -> internal/fault": "for these tests"})
			if err != nil {
				t.Fatal(err)
			}
			ok := len(got) == len(tc.want)
			for i := range tc.want {
				ok = ok && strings.Contains(got[i], tc.want[i])
			}
			if !ok {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// The tables themselves: every package once, each of them there, and every rule
// with its reason.
func TestTables(t *testing.T) {
	sources, err := scan(filepath.Join("..", ".."), token.NewFileSet())
	if err != nil {
		t.Fatal(err)
	}
	exists := func(pattern string) bool {
		return pattern == "bench/..." || // has tests only
			slices.ContainsFunc(sources, func(s source) bool { return under(pattern, s.pkg) })
	}
	var seen []string
	for _, r := range packages {
		if slices.Contains(seen, r.path) || r.why == "" {
			t.Errorf("package %s: listed twice, or without a reason", r.path)
		}
		seen = append(seen, r.path)
		if !exists(r.path) {
			t.Errorf("package %s does not exist: remove its row", r.path)
		}
		for _, may := range r.may {
			if may != "..." && !exists(may) {
				t.Errorf("package %s may import %s, which does not exist", r.path, may)
			}
		}
	}
	for _, list := range [][]string{leaves, public, testOnly} {
		for _, p := range list {
			if !exists(p) {
				t.Errorf("package %s does not exist", p)
			}
		}
	}
	for _, b := range bans {
		for _, p := range slices.Concat(b.in, b.except) {
			if pkg, _, _ := strings.Cut(p, ":"); !exists(pkg) {
				t.Errorf("rule %q names %s, which does not exist", b.name, p)
			}
		}
		if b.why == "" || len(b.imports)+len(b.uses) == 0 {
			t.Errorf("ban %q has no reason, or nothing to forbid", b.name)
		}
	}
}
