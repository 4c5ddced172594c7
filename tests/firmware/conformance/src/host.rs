//! The host's files and its terminal, by semihosting.

use alloc::{string::String, vec, vec::Vec};
use core::fmt::{self, Write as _};

use cortex_m_semihosting::{
    debug,
    hio::{HostStream, hstdout},
    nr::{CLOSE, FLEN, GET_CMDLINE, OPEN, READ, SEEK, open::R_BINARY},
    syscall,
};

const FAILED: usize = usize::MAX;

/// The argument that QEMU was given for the image.
pub(crate) fn argument() -> String {
    let mut buffer = vec![0u8; 1024];
    let block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: SYS_GET_CMDLINE takes the address of a buffer's address and length, and fills the buffer up to a zero byte.
    let status = unsafe { syscall(GET_CMDLINE, &block) };
    assert_eq!(status, 0, "QEMU was given no argument");
    let end = buffer.iter().position(|&byte| byte == 0).unwrap_or(buffer.len());
    buffer.truncate(end);
    String::from_utf8(buffer).expect("the argument is UTF-8")
}

/// A file of the host's, open for reading.
struct File(usize);

impl File {
    fn open(path: &str) -> Self {
        let mut name: Vec<u8> = path.into();
        name.push(0);
        // SAFETY: SYS_OPEN takes the address of a name that ends with a zero byte, a mode, and the length of the name.
        let file = unsafe { syscall(OPEN, &[name.as_ptr() as usize, R_BINARY, path.len()]) };
        assert_ne!(file, FAILED, "cannot open {path}");
        Self(file)
    }

    fn length(&self) -> usize {
        // SAFETY: SYS_FLEN takes an open file.
        let length = unsafe { syscall(FLEN, &[self.0]) };
        assert_ne!(length, FAILED, "cannot tell the length of a file");
        length
    }

    /// Fills the buffer from this place on, as far as the file goes; returns how far.
    fn read_at(&self, place: usize, buffer: &mut [u8]) -> usize {
        // SAFETY: SYS_SEEK takes an open file and a place in it.
        let status = unsafe { syscall(SEEK, &[self.0, place]) };
        assert_eq!(status, 0, "cannot seek in a file");
        // SAFETY: SYS_READ takes an open file, and the address and length of a buffer to fill.
        let missing = unsafe { syscall(READ, &[self.0, buffer.as_mut_ptr() as usize, buffer.len()]) };
        buffer.len().checked_sub(missing).expect("cannot read a file")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: SYS_CLOSE takes an open file.
        unsafe { syscall(CLOSE, &[self.0]) };
    }
}

/// A whole file.
pub(crate) fn read(path: &str) -> String {
    let file = File::open(path);
    let mut text = vec![0; file.length()];
    assert_eq!(file.read_at(0, &mut text), text.len(), "cannot read all of {path}");
    String::from_utf8(text).unwrap_or_else(|_| panic!("{path} is not UTF-8"))
}

/// The lines of a file, one by one: the whole might be too much for the heap.
pub(crate) fn lines(path: &str) -> impl Iterator<Item = String> {
    let file = File::open(path);
    let mut place = 0;
    core::iter::from_fn(move || {
        let mut buffer = vec![0; 512];
        let length = file.read_at(place, &mut buffer);
        buffer.truncate(length);
        if buffer.is_empty() {
            return None;
        }
        let end = buffer.iter().position(|&byte| byte == b'\n').expect("a line is short and ends");
        place += end + 1;
        buffer.truncate(end);
        buffer.shrink_to_fit();
        Some(String::from_utf8(buffer).expect("a line is UTF-8"))
    })
}

/// The terminal, a buffer before it: a call of the host takes long.
pub(crate) struct Output {
    stream: HostStream,
    buffer: [u8; 256],
    filled: usize,
}

impl Output {
    pub(crate) fn open() -> Self {
        let Ok(stream) = hstdout() else { exit(false) };
        Self { stream, buffer: [0; 256], filled: 0 }
    }

    pub(crate) fn flush(&mut self) {
        let _ = self.stream.write_all(&self.buffer[..self.filled]);
        self.filled = 0;
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.buffer.len() - self.filled {
            self.flush();
        }
        match self.buffer[self.filled..].get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                self.filled += text.len();
                Ok(())
            }
            None => self.stream.write_str(text),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Prints why the image cannot go on, and ends it unsuccessfully.
pub(crate) fn fail(reason: fmt::Arguments<'_>) -> ! {
    if let Ok(mut stream) = hstdout() {
        let _ = writeln!(stream, "-- {reason}");
    }
    exit(false)
}

/// Ends the image, and QEMU with it, successfully or not.
pub(crate) fn exit(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}
