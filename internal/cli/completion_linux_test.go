package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestShells completes verbs and values in the real shells. Bash is one without
// the package bash-completion, as on most machines.
func TestShells(t *testing.T) {
	devtest.Long(t, "starts three shells, each for every line")
	dir := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\nwifi = []\n[profile.tiny]\ninherits = \"release\"\n")
	write("src/bin/one.rs", "")
	write("src/bin/other.rs", "")
	// What each shell's driver gets: the words of the line, the last one is completed.
	drivers := map[string]string{
		"bash": `source <(espalier completion bash); compopt() { :; }
COMP_WORDS=(); for w; do
	case $w in --*=*) COMP_WORDS+=("${w%%=*}" = "${w#*=}");; *) COMP_WORDS+=("$w");; esac
done
COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9
__start_espalier; printf '%s\n' "${COMPREPLY[@]}"`,
		"zsh": `autoload -U compinit; compinit -u -D
source <(espalier completion zsh)
_describe() { print -l -- "${completions[@]}" }
words=("$@"); CURRENT=$#; _espalier`,
		"fish": `espalier completion fish | source; complete -C "$argv"`,
	}
	programs := map[string]string{"bash": devtest.Tool(t, "bash"), "zsh": devtest.Tool(t, "zsh"), "fish": devtest.Tool(t, "fish")}
	for shell, driver := range drivers {
		program := programs[shell]
		own := filepath.Dir(espalier(t, nil).Path)
		for line, want := range map[string]string{
			"em":                          "emulate",
			"run --bin ":                  "one other",
			"run --bin=ot":                "other",
			"build --profile t":           "test tiny",
			"run --net ":                  "host isolated none",
			"check --message-format s":    "short",
			"new --template http-client-": "http-client-embassy",
			"build -F w":                  "wifi",
		} {
			words := strings.Split("espalier "+line, " ")
			var cmd *exec.Cmd
			switch shell {
			case "bash":
				cmd = exec.Command(program, append([]string{"--norc", "-c", driver, "bash"}, words...)...)
			case "zsh":
				cmd = exec.Command(program, append([]string{"-f", "-c", driver, "zsh"}, words...)...)
			case "fish":
				cmd = exec.Command(program, "--no-config", "-c", driver, "espalier "+line)
			}
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "PATH="+own+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			var got []string
			for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
				l, _, _ = strings.Cut(strings.TrimSpace(l), "\t") // a description
				if before, _, ok := strings.Cut(l, ":"); ok && shell == "zsh" {
					l = before
				}
				got = append(got, strings.TrimPrefix(l, "--bin="))
			}
			slices.Sort(got)
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s: %q: %q, want %q (%v)\n%s", shell, line, got, want, err, out)
			}
		}
	}
}
