package build

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/sandbox"
)

// Condition is a condition of a build that must not change the firmware.
type Condition struct {
	Name   string // "host-name"
	What   string // "the host name"
	First  string // the word by which a text shows it in an ordinary build; empty: no certain one
	Second string // and under the condition

	set func(*sandbox.Local) // makes a build differ in it
}

// Names of conditions that other code knows.
const (
	ConditionClock     = "clock"      // needs a library in the step: Again
	ConditionFileOrder = "file-order" // seen in texts that have the same words
)

// clockOffset is how far the clock of a build under ConditionClock is ahead, in
// seconds: 400 days, so that year, month, day and weekday differ.
const clockOffset = 400 * 24 * 60 * 60

// environmentSize is how many bytes the environment has more under the condition:
// the stack of every process begins elsewhere.
const environmentSize = 60_000

// Conditions returns the conditions that a second build differs in. The paths of
// the layout (/src, /cargo, /target) are no condition: they are the same on every
// machine because they are a part of the step.
func Conditions() []Condition {
	env := func(pairs ...string) func(*sandbox.Local) {
		return func(l *sandbox.Local) {
			all := map[string]string{}
			for k, v := range l.Perturb.Env {
				all[k] = v
			}
			for i := 0; i < len(pairs); i += 2 {
				all[pairs[i]] = pairs[i+1]
			}
			l.Perturb.Env = all
		}
	}
	// One job more than cargo's default, so that a different number does not make
	// the build slow.
	cpus, jobs := strconv.Itoa(runtime.NumCPU()), strconv.Itoa(runtime.NumCPU()+1)
	list := []Condition{
		{"host-name", "the host name", "espalier", "elsewhere", func(l *sandbox.Local) { l.Perturb.Hostname = "elsewhere" }},
		{"user-id", "the user's number", "1000", "4711", func(l *sandbox.Local) { l.Perturb.UID = 4711 }},
		{"user-name", "the user's name", "espalier", "other", env("USER", "other", "LOGNAME", "other")},
		{"home", "the home directory", "", "", env("HOME", "/tmp")},
		{ConditionClock, "the clock", "", "", func(*sandbox.Local) {}}, // Again does
		{"time-zone", "the time zone", "UTC", "VFY", env("TZ", "VFY-05:45")},
		{"locale", "the locale", "", "", env("LC_ALL", "tr_TR.UTF-8", "LANG", "tr_TR.UTF-8")},
		{"jobs", "the number of jobs", cpus, jobs, env("CARGO_BUILD_JOBS", jobs)},
		{"processor-features", "the processor's features", "", "", env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-ERMS,-FSRM,-BMI2")},
		{"kernel", "the kernel's version", "", "", func(l *sandbox.Local) { l.Perturb.OldKernel = true }},
		{ConditionFileOrder, "the order of directory entries", "", "", func(l *sandbox.Local) { l.Perturb.Shuffle = 0x5eed }},
		{"umask", "the umask", "", "", func(l *sandbox.Local) { l.Perturb.Umask = 0o077 }},
		{"environment", "the size of the environment", "", "", env("ESPALIER_VERIFY", strings.Repeat("x", environmentSize))},
		{"place", "the directory on this machine", "", "", func(l *sandbox.Local) { l.Scratch = sandbox.TempBase() }},
	}
	if n := runtime.NumCPU() - 1; n > 0 {
		list = append(list, Condition{"processors", "the number of processors", cpus, strconv.Itoa(n), func(l *sandbox.Local) { l.Perturb.CPUs = n }})
	}
	if base := sandbox.MemoryBase(memoryForBuild); base != "" {
		list = append(list, Condition{"disk", "the file system", "", "", func(l *sandbox.Local) { l.Scratch = base }})
	}
	return list
}

// memoryForBuild is what the target directory of a firmware with Wi-Fi and debug
// information needs, with room to spare, in bytes.
const memoryForBuild = 6 << 30

// SelectConditions returns the named conditions, all when there are no names.
func SelectConditions(names []string) ([]Condition, error) {
	all := Conditions()
	if len(names) == 0 {
		return all, nil
	}
	var out []Condition
	for _, name := range names {
		i := slices.IndexFunc(all, func(c Condition) bool { return c.Name == name })
		if i < 0 {
			if name == "disk" {
				return nil, fault.New(fault.Usage, "condition disk: this machine has no file system in memory with "+fmt.Sprint(memoryForBuild>>30)+" GB of room")
			}
			return nil, fault.New(fault.Usage, fmt.Sprintf("there is no condition %s: want %s", name, strings.Join(ConditionNames(), ", ")))
		}
		if !slices.ContainsFunc(out, func(c Condition) bool { return c.Name == name }) {
			out = append(out, all[i])
		}
	}
	return out, nil
}

// ConditionNames lists the names of all conditions that can be varied here.
func ConditionNames() []string { return NamesOf(Conditions()) }

// NamesOf lists the names of conditions.
func NamesOf(list []Condition) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.Name)
	}
	return out
}
