//! The network to join: as the board's partition "nvs" says, else as the program
//! was compiled. A name and a passphrase in the partition are not in the program,
//! so one program is for all boards and can be given to others.

use alloc::string::String;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use esp_bootloader_esp_idf::partitions::{
    self, DataPartitionSubType, FlashRegion, PARTITION_TABLE_MAX_LEN, PartitionType,
};
use esp_hal::peripherals::FLASH;
use esp_nvs::{Key, Nvs, platform::Crc};
use esp_storage::FlashStorage;

// From the environment or [env] in .cargo/config.toml.
const SSID: &str = env!("SSID");
const PASSWORD: &str = env!("PASSWORD");

pub struct Wifi {
    pub ssid: String,
    pub password: String,
    pub stored: bool, // in the partition
}

/// The values "ssid" and "password" in the namespace "wifi", when both are there.
pub fn wifi(flash: FLASH<'_>) -> Wifi {
    match stored(flash) {
        Some((ssid, password)) => Wifi {
            ssid,
            password,
            stored: true,
        },
        None => Wifi {
            ssid: SSID.into(),
            password: PASSWORD.into(),
            stored: false,
        },
    }
}

fn stored(flash: FLASH<'_>) -> Option<(String, String)> {
    let mut flash = FlashStorage::new(flash);
    let mut buffer = [0; PARTITION_TABLE_MAX_LEN];
    let table = partitions::read_partition_table(&mut flash, &mut buffer).ok()?;
    let entry = table
        .find_partition(PartitionType::Data(DataPartitionSubType::Nvs))
        .ok()??;
    let region = entry.as_flash_region(&mut flash);
    let size = region.partition_size();
    let mut nvs = Nvs::new(0, size, Region(region)).ok()?;
    let wifi = const { Key::from_str("wifi") };
    let ssid = nvs.get(&wifi, &const { Key::from_str("ssid") }).ok()?;
    let password = nvs.get(&wifi, &const { Key::from_str("password") }).ok()?;
    Some((ssid, password))
}

/// A partition as esp-nvs needs it.
struct Region<'a, 'd>(FlashRegion<'a, 'd>);

#[derive(Debug)]
struct Error;

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Region<'_, '_> {
    type Error = Error;
}

impl ReadNorFlash for Region<'_, '_> {
    const READ_SIZE: usize = FlashStorage::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.read(offset, bytes).map_err(|_| Error)
    }

    fn capacity(&self) -> usize {
        self.0.partition_size()
    }
}

impl NorFlash for Region<'_, '_> {
    const WRITE_SIZE: usize = FlashStorage::WRITE_SIZE;
    const ERASE_SIZE: usize = FlashStorage::ERASE_SIZE;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        self.0.write(offset, bytes).map_err(|_| Error)
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.0.erase(from, to).map_err(|_| Error)
    }
}

impl Crc for Region<'_, '_> {
    fn crc32(init: u32, data: &[u8]) -> u32 {
        esp_hal::rom::crc::crc32_le(init, data)
    }
}
