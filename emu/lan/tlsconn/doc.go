// Package tlsconn is the server's end of a TLS connection as a state machine over
// bytes: ciphertext of a client goes in; ciphertext for the client and the
// plaintext of both directions come out. It also contains the certificate
// authority of the emulated network, whose key is public.
//
// The protocol is crypto/tls, which needs a blocking connection. It runs as a
// coroutine (iter.Pull): it executes only while Receive or EOF waits for it and
// yields where it would block. So there is no parallel goroutine, no clock but
// the caller's and no socket; "net" is imported only for the types of net.Conn.
// The package knows neither the packets that carry the ciphertext nor the
// protocol in the plaintext.
package tlsconn
