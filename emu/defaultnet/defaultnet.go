// Package defaultnet names the Wi-Fi network of the emulated access point when
// nothing else is configured: for the access point itself, and for firmware that
// is built with the credentials of that network.
package defaultnet

// SSID and Passphrase are those of a WPA2 network.
const (
	SSID       = "espalier"
	Passphrase = "a trellis in the air"
)
