package lan

// echoServer sends back what it gets (RFC 862).
type echoServer struct {
	n      *Network
	held   int // bytes that a slow server has not answered yet
	unsent int
}

func (e *echoServer) opened(*conn) {}
func (e *echoServer) received(c *conn, data []byte) {
	b := append([]byte(nil), data...)
	e.held += len(b)
	e.n.service(func() {
		e.held -= len(b)
		c.write(b)
		e.unsent = len(c.buf)
	})
}
func (e *echoServer) ended(c *conn) { e.n.service(c.close) }
func (e *echoServer) acked(c *conn) {
	e.unsent = len(c.buf)
	c.reopen()
}
func (e *echoServer) gone(*conn, bool) {}

// window bounds what a station can have echoed without reading it.
func (e *echoServer) window() int { return maxWindow - e.held - e.unsent }

// discardServer swallows everything (RFC 863).
type discardServer struct{}

func (discardServer) opened(*conn)           {}
func (discardServer) received(*conn, []byte) {}
func (discardServer) ended(c *conn)          { c.close() }
func (discardServer) acked(*conn)            {}
func (discardServer) gone(*conn, bool)       {}
func (discardServer) window() int            { return maxWindow }
