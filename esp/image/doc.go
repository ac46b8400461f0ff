// Package image makes and reads the content of an ESP32-C3's flash: the
// application image that the second-stage bootloader loads, the bootloader's
// own header, and the merged image of a whole flash. An ELF, a bootloader and
// a partition table come in as bytes and values; a Flash goes out, byte for
// byte what espflash save-image writes for the same inputs. The readers take
// any image apart again and say what the boot chain would refuse. It knows no
// files, no clock and no chip but the ESP32-C3.
//
// Sources: the Espressif firmware image format page; ESP-IDF,
// bootloader_support/src/esp_image_format.c (what is checked at boot) and
// esp_app_format (headers, application descriptor).
package image
