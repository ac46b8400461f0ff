package lan

// echoServer sends back what it gets (RFC 862).
type echoServer struct {
	n      *Network
	held   int // bytes that a slow server has not answered yet
	unsent int
}

func (e *echoServer) opened(link) {}
func (e *echoServer) received(l link, data []byte) {
	b := append([]byte(nil), data...)
	e.held += len(b)
	e.n.service(func() {
		e.held -= len(b)
		l.write(b)
		e.unsent = l.unsent()
	})
}
func (e *echoServer) ended(l link) { e.n.service(l.close) }
func (e *echoServer) acked(l link) {
	e.unsent = l.unsent()
	l.reopen()
}
func (e *echoServer) gone(link, bool) {}

// window bounds what a station can have echoed without reading it.
func (e *echoServer) window() int { return maxWindow - e.held - e.unsent }

// discardServer swallows everything (RFC 863).
type discardServer struct{}

func (discardServer) opened(link)           {}
func (discardServer) received(link, []byte) {}
func (discardServer) ended(l link)          { l.close() }
func (discardServer) acked(link)            {}
func (discardServer) gone(link, bool)       {}
func (discardServer) window() int           { return maxWindow }
