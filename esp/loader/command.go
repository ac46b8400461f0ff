package loader

import (
	"encoding/binary"
	"fmt"
	"time"
)

// opcode is a command of ROM and stub.
type opcode byte

const (
	opFlashBegin     opcode = 0x02
	opFlashData      opcode = 0x03
	opFlashEnd       opcode = 0x04
	opMemBegin       opcode = 0x05
	opMemEnd         opcode = 0x06
	opMemData        opcode = 0x07
	opSync           opcode = 0x08
	opWriteReg       opcode = 0x09
	opReadReg        opcode = 0x0a
	opSPISetParams   opcode = 0x0b
	opSPIAttach      opcode = 0x0d
	opReadFlashSlow  opcode = 0x0e // ROM only
	opChangeBaud     opcode = 0x0f
	opFlashDeflBegin opcode = 0x10
	opFlashDeflData  opcode = 0x11
	opFlashDeflEnd   opcode = 0x12
	opFlashMD5       opcode = 0x13
	opSecurityInfo   opcode = 0x14
	opEraseFlash     opcode = 0xd0 // stub only, as those below
	opEraseRegion    opcode = 0xd1
	opReadFlash      opcode = 0xd2
	opRunUserCode    opcode = 0xd3
)

func (o opcode) String() string {
	switch o {
	case opFlashBegin:
		return "FLASH_BEGIN"
	case opFlashData:
		return "FLASH_DATA"
	case opFlashEnd:
		return "FLASH_END"
	case opMemBegin:
		return "MEM_BEGIN"
	case opMemEnd:
		return "MEM_END"
	case opMemData:
		return "MEM_DATA"
	case opSync:
		return "SYNC"
	case opWriteReg:
		return "WRITE_REG"
	case opReadReg:
		return "READ_REG"
	case opSPISetParams:
		return "SPI_SET_PARAMS"
	case opSPIAttach:
		return "SPI_ATTACH"
	case opReadFlashSlow:
		return "READ_FLASH_SLOW"
	case opChangeBaud:
		return "CHANGE_BAUDRATE"
	case opFlashDeflBegin:
		return "FLASH_DEFL_BEGIN"
	case opFlashDeflData:
		return "FLASH_DEFL_DATA"
	case opFlashDeflEnd:
		return "FLASH_DEFL_END"
	case opFlashMD5:
		return "SPI_FLASH_MD5"
	case opSecurityInfo:
		return "GET_SECURITY_INFO"
	case opEraseFlash:
		return "ERASE_FLASH"
	case opEraseRegion:
		return "ERASE_REGION"
	case opReadFlash:
		return "READ_FLASH"
	case opRunUserCode:
		return "RUN_USER_CODE"
	}
	return fmt.Sprintf("command 0x%02x", byte(o))
}

// words are command data of 32-bit little-endian words.
func words(w ...uint32) []byte {
	b := make([]byte, 0, 4*len(w))
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// block is the data of a *_DATA command, and its checksum: the XOR of the
// payload. It is the only thing in the protocol that the chip can check.
func block(seq uint32, payload []byte) ([]byte, uint32) {
	sum := byte(0xef)
	for _, b := range payload {
		sum ^= b
	}
	return append(words(uint32(len(payload)), seq, 0, 0), payload...), uint32(sum)
}

// request is a command's packet before SLIP.
func request(op opcode, data []byte, sum uint32) []byte {
	p := make([]byte, 8, 8+len(data))
	p[1] = byte(op)
	binary.LittleEndian.PutUint16(p[2:], uint16(len(data)))
	binary.LittleEndian.PutUint32(p[4:], sum)
	return append(p, data...)
}

// syncData is the payload of SYNC; its 0x55 also let the ROM measure the speed.
func syncData() []byte {
	p := append(make([]byte, 0, 36), 0x07, 0x07, 0x12, 0x20)
	for range 32 {
		p = append(p, 0x55)
	}
	return p
}

// response is the chip's answer.
type response struct {
	op    opcode
	value uint32
	data  []byte // without the status
	fail  byte   // status
	code  byte   // error code
	bytes int    // of status
}

// parseResponse reads an answer with a status of n bytes: four from the ROM of
// this chip, of which it leaves the last two as they were in its buffer, two
// from the stub. SYNC is answered with the status alone, so its length says who
// answers. What is not an answer is noise.
func parseResponse(p []byte, n int) (response, bool) {
	if len(p) < 10 || p[0] != 1 {
		return response{}, false
	}
	size := int(binary.LittleEndian.Uint16(p[2:]))
	if opcode(p[1]) == opSync && (size == 2 || size == 4) {
		n = size
	}
	if size != len(p)-8 || size < n {
		return response{}, false
	}
	body, status := p[8:len(p)-n], p[len(p)-n:]
	return response{op: opcode(p[1]), value: binary.LittleEndian.Uint32(p[4:]), data: body, fail: status[0], code: status[1], bytes: n}, true
}

// Times that the chip may take. Those by size are for slow flash chips.
const (
	timeCommand = time.Second // every command that touches no flash is done in milliseconds
	timeFlash   = 3 * time.Second
	timeSync    = 100 * time.Millisecond
	timeMD5PerM = 8 * time.Second
	timeErasePM = 40 * time.Second
	timeMemEnd  = 200 * time.Millisecond
)

// timeFor is a time per megabyte for n bytes, never less than timeFlash.
func timeFor(perM time.Duration, n uint32) time.Duration {
	return max(timeFlash, time.Duration(float64(perM)*float64(n)/1e6))
}
