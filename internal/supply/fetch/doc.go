// Package fetch brings files whose SHA-256 is known into the store: many at
// once, from several locations each, resumed, retried, and believed only when
// the digest is right. In come digests, paths and prefixes; out go blobs, each
// reported the moment it is complete so that unpacking overlaps fetching. It
// knows the store and no supplier, and contains no address.
package fetch
