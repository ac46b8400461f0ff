package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/updating"
)

// Cause is the first failure of a side.
type Cause struct {
	Text  string     `json:"text"`            // in words
	Crate *Moved     `json:"crate,omitempty"` // that is responsible; nil when nothing says which
	Code  string     `json:"code,omitempty"`  // of the compiler: E0061
	Rule  string     `json:"rule,omitempty"`  // of package explain, or of package updating
	Cure  string     `json:"cure,omitempty"`
	Lines []CodeLine `json:"lines,omitempty"` // of the project, that the compiler names
}

// Moved is a crate with the versions between which it changed.
type Moved struct {
	Name       string `json:"name"`
	From       string `json:"from,omitempty"`
	To         string `json:"to"`
	Repository string `json:"repository,omitempty"` // as its manifest says
	Commit     string `json:"commit,omitempty"`     // from which To was published, as the archive says
}

// String is "esp-hal 1.0.0 -> 1.1.0".
func (m Moved) String() string {
	if m.From == "" || m.From == m.To {
		return m.Name + " " + m.To
	}
	return m.Name + " " + m.From + " -> " + m.To
}

// CodeLine is a place in the project that needs a change.
type CodeLine struct {
	File    string `json:"file"` // relative to the workspace
	Line    int    `json:"line"`
	Source  string `json:"source"`
	Message string `json:"message"`
	Help    string `json:"help,omitempty"` // the compiler's proposal
}

// message is the part of a compiler's JSON message that causes are read from
// (rustc book, JSON Output).
type message struct {
	PackageID string `json:"package_id"`
	Message   struct {
		Message  string
		Level    string
		Code     *struct{ Code string }
		Spans    []span
		Children []child
		Rendered string
	}
}

type child struct {
	Message string
	Level   string
	Spans   []span
}

type span struct {
	File      string `json:"file_name"`
	Line      int    `json:"line_start"`
	Primary   bool   `json:"is_primary"`
	Label     string
	Suggested *string `json:"suggested_replacement"`
	Text      []struct{ Text string }
	Expansion *struct{ Span span }
}

// line takes one JSON message of cargo; it keeps errors.
func (s *Side) line(b []byte) {
	var m message
	if json.Unmarshal(b, &m) != nil || m.Message.Level != "error" || strings.HasPrefix(m.Message.Message, "aborting due to") {
		return
	}
	s.messages = append(s.messages, m)
}

// own reports whether the message is about a package of the project.
func (m message) own() bool {
	return strings.Contains(m.PackageID, "path+file:") || strings.Contains(m.PackageID, "(path+") // the newer and the older form
}

// crate is the name and the version of the package that failed to compile.
func (m message) crate() (name, version string) {
	if i := strings.LastIndexByte(m.PackageID, '#'); i >= 0 { // registry+…#name@version
		name, version, _ = strings.Cut(m.PackageID[i+1:], "@")
		return name, version
	}
	if f := strings.Fields(m.PackageID); len(f) >= 2 { // name version (source)
		return f[0], f[1]
	}
	return "", ""
}

// primary is the place in the outermost code, if a macro made the failing one.
func primary(spans []span) (span, bool) {
	for _, s := range spans {
		if !s.Primary {
			continue
		}
		for s.Expansion != nil {
			label := s.Label
			s = s.Expansion.Span
			s.Label = label
		}
		return s, true
	}
	return span{}, false
}

// FindCause explains the failure of a side. moves are those of the update, rules
// the known combinations that its versions are.
func FindCause(ctx context.Context, st *store.Store, s *Side, moves []updating.Move, rules []updating.Broken) *Cause {
	if s.OK() {
		return nil
	}
	c := &Cause{Text: s.Error}
	if len(s.messages) > 0 {
		c.fromCompiler(s, moves)
	} else {
		c.fromLog(s, moves)
	}
	if len(rules) > 0 && s.Stage != StageBuild && c.Rule == "" {
		c.Rule, c.Text, c.Cure = rules[0].Rule, rules[0].Title, rules[0].Cure
	}
	if c.Crate != nil {
		c.Crate.Repository, c.Crate.Commit = published(ctx, st, s.file, c.Crate.Name, c.Crate.To)
	}
	return c
}

func (c *Cause) fromCompiler(s *Side, moves []updating.Move) {
	first := s.messages[0]
	if first.Message.Code != nil {
		c.Code = first.Message.Code.Code
	}
	c.Text = first.Message.Message
	if best, ok := s.log.Best(""); ok {
		c.Rule, c.Cure = best.Name, strings.Join(best.Cure, "; ")
	}
	if !first.own() {
		name, version := first.crate()
		c.Crate = movedTo(moves, name, version)
		if sp, ok := primary(first.Message.Spans); ok {
			c.Text = fmt.Sprintf("%s %s does not compile: %s (%s:%d)", name, version, first.Message.Message, path.Base(sp.File), sp.Line)
		} else {
			c.Text = fmt.Sprintf("%s %s does not compile: %s", name, version, first.Message.Message)
		}
		return
	}
	for _, m := range s.messages {
		if !m.own() {
			continue
		}
		if l, ok := m.codeLine(); ok && !slices.ContainsFunc(c.Lines, func(o CodeLine) bool { return o.File == l.File && o.Line == l.Line }) {
			c.Lines = append(c.Lines, l)
		}
		if c.Crate == nil {
			c.Crate = m.responsible(moves)
		}
	}
}

func (m message) codeLine() (CodeLine, bool) {
	sp, ok := primary(m.Message.Spans)
	if !ok {
		return CodeLine{}, false
	}
	l := CodeLine{File: sp.File, Line: sp.Line, Message: m.Message.Message}
	if len(sp.Text) > 0 {
		l.Source = strings.TrimSpace(sp.Text[0].Text)
	}
	if sp.Label != "" && sp.Label != l.Message && !strings.Contains(l.Message, sp.Label) {
		l.Message += ": " + sp.Label
	}
	for _, ch := range m.Message.Children {
		if ch.Level == "help" && l.Help == "" {
			l.Help = ch.Message
			for _, s := range ch.Spans {
				if s.Suggested != nil && strings.TrimSpace(*s.Suggested) != "" {
					l.Help += ": " + strings.TrimSpace(*s.Suggested)
				}
			}
		}
	}
	return l, true
}

// cratePath matches a directory of a crate, in a step or in the store: its name
// and version.
var cratePath = regexp.MustCompile(`/([A-Za-z0-9_-]+?)-(\d+\.\d+\.\d+[^/\s]*)/`)

// responsible finds the moved crate that a message about the project's code is
// about: the one whose file it shows, else the one whose path it names, else the
// one that the failing line names.
func (m message) responsible(moves []updating.Move) *Moved {
	var texts []string
	files := func(spans []span) *Moved {
		for _, s := range spans {
			for e := &s; e != nil; {
				if f := cratePath.FindStringSubmatch(e.File); f != nil {
					if c := movedTo(moves, f[1], f[2]); c != nil && c.From != c.To {
						return c
					}
				}
				texts = append(texts, s.Label)
				for _, t := range s.Text {
					texts = append(texts, t.Text)
				}
				if e.Expansion == nil {
					break
				}
				e = &e.Expansion.Span
			}
		}
		return nil
	}
	spans := [][]span{m.Message.Spans}
	for _, ch := range m.Message.Children {
		spans = append(spans, ch.Spans)
		texts = append(texts, ch.Message)
	}
	for _, list := range spans {
		if c := files(list); c != nil {
			return c
		}
	}
	texts = append(texts, m.Message.Message, m.Message.Rendered)
	for _, text := range texts {
		at, found := len(text), (*Moved)(nil)
		for _, mv := range moves {
			if mv.Kind != updating.KindCrate || mv.To == "" || mv.From == "" {
				continue
			}
			if i := wordIndex(text, strings.ReplaceAll(mv.Name, "-", "_")); i >= 0 && i < at {
				at, found = i, &Moved{Name: mv.Name, From: mv.From, To: mv.To}
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// wordIndex finds a crate's name as a path segment: esp_hal in `esp_hal::gpio`, not
// in `esp_hal_procmacros`.
func wordIndex(text, name string) int {
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return -1
		}
		i += at
		end := i + len(name)
		if (i == 0 || !identifier(text[i-1])) && (end == len(text) || !identifier(text[end])) {
			return i
		}
		at = end
	}
}

func identifier(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// movedTo is the move of a crate to a version; of a crate that did not move, it
// is that version.
func movedTo(moves []updating.Move, name, version string) *Moved {
	for _, m := range moves {
		if m.Kind == updating.KindCrate && size.SameCrate(m.Name, name) && m.To == version {
			return &Moved{Name: m.Name, From: m.From, To: m.To}
		}
	}
	if name == "" {
		return nil
	}
	return &Moved{Name: name, From: version, To: version}
}

// fromLog explains a link, an image or a run by its log.
func (c *Cause) fromLog(s *Side, moves []updating.Move) {
	if best, ok := s.log.Best(s.Error); ok {
		c.Rule, c.Cure = best.Name, strings.Join(best.Cure, "; ")
		c.Text = s.Error + ": " + best.Title
	}
	for _, f := range cratePath.FindAllStringSubmatch(s.log.Text()+s.Error, -1) {
		if m := movedTo(moves, f[1], f[2]); m != nil && m.From != m.To {
			c.Crate = m
			return
		}
	}
}

// published reads what an archive says about where it is from.
func published(ctx context.Context, st *store.Store, f *lock.File, name, version string) (repository, commit string) {
	for _, c := range f.Crates {
		if c.Name != name || c.Version != version {
			continue
		}
		blob, err := st.Get(ctx, c.Digest)
		if err != nil {
			return "", ""
		}
		defer blob.Close()
		_ = crates.Extract(blob, crates.Folder(c), func(file string, _ bool, _ string, r io.Reader) error {
			if r == nil || file != "Cargo.toml" && file != ".cargo_vcs_info.json" {
				return nil
			}
			b, err := io.ReadAll(io.LimitReader(r, 1<<20))
			if err != nil {
				return err
			}
			if file == "Cargo.toml" {
				var t struct{ Package struct{ Repository any } }
				if toml.Unmarshal(b, &t) == nil {
					repository, _ = t.Package.Repository.(string)
				}
				return nil
			}
			var v struct{ Git struct{ SHA1 string } }
			if json.Unmarshal(b, &v) == nil {
				commit = v.Git.SHA1
			}
			return nil
		})
	}
	return repository, commit
}
