// Package cluster runs a real cluster of the Remote Execution API on loopback:
// BuildGrid with PostgreSQL as the scheduler, bazel-remote as the storage, and
// BuildBox as the worker, none of which knows espalier. Only tests import it.
package cluster
