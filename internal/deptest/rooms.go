package deptest

// room is one package of the module and which others it may import. A path
// that ends in "/..." stands for itself and all below it.
type room struct {
	path string
	may  []string // besides the leaves, see leaves
	why  string
}

// leaves are known by everybody under internal/ and know nobody.
var leaves = []string{"internal/atomicfile", "internal/fault", "internal/progress"}

// rooms is the flow of DESIGN as a table: names, pins, blobs, trees, steps,
// ELF, image, board, lines. A package that is not here fails the test.
var rooms = []room{
	{"cmd/espalier", []string{"internal/cli", "internal/sandbox"}, "main hands over; the sandbox's runner is this program started again, before any command line"},
	{"internal/cli/...", []string{"..."}, "the cli joins the rooms, so it knows everybody, and nobody knows it"},
	{"internal/ui", nil, "the printer shows what it is given and knows no room"},
	{"internal/atomicfile", nil, "replacing a file needs the operating system only"},
	{"internal/fault", nil, "a leaf"},
	{"internal/progress", nil, "a leaf"},
	{"internal/cargo", []string{"internal/config", "internal/tomldoc", "internal/store"}, "cargo's own files as values; of the store only the Digest"},
	{"internal/config", []string{"internal/tomldoc"}, "values with origins; it does not depend on what a key means"},
	{"internal/project", []string{"internal/cargo", "internal/config", "internal/tomldoc"}, "what the user wrote"},
	{"internal/tomldoc", nil, "TOML with positions"},
	{"internal/lock", []string{"internal/cargo", "internal/config", "internal/layout", "internal/project", "internal/tomldoc", "internal/store"}, "pins are made for a project and name content; they never fetch"},
	{"internal/store", nil, "bytes do not know what they mean or where they come from"},
	{"internal/layout", nil, "facts about the inside of a step"},
	{"internal/action", []string{"internal/layout", "internal/store"}, "a step is data over trees; it does not depend on how or where it runs"},
	{"internal/sandbox", []string{"internal/action", "internal/layout", "internal/store"}, "it runs any step, so it must not depend on what a firmware is"},
	{"internal/remote", []string{"internal/action", "internal/store"}, "as the sandbox, elsewhere"},
	{"internal/supply/fetch", []string{"internal/store"}, "a download knows a digest and places, not what it is"},
	{"internal/supply/debian", []string{"internal/lock", "internal/store", "internal/supply/fetch"}, "suppliers turn pins into trees and know no other supplier"},
	{"internal/supply/rustdist", []string{"internal/lock", "internal/store", "internal/supply/fetch"}, "suppliers know no other supplier"},
	{"internal/supply/crates", []string{"internal/lock", "internal/store", "internal/action", "internal/layout", "internal/supply/fetch"}, "the pinned cargo fetches, in a step"},
	{"internal/supply/git", []string{"internal/lock", "internal/store", "internal/supply/fetch"}, "suppliers know no other supplier"},
	{"internal/source", []string{"internal/cargo", "internal/project", "internal/store"}, "input trees of the project's own files, for locking and building"},
	{"internal/build", []string{"internal/cargo", "internal/project", "internal/lock", "internal/layout", "internal/source", "internal/supply/...", "internal/store", "internal/action", "internal/sandbox"}, "the plan joins pins, trees and steps; it does not depend on images or boards"},
	{"internal/pin", []string{"internal/cargo", "internal/chipfiles", "internal/config", "internal/project", "internal/lock", "internal/layout", "internal/source", "internal/supply/...", "internal/store", "internal/action"}, "locking asks every supplier and runs the pinned cargo"},
	{"internal/chipfiles", []string{"internal/lock", "internal/store", "esp/image"}, "it names and reads pinned files; it fetches nothing, so that tests of a board need no supplier"},
	{"internal/diagnose", nil, "rules over texts"},
	{"internal/proof", []string{"internal/build", "internal/store", "internal/action", "internal/lock", "internal/project", "internal/sandbox"}, "verify builds again and compares; it knows no board"},
	{"internal/devtest/...", []string{"..."}, "for tests, and programs that prepare them"},
	{"internal/elftest", nil, "for tests"},
	{"internal/deptest", nil, "for tests"},
	{"esp/chip", nil, "facts"},
	{"esp/partition", []string{"esp/chip"}, "bytes in, values out"},
	{"esp/image", []string{"esp/chip", "esp/partition"}, "bytes in, values out"},
	{"esp/loader", []string{"esp/chip", "esp/image", "esp/partition", "serial"}, "the host's side of the serial protocol; the chip's side is the real ROM in emu, and the two must never agree by sharing code"},
	{"serial", nil, "ports carry bytes"},
	{"internal/emuport", []string{"emu", "emu/chip", "emu/c3", "serial"}, "an emulated board as a port: it knows the chip and the wire, and no flasher"},
	{"internal/console", []string{"internal/ui", "monitor", "firmware", "firmware/defmt"}, "lines and reports as text or JSON; it knows no board"},
	{"internal/exithook", nil, "functions to call at exit; it knows nothing of what they undo"},
	{"internal/session", []string{"internal/console", "internal/ui", "internal/emuport", "internal/exithook", "monitor", "firmware", "serial", "esp/loader", "emu/..."}, "one board, emulated or real, from its first byte to the exit code; it does not know how the firmware was made"},
	{"firmware", []string{"firmware/defmt"}, "an ELF as a person sees it"},
	{"firmware/defmt", nil, "defmt's table and frames: bytes in, values out; it knows no ELF"},
	{"monitor", []string{"firmware", "firmware/defmt"}, "bytes to lines"},
	{"rv32", nil, "the CPU knows no machine"},
	{"emu", []string{"emu/chip", "rv32"}, "the board as its user meets it; which chip is on it, the chip package decides"},
	{"emu/chip", []string{"rv32"}, "what chip packages build on: machine, guest time, records; it knows the CPU and no particular chip"},
	{"emu/c3", []string{"emu", "emu/chip", "emu/dot11", "rv32"}, "the chip is one machine; its Wi-Fi MAC knows the form of a frame, and nothing of the air"},
	{"emu/dot11", nil, "the form of 802.11 frames and CCMP: bytes in, bytes out"},
	{"emu/faults", []string{"emu"}, "what goes wrong and when; it knows neither air nor network"},
	{"emu/radio", []string{"emu", "emu/dot11", "emu/faults"}, "the air"},
	{"emu/lan", []string{"emu", "emu/faults", "emu/lan/http1", "emu/lan/tlsconn"}, "the network of the access point: Ethernet frames and guest time in and out; the access point uses it through an interface"},
	{"emu/lan/http1", nil, "the server's end of HTTP: bytes in, bytes out; it does not depend on what carries them"},
	{"emu/lan/tlsconn", nil, "the server's end of TLS: bytes in, bytes out; it does not depend on what carries them"},
	{"emu/lan/uplink", []string{"emu", "emu/lan"}, "the only package of the emulator that opens connections, with the host's sockets"},
	{"emu/pcap", []string{"emu"}, "frames and times to a file's bytes; whose frames they are is not its business"},
	{"emu/tape", []string{"emu"}, "a run as bytes: it knows the antenna and the inputs of a board, and neither air nor chip"},
	{"emu/semihost", []string{"rv32"}, "semihosting is between firmware and the CPU at an ebreak; it needs no board"},
	{"internal/embedtest", []string{"emu", "emu/semihost"}, "tests in an ELF, run on a board that its caller makes"},
	{"emu/gdb", []string{"emu", "rv32"}, "a debugger sees the machine and the CPU"},
	{"emu/web", []string{"emu", "emu/c3"}, "the board in a browser"},
	{"templates", nil, "project folders, embedded"},
	{"bench/...", []string{"..."}, "benchmarks measure the whole house"},
}

// public rooms can be imported by other modules, which cannot import internal/.
var public = []string{"esp/...", "serial", "firmware/...", "monitor", "rv32", "emu/..."}

// testOnly rooms are imported by tests and by each other.
var testOnly = []string{"internal/devtest/...", "internal/elftest", "internal/deptest"}

// ban forbids imports or identifiers of other packages.
type ban struct {
	name    string
	rooms   []string // where it holds; nil: everywhere
	except  []string // rooms, or files as "room:name*.go"
	imports []string // import paths; "net/..." also bans what is below
	uses    []string // qualified identifiers such as "os.Stdout", or builtins such as "println"
	deep    bool     // holds for everything of this module that the room imports, too
	why     string
}

var bans = []ban{
	{
		name: "rv32 is standard library only", rooms: []string{"rv32"}, imports: []string{"*.*/..."},
		why: "the CPU must build wherever Go does, and be readable to the bottom",
	},
	{
		name: "bytes in, values out", rooms: []string{"rv32", "esp/..."}, except: []string{"esp/loader"},
		imports: []string{"os/...", "net/...", "time"}, deep: true,
		why: "formats and the CPU are functions of their input: no clock, no files, no network",
	},
	{
		name: "the chip is deterministic", rooms: []string{"emu/chip", "emu/c3", "emu/dot11", "emu/radio", "emu/faults", "emu/lan", "emu/lan/http1", "emu/lan/tlsconn", "emu/pcap", "emu/tape"}, except: []string{"emu/lan/tlsconn:session.go", "emu/lan", "emu/lan/http1"}, imports: []string{"os/...", "net", "net/http/...", "math/rand", "math/rand/v2", "crypto/rand"},
		why: "same image, same inputs, same trace: the outside comes in as recorded events",
	},
	{
		name: "the emulated web server uses types of net/http, not its connections", rooms: []string{"emu/lan", "emu/lan/http1"},
		imports: []string{"os/...", "net", "math/rand", "math/rand/v2", "crypto/rand"},
		uses:    []string{"http.Client", "http.DefaultClient", "http.DefaultTransport", "http.Get", "http.Head", "http.ListenAndServe", "http.Post", "http.Serve", "http.Server", "http.Transport"},
		why:     "handlers of the user need http.Handler; bytes and guest time are arguments",
	},
	{
		name: "guest time is an argument", rooms: []string{"emu", "emu/chip", "emu/c3", "emu/dot11", "emu/radio", "emu/faults", "emu/lan", "emu/lan/http1", "emu/lan/tlsconn", "emu/pcap", "emu/tape", "rv32", "monitor", "firmware/...", "esp/..."}, except: []string{"esp/loader"},
		uses: []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.Tick", "time.NewTimer", "time.NewTicker", "time.AfterFunc"},
		why:  "the host's clock would make runs differ",
	},
	{
		name: "the emulator does not know the flasher", rooms: []string{"emu/..."}, imports: []string{module + "/esp/loader"}, deep: true,
		why: "each is the other's oracle: they meet in tests and in the cli",
	},
	{
		name: "the flasher does not know the emulator", rooms: []string{"esp/loader"}, imports: []string{module + "/emu/..."}, deep: true,
		why: "each is the other's oracle: they meet in tests and in the cli",
	},
	{
		name: "no TCP/IP stack from outside", imports: []string{"gvisor.dev/..."},
		why: "goroutines and a clock of its own cannot give the same bytes in every run; see docs/RATIONALE.md",
	},
	{
		name: "processes are started by the sandbox", except: []string{"internal/sandbox", "internal/devtest/..."},
		imports: []string{"os/exec"}, uses: []string{"os.StartProcess", "syscall.ForkExec", "syscall.StartProcess", "syscall.Exec", "unix.Exec"},
		why: "espalier needs no program of the host, and every process it starts is in a sandbox",
	},
	{
		name: "connections are made where the table of rooms says so", imports: []string{"net", "net/http/...", "net/rpc"},
		except: []string{"internal/supply/...", "internal/remote", "serial", "emu/lan", "emu/lan/http1", "emu/lan/tlsconn:session.go", "emu/lan/uplink", "emu/gdb", "emu/web"},
		why:    "only locking and fetching reach out for inputs; an --offline build has nothing to switch off",
	},
	{
		name: "unsafe", imports: []string{"unsafe"}, except: []string{"internal/sandbox", "serial", "rv32:translat*.go", "rv32:jit*.go"},
		why: "only the translator, ioctls and the sandbox need it",
	},
	{
		name: "cgo", imports: []string{"C"},
		why: "one static binary, built by anybody with Go alone",
	},
	{
		name: "only ui prints", except: []string{"internal/ui", "internal/devtest/..."},
		uses: []string{"fmt.Print", "fmt.Printf", "fmt.Println", "print", "println", "log.Print", "log.Printf", "log.Println", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic"},
		why:  "stdout is data, stderr is for people, and --json must be able to change both",
	},
	{
		name: "the process's streams", except: []string{"internal/ui", "internal/cli", "internal/sandbox", "cmd/espalier", "internal/devtest/..."},
		uses: []string{"os.Stdout", "os.Stderr", "os.Stdin"},
		why:  "the cli hands them to ui, the sandbox to a shell inside; nobody else may reach for them",
	},
	{
		name: "exit", except: []string{"cmd/espalier", "internal/sandbox", "internal/cli:main.go", "internal/devtest/..."}, uses: []string{"os.Exit", "log.Fatal"},
		why: "one place turns an error into the exit status, and ends the process at a second Ctrl-C; the sandbox's runner is a process of its own",
	},
}

// debts are breaches that the house knows about: "room -> import" and the
// reason. One that is no longer a breach fails the test, too.
var debts = map[string]string{}
