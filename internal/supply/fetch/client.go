package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Config describes a Client. The zero value is useful.
type Config struct {
	Environ func(string) string                         // nil: os.Getenv; http_proxy, https_proxy, no_proxy in both spellings
	Proxy   func(*url.URL) (*url.URL, error)            // nil: from Environ
	Auth    func(*url.URL) (user, pass string, ok bool) // called for each request and redirect; never logged

	PerHost int           // requests in flight per host; default 4
	Workers int           // downloads in flight; default 8
	Retries int           // retries per location after a transient error; default 3, negative for none
	Backoff time.Duration // before the first retry, doubled each time; default 300 ms
	Stall   time.Duration // a transfer that receives no byte for this long fails; default 30 s

	Offline bool   // make no connection
	Command string // command suggested in hints when a file is missing; default "espalier fetch"
}

// maxRedirects is half of what browsers and apt allow: archives redirect once.
const maxRedirects = 5

// Client fetches. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client

	mu    sync.Mutex
	slots map[string]chan struct{} // by host
}

// New returns a client. The certificate authorities are those of the machine;
// crypto/x509 honours SSL_CERT_FILE and SSL_CERT_DIR.
func New(cfg Config) *Client {
	if cfg.Environ == nil {
		cfg.Environ = os.Getenv
	}
	if cfg.PerHost <= 0 {
		cfg.PerHost = 4
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 8
	}
	if cfg.Retries == 0 {
		cfg.Retries = 3
	}
	if cfg.Backoff <= 0 {
		cfg.Backoff = 300 * time.Millisecond
	}
	if cfg.Stall <= 0 {
		cfg.Stall = 30 * time.Second
	}
	if cfg.Command == "" {
		cfg.Command = "espalier fetch"
	}
	if cfg.Proxy == nil {
		cfg.Proxy = EnvironProxy(cfg.Environ)
	}
	c := &Client{cfg: cfg, slots: map[string]chan struct{}{}}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                 func(r *http.Request) (*url.URL, error) { return cfg.Proxy(r.URL) },
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   cfg.PerHost,
			IdleConnTimeout:       30 * time.Second,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: cfg.Stall,
			// The digest is that of the file, so transfer encodings are
			// disabled.
			DisableCompression: true,
			ReadBufferSize:     64 << 10,
		},
		CheckRedirect: c.redirect,
	}
	return c
}

// EnvironProxy chooses proxies as curl does, from the environment variables
// that get returns.
func EnvironProxy(get func(string) string) func(*url.URL) (*url.URL, error) {
	either := func(name string) string {
		if v := get(strings.ToLower(name)); v != "" {
			return v
		}
		return get(name)
	}
	all := either("ALL_PROXY")
	or := func(v string) string {
		if v == "" {
			return all
		}
		return v
	}
	return proxies{
		http:  or(either("HTTP_PROXY")),
		https: or(either("HTTPS_PROXY")),
		not:   either("NO_PROXY"),
	}.choose
}

func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return permanent{fmt.Errorf("more than %d redirects", maxRedirects)}
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return permanent{errors.New("redirect from https to " + req.URL.Scheme)}
	}
	// Credentials of the first host are not sent to the next one.
	req.Header.Del("Authorization")
	req.Header.Del("Referer")
	c.authorise(req)
	return nil
}

func (c *Client) authorise(req *http.Request) {
	if c.cfg.Auth == nil || req.URL.User != nil {
		return
	}
	if user, pass, ok := c.cfg.Auth(req.URL); ok {
		req.SetBasicAuth(user, pass)
	}
}

// slot waits until fewer than PerHost requests to the host are in flight.
func (c *Client) slot(ctx context.Context, host string) (release func(), err error) {
	c.mu.Lock()
	ch := c.slots[host]
	if ch == nil {
		ch = make(chan struct{}, c.cfg.PerHost)
		c.slots[host] = ch
	}
	c.mu.Unlock()
	select {
	case ch <- struct{}{}:
		return func() { <-ch }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pause waits before retry number n (from 0), or as long as the server requests
// in Retry-After, at most 30 s.
func (c *Client) pause(ctx context.Context, n int, err error) error {
	d := c.cfg.Backoff << min(n, 6)
	d += rand.N(d/2 + 1)
	var status *statusError
	if errors.As(err, &status) && status.after > d {
		d = status.after
	}
	t := time.NewTimer(min(d, 30*time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// permanent marks an error that a retry at the same location cannot fix.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// statusError is an HTTP response other than success.
type statusError struct {
	code  int
	after time.Duration
}

func (e *statusError) Error() string {
	if t := http.StatusText(e.code); t != "" {
		return fmt.Sprintf("%d %s", e.code, t)
	}
	return fmt.Sprintf("status %d", e.code)
}

// transient reports whether the same request may succeed later.
func transient(err error) bool {
	var p permanent
	var status *statusError
	var dns *net.DNSError
	switch {
	case errors.As(err, &p), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &status):
		switch status.code {
		case 408, 425, 429, 500, 502, 503, 504:
			return true
		}
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	}
	return true
}

// NotFound reports whether err means that a location does not have the file.
func NotFound(err error) bool {
	var status *statusError
	return errors.Is(err, os.ErrNotExist) || errors.As(err, &status) && (status.code == 404 || status.code == 410)
}

// join appends a path to a prefix. If the prefix is empty, path is a complete
// URL.
func join(prefix, path string) (*url.URL, error) {
	text := path
	if prefix != "" {
		text = strings.TrimRight(prefix, "/") + "/" + escape(path)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, permanent{errors.New("not a URL")}
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return nil, permanent{errors.New("URL without a host")}
		}
	case "file", "copy":
	default:
		return nil, permanent{fmt.Errorf("scheme %q is not supported (http, https, file, copy)", u.Scheme)}
	}
	return u, nil
}

// escape keeps slashes and the characters that occur in Debian's file names.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(p), "%2B", "+")
	}
	return strings.Join(parts, "/")
}

// where formats a URL for messages, without credentials.
func where(u *url.URL) string {
	v := *u
	v.User = nil
	v.RawQuery = ""
	return v.String()
}
