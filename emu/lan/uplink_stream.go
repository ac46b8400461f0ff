package lan

// uplinkStream is the endpoint of a connection between a station and a Peer of
// the Uplink, and the Stream that the Uplink sees.
type uplinkStream struct {
	conn *conn // nil: refused at once
	peer Peer  // nil while the Uplink's Dial runs
	done bool  // the connection is closed
}

// maxUnacked is how many bytes of an answer, or of the outside, may wait for
// the acknowledgement of the station.
const maxUnacked = 64 << 10

func (u *uplinkStream) connected(transport)    {}
func (u *uplinkStream) acknowledged(transport) {}
func (u *uplinkStream) received(_ transport, data []byte) {
	if u.peer != nil {
		u.peer.Write(data)
	}
}
func (u *uplinkStream) endOfStream(transport) {
	if u.peer != nil {
		u.peer.CloseWrite()
	}
}
func (u *uplinkStream) disconnected(transport, bool) {
	if u.peer != nil {
		u.peer.Close()
	}
	u.done = true
}
func (u *uplinkStream) window() int {
	if u.peer == nil {
		return maxWindow
	}
	return maxWindow - u.peer.Pending()
}

func (u *uplinkStream) open() bool { return u.conn != nil && !u.done }

// Connected implements Stream, as do the methods below.
func (u *uplinkStream) Connected() {
	if u.open() {
		u.conn.accept()
	}
}

func (u *uplinkStream) Room() int {
	if !u.open() || u.conn.state != tcpEstablished {
		return 0
	}
	u.conn.windowUpdate()
	return maxUnacked - u.conn.unacked()
}

func (u *uplinkStream) Deliver(b []byte) {
	if u.open() {
		u.conn.write(b)
	}
}

func (u *uplinkStream) EOF() {
	if u.open() {
		u.conn.closeWrite()
	}
}

func (u *uplinkStream) Fail() {
	if u.open() {
		u.conn.abort()
	}
}
