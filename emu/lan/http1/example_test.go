package http1_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"espalier.dev/espalier/emu/lan/http1"
)

// A request comes in two pieces, and is answered when it is complete.
func Example() {
	c := http1.New(http1.Config{
		RemoteAddr: "192.168.71.100:50000",
		Date:       func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		Handler: func(*http.Request) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s from %s\n", r.URL.Path, r.Host) })
		},
		Dispatch:   func(serve func()) { serve() },
		Send:       func(b []byte) int { fmt.Print(strings.ReplaceAll(string(b), "\r\n", "\n")); return 0 },
		CloseWrite: func() { fmt.Println("end") },
		Abort:      func() { fmt.Println("reset") },
	})
	c.Receive([]byte("GET /time HTTP/1.0\r\nHost: espal"))
	fmt.Println("half a request")
	c.Receive([]byte("ier.lan\r\n\r\n"))
	// Output:
	// half a request
	// HTTP/1.0 200 OK
	// Connection: close
	// Content-Length: 24
	// Content-Type: text/plain; charset=utf-8
	// Date: Thu, 01 Jan 2026 00:00:00 GMT
	// Server: espalier
	//
	// /time from espalier.lan
	// end
}
