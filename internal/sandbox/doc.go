// Package sandbox runs one action.Step on this machine so that it sees nothing
// but its declared inputs: namespaces, overlay mounts of the store's tree
// folders at the places of package layout, no network, no host file, no host
// name, a fixed user, and nothing that outlives it. It needs neither root nor
// a helper program: espalier executes itself again as the runner.
//
// Steps and tree folders come in; exit status, outputs and logs (as store
// digests) go out. Where the machine forbids the sandbox, the error says what
// forbids it and which command lifts it. It does not know what a step means.
// docs/sandbox.md describes what a step sees.
package sandbox
