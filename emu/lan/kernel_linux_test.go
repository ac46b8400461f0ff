package lan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/internal/devtest"
)

// The oracle is the TCP/IP of Linux in a network namespace, at the other end of a
// TAP device. Guest time is wall time here, so this tests that the network is
// correct, not that it is deterministic.

// onKernel runs a test in a network namespace that is a station of a network.
// Sockets must be opened by the goroutine of the test.
func onKernel(t *testing.T, cfg Config, test func(t *testing.T)) {
	t.Helper()
	ip := devtest.Tool(t, "ip")
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		devtest.Missing(t, fmt.Sprintf("a network namespace, for the kernel as a station: %v", err))
	}
	tap := openTAP(t)
	defer tap.Close()
	for _, line := range []string{
		"ip link set lo up",
		"ip link set tap0 address 02:00:00:00:00:07",
		"ip link set tap0 up",
		"ip addr add 192.168.71.100/24 dev tap0",
		"ip route add default via 192.168.71.1",
		"ip -6 addr add fd65:7370:616c::7/64 dev tap0 nodad",
	} {
		args := strings.Fields(strings.TrimPrefix(line, "ip "))
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	frames := make(chan []byte, 1024)
	stop := make(chan struct{})
	wg.Add(2)
	go func() {
		defer wg.Done()
		defer close(frames)
		for {
			b := make([]byte, 2048)
			k, err := tap.Read(b)
			if err != nil {
				return
			}
			frames <- b[:k]
		}
	}()
	go func() {
		defer wg.Done()
		start := time.Now()
		now := func() emu.Time { return emu.Time(time.Since(start)/time.Microsecond) * emu.Time(emu.Microsecond) }
		deliver := func(b []byte) { _, _ = tap.Write(b) }
		for {
			wait := time.Hour
			if at, ok := n.Next(); ok {
				if at <= now() {
					n.Advance(now(), deliver)
					continue
				}
				wait = time.Duration(emu.Duration(at - now()).Nanoseconds())
			}
			timer := time.NewTimer(wait)
			select {
			case f, ok := <-frames:
				if !ok {
					return
				}
				n.Receive(now(), f)
			case <-timer.C:
			case <-stop:
				return
			}
			timer.Stop()
		}
	}()
	test(t)
	close(stop)
	tap.Close()
	for range frames {
	}
	wg.Wait()
}

func openTAP(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		devtest.Missing(t, fmt.Sprintf("a TAP device (/dev/net/tun), for the kernel as a station: %v", err))
	}
	ifr, err := unix.NewIfreq("tap0")
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		devtest.Missing(t, fmt.Sprintf("a TAP device (/dev/net/tun), for the kernel as a station: %v", err))
	}
	return os.NewFile(uintptr(fd), "tap0")
}

func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

func ask(t *testing.T, addr, request string) string {
	t.Helper()
	c := dial(t, "tcp", addr)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestKernelAsStation(t *testing.T) {
	done := make(chan bool)
	go func() { // its locked thread ends with it
		defer close(done)
		onKernel(t, Config{Seed: 1}, func(t *testing.T) {
			answer := ask(t, "198.51.100.7:80", "GET / HTTP/1.0\r\nHost: www.mobile-j.de\r\n\r\n")
			if !strings.HasPrefix(answer, "HTTP/1.0 200 OK\r\n") || !strings.Contains(answer, "This is not www.mobile-j.de.") {
				t.Errorf("the world:\n%s", answer)
			}
			answer = ask(t, "[fd65:7370:616c::1]:80", "GET /time HTTP/1.1\r\nHost: espalier.lan\r\n\r\nGET / HTTP/1.1\r\nHost: espalier.lan\r\nConnection: close\r\n\r\n")
			if strings.Count(answer, "HTTP/1.1 200 OK\r\n") != 2 || !strings.Contains(answer, "2026-01-01T00:00:") {
				t.Errorf("two requests on one connection over IPv6:\n%s", answer)
			}
			if _, err := net.DialTimeout("tcp", "192.168.71.1:81", 5*time.Second); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("port without a server: %v", err)
			}
			ping(t, "192.168.71.1")
			ping(t, "fd65:7370:616c::1")
			lookup(t)
			refused(t)
			download(t, 3<<20)
			echo(t, 1<<20)
		})
	}()
	<-done
}

// TCP delivers the stream in order with every fault of the link.
func TestKernelOnABadWire(t *testing.T) {
	devtest.Long(t, "seconds of waiting for retransmissions")
	for _, text := range []string{"loss 5%", "duplication 30%", "reordering 20% 3ms", "delay 5ms", "loss 2%\nduplication 5%\nreordering 10%"} {
		t.Run(text, func(t *testing.T) {
			schedule, err := faults.ParseAll(strings.Split(text, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan bool)
			go func() {
				defer close(done)
				onKernel(t, Config{Seed: 7, Faults: schedule}, func(t *testing.T) {
					download(t, 300<<10)
					echo(t, 100<<10)
				})
			}()
			<-done
		})
	}
}

func ping(t *testing.T, addr string) {
	t.Helper()
	if out, err := exec.Command(devtest.Tool(t, "ping"), "-c1", "-W5", addr).CombinedOutput(); err != nil {
		t.Errorf("ping %s: %v\n%s", addr, err, out)
	}
}

func lookup(t *testing.T) {
	c := dial(t, "udp", "192.168.71.1:53")
	r := &net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, _ string) (net.Conn, error) { return c, nil }}
	got, err := r.LookupNetIP(context.Background(), "ip4", "www.mobile-j.de.")
	if err != nil || len(got) != 1 || got[0].Unmap() != netip.MustParseAddr("198.18.0.1") {
		t.Errorf("www.mobile-j.de is %v, %v", got, err)
	}
}

// refused sends to a UDP port without a server and expects an ICMP error.
func refused(t *testing.T) {
	c := dial(t, "udp", "192.168.71.1:4711")
	_, _ = c.Write([]byte("hello"))
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("UDP port without a server: %v", err)
	}
}

func download(t *testing.T, size int) {
	t.Helper()
	answer := ask(t, "192.168.71.1:80", fmt.Sprintf("GET /bytes/%d HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", size))
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	if len(body) != size {
		t.Fatalf("%d bytes of %d", len(body), size)
	}
	for i := range body {
		if body[i] != byte(i) {
			t.Fatalf("byte %d is %#x", i, body[i])
		}
	}
}

func echo(t *testing.T, size int) {
	t.Helper()
	c := dial(t, "tcp", "192.168.71.1:7")
	want := make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range want {
		want[i] = byte(r.Uint32())
	}
	go func() {
		_, _ = c.Write(want)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("echo of %d bytes gives %d, %v", len(want), len(got), err)
	}
}
