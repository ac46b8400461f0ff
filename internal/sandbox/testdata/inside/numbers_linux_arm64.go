package main

import "syscall"

var numbers = []call{
	{"keyctl", 219, []uintptr{0}}, {"add_key", 217, nil}, {"bpf", 280, nil}, {"perf_event_open", 241, nil},
	{"mount", 40, nil}, {"unshare", 97, []uintptr{syscall.CLONE_NEWUSER}}, {"setns", 268, nil}, {"ptrace", 117, nil},
	{"clone-newuser", 220, []uintptr{syscall.CLONE_NEWUSER | 17}},
	{"io_uring_setup", 425, nil}, {"clone3", 435, nil},
	{"tiocsti", 29, []uintptr{0, syscall.TIOCSTI}},
	{"socket-unix", 198, []uintptr{syscall.AF_UNIX, 1}}, {"socket-inet", 198, []uintptr{syscall.AF_INET, 1}},
	{"getpid", 172, nil},
}
