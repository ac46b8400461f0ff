package project

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

// tree collects the input tree. The rule (docs/project.md): every file on disk
// below a scope, but not
//
//   - version control directories, cargo's target directories and credentials,
//     espalier.lock and espalier.size, and files of editors and desktops;
//   - what .gitignore excludes, unless git tracks it, or it is a file that
//     cargo or espalier reads by its name, or it is in an own package or a
//     .cargo directory, or own sources name it in a string, or build.include
//     lists it.
//
// A machine's own excludes (.git/info/exclude, core.excludesFile) do not count:
// the same files must make the same tree elsewhere.
type tree struct {
	l        *config.Reader
	root     string
	scopes   []string        // absolute directories that are walked
	keepFile map[string]bool // absolute: ignored or not, an input
	keepDir  map[string]bool // absolute: entered although ignored
	keepAll  []string        // the same, to ask what is below a directory
	private  map[string]bool // absolute, see Config.privateFiles
	include  *ignoreRules    // build.include, relative to root
	targets  map[string]bool // absolute: cargo's target directories
	repos    map[string]*repository

	files     []File
	untracked []string
	ignored   []Ignored
	skipped   []string // ignored files and directories (absolute), candidates for names in sources
}

// walkState is what a directory inherits.
type walkState struct {
	rules   []*ignoreRules // outermost first, matched against absolute slash paths
	ignored bool           // inside an ignored directory: only what is kept counts
	repo    *repository
}

// Names that are inputs wherever they are, because cargo, rustup, espalier
// or a widely used macro (toml-cfg, dotenv) reads them by name.
func keptName(name string) bool {
	switch name {
	case "Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", FileName, "espflash.toml", "build.rs", "cfg.toml", ".env":
		return true
	}
	return false
}

// litter reports names of temporary files of editors and desktops.
func litter(name string) bool {
	return strings.HasPrefix(name, ".#") || strings.HasSuffix(name, "~") || name == ".DS_Store" || name == "Thumbs.db" ||
		strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swo"))
}

func vcs(name string) bool {
	return name == ".git" || name == ".hg" || name == ".jj" || name == ".svn"
}

func (t *tree) collect() error {
	for _, s := range t.scopes {
		st := walkState{repo: t.repository(s)}
		top := t.root
		if st.repo != nil && config.Within(s, st.repo.top) {
			top = st.repo.top
		}
		for _, d := range config.Parents(filepath.Dir(s)) {
			if !config.Within(d, top) {
				break
			}
			st.rules = append([]*ignoreRules{t.rules(d)}, st.rules...)
		}
		// A project inside an ignored directory is not ignored itself: then
		// the patterns above speak of it as a whole and not of its files.
		for _, d := range config.Parents(s) {
			if d == top || !config.Within(d, top) {
				break
			}
			if _, ignored := excludedBy(st.rules, filepath.ToSlash(d), true); ignored {
				st.rules = nil
			}
		}
		if err := t.walk(s, st); err != nil {
			return err
		}
	}
	t.above()
	sort.Slice(t.files, func(i, j int) bool { return t.files[i].Path < t.files[j].Path })
	sort.Strings(t.untracked)
	sort.Slice(t.ignored, func(i, j int) bool { return t.ignored[i].Path < t.ignored[j].Path })
	t.collisions()
	return nil
}

// above adds what cargo reads between the root and the scopes: configuration
// and toolchain files.
func (t *tree) above() {
	for f := range t.keepFile {
		inScope := false
		for _, s := range t.scopes {
			inScope = inScope || config.Within(f, s)
		}
		if info, err := os.Lstat(f); !inScope && err == nil && config.Within(f, t.root) {
			t.add(f, info)
		}
	}
}

func (t *tree) repository(dir string) *repository {
	r := findRepository(dir)
	if r == nil {
		return nil
	}
	if known, ok := t.repos[r.top]; ok {
		return known
	}
	if err := r.readIndex(); err != nil {
		t.l.Note(config.Origin{File: filepath.Join(r.gitDir, "index")}, "the git index cannot be read ("+err.Error()+"); untracked files are not named")
		r.tracked = nil
	}
	t.repos[r.top] = r
	return r
}

// rules reads dir's .gitignore; nil when there is none.
func (t *tree) rules(dir string) *ignoreRules {
	name := filepath.Join(dir, ".gitignore")
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return parseIgnore(name, strings.TrimSuffix(filepath.ToSlash(dir), "/"), b)
}

// excludedBy finds the deciding pattern: the last one of the innermost file.
func excludedBy(rules []*ignoreRules, abs string, dir bool) (config.Origin, bool) {
	for i := len(rules) - 1; i >= 0; i-- {
		if rules[i] == nil {
			continue
		}
		if ignored, decided, line := rules[i].match(abs, dir); decided {
			return config.Origin{File: rules[i].file, Line: line}, ignored
		}
	}
	return config.Origin{}, false
}

func (t *tree) walk(dir string, st walkState) error {
	st.rules = append(st.rules[:len(st.rules):len(st.rules)], t.rules(dir))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return config.Failf(nil, "reading directory %s: %w", t.l.Show(dir), config.Pathless(err))
	}
	for _, e := range entries {
		name := e.Name()
		abs := filepath.Join(dir, name)
		if vcs(name) || name == "espalier.lock" || name == "espalier.size" || strings.HasPrefix(name, ".espalier-tmp-") /* atomicfile.Prefix */ {
			continue
		}
		if e.IsDir() {
			if err := t.enter(abs, name, st); err != nil {
				return err
			}
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since the directory was read
		}
		if err != nil {
			return config.Failf(nil, "reading %s: %w", t.l.Show(abs), config.Pathless(err))
		}
		if err := t.file(abs, name, info, st); err != nil {
			return err
		}
	}
	return nil
}

// enter decides about a directory.
func (t *tree) enter(abs, name string, st walkState) error {
	if t.targets[abs] || cacheDir(abs) {
		if !t.holdsTracked(st.repo, abs) {
			t.ignored = append(t.ignored, Ignored{abs + "/", config.Origin{File: "cargo"}})
			return nil
		}
	}
	by, ignored := excludedBy(st.rules, filepath.ToSlash(abs), true)
	if t.keepDir[abs] {
		if ignored || st.ignored { // patterns that cover the directory cover its files too
			st.rules = nil
		}
		st.ignored = false
		return t.walk(abs, st)
	}
	if !ignored && !st.ignored {
		return t.walk(abs, st)
	}
	if ignored && !st.ignored {
		t.ignored = append(t.ignored, Ignored{abs + "/", by})
		t.skipped = append(t.skipped, abs)
	}
	if t.included(abs, true) {
		st.ignored, st.rules = false, nil
		return t.walk(abs, st)
	}
	if t.holdsKept(abs) || t.holdsTracked(st.repo, abs) || t.include != nil {
		st.ignored = true
		return t.walk(abs, st)
	}
	return nil
}

// cacheDir reports whether a directory carries cargo's cache tag.
func cacheDir(dir string) bool {
	return config.Exists(filepath.Join(dir, "CACHEDIR.TAG")) && (config.Exists(filepath.Join(dir, ".rustc_info.json")) || config.Exists(filepath.Join(dir, "debug")) || config.Exists(filepath.Join(dir, "release")))
}

func (t *tree) holdsKept(dir string) bool {
	for _, k := range t.keepAll {
		if config.Within(k, dir) {
			return true
		}
	}
	return false
}

func (t *tree) holdsTracked(r *repository, dir string) bool {
	if r == nil || !config.Within(dir, r.top) {
		return false
	}
	rel := filepath.ToSlash(config.Rel(r.top, dir))
	return r.parents[rel] || r.tracks(rel+"/x")
}

func (t *tree) included(abs string, dir bool) bool {
	if t.include == nil {
		return false
	}
	in, _, _ := t.include.match(filepath.ToSlash(config.Rel(t.root, abs)), dir)
	return in
}

// file decides about anything that is no directory.
func (t *tree) file(abs, name string, info fs.FileInfo, st walkState) error {
	tracked := false
	if st.repo != nil && st.repo.tracked != nil && config.Within(abs, st.repo.top) {
		tracked = st.repo.tracks(filepath.ToSlash(config.Rel(st.repo.top, abs)))
	}
	if nameable, ok := t.private[abs]; ok {
		if nameable {
			t.skipped = append(t.skipped, abs)
		}
		t.ignored = append(t.ignored, Ignored{abs, config.Origin{File: FileName}})
		return nil
	}
	if isCredentials(abs, name) {
		t.ignored = append(t.ignored, Ignored{abs, config.Origin{File: "cargo"}})
		return nil
	}
	kept := tracked || t.keepFile[abs] || keptName(name) && !st.ignored || t.included(abs, false)
	if !kept {
		by, ignored := excludedBy(st.rules, filepath.ToSlash(abs), false)
		if st.ignored {
			return nil // its directory is listed
		}
		if ignored {
			t.ignored = append(t.ignored, Ignored{abs, by})
			t.skipped = append(t.skipped, abs)
			return nil
		}
		if litter(name) {
			return nil
		}
		if !tracked && isArchive(abs, info) { // gigabytes that no build reads, and that a second archive would repeat
			t.ignored = append(t.ignored, Ignored{abs, config.Origin{File: "espalier"}})
			t.skipped = append(t.skipped, abs)
			return nil
		}
	}
	shown := t.l.Show(abs)
	switch mode := info.Mode(); {
	case !utf8.ValidString(name):
		return config.Failf(nil, "%q: the file's name is not UTF-8, which the input tree cannot carry", shown)
	case mode&fs.ModeSymlink != 0:
		if err := t.checkLink(abs); err != nil {
			return err
		}
	case !mode.IsRegular():
		return config.Failf([]string{"rm " + shown}, "%s: neither file, directory nor link (%s); the input tree cannot carry it", shown, mode.Type())
	}
	t.add(abs, info)
	if st.repo != nil && st.repo.tracked != nil && !tracked {
		t.untracked = append(t.untracked, filepath.ToSlash(config.Rel(t.root, abs)))
	}
	return nil
}

// checkLink refuses a link that would point elsewhere in a build.
func (t *tree) checkLink(abs string) error {
	to, err := os.Readlink(abs)
	if err != nil {
		return config.Failf(nil, "reading link %s: %w", t.l.Show(abs), config.Pathless(err))
	}
	rel := filepath.ToSlash(config.Rel(t.root, abs))
	target := path.Join(path.Dir(rel), filepath.ToSlash(to))
	if filepath.IsAbs(to) || target == ".." || strings.HasPrefix(target, "../") {
		return fault.New(fault.Usage, "link "+t.l.Show(abs)+" -> "+to+" leaves the project; nothing outside exists in a build",
			"replace the link by what it points to: cp --remove-destination \"$(readlink -f '"+t.l.Show(abs)+"')\" '"+t.l.Show(abs)+"'",
			"or keep it out: echo '/"+rel+"' >> .gitignore")
	}
	return nil
}

func (t *tree) add(abs string, info fs.FileInfo) {
	f := File{Path: filepath.ToSlash(config.Rel(t.root, abs))}
	if info.Mode()&fs.ModeSymlink != 0 {
		f.Target, _ = os.Readlink(abs)
		f.Target = filepath.ToSlash(f.Target)
	} else {
		f.Size, f.Exec = info.Size(), info.Mode()&0o100 != 0
	}
	t.files = append(t.files, f)
}

// collisions notes paths that differ in case alone: they are one file on some
// machines and two on others.
func (t *tree) collisions() {
	seen := map[string]string{}
	for _, f := range t.files {
		low := strings.ToLower(f.Path)
		if other, ok := seen[low]; ok {
			t.l.Note(config.Origin{}, f.Path+" and "+other+" differ in case only; they are one file on macOS and Windows")
		}
		seen[low] = f.Path
	}
}
