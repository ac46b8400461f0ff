package fetch

import (
	"net/url"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

// TestProxies compares all lists with all addresses with x/net.
func TestProxies(t *testing.T) {
	hosts := []string{"example.org", "example.org:8443", "a.b.example.org", "badexample.org", "EXAMPLE.org.", "localhost", "localhost:3000",
		"127.0.0.1", "127.9.9.9:80", "[::1]", "10.1.2.3", "10.1.2.3:8080", "192.0.2.7", "[2001:db8::1]", "[2001:db8::1]:8080", "localhost.example.org"}
	lists := []string{"", "*", "a,*", "example.org", ".example.org", "*.example.org", "example.org:8443", "example.org:443", "Example.ORG, b.example.org",
		"10.0.0.0/8", "10.1.2.3", "10.1.2.3:8080", "10.1.2.3/32", "::1", "2001:db8::/32", "2001:db8::1", "[2001:db8::1]:8080", "org", ".org", ",,", "192.0.2.7, 10.0.0.0/33", "example.org:"}
	for _, proxy := range []string{"", "http://proxy.invalid:3128", "proxy.invalid:3128", "proxy.invalid", "socks5://u:p@proxy.invalid", "https://proxy.invalid/", "://"} {
		for _, list := range lists {
			ours := proxies{http: proxy, https: proxy, not: list}
			theirs := (&httpproxy.Config{HTTPProxy: proxy, HTTPSProxy: proxy, NoProxy: list}).ProxyFunc()
			for _, scheme := range []string{"http", "https", "ftp"} {
				for _, host := range hosts {
					u, err := url.Parse(scheme + "://" + host + "/x")
					if err != nil {
						t.Fatal(err)
					}
					got, err := ours.choose(u)
					want, werr := theirs(u)
					if (err != nil) != (werr != nil) || (got == nil) != (want == nil) || got != nil && got.String() != want.String() {
						t.Errorf("proxy %q, not for %q: %s: %v, %v; x/net has %v, %v", proxy, list, u, got, err, want, werr)
					}
				}
			}
		}
	}
	// x/net makes a direct connection then, which the user did not ask for.
	u := &url.URL{Scheme: "https", Host: "example.org"}
	if got, err := (proxies{https: "%zz"}).choose(u); err == nil {
		t.Errorf("proxy %%zz: %v", got)
	}
}
