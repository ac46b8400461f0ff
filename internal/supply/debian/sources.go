package debian

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Source is one archive location and suite that apt would use for binary
// packages: a "deb" line, or one combination of a deb822 stanza.
type Source struct {
	File string // file that contains it, "" for the configuration
	Line int

	URI        string   // with a trailing slash
	Suite      string   // "bookworm"; ends in "/" for a flat archive
	Components []string // empty for a flat archive

	Arch       []string // as written; empty means all of the machine
	ArchAdd    []string // arch+=
	ArchRemove []string // arch-=
	SignedBy   []string // key files or upper-case fingerprints
	InlineKey  string   // armoured key written into the stanza
	ByHash     string   // "", "yes", "no", "force"
	Trusted    string   // "", "yes", "no"
	CheckUntil string   // check-valid-until: "", "yes", "no"
	CheckDate  string   // check-date
	MaxAge     string   // valid-until-max, seconds
	MinAge     string   // valid-until-min, seconds
}

// where names the source in messages.
func (s *Source) where() string {
	if s.File == "" {
		return "the configuration"
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// flat reports whether the archive has no dists/ hierarchy.
func (s *Source) flat() bool { return strings.HasSuffix(s.Suite, "/") }

// wantsArch reports whether the source is used for arch on this machine.
func (s *Source) wantsArch(arch string) bool {
	if slices.Contains(s.ArchRemove, arch) {
		return false
	}
	return len(s.Arch) == 0 || slices.Contains(s.Arch, arch) || slices.Contains(s.ArchAdd, arch)
}

// readSources reads sources.list and sources.list.d in root's apt directory, in
// apt's order. File names are those of the machine, without root. A missing
// file or directory is not an error; a syntax error is one, because skipping a
// suite could choose another compiler unnoticed.
func readSources(root string, conf *aptConf) ([]Source, error) {
	var all []Source
	list := conf.path("Dir::Etc::sourcelist", "sources.list")
	parts := conf.path("Dir::Etc::sourceparts", "sources.list.d")
	read := func(name string, parse func(io.Reader, string) ([]Source, error)) error {
		f, err := os.Open(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fault.Wrap(fault.Usage, err, "reading apt's sources")
		}
		defer f.Close()
		some, err := parse(f, name)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "reading apt's sources", "fix the file, or check it with: apt-get --print-uris update")
		}
		all = append(all, some...)
		return nil
	}
	if err := read(list, ParseSourcesList); err != nil {
		return nil, err
	}
	names, err := partNames(filepath.Join(root, parts), ".list", ".sources")
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "reading apt's sources")
	}
	for _, name := range names {
		parse := ParseSourcesList
		if strings.HasSuffix(name, ".sources") {
			parse = ParseDeb822Sources
		}
		if err := read(filepath.Join(parts, name), parse); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// partNames lists a ".d" directory as apt does: names of letters, digits,
// hyphen, underscore and period, with one of the suffixes, in byte order.
func partNames(dir string, suffixes ...string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		ok := !strings.HasPrefix(name, ".") && strings.IndexFunc(name, func(r rune) bool {
			return r > 127 || !isDigit(byte(r)) && !isAlpha(byte(r)) && !strings.ContainsRune("-_.", r)
		}) < 0
		if ok && slices.ContainsFunc(suffixes, func(s string) bool {
			return s == "" && !strings.Contains(name, ".") || s != "" && strings.HasSuffix(name, s)
		}) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// ParseSourcesList reads the one-line format of sources.list(5):
//
//	deb [ option=value ] uri suite component...
func ParseSourcesList(r io.Reader, file string) ([]Source, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxLine))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var all []Source
	for i, line := range strings.Split(string(b), "\n") {
		s, ok, err := parseSourceLine(line)
		if err != nil {
			return nil, &SyntaxError{file, i + 1, err.Error()}
		}
		if ok {
			s.File, s.Line = file, i+1
			all = append(all, s)
		}
	}
	return all, nil
}

// parseSourceLine reads one line; ok is false for a comment, an empty line
// and a deb-src line.
func parseSourceLine(line string) (s Source, ok bool, err error) {
	if i := strings.IndexByte(line, '#'); i >= 0 {
		line = line[:i]
	}
	line = strings.TrimSpace(line)
	if line == "" {
		return s, false, nil
	}
	kind, rest := cutWord(line)
	if kind != "deb" && kind != "deb-src" {
		return s, false, fmt.Errorf("unknown type %q, want deb or deb-src", kind)
	}
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return s, false, errors.New("options are not closed by \"]\"")
		}
		for _, opt := range strings.Fields(rest[1:end]) {
			key, value, found := strings.Cut(opt, "=")
			if !found || key == "" {
				return s, false, fmt.Errorf("option %q: want name=value", opt)
			}
			add, remove := strings.HasSuffix(key, "+"), strings.HasSuffix(key, "-")
			key = strings.ToLower(strings.TrimRight(key, "+-"))
			if err := s.option(key, strings.Split(value, ","), add, remove); err != nil {
				return s, false, err
			}
		}
		rest = strings.TrimSpace(rest[end+1:])
	}
	uri, rest := cutWord(rest)
	suite, rest := cutWord(rest)
	if uri == "" {
		return s, false, errors.New("no URI")
	}
	if suite == "" {
		return s, false, errors.New("no suite")
	}
	if err := s.location(uri, suite, strings.Fields(rest)); err != nil {
		return s, false, err
	}
	return s, kind == "deb", nil
}

// location checks and stores the URI, suite and components.
func (s *Source) location(uri, suite string, components []string) error {
	scheme, _, found := strings.Cut(uri, ":")
	if !found || scheme == "" {
		return fmt.Errorf("URI %q has no scheme", uri)
	}
	s.URI = strings.TrimRight(uri, "/") + "/"
	s.Suite, s.Components = suite, components
	if s.flat() && len(components) > 0 {
		return fmt.Errorf("suite %q ends in a slash and allows no components", suite)
	}
	if !s.flat() && len(components) == 0 {
		return fmt.Errorf("suite %q without components", suite)
	}
	return nil
}

// option stores an option by its lower-case name in the deb822 or one-line
// format.
func (s *Source) option(key string, values []string, add, remove bool) error {
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	switch key {
	case "arch", "architectures":
		switch {
		case add:
			s.ArchAdd = append(s.ArchAdd, values...)
		case remove:
			s.ArchRemove = append(s.ArchRemove, values...)
		default:
			s.Arch = values
		}
	case "signed-by":
		for _, v := range values {
			if !strings.HasPrefix(v, "/") && !isFingerprint(strings.TrimSuffix(v, "!")) {
				return fmt.Errorf("signed-by %q: want an absolute path or a fingerprint", v)
			}
		}
		s.SignedBy = values
	case "trusted":
		return yesNo(&s.Trusted, key, first)
	case "by-hash":
		if first == "force" {
			s.ByHash = first
			return nil
		}
		return yesNo(&s.ByHash, key, first)
	case "check-valid-until":
		return yesNo(&s.CheckUntil, key, first)
	case "check-date":
		return yesNo(&s.CheckDate, key, first)
	case "valid-until-max":
		s.MaxAge = first
	case "valid-until-min":
		s.MinAge = first
	}
	// Other options (lang, target, pdiffs, ...) select indexes that are not
	// used here. allow-insecure and allow-weak are ignored: an unsigned index
	// is never accepted.
	return nil
}

// yesNo stores a boolean in apt's notation.
func yesNo(dst *string, key, v string) error {
	switch strings.ToLower(v) {
	case "yes", "true", "1", "on", "with", "enable":
		*dst = "yes"
	case "no", "false", "0", "off", "without", "disable":
		*dst = "no"
	default:
		return fmt.Errorf("%s: %q is neither yes nor no", key, v)
	}
	return nil
}

func isFingerprint(s string) bool {
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }) < 0
}

func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t")
	}
	return s, ""
}

// ParseDeb822Sources reads the stanza format of sources.list(5).
func ParseDeb822Sources(r io.Reader, file string) ([]Source, error) {
	in := NewStanzaReader(io.LimitReader(r, maxLine), file, nil)
	var all []Source
	for {
		st, err := in.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		some, err := stanzaSources(st, file)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
}

func stanzaSources(st *Stanza, file string) ([]Source, error) {
	at := func(name, format string, args ...any) error {
		return &SyntaxError{file, st.lineOf(name), fmt.Sprintf(format, args...)}
	}
	types := words(st.Get("types"))
	if len(types) == 0 {
		return nil, at("", "stanza without Types")
	}
	for _, t := range types {
		if t != "deb" && t != "deb-src" {
			return nil, at("types", "unknown type %q, want deb or deb-src", t)
		}
	}
	if st.Has("enabled") {
		enabled := ""
		if err := yesNo(&enabled, "enabled", st.Get("enabled")); err != nil {
			return nil, at("enabled", "%v", err)
		}
		if enabled == "no" {
			return nil, nil
		}
	}
	var proto Source
	for _, f := range st.fields {
		key, add, remove := f.name, strings.HasSuffix(f.name, "-add"), strings.HasSuffix(f.name, "-remove")
		key = strings.TrimSuffix(strings.TrimSuffix(key, "-add"), "-remove")
		switch key {
		case "types", "uris", "suites", "components", "enabled":
			continue
		case "signed-by":
			if strings.Contains(f.value, "-----BEGIN PGP PUBLIC KEY BLOCK-----") {
				proto.InlineKey = inlineKey(f.value)
				continue
			}
		}
		if err := proto.option(key, splitList(f.value), add, remove); err != nil {
			return nil, at(f.name, "%v", err)
		}
	}
	uris, suites, components := words(st.Get("uris")), words(st.Get("suites")), words(st.Get("components"))
	if len(uris) == 0 {
		return nil, at("uris", "stanza without URIs")
	}
	if len(suites) == 0 {
		return nil, at("suites", "stanza without Suites")
	}
	if !slices.Contains(types, "deb") {
		return nil, nil
	}
	var all []Source
	for _, uri := range uris {
		for _, suite := range suites {
			s := proto
			s.File, s.Line = file, st.Line
			if err := s.location(uri, suite, components); err != nil {
				return nil, at("suites", "%v", err)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// splitList splits a deb822 option at spaces and commas.
func splitList(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == ',' })
}

// inlineKey restores an armoured key from a folded field: "." is an empty line,
// and continuation lines are indented by one space.
func inlineKey(v string) string {
	lines := strings.Split(strings.TrimSpace(v), "\n")
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if l == "." {
			l = ""
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n") + "\n"
}
