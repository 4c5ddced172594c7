//! Every bound of a server, in one place.
//!
//! What a client can make the server hold is limited four ways: by the size of one request (`max_bulk`, `max_args`,
//! `max_inline`, `max_query`), by the replies that wait for it (`max_pending`, `max_backlog`), by what all clients'
//! buffers and subscriptions may hold together (`max_buffers`), and by the data (`max_memory`). So the memory of a
//! server is at most about `max_memory + max_buffers`, plus a kilobyte a client, whatever its clients do.

/// The bounds of one server. Sizes are in bytes.
///
/// ```
/// let limits = corio_kv::Limits { max_clients: 100, ..corio_kv::Limits::REDIS };
/// assert_eq!(limits.max_inline, 64 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients at one time; one more is told `-ERR max number of clients reached`.
    pub max_clients: usize,
    /// The longest argument. A longer one is refused when its length arrives, before its bytes do:
    /// `-ERR Protocol error: invalid bulk length`, and the connection is closed.
    pub max_bulk: usize,
    /// Arguments of one request, the command's name among them: `-ERR Protocol error: invalid multibulk length`.
    pub max_args: usize,
    /// The longest line: an inline request, or the length before an array or an argument:
    /// `-ERR Protocol error: too big inline request` and its kin.
    pub max_inline: usize,
    /// The longest request as a whole. Beyond it the connection is closed.
    pub max_query: usize,
    /// Replies waiting for a client, beyond which its further requests wait until it has read them.
    pub max_pending: usize,
    /// Published messages waiting for a subscriber, beyond which it is disconnected.
    pub max_backlog: usize,
    /// All clients' requests, replies, subscriptions and waits together. Who needs more is refused or disconnected.
    pub max_buffers: usize,
    /// All keys and values, with an estimate of their overhead; a write beyond it is answered
    /// `-OOM command not allowed when used memory > 'maxmemory'.`
    pub max_memory: usize,
}

impl Limits {
    /// Redis's defaults, and a gibibyte where Redis has no limit.
    pub const REDIS: Self = Self {
        max_clients: 10_000,
        max_bulk: 512 << 20,
        max_args: 1 << 20,
        max_inline: 64 << 10,
        max_query: 1 << 30,
        max_pending: 256 << 10,
        max_backlog: 32 << 20,
        max_buffers: 1 << 30,
        max_memory: 1 << 30,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::REDIS
    }
}
