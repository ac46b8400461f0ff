// Package obstacles is the table of what has stopped people from building a
// firmware of this chip again after a pause, with the test that shows for each
// that it cannot happen, or that espalier names cause and cure. docs/obstacles.md
// is generated from it: go test ./internal/obstacles -update.
package obstacles

// Obstacle is one entry. Proofs are tests, "PACKAGE TEST" or
// "PACKAGE TEST/SUBTEST"; a script is the subtest of the test that runs it.
type Obstacle struct {
	Number int
	Title  string // what happened
	Answer string // why it does not happen, or what espalier says
	Proofs []string
}

const (
	explained = "internal/explain TestObstacle/"
	projects  = "internal/cli TestProjects/"
)

const (
	environment = projects + "obstacle-15-16-17-28-30-31-41-environment"
	library     = projects + "obstacle-05-08-09-11-12-14-standard-library"
	files       = projects + "obstacle-04-06-files"
	tests       = projects + "obstacle-20-21-22-tests"
	cLinker     = projects + "obstacle-28-29-34-c-compiler-as-linker"
	archived    = "internal/cli TestToolchain/obstacle-01-02-archive"
	gitCrate    = projects + "obstacle-03-07-38-39-git-crate"
	noNetwork   = projects + "obstacle-24-40-no-network"
	atomics     = projects + "obstacle-32-33-atomics"
	adopted     = "internal/adopt TestProjects/obstacle-12-http-client"
)

// Table is sorted by number.
var Table = []Obstacle{
	{1, "an old project does not compile after a pause: its tools have moved", "an archive makes the same bytes elsewhere", []string{archived}},
	{2, "a nightly compiler is deleted from its server", "an archive has the compiler's files", []string{archived}},
	{3, "a git dependency without a rev follows its branch", "the lock has the commit", []string{gitCrate}},
	{4, "a file that git does not track is missing in the build", "files on disk are the input; untracked ones are named", []string{files, explained + "04-nix-untracked"}},
	{5, "a vendoring scheme has to be chosen", "there is one scheme, without a setting", []string{library, explained + "05-nix-cargo-hash"}},
	{6, "Cargo.lock is missing, or git ignores it", "lock makes it with the pinned cargo, and says so", []string{files}},
	{7, "a git crate has no hash", "lock computes it from the content of the commit", []string{gitCrate, explained + "07-nix-git-hash"}},
	{8, "hashes are found by failing builds with a fake one", "lock trusts once and shows what it has pinned", []string{library, explained + "08-nix-hash-mismatch"}},
	{9, "build-std without the library's sources", "build-std in the configuration implies the sources", []string{library, explained + "09-rust-src-missing"}},
	{10, "another compiler runs than the project asks for", "the channel is compared with the lock", []string{projects + "obstacle-10-toolchains", explained + "10-rust-src-missing"}},
	{11, "crates of the library's own Cargo.lock are not vendored", "both Cargo.locks are pinned", []string{library, explained + "11-std-crates-not-vendored"}},
	{12, "development dependencies repeat the library's crates, in exact versions", "new --from finds and deletes them", []string{library, adopted, explained + "12-version-locked-away"}},
	{13, "a version that the library needs is yanked", "the lock's version is fetched, a resolver is not asked", []string{"internal/cli TestObstacle13Yanked", explained + "13-yanked"}},
	{14, "the compiler is changed to avoid a yanked crate, and all work is repeated", "see 12", []string{library}},
	{15, "the project is compiled for the host", "the configuration's target decides, whatever the environment says", []string{environment, explained + "15-host-triple"}},
	{16, "rustflags are lost, and with them atomics", "flags of the environment do not replace those of the configuration", []string{environment, explained + "16-no-atomics"}},
	{17, "which of several platforms and compilers is the cross compiler", "there is a target and nothing else to set", []string{environment}},
	{18, "a variable for env! is missing", "lock names all of them with file and line", []string{projects + "obstacle-18-credentials", explained + "18-missing-env"}},
	{19, "secrets are in a store that everyone can read", "a build with a secret is neither stored nor shared", []string{"internal/cli TestObstacle19SecretStaysPrivate"}},
	{20, "two cores, because tests are compiled for the chip", "a build has no test phase", []string{tests, explained + "20-duplicate-lang-item"}},
	{21, "no std for the chip, because tests are compiled for it", "as 20", []string{tests, explained + "21-no-std-for-target"}},
	{22, "tests have to be switched off first", "as 20", []string{tests}},
	{23, "the flasher wants the path of the firmware", "flash knows it", []string{projects + "obstacle-23-flash", explained + "23-artifact-path"}},
	{24, "a pinned tool asks the network for a newer version of itself", "nothing in a build has a network", []string{noNetwork}},
	{25, "the bootloader is that of the flasher's version", "the lock has its digest", []string{"internal/cli TestObstacle25Bootloader"}},
	{26, "the lock moves while a failing build is repeated", "build never changes a lock", []string{projects + "obstacle-26-updates"}},
	{27, "it is reproducible on one architecture only", "the lock lists toolchains by host", []string{projects + "obstacle-27-hosts"}},
	{28, "a C compiler is the linker", "variables of the environment do not choose the linker", []string{environment, cLinker, explained + "28-linker-flavour"}},
	{29, "the host's linker is used", "espalier names the setting", []string{cLinker, explained + "29-host-linker"}},
	{30, "link arguments of the configuration are lost", "as 16", []string{environment, explained + "30-no-linkall"}},
	{31, "rules of a packager do not recognise the chip", "as 17", []string{environment}},
	{32, "a newer compiler has no atomics for the chip", "espalier names cause and cure", []string{atomics, explained + "32-no-atomics"}},
	{33, "two ways of atomics exclude each other", "espalier names both", []string{atomics, explained + "33-portable-atomic-twice"}},
	{34, "kilobytes of a linker's command line, and the cause at the end", "the last lines are the error and a rule's name", []string{cLinker, "internal/explain TestObstacle34Telling"}},
	{35, "the log is cut", "all output of a step is in the store", []string{"internal/sandbox TestObstacle35LogsAreStored"}},
	{36, "an example has rotted", "templates are locked, built and booted by tests", []string{"internal/cli TestObstacle36TemplatesBoot"}},
	{37, "forks of dependencies are kept by hand", "an archive has every crate and commit", []string{projects + "obstacle-37-forks"}},
	{38, "a git crate cannot be checked out without a network", "git crates are given to cargo as directories", []string{gitCrate, explained + "38-offline-git"}},
	{39, "a git crate does not find its workspace", "the tree of the whole commit is there", []string{gitCrate, explained + "39-no-workspace-root"}},
	{40, "rustc does not start", "a step has the devices that it needs", []string{noNetwork, explained + "40-rustc-does-not-start"}},
	{41, "cargo finds no home directory", "a step has its own", []string{environment, explained + "41-no-home"}},
	{42, "namespaces are used up", "espalier names the setting", []string{projects + "obstacle-42-namespaces", explained + "42-user-namespaces"}},
	{43, "the application descriptor is dated 1970", "it is the lock's; update names crates without one", []string{"internal/cli TestObstacle43DescriptorDate", "internal/updating TestObstacle43DescriptorDate"}},
}
