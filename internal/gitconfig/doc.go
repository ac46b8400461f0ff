// Package gitconfig is the part of the user's git configuration that concerns
// fetching: addresses that are replaced (url.<base>.insteadOf), settings of
// HTTP connections (http.*), and credential helpers.
//
// Read takes the environment, the home directory and the git directory of the
// project and returns a Config, whose methods take an address. The files are those that git reads for every repository (git-config(1),
// "FILES"): system, then global, then GIT_CONFIG_COUNT and
// GIT_CONFIG_PARAMETERS, with include.path and includeIf. A repository's own
// configuration does not count: a lock is for all clones. The package starts
// no process and makes no connection.
package gitconfig
