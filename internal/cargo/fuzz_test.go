package cargo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/config"
)

func FuzzCargoConfig(f *testing.F) {
	f.Add("[build]\nrustflags = ['-C', 'force-frame-pointers']\n[target.riscv32imc-unknown-none-elf]\nrustflags = '-Ca=b'\n")
	f.Add("[target.'cfg(all(target_arch=\"riscv32\", not(unix)))']\nrustflags = ['--cfg', 'x']\nlinker = 'l'\n")
	f.Add("[alias]\nb = 'build'\n[unstable]\nbuild-std = 'core,alloc'\n[source.x]\nreplace-with = 'y'\n")
	f.Add("include = [{path = 'config.toml'}]\n[env]\nA = {value='x', force=true}\n[target.'cfg(any(a,b))']\nrunner='x'\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		path := filepath.Join(dir, ".cargo", "config.toml")
		if os.Mkdir(filepath.Dir(path), 0o777) != nil || os.WriteFile(path, []byte(text), 0o666) != nil {
			t.Skip()
		}
		_, _ = ReadConfig(&config.Reader{Dir: dir}, dir, dir, "")
	})
}

func FuzzCfg(f *testing.F) {
	for _, s := range []string{`cfg(unix)`, `cfg(all(target_arch = "riscv32", not(any(a, b = "c",))))`, `cfg()`, `cfg(r#true)`, `cfg("x")`, `cfg(all(`, `cfg(a = "b" c)`, "cfg(\tunix)"} {
		f.Add(s)
	}
	set := targetCfg(DefaultTarget)
	f.Fuzz(func(t *testing.T, s string) {
		on, err := matchCfg(s, set)
		if on && err != nil {
			t.Fatalf("%q matches and does not parse: %v", s, err)
		}
		if err == nil {
			inner := strings.TrimSuffix(strings.TrimPrefix(s, "cfg("), ")")
			if not, err := matchCfg("cfg(not("+inner+"))", set); err == nil && not == on {
				t.Fatalf("%q and its negation agree", s)
			}
		}
	})
}

func FuzzLexer(f *testing.F) {
	for _, s := range []string{"r#\"", "b'", "'\\", "/*/*", "\"\\u{", "r###", "#[cfg(", "env!(\"", "#![cfg(test)]", "\"\\x4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		EnvMacros([]byte(src + "env!"))
		last := 0
		for x := newLexer([]byte(src)); ; {
			tok, ok := x.next()
			if !ok {
				break
			}
			if tok.line < last || tok.col < 1 || x.i > len(src) {
				t.Fatalf("token %+v after line %d, at %d of %d", tok, last, x.i, len(src))
			}
			last = tok.line
		}
	})
}
