package lan

// echoServer sends back what it receives (RFC 862).
type echoServer struct {
	n       *Network
	waiting int // bytes whose answer the fault slow-server delays
	unacked int
}

func (e *echoServer) connected(transport) {}
func (e *echoServer) received(t transport, data []byte) {
	b := append([]byte(nil), data...)
	e.waiting += len(b)
	e.n.service(func() {
		e.waiting -= len(b)
		t.write(b)
		e.unacked = t.unacked()
	})
}
func (e *echoServer) endOfStream(t transport) { e.n.service(t.closeWrite) }
func (e *echoServer) acknowledged(t transport) {
	e.unacked = t.unacked()
	t.windowUpdate()
}
func (e *echoServer) disconnected(transport, bool) {}

// window bounds what a station can have echoed without reading it.
func (e *echoServer) window() int { return maxWindow - e.waiting - e.unacked }

// discardServer drops what it receives (RFC 863).
type discardServer struct{}

func (discardServer) connected(transport)          {}
func (discardServer) received(transport, []byte)   {}
func (discardServer) endOfStream(t transport)      { t.closeWrite() }
func (discardServer) acknowledged(transport)       {}
func (discardServer) disconnected(transport, bool) {}
func (discardServer) window() int                  { return maxWindow }
