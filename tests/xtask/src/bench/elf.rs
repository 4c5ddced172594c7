//! The little that a size needs of an ELF file: 32 bits, little-endian, as Cortex-M's are.

/// Bytes that a program takes before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Vectors, code, constants, and the first values of variables.
    pub(super) flash: u64,
    /// Variables, without the stack.
    pub(super) ram: u64,
}

/// Where RAM starts on every Cortex-M.
const RAM: u32 = 0x2000_0000;
const PROGRAM_DATA: u32 = 1;
const NO_DATA: u32 = 8;
const OCCUPIES_MEMORY: u32 = 2;

/// The size of a program; `None` if this is no such file.
pub(super) fn size(file: &[u8]) -> Option<Size> {
    if !file.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (table, each, count) = (word(file, 32)? as usize, half(file, 46)?, half(file, 48)?);
    let mut size = Size::default();
    for n in 0..count {
        let header = file.get(table + n * each..)?;
        let (kind, flags) = (word(header, 4)?, word(header, 8)?);
        let (address, bytes) = (word(header, 12)?, u64::from(word(header, 20)?));
        if flags & OCCUPIES_MEMORY == 0 {
            continue;
        }
        if kind != NO_DATA {
            size.flash += bytes;
        }
        if address >= RAM && matches!(kind, PROGRAM_DATA | NO_DATA) {
            size.ram += bytes;
        }
    }
    Some(size)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(kind: u32, flags: u32, address: u32, bytes: u32) -> Vec<u8> {
        [0, kind, flags, address, 0, bytes, 0, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn code_is_flash_zeroed_variables_are_ram_and_the_others_are_both() {
        let mut file = b"\x7fELF\x01\x01".to_vec();
        file.resize(52, 0);
        file[32] = 52;
        file[46] = 40;
        file[48] = 4;
        file.extend(section(PROGRAM_DATA, OCCUPIES_MEMORY | 4, 0, 100));
        file.extend(section(PROGRAM_DATA, OCCUPIES_MEMORY | 1, RAM, 10));
        file.extend(section(NO_DATA, OCCUPIES_MEMORY | 1, RAM + 10, 7));
        file.extend(section(PROGRAM_DATA, 0, 0, 5000));
        assert_eq!(size(&file), Some(Size { flash: 110, ram: 17 }));
    }

    #[test]
    fn something_else_has_no_size() {
        assert_eq!(size(b"\x7fELF\x02\x01"), None);
        assert_eq!(size(b"\x7fELF\x01\x01 short"), None);
    }
}
