package gitconfig

import (
	"net/url"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/order"
)

// Rewrite returns the address that git would connect to: the longest
// url.<base>.insteadOf that begins address is replaced by its base
// (git-config(1), url.<base>.insteadOf).
func (c *Config) Rewrite(address string) string {
	longest, base := -1, ""
	for _, e := range c.all() {
		if e.section == "url" && e.key == "insteadof" && strings.HasPrefix(address, e.value) && len(e.value) > longest {
			longest, base = len(e.value), e.subsection
		}
	}
	if longest < 0 {
		return address
	}
	return base + address[longest:]
}

// Locations lists the addresses at which the user's configuration has a
// repository: that of Rewrite, then those of the other url.<base>.insteadOf
// that begin address, the longest first. Git itself knows only the first; the
// others are as good for a commit whose content is verified.
func (c *Config) Locations(address string) []string {
	out := []string{c.Rewrite(address)}
	var more []entry
	for _, e := range c.all() {
		if e.section == "url" && e.key == "insteadof" && strings.HasPrefix(address, e.value) {
			more = append(more, e)
		}
	}
	order.Sort(more, func(a, b entry) int { return len(b.value) - len(a.value) })
	for _, e := range more {
		if to := e.subsection + address[len(e.value):]; !slices.Contains(out, to) {
			out = append(out, to)
		}
	}
	return out
}

func (c *Config) all() []entry {
	if c == nil {
		return nil
	}
	return c.entries
}

// HTTP are the settings of connections to one address.
type HTTP struct {
	Headers  []string // "Name: value"
	Proxy    string   // as http.proxy has it; empty: the environment's
	CAFile   string   // PEM
	Insecure bool     // http.sslVerify is off
}

// HTTP returns http.* and http.<url>.* for an address; what is more specific,
// and of that the later, counts.
func (c *Config) HTTP(address string) HTTP {
	var h HTTP
	for _, e := range c.matching("http", address) {
		switch e.key {
		case "extraheader":
			if e.value == "" { // an empty value drops the ones before
				h.Headers = nil
			} else {
				h.Headers = append(h.Headers, e.value)
			}
		case "proxy":
			h.Proxy = e.value
		case "sslcainfo":
			h.CAFile = e.value
		case "sslverify":
			h.Insecure = e.value != "" && !isTrue(e.value)
		}
	}
	return h
}

// Credential are the settings of credentials for one address.
type Credential struct {
	Helpers     []string // in order, as credential.helper has them
	Username    string
	UseHTTPPath bool
}

// Credential returns credential.* and credential.<url>.* for an address.
func (c *Config) Credential(address string) Credential {
	var cr Credential
	for _, e := range c.matching("credential", address) {
		switch e.key {
		case "helper":
			if e.value == "" {
				cr.Helpers = nil
			} else {
				cr.Helpers = append(cr.Helpers, e.value)
			}
		case "username":
			cr.Username = e.value
		case "usehttppath":
			cr.UseHTTPPath = isTrue(e.value)
		}
	}
	return cr
}

// matching lists the entries of a section that apply to an address, the least
// specific first.
func (c *Config) matching(section, address string) []entry {
	type ranked struct {
		entry
		rank [2]int
	}
	var out []ranked
	for _, e := range c.all() {
		if e.section != section {
			continue
		}
		rank, ok := [2]int{}, true
		if e.subsection != "" {
			rank, ok = match(e.subsection, address)
		}
		if ok {
			out = append(out, ranked{e, rank})
		}
	}
	order.Sort(out, func(a, b ranked) int { return slices.Compare(a.rank[:], b.rank[:]) })
	entries := make([]entry, len(out))
	for i, r := range out {
		entries[i] = r.entry
	}
	return entries
}

// match compares an address with a pattern by the rules of http.<url>.*
// (git-config(1)): scheme and port are equal, a label "*" of the host stands
// for one label, the path begins with the pattern's, whole components. The
// rank is the specificity of the match: characters of the host, of the path.
func match(pattern, address string) (rank [2]int, ok bool) {
	p, err := url.Parse(pattern)
	if err != nil {
		return rank, false
	}
	a, err := url.Parse(address)
	if err != nil || p.Scheme != a.Scheme || port(p) != port(a) || p.User != nil && (a.User == nil || p.User.Username() != a.User.Username()) {
		return rank, false
	}
	ph, ah := strings.Split(strings.ToLower(p.Hostname()), "."), strings.Split(strings.ToLower(a.Hostname()), ".")
	if len(ph) != len(ah) {
		return rank, false
	}
	for i := range ph {
		if ph[i] != "*" && ph[i] != ah[i] {
			return rank, false
		}
		if ph[i] != "*" {
			rank[0] += len(ph[i]) + 1
		}
	}
	prefix := strings.TrimSuffix(p.Path, "/")
	if a.Path != prefix && !strings.HasPrefix(a.Path, prefix+"/") {
		return rank, false
	}
	rank[1] = len(prefix)
	if p.User != nil {
		rank[1]++
	}
	return rank, true
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443", "ssh": "22"}[u.Scheme]
}
