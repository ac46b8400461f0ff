package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// attributes prints what this process inherited, by name.
func attributes() {
	a := map[string]string{}
	number := func(name string, nr uintptr, args ...uintptr) {
		var x [6]uintptr
		copy(x[:], args)
		v, _, e := syscall.RawSyscall6(nr, x[0], x[1], x[2], x[3], x[4], x[5])
		if e != 0 {
			a[name] = e.Error()
			return
		}
		a[name] = fmt.Sprint(int(v))
	}
	const (
		prGetDumpable   = 3
		prGetKeepCaps   = 7
		prGetTSC        = 25
		prGetSecurebits = 27
		prGetTimerSlack = 30
		prMCEKillGet    = 34
		prGetSubreaper  = 37
		prGetTHPDisable = 42
	)
	number("dumpable", syscall.SYS_PRCTL, prGetDumpable)
	number("keep capabilities", syscall.SYS_PRCTL, prGetKeepCaps)
	number("securebits", syscall.SYS_PRCTL, prGetSecurebits)
	number("timer slack", syscall.SYS_PRCTL, prGetTimerSlack)
	number("machine check policy", syscall.SYS_PRCTL, prMCEKillGet)
	number("no huge pages", syscall.SYS_PRCTL, prGetTHPDisable)
	number("scheduling policy", syscall.SYS_SCHED_GETSCHEDULER, 0)
	number("nice value", syscall.SYS_GETPRIORITY, syscall.PRIO_PROCESS, 0) // 20 minus the value
	number("I/O priority", syscall.SYS_IOPRIO_GET, 1, 0)
	number("personality", syscall.SYS_PERSONALITY, 0xffffffff)
	number("session", syscall.SYS_GETSID, 0)
	number("process group", syscall.SYS_GETPGID, 0)
	a["umask"] = fmt.Sprintf("%04o", syscall.Umask(0))
	mode := policy()
	a["memory policy"] = mode
	for _, name := range []string{"oom_score_adj", "coredump_filter"} {
		b, err := os.ReadFile("/proc/self/" + name)
		a[name] = strings.TrimSpace(string(b))
		if err != nil {
			a[name] = err.Error()
		}
	}
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		switch k, v, _ := strings.Cut(l, ":"); k {
		case "SigIgn", "SigBlk", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Cpus_allowed_list", "NoNewPrivs":
			a[k] = strings.TrimSpace(v)
		}
	}
	b, _ = os.ReadFile("/proc/self/limits")
	for _, l := range strings.Split(string(b), "\n")[1:] {
		if len(l) > 26 {
			a[strings.TrimSpace(l[:26])] = strings.Join(strings.Fields(l[26:]), " ")
		}
	}
	for _, n := range names("/proc/self/fd") {
		if target, err := os.Readlink("/proc/self/fd/" + n); err == nil && !strings.HasPrefix(target, "pipe:") &&
			target != "/dev/null" && !strings.Contains(target, "anon_inode") && !strings.HasPrefix(target, "/proc/") {
			a["descriptor "+n] = target
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(a))
}
