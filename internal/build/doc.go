// Package build plans and runs the steps that make a firmware: the rootfs and
// the crates as trees, a dependency layer (everything but the user's own
// crates), the user's build scripts, and the application on top of both.
// PlanFor makes a plan, which is data, from a project and its pins; Runner runs
// it on an action.Executor with a cache of results, explains why a step has to
// run again (Why), and repeats a build under other conditions (Again).
//
// Input: a project and pins. Output: the ELF and its digest. Nothing is
// downloaded: a missing input is an error that names the command that fetches
// it. How a build with layers stays bit-identical with a clean build is in
// docs/step.md.
package build
