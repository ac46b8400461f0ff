// Package http1 is the server's end of an HTTP/1.0 or HTTP/1.1 connection (RFC
// 9110, RFC 9112) as a state machine over bytes: what a client sends goes in,
// what the server answers comes out, and complete requests are handed to an
// http.Handler.
//
// net/http supplies the types and the parser of request heads; its server is
// not used because it needs a blocking connection, goroutines and the host's
// clock. Nothing here waits, reads a clock or opens a connection. The package
// does not know what carries the bytes: TCP and TLS look the same.
package http1
