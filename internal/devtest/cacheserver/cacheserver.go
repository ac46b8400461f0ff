// Package cacheserver runs bazel-remote, the cache server that the tests of the
// shared cache use. Only tests import it.
package cacheserver

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
)

// Server is a running bazel-remote.
type Server struct {
	GRPC, HTTP string // host:port of its two protocols

	kill func()
}

// Kill ends the server with SIGKILL and waits until it has ended. A second call
// does nothing.
func (s *Server) Kill() { s.kill() }

// Start runs a server that keeps its content in dir until the test ends; args
// are further arguments of it.
func Start(t testing.TB, dir string, args ...string) *Server {
	t.Helper()
	program := devtest.Tool(t, "bazel-remote")
	for range 5 { // the ports may be taken in between
		var ports [2]string
		for i := range ports {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ports[i] = l.Addr().String()
			l.Close()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cmd := exec.CommandContext(ctx, program, append([]string{"--dir", filepath.Join(dir, "cache"), "--max_size", "2",
			"--http_address", ports[1], "--grpc_address", ports[0]}, args...)...)
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = log, log
		err = cmd.Start()
		log.Close()
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		s := &Server{GRPC: ports[0], HTTP: ports[1], kill: func() { cancel(); <-ended }}
		t.Cleanup(s.kill)
		if s.up(ended) {
			return s
		}
		text, _ := os.ReadFile(log.Name())
		t.Logf("bazel-remote ended:\n%s", text)
	}
	t.Fatal("bazel-remote does not start")
	return nil
}

// up waits until the server answers; false when it has ended instead.
func (s *Server) up(ended <-chan struct{}) bool {
	for {
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
		c, err := net.Dial("tcp", s.GRPC)
		if err != nil {
			continue
		}
		c.Close()
		if resp, err := http.Get("http://" + s.HTTP + "/status"); err == nil {
			resp.Body.Close()
			return true
		}
	}
}
