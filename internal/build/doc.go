// Package build knows which steps make a firmware: the rootfs and the crates
// as trees, a dependency layer (everything but the user's own crates), the
// user's build scripts, and the application on both. It makes a plan, which is
// data, of a project and its pins; runs the plan on an action.Executor with a
// cache of results; explains why a step has to run again (Why); and builds
// again under other conditions (Again).
//
// A project and pins come in, the ELF and its digest go out. Nothing is
// fetched: what is missing is an error that names the verb that fetches. How
// the layers stay bit-identical with a build from scratch is in docs/step.md.
package build
