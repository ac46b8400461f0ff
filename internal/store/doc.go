// Package store is content-addressed storage. Blobs are files named by the
// SHA-256 of their content in blobs/sha256, which is at once an OCI image
// layout and an REAPI content-addressable storage; trees are REAPI Directory
// messages (blobs) with an unpacked, sealed directory as a cache; results are
// REAPI ActionResults by action digest; roots list what gc must keep.
//
// Input: bytes and host directories. Output: digests and verified bytes.
// Nothing that is read is trusted: it is hashed again, or compared with a seal,
// and if it does not match it is moved to quarantine and reported as
// ErrCorrupt. The store does not know the origin or meaning of its content, and
// no file is in memory as a whole. docs/store.md describes the format.
package store
