// Package deptest holds the house's rules about who may know whom and who may
// touch the outside world, each with its reason, and checks them over the
// module's sources, for every operating system at once. Only its own test uses
// it. A rule that has become wrong is changed here, in the commit that makes it
// wrong, with the new reason.
package deptest
