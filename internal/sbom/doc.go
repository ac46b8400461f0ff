// Package sbom writes a bill of materials of a firmware: what is in the flash
// image, and what it was made with. A Bill is complete when it is constructed;
// CycloneDX and SPDX encode it, and equal bills give equal bytes. The package
// reads no files and does not decide what is in a firmware.
package sbom
