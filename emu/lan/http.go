package lan

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/lan/http1"
)

// Timeouts of an HTTP connection in guest time, those of nginx.
const (
	// requestTimeout is for a request from its first byte to its last; it also
	// holds for the first request from the beginning of the connection.
	requestTimeout = 60 * emu.Second
	// idleTimeout is how long a connection is kept for a further request.
	idleTimeout = 75 * emu.Second
)

// httpServer is the endpoint of a connection to port 80 or 443 of any host. It
// ends connections that wait too long for the client.
type httpServer struct {
	n         *Network
	scheme    string
	conn      *http1.Conn
	transport transport
	timer     *timer
	phase     http1.Phase // whose timer runs; noPhase: of a request that was served
}

const noPhase http1.Phase = 0xff

// newHTTPServer returns the server for a connection of a station; tls is nil or
// returns the state of the TLS connection below HTTP.
func newHTTPServer(n *Network, station netip.AddrPort, tls func() *tls.ConnectionState) *httpServer {
	h := &httpServer{n: n, scheme: "http"}
	if tls != nil {
		h.scheme = "https"
	}
	h.timer = newTimer(func() { h.conn.Timeout() })
	h.conn = http1.New(http1.Config{
		RemoteAddr: station.String(),
		TLS:        tls,
		Date:       n.date,
		Handler:    h.handler,
		Dispatch: func(serve func()) {
			n.service(func() {
				h.phase = noPhase
				serve()
				h.watch()
			})
		},
		Served: func(r *http.Request, status int) {
			n.log("%s %s://%s%s: %d", r.Method, h.scheme, printable(r.Host), printable(r.URL.RequestURI()), status)
		},
		Send: func(b []byte) int {
			h.transport.write(b)
			return h.transport.unacked()
		},
		CloseWrite: func() { h.transport.closeWrite() },
		Abort:      func() { h.transport.abort() },
	})
	return h
}

func (h *httpServer) connected(t transport) {
	h.transport = t
	h.n.timers.set(h.timer, h.n.now.Add(requestTimeout))
}

func (h *httpServer) received(_ transport, data []byte) {
	h.conn.Receive(data)
	h.watch()
}

func (h *httpServer) endOfStream(transport) {
	h.conn.EOF()
	h.watch()
}

func (h *httpServer) acknowledged(t transport) {
	h.conn.Acknowledged(t.unacked())
	h.watch()
	t.windowUpdate()
}

func (h *httpServer) disconnected(transport, bool) {
	h.conn.Close()
	h.watch()
}

// window keeps pipelined requests from filling the memory.
func (h *httpServer) window() int { return maxWindow - max(0, h.conn.Buffered()-http1.MaxHead) }

// watch starts the timer of the phase that the connection has entered. TCP's
// own timers end a connection whose client does not acknowledge.
func (h *httpServer) watch() {
	phase := h.conn.Phase()
	if phase == h.phase {
		return
	}
	h.phase = phase
	switch phase {
	case http1.Idle:
		h.n.timers.set(h.timer, h.n.now.Add(idleTimeout))
	case http1.Receiving:
		h.n.timers.set(h.timer, h.n.now.Add(requestTimeout))
	default:
		h.n.timers.stop(h.timer)
	}
}

// handler returns the handler of the host that a request is for, and completes
// Host of a request that names none with the name whose address the station
// has called.
func (h *httpServer) handler(r *http.Request) http.Handler {
	host := hostName(r.Host)
	if host == "" {
		if host = h.n.dns.nameOf(h.transport.local()); host == "" {
			host = h.transport.local().String()
		}
		r.Host = host
	}
	if handler := h.n.cfg.Handlers[host]; handler != nil {
		return handler
	}
	return h.n.site(host)
}

// hostName returns the host of a Host field in lower case, without port, final
// dot and the brackets of an IPv6 address.
func hostName(field string) string {
	host := strings.ToLower(field)
	if rest, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(rest, "]")
	} else if name, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		host = name
	}
	return strings.TrimSuffix(host, ".")
}

// printable replaces what could control a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
