package debian

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// credentials are the logins of apt's auth.conf(5). They are sent to their host
// only, and are in no message, lock or store.
type credentials []login

type login struct {
	scheme         string // "" means https only
	host, path     string
	user, password string
}

// String hides the credentials, so that they cannot be logged.
func (credentials) String() string { return "credentials" }

// readAuth reads auth.conf and auth.conf.d below root. A file that this user
// may not read is skipped, as apt does.
func readAuth(root string, conf *aptConf) credentials {
	var all credentials
	files := []string{conf.path("Dir::Etc::netrc", "auth.conf")}
	parts := conf.path("Dir::Etc::netrcparts", "auth.conf.d")
	if names, err := partNames(filepath.Join(root, parts), ".conf"); err == nil {
		for _, n := range names {
			files = append(files, filepath.Join(parts, n))
		}
	}
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(root, f)); err == nil {
			all = append(all, parseAuth(string(b))...)
		}
	}
	return all
}

// parseAuth reads the netrc-like format: "machine [scheme://]host[:port][/path]
// login name password secret", in words over any number of lines.
func parseAuth(src string) credentials {
	var all credentials
	var kept []string
	for _, line := range strings.Split(src, "\n") {
		if t := strings.TrimSpace(line); !strings.HasPrefix(t, "#") {
			kept = append(kept, strings.Fields(t)...)
		}
	}
	for i := 0; i+1 < len(kept); i++ {
		value := kept[i+1]
		switch kept[i] {
		case "machine":
			var l login
			if scheme, rest, ok := strings.Cut(value, "://"); ok {
				l.scheme, value = scheme, rest
			}
			l.host, l.path = value, ""
			if j := strings.IndexByte(value, '/'); j >= 0 {
				l.host, l.path = value[:j], value[j:]
			}
			all = append(all, l)
		case "login":
			if len(all) > 0 {
				all[len(all)-1].user = value
			}
		case "password":
			if len(all) > 0 {
				all[len(all)-1].password = value
			}
		default:
			continue
		}
		i++
	}
	return all
}

// lookup returns the login for u. As in apt, an entry without a scheme applies
// to https only.
func (c credentials) lookup(u *url.URL) (user, password string, ok bool) {
	for _, l := range c {
		if l.scheme == "" && u.Scheme != "https" || l.scheme != "" && l.scheme != u.Scheme {
			continue
		}
		if !strings.EqualFold(l.host, u.Host) && !strings.EqualFold(l.host, u.Hostname()) {
			continue
		}
		if !strings.HasPrefix(u.Path, l.path) {
			continue
		}
		return l.user, l.password, l.user != "" || l.password != ""
	}
	return "", "", false
}
