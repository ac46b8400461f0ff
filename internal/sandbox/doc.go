// Package sandbox runs one action.Step on this machine so that it can access
// nothing but its declared inputs: namespaces, overlay mounts of the store's
// tree directories at the paths of package layout, no network, no host file, no
// host name, a fixed user, and no process that outlives it. It needs neither
// root nor a helper program: espalier executes itself again as the runner.
//
// Input: steps and tree directories. Output: exit status, outputs and logs (as
// store digests). Where the machine forbids the sandbox, the error names the
// cause and the command that removes it. The package does not depend on the
// meaning of a step. docs/sandbox.md describes the environment of a step.
package sandbox
