//! Requests out of bytes: an incremental parser that copies nothing.
//!
//! A client's bytes lie in one buffer. [`Parser::parse`] is called whenever there are more of them; it goes on where it
//! stopped, so no byte of a request is looked at twice, and when a request is whole its arguments are [`Span`]s into
//! the buffer. A request is either an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or a line of words
//! (`GET k\r\n`); quoted words are decoded where they lie, for that never makes them longer.
//!
//! Lengths are judged when they arrive, before the bytes they announce, so a promise of 512 MiB reserves nothing.

use crate::limits::Limits;
use crate::memory::List;
use crate::number::integer;

/// Where an argument lies, counted from the first byte of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

/// The arguments of a request, the command's name first.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments that `spans` mark in `bytes`.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, empty if there is none.
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.spans.get(index).map_or(&[], |span| slice(self.bytes, *span))
    }

    /// The arguments in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| slice(bytes, *span))
    }

    /// The arguments from `first` on.
    pub fn from(&self, first: usize) -> Self {
        Self { bytes: self.bytes, spans: self.spans.get(first..).unwrap_or(&[]) }
    }

    /// The arguments before `end`.
    pub fn to(&self, end: usize) -> Self {
        Self { bytes: self.bytes, spans: self.spans.get(..end).unwrap_or(self.spans) }
    }
}

fn slice(bytes: &[u8], span: Span) -> &[u8] {
    bytes.get(span.start as usize..(span.start + span.len) as usize).unwrap_or(&[])
}

/// What [`Parser::parse`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The request is not whole; it will have this many bytes at least.
    Partial(usize),
    /// The first so many bytes are a request whose arguments are in [`Parser::spans`]. There may be none: an empty
    /// line or array, which has no answer.
    Request(usize),
    /// Not the protocol. Nothing that follows can be trusted.
    Error(ProtocolError),
}

/// A breach of the protocol. The connection is closed after it has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number of arguments is not a number, or above [`Limits::max_args`].
    ArrayLength,
    /// The length of an argument is not a number, or above [`Limits::max_bulk`].
    BulkLength,
    /// An argument starts with this instead of `$`.
    ExpectedBulk(u8),
    /// The line with the number of arguments does not end.
    LongArrayHeader,
    /// The line with the length of an argument does not end.
    LongBulkHeader,
    /// A line of words does not end.
    LongInline,
    /// A quote is not closed, or text follows it.
    Quotes,
    /// The request as a whole is above [`Limits::max_query`].
    LongRequest,
}

impl ProtocolError {
    /// The text after `-ERR Protocol error: `; `ExpectedBulk` is followed by `'x'`.
    pub fn text(self) -> &'static str {
        match self {
            Self::ArrayLength => "invalid multibulk length",
            Self::BulkLength => "invalid bulk length",
            Self::ExpectedBulk(_) => "expected '$', got ",
            Self::LongArrayHeader => "too big mbulk count string",
            Self::LongBulkHeader => "too big bulk count string",
            Self::LongInline => "too big inline request",
            Self::Quotes => "unbalanced quotes in request",
            Self::LongRequest => "too big request",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the first byte.
    Start,
    /// Before the length of an argument; so many are missing.
    Header(usize),
    /// Before the bytes of an argument of this length; so many are missing, it included.
    Bulk(usize, usize),
}

/// A parser between two bytes.
#[derive(Debug)]
pub struct Parser<S> {
    state: State,
    /// What has been understood.
    at: usize,
    /// What has been searched for the end of the line that starts at `at`.
    searched: usize,
    spans: S,
}

impl<S: List<Span>> Default for Parser<S> {
    fn default() -> Self {
        Self { state: State::Start, at: 0, searched: 0, spans: S::default() }
    }
}

impl<S: List<Span>> Parser<S> {
    /// The arguments of the request that `parse` found.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Forgets the request, to be called when its bytes have been taken out of the buffer.
    pub fn reset(&mut self) {
        self.state = State::Start;
        (self.at, self.searched) = (0, 0);
        self.spans.clear();
    }

    /// Bytes of heap held.
    pub fn footprint(&self) -> usize {
        self.spans.footprint()
    }

    /// Goes on with the request at the start of `bytes`: the same bytes as at the last call, and perhaps more.
    pub fn parse(&mut self, bytes: &mut [u8], limits: &Limits) -> Parsed {
        match self.step(bytes, limits) {
            Ok(parsed) => parsed,
            Err(error) => Parsed::Error(error),
        }
    }

    fn step(&mut self, bytes: &mut [u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        if matches!(self.state, State::Start) {
            match bytes.first() {
                None => return Ok(Parsed::Partial(1)),
                Some(b'*') => {
                    let Some((from, to)) = self.line(bytes, limits, ProtocolError::LongArrayHeader)? else {
                        return Ok(Parsed::Partial(bytes.len() + 1));
                    };
                    let count = integer(&bytes[from + 1..to]).ok_or(ProtocolError::ArrayLength)?;
                    match usize::try_from(count) {
                        Ok(0) | Err(_) if count <= 0 => return Ok(Parsed::Request(self.at)),
                        Ok(count) if count <= limits.max_args => self.state = State::Header(count),
                        _ => return Err(ProtocolError::ArrayLength),
                    }
                }
                Some(_) => return self.inline(bytes, limits),
            }
        }
        loop {
            match self.state {
                State::Start | State::Header(0) => return Ok(Parsed::Request(self.at)),
                State::Header(missing) => {
                    let Some((from, to)) = self.line(bytes, limits, ProtocolError::LongBulkHeader)? else {
                        return Ok(Parsed::Partial(bytes.len() + 1));
                    };
                    if bytes[from] != b'$' {
                        return Err(ProtocolError::ExpectedBulk(bytes[from]));
                    }
                    let len = integer(&bytes[from + 1..to])
                        .and_then(|len| usize::try_from(len).ok())
                        .filter(|len| *len <= limits.max_bulk)
                        .ok_or(ProtocolError::BulkLength)?;
                    if len + 2 > limits.max_query.saturating_sub(self.at) {
                        return Err(ProtocolError::LongRequest);
                    }
                    self.state = State::Bulk(len, missing);
                }
                State::Bulk(len, missing) => {
                    let end = self.at + len + 2;
                    if bytes.len() < end {
                        return Ok(Parsed::Partial(end));
                    }
                    self.note(self.at, self.at + len)?;
                    self.state = State::Header(missing - 1);
                    (self.at, self.searched) = (end, end);
                }
            }
        }
    }

    /// The line at `at`, without its end, and moves behind it; none if its end has not arrived. As in Redis, the end
    /// is a carriage return and whatever byte follows it.
    fn line(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        long: ProtocolError,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        let from = self.at;
        match bytes[self.searched..].iter().position(|byte| *byte == b'\r') {
            Some(offset) => {
                let to = self.searched + offset;
                if to + 2 > bytes.len() {
                    self.searched = to;
                    return Ok(None);
                }
                (self.at, self.searched) = (to + 2, to + 2);
                // An empty line would leave no first byte to look at.
                if from == to { Err(ProtocolError::ExpectedBulk(b'\r')) } else { Ok(Some((from, to))) }
            }
            None if bytes.len() - from > limits.max_inline => Err(long),
            None => {
                self.searched = bytes.len();
                Ok(None)
            }
        }
    }

    /// A line of words, ended by a line feed.
    fn inline(&mut self, bytes: &mut [u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        match bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
            Some(offset) => {
                let end = self.searched + offset;
                self.words(&mut bytes[..end], limits)?;
                Ok(Parsed::Request(end + 1))
            }
            None if bytes.len() > limits.max_inline => Err(ProtocolError::LongInline),
            None => {
                self.searched = bytes.len();
                Ok(Parsed::Partial(bytes.len() + 1))
            }
        }
    }

    /// Marks the words of `line` and decodes the quoted ones in place. The rules are those of Redis: quotes may open
    /// anywhere in a word, must close before a blank, and a zero byte ends the line.
    fn words(&mut self, line: &mut [u8], limits: &Limits) -> Result<(), ProtocolError> {
        let at = |line: &[u8], index: usize| line.get(index).copied().unwrap_or(0);
        let blank = |byte: u8| matches!(byte, b' ' | b'\t'..=b'\r');
        let mut read = 0;
        loop {
            while blank(at(line, read)) {
                read += 1;
            }
            if at(line, read) == 0 {
                return Ok(());
            }
            if self.spans.len() == limits.max_args {
                return Err(ProtocolError::ArrayLength);
            }
            let start = read;
            let mut write = read;
            let mut quote = 0;
            loop {
                let byte = at(line, read);
                let mut put = byte;
                match (quote, byte) {
                    (0, 0 | b' ' | b'\n' | b'\r' | b'\t') => break,
                    (0, b'"' | b'\'') => {
                        quote = byte;
                        read += 1;
                        continue;
                    }
                    (0, _) => {}
                    (_, 0) => return Err(ProtocolError::Quotes),
                    (b'"', b'\\') => (put, read) = escape(line, read),
                    (b'\'', b'\\') if at(line, read + 1) == b'\'' => (put, read) = (b'\'', read + 1),
                    (open, close) if open == close => {
                        read += 1;
                        if at(line, read) != 0 && !blank(at(line, read)) {
                            return Err(ProtocolError::Quotes);
                        }
                        break;
                    }
                    _ => {}
                }
                line[write] = put;
                (write, read) = (write + 1, read + 1);
            }
            self.note(start, write)?;
        }
    }

    fn note(&mut self, start: usize, end: usize) -> Result<(), ProtocolError> {
        match (u32::try_from(start), u32::try_from(end - start)) {
            (Ok(start), Ok(len)) => self.spans.push(Span { start, len }).map_err(|_| ProtocolError::ArrayLength),
            _ => Err(ProtocolError::LongRequest),
        }
    }
}

/// The byte that the escape at `at` stands for, and where its last byte is.
fn escape(line: &[u8], at: usize) -> (u8, usize) {
    let hex = |index: usize| line.get(index).and_then(|byte| (*byte as char).to_digit(16));
    match line.get(at + 1) {
        Some(b'x') => match (hex(at + 2), hex(at + 3)) {
            (Some(high), Some(low)) => ((high * 16 + low) as u8, at + 3),
            _ => (b'x', at + 1),
        },
        Some(b'n') => (b'\n', at + 1),
        Some(b'r') => (b'\r', at + 1),
        Some(b't') => (b'\t', at + 1),
        Some(b'b') => (8, at + 1),
        Some(b'a') => (7, at + 1),
        Some(0) | None => (b'\\', at),
        Some(other) => (*other, at + 1),
    }
}
