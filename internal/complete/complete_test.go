package complete

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/serial"
)

func TestValues(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Cargo.toml":            "[workspace]\nmembers = [\"app\", \"lib\"]\nresolver = \"2\"\n[profile.tiny]\ninherits = \"release\"\n",
		"app/Cargo.toml":        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\nwifi = []\nwide = []\nble = []\n",
		"app/src/bin/one.rs":    "",
		"app/src/bin/other.rs":  "",
		"app/examples/blink.rs": "",
		"lib/Cargo.toml":        "[package]\nname = \"lib\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"lib/src/lib.rs":        "",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f := Finder{
		Open:  func() (*project.Project, error) { return project.Open(dir, project.Options{}) },
		Ports: func() ([]serial.Info, error) { return []serial.Info{{Name: "/dev/ttyS0"}}, nil },
	}
	for _, c := range []struct{ flag, typed, want string }{
		{"bin", "", "one other"}, {"bin", "ot", "other"}, {"bin", "x", ""}, {"example", "", "blink"}, {"package", "", "app lib"}, {"package", "l", "lib"},
		{"profile", "", "bench dev release test tiny"}, {"profile", "t", "test tiny"},
		{"features", "", "ble wide wifi"}, {"features", "wi", "wide wifi"}, {"features", "wifi,", "wifi,ble wifi,wide"}, {"features", "ble,wif", "ble,wifi"},
		{"port", "", "/dev/ttyS0 rfc2217:// tcp://"}, {"use", "/dev/", "/dev/ttyS0"}, {"net", "", "isolated host none"}, {"net", "h", "host"}, {"unknown", "", ""},
	} {
		if got := strings.Join(f.Values(c.flag, c.typed), " "); got != c.want {
			t.Errorf("--%s %s: %q, want %q", c.flag, c.typed, got, c.want)
		}
	}
	f.Open = func() (*project.Project, error) { return nil, errors.New("broken") }
	if got := f.Values("bin", ""); got != nil {
		t.Errorf("a broken project: %q", got)
	}
	if !slices.IsSorted(Flags()) {
		t.Error(Flags())
	}
}

// TestBashWords splits lines as bash does, and joins them again.
func TestBashWords(t *testing.T) {
	bash := devtest.Tool(t, "bash")
	script, err := Bash("call() { "+needed+" -n =: cur prev words cword; }\n", "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line, words string // | is the cursor; words as bash splits them, separated by ~
		cur, prev   string
		all         string
	}{
		{"x em|", "x~em", "em", "x", "x,em"},
		{"x em |", "x~em~", "", "em", "x,em,"},
		{"x run --net=|", "x~run~--net~=~", "--net=", "run", "x,run,--net="},
		{"x run --net=ho|", "x~run~--net~=~ho", "--net=ho", "run", "x,run,--net=ho"},
		{"x run --port rfc2217://a:1|", "x~run~--port~rfc2217~:~//a~:~1", "rfc2217://a:1", "--port", "x,run,--port,rfc2217://a:1"},
		{"x run | --bin a", "x~run~~--bin~a", "", "run", "x,run,,--bin,a"},
		{"x r|un --bin a", "x~run~--bin~a", "r", "x", "x,run,--bin,a"},
		{"x  --bin   b|", "x~--bin~b", "b", "--bin", "x,--bin,b"},
	} {
		words := strings.Split(c.words, "~")
		point := strings.IndexByte(c.line, '|')
		cword := len(words) - 1
		if i := slices.Index(words[1:], c.cur); i >= 0 && !strings.HasSuffix(c.line, "|") {
			cword = i + 1
		} else if !strings.HasSuffix(c.line, "|") {
			cword = 1
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+w+"'")
		}
		line := strings.Replace(c.line, "|", "", 1)
		text := script + "COMP_WORDS=(" + strings.Join(quoted, " ") + "); COMP_LINE='" + line + "'; "
		cmd := exec.Command(bash, "--norc", "-c", text+`COMP_POINT=$1; COMP_CWORD=$2; call; IFS=,; echo "$cur;$prev;${words[*]}"`, "bash", strconv.Itoa(point), strconv.Itoa(cword))
		out, err := cmd.CombinedOutput()
		if want := c.cur + ";" + c.prev + ";" + c.all + "\n"; err != nil || string(out) != want {
			t.Errorf("%s: %q (%v), want %q", c.line, out, err, want)
		}
	}
	if _, err := Bash("nothing", "x"); err == nil {
		t.Error("a script that does not call the function was accepted")
	}
}
