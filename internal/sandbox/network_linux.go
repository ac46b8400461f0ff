package sandbox

import (
	"os"
	"strings"
)

// hostNetwork has the host's files and variables that a step with Network needs
// besides the network namespace.
type hostNetwork struct {
	files []skeletonFile
	env   map[string]string
}

// bundlePath is the path of the host's certificates inside the sandbox.
const bundlePath = "etc/espalier/ca-bundle.crt"

// bundleVariables are the variables for the path of the bundle in cargo, curl,
// git and OpenSSL.
var bundleVariables = [...]string{"SSL_CERT_FILE", "CARGO_HTTP_CAINFO", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"}

// proxyVariables are passed unchanged.
var proxyVariables = [...]string{
	"http_proxy", "https_proxy", "all_proxy", "no_proxy",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CARGO_HTTP_PROXY",
}

// bundlePlaces are the paths of the certificate bundle in Linux distributions.
var bundlePlaces = [...]string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Arch, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/tls/cacert.pem",
	"/etc/ssl/cert.pem", // Alpine, Void
}

// maxHostFile bounds what is copied; a bundle has about 250 KB.
const maxHostFile = 8 << 20

// readHostNetwork reads the host's resolver, certificates and proxy settings.
// Missing files are skipped: the step reports what it cannot reach.
func readHostNetwork(lookup func(string) (string, bool)) hostNetwork {
	h := hostNetwork{env: map[string]string{}}
	for _, p := range []string{"etc/resolv.conf", "etc/hosts", "etc/nsswitch.conf", "etc/gai.conf"} {
		if b, ok := readSmall("/" + p); ok {
			h.files = append(h.files, skeletonFile{p, b})
		}
	}
	candidates := bundlePlaces[:]
	for _, v := range bundleVariables {
		if p, ok := lookup(v); ok && p != "" { // the user's configuration takes precedence over the distribution's
			candidates = append([]string{p}, candidates...)
			break
		}
	}
	for _, p := range candidates {
		if b, ok := readSmall(p); ok && strings.Contains(string(b), "BEGIN CERTIFICATE") {
			h.files = append(h.files, skeletonFile{bundlePath, b})
			for _, v := range bundleVariables {
				h.env[v] = "/" + bundlePath
			}
			break
		}
	}
	for _, v := range proxyVariables {
		if s, ok := lookup(v); ok {
			h.env[v] = s
		}
	}
	return h
}

func readSmall(name string) ([]byte, bool) {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxHostFile {
		return nil, false
	}
	b, err := os.ReadFile(name)
	return b, err == nil
}
