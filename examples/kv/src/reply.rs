//! Replies into bytes.
//!
//! [`Reply`] is written over [`Output`]; sizes of replies are known before they are written, so that a command can ask
//! for room before it changes anything.

use crate::memory::Output;

/// The RESP2 encodings.
pub(crate) trait Reply: Output {
    /// `+text`
    fn status(&mut self, text: &str) {
        self.extend(b"+");
        self.extend(text.as_bytes());
        self.extend(b"\r\n");
    }

    /// `-text`, made of parts.
    fn error(&mut self, parts: &[&[u8]]) {
        self.extend(b"-");
        for part in parts {
            self.text(part);
        }
        self.extend(b"\r\n");
    }

    /// `:value`
    fn integer(&mut self, value: i64) {
        self.number(b':', itoa::Buffer::new().format(value));
    }

    /// `:count`
    fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A string of bytes.
    fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.extend(bytes);
        self.extend(b"\r\n");
    }

    /// The string that is not there.
    fn nil(&mut self) {
        self.extend(b"$-1\r\n");
    }

    /// The array that is not there.
    fn nil_array(&mut self) {
        self.extend(b"*-1\r\n");
    }

    /// The beginning of an array of `len` replies.
    fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// A kind and a length.
    fn header(&mut self, kind: u8, len: usize) {
        self.number(kind, itoa::Buffer::new().format(len));
    }

    /// A kind and digits, of a 64-bit number at most, in one piece: a long list has many of them.
    fn number(&mut self, kind: u8, digits: &str) {
        let mut line = [0; 23];
        let end = 1 + digits.len();
        line[0] = kind;
        line[1..end].copy_from_slice(digits.as_bytes());
        line[end..end + 2].copy_from_slice(b"\r\n");
        self.extend(&line[..end + 2]);
    }

    /// Text within a line; a line end would break the protocol and becomes a blank.
    fn text(&mut self, text: &[u8]) {
        for (index, piece) in text.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
            if index > 0 {
                self.extend(b" ");
            }
            self.extend(piece);
        }
    }
}

impl<O: Output> Reply for O {}

/// Bytes of a bulk string of `len` bytes.
pub(crate) fn bulk_size(len: usize) -> usize {
    header_size(len).saturating_add(len).saturating_add(2)
}

/// Bytes of the header of an array of `len`, or of a bulk string.
pub(crate) fn header_size(len: usize) -> usize {
    3 + itoa::Buffer::new().format(len).len()
}
