// Package remote shares results of steps through a cache: a server of the
// Remote Execution API, or one with the HTTP protocol of such caches. Actions
// and results of the store go out, results with verified content come in.
// Cluster runs steps on the workers of such a server.
//
// A cache is optional. A server that cannot be reached, is slow or sends
// something wrong costs one warning and is not asked again; the step then runs
// as it does without a cache. Content is verified by its digest and a tree by
// the digests of all that is in it, so only the statement that an action has a
// result is the server's.
//
// It does not depend on how steps are made or on the sandbox in which they run.
package remote
