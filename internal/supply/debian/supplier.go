package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

// Config is the user's configuration, in addition to that of the machine.
type Config struct {
	Host     string       // "linux/amd64"; default this machine
	Sources  []string     // [[supply.source]] as lines of sources.list(5); used when the machine has none
	Prefixes []string     // [supply] prefixes for package files, tried after the machine's own archives
	Fetch    fetch.Config // Proxy and Auth are taken from apt's configuration when unset
	Now      func() time.Time
	Formats  map[string]Unpacker // packages that are not Debian's, by lock.Package.Format
}

// Supplier is a set of package sources, made by Discover. It is safe for
// concurrent use.
type Supplier struct {
	root    string
	host    string
	arch    string // Debian's name of the architecture
	conf    *aptConf
	sources []Source // binary packages of arch only
	extra   []string // configured prefixes
	release string   // VERSION_CODENAME of the machine, "" when unknown or not from the machine
	client  *fetch.Client
	now     func() time.Time
	formats map[string]Unpacker

	mu       sync.Mutex
	universe *universe // nil until refreshed
	suites   []*suite
}

// Discover reads apt's sources, keys, proxies and logins below root ("/" for
// the machine). It opens no connection. Having no sources is not an error: a
// lock can be fetched from prefixes alone.
func Discover(root string, cfg Config) (*Supplier, error) {
	if cfg.Host == "" {
		cfg.Host = "linux/" + runtime.GOARCH
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	arch, err := debianArch(cfg.Host)
	if err != nil {
		return nil, err
	}
	conf, err := readAptConf(root)
	if err != nil {
		return nil, err
	}
	s := &Supplier{root: root, host: cfg.Host, arch: arch, conf: conf, extra: cfg.Prefixes, now: cfg.Now, formats: cfg.Formats}
	all, err := readSources(root, conf)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(src Source) bool { return !src.wantsArch(arch) })
	if len(all) > 0 {
		s.release = codename(root)
	} else {
		for i, line := range cfg.Sources {
			src, ok, err := parseSourceLine(line)
			if err != nil {
				return nil, fault.Wrap(fault.Usage, err, fmt.Sprintf("[[supply.source]], archive and suite %d", i+1), sourcesHint)
			}
			if ok {
				all = append(all, src)
			}
		}
	}
	s.sources = all
	if cfg.Fetch.Proxy == nil {
		env := cfg.Fetch.Environ
		if env == nil {
			env = os.Getenv
		}
		cfg.Fetch.Proxy = conf.proxy(fetch.EnvironProxy(env))
	}
	if cfg.Fetch.Auth == nil {
		cfg.Fetch.Auth = readAuth(root, conf).lookup
	}
	s.client = fetch.New(cfg.Fetch)
	return s, nil
}

// sourcesHint is the remedy on a machine without apt.
const sourcesHint = `write where packages come from into espalier.toml, for example:
[[supply.source]]
uri = "http://<mirror>/debian"
suites = ["bookworm", "bookworm-updates"]
[[supply.source]]
uri = "http://<mirror>/debian-security"
suites = ["bookworm-security"]`

// debianArch returns Debian's name for the architecture of a host platform.
func debianArch(host string) (string, error) {
	goos, arch, _ := strings.Cut(host, "/")
	names := map[string]string{"amd64": "amd64", "arm64": "arm64", "386": "i386", "arm": "armhf", "riscv64": "riscv64", "ppc64le": "ppc64el", "s390x": "s390x", "loong64": "loong64"}
	name, ok := names[arch]
	if goos != "linux" || !ok {
		return "", fault.New(fault.Usage, "there are no Debian packages for the host platform "+host)
	}
	return name, nil
}

// codename reads VERSION_CODENAME of os-release(5).
func codename(root string) string {
	b, err := os.ReadFile(filepath.Join(root, "etc/os-release"))
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

// proxy applies Acquire::http::Proxy and Acquire::https::Proxy, also per host,
// with precedence over the environment, as apt does. "DIRECT" means none.
func (c *aptConf) proxy(environ func(*url.URL) (*url.URL, error)) func(*url.URL) (*url.URL, error) {
	return func(u *url.URL) (*url.URL, error) {
		schemes := []string{u.Scheme}
		if u.Scheme == "https" {
			schemes = append(schemes, "http")
		}
		for _, item := range []string{"::Proxy::" + u.Hostname(), "::Proxy"} {
			for _, scheme := range schemes {
				v := c.get("Acquire::" + scheme + item)
				if v == "" || v == "false" {
					continue
				}
				if v == "DIRECT" {
					return nil, nil
				}
				p, err := url.Parse(v)
				if err != nil || p.Host == "" {
					return nil, errors.New("Acquire::" + scheme + item + " of apt.conf is not a URL")
				}
				return p, nil
			}
		}
		return environ(u)
	}
}

// essential reports whether the choice of packages could be wrong, without an
// error, if this source were skipped: main of the machine's own release with
// its security and update suites, or a source that the user configured for this
// purpose.
func (s *Supplier) essential(src *Source) bool {
	if src.File == "" || s.release == "" {
		return true
	}
	base := src.Suite
	for _, tail := range []string{"/updates", "-security", "-updates"} {
		base = strings.TrimSuffix(base, tail)
	}
	return base == s.release && slices.Contains(src.Components, "main")
}

// String is the supplier's name with the suites of the machine's own release.
func (s *Supplier) String() string {
	var names []string
	for i := range s.sources {
		if src := &s.sources[i]; s.essential(src) {
			names = append(names, src.Suite)
		}
	}
	return supplierName(names)
}

func supplierName(suites []string) string {
	suites = slices.Compact(slices.Sorted(slices.Values(suites)))
	return "debian:" + strings.Join(suites, "+")
}

// index reads the indexes of all sources once, verified. A failure of a source
// that is not essential is a note. The caller must keep the result: Assemble
// drops the supplier's reference.
func (s *Supplier) index(ctx context.Context, st *store.Store, rep progress.Reporter) (*universe, []*suite, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.universe == nil {
		if err := s.refresh(ctx, st, rep); err != nil {
			return nil, nil, err
		}
	}
	return s.universe, s.suites, nil
}

func (s *Supplier) refresh(ctx context.Context, st *store.Store, rep progress.Reporter) error {
	if len(s.sources) == 0 {
		return fault.New(fault.Usage, "no package source: this machine has no apt sources for "+s.arch+" and espalier.toml has no [[supply.source]]", sourcesHint)
	}
	task := rep.Start("reading package indexes", progress.Bytes, 0)
	suites, err := s.loadAll(ctx, st, rep, task)
	if err != nil {
		task.Done(err)
		return err
	}
	u := newUniverse(s.arch)
	for _, su := range suites {
		for _, ix := range su.indexes {
			if err := readIndex(ctx, st, u, su, ix); err != nil {
				err = s.explain(su.src, err)
				task.Done(err)
				return err
			}
		}
	}
	u.seal()
	s.universe, s.suites = u, suites
	task.Detail(fmt.Sprintf("%d suites, %d packages", len(suites), len(u.byName)))
	task.Done(nil)
	return nil
}

// loadAll downloads the releases and indexes of all sources concurrently and
// returns the usable ones, in the order of the sources.
func (s *Supplier) loadAll(ctx context.Context, st *store.Store, rep progress.Reporter, task progress.Task) ([]*suite, error) {
	type outcome struct {
		suite *suite
		err   error
	}
	results := make([]outcome, len(s.sources))
	var wg sync.WaitGroup
	for i := range s.sources {
		wg.Go(func() {
			su, err := s.load(ctx, st, &s.sources[i], task)
			if su != nil {
				su.order = i
			}
			results[i] = outcome{su, err}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var suites []*suite
	var notes []error
	for i, r := range results {
		src := &s.sources[i]
		switch {
		case r.err == nil:
			suites = append(suites, r.suite)
		case s.essential(src):
			return nil, s.explain(src, r.err)
		default:
			notes = append(notes, r.err)
			rep.Note("skipping the package source %s %s (%s): %v", src.publicURI(), src.Suite, src.where(), r.err)
		}
	}
	if len(suites) == 0 {
		return nil, fault.Wrap(fault.Usage, errors.Join(notes...), "no package source can be used", sourcesHint)
	}
	return suites, nil
}

// publicURI is the source's URL without credentials.
func (s *Source) publicURI() string {
	u, err := url.Parse(s.URI)
	if err != nil {
		return "(invalid URL)"
	}
	u.User = nil
	return u.String()
}

// explain wraps the failure of a source in an error with a remedy.
func (s *Supplier) explain(src *Source, err error) error {
	what := fmt.Sprintf("package index %s of %s", src.Suite, src.publicURI())
	var stale *staleError
	var missing *missingKeyError
	var f *fault.Error
	switch {
	case errors.As(err, &stale):
		return fault.Wrap(fault.Pins, err, what, "choose a mirror that is up to date (see "+src.where()+")",
			"for an archive that is frozen on purpose, write [check-valid-until=no] into its source")
	case errors.As(err, &missing):
		return fault.Wrap(fault.Pins, err, what, "install the archive's current keyring package, or name the key file with signed-by in "+src.where())
	case errors.As(err, &f):
		return fault.Wrap(f.Kind, err, what)
	}
	return fault.Wrap(fault.Pins, err, what, "try another mirror, or compare with: apt-get update (source: "+src.where()+")")
}

// prefixes lists the archives for package files, those most likely to have path
// first. All are tried; the order only saves requests.
func (s *Supplier) prefixes(path string) []string {
	var list []string
	for i := range s.sources {
		list = append(list, s.sources[i].URI)
	}
	list = append(list, s.extra...)
	security := func(uri string) int {
		if strings.Contains(uri, "security") == strings.HasPrefix(path, "pool/updates/") {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(security(a), security(b)) })
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(u string) bool {
		dup := seen[u]
		seen[u] = true
		return dup
	})
}
