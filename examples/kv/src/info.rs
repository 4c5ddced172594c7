//! What a server tells about itself: INFO, CONFIG GET, COMMAND.

use crate::limits::Limits;
use crate::memory::{Memory, Output};
use crate::reply::Reply;
use crate::resp::Args;
use crate::roster::{ClientId, Roster};
use crate::server::State;
use crate::store::Store;
use crate::table::Spec;
use corio::Instant;

/// The version of Redis whose behaviour this is; clients look at it to know what they may ask for.
const REDIS_VERSION: &str = "7.0.15";

/// Bytes of the text of INFO.
pub(crate) fn len<M: Memory>(state: &mut State<M>, sections: Args<'_>, now: Instant) -> usize {
    let facts = Facts::of(state, now);
    let mut len = 0;
    facts.write(sections, &mut |text| len += text.len());
    len
}

/// The text of INFO and the end of its line, for `id`.
pub(crate) fn write_to<M: Memory>(state: &mut State<M>, id: ClientId, sections: Args<'_>, now: Instant) {
    let facts = Facts::of(state, now);
    if let Some(client) = state.clients.get(id) {
        facts.write(sections, &mut |text| client.out.extend(text));
        client.out.extend(b"\r\n");
    }
}

/// The numbers in INFO.
struct Facts {
    uptime: u64,
    clients: usize,
    max_clients: usize,
    blocked: usize,
    buffers: usize,
    used: usize,
    max_memory: usize,
    connections: u64,
    rejected: u64,
    commands: u64,
    expired: u64,
    channels: usize,
    keys: usize,
    expiring: usize,
}

impl Facts {
    fn of<M: Memory>(state: &mut State<M>, now: Instant) -> Self {
        state.keys.expire(now, usize::MAX);
        let store = state.keys.store();
        Self {
            uptime: now.as_secs(),
            clients: state.clients.connected(),
            max_clients: state.limits.max_clients,
            blocked: state.clients.blocked(),
            buffers: state.clients.held() + state.channels.footprint() + state.waiters.footprint(),
            used: store.used(),
            max_memory: state.limits.max_memory,
            connections: state.stats.connections,
            rejected: state.stats.rejected,
            commands: state.stats.commands,
            expired: state.keys.expired(),
            channels: state.channels.names(),
            keys: store.len(),
            expiring: store.expiring(),
        }
    }

    fn write(&self, sections: Args<'_>, put: &mut dyn FnMut(&[u8])) {
        let all = ["default", "all", "everything"];
        let asked = |title: &str| {
            let named = |section: &[u8]| {
                section.eq_ignore_ascii_case(title.as_bytes())
                    || all.iter().any(|all| section.eq_ignore_ascii_case(all.as_bytes()))
            };
            sections.is_empty() || sections.iter().any(named)
        };
        let mut first = true;
        let mut section = |title: &str, rows: &[(&str, Row<'_>)]| {
            if !asked(title) {
                return;
            }
            for part in [if core::mem::take(&mut first) { "" } else { "\r\n" }, "# ", title, "\r\n"] {
                put(part.as_bytes());
            }
            for (name, value) in rows {
                put(name.as_bytes());
                put(b":");
                match value {
                    Row::Text(text) => put(text.as_bytes()),
                    Row::Number(number) => put(itoa::Buffer::new().format(*number).as_bytes()),
                }
                put(b"\r\n");
            }
        };
        let number = |value: usize| Row::Number(value as u64);
        section(
            "Server",
            &[
                ("redis_version", Row::Text(REDIS_VERSION)),
                ("corio_kv_version", Row::Text(env!("CARGO_PKG_VERSION"))),
                ("redis_mode", Row::Text("standalone")),
                ("uptime_in_seconds", Row::Number(self.uptime)),
            ],
        );
        section(
            "Clients",
            &[
                ("connected_clients", number(self.clients)),
                ("maxclients", number(self.max_clients)),
                ("blocked_clients", number(self.blocked)),
            ],
        );
        section(
            "Memory",
            &[
                ("used_memory", number(self.used)),
                ("maxmemory", number(self.max_memory)),
                ("maxmemory_policy", Row::Text("noeviction")),
                ("mem_clients_normal", number(self.buffers)),
            ],
        );
        section(
            "Stats",
            &[
                ("total_connections_received", Row::Number(self.connections)),
                ("total_commands_processed", Row::Number(self.commands)),
                ("rejected_connections", Row::Number(self.rejected)),
                ("expired_keys", Row::Number(self.expired)),
                ("pubsub_channels", number(self.channels)),
            ],
        );
        section("Replication", &[("role", Row::Text("master")), ("connected_slaves", Row::Number(0))]);
        section("Cluster", &[("cluster_enabled", Row::Number(0))]);
        section("Keyspace", &[]);
        if asked("Keyspace") && self.keys > 0 {
            put(b"db0:keys=");
            put(itoa::Buffer::new().format(self.keys).as_bytes());
            put(b",expires=");
            put(itoa::Buffer::new().format(self.expiring).as_bytes());
            put(b",avg_ttl=0\r\n");
        }
    }
}

enum Row<'a> {
    Text(&'a str),
    Number(u64),
}

/// CONFIG GET: the parameters that any of `patterns` matches, with their values.
pub(crate) fn config(out: &mut impl Output, limits: &Limits, patterns: Args<'_>) {
    let parameters = [
        ("appendonly", Row::Text("no")),
        ("client-query-buffer-limit", Row::Number(limits.max_query as u64)),
        ("databases", Row::Number(1)),
        ("maxclients", Row::Number(limits.max_clients as u64)),
        ("maxmemory", Row::Number(limits.max_memory as u64)),
        ("proto-max-bulk-len", Row::Number(limits.max_bulk as u64)),
        ("save", Row::Text("")),
    ];
    let asked = |name: &str| patterns.iter().any(|pattern| glob(pattern, name.as_bytes()));
    out.array(2 * parameters.iter().filter(|(name, _)| asked(name)).count());
    for (name, value) in parameters.iter().filter(|(name, _)| asked(name)) {
        out.bulk(name.as_bytes());
        match value {
            Row::Text(text) => out.bulk(text.as_bytes()),
            Row::Number(number) => out.bulk(itoa::Buffer::new().format(*number).as_bytes()),
        }
    }
}

/// Whether `pattern` (`*` for anything, `?` for one byte) matches `name` in any case. A star that failed is tried one
/// byte further, never an earlier one, so no pattern takes longer than the product of the lengths.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&name[from]) => {
                (at, from) = (at + 1, from + 1);
            }
            _ => match &mut star {
                Some((after, matched)) => {
                    *matched += 1;
                    (at, from) = (*after, *matched);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// An entry of COMMAND INFO.
pub(crate) fn command<O: Output>(out: &mut O, spec: Option<&'static Spec>) {
    let Some(spec) = spec else { return out.nil() };
    out.array(10);
    out.bulk(spec.name.as_bytes());
    out.integer(i64::from(spec.arity));
    out.array(spec.flags.split_ascii_whitespace().count());
    spec.flags.split_ascii_whitespace().for_each(|flag| out.status(flag));
    let (first, last, step) = spec.keys;
    for place in [first, last, step] {
        out.integer(i64::from(place));
    }
    // Access categories, tips, key specifications, subcommands.
    (0..4).for_each(|_| out.array(0));
}

/// Two entries of COMMAND DOCS: the name and what is to be said about it. Unknown names are left out.
pub(crate) fn docs<O: Output>(out: &mut O, spec: Option<&'static Spec>) {
    let Some(spec) = spec else { return };
    out.bulk(spec.name.as_bytes());
    out.array(6);
    for text in ["summary", spec.summary, "since", spec.since, "group", spec.group] {
        out.bulk(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, name, matches) in [
            ("save", "save", true),
            ("SAVE", "save", true),
            ("save", "saved", false),
            ("*", "", true),
            ("*", "save", true),
            ("s*e", "save", true),
            ("s*e", "saves", false),
            ("max*", "maxmemory", true),
            ("*m*y", "maxmemory", true),
            ("?ave", "save", true),
            ("?ave", "ave", false),
            ("", "save", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), name.as_bytes()), matches, "{pattern} {name}");
        }
        // Linear in each star, not exponential in their number.
        assert!(!glob(&b"*a".repeat(64), &[b'b'; 4096]));
    }
}
