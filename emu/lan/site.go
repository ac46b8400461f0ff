package lan

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
)

// maxBytesPage is the largest N of /bytes/N.
const maxBytesPage = 16 << 20

// site returns the handler of a host that Config.Handlers does not have. Every
// host of an isolated network answers and says that it is emulated.
func (n *Network) site(host string) http.Handler {
	if host == "captive."+Domain {
		return http.HandlerFunc(serverError)
	}
	if a, _ := netip.ParseAddr(host); host == Domain || strings.HasSuffix(host, "."+Domain) || a == gateway4 || a == gateway6 {
		return http.HandlerFunc(n.serveGateway)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, "This is not "+printable(host)+".\n\n"+
			"The board is on an isolated network inside the emulator: every host answers on\n"+
			"ports 80 and 443 with this text. `--net host` connects the board to the network\n"+
			"of this machine.\n")
	})
}

// serveGateway serves http://espalier.lan/.
func (n *Network) serveGateway(w http.ResponseWriter, r *http.Request) {
	switch target := r.URL.Path; {
	case target == "/echo":
		kind := r.Header.Get("Content-Type")
		if kind == "" {
			kind = "application/octet-stream"
		}
		w.Header().Set("Content-Type", kind)
		_, _ = io.Copy(w, r.Body)
	case target == "/500":
		serverError(w, r)
	case target == "/time":
		writeText(w, n.date().UTC().Format(time.RFC3339)+"\n")
	case target == "/root.pem":
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(RootPEM())
	case strings.HasPrefix(target, "/bytes/"):
		serveBytes(w, r, strings.TrimPrefix(target, "/bytes/"))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		statusOnly(w, http.StatusMethodNotAllowed)
	case n.cfg.Files != nil:
		n.serveFile(w, r)
	case target == "/":
		writeText(w, "Hello from espalier.lan, the emulated network of this board.\n\n"+
			"/echo returns the request body, /bytes/N returns N bytes, /time is the time of\n"+
			"day, /500 is an error, /root.pem the root certificate of https. --serve DIR\n"+
			"serves files here.\n")
	default:
		statusOnly(w, http.StatusNotFound)
	}
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text)
}

func statusOnly(w http.ResponseWriter, status int) {
	http.Error(w, fmt.Sprintf("%d %s", status, http.StatusText(status)), status)
}

func serverError(w http.ResponseWriter, _ *http.Request) {
	statusOnly(w, http.StatusInternalServerError)
}

func serveBytes(w http.ResponseWriter, r *http.Request, count string) {
	size, err := strconv.ParseUint(count, 10, 32)
	if err != nil || size > maxBytesPage {
		statusOnly(w, http.StatusNotFound)
		return
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(b)
}

// maxFile is the size of the largest file that is served.
const maxFile = 64 << 20

// serveFile serves one of Config.Files. http.FileServerFS is not used: it sends
// modification times and content types from the host's tables, which differ
// between machines.
func (n *Network) serveFile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(n.cfg.Files, name)
	if err == nil && info.IsDir() {
		if !strings.HasSuffix(r.URL.Path, "/") {
			w.Header().Set("Location", "/"+name+"/")
			statusOnly(w, http.StatusMovedPermanently)
			return
		}
		name = path.Join(name, "index.html")
	}
	b, err := readFile(n.cfg.Files, name)
	switch {
	case err == nil:
		w.Header().Set("Content-Type", contentType(name))
		_, _ = w.Write(b)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		statusOnly(w, http.StatusNotFound)
	default:
		n.log("serving %s: %v", name, err)
		serverError(w, r)
	}
}

func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil { // also a link that leaves the directory
		return nil, fs.ErrNotExist
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(b) > maxFile {
		return nil, errors.New("the file is larger than 64 MiB")
	}
	return b, err
}

// contentType depends on the extension alone, not on the host's tables.
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
