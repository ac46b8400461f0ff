package fetch

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// proxies are addresses of proxies by the scheme of a request, and the hosts that are
// reached without one, a list in the form of NO_PROXY. The rules are those of
// golang.org/x/net/http/httpproxy, which is the oracle of the tests. It is not linked,
// as it brings Unicode's tables for domain names a second time, 0.2 MB; host names
// are compared as they are written.
type proxies struct{ http, https, not string }

// choose returns the proxy for a request; nil means none.
func (p proxies) choose(u *url.URL) (*url.URL, error) {
	proxy := p.http
	switch u.Scheme {
	case "http":
	case "https":
		proxy = p.https
	default:
		return nil, nil
	}
	if proxy == "" || p.bypass(u) {
		return nil, nil
	}
	address, err := url.Parse(proxy)
	if err != nil || address.Scheme == "" || address.Host == "" { // host:port
		address, err = url.Parse("http://" + proxy)
	}
	if err != nil {
		return nil, fmt.Errorf("the proxy address %q: %w", proxy, err)
	}
	return address, nil
}

// bypass reports whether a request is made without a proxy: to this machine, or to a
// host of the list. An entry is "*", an address, a block of addresses, or a domain
// with all below it (without the domain itself if it begins with a dot), the last two
// kinds with a port if only that is meant.
func (p proxies) bypass(u *url.URL) bool {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil
	if addr = addr.Unmap(); isAddr && addr.IsLoopback() {
		return true
	}
	for _, entry := range strings.Split(p.not, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "*" {
			return true
		}
		if block, err := netip.ParsePrefix(entry); err == nil {
			if isAddr && block.Masked().Contains(addr) {
				return true
			}
			continue
		}
		if h, wanted, err := net.SplitHostPort(entry); err == nil {
			if wanted != "" && wanted != port {
				continue
			}
			entry = h
		}
		if a, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
			if isAddr && a.Unmap() == addr {
				return true
			}
			continue
		}
		entry = strings.TrimPrefix(entry, "*")
		below := strings.TrimPrefix(entry, ".")
		if below != "" && (strings.HasSuffix(host, "."+below) || host == entry) {
			return true
		}
	}
	return false
}
