package main

import "syscall"

var numbers = []call{
	{"keyctl", 250, []uintptr{0}}, {"add_key", 248, nil}, {"bpf", 321, nil}, {"perf_event_open", 298, nil},
	{"mount", 165, nil}, {"unshare", 272, []uintptr{syscall.CLONE_NEWUSER}}, {"setns", 308, nil}, {"ptrace", 101, nil},
	{"clone-newuser", 56, []uintptr{syscall.CLONE_NEWUSER | 17}},
	{"io_uring_setup", 425, nil}, {"clone3", 435, nil},
	{"tiocsti", 16, []uintptr{0, syscall.TIOCSTI}},
	{"x32", 0x40000000 + 39, nil},
	{"socket-unix", 41, []uintptr{syscall.AF_UNIX, 1}}, {"socket-inet", 41, []uintptr{syscall.AF_INET, 1}},
	{"socket-inet6", 41, []uintptr{syscall.AF_INET6, 1}}, {"socket-netlink", 41, []uintptr{syscall.AF_NETLINK, 3}},
	{"socket-packet", 41, []uintptr{syscall.AF_PACKET, 3}}, {"socket-vsock", 41, []uintptr{40, 1}},
	{"socket-alg", 41, []uintptr{syscall.AF_ALG, 5}}, {"socket-bluetooth", 41, []uintptr{syscall.AF_BLUETOOTH, 3, 1}},
	{"socketpair-unix", 53, []uintptr{syscall.AF_UNIX, 1, 0, pair()}}, {"socketpair-tipc", 53, []uintptr{syscall.AF_TIPC, 1, 0, pair()}},
	{"getpid", 39, nil},
}
