//! The commands as data: what COMMAND tells, and what is checked before a command's own arguments are looked at.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Blpop,
    Command,
    Config,
    Dbsize,
    Del,
    Echo,
    Exists,
    Expire,
    Flushall,
    Get,
    Incr,
    Info,
    Llen,
    Lpop,
    Lpush,
    Lrange,
    Persist,
    Pexpire,
    Ping,
    Pttl,
    Publish,
    Quit,
    Rpop,
    Rpush,
    Set,
    Subscribe,
    Ttl,
    Unsubscribe,
}

/// What is known of a command without running it.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) id: Name,
    /// In lower case.
    pub(crate) name: &'static str,
    /// Arguments, the name among them; if negative, at least so many.
    pub(crate) arity: i8,
    /// Separated by blanks, as COMMAND shows them.
    pub(crate) flags: &'static str,
    /// First key, last key (negative: from the end), step.
    pub(crate) keys: (i8, i8, i8),
    pub(crate) since: &'static str,
    pub(crate) group: &'static str,
    pub(crate) summary: &'static str,
}

impl Spec {
    /// Whether `count` arguments are right for it.
    pub(crate) fn takes(&self, count: usize) -> bool {
        let least = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { count >= least } else { count == least }
    }
}

/// The command that `name` means in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Spec> {
    TABLE.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
}

macro_rules! table {
    ($($id:ident $name:literal $arity:literal $keys:tt $flags:literal $since:literal $group:literal $summary:literal;)*) => {
        &[$(Spec {
            id: Name::$id, name: $name, arity: $arity, keys: $keys, flags: $flags,
            since: $since, group: $group, summary: $summary,
        }),*]
    };
}

/// All commands in order of name. Those asked for most are not first: 28 comparisons of lengths cost next to nothing.
pub(crate) static TABLE: &[Spec] = table! {
    Blpop "blpop" -3 (1, -2, 1) "write blocking" "2.0.0" "list" "Removes and returns the first element in a list. Blocks until an element is available otherwise.";
    Command "command" -1 (0, 0, 0) "loading stale" "2.8.13" "server" "Returns detailed information about all commands.";
    Config "config" -2 (0, 0, 0) "" "2.0.0" "server" "Returns the effective values of configuration parameters.";
    Dbsize "dbsize" 1 (0, 0, 0) "readonly fast" "1.0.0" "server" "Returns the number of keys in the database.";
    Del "del" -2 (1, -1, 1) "write" "1.0.0" "generic" "Deletes one or more keys.";
    Echo "echo" 2 (0, 0, 0) "loading stale fast" "1.0.0" "connection" "Returns the given string.";
    Exists "exists" -2 (1, -1, 1) "readonly fast" "1.0.0" "generic" "Determines whether one or more keys exist.";
    Expire "expire" -3 (1, 1, 1) "write fast" "1.0.0" "generic" "Sets the expiration time of a key in seconds.";
    Flushall "flushall" -1 (0, 0, 0) "write" "1.0.0" "server" "Removes all keys.";
    Get "get" 2 (1, 1, 1) "readonly fast" "1.0.0" "string" "Returns the string value of a key.";
    Incr "incr" 2 (1, 1, 1) "write denyoom fast" "1.0.0" "string" "Increments the integer value of a key by one.";
    Info "info" -1 (0, 0, 0) "loading stale" "1.0.0" "server" "Returns information and statistics about the server.";
    Llen "llen" 2 (1, 1, 1) "readonly fast" "1.0.0" "list" "Returns the length of a list.";
    Lpop "lpop" -2 (1, 1, 1) "write fast" "1.0.0" "list" "Removes and returns the first elements of a list.";
    Lpush "lpush" -3 (1, 1, 1) "write denyoom fast" "1.0.0" "list" "Prepends one or more elements to a list.";
    Lrange "lrange" 4 (1, 1, 1) "readonly" "1.0.0" "list" "Returns a range of elements from a list.";
    Persist "persist" 2 (1, 1, 1) "write fast" "2.2.0" "generic" "Removes the expiration time of a key.";
    Pexpire "pexpire" -3 (1, 1, 1) "write fast" "2.6.0" "generic" "Sets the expiration time of a key in milliseconds.";
    Ping "ping" -1 (0, 0, 0) "fast" "1.0.0" "connection" "Returns the server's liveliness response.";
    Pttl "pttl" 2 (1, 1, 1) "readonly fast" "2.6.0" "generic" "Returns the expiration time in milliseconds of a key.";
    Publish "publish" 3 (0, 0, 0) "pubsub loading stale fast" "2.0.0" "pubsub" "Posts a message to a channel.";
    Quit "quit" -1 (0, 0, 0) "noscript loading stale fast" "1.0.0" "connection" "Closes the connection.";
    Rpop "rpop" -2 (1, 1, 1) "write fast" "1.0.0" "list" "Removes and returns the last elements of a list.";
    Rpush "rpush" -3 (1, 1, 1) "write denyoom fast" "1.0.0" "list" "Appends one or more elements to a list.";
    Set "set" -3 (1, 1, 1) "write denyoom" "1.0.0" "string" "Sets the string value of a key, ignoring its type.";
    Subscribe "subscribe" -2 (0, 0, 0) "pubsub noscript loading stale" "2.0.0" "pubsub" "Listens for messages published to channels.";
    Ttl "ttl" 2 (1, 1, 1) "readonly fast" "1.0.0" "generic" "Returns the expiration time in seconds of a key.";
    Unsubscribe "unsubscribe" -1 (0, 0, 0) "pubsub noscript loading stale" "2.0.0" "pubsub" "Stops listening to messages posted to channels.";
};
