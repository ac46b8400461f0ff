package faults

// Kind is a kind of fault.
type Kind uint8

// Kinds of faults. Those marked as an instant happen at Fault.From; the others are
// active from Fault.From until Fault.To.
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
	// RadioLoss: the access point does not receive, nor acknowledge, Fault.PPM of
	// the station's frames and acknowledgements.
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

	// NoLease: the DHCP server does not answer.
	NoLease
	// LateLease: the DHCP server answers after Fault.Delay.
	LateLease
	// LeaseChange, an instant: every lease becomes void. The DHCP server refuses
	// renewals and offers other addresses.
	LeaseChange
	// DNSFailure: the name server answers with Fault.Answer.
	DNSFailure
	// TCPReset is an instant when it has a start without an end: every open
	// connection is reset. Otherwise a connection is reset as soon as the station
	// has sent data while the fault is active.
	TCPReset
	// HalfOpen: TCP segments are dropped in both directions, as if the peers had
	// disappeared.
	HalfOpen
	// SlowServer: servers answer after Fault.Delay.
	SlowServer
	// ClockSkew: the time server is off by Fault.Delay, which may be negative.
	ClockSkew
)

// Answer is the answer of a failing name server.
type Answer uint8

// Answers of a failing name server.
const (
	// ServFail is RCODE 2.
	ServFail Answer = iota
	// NXDomain is RCODE 3: no such name.
	NXDomain
	// Silence is no answer at all.
	Silence
)

// syntax describes the parameters of a kind.
type syntax struct {
	name       string
	instant    bool // happens at From
	percent    bool // has a percentage
	delay      bool // has a duration
	level      bool // may have a level in dBm
	reason     bool // may have a reason code
	answer     bool // may have an Answer
	signed     bool // its duration may be negative
	hasDefault bool // its duration may be omitted
}

// kinds is indexed by Kind.
var kinds = [...]syntax{
	NoNetwork:        {name: "no-network"},
	WrongPassphrase:  {name: "wrong-passphrase"},
	WeakSignal:       {name: "weak-signal", level: true},
	BeaconLoss:       {name: "beacon-loss"},
	RadioLoss:        {name: "radio-loss", percent: true},
	Deauth:           {name: "deauth", instant: true, reason: true},
	FrameLoss:        {name: "loss", percent: true},
	FrameDuplication: {name: "duplication", percent: true},
	FrameDelay:       {name: "delay", delay: true},
	FrameReordering:  {name: "reordering", percent: true, delay: true, hasDefault: true},
	NoLease:          {name: "no-lease"},
	LateLease:        {name: "late-lease", delay: true},
	LeaseChange:      {name: "lease-change", instant: true},
	DNSFailure:       {name: "dns-failure", answer: true},
	TCPReset:         {name: "tcp-reset"},
	HalfOpen:         {name: "half-open"},
	SlowServer:       {name: "slow-server", delay: true},
	ClockSkew:        {name: "clock-skew", delay: true, signed: true},
}

// Kinds is the number of kinds, which are 0 to Kinds-1.
const Kinds = len(kinds)

// String returns the name as it is written in a schedule.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return "unknown"
}

// Instant reports whether the kind can only happen at an instant.
func (k Kind) Instant() bool { return int(k) < len(kinds) && kinds[k].instant }
