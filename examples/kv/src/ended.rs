//! How a session can end.

use core::error::Error;
use core::fmt;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client closed its side.
    HungUp,
    /// The client said QUIT.
    Quit,
    /// The client broke the protocol, or its request was too long, and has been told.
    Protocol,
    /// There were too many clients already, and the client has been told.
    Refused,
    /// The client did not read what it had subscribed to, or there was no memory for its requests.
    CutOff,
    /// The server was closed.
    Closed,
}

/// A stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError<R, W> {
    /// Reading failed.
    Read(R),
    /// Writing failed.
    Write(W),
    /// The writer takes no more bytes.
    WriteZero,
}

impl<R: fmt::Debug, W: fmt::Debug> fmt::Display for StreamError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "reading failed: {error:?}"),
            Self::Write(error) => write!(f, "writing failed: {error:?}"),
            Self::WriteZero => f.write_str("the writer takes no more bytes"),
        }
    }
}

impl<R: fmt::Debug, W: fmt::Debug> Error for StreamError<R, W> {}
