// Package build knows which steps make a firmware: the rootfs and the crates
// as trees, a dependency layer (everything but the user's own crates), the user's
// build scripts, and the application on top of both. It turns a project and its pins into a plan, which
// is data, runs the plan with a cache of results, and can say why a step has to
// run again.
//
// A project and pins come in, the ELF and its digest go out. It never fetches: what
// is missing is an error that names the verb that fetches. How the layers
// stay bit-identical with a build from scratch is told in docs/step.md.
package build
