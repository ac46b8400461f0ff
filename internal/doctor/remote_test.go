package doctor

import (
	"net"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/remote"
)

// TestRemote: cache and cluster have a line each if they are configured; a server
// that does not answer is named with its cause, and what happens without it.
func TestRemote(t *testing.T) {
	s := subject(t)
	if _, ok := s.checkCache(t.Context()); ok {
		t.Error("a cache that is not configured has a line")
	}
	if _, ok := s.checkCluster(t.Context()); ok {
		t.Error("a cluster that is not configured has a line")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "grpc://" + l.Addr().String()
	l.Close()
	s.Settings = func() (*project.Project, error) {
		env := map[string]string{"ESPALIER_REMOTE_CACHE": address, "ESPALIER_REMOTE_EXECUTE": address}
		o := s.Options
		o.Lookup = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
		return project.Settings(s.Dir, o)
	}
	s.OpenCache = func(c project.RemoteConfig) (*remote.Cache, error) {
		return remote.New(remote.Config{Address: c.Cache.V})
	}
	s.OpenCluster = func(c project.RemoteConfig, local action.Executor) (*remote.Cluster, error) {
		if local != nil {
			t.Error("the check runs steps here")
		}
		return remote.NewCluster(remote.Config{Address: c.Execute.V}, remote.Config{Address: c.Execute.V})
	}
	f, ok := s.checkCache(t.Context())
	if !ok || f.OK || fault.KindOf(f.Err) != fault.Usage || !strings.Contains(f.Text, address+" (environment ESPALIER_REMOTE_CACHE), read: connecting: ") || !strings.Contains(f.Text, "go on without it") {
		t.Errorf("%+v", f)
	}
	f, ok = s.checkCluster(t.Context())
	if !ok || f.OK || fault.KindOf(f.Err) != fault.Usage || !strings.Contains(f.Text, address+" (environment ESPALIER_REMOTE_EXECUTE): connecting: ") || !strings.Contains(f.Text, "on this machine") {
		t.Errorf("%+v", f)
	}
	// Offline, neither is opened.
	s.OpenCache = func(project.RemoteConfig) (*remote.Cache, error) { return nil, nil }
	s.OpenCluster = func(project.RemoteConfig, action.Executor) (*remote.Cluster, error) { return nil, nil }
	if f, _ := s.checkCache(t.Context()); !f.OK || !strings.Contains(f.Text, "--offline") {
		t.Errorf("%+v", f)
	}
	if f, _ := s.checkCluster(t.Context()); !f.OK || !strings.Contains(f.Text, "--offline") {
		t.Errorf("%+v", f)
	}
}
