package cli

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest/mini"
)

// A secret that a firmware is compiled with is in the firmware's own files, which
// are private, and in nothing else that espalier writes or prints: store, lock,
// logs, recordings, captures. verify builds with a stand-in, so that its result is
// the same for everyone.
func TestObstacle19SecretStaysPrivate(t *testing.T) {
	dir, env := miniProject(t)
	secret := "sec-" + strings.ToLower(rand.Text())
	pass := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(pass, []byte("#!/bin/sh\necho \"$2\"\necho second line\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The program of the test says its argument; a password manager knows it.
	write(t, filepath.Join(dir, "espalier.toml"), "[secret]\nTOKEN = { command = [\""+pass+"\", \"show\", \"x\"] }\nFROM_FILE = { file = \"token.txt\" }\n"+
		"[build.env]\nTOKEN = { secret = true }\nOTHER = { secret = \"FROM_FILE\" }\n")
	write(t, filepath.Join(dir, "token.txt"), secret+"\n")
	mini.Edit(t, dir, "app/src/main.rs", "cfg::text().as_ptr()", `concat!(env!("OTHER"), " and ", env!("TOKEN"), "\0").as_ptr()`)
	store := ""
	for _, e := range env {
		if s, ok := strings.CutPrefix(e, "ESPALIER_STORE="); ok {
			store = s
		}
	}
	start := time.Now().Add(-2 * time.Second)
	var printed bytes.Buffer
	must := func(args ...string) string {
		t.Helper()
		out, err := espalier(t, env, append([]string{"-C", dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("espalier %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	say := func(args ...string) string { text := must(args...); printed.WriteString(text); return text }

	say("lock")
	say("build", "--verbose")
	say("build", "--json")
	say("why")
	say("check")
	say("doctor", "--config")
	if text := must("run", "--expect", secret+" and x", "--timeout", "60s", "--record", filepath.Join(dir, "run.rec"), "--pcap", filepath.Join(dir, "run.pcap"), "--log", filepath.Join(t.TempDir(), "log")); !strings.Contains(text, secret) {
		t.Error("the firmware does not have the secret: the test cannot fail")
	}
	first := say("verify", "--record")
	write(t, filepath.Join(dir, "token.txt"), "another value\n")
	second := say("verify")
	if !strings.Contains(first, "stand-ins for the secrets of OTHER, TOKEN") || strings.Contains(second, "records another") {
		t.Errorf("verify\n%s\n%s", first, second)
	}

	if bytes.Contains(printed.Bytes(), []byte(secret)) {
		t.Errorf("printed:\n%s", printed.String())
	}
	private := filepath.Join(dir, "target", "espalier", "secret")
	scanned := 0
	scan := func(root string, since time.Time) {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // other tests remove files of the store meanwhile
			}
			info, err := d.Info()
			if err != nil || time.Unix(info.Sys().(*syscall.Stat_t).Ctim.Unix()).Before(since) {
				return nil
			}
			b, err := os.ReadFile(name)
			if err != nil {
				return nil
			}
			scanned++
			if bytes.Contains(b, []byte(secret)) && filepath.Dir(name) != private {
				t.Errorf("the secret is in %s", name)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	scan(store, start)
	scan(dir, time.Time{})
	if scanned < 10 {
		t.Errorf("only %d files were read", scanned)
	}
	for name, mode := range map[string]fs.FileMode{".": 0o700, "app.elf": 0o600, "app.bin": 0o600, "CONTAINS-SECRETS.txt": 0o600} {
		if st, err := os.Stat(filepath.Join(private, name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(private, "app.elf")); !bytes.Contains(b, []byte(secret)) {
		t.Error("the ELF does not have the secret: the test cannot fail")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
