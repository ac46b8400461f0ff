package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/remote/grpc"
)

// Config describes a cache and what may be done with it.
type Config struct {
	Address  string // grpc://HOST[:PORT], grpcs://…, http://HOST[:PORT][/PATH] or https://…
	Instance string // the server's name of the cache; often ""
	Write    bool   // results are written, too

	// Token is sent with every request, never logged: in TokenHeader as it is, or
	// in Authorization, after "Bearer " unless it names a scheme itself.
	Token, TokenHeader string

	CA               string // PEM file of the authorities that sign the server's certificate; "": the machine's
	Certificate, Key string // PEM files of the client's certificate; "": none

	Proxy  func(*url.URL) (*url.URL, error) // nil: none
	Report progress.Reporter                // nil discards
	Warn   func(text string)                // receives the one warning; nil discards it
	Debug  func(format string, args ...any) // nil discards

	stall time.Duration // a transfer without a byte for this long fails; 0: 20 s
}

const defaultStall = 20 * time.Second

// New prepares the use of a cache; it makes no connection. A nil Cache is one
// that has nothing. Errors are faults of kind Usage.
func New(cfg Config) (*Cache, error) {
	u, err := url.Parse(cfg.Address)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, fault.New(fault.Usage, fmt.Sprintf("cache %q: want grpcs://HOST:PORT, grpc://HOST:PORT, https://HOST/PATH or http://HOST/PATH", cfg.Address))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Usage, fmt.Sprintf("cache %s://%s: want an address without a user, a password or a query", u.Scheme, u.Host),
			"export ESPALIER_REMOTE_TOKEN=…   # or remote.token-file in the user's configuration")
	}
	if cfg.stall == 0 {
		cfg.stall = defaultStall
	}
	if cfg.Report == nil {
		cfg.Report = progress.Discard
	}
	if cfg.Warn == nil {
		cfg.Warn = func(string) {}
	}
	if cfg.Debug == nil {
		cfg.Debug = func(string, ...any) {}
	}
	client, err := cfg.client(u)
	if err != nil {
		return nil, err
	}
	c := &Cache{cfg: cfg, name: u.Scheme + "://" + u.Host, role: "cache"}
	switch u.Scheme {
	case "grpc", "grpcs":
		if strings.Trim(u.Path, "/") != "" {
			return nil, fault.New(fault.Usage, fmt.Sprintf("cache %s: want no path; the name of an instance is remote.instance", cfg.Address))
		}
		base := map[string]string{"grpc": "http", "grpcs": "https"}[u.Scheme] + "://" + withPort(u)
		c.srv = &grpcServer{conn: &grpc.Conn{Client: client, Base: base, Header: cfg.header()}, instance: cfg.Instance, stall: cfg.stall}
	case "http", "https":
		u.Path = "/" + strings.Trim(path.Join(u.Path, cfg.Instance), "/")
		c.srv = &httpServer{client: client, base: strings.TrimSuffix(u.String(), "/"), header: cfg.header(), stall: cfg.stall}
	default:
		return nil, fault.New(fault.Usage, fmt.Sprintf("cache %s: scheme %q: want grpcs, grpc, https or http", cfg.Address, u.Scheme))
	}
	return c, nil
}

// withPort adds the port of the scheme, which gRPC's addresses may lack.
func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"grpc": "80", "grpcs": "443"}[u.Scheme])
}

func (cfg Config) header() http.Header {
	h := http.Header{}
	switch {
	case cfg.Token == "":
	case cfg.TokenHeader != "":
		h.Set(cfg.TokenHeader, cfg.Token)
	case strings.Contains(cfg.Token, " "):
		h.Set("Authorization", cfg.Token)
	default:
		h.Set("Authorization", "Bearer "+cfg.Token)
	}
	return h
}

// client returns a client of HTTP: of version 2 only for gRPC.
func (cfg Config) client(u *url.URL) (*http.Client, error) {
	t := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: min(10*time.Second, cfg.stall), KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   min(10*time.Second, cfg.stall),
		ResponseHeaderTimeout: 0, // calls have deadlines
		MaxIdleConnsPerHost:   transfers,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // the digest is that of the content
		Protocols:             &http.Protocols{},
		HTTP2:                 &http.HTTP2Config{MaxReceiveBufferPerStream: 4 << 20},
	}
	if cfg.Proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return cfg.Proxy(r.URL) }
	}
	switch u.Scheme {
	case "grpc":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "grpcs":
		t.Protocols.SetHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(true)
	}
	tlsConfig, err := cfg.tls(u)
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig = tlsConfig
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a token is for one server
	}}, nil
}

func (cfg Config) tls(u *url.URL) (*tls.Config, error) {
	if cfg.CA == "" && cfg.Certificate == "" && cfg.Key == "" {
		return nil, nil
	}
	if u.Scheme != "grpcs" && u.Scheme != "https" {
		return nil, fault.New(fault.Usage, fmt.Sprintf("cache %s: a certificate needs grpcs:// or https://", cfg.Address))
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fault.Opening(cfg.CA, err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Usage, "reading "+cfg.CA+": no certificate in PEM form")
		}
	}
	if (cfg.Certificate == "") != (cfg.Key == "") {
		return nil, fault.New(fault.Usage, "a client's certificate needs remote.certificate and remote.key")
	}
	if cfg.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(cfg.Certificate, cfg.Key)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "reading the client's certificate "+cfg.Certificate)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// connecting is the text of a failure of the first call to a server.
func connecting(err error) string {
	return "connecting: " + strings.TrimPrefix(cause(err), "connecting: ")
}

// cause is the text of a failure on one line, without the address, which the
// message names already.
func cause(err error) string {
	var op *net.OpError
	var dns *net.DNSError
	var expired x509.CertificateInvalidError
	switch {
	case errors.As(err, &expired):
		return expired.Error()
	case errors.As(err, &dns):
		return "no address of " + dns.Name
	case errors.As(err, &op) && op.Op == "dial":
		return "connecting: " + op.Err.Error()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
