package faults

// Kind is what goes wrong.
type Kind uint8

// Kinds of faults. Those that happen at an instant are so marked; all others
// last from Fault.From until Fault.To.
const (
	// NoNetwork: the access point is switched off. It sends nothing and
	// acknowledges nothing.
	NoNetwork Kind = iota
	// WrongPassphrase: the access point has another passphrase than the one
	// it is configured with.
	WrongPassphrase
	// WeakSignal: frames of the access point arrive with Fault.Level dBm.
	WeakSignal
	// BeaconLoss: the access point sends no beacons; everything else works.
	BeaconLoss
	// RadioLoss: the access point hears, and therefore acknowledges, all but
	// Fault.PPM of the station's frames.
	RadioLoss
	// Deauth, an instant: the access point sends a deauthentication with
	// Fault.Reason.
	Deauth

	// FrameLoss: Fault.PPM of the frames between access point and router are
	// lost, in either direction.
	FrameLoss
	// FrameDuplication: Fault.PPM of the frames arrive twice.
	FrameDuplication
	// FrameDelay: every frame takes Fault.Delay longer.
	FrameDelay
	// FrameReordering: Fault.PPM of the frames are overtaken by those that
	// follow within Fault.Delay.
	FrameReordering

	// NoLease: the DHCP server is silent.
	NoLease
	// LateLease: the DHCP server answers Fault.Delay late.
	LateLease
	// LeaseChange, an instant: the DHCP server refuses the address that it
	// gave when the station wants to keep it, and offers another one.
	LeaseChange
	// DNSFailure: the name server answers with Fault.Answer.
	DNSFailure
	// TCPReset, an instant when it has a time without an end: every open
	// connection is reset. With an end, connections are also reset as soon as
	// the station has sent data.
	TCPReset
	// HalfOpen: the other end of every connection forgets it without a word;
	// its segments stay away and so do the answers to the station's.
	HalfOpen
	// SlowServer: servers take Fault.Delay for an answer.
	SlowServer
	// ClockSkew: the time server is wrong by Fault.Delay.
	ClockSkew
)

// Answer is how a name server fails.
type Answer uint8

// Failures of a name server.
const (
	// ServFail is RCODE 2.
	ServFail Answer = iota
	// NXDomain is RCODE 3: no such name.
	NXDomain
	// Silence is no answer at all.
	Silence
)

// shape says what a kind takes after its name.
type shape struct {
	name    string
	instant bool // happens at From
	percent bool // wants a percentage
	delay   bool // wants a duration
	level   bool // may have a level in dBm
	reason  bool // may have a reason code
	answer  bool // may have a way to fail
	signed  bool // its duration may be negative
	soft    bool // its duration has a default
}

// shapes is indexed by Kind; the names are those of the documents.
var shapes = [...]shape{
	NoNetwork:        {name: "no-network"},
	WrongPassphrase:  {name: "wrong-passphrase"},
	WeakSignal:       {name: "weak-signal", level: true},
	BeaconLoss:       {name: "beacon-loss"},
	RadioLoss:        {name: "radio-loss", percent: true},
	Deauth:           {name: "deauth", instant: true, reason: true},
	FrameLoss:        {name: "loss", percent: true},
	FrameDuplication: {name: "duplication", percent: true},
	FrameDelay:       {name: "delay", delay: true},
	FrameReordering:  {name: "reordering", percent: true, delay: true, soft: true},
	NoLease:          {name: "no-lease"},
	LateLease:        {name: "late-lease", delay: true},
	LeaseChange:      {name: "lease-change", instant: true},
	DNSFailure:       {name: "dns-failure", answer: true},
	TCPReset:         {name: "tcp-reset"},
	HalfOpen:         {name: "half-open"},
	SlowServer:       {name: "slow-server", delay: true},
	ClockSkew:        {name: "clock-skew", delay: true, signed: true},
}

// Kinds is how many kinds there are: they are 0 to Kinds-1.
const Kinds = len(shapes)

// String returns the name as it is written in a schedule.
func (k Kind) String() string {
	if int(k) < len(shapes) {
		return shapes[k].name
	}
	return "unknown"
}

// Instant reports whether the kind can only happen at an instant.
func (k Kind) Instant() bool { return int(k) < len(shapes) && shapes[k].instant }
