package lan

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
)

// httpServer is one connection to port 80 or 443 of any host: HTTP/1.0 and 1.1 (RFC
// 9112), one request after the other.
type httpServer struct {
	n      *Network
	scheme string
	in     []byte
	busy   bool // an answer is being thought about
	done   bool // no further request is read
	end    bool // the station has sent all
	left   int  // bytes of answers that the station has not acknowledged
}

// Bounds of what a guest can make the server hold.
const (
	maxHead = 16 << 10
	maxBody = 1 << 20
	maxFile = 64 << 20
)

// request is one HTTP request.
type request struct {
	method, target, version string
	header                  map[string]string // names in lower case
	body                    []byte
}

// response is what a page answers.
type response struct {
	status int
	kind   string // content type
	body   []byte
	header [][2]string
}

func (h *httpServer) opened(link)     {}
func (h *httpServer) gone(link, bool) { h.in = nil }
func (h *httpServer) acked(l link) {
	h.left = l.unsent()
	h.serve(l)
	l.reopen()
}

func (h *httpServer) window() int { return maxWindow - max(0, len(h.in)-maxBody) }

func (h *httpServer) received(l link, data []byte) {
	if h.done {
		return
	}
	h.in = append(h.in, data...)
	h.serve(l)
}

func (h *httpServer) ended(l link) {
	h.end = true
	h.serve(l)
	if !h.busy {
		l.close()
	}
}

// serve answers the requests that are complete, one at a time: the next when
// the station has taken most of the answer to the one before.
func (h *httpServer) serve(l link) {
	for !h.busy && !h.done && h.left < sendRoom {
		r, size, status := parseRequest(h.in)
		if status == 0 && size == 0 {
			if h.expects(r) {
				l.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
			}
			return
		}
		if status != 0 {
			h.done = true
			h.in = nil
			l.write(encode(r, text(status, ""), h.n.date(), true))
			l.close()
			return
		}
		h.in = h.in[size:]
		h.busy = true
		h.n.service(func() { h.answer(l, r) })
	}
}

// expects reports, once, that the station waits for leave to send a body.
func (h *httpServer) expects(r *request) bool {
	if r == nil || r.version != "HTTP/1.1" || !strings.EqualFold(r.header["expect"], "100-continue") || len(h.in) > len(bytes.SplitAfterN(h.in, []byte("\r\n\r\n"), 2)[0]) {
		return false
	}
	// The head is replaced by one without the expectation.
	h.in = bytes.Replace(h.in, []byte("100-continue"), []byte("            "), 1)
	return true
}

func (h *httpServer) answer(l link, r *request) {
	h.busy = false
	if l.over() {
		return
	}
	host := h.host(l, r)
	resp := h.n.page(host, r)
	h.n.log("%s %s://%s%s: %d", r.method, h.scheme, host, printable(r.target), resp.status)
	last := !r.keepAlive()
	l.write(encode(r, resp, h.n.date(), last))
	h.left = l.unsent()
	if last {
		h.done, h.in = true, nil
		l.close()
		return
	}
	h.serve(l)
	if h.end && !h.busy {
		l.close()
	}
}

// host is whom the station means: by the Host field, else by the name that it
// asked the address of.
func (h *httpServer) host(l link, r *request) string {
	host := r.header["host"]
	if rest, ok := strings.CutPrefix(r.target, h.scheme+"://"); ok {
		host, r.target, _ = strings.Cut(rest, "/")
		r.target = "/" + r.target
	}
	if name, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		host = name
	}
	if host = strings.TrimSuffix(strings.ToLower(printable(host)), "."); host != "" {
		return host
	}
	if name := h.n.dns.nameOf(l.local()); name != "" {
		return name
	}
	return l.local().String()
}

// parseRequest reads the request at the start of b. size is 0 when it is not
// complete, with r set once the head is; a status other than 0 is the answer to
// what is not a request.
func parseRequest(b []byte) (r *request, size, status int) {
	b0 := b
	for bytes.HasPrefix(b, []byte("\r\n")) { // RFC 9112 2.2
		b = b[2:]
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return nil, 0, 431
		}
		return nil, 0, 0
	}
	if end > maxHead {
		return nil, 0, 431
	}
	lines := strings.Split(string(b[:end]), "\r\n")
	body := b[end+4:]
	words := strings.Split(lines[0], " ")
	if len(words) != 3 || words[0] == "" || words[1] == "" {
		return nil, 0, 400
	}
	r = &request{method: words[0], target: words[1], version: words[2], header: map[string]string{}}
	if !strings.HasPrefix(r.version, "HTTP/1.") || len(r.version) != 8 {
		r.version = "HTTP/1.1"
		return r, 0, 505
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return r, 0, 400
		}
		r.header[strings.ToLower(name)] = strings.Trim(value, " \t")
	}
	if r.header["transfer-encoding"] != "" {
		return r, 0, 501
	}
	length := 0
	if v, ok := r.header["content-length"]; ok {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return r, 0, 400
		}
		if n > maxBody {
			return r, 0, 413
		}
		length = int(n)
	}
	if len(body) < length {
		return r, 0, 0
	}
	r.body = bytes.Clone(body[:length])
	return r, len(b0) - len(body) + length, 0
}

// keepAlive reports whether the connection stays (RFC 9112 9.3).
func (r *request) keepAlive() bool {
	c := strings.ToLower(r.header["connection"])
	if r.version == "HTTP/1.0" {
		return c == "keep-alive"
	}
	return c != "close"
}

// encode writes a response in the version of the request.
func encode(r *request, resp response, date time.Time, last bool) []byte {
	version := "HTTP/1.1"
	if r != nil && r.version == "HTTP/1.0" {
		version = "HTTP/1.0"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d %s\r\n", version, resp.status, reason(resp.status))
	fmt.Fprintf(&b, "Server: espalier\r\n")
	fmt.Fprintf(&b, "Date: %s\r\n", date.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	if resp.status != 204 {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", resp.kind, len(resp.body))
	}
	for _, f := range resp.header {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	switch {
	case last:
		b.WriteString("Connection: close\r\n")
	case version == "HTTP/1.0":
		b.WriteString("Connection: keep-alive\r\n")
	}
	b.WriteString("\r\n")
	if r == nil || r.method != "HEAD" {
		b.Write(resp.body)
	}
	return b.Bytes()
}

func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 204:
		return "No Content"
	case 301:
		return "Moved Permanently"
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 413:
		return "Content Too Large"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Status"
}

func text(status int, body string) response {
	if body == "" {
		body = fmt.Sprintf("%d %s\n", status, reason(status))
	}
	return response{status: status, kind: "text/plain; charset=utf-8", body: []byte(body)}
}

// largestBytes is what /bytes/N gives at most.
const largestBytes = 16 << 20

// page is the answer of a host. On an island every host of the world answers,
// and says what it is.
func (n *Network) page(host string, r *request) response {
	target, _, _ := strings.Cut(r.target, "?")
	if host == "captive."+Domain {
		return text(500, "")
	}
	a, _ := netip.ParseAddr(host)
	if host != Domain && !strings.HasSuffix(host, "."+Domain) && a != gateway4 && a != gateway6 {
		return text(200, "This is not "+host+".\n\n"+
			"The board's network is an island inside the emulator: every host on port 80\n"+
			"or 443 is answered here, the same in every run. `--net host` goes out to the world.\n")
	}
	switch {
	case target == "/echo":
		kind := r.header["content-type"]
		if kind == "" || strings.ContainsFunc(kind, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			kind = "application/octet-stream"
		}
		return response{status: 200, kind: kind, body: r.body}
	case target == "/500":
		return text(500, "")
	case target == "/time":
		return text(200, n.date().UTC().Format(time.RFC3339)+"\n")
	case target == "/root.pem":
		return response{status: 200, kind: "application/x-pem-file", body: RootPEM()}
	case strings.HasPrefix(target, "/bytes/"):
		size, err := strconv.ParseUint(target[len("/bytes/"):], 10, 32)
		if err != nil || size > largestBytes {
			return text(404, "")
		}
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i)
		}
		return response{status: 200, kind: "application/octet-stream", body: b}
	}
	if r.method != "GET" && r.method != "HEAD" {
		resp := text(405, "")
		resp.header = [][2]string{{"Allow", "GET, HEAD"}}
		return resp
	}
	if n.cfg.Files != nil {
		return n.file(target)
	}
	if target == "/" {
		return text(200, "Hello from espalier.lan, the network behind the emulated access point.\n\n"+
			"/echo sends a body back, /bytes/N sends N bytes, /time is the time of day,\n"+
			"/500 is an error, /root.pem the root of https. --serve DIR serves files here.\n")
	}
	return text(404, "")
}

// file serves one of Config.Files.
func (n *Network) file(target string) response {
	name := strings.TrimPrefix(path.Clean("/"+target), "/")
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(n.cfg.Files, name)
	if err == nil && info.IsDir() {
		if !strings.HasSuffix(target, "/") {
			resp := text(301, "")
			resp.header = [][2]string{{"Location", "/" + name + "/"}}
			return resp
		}
		name = path.Join(name, "index.html")
	}
	f, err := n.cfg.Files.Open(name)
	if err != nil {
		return text(404, "")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return text(404, "")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(b) > maxFile {
		n.log("serving %s: larger than %d bytes, or not readable", name, maxFile)
		return text(500, "")
	}
	return response{status: 200, kind: contentType(name), body: b}
}

// contentType is by the name alone, and does not look at the host's tables.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".txt", ".md":
		return "text/plain; charset=utf-8"
	case ".json":
		return "application/json"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// printable replaces what could steer a terminal or split a header.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
