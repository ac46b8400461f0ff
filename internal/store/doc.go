// Package store is where bytes live. Blobs are files named by the SHA-256 of
// their content in blobs/sha256, which is at once an OCI image layout and an
// REAPI content-addressable storage; trees are REAPI Directory messages
// (blobs) with an unpacked, sealed folder as a cache; results are REAPI
// ActionResults by action digest; roots say what gc must keep.
//
// Bytes and host folders come in, digests and verified bytes go out. Nothing
// that is read is trusted: it is hashed again, or compared with a seal, and
// what does not match is moved to quarantine and reported as ErrCorrupt. The
// store knows neither where bytes come from nor what they mean, and it never
// holds a file in memory as a whole. docs/store.md describes the format.
package store
