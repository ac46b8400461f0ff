// Package deptest holds the module's dependency rules, each with its reason:
// which package may import which, and which may use the operating system, the
// network, the clock, unsafe or other processes. It checks them over the
// sources, for every operating system at once. Only its own test uses it. A rule
// that has become wrong is changed here, in the commit that makes it wrong, with
// the new reason.
package deptest
