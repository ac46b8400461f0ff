package c3

import "espalier.dev/espalier/emu/chip"

// USB_SERIAL_JTAG registers, TRM 30.6.
const (
	usbEP1      = 0x00
	usbEP1Conf  = 0x04
	usbIntRaw   = 0x08
	usbIntSt    = 0x0c
	usbIntEna   = 0x10
	usbIntClr   = 0x14
	usbConf0    = 0x18
	usbJFIFOSt  = 0x20
	usbFramNum  = 0x24
	usbInEP0St  = 0x28
	usbInEP1St  = 0x2c
	usbOutEP1St = 0x3c
	usbMemConf  = 0x48

	usbWrDone      = 1 << 0
	usbInDataFree  = 1 << 1
	usbOutDataAvai = 1 << 2

	usbIntSOF      = 1 << 1
	usbIntOutRecv  = 1 << 2
	usbIntInEmpty  = 1 << 3
	usbIntInToken  = 1 << 8
	usbIntBusReset = 1 << 9

	usbPacket = 64

	// usbFrame is the time between start-of-frame packets, usbTransfer the
	// duration of a full 64-byte bulk transaction at full speed.
	usbFrame    = chip.Millisecond
	usbTransfer = 50 * chip.Microsecond
)

// usbSerialJTAG is the serial half of USB_SERIAL_JTAG, TRM 30. With a host it
// counts frames, a packet that the guest completes is sent after one bus
// transaction, and bytes from the host arrive in packets of up to 64 bytes as
// soon as the previous packet has been read. Without a host the endpoint fills
// up and stays full.
type usbSerialJTAG struct {
	block
	soc  *soc
	intr interrupts
	s    struct {
		Host    bool
		In      [usbPacket]byte // guest to host
		InCount uint32
		InBusy  bool // a packet waits for the host
		Out     [usbPacket]byte
		OutHead uint32
		OutLen  uint32
		Frame   uint32
	}
	waiting []byte
	sof     *chip.Timer
	take    *chip.Timer // the host reads the IN packet
	bring   *chip.Timer // the host sends an OUT packet
}

func newUSBSerialJTAG(c *soc) *usbSerialJTAG {
	u := &usbSerialJTAG{soc: c}
	u.intr.line = c.intc.source(srcUSBSerialJTAG)
	u.sof = c.m.NewTimer(u.frame)
	u.take = c.m.NewTimer(u.taken)
	u.bring = c.m.NewTimer(u.receive)
	u.block = newBlock("USB_SERIAL_JTAG", 0x60043000, []reg{
		{usbEP1, "EP1", 0}, {usbEP1Conf, "EP1_CONF", 0}, {usbIntRaw, "INT_RAW", 0}, {usbIntSt, "INT_ST", 0}, {usbIntEna, "INT_ENA", 0},
		{usbIntClr, "INT_CLR", 0}, {usbConf0, "CONF0", 0x4200}, {0x1c, "TEST", 0}, {usbJFIFOSt, "JFIFO_ST", 0x44}, {usbFramNum, "FRAM_NUM", 0},
		{usbInEP0St, "IN_EP0_ST", 1}, {usbInEP1St, "IN_EP1_ST", 1}, {0x30, "IN_EP2_ST", 1}, {0x34, "IN_EP3_ST", 1}, {0x38, "OUT_EP0_ST", 0},
		{usbOutEP1St, "OUT_EP1_ST", 0}, {0x40, "OUT_EP2_ST", 0}, {0x44, "MISC_CONF", 0}, {usbMemConf, "MEM_CONF", 2}, {0x80, "DATE", 0x2007300},
	})
	u.mark(varies, usbEP1)
	u.intr.Raw = usbIntInEmpty
	return u
}

func (u *usbSerialJTAG) read(off uint32) uint32 {
	switch off {
	case usbEP1:
		return uint32(u.pop())
	case usbEP1Conf:
		var v uint32
		if !u.s.InBusy && u.s.InCount < usbPacket {
			v |= usbInDataFree
		}
		if u.s.OutHead < u.s.OutLen {
			v |= usbOutDataAvai
		}
		return v
	case usbIntRaw:
		return u.intr.Raw
	case usbIntSt:
		return u.intr.status()
	case usbIntEna:
		return u.intr.Ena
	case usbFramNum:
		return u.s.Frame & 0x7ff
	case usbOutEP1St:
		// OUT_EP1_REC_DATA_CNT 22:16
		return (u.s.OutLen - u.s.OutHead) << 16
	}
	return u.block.read(off)
}

func (u *usbSerialJTAG) write(off, v uint32) {
	switch off {
	case usbEP1:
		if !u.s.InBusy && u.s.InCount < usbPacket {
			u.s.In[u.s.InCount] = byte(v)
			u.s.InCount++
			u.intr.clear(usbIntInEmpty)
			if u.s.InCount == usbPacket {
				u.flush()
			}
		}
	case usbEP1Conf:
		if v&usbWrDone != 0 {
			u.flush()
		}
	case usbIntEna:
		u.intr.enable(v)
	case usbIntClr:
		u.intr.clear(v)
	case usbIntRaw, usbIntSt, usbFramNum, usbJFIFOSt, usbInEP0St, usbInEP1St, usbOutEP1St:
	default:
		u.block.write(off, v)
	}
}

// flush passes the packet to the bus.
func (u *usbSerialJTAG) flush() {
	if u.s.InBusy || u.s.InCount == 0 {
		return
	}
	u.s.InBusy = true
	if u.s.Host {
		u.take.Set(u.soc.m.Now().Add(usbTransfer))
	}
}

// taken completes the IN transaction.
func (u *usbSerialJTAG) taken() {
	n := u.s.InCount
	u.s.InCount, u.s.InBusy = 0, false
	u.intr.raise(usbIntInEmpty | usbIntInToken)
	u.soc.m.Emit(chip.USB, u.s.In[:n]...)
}

// send queues bytes from the host.
func (u *usbSerialJTAG) send(p []byte) {
	u.waiting = append(u.waiting, p...)
	u.soc.rtc.wake(wakeUSB)
	u.listen()
}

func (u *usbSerialJTAG) listen() {
	if u.s.Host && len(u.waiting) > 0 && u.s.OutHead == u.s.OutLen && !u.bring.Armed() {
		u.bring.Set(u.soc.m.Now().Add(usbTransfer))
	}
}

func (u *usbSerialJTAG) receive() {
	if len(u.waiting) == 0 || u.s.OutHead != u.s.OutLen {
		return
	}
	n := copy(u.s.Out[:], u.waiting)
	u.waiting = u.waiting[n:]
	u.s.OutHead, u.s.OutLen = 0, uint32(n)
	u.intr.raise(usbIntOutRecv)
}

func (u *usbSerialJTAG) pop() byte {
	if u.s.OutHead == u.s.OutLen {
		return 0
	}
	b := u.s.Out[u.s.OutHead]
	u.s.OutHead++
	u.listen()
	return b
}

// plug connects or removes the host.
func (u *usbSerialJTAG) plug(present bool) {
	if u.s.Host == present {
		return
	}
	u.s.Host = present
	if !present {
		u.sof.Stop()
		u.take.Stop()
		u.bring.Stop()
		return
	}
	u.intr.raise(usbIntBusReset)
	u.soc.rtc.wake(wakeUSB)
	u.sof.Set(u.soc.m.Now().Add(usbFrame))
	if u.s.InBusy {
		u.take.Set(u.soc.m.Now().Add(usbTransfer))
	}
	u.listen()
}

func (u *usbSerialJTAG) frame() {
	u.s.Frame++
	u.intr.raise(usbIntSOF)
	u.sof.Set(u.soc.m.Now().Add(usbFrame))
}

// reset keeps the host connection and undelivered input; the packet in flight
// is lost, as on silicon.
func (u *usbSerialJTAG) reset() {
	u.block.reset()
	u.s.InCount, u.s.InBusy, u.s.OutHead, u.s.OutLen = 0, false, 0, 0
	u.take.Stop()
	u.intr.reset(usbIntInEmpty)
	u.listen()
}

func (u *usbSerialJTAG) state(s *chip.State) {
	s.Fixed(&u.words, &u.s, &u.intr.Raw, &u.intr.Ena)
	s.Bytes(&u.waiting)
}
