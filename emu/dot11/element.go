package dot11

// Element identifiers, 9.4.2.1.
const (
	ElementSSID          = 0
	ElementRates         = 1
	ElementDS            = 3
	ElementTIM           = 5
	ElementHTCapability  = 45
	ElementRSN           = 48
	ElementExtendedRates = 50
	ElementHTOperation   = 61
	ElementVendor        = 221
)

// Element returns the body of the first element with an identifier. A truncated
// element ends the list.
func Element(list []byte, id byte) (body []byte, ok bool) {
	for len(list) >= 2 {
		n := 2 + int(list[1])
		if n > len(list) {
			return nil, false
		}
		if list[0] == id {
			return list[2:n], true
		}
		list = list[n:]
	}
	return nil, false
}

// AppendElement appends an element; a body of more than 255 bytes is truncated.
func AppendElement(b []byte, id byte, body ...byte) []byte {
	body = body[:min(len(body), 255)]
	b = append(b, id, byte(len(body)))
	return append(b, body...)
}
