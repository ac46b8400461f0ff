package rustdist

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

// Config describes where the distribution is and whose signatures count.
type Config struct {
	Servers []string // addresses before "dist/…", asked in order; see Servers
	Keys    [][]byte // OpenPGP keys that may sign manifests; without any, signatures are recorded as not verified
	Client  *fetch.Client
	Now     func() time.Time
}

// Supplier reads one distribution. It is safe for concurrent use.
type Supplier struct {
	servers []string
	keys    openpgp.EntityList
	client  *fetch.Client
	now     func() time.Time
}

// New makes a supplier. It contacts no server. No servers at all is not an
// error yet: packages can be fetched through prefixes alone.
func New(cfg Config) (*Supplier, error) {
	s := &Supplier{servers: cfg.Servers, client: cfg.Client, now: cfg.Now}
	if s.now == nil {
		s.now = time.Now
	}
	for _, b := range cfg.Keys {
		k, err := readKeys(b)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "[supply] rust-keys")
		}
		s.keys = append(s.keys, k...)
	}
	return s, nil
}

// NoServerHint says how a machine learns where the distribution is.
const NoServerHint = "export RUSTUP_DIST_SERVER=https://<server of the Rust distribution>   # or [supply] rust-dist in espalier.toml"

// Prefixes lists where packages of this distribution are, in order.
func (s *Supplier) Prefixes() []string { return s.servers }

// Lock resolves a request to component archives, with the evidence for them.
// Rootfs and Rustc are left for the caller. Only the manifest is downloaded;
// it is kept in the store as evidence.
//
// Errors are faults of kind Pins (no such channel or component, a server that
// contradicts itself, a wrong signature) or Usage (a request that nothing can
// fulfil).
func (s *Supplier) Lock(ctx context.Context, st *store.Store, r Request, rep progress.Reporter) (lock.Toolchain, error) {
	var none lock.Toolchain
	host, ok := Triple(r.Host)
	if !ok {
		return none, fault.New(fault.Usage, "the Rust distribution has no compiler for the host platform "+r.Host)
	}
	ch, err := ParseChannel(r.Channel, host, r.Where)
	if err != nil {
		return none, err
	}
	if r.Channel == "" {
		r.Channel = "stable"
	}
	if len(s.servers) == 0 {
		return none, fault.New(fault.Usage, "channel "+r.Channel+": no server of the Rust distribution is known on this machine", NoServerHint)
	}
	task := rep.Start("reading channel "+ch.String(), progress.Bytes, 0)
	text, from, err := s.client.Get(ctx, ch.path(), s.servers, maxManifest)
	task.Done(err)
	if err != nil {
		return none, s.missing(ch, r, err)
	}
	evidence, err := s.checkManifest(ctx, st, ch, text, from, rep)
	if err != nil {
		return none, err
	}
	m, err := ParseManifest(text)
	if err != nil {
		return none, fault.Wrap(fault.Pins, err, "reading "+from)
	}
	if ch.Date != "" && m.Date != ch.Date {
		return none, fault.New(fault.Pins, fmt.Sprintf("channel %s: the server answered with the manifest of %s", ch, m.Date))
	}
	if have := m.rustc(); older(have, r.MinRustc) {
		return none, fault.New(fault.Pins, fmt.Sprintf("%s needs rustc %s; channel %s is rustc %s", cmp.Or(r.MinFor, "the project"), r.MinRustc, ch, have),
			"lock older versions of the crates: cargo update -p NAME --precise VERSION", "or name a newer channel in the toolchain file")
	}
	evidence.Date = m.Date + "T00:00:00Z"
	r = m.fromSource(r, host, ch, rep)
	packages, err := m.choose(r)
	if err != nil {
		return none, err
	}
	return lock.Toolchain{
		Host: r.Host, Supplier: "rust:" + m.release(ch), Channel: r.Channel, Prune: Rule,
		Index: []lock.Evidence{evidence}, Packages: packages,
	}, nil
}

// fromSource asks for the sources of the library where the channel knows a
// target and has no ready-made library for it: on some days one could not be
// built, and some mirrors carry libraries of hosts only.
func (m *Manifest) fromSource(r Request, host string, ch Channel, rep progress.Reporter) Request {
	if _, _, ok := m.target("rust-src", host); !ok {
		return r
	}
	r.Targets = slices.DeleteFunc(slices.Clone(r.Targets), func(t string) bool {
		known, ok := m.Packages["rust-std"].Targets[t]
		ok = !ok || known.Available
		if !ok {
			rep.Note("channel %s has no ready-made library for %s: it is built from rust-src", ch, t)
			r.Source = true
		}
		return !ok
	})
	return r
}

// release names what a channel meant on the day of locking: a version for a
// stable compiler, else the channel with its date.
func (m *Manifest) release(ch Channel) string {
	version := m.rustc()
	switch {
	case strings.Contains(version, "-nightly"):
		return "nightly-" + m.Date
	case strings.Contains(version, "-beta"):
		return "beta-" + m.Date
	}
	return version
}

// rustc is the compiler's version without its commit: "1.97.0-nightly".
func (m *Manifest) rustc() string {
	version, _, _ := strings.Cut(m.Packages["rustc"].Version, " ")
	return version
}

// older compares the numbers of two versions; missing ones are zero, and a
// nightly counts as the release that it will become, as rust-version has no
// pre-releases.
func older(have, want string) bool {
	numbers := func(v string) (n [3]int) {
		v, _, _ = strings.Cut(v, "-")
		for i, part := range strings.SplitN(v, ".", 3) {
			n[i], _ = strconv.Atoi(part)
		}
		return n
	}
	h, w := numbers(have), numbers(want)
	return slices.Compare(h[:], w[:]) < 0
}

// checkManifest compares a manifest with its checksum and signature.
func (s *Supplier) checkManifest(ctx context.Context, st *store.Store, ch Channel, text []byte, from string, rep progress.Reporter) (lock.Evidence, error) {
	e := lock.Evidence{File: path.Base(ch.path())}
	digest, err := st.PutBytes(ctx, text)
	if err != nil {
		return e, err
	}
	e.Digest = digest
	// The sidecars must come from the server that the manifest came from: two
	// mirrors may be of two days.
	server := strings.TrimSuffix(from, ch.path())
	sum, _, err := s.client.Get(ctx, ch.path()+".sha256", []string{server}, 4096)
	switch want, _, _ := strings.Cut(strings.TrimSpace(string(sum)), " "); {
	case err != nil && !fetch.NotFound(err):
		return e, fault.Wrap(fault.Pins, err, "checksum of channel "+ch.String())
	case err != nil:
		rep.Note("channel %s: the server has no checksum for its manifest", ch)
	case want != digest.Hash:
		return e, fault.New(fault.Pins, fmt.Sprintf("channel %s: the manifest is %s, its checksum file says %.64s", ch, digest.Hash, want),
			"the server may be in the middle of an update: espalier lock again in some minutes, or use another server")
	}
	signature, _, err := s.client.Get(ctx, ch.path()+".asc", []string{server}, 1<<16)
	switch {
	case err != nil && !fetch.NotFound(err):
		return e, fault.Wrap(fault.Pins, err, "signature of channel "+ch.String())
	case err != nil && len(s.keys) > 0:
		return e, fault.New(fault.Pins, fmt.Sprintf("channel %s: the server has no signature, and [supply] rust-keys asks for one", ch),
			"remove rust-keys, or use a server that carries the .asc files")
	case err != nil || len(s.keys) == 0:
		return e, nil
	}
	if e.Signer, err = checkSignature(s.keys, text, signature, s.now()); err != nil {
		return e, fault.Wrap(fault.Pins, err, "channel "+ch.String())
	}
	e.Verified = true
	return e, nil
}

// missing explains why a channel's manifest cannot be had.
func (s *Supplier) missing(ch Channel, r Request, err error) error {
	if !fetch.NotFound(err) {
		return fault.Wrap(fault.Pins, err, "channel "+ch.String())
	}
	where := ""
	if r.Where != "" {
		where = " (" + r.Where + ")"
	}
	hint := "check the spelling; versions are such as 1.85.0, nightlies such as nightly-2026-05-20"
	switch {
	case ch.Date != "":
		hint = "not every day has a " + ch.Name + ": try the day before or after"
	case ch.Name == "beta" || strings.Contains(ch.Name, "-beta"):
		hint = "mirrors often have no beta: name a stable version or a dated nightly"
	}
	return fault.Wrap(fault.Pins, err, fmt.Sprintf("channel %s%s: no server has it", ch, where), hint)
}
