package git

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// maxPointer is the size below which a file can be an LFS pointer (git-lfs
// specification, "The Pointer").
const maxPointer = 1024

// pointer is a file of a commit whose content is kept outside the repository.
type pointer struct {
	path   string // in the tree
	exec   bool
	text   []byte
	object store.Digest
}

// parsePointer reads the text of a pointer: lines "key value", of which the
// first is the version, the others sorted; oid and size are required.
func parsePointer(text []byte) (store.Digest, bool) {
	rest, ok := strings.CutPrefix(string(text), "version https://git-lfs.github.com/spec/v1\n")
	if !ok || len(text) >= maxPointer {
		return store.Digest{}, false
	}
	d := store.Digest{Size: -1}
	for _, line := range strings.Split(strings.TrimSuffix(rest, "\n"), "\n") {
		switch key, value, _ := strings.Cut(line, " "); key {
		case "oid":
			hash, _ := strings.CutPrefix(value, "sha256:")
			if raw, err := hex.DecodeString(hash); err != nil || len(raw) != 32 || strings.ToLower(hash) != hash {
				return store.Digest{}, false
			}
			d.Hash = hash
		case "size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return store.Digest{}, false
			}
			d.Size = n
		}
	}
	return d, d.Hash != "" && d.Size >= 0
}

// lfs brings the objects of pointers into the store. The error names the file
// whose object cannot be had, and the cause at the last location.
func (f *Fetcher) lfs(ctx context.Context, repo string, list []pointer) error {
	var need []pointer
	for _, p := range list {
		if !f.Store.Has(p.object) {
			need = append(need, p)
		}
	}
	if len(need) == 0 {
		return nil
	}
	err := f.connect(ctx, repo, func(c connection) error {
		ep, err := transport.NewEndpoint(c.address)
		if err != nil {
			return err
		}
		switch ep.Protocol {
		case "http", "https":
			return f.lfsHTTP(ctx, c, need)
		case "file":
			return f.lfsFiles(ctx, ep.Path, need)
		}
		return fmt.Errorf("LFS over %s is not supported", ep.Protocol)
	})
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Pins, err, fmt.Sprintf("%s is an LFS pointer, and its object cannot be fetched", need[0].path),
		"git lfs fetch --all in a clone must work; another location: git config --global url.<copy>.insteadOf "+redact(repo))
}

// lfsFiles reads the objects of a repository on this machine.
func (f *Fetcher) lfsFiles(ctx context.Context, repo string, need []pointer) error {
	dir := filepath.FromSlash(repo)
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		dir = filepath.Join(dir, ".git")
	}
	for _, p := range need {
		h := p.object.Hash
		r, err := os.Open(filepath.Join(dir, "lfs", "objects", h[:2], h[2:4], h))
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the repository has no LFS object %s", h)
		}
		if err != nil {
			return err
		}
		_, err = f.Store.PutExpected(ctx, r, p.object)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}

// The batch API (git-lfs docs/api/batch.md), as far as a download needs it.
type (
	lfsObject struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	}
	lfsRequest struct {
		Operation string      `json:"operation"`
		Transfers []string    `json:"transfers"`
		Objects   []lfsObject `json:"objects"`
		Hash      string      `json:"hash_algo"`
	}
	lfsAnswer struct {
		Message string
		Objects []struct {
			lfsObject
			Actions struct {
				Download struct {
					Href   string
					Header map[string]string
				}
			}
			Error *struct{ Message string }
		}
	}
)

const (
	lfsMedia   = "application/vnd.git-lfs+json"
	lfsBatch   = 100      // objects of one request
	maxAnswer  = 16 << 20 // bytes
	maxMessage = 200      // of a server, in an error
)

func (f *Fetcher) lfsHTTP(ctx context.Context, c connection, need []pointer) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(c.address, "/")
	if !strings.HasSuffix(base, ".git") {
		base += ".git"
	}
	for len(need) > 0 {
		part := need[:min(len(need), lfsBatch)]
		need = need[len(part):]
		ask := lfsRequest{Operation: "download", Transfers: []string{"basic"}, Hash: "sha256"}
		for _, p := range part {
			ask.Objects = append(ask.Objects, lfsObject{p.object.Hash, p.object.Size})
		}
		answer, err := lfsAsk(ctx, client, c, base+"/info/lfs/objects/batch", ask)
		if err != nil {
			return err
		}
		for _, p := range part {
			if err := f.lfsObject(ctx, client, base, answer, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func lfsAsk(ctx context.Context, client *http.Client, c connection, address string, ask lfsRequest) (lfsAnswer, error) {
	var answer lfsAnswer
	body, err := json.Marshal(ask)
	if err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	if h, ok := c.auth.(githttp.AuthMethod); ok {
		h.SetAuth(req)
	}
	req.Header.Set("Accept", lfsMedia)
	req.Header.Set("Content-Type", lfsMedia)
	resp, err := client.Do(req)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer, err
	}
	perr := json.Unmarshal(text, &answer)
	switch resp.StatusCode {
	case http.StatusOK:
		return answer, perr
	case http.StatusUnauthorized:
		return answer, transport.ErrAuthenticationRequired
	case http.StatusForbidden:
		return answer, transport.ErrAuthorizationFailed
	case http.StatusNotFound:
		return answer, errors.New("the server has no LFS for this repository")
	}
	return answer, fmt.Errorf("the LFS server answered %s %.*s", resp.Status, maxMessage, answer.Message)
}

func (f *Fetcher) lfsObject(ctx context.Context, client *http.Client, base string, answer lfsAnswer, p pointer) error {
	for _, o := range answer.Objects {
		if o.OID != p.object.Hash {
			continue
		}
		if o.Error != nil {
			return fmt.Errorf("LFS object %s: %.*s", p.object.Hash, maxMessage, o.Error.Message)
		}
		from, err := url.Parse(base + "/")
		if err != nil {
			return err
		}
		to, err := from.Parse(o.Actions.Download.Href)
		if err != nil || o.Actions.Download.Href == "" || to.Scheme != "https" && to.Scheme != from.Scheme {
			return fmt.Errorf("LFS object %s: the server gave no address for it", p.object.Hash)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
		if err != nil {
			return err
		}
		for k, v := range o.Actions.Download.Header {
			req.Header.Set(k, v)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("LFS object %s: the server answered %s", p.object.Hash, resp.Status)
		}
		_, err = f.Store.PutExpected(ctx, resp.Body, p.object)
		return err
	}
	return fmt.Errorf("LFS object %s: the server's answer lacks it", p.object.Hash)
}

// client has the user's proxy and certificates, as the git transport has them.
func (c connection) client() (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: c.insecure}
	if len(c.ca) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(c.ca) {
			return nil, errors.New("http.sslCAInfo has no certificate")
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if c.proxy.URL != "" {
		u, err := url.Parse(c.proxy.URL)
		if err != nil {
			return nil, errors.New("http.proxy is not an address")
		}
		t.Proxy = http.ProxyURL(u)
	}
	return &http.Client{Transport: t}, nil
}
