package explain

const (
	target = "riscv32imc-unknown-none-elf"
	shell  = "espalier lock && espalier build   # no variable of this shell reaches the build"
)

// compilerRules are about messages of rustc, by code and item.
func compilerRules() []Rule {
	return []Rule{
		{
			Name: "host-triple", Title: "compiled for this machine, not for the chip",
			Cause:  "Section names such as .trap.rodata are ELF's; on macOS the compiler for the host refuses them. The target of .cargo/config.toml was not applied: another directory, --target, CARGO_BUILD_TARGET or the packager's own target replaced it.",
			Cure:   []string{`[build] target = "` + target + `" in .cargo/config.toml of the package`, shell},
			Source: "reproducible builds: obstacle 15", Facts: one("invalid section specifier * mach-o section specifier requires a segment and section"), Rank: 5,
		},
		{
			Name: "esp-hal-host-triple", Title: "esp-hal was compiled for a target that is not the chip's",
			Cause:  "esp-hal's build script compares TARGET with the chip's feature. The build runs for the host, or for another chip.",
			Cure:   []string{`[build] target = "` + target + `" in .cargo/config.toml`, "the feature esp32c3 on every esp-* crate"},
			Source: "esp-hal's build script", Facts: one("Seems you are building for an unsupported or wrong target", "is not supported with the target", "Expected the target to be riscv32imc"), Rank: 5,
		},
		{
			Name: "no-atomics", Title: "the target has no atomic instructions, and the crate needs them",
			Cause:  "The ESP32-C3 has no A extension: what core::sync::atomic has for it changed from compiler to compiler. Older projects set +a and cfg target_has_atomic by rustflags and let a trap handler emulate the instructions; those flags were lost, or a newer compiler ignores them.",
			Cure:   []string{"update the crate: current versions use portable-atomic", `a portable-atomic with the feature "unsafe-assume-single-core"`, "or keep the old compiler in rust-toolchain.toml together with the old flags"},
			Source: "reproducible builds: obstacles 16 and 32", Rank: 4,
			Facts: one("no `AtomicUsize` in `sync::atomic`", "no `AtomicPtr` in `sync::atomic`", "no `AtomicBool` in `sync::atomic`", "no `AtomicU32` in `sync::atomic`", "no `AtomicU8` in `sync::atomic`", "unresolved import `core::sync::atomic::Atomic", "unresolved import `std::sync::atomic::Atomic"),
		},
		{
			Name: "no-compare-exchange", Title: "a crate needs atomic read-modify-write, which the target has not",
			Cause:  "riscv32imc has atomic loads and stores, but no compare-and-swap.",
			Cure:   []string{"the crate's feature for portable-atomic, if it has one", `portable-atomic = { version = "1", features = ["unsafe-assume-single-core"] } or its feature "critical-section" in the program`},
			Source: "zesterer/spin-rs#138, rust-embedded/heapless#123", Rank: 3,
			Facts: one("error[E0599]: no method named `compare_exchange* found for * `*Atomic", "error[E0599]: no method named `compare_and_swap` found for * `*Atomic", "error[E0599]: no method named `fetch_* found for * `*Atomic", "error[E0599]: no method named `swap` found for struct `Atomic", "error[E0599]: no method named `swap` found for * `&Atomic<", "portable_atomic::diagnostic_helper::HasCompareExchange` is not implemented"),
		},
		{
			Name: "portable-atomic-twice", Title: "two ways of atomics exclude each other",
			Cause:  "portable-atomic was told to assume a single core (a cfg or a feature), and the rustflags say that the target has atomics (+a, target_has_atomic): with atomics of its own the target needs no such assumption, and portable-atomic refuses it.",
			Cure:   []string{"remove +a and every --cfg target_has_atomic… from rustflags in .cargo/config.toml", "or remove --cfg portable_atomic_unsafe_assume_single_core and the feature unsafe-assume-single-core"},
			Source: "reproducible builds: obstacle 33; taiki-e/portable-atomic#134", Facts: one("portable_atomic_unsafe_assume_single_core) does not compatible with this target", "portable_atomic_unsafe_assume_single_core) is not compatible with this target", "`unsafe-assume-single-core` * is not compatible with target that supports atomic CAS"), Rank: 6,
		},
		{
			Name: "single-core-for-the-host", Title: "the program's dependencies are compiled for this computer, and one is for chips with one core only",
			Cause:  "portable-atomic has the feature unsafe-assume-single-core, which it refuses for other architectures: the target of .cargo/config.toml does not apply (cargo was started outside of the project, or with another --target), cargo test compiles for the host, or resolver = \"1\" gives the feature to a build script's dependency, too.",
			Cure:   []string{"start cargo in the project's directory, or use espalier build", `resolver = "2" in the workspace's Cargo.toml`, "cargo test --lib --target x86_64-unknown-linux-gnu without the crates of the chip, or espalier test"},
			Source: "portable-atomic 1.15.0, src/lib.rs, Reject unsupported architectures", Facts: one("unsafe-assume-single-core` feature) is not supported yet on this architecture"), Rank: 6,
		},
		{
			Name: "cfg-target-has-atomic", Title: "the compiler does not accept cfgs that only it may set",
			Cause:  "--cfg target_has_atomic… in rustflags was a way to make old crates compile. Newer compilers refuse cfgs that they set themselves.",
			Cure:   []string{"remove the --cfg target_has_atomic… flags and +a from .cargo/config.toml and update the crates", "or pin the compiler that the project was written with"},
			Source: "rustc lint explicit_builtin_cfgs_in_flags", Facts: one("unexpected `--cfg target_has_atomic", "config `target_has_atomic"), Rank: 6,
		},
		{
			Name: "missing-env", Title: "a variable that the program reads at compile time is not set",
			Cause:  "env!() takes its value when the program is compiled. The build sees declared variables only.",
			Cure:   []string{"[build.env] in espalier.toml: NAME = \"value\", { from-env = true } or { secret = true }", "or [env] in .cargo/config.toml"},
			Source: "reproducible builds: obstacle 18", Facts: one("environment variable `*` not defined at compile time"), Rank: 4,
		},
		{
			Name: "duplicate-lang-item", Title: "core was compiled twice into one program",
			Cause:  "With build-std, tests or build scripts for the host meet a second core: cargo test was run for the chip's target, or a packager runs tests by default.",
			Cure:   []string{"no cargo test for the chip's target: doCheck = false in Nix", "espalier test   # tests run on the emulated chip"},
			Source: "reproducible builds: obstacle 20", Facts: one("error[E0152]: duplicate lang item in crate `core`", "error[E0152]: found duplicate lang item"), Rank: 3,
		},
		{
			Name: "no-std-for-target", Title: "a crate wants std, which the target has not",
			Cause:  "The chip's target has core and alloc only. A dependency was compiled with its feature std: a default feature, a feature that another dependency switches on, or tests.",
			Cure:   []string{"default-features = false on the crate that is named", "cargo tree -e features -i CRATE   # who switches std on"},
			Source: "reproducible builds: obstacle 21", Facts: one("error[E0463]: can't find crate for `std`"), Not: []string{"target may not be installed", "consider downloading the target with `rustup target add"}, Rank: 2,
		},
		{
			Name: "no-panic-abort", Title: "the panic strategy of the target has no crate",
			Cause:  "The target aborts on a panic, and std is compiled from source (build-std) without panic_abort, or a list on the command line replaces that of .cargo/config.toml.",
			Cure:   []string{`build-std = ["std", "panic_abort"] under [unstable] in .cargo/config.toml`, "no -Zbuild-std on the command line: it replaces the list"},
			Source: "ivmarkov/rust-esp32-std-demo#33, japaric/cargo-call-stack#87", Facts: one("error[E0463]: can't find crate for `panic_abort`"), Rank: 3,
		},
		{
			Name: "target-not-installed", Title: "the compiler has no core for the target",
			Cause:  "rustup installs libraries of the host only.",
			Cure:   []string{"rustup target add " + target, `targets = ["` + target + `"] in rust-toolchain.toml`, "espalier lock   # takes what the project needs"},
			Source: "rustc E0463", Facts: [][]string{{"error[E0463]: can't find crate for `core`", "error[E0463]: can't find crate for `std`"}, {"target may not be installed", "consider downloading the target with `rustup target add"}}, Rank: 3,
		},
		{
			Name: "rustc-too-old", Title: "a crate needs a newer compiler",
			Cause:  "The crate's rust-version is above the pinned compiler.",
			Cure:   []string{"channel in rust-toolchain.toml", "cargo update -p CRATE --precise VERSION   # an older version of the crate", "espalier lock"},
			Source: "cargo, resolver and rust-version", Facts: one("cannot be built because it requires rustc * or newer", "requires rustc * while the currently active rustc version is", "rustc * is not supported by the following package"), Rank: 4,
		},
		{
			Name: "edition-2024", Title: "a manifest needs a newer cargo",
			Cause:  "Edition 2024 is known to cargo 1.85 and later. Registry crates move to it in patch releases.",
			Cure:   []string{"a toolchain of 1.85 or later", "an older version of the crate, exactly (=) in Cargo.toml, and its Cargo.lock committed"},
			Source: "cargo 1.85 release notes", Facts: one("feature `edition2024` is required"), Rank: 4,
		},
		{
			Name: "nightly-feature", Title: "a crate uses a feature of the nightly compiler",
			Cause:  "#![feature] and -Z are refused by a stable compiler.",
			Cure:   []string{"the dated nightly of the project in rust-toolchain.toml", "a newer version of the crate, which does without"},
			Source: "rustc E0554", Facts: one("error[E0554]: `#![feature]` may not be used on the stable release channel", "error[E0554]: `#![feature]` may not be used on the nightly", "the `-Z` flag is only accepted on the nightly channel", "the option `Z` is only accepted on the nightly compiler"), Rank: 3,
		},
		{
			Name: "unstable-feature-of-esp-hal", Title: "the part of esp-hal is behind its feature unstable",
			Cause:  "Since esp-hal 1.0 only some drivers are stable; the others, and other esp-* crates, need the feature \"unstable\".",
			Cure:   []string{`esp-hal = { version = "…", features = ["esp32c3", "unstable"] }`, "a program sets it, a library does not"},
			Source: "esp-hal 1.0 migration guide", Facts: all("could not find `", "in `esp_hal`"), Not: []string{"could not find `prelude` in `esp_hal`"}, Rank: 1,
		},
		{
			Name: "two-esp-hals", Title: "two versions of one crate in the program",
			Cause:  "Types of two versions of a crate are different types. Crates of the esp-* family fit together in certain versions only.",
			Cure:   []string{"cargo tree -d   # which crates are there twice", "move esp-hal, esp-radio, esp-rtos, esp-alloc and esp-bootloader-esp-idf together"},
			Source: "cargo reference, duplicated dependencies", Facts: one("there are multiple different versions of crate `esp", "two different versions of crate `esp", "perhaps two different versions of crate `esp", "there are multiple different versions of crate `embassy", "perhaps two different versions of crate `embassy"), Rank: 4,
		},
		{
			Name: "two-chips", Title: "a crate was built for no chip, or for two",
			Cause:  "Every esp-* crate wants exactly one chip feature.",
			Cure:   []string{`features = ["esp32c3"] on every esp-* crate, and no other chip`},
			Source: "esp-hal's build script", Facts: one("Exactly 1 of the following Cargo features must be enabled: esp32", "Expected exactly one of the following features to be enabled: esp32", "Exactly 1 of the following features must be enabled: esp32", "Exactly one of the following features must be enabled: esp32"), Rank: 5,
		},
		{
			Name: "no-panic-handler", Title: "no crate says what a panic does",
			Cause:  "A program without std needs one #[panic_handler].",
			Cure:   []string{"esp-backtrace with the features esp32c3, panic-handler and println, and use esp_backtrace as _;"},
			Source: "rustc, error of a missing panic_handler", Facts: one("`#[panic_handler]` function required, but not found"), Rank: 2,
		},
		{
			Name: "no-global-allocator", Title: "alloc is used, and no allocator is there",
			Cause:  "Without std a program chooses its heap.",
			Cure:   []string{"esp_alloc::heap_allocator!(size: 64 * 1024); before the first allocation"},
			Source: "rustc, error of a missing global allocator", Facts: one("no global memory allocator found but one is required"), Rank: 2,
		},
		{
			Name: "unwinding-panic", Title: "a profile unwinds, the target cannot",
			Cause:  "core for the chip was compiled to abort.",
			Cure:   []string{`panic = "abort" in [profile.dev] and [profile.release]`},
			Source: "rustc, lang item eh_personality", Facts: one("language item required, but not found: `eh_personality`", "unwinding panics are not supported without std"), Rank: 2,
		},
	}
}

// cargoRules are about messages of cargo and rustup.
func cargoRules() []Rule {
	return []Rule{
		{
			Name: "rust-src-missing", Title: "build-std without the sources of the standard library",
			Cause:  "The compiler that runs has no component rust-src: often another compiler than the project asks for.",
			Cure:   []string{`components = ["rust-src"] in rust-toolchain.toml`, "rustc -vV   # is it the version that the project asks for?"},
			Source: "reproducible builds: obstacles 9 and 10", Facts: one("Cargo.lock\" does not exist, unable to build with the standard library"), Rank: 4,
		},
		{
			Name: "std-crates-not-vendored", Title: "crates of the standard library were not vendored",
			Cause:  "build-std has a Cargo.lock of its own in rust-src. A vendoring step that reads the project's lock alone leaves its crates out.",
			Cure:   []string{"vendor the crates of library/Cargo.lock of rust-src too", "espalier lock   # pins both locks"},
			Source: "reproducible builds: obstacle 11", Facts: one("no matching package named `addr2line` found", "no matching package named `compiler_builtins` found", "no matching package named `hashbrown` found"), Rank: 3,
		},
		{
			Name: "version-locked-away", Title: "a locked version does not fit the manifest",
			Cause:  "Cargo.toml was changed without its lock, or the exact versions of fake dev-dependencies do not match those of the standard library.",
			Cure:   []string{"cargo update -p CRATE", "remove dev-dependencies that are only there for std's lock", "espalier lock"},
			Source: "reproducible builds: obstacle 12", Facts: one("failed to select a version for the requirement `*` (locked to "), Rank: 2,
		},
		{
			Name: "yanked", Title: "no version of the crate is left that fits",
			Cause:  "The version was yanked or removed, or the offline copy of the registry has others only. A yanked version can be used by a lock that has it already.",
			Cure:   []string{"restore the Cargo.lock that had the version", "espalier lock   # fetches versions of std's lock by checksum and asks no resolver"},
			Source: "reproducible builds: obstacle 13", Facts: [][]string{{"failed to select a version for the requirement `* = \"="}, {"candidate versions found which didn't match", "is yanked", "perhaps a crate was updated and forgotten to be re-vendored"}}, Rank: 3,
		},
		{
			Name: "lock-needs-update", Title: "Cargo.lock does not match Cargo.toml",
			Cause:  "--locked or --frozen forbids to write the lock.",
			Cure:   []string{"cargo update --workspace   # then commit Cargo.lock", "espalier lock"},
			Source: "cargo, --locked", Facts: one("needs to be updated but --locked was passed", "cannot update the lock file * because --locked was passed", "needs to be updated but --frozen was passed"), Rank: 2,
		},
		{
			Name: "lock-version", Title: "Cargo.lock is of a newer cargo",
			Cause:  "Cargo.lock version 4 is written since cargo 1.83 and known since 1.78.",
			Cure:   []string{"a newer toolchain", "or version = 3 in Cargo.lock"},
			Source: "cargo changelog 1.78, 1.83", Facts: one("lock file version `4` was found, but this version of Cargo does not understand", "lock file version 4 requires `-Znext-lockfile-bump`"), Rank: 4,
		},
		{
			Name: "offline-git", Title: "a git dependency is not in the cache, and there is no network",
			Cause:  "cargo keeps git databases in CARGO_HOME; a fresh one is empty.",
			Cure:   []string{"cargo fetch with a network first", "espalier fetch"},
			Source: "reproducible builds: obstacle 38", Facts: one("can't checkout from * you are in the offline mode", "attempting to make an HTTP request, but --offline was specified"), Rank: 3,
		},
		{
			Name: "git-auth", Title: "a git repository wants a login",
			Cause:  "The repository is private, or its address is wrong: servers answer both alike.",
			Cure:   []string{"git ls-remote ADDRESS   # does git itself reach it?", "[net] git-fetch-with-cli = true in .cargo/config.toml, for cargo"},
			Source: "cargo, authentication with git", Facts: one("failed to authenticate when downloading repository"), Rank: 3,
		},
		{
			Name: "no-workspace-root", Title: "a member does not find its workspace",
			Cause:  "The files of a git crate were copied without the workspace above them: inheritance (version.workspace = true) needs it.",
			Cure:   []string{"take the whole tree of the commit", "espalier lock   # does"},
			Source: "reproducible builds: obstacle 39", Facts: one("failed to find a workspace root"), Rank: 2,
		},
		{
			Name: "rustc-does-not-start", Title: "cargo could not start rustc",
			Cause:  "rustc is not in PATH, or the environment lacks /dev/null or a library that it loads.",
			Cure:   []string{"rustc -vV   # in the same environment", "ls -l /dev/null"},
			Source: "reproducible builds: obstacle 40", Facts: one("could not execute process `rustc -vV`", "could not execute process `rustc - --crate-name"), Rank: 2,
		},
		{
			Name: "no-home", Title: "cargo has no home directory",
			Cause:  "HOME and CARGO_HOME are not set.",
			Cure:   []string{"export CARGO_HOME=$PWD/.cargo-home"},
			Source: "reproducible builds: obstacle 41", Facts: one("Cargo couldn't find your home directory"), Rank: 2,
		},
		{
			Name: "toolchain-not-installed", Title: "rustup has not the toolchain that the project names",
			Cause:  "rust-toolchain.toml names it, and rustup may not install by itself, or the date has no such toolchain.",
			Cure:   []string{"rustup toolchain install NAME", "espalier lock   # needs no rustup"},
			Source: "rustup book, overrides", Facts: one("error: toolchain '*' is not installed", "error: override toolchain '*' is not installed", "error: could not download nonexistent rust version", "error: no release found for 'nightly-"), Rank: 3,
		},
		{
			Name: "esp-toolchain", Title: "the project wants Espressif's fork of the compiler",
			Cause:  "channel = \"esp\" is for Xtensa chips. The ESP32-C3 is RISC-V and needs the ordinary compiler.",
			Cure:   []string{`channel = "stable" and targets = ["` + target + `"] in rust-toolchain.toml`},
			Source: "esp-rs book, toolchains", Facts: one("toolchain 'esp' is not installed", "toolchain 'esp' is not installable", "custom toolchain 'esp' specified in override file"), Rank: 5,
		},
		{
			Name: "network", Title: "a download failed",
			Cause:  "No network, a proxy, or a server that does not answer.",
			Cure:   []string{"the same address with another program", "espalier fetch   # resumes; with --offline a build needs only what is there"},
			Source: "cargo, curl's errors", Facts: one("Could not resolve host", "[6] Couldn't resolve host", "[7] Couldn't connect to server", "[28] Timeout was reached", "download of config.json failed"), Rank: 0,
		},
		{
			Name: "links-twice", Title: "two crates link the same native library",
			Cause:  "Only one crate of a program may have a links key; two versions of one -sys crate are there.",
			Cure:   []string{"cargo tree -i CRATE   # who wants which version", "move the crates to versions that agree"},
			Source: "cargo reference, links", Facts: one("but it conflicts with a previous package which links to `*` as well", "Only one package in the dependency graph may specify the same links value"), Rank: 3,
		},
		{
			Name: "esp-crates-do-not-fit", Title: "crates of the esp-* family want different versions of one crate",
			Cause:  "Each of them fits certain versions of esp-hal only, often exactly one, and esp-hal may be in a program once. One crate was updated and the others were not, or one has no version yet that fits.",
			Cure:   []string{"move all of them to the versions of one release; espalier new shows a set that fits", "cargo info CRATE   # which esp-hal a version wants"},
			Source: "AdinAck/cargo-embassy#37, esp-rs/mbedtls-rs#67, esp-rs/mbedtls-rs#83, esp-rs/esp-hal#1259", Facts: one("failed to select a version for `esp-", "failed to select a version for `esp32", "failed to select a version for `xtensa-lx", "failed to select a version for `riscv-rt"), Rank: 4,
		},
		{
			Name: "versions-conflict", Title: "two crates want versions of a third that exclude each other",
			Cause:  "Exact requirements (=1.0.0-rc.2) and different major versions of a crate that may be there once cannot be met together.",
			Cure:   []string{"a newer or older version of one of the two; cargo names both with \"required by\"", "pre-releases are exact: leave them together"},
			Source: "VersBinarii/bme280-rs#37, dephy-io/dephy-esp32c3-rust-boilerplate#3", Facts: one("all possible versions conflict with previously selected packages"), Rank: 2,
		},
		{
			Name: "no-such-feature", Title: "a crate has no feature of this name",
			Cause:  "Features were renamed or removed in a newer version.",
			Cure:   []string{"the features of the locked version: cargo info CRATE@VERSION"},
			Source: "cargo, resolver; esp-rs/esp-hal#5569", Facts: one("depends on `*` with feature `*` but `*` does not have that feature", "depends on `*`, with features: `*` but `*` does not have these features", "does not contain this feature:"), Rank: 3,
		},
	}
}

// linkerRules are about what linkers say.
func linkerRules() []Rule {
	return []Rule{
		{
			Name: "linker-flavour", Title: "the linker is a C compiler, the arguments are for lld",
			Cause:  "The target links with rust-lld. Something set another linker: CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER (nixpkgs does since 2024), linker in .cargo/config.toml, or -C linker.",
			Cure:   []string{"unset CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER", `linker = "rust-lld" in [target.` + target + `]`, shell},
			Source: "reproducible builds: obstacle 28", Rank: 6,
			Facts: one("unrecognized command-line option '-flavor'", "unrecognized command-line option '--as-needed'", "unrecognized command-line option '--gc-sections'", "unrecognized command line option '-flavor'", "unknown argument: '-flavor'", "unrecognized command-line option ‘-flavor’", "unrecognized option '-flavor'"),
		},
		{
			Name: "host-linker", Title: "the host's linker was used",
			Cause:  "A linker setting names the host's C compiler or its ld, gold or bfd. These link programs for the host (-lgcc_s is theirs) and do not know object files for RISC-V, whose machine number is 243.",
			Cure:   []string{"remove the linker setting", `linker = "rust-lld" in [target.` + target + `]`, shell},
			Source: "reproducible builds: obstacle 29", Facts: one("cannot find -lgcc_s", "unable to find library -lgcc_s", "relocations in generic ELF (EM: 243)"), Rank: 5,
		},
		{
			Name: "no-linkall", Title: "the linker script is missing",
			Cause:  "Without -Tlinkall.x nothing says where code and data go, and the symbols that the script defines are not there: the link arguments of .cargo/config.toml or of the build script were not applied (RUSTFLAGS replaces them), or the build ran in another directory.",
			Cure:   []string{`println!("cargo:rustc-link-arg=-Tlinkall.x") in build.rs, or "-C", "link-arg=-Tlinkall.x" in .cargo/config.toml`, "unset RUSTFLAGS"},
			Source: "reproducible builds: obstacle 30; esp-generate", Rank: 4,
			Facts: one("undefined symbol: _stack_start", "undefined symbol: _sdata", "undefined symbol: _bss_start", "undefined symbol: _rwtext_start", "undefined symbol: _init_start", "undefined symbol: __sdata", "undefined symbol: _dram_data_start", "undefined symbol: __sbss"),
		},
		{
			Name: "linker-script-too-old", Title: "the linker does not understand a linker script of the HAL",
			Cause:  "The script was written for an earlier lld, which accepted more: (*(.trap)) in parentheses, for example. The compiler has moved and the HAL has not.",
			Cure:   []string{"espalier update esp-hal --edit   # a HAL of the compiler's time", "or name the compiler of the project's time in rust-toolchain.toml"},
			Source: "esp-rs/esp-hal#148", Facts: one("link.x:*: expected filename pattern", ".x:*: unexpected token: ", ".x:*: unknown directive: "), Rank: 5,
		},
		{
			Name: "linker-script-not-found", Title: "the linker does not find a script",
			Cause:  "linkall.x and rom_functions.x come from the build scripts of esp-hal and esp-wifi; a script is named that no crate of this program brings, or was renamed in a newer version.",
			Cure:   []string{"remove the -T of a script that the locked crates do not have", "the migration guide of the crate"},
			Source: "esp-hal migration guides", Facts: one("cannot find linker script linkall.x", "cannot find linker script rom_functions.x", "cannot find linker script defmt.x", "cannot find linker script embedded-test.x", "cannot open linker script file linkall.x", "cannot find linker script link.x"), Rank: 5,
		},
		{
			Name: "no-rom-functions", Title: "functions of the mask ROM have no address",
			Cause:  "Addresses of ROM functions are in a linker script. Older esp-wifi wants -Trom_functions.x; newer esp-hal brings them with linkall.x.",
			Cure:   []string{"-Trom_functions.x beside -Tlinkall.x, with esp-wifi before 0.12", "esp-hal and esp-wifi or esp-radio of versions that fit together"},
			Source: "esp-rs/esp-hal#2454, esp-rs/esp-hal#367", Facts: one("undefined symbol: ets_", "undefined symbol: esp_rom_", "undefined symbol: rom_", "undefined symbol: uart_tx_one_char", "undefined symbol: Cache_Suspend_ICache", "undefined symbol: phy_get_romfuncs"), Rank: 3,
		},
		{
			Name: "no-critical-section", Title: "no critical section is implemented",
			Cause:  "A crate uses critical-section, and none of the program implements it for the chip.",
			Cure:   []string{"esp-hal in the program, or its feature for critical sections", `for tests on the host: critical-section = { version = "1", features = ["std"] }`},
			Source: "rp-rs/rp-hal#657; critical-section's documentation", Facts: one("undefined symbol: _critical_section_1_0_acquire", "undefined reference to `_critical_section_1_0_acquire'"), Rank: 4,
		},
		{
			Name: "no-defmt-script", Title: "defmt's linker script is not used",
			Cause:  "A crate logs with defmt, whose linker script defines the symbol and the section of the log's strings.",
			Cure:   []string{`println!("cargo:rustc-link-arg=-Tdefmt.x") in build.rs`, `or "-C", "link-arg=-Tdefmt.x" in rustflags`},
			Source: "embassy-rs/embassy#2772; defmt book, setup", Facts: one("undefined symbol: _defmt_panic", "load address range overlaps with .defmt"), Rank: 5,
		},
		{
			Name: "no-logger-for-defmt", Title: "defmt has no transport",
			Cause:  "A crate logs with defmt, and the program links no global logger, or not defmt's linker script.",
			Cure:   []string{"esp-println with the feature defmt-espflash, and use esp_println as _;", "-Tdefmt.x before -Tlinkall.x"},
			Source: "defmt book, setup", Facts: one("undefined symbol: _defmt_acquire", "undefined symbol: _defmt_write", "undefined symbol: _defmt_timestamp", "undefined symbol: __DEFMT_MARKER"), Rank: 4,
		},
		{
			Name: "no-time-driver", Title: "embassy-time has no driver",
			Cause:  "The clock behind Timer::after is implemented by the runtime: esp-rtos or, before it, esp-hal-embassy.",
			Cure:   []string{"esp-rtos with the feature embassy (esp-hal 1.0 and later), or esp-hal-embassy before"},
			Source: "embassy-time-driver's documentation", Facts: one("undefined symbol: _embassy_time_now", "undefined symbol: _embassy_time_schedule_wake"), Rank: 4,
		},
		{
			Name: "no-scheduler", Title: "the radio has no scheduler",
			Cause:  "esp-radio needs tasks, which esp-rtos implements.",
			Cure:   []string{"esp-rtos with the feature esp-radio, started before the radio"},
			Source: "esp-radio's documentation", Facts: one("undefined symbol: esp_rtos_", "undefined symbol: __esp_radio_rtos", "undefined symbol: esp_radio_preempt_", "undefined symbol: esp_wifi_preempt_", "undefined symbol: esp_rtos_task_create"), Rank: 4,
		},
		{
			Name: "no-malloc-for-radio", Title: "the radio has no heap",
			Cause:  "The vendor's driver calls C's allocator, which esp-alloc implements for it.",
			Cure:   []string{"esp-alloc in the program, with the feature compat (default)"},
			Source: "esp-wifi's migration guide, memory allocation", Facts: one("undefined symbol: malloc", "undefined symbol: esp_wifi_allocate_from_internal_ram", "undefined symbol: malloc_internal", "undefined symbol: get_free_internal_heap_size"), Rank: 4,
		},
		{
			Name: "no-app-main", Title: "the program has no entry",
			Cause:  "The runtime calls main, which the macro of esp-hal or esp-rtos makes.",
			Cure:   []string{"#[esp_hal::main] or #[esp_rtos::main], and #![no_main]"},
			Source: "riscv-rt's documentation", Facts: one("undefined symbol: main", "undefined symbol: hal_main"), Not: []string{"undefined symbol: main_"}, Rank: 1,
		},
		{
			Name: "flash-full", Title: "code or constants do not fit the flash mapping",
			Cause:  "A section of code or constants is larger than its memory.",
			Cure:   []string{"espalier build --release", `opt-level = "s", lto = "fat", codegen-units = 1 in the profile`, "espalier size   # what takes the space"},
			Source: "esp-rs/rust-build#213", Facts: one("will not fit in region 'ROM'", "will not fit in region 'ROTEXT'", "will not fit in region 'RODATA'", "will not fit in region 'IROM'", "will not fit in region 'DROM'", "region `irom_seg' overflowed", "region `drom0_0_seg' overflowed", "region \"drom0_0_seg\" overflowed", "region \"irom0_0_seg\" overflowed"), Rank: 4,
		},
		{
			Name: "ram-full", Title: "statics do not fit the RAM",
			Cause:  "Statics, heaps that are statics, and code in RAM need more than the chip has.",
			Cure:   []string{"espalier size --by static   # the largest", "a smaller heap; part of it in the RAM that the bootloader used: #[esp_hal::ram(reclaimed)]", "fewer functions with #[ram]"},
			Source: "esp-rs/esp-hal#3556", Facts: one("will not fit in region 'RAM'", "will not fit in region 'DRAM'", "will not fit in region 'RWDATA'", "will not fit in region 'RWTEXT'", "will not fit in region 'IRAM'", "region `dram0_0_seg' overflowed", "region `DRAM' overflowed", "region \"dram0_0_seg\" overflowed", "region `iram0_0_seg' overflowed", "will not fit in region 'dram2_seg'", "will not fit in region 'dram_seg'"), Rank: 4,
		},
		{
			Name: "esp-idf-proxy", Title: "a project on ESP-IDF's std lacks its linker proxy",
			Cause:  "Targets *-espidf link through ldproxy.",
			Cure:   []string{"cargo install ldproxy", "the bare-metal template needs none: espalier new hello"},
			Source: "esp-rs/esp-idf-template", Facts: one("linker `ldproxy` not found"), Rank: 4,
		},
		{
			Name: "no-lld", Title: "the linker of the target is not there",
			Cause:  "rust-lld is part of the Rust distribution and of Debian's rustc packages, not of every distribution's.",
			Cure:   []string{"rustup component add llvm-tools, or the distribution's lld", "espalier build   # has the linker in its sandbox"},
			Source: "rustc, target specification", Facts: one("linker `rust-lld` not found", "linker `ld.lld` not found", "linker `lld` not found"), Rank: 4,
		},
		{
			Name: "duplicate-symbol", Title: "two crates define one symbol",
			Cause:  "Two panic handlers, two versions of esp-hal or of a runtime, or esp-hal beside riscv-rt.",
			Cure:   []string{"cargo tree -d", "only one of the crates that define it"},
			Source: "rust-lld", Facts: one("rust-lld: error: duplicate symbol:", "ld.lld: error: duplicate symbol:"), Rank: 2,
		},
		{
			Name: "no-cc", Title: "a build script wants a C compiler",
			Cause:  "A dependency compiles C for the chip or for the host, and there is no compiler for it.",
			Cure:   []string{"a pure Rust alternative of the crate", "riscv32-unknown-elf-gcc, or clang with CC_" + "riscv32imc_unknown_none_elf=clang"},
			Source: "cc crate", Facts: one("failed to find tool. Is `riscv32-unknown-elf-gcc` installed?", "failed to find tool \"riscv32-unknown-elf-gcc\"", "error occurred in cc-rs: failed to find tool", "linker `cc` not found"), Rank: 3,
		},
		{
			Name: "bindgen-libclang", Title: "bindgen does not find libclang",
			Cause:  "A dependency makes bindings for C headers while it is built, which loads libclang.",
			Cure:   []string{"install libclang, LIBCLANG_PATH=/usr/lib/llvm-…/lib"},
			Source: "bindgen guide, requirements", Facts: one("Unable to find libclang"), Rank: 4,
		},
	}
}

// nixRules are about messages of Nix.
func nixRules() []Rule {
	return []Rule{
		{
			Name: "nix-untracked", Title: "Nix does not see a file that git does not track",
			Cause:  "A flake in a git repository is what git tracks.",
			Cure:   []string{"git add FILE", "espalier build   # the files on disk are the input"},
			Source: "reproducible builds: obstacle 4", Facts: one("error: getting status of '/nix/store/*': No such file or directory", "error: path '/nix/store/*-source/*' does not exist"), Rank: 3,
		},
		{
			Name: "nix-cargo-hash", Title: "buildRustPackage does not know how to get the crates",
			Cause:  "Nix needs the crates before the build.",
			Cure:   []string{"cargoLock.lockFile = ./Cargo.lock;"},
			Source: "reproducible builds: obstacle 5", Facts: one("cargoSha256, cargoHash, cargoVendorDir, or cargoLock must be set", "cargoHash, cargoVendorDir, cargoDeps, or cargoLock must be set"), Rank: 4,
		},
		{
			Name: "nix-git-hash", Title: "a git crate has no hash for Nix",
			Cause:  "Cargo.lock has a commit and no hash of the content.",
			Cure:   []string{`outputHashes."CRATE-VERSION" = ""; then the hash that the next error shows`, "espalier lock   # computes it"},
			Source: "reproducible builds: obstacle 7", Facts: one("No hash was found while vendoring the git dependency"), Rank: 4,
		},
		{
			Name: "nix-hash-mismatch", Title: "a download is not what its hash says",
			Cause:  "An all-A or empty hash is the placeholder of a first try. With any other hash the file has changed.",
			Cure:   []string{"the hash after got:, if the first one was a placeholder", "otherwise find out why the file changed before you accept it"},
			Source: "reproducible builds: obstacle 8", Facts: all("hash mismatch in fixed-output derivation", "specified:*sha256", "got:*sha256"), Rank: 4,
		},
	}
}
