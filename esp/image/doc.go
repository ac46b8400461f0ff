// Package image makes and reads the content of an ESP32-C3's flash: the
// application image that the second-stage bootloader loads, the bootloader's
// own header, and the merged image of a whole flash. The inputs are the bytes of
// an ELF and a bootloader, and a partition table; the result is a Flash, byte for
// byte what espflash save-image writes for the same inputs. The readers decode
// any image and report what the ROM or the bootloader would refuse. The package
// uses no files and no clock, and supports no chip but the ESP32-C3.
//
// Sources: the Espressif firmware image format page; ESP-IDF,
// bootloader_support/src/esp_image_format.c (what is checked at boot) and
// esp_app_format (headers, application descriptor).
package image
