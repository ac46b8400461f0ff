// Package secure is the server's end of TLS as a machine of bytes: ciphertext
// of a client comes in, ciphertext for it and the plaintext inside go out. It
// also holds the authority that signs the certificates of an emulated network,
// whose key is public.
//
// The protocol is crypto/tls, which wants a connection that blocks. It runs as a
// coroutine: it has the processor only while Arrive waits for it, and gives it
// back where it would block. There is no second thread of execution, no clock
// but the caller's and no socket; "net" is imported only for the shape of a
// connection. It knows neither the network's packets nor what is said inside.
package secure
