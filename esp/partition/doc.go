// Package partition reads and writes ESP-IDF partition tables: the CSV that
// people write and the binary form in flash. The input is either form, the output
// is a Table whose rules have been checked, or an error that names the line
// and column, or the partitions, at fault. It knows no files and nothing of
// images.
//
// Sources: ESP-IDF Programming Guide, "Partition Tables" (CSV and rules);
// components/bootloader_support, esp_flash_partitions.h (binary entries).
package partition
