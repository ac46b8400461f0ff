// Package lan is the network of the emulated access point: a router with DHCP,
// DNS, SNTP, ICMP, UDP and TCP over IPv4 and IPv6, and HTTP, HTTPS, echo and
// discard servers. Ethernet frames and guest time go in; Ethernet frames and the
// instant of the next deadline come out.
//
// The network is isolated unless the Config has an Uplink: no frame of the guest
// leaves it, and the same frames at the same times are answered with the same
// bytes. The package opens no connection, starts no goroutine that runs in
// parallel and reads no clock. It depends neither on the radio nor on the chip.
//
// A frame goes from ethernet.go over arp.go, ip.go, icmp.go and udp.go to the
// servers: dhcp.go, dns.go, sntp.go, echo.go. TCP is tcp_table.go (connections),
// tcp_input.go and tcp_conn.go (one connection), tcp_send.go with tcp_rto.go and
// tcp_reassembly.go (its two halves); http.go and tls.go are its endpoints, and
// site.go is what the HTTP servers answer without a handler of the user.
package lan
