package lan

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

func TestLease(t *testing.T) {
	s := newStation(t, Config{})
	s.join()
	if s.ip != FirstLease() {
		t.Errorf("first lease is %s", s.ip)
	}
	other := *s
	other.mac[5] = 8
	other.join()
	if other.ip == s.ip {
		t.Errorf("two stations have %s", s.ip)
	}
	s.now = other.now
	if kind, _ := s.dhcp(dhcpRequest, netip.Addr{}, other.ip, emu.Second); kind != dhcpNak {
		t.Errorf("the address of another station: answer %d", kind)
	}
	if kind, got := s.dhcp(dhcpRequest, s.ip, netip.Addr{}, emu.Second); kind != dhcpAck || got != s.ip {
		t.Errorf("renewal: answer %d, %s", kind, got)
	}
	// A hostile station that asks for every address does not affect the leases of
	// others, and offers that are not requested are made again.
	other.now = s.now
	for i := range 300 {
		other.mac[3], other.mac[4] = byte(i>>8), byte(i)
		other.dhcp(dhcpDiscover, netip.Addr{}, netip.Addr{}, emu.Millisecond)
	}
	s.now = max(s.now, other.now)
	if kind, got := s.dhcp(dhcpRequest, s.ip, netip.Addr{}, emu.Second); kind != dhcpAck || got != s.ip {
		t.Errorf("renewal after a hostile station: answer %d, %s", kind, got)
	}
}

func TestNames(t *testing.T) {
	s := newStation(t, Config{Names: map[string]netip.Addr{"nas.home": netip.MustParseAddr("192.0.2.9"), "six.home": netip.MustParseAddr("2001:db8::9")}})
	s.join()
	for _, tc := range []struct {
		name  string
		qtype dnsmessage.Type
		rcode dnsmessage.RCode
		want  string
	}{
		{"espalier.lan", dnsmessage.TypeA, 0, "192.168.71.1"},
		{"time.Espalier.LAN", dnsmessage.TypeAAAA, 0, "fd65:7370:616c::1"},
		{"www.mobile-j.de", dnsmessage.TypeA, 0, "198.18.0.1"},
		{"www.example.com", dnsmessage.TypeA, 0, "198.18.0.2"},
		{"WWW.mobile-j.de", dnsmessage.TypeA, 0, "198.18.0.1"},
		{"www.mobile-j.de", dnsmessage.TypeAAAA, 0, ""},
		{"nas.home", dnsmessage.TypeA, 0, "192.0.2.9"},
		{"six.home", dnsmessage.TypeA, 0, ""},
		{"six.home", dnsmessage.TypeAAAA, 0, "2001:db8::9"},
		{"host.invalid", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"espalier.lan", 16, 0, ""},
	} {
		t.Run(fmt.Sprintf("%s %d", tc.name, tc.qtype), func(t *testing.T) {
			m := s.lookup(tc.name, tc.qtype)
			if m == nil || m.RCode != tc.rcode || m.Questions[0].Name.String() != tc.name+"." {
				t.Fatalf("response %v", m)
			}
			var want []netip.Addr
			if tc.want != "" {
				want = append(want, netip.MustParseAddr(tc.want))
			}
			if got := addresses(m); !slices.Equal(got, want) {
				t.Errorf("addresses %v, want %v", got, want)
			}
		})
	}
}

func TestTimeOfDay(t *testing.T) {
	ask := func(s *station) time.Time {
		q := make([]byte, ntpSize)
		q[0] = 4<<3 | 3
		copy(q[40:], "original")
		a := s.ask(netip.AddrPortFrom(gateway4, portNTP), q, emu.Second)
		if len(a) != 1 || string(a[0][24:32]) != "original" || a[0][0] != 4<<3|4 {
			t.Fatalf("answers % x", a)
		}
		stamp := binary.BigEndian.Uint64(a[0][40:])
		return time.Unix(int64(stamp>>32)-2208988800, int64(stamp&0xffffffff*1e9>>32)).UTC()
	}
	for _, tc := range []struct {
		text string
		want time.Duration
	}{{"", 0}, {"clock-skew -1h", -time.Hour}, {"clock-skew 90s", 90 * time.Second}} {
		t.Run(tc.text, func(t *testing.T) {
			var list faults.Schedule
			if tc.text != "" {
				list = schedule(t, tc.text)
			}
			s := newStation(t, Config{Faults: list})
			s.join()
			before := time.Duration(emu.Duration(s.now).Nanoseconds())
			if got := ask(s).Sub(DefaultEpoch()) - before; got < tc.want-time.Millisecond || got > tc.want+time.Millisecond {
				t.Errorf("off by %s, want %s", got, tc.want)
			}
		})
	}
}

func TestPages(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("<p>hello")}, "a/b.txt": {Data: []byte("b")}, "a/index.html": {Data: []byte("index")}}
	for _, tc := range []struct {
		name    string
		files   bool
		request string
		want    []string
	}{
		{"article", false, "GET / HTTP/1.0\r\nHost: www.mobile-j.de\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "This is not www.mobile-j.de."}},
		{"no host", false, "GET / HTTP/1.0\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "This is not 198.18.0.1."}},
		{"home", false, "GET / HTTP/1.1\r\nHost: espalier.lan\r\nConnection: close\r\n\r\n", []string{"HTTP/1.1 200 OK\r\n", "Hello from espalier.lan", "Date: Thu, 01 Jan 2026 00:00:0"}},
		{"absolute", false, "GET http://espalier.lan/time HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []string{"200 OK", "2026-01-01T00:00:0"}},
		{"captive", false, "GET / HTTP/1.0\r\nHost: captive.espalier.lan\r\n\r\n", []string{"HTTP/1.0 500 Internal Server Error\r\n"}},
		{"echo", false, "POST /echo HTTP/1.0\r\nHost: espalier.lan\r\nContent-Length: 5\r\n\r\nhello", []string{"200 OK", "\r\n\r\nhello"}},
		{"head", false, "HEAD / HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", []string{"200 OK", "Content-Length: 236"}},
		{"post", false, "POST / HTTP/1.0\r\nHost: espalier.lan\r\nContent-Length: 0\r\n\r\n", []string{"405 Method Not Allowed"}},
		{"nowhere", false, "GET /x HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", []string{"404 Not Found"}},
		{"nonsense", false, "hello\r\n\r\n", []string{"HTTP/1.1 400 Bad Request"}},
		{"chunked", false, "POST /echo HTTP/1.1\r\nHost: espalier.lan\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", []string{"200 OK", "\r\n\r\nhello"}},
		{"gzip", false, "POST /echo HTTP/1.1\r\nHost: espalier.lan\r\nTransfer-Encoding: gzip\r\n\r\n", []string{"501 Not Implemented"}},
		{"too long", false, "GET / HTTP/1.1\r\nHost: espalier.lan\r\nContent-Length: 99999999\r\n\r\n", []string{"413 Request Entity Too Large"}},
		{"version", false, "GET / HTTP/2.0\r\n\r\n", []string{"505 HTTP Version"}},
		{"file", true, "GET / HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", []string{"text/html", "<p>hello"}},
		{"folder", true, "GET /a HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", []string{"301 Moved Permanently", "Location: /a/\r\n"}},
		{"folder's index", true, "GET /a/ HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", []string{"200 OK", "index"}},
		{"outside", true, "GET /../../etc/passwd HTTP/1.0\r\nHost: espalier.lan\r\n\r\n", []string{"404 Not Found"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := Config{}
			if tc.files {
				cfg.Files = files
			}
			s := newStation(t, cfg)
			s.join()
			c := s.connect(netip.AddrPortFrom(netip.MustParseAddr("198.18.0.1"), portHTTP))
			c.write(tc.request)
			c.wait(50 * emu.Millisecond)
			for _, w := range tc.want {
				if !strings.Contains(string(c.data), w) {
					t.Errorf("%q is not in\n%s", w, c.data)
				}
			}
			if !c.ended || c.reset {
				t.Errorf("connection not closed: ended %v, reset %v", c.ended, c.reset)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Run("no lease", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "from 0s to 3s no-lease")})
		if kind, _ := s.dhcp(dhcpDiscover, netip.Addr{}, netip.Addr{}, 2*emu.Second); kind != 0 {
			t.Errorf("answer %d", kind)
		}
		s.wait(2 * emu.Second)
		s.join()
	})
	t.Run("late lease", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "late-lease 2s")})
		if kind, _ := s.dhcp(dhcpDiscover, netip.Addr{}, netip.Addr{}, 1900*emu.Millisecond); kind != 0 {
			t.Errorf("answer %d too early", kind)
		}
		s.wait(200 * emu.Millisecond)
		if len(s.packets()) != 1 {
			t.Error("no answer after 2 s")
		}
	})
	t.Run("lease change", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "at 10s lease-change")})
		s.join()
		was := s.ip
		s.wait(10 * emu.Second)
		if kind, _ := s.dhcp(dhcpRequest, was, netip.Addr{}, emu.Second); kind != dhcpNak {
			t.Errorf("renewal: answer %d", kind)
		}
		s.join()
		if s.ip == was {
			t.Errorf("still %s", was)
		}
	})
	for _, tc := range []struct {
		text  string
		rcode dnsmessage.RCode
		none  bool
	}{{"dns-failure", dnsmessage.RCodeServerFailure, false}, {"dns-failure nxdomain", dnsmessage.RCodeNameError, false}, {"dns-failure silence", 0, true}} {
		t.Run(tc.text, func(t *testing.T) {
			s := newStation(t, Config{Faults: schedule(t, tc.text)})
			s.join()
			m := s.lookup("espalier.lan", dnsmessage.TypeA)
			if (m == nil) != tc.none || m != nil && m.RCode != tc.rcode {
				t.Errorf("response %v", m)
			}
		})
	}
	t.Run("tcp reset at an instant", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "at 10s tcp-reset")})
		s.join()
		c := s.connect(netip.AddrPortFrom(gateway4, portEcho))
		c.write("hello")
		c.wait(5 * emu.Second)
		if string(c.data) != "hello" || c.reset {
			t.Fatalf("echo %q, reset %v", c.data, c.reset)
		}
		c.wait(6 * emu.Second)
		if !c.reset {
			t.Error("not reset")
		}
		if c := s.get("espalier.lan", emu.Second); !c.ended {
			t.Error("no connection after the reset")
		}
	})
	t.Run("tcp reset for a while", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "tcp-reset")})
		s.join()
		if c := s.get("espalier.lan", emu.Second); !c.reset {
			t.Error("not reset")
		}
	})
	t.Run("half-open", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "from 5s to 20s half-open")})
		s.join()
		c := s.connect(netip.AddrPortFrom(gateway4, portEcho))
		s.wait(4 * emu.Second)
		c.write("hello")
		c.wait(10 * emu.Second)
		if len(c.data) > 0 || c.reset {
			t.Errorf("answer %q, reset %v", c.data, c.reset)
		}
	})
	t.Run("slow server", func(t *testing.T) {
		s := newStation(t, Config{Faults: schedule(t, "slow-server 3s")})
		s.join()
		if c := s.get("espalier.lan", 2900*emu.Millisecond); len(c.data) > 0 {
			t.Error("answer too early")
		} else if c.wait(200 * emu.Millisecond); !c.ended {
			t.Error("no answer after 3 s")
		}
	})
	t.Run("loss, duplication, delay", func(t *testing.T) {
		for text, want := range map[string][2]int{"loss 50%": {20, 80}, "duplication 50%": {120, 180}, "delay 100ms": {100, 100}} {
			s := newStation(t, Config{Faults: schedule(t, "at 10s for 1m "+text)})
			s.join()
			s.wait(10 * emu.Second)
			got := 0
			for range 100 {
				got += len(s.ask(netip.AddrPortFrom(gateway4, portEcho), []byte("x"), 500*emu.Millisecond))
			}
			if strings.HasPrefix(text, "loss") {
				want = [2]int{10, 45} // both ways
			} else if strings.HasPrefix(text, "dup") {
				want = [2]int{180, 280}
			}
			if got < want[0] || got > want[1] {
				t.Errorf("%s: %d answers to 100 questions", text, got)
			}
		}
	})
}

// The same frames at the same times are answered with the same bytes.
func TestDeterminism(t *testing.T) {
	run := func(seed uint64) uint64 {
		h := fnv.New64a()
		s := newStation(t, Config{Seed: seed, Faults: schedule(t, "loss 3%", "duplication 5%", "reordering 20%", "at 9s lease-change"),
			Capture: func(at emu.Time, b []byte) { fmt.Fprintf(h, "%d %x\n", at, b) }})
		for range 20 {
			if _, offer := s.dhcp(dhcpDiscover, netip.Addr{}, netip.Addr{}, emu.Second); offer.IsValid() {
				if kind, ip := s.dhcp(dhcpRequest, netip.Addr{}, offer, emu.Second); kind == dhcpAck {
					s.ip = ip
				}
			}
			if s.ip.IsValid() {
				s.lookup("www.example.com", dnsmessage.TypeA)
				s.get("www.example.com", 3*emu.Second)
			}
		}
		return h.Sum64()
	}
	first := run(1)
	for range 5 {
		if again := run(1); again != first {
			t.Fatalf("%x and %x", first, again)
		}
	}
	if run(2) == first {
		t.Error("the seed changes nothing")
	}
}

// The connections of a hostile guest are bounded, and all of them end.
func TestBounds(t *testing.T) {
	s := newStation(t, Config{})
	s.join()
	for i := range 3000 {
		from := netip.AddrPortFrom(s.ip, uint16(1024+i))
		s.sendIP(gateway4, protoTCP, appendTCP(nil, segment{src: from, dst: netip.AddrPortFrom(gateway4, portHTTP), seq: 5, flags: tcpSYN, window: 1}))
	}
	if len(s.n.tcp.order) != maxConns {
		t.Errorf("%d connections", len(s.n.tcp.order))
	}
	s.wait(1000 * emu.Second)
	if len(s.n.tcp.order) != 0 || len(s.n.timers.heap) != 0 || len(s.n.tcp.byTuple) != 0 {
		t.Errorf("%d connections and %d timers are left", len(s.n.tcp.order), len(s.n.timers.heap))
	}
	c := s.connect(netip.AddrPortFrom(gateway4, portHTTP))
	for range 100 {
		c.write(strings.Repeat("a", 1000))
	}
	c.wait(emu.Second)
	if !c.ended || !strings.Contains(string(c.data), "431") {
		t.Errorf("an endless head: %q", c.data)
	}
}
