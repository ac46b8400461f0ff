package gitconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/gcfg"

	"espalier.dev/espalier/internal/fault"
)

// Limits of a configuration file.
const (
	maxFile  = 4 << 20
	maxDepth = 10 // of includes, as in git
)

// entry is one value, in the order in which git sees them.
type entry struct {
	section, subsection, key, value string
	origin                          string // file, for messages
}

// Config is the merged configuration. The zero value is an empty one.
type Config struct {
	entries []entry
}

// Source says where configuration comes from.
type Source struct {
	Lookup func(string) (string, bool) // the environment
	Home   string                      // "" when the user has none
	GitDir string                      // of the project, for includeIf "gitdir:…"; "" outside of a repository
}

// Read reads the configuration. A file that is missing has no values; one that
// cannot be read or parsed is a fault of kind Usage that names it.
func Read(src Source) (*Config, error) {
	r := &reader{src: src, config: &Config{}}
	env := func(name string) string { v, _ := src.Lookup(name); return v }
	if system, ok := src.Lookup("GIT_CONFIG_SYSTEM"); ok {
		r.file(system, 0)
	} else if !isTrue(env("GIT_CONFIG_NOSYSTEM")) {
		r.file("/etc/gitconfig", 0)
	}
	if global, ok := src.Lookup("GIT_CONFIG_GLOBAL"); ok {
		r.file(global, 0)
	} else {
		xdg := env("XDG_CONFIG_HOME")
		if xdg == "" && src.Home != "" {
			xdg = filepath.Join(src.Home, ".config")
		}
		if xdg != "" {
			r.file(filepath.Join(xdg, "git", "config"), 0)
		}
		if src.Home != "" {
			r.file(filepath.Join(src.Home, ".gitconfig"), 0)
		}
	}
	r.parameters(env("GIT_CONFIG_PARAMETERS"))
	r.counted(env)
	return r.config, r.err
}

type reader struct {
	src    Source
	config *Config
	err    error
}

func (r *reader) fail(name string, err error) {
	if r.err == nil {
		r.err = fault.Wrap(fault.Usage, err, "reading git's configuration "+name, "git config --list --show-origin")
	}
}

// file reads one file, and what it includes at the place of the include.
func (r *reader) file(name string, depth int) {
	if name == "" || r.err != nil {
		return
	}
	if depth > maxDepth {
		r.fail(name, errors.New("includes are nested too deeply"))
		return
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		r.fail(name, err)
		return
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > maxFile {
		r.fail(name, fmt.Errorf("it has %d bytes, more than %d", st.Size(), maxFile))
		return
	}
	err = gcfg.ReadWithCallback(f, func(section, subsection, key, value string, _ bool) error {
		if key == "" { // a section without values
			return nil
		}
		section = strings.ToLower(section)
		r.add(section, subsection, key, value, name)
		if strings.EqualFold(key, "path") && (section == "include" || section == "includeif" && r.holds(subsection, name)) {
			r.file(r.expand(value, filepath.Dir(name)), depth+1)
		}
		return nil
	})
	if err != nil {
		r.fail(name, err)
	}
}

func (r *reader) add(section, subsection, key, value, origin string) {
	r.config.entries = append(r.config.entries, entry{section, subsection, strings.ToLower(key), value, origin})
}

// expand resolves a path of the configuration: ~/ is the home directory, and
// relative paths are relative to the file that has them.
func (r *reader) expand(p, dir string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok && r.src.Home != "" {
		return filepath.Join(r.src.Home, rest)
	}
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

// holds evaluates the condition of an includeIf. Of git's conditions, gitdir
// and gitdir/i are known; the others never hold: there is no checked-out
// branch that concerns a dependency.
func (r *reader) holds(condition, file string) bool {
	kind, pattern, _ := strings.Cut(condition, ":")
	if kind != "gitdir" && kind != "gitdir/i" || r.src.GitDir == "" {
		return false
	}
	dir := filepath.ToSlash(r.src.GitDir)
	switch {
	case strings.HasPrefix(pattern, "~/"):
		pattern = filepath.ToSlash(r.expand(pattern, "")) + trailingSlash(pattern)
	case strings.HasPrefix(pattern, "./"):
		pattern = path.Join(filepath.ToSlash(filepath.Dir(file)), pattern) + trailingSlash(pattern)
	case !strings.HasPrefix(pattern, "/"):
		pattern = "**/" + pattern
	}
	if strings.HasSuffix(pattern, "/") {
		pattern += "**"
	}
	if kind == "gitdir/i" {
		pattern, dir = strings.ToLower(pattern), strings.ToLower(dir)
	}
	return wildmatch(strings.Split(pattern, "/"), strings.Split(dir, "/"))
}

func trailingSlash(pattern string) string {
	if strings.HasSuffix(pattern, "/") {
		return "/"
	}
	return ""
}

// wildmatch compares paths by components; "**" stands for any number of them.
func wildmatch(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if wildmatch(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// counted reads GIT_CONFIG_COUNT, GIT_CONFIG_KEY_<n> and GIT_CONFIG_VALUE_<n>.
func (r *reader) counted(env func(string) string) {
	count := env("GIT_CONFIG_COUNT")
	if count == "" {
		return
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 10_000 {
		r.fail("GIT_CONFIG_COUNT", fmt.Errorf("%q is not a count", count))
		return
	}
	for i := range n {
		name := "GIT_CONFIG_KEY_" + strconv.Itoa(i)
		r.keyed(name, env(name), env("GIT_CONFIG_VALUE_"+strconv.Itoa(i)))
	}
}

// parameters reads GIT_CONFIG_PARAMETERS, by which "git -c" reaches the
// processes that it starts: 'key=value' or 'key'='value', quoted for a shell.
func (r *reader) parameters(text string) {
	const name = "GIT_CONFIG_PARAMETERS"
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, " ") {
		key, rest, ok := unquote(text)
		if !ok {
			r.fail(name, errors.New("it is not quoted as git quotes it"))
			return
		}
		value := ""
		if after, eq := strings.CutPrefix(rest, "="); eq {
			if value, rest, ok = unquote(after); !ok && after != "" && after[0] != ' ' {
				r.fail(name, errors.New("it is not quoted as git quotes it"))
				return
			}
		} else {
			key, value, _ = strings.Cut(key, "=")
		}
		r.keyed(name, key, value)
		text = rest
	}
}

// unquote takes one word in single quotes, in which a quote and an exclamation
// mark are escaped as for a shell.
func unquote(s string) (word, rest string, ok bool) {
	var b strings.Builder
	for {
		if !strings.HasPrefix(s, "'") {
			return "", s, false
		}
		end := strings.IndexByte(s[1:], '\'')
		if end < 0 {
			return "", s, false
		}
		b.WriteString(s[1 : 1+end])
		s = s[end+2:]
		if len(s) >= 3 && s[0] == '\\' && (s[1] == '\'' || s[1] == '!') && s[2] == '\'' {
			b.WriteByte(s[1])
			s = s[2:]
			continue
		}
		return b.String(), s, true
	}
}

// keyed adds a value by its dotted name: section.subsection.key.
func (r *reader) keyed(origin, name, value string) {
	section, rest, ok := strings.Cut(name, ".")
	i := strings.LastIndexByte(rest, '.')
	if !ok || rest == "" {
		r.fail(origin, fmt.Errorf("%q is not a name of git's configuration", name))
		return
	}
	sub, key := "", rest
	if i >= 0 {
		sub, key = rest[:i], rest[i+1:]
	}
	r.add(strings.ToLower(section), sub, key, value, origin)
	if strings.EqualFold(section, "include") && strings.EqualFold(key, "path") {
		r.file(r.expand(value, "."), 1)
	}
}

func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}
