package deptest

// packageRule says which packages of the module a package may import. A path
// that ends in "/..." is itself and all below it.
type packageRule struct {
	path string
	may  []string // besides the leaves, see leaves
	why  string
}

// leaves may be imported by every package under internal/ and import none.
var leaves = []string{"internal/atomicfile", "internal/fault", "internal/order", "internal/progress", "internal/suggest"}

// packages is the flow of docs/architecture.md as a table: names, pins, blobs,
// trees, steps, ELF, image, board, lines. A package that is not here fails the
// test, and so does a row without a package.
var packages = []packageRule{
	{"cmd/espalier", []string{"internal/cli", "internal/remote/worker", "internal/sandbox"}, "main calls the cli; before that, the sandbox's runner is this program executed again, and so is a step on a worker"},
	{"internal/cli/...", []string{"..."}, "the cli combines all packages, and none depends on it"},
	{"internal/command", []string{"internal/exithook", "internal/ui"}, "the frame of any command line; it does not depend on what a verb is about"},
	{"internal/libtest", []string{"internal/command", "internal/fwtest"}, "the flags of cargo test; it runs nothing"},
	{"internal/adopt", []string{"internal/cargo", "internal/config", "internal/project", "internal/tomldoc"}, "a project in, what it does not need out; it fetches and builds nothing"},
	{"internal/sbom", []string{"esp/image", "internal/build", "internal/cargo", "internal/lock", "internal/size", "internal/store"}, "sizes, compiled packages and pins in, a document out; it opens nothing"},
	{"internal/attest", nil, "bytes and keys in, statements and signatures out; it opens nothing"},
	{"internal/audit", []string{"internal/cargo", "internal/lock", "internal/tomldoc"}, "a lock and advisories in, findings out; it opens nothing"},
	{"internal/archive", []string{"internal/lock", "internal/store"}, "a lock and a store in, an OCI image layout out, and back; it neither builds nor downloads"},
	{"internal/export", nil, "a recipe is a value that the caller fills, and text"},
	{"internal/workspace", []string{"esp/image", "firmware", "internal/action", "internal/archive", "internal/attest", "internal/audit", "internal/budget", "internal/build", "internal/cargo", "internal/cargohome", "internal/chipfiles", "internal/config", "internal/credential", "internal/export", "internal/flashimage", "internal/gitconfig", "internal/layout", "internal/lock", "internal/pin", "internal/project", "internal/proof", "internal/remote", "internal/revision", "internal/sandbox", "internal/sbom", "internal/size", "internal/source", "internal/store", "internal/supply/crates", "internal/supply/fetch", "internal/supply/git", "internal/supply/hostcargo", "internal/ui", "internal/updating", "internal/version"}, "an opened project and what is made of it; it depends on neither flags nor boards"},
	{"internal/version", []string{"internal/layout", "internal/lock"}, "what the running binary is"},
	{"internal/ui", nil, "the printer shows values that it receives"},
	{"internal/atomicfile", nil, "replacing a file needs the operating system only"},
	{"internal/fault", nil, "a leaf"},
	{"internal/order", nil, "a leaf"},
	{"internal/obstacles", nil, "a table that docs and tests read"},
	{"internal/progress", nil, "a leaf"},
	{"internal/suggest", nil, "a leaf"},
	{"internal/shell", nil, "a command interpreter; it does not depend on where it runs"},
	{"internal/cargo", []string{"internal/config", "internal/tomldoc", "internal/store"}, "cargo's own files as values; of the store only the Digest"},
	{"internal/config", []string{"internal/tomldoc"}, "values with origins; it does not depend on what a key means"},
	{"internal/board", []string{"emu", "emu/parts", "internal/tomldoc"}, "a description in, parts for the emulator out; it opens no file"},
	{"internal/project", []string{"emu/defaultnet", "esp/nvs", "internal/board", "internal/cargo", "internal/config", "internal/tomldoc"}, "what the user wrote"},
	{"internal/tomldoc", nil, "TOML with positions"},
	{"internal/lock", []string{"internal/cargo", "internal/config", "internal/layout", "internal/project", "internal/tomldoc", "internal/store"}, "pins are made for a project and name content; they never fetch"},
	{"internal/reapi", nil, "messages of the Remote Execution API: bytes in, values out"},
	{"internal/store", []string{"internal/reapi"}, "blobs and trees have digests; what they mean and where they come from is for others"},
	{"internal/layout", nil, "facts about the inside of a step"},
	{"internal/action", []string{"internal/layout", "internal/reapi", "internal/store"}, "a step is data over trees; it does not depend on how or where it runs"},
	{"internal/remote/grpc", []string{"internal/reapi"}, "calls and streams over HTTP/2; it does not depend on what they are for"},
	{"internal/remote", []string{"internal/action", "internal/reapi", "internal/remote/grpc", "internal/store"}, "results of a store out to a cache and back; it does not depend on how steps are made or run"},
	{"internal/remote/worker", []string{"internal/action", "internal/layout", "internal/remote", "internal/sandbox", "internal/store"}, "one step on a worker of a cluster, in its sandbox; it makes no connection"},
	{"internal/sandbox", []string{"internal/action", "internal/layout", "internal/shell", "internal/store"}, "it runs any step, so it must not depend on what a firmware is"},
	{"internal/supply/fetch", []string{"internal/store"}, "a download is a digest and a list of locations; it does not depend on what the file is for"},
	{"internal/supply/debian", []string{"internal/lock", "internal/store", "internal/supply/fetch"}, "suppliers turn pins into trees and do not depend on each other"},
	{"internal/supply/rustdist", []string{"internal/lock", "internal/store", "internal/supply/fetch"}, "suppliers do not depend on each other"},
	{"internal/supply/hostcargo", []string{"internal/lock", "internal/store"}, "single crates by the cargo of the user, where no step can run"},
	{"internal/supply/crates", []string{"internal/cargo", "internal/lock", "internal/store", "internal/action", "internal/layout", "internal/supply/fetch"}, "the pinned cargo fetches, in a step"},
	{"internal/gitconfig", nil, "the user's git configuration: files and environment in, answers about addresses out"},
	{"internal/credential", []string{"internal/gitconfig"}, "logins, from the helpers that the user configured; it makes no connection"},
	{"internal/supply/git", []string{"internal/credential", "internal/gitconfig", "internal/lock", "internal/revision", "internal/store", "internal/supply/fetch"}, "suppliers do not depend on each other"},
	{"internal/source", []string{"internal/cargo", "internal/project", "internal/store"}, "input trees of the project's own files, for locking and building"},
	{"internal/ports", []string{"internal/ui", "serial"}, "which port a project uses; it opens none"},
	{"internal/flashcache", []string{"esp/loader"}, "what was written to a board; it knows neither files nor flags of a verb"},
	{"internal/flashing", []string{"esp/chip", "esp/image", "esp/loader", "esp/partition", "internal/chipfiles", "internal/flashcache", "internal/ui", "serial"}, "plans and drives the loader; it does not build and does not monitor"},
	{"internal/cargohome", []string{"internal/cargo", "internal/lock", "internal/layout", "internal/project", "internal/store", "internal/supply/git"}, "the configuration of the cargo inside a step, for locking and building"},
	{"internal/settings", []string{"esp/image", "esp/loader", "esp/nvs", "esp/partition", "internal/config", "internal/project"}, "values into NVS partitions of boards and files; it builds nothing"},
	{"internal/complete", []string{"internal/cargo", "internal/project", "serial"}, "values for a shell: names from a project and from the machine"},
	{"internal/doctor", []string{"internal/action", "internal/build", "internal/cargo", "internal/lock", "internal/pin", "internal/project", "internal/remote", "internal/sandbox", "internal/store", "internal/supply/debian", "internal/ui"}, "checks for a build; it changes nothing"},
	{"internal/inspect", []string{"esp/chip", "esp/image", "esp/loader", "esp/partition", "firmware", "internal/lock", "internal/store", "internal/ui"}, "content or a loader in, a description out; it opens nothing"},
	{"internal/budget", []string{"internal/project", "internal/size"}, "sizes and limits in, violations out"},
	{"internal/diff", []string{"esp/...", "firmware", "firmware/defmt", "internal/inspect", "internal/lock", "internal/size", "internal/ui"}, "two contents in, what differs out; it opens nothing"},
	{"internal/revision", nil, "a git revision as files in a directory; it does not know what they are for"},
	{"internal/explain", []string{"internal/ui"}, "a log in, rules that match out; it opens nothing"},
	{"internal/size", []string{"firmware", "firmware/defmt", "internal/ui"}, "an ELF and static libraries in, the owner of each byte out; it opens nothing"},
	{"internal/flashimage", []string{"esp/image", "esp/partition", "internal/chipfiles", "internal/config", "internal/lock", "internal/project", "internal/store"}, "a project's firmware as a flash image; it builds nothing"},
	{"internal/elfstrip", nil, "bytes in, bytes out; it does not depend on what is built"},
	{"internal/build", []string{"internal/elfstrip", "internal/cargo", "internal/cargohome", "internal/project", "internal/lock", "internal/layout", "internal/source", "internal/supply/...", "internal/store", "internal/action", "internal/remote", "internal/sandbox", "internal/atomicfile"}, "the plan joins pins, trees and steps; it does not depend on images or boards"},
	{"internal/pin", []string{"internal/gitconfig", "internal/cargo", "internal/cargohome", "internal/chipfiles", "internal/config", "internal/project", "internal/lock", "internal/layout", "internal/source", "internal/supply/...", "internal/store", "internal/action", "internal/atomicfile"}, "locking asks every supplier and runs the pinned cargo"},
	{"internal/trial", []string{"emu/testbed", "firmware", "internal/action", "internal/build", "internal/cargo", "internal/explain", "internal/flashimage", "internal/fwtest", "internal/lock", "internal/project", "internal/session", "internal/size", "internal/store", "internal/supply/crates", "internal/ui", "internal/updating"}, "a project with old and with new pins, built and on a board; it writes nothing to it"},
	{"internal/updating", []string{"internal/cargo", "internal/chipfiles", "internal/config", "internal/lock", "internal/pin", "internal/project", "internal/store", "internal/supply/crates", "internal/tomldoc", "internal/ui"}, "which pins move, and why; versions are chosen by pin's cargo"},
	{"internal/chipfiles", []string{"internal/lock", "internal/store", "esp/image"}, "it names and reads pinned files; it fetches nothing, so that tests of a board need no supplier"},
	{"internal/proof", []string{"esp/image", "esp/partition", "internal/build", "internal/layout", "internal/store", "internal/action", "internal/lock", "internal/project", "internal/sandbox"}, "verify builds again and compares; it does not depend on a board"},
	{"internal/release", []string{"internal/atomicfile", "internal/cli"}, "makes a release's files; the cli's commands give manual pages and completions"},
	{"internal/devtest/...", []string{"..."}, "for tests, and programs that prepare them"},
	{"internal/elftest", nil, "for tests"},
	{"internal/deptest", nil, "for tests"},
	{"esp/chip", nil, "facts"},
	{"esp/partition", []string{"esp/chip"}, "bytes in, values out"},
	{"esp/image", []string{"esp/chip", "esp/partition"}, "bytes in, values out"},
	{"esp/nvs", nil, "bytes in, values and flash operations out"},
	{"esp/loader", []string{"esp/chip", "esp/image", "esp/partition", "serial"}, "the host's side of the serial protocol; the chip's side is the real ROM in emu, and the two must never agree by sharing code"},
	{"serial", nil, "ports carry bytes"},
	{"internal/emuport", []string{"emu", "emu/chip", "emu/c3", "serial"}, "an emulated board as a serial port; it does not depend on the flasher"},
	{"internal/console", []string{"internal/ui", "monitor", "firmware", "firmware/defmt"}, "lines and reports as text or JSON; it does not depend on a board"},
	{"internal/exithook", nil, "functions to call at exit; it does not depend on what they undo"},
	{"internal/session", []string{"internal/board", "internal/config", "internal/console", "internal/probe", "internal/project", "internal/scenario", "internal/ui", "internal/emuport", "internal/exithook", "monitor", "firmware", "serial", "esp/loader", "emu", "emu/..."}, "one board, emulated or real, from its first byte to the exit code, as flags and the configuration describe it; it does not depend on how the firmware was made"},
	{"firmware", []string{"firmware/defmt", "rv32"}, "an ELF's symbols, frames and descriptors; of the CPU only the decoder"},
	{"firmware/defmt", nil, "defmt's table and frames: bytes in, values out; it does not depend on ELF"},
	{"monitor", []string{"firmware", "firmware/defmt"}, "bytes to lines"},
	{"rv32", nil, "the CPU does not depend on the machine around it"},
	{"emu", []string{"emu/chip", "rv32"}, "the board as its user meets it; which chip is on it, the chip package decides"},
	{"emu/chip", []string{"rv32"}, "what chip packages build on: machine, guest time, records; it depends on the CPU and on no particular chip"},
	{"emu/c3", []string{"emu", "emu/chip", "emu/dot11", "rv32"}, "the chip is one machine; its Wi-Fi MAC depends on the form of frames and not on the medium"},
	{"emu/dot11", nil, "the form of 802.11 frames and CCMP: bytes in, bytes out"},
	{"emu/defaultnet", nil, "constants that the emulated access point and the project's configuration share"},
	{"emu/faults", []string{"emu"}, "schedules of faults; it depends on neither radio nor network"},
	{"emu/parts", []string{"emu"}, "components that are connected to pins: they see levels and guest time"},
	{"emu/radio", []string{"emu", "emu/dot11", "emu/faults"}, "the 802.11 medium and the access point"},
	{"emu/lan", []string{"emu", "emu/faults", "emu/lan/http1", "emu/lan/tlsconn"}, "the network of the access point: Ethernet frames and guest time in and out; the access point uses it through an interface"},
	{"emu/lan/http1", nil, "the server's end of HTTP: bytes in, bytes out; it does not depend on what carries them"},
	{"emu/lan/tlsconn", nil, "the server's end of TLS: bytes in, bytes out; it does not depend on what carries them"},
	{"emu/lan/uplink", []string{"emu", "emu/lan"}, "the only package of the emulator that opens connections, with the host's sockets"},
	{"emu/pcap", []string{"emu"}, "frames and times to a file's bytes; it does not depend on where the frames come from"},
	{"emu/recording", []string{"emu", "emu/chip"}, "a run as bytes: radio frames and inputs of a board; it depends on neither network nor chip"},
	{"emu/testbed", []string{"emu", "emu/defaultnet", "emu/chip", "emu/c3", "emu/faults", "emu/lan", "emu/lan/uplink", "emu/pcap", "emu/radio", "emu/recording"}, "assembles a board with its network, capture and recording; it opens no files"},
	{"emutest", []string{"emu", "emu/faults", "emu/testbed", "esp/image", "esp/partition", "firmware", "monitor", "rv32", "internal/scenario", "internal/chipfiles", "internal/store", "internal/fault"}, "a board for go test; of the internal packages it needs those that find mask ROM and bootloader in the store"},
	{"emu/semihost", []string{"rv32"}, "semihosting is between firmware and the CPU at an ebreak; it needs no board"},
	{"internal/fwtest", []string{"emu", "emu/c3", "emu/faults", "emu/parts", "emu/semihost", "emu/testbed", "firmware", "internal/atomicfile", "internal/board", "internal/probe", "internal/scenario", "monitor"}, "test programs on boards whose surroundings its caller describes; it builds nothing"},
	{"internal/scenario", []string{"emu", "emu/faults", "emu/parts", "emu/radio", "internal/board", "internal/tomldoc"}, "what happens to a board, and when; its caller lets the time pass"},
	{"internal/probe", []string{"emu", "emu/semihost", "firmware", "monitor", "rtt"}, "semihosting and RTT of firmware on a board; what is done with the bytes is for others"},
	{"rtt", nil, "the channels of a control block in some memory; it does not depend on whose"},
	{"templates", []string{"internal/fault"}, "project folders, embedded, and their copies"},
	{"bench/...", []string{"..."}, "benchmarks measure all packages"},
}

// public packages can be imported by other modules. They may use internal packages
// that the table names for them, but their exported declarations may not: see
// checkSurface.
var public = []string{"esp/...", "serial", "firmware/...", "monitor", "rtt", "rv32", "emu/...", "emutest"}

// testOnly packages are imported by tests and by each other.
var testOnly = []string{"internal/devtest/...", "internal/elftest", "internal/deptest"}

// ban forbids imports or identifiers of other packages.
type ban struct {
	name    string
	in      []string // packages in which it holds; nil: all
	except  []string // packages, or files as "package:name*.go"
	imports []string // import paths; "net/..." also bans what is below
	uses    []string // qualified identifiers such as "os.Stdout", or builtins such as "println"
	deep    bool     // also holds for what the package imports from this module
	why     string
}

var bans = []ban{
	{
		name: "rv32 is standard library only", in: []string{"rv32"}, imports: []string{"*.*/..."},
		why: "the CPU must build wherever Go does, and be readable to the bottom",
	},
	{
		name: "bytes in, values out", in: []string{"rv32", "esp/..."}, except: []string{"esp/loader"},
		imports: []string{"os/...", "net/...", "time"}, deep: true,
		why: "formats and the CPU are functions of their input: no clock, no files, no network",
	},
	{
		name: "the chip is deterministic", in: []string{"emu/chip", "emu/c3", "emu/dot11", "emu/radio", "emu/faults", "emu/lan", "emu/lan/http1", "emu/lan/tlsconn", "emu/pcap", "emu/recording"}, except: []string{"emu/lan/tlsconn:session.go", "emu/lan", "emu/lan/http1"}, imports: []string{"os/...", "net", "net/http/...", "math/rand", "math/rand/v2", "crypto/rand"},
		why: "same image, same inputs, same trace: the outside comes in as recorded events",
	},
	{
		name: "the emulated web server uses types of net/http, not its connections", in: []string{"emu/lan", "emu/lan/http1", "emu/testbed"},
		imports: []string{"os/...", "net", "math/rand", "math/rand/v2", "crypto/rand"},
		uses:    []string{"http.Client", "http.DefaultClient", "http.DefaultTransport", "http.Get", "http.Head", "http.ListenAndServe", "http.Post", "http.Serve", "http.Server", "http.Transport"},
		why:     "handlers of the user need http.Handler; bytes and guest time are arguments",
	},
	{
		name: "guest time is an argument", in: []string{"emu", "emu/chip", "emu/c3", "emu/dot11", "emu/radio", "emu/faults", "emu/lan", "emu/lan/http1", "emu/lan/tlsconn", "emu/pcap", "emu/recording", "emu/testbed", "emutest", "rv32", "monitor", "firmware/...", "esp/..."}, except: []string{"esp/loader"},
		uses: []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.Tick", "time.NewTimer", "time.NewTicker", "time.AfterFunc"},
		why:  "the host's clock would make runs differ",
	},
	{
		name: "the emulator does not depend on the flasher", in: []string{"emu/..."}, imports: []string{module + "/esp/loader"}, deep: true,
		why: "each is the other's oracle: only tests and the cli combine them",
	},
	{
		name: "the flasher does not depend on the emulator", in: []string{"esp/loader"}, imports: []string{module + "/emu/..."}, deep: true,
		why: "each is the other's oracle: only tests and the cli combine them",
	},
	{
		name: "no TCP/IP stack from outside", imports: []string{"gvisor.dev/..."},
		why: "goroutines and a clock of its own cannot give the same bytes in every run; see docs/RATIONALE.md",
	},
	{
		name: "only the sandbox starts processes", except: []string{"internal/shell", "internal/sandbox", "internal/credential", "internal/supply/hostcargo", "internal/release", "internal/devtest/..."},
		imports: []string{"os/exec"}, uses: []string{"os.StartProcess", "syscall.ForkExec", "syscall.StartProcess", "syscall.Exec", "unix.Exec"},
		why: "no build uses a program of the host, and every process of one is in a sandbox; helpers of the user are asked for logins and for a file of the chip; the release tool is not part of espalier",
	},
	{
		name: "only some packages make connections", imports: []string{"net", "net/http/...", "net/rpc"},
		except: []string{"internal/supply/...", "internal/remote/...", "internal/devtest/...", "serial", "emu/lan", "emu/lan/http1", "emu/lan/tlsconn:session.go", "emu/lan/uplink", "emu/testbed", "emutest:option.go"},
		why:    "only locking and fetching download inputs, and the shared cache is not opened offline, so --offline has nothing to switch off elsewhere",
	},
	{
		name: "unsafe", imports: []string{"unsafe"}, except: []string{"internal/sandbox", "serial", "rv32:translat*.go", "rv32:jit*.go"},
		why: "only the translator, ioctls and the sandbox need it",
	},
	{
		name: "cgo", imports: []string{"C"},
		why: "one static binary, which Go alone builds",
	},
	{
		name: "only ui prints", except: []string{"internal/ui", "internal/shell", "internal/devtest/..."},
		uses: []string{"fmt.Print", "fmt.Printf", "fmt.Println", "print", "println", "log.Print", "log.Printf", "log.Println", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic"},
		why:  "stdout is data, stderr is for people, and --json must be able to change both",
	},
	{
		name: "the process's streams", except: []string{"internal/remote/worker", "internal/release", "internal/ui", "internal/cli", "internal/sandbox", "internal/shell", "cmd/espalier", "internal/devtest/..."},
		uses: []string{"os.Stdout", "os.Stderr", "os.Stdin"},
		why:  "the cli passes them to ui, and the sandbox to a shell inside; no other package uses them",
	},
	{
		name: "exit", except: []string{"internal/remote/worker", "internal/release", "cmd/espalier", "internal/sandbox", "internal/command:run.go", "internal/devtest/..."}, uses: []string{"os.Exit", "log.Fatal"},
		why: "one place turns an error into the exit status, and ends the process at a second Ctrl-C; the sandbox's runner is a process of its own",
	},
}

// accepted are violations that are known: "package -> import" and the reason.
// An entry that is no longer a violation fails the test, too.
var accepted = map[string]string{}
