//! Commands out of arguments.
//!
//! [`lookup`] finds the command and counts its arguments, [`parse`] understands them; between the two the server
//! checks what does not depend on them (is the client a subscriber?), for that is the order in which Redis complains.

use crate::keyspace::{Only, Refused, Unless};
use crate::memory::Output;
use crate::number::{BadTimeout, integer, timeout};
use crate::reply::Reply;
use crate::resp::Args;
use crate::store::End;
use crate::table::{self, Name, Spec};
use corio::{Duration, Instant};

/// A command with its arguments understood.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command<'a> {
    Ping(Option<&'a [u8]>),
    Echo(&'a [u8]),
    Set {
        key: &'a [u8],
        value: &'a [u8],
        expires: Option<Instant>,
        unless: Unless,
    },
    Get(&'a [u8]),
    Del(Args<'a>),
    Exists(Args<'a>),
    Incr(&'a [u8]),
    Expire {
        key: &'a [u8],
        deadline: Instant,
        only: Only,
    },
    Ttl {
        key: &'a [u8],
        seconds: bool,
    },
    Persist(&'a [u8]),
    Push {
        key: &'a [u8],
        items: Args<'a>,
        end: End,
    },
    Pop {
        key: &'a [u8],
        count: Option<usize>,
        end: End,
    },
    Llen(&'a [u8]),
    Lrange {
        key: &'a [u8],
        first: i64,
        last: i64,
    },
    Blpop {
        keys: Args<'a>,
        timeout: Option<Duration>,
    },
    Subscribe(Args<'a>),
    Unsubscribe(Args<'a>),
    Publish {
        channel: &'a [u8],
        message: &'a [u8],
    },
    Info(Args<'a>),
    /// COMMAND and COMMAND INFO: these, or all if none is named.
    Commands(Args<'a>),
    Docs(Args<'a>),
    Count,
    Names,
    ConfigGet(Args<'a>),
    Dbsize,
    Flushall,
    Quit,
}

/// Why a request is not a command, or could not be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Complaint<'a> {
    Unknown(Args<'a>),
    UnknownSubcommand {
        of: &'static str,
        given: &'a [u8],
    },
    /// In lower case.
    Arity(&'static str),
    Syntax,
    UnsupportedOption(&'a [u8]),
    ExpireOptions(&'static str),
    ExpireTime(&'static str),
    NotPositive,
    Timeout(BadTimeout),
    Refused(Refused),
    /// A subscriber asked for something else.
    Subscribed(&'static str),
    /// The reply would not fit the buffers.
    TooLong,
    /// No place for one more subscription or wait.
    NoPlace,
}

impl From<Refused> for Complaint<'_> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Complaint<'_> {
    /// The error in Redis's own words.
    pub(crate) fn write(&self, out: &mut impl Output) {
        let cut = |bytes: &'_ [u8], most: usize| {
            // Redis formats these as C strings.
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            end.min(most)
        };
        match *self {
            Self::Unknown(args) => {
                let name = args.at(0);
                out.extend(b"-ERR unknown command '");
                out.text(&name[..cut(name, 128)]);
                out.extend(b"', with args beginning with: ");
                let mut shown = 0;
                for arg in args.from(1).iter() {
                    if shown >= 128 {
                        break;
                    }
                    let arg = &arg[..cut(arg, 128 - shown)];
                    shown += arg.len() + 3;
                    out.extend(b"'");
                    out.text(arg);
                    out.extend(b"' ");
                }
                out.extend(b"\r\n");
            }
            Self::UnknownSubcommand { of, given } => out.error(&[
                b"ERR unknown subcommand '",
                &given[..cut(given, 128)],
                b"'. Try ",
                of.as_bytes(),
                b" HELP.",
            ]),
            Self::Arity(name) => {
                out.error(&[b"ERR wrong number of arguments for '", name.as_bytes(), b"' command"]);
            }
            Self::Syntax => out.error(&[b"ERR syntax error"]),
            Self::UnsupportedOption(option) => {
                out.error(&[b"ERR Unsupported option ", &option[..option.len().min(128)]]);
            }
            Self::ExpireOptions(text) => out.error(&[b"ERR ", text.as_bytes(), b" not compatible"]),
            Self::ExpireTime(name) => out.error(&[b"ERR invalid expire time in '", name.as_bytes(), b"' command"]),
            Self::NotPositive => out.error(&[b"ERR value is out of range, must be positive"]),
            Self::Timeout(bad) => out.error(&[
                b"ERR timeout is ",
                match bad {
                    BadTimeout::NotANumber => b"not a float or out of range",
                    BadTimeout::Negative => b"negative",
                    BadTimeout::TooLong => b"out of range",
                },
            ]),
            Self::Refused(Refused::WrongType) => {
                out.error(&[b"WRONGTYPE Operation against a key holding the wrong kind of value"]);
            }
            Self::Refused(Refused::NotAnInteger) => out.error(&[b"ERR value is not an integer or out of range"]),
            Self::Refused(Refused::Overflow) => out.error(&[b"ERR increment or decrement would overflow"]),
            Self::Refused(Refused::Full) => {
                out.error(&[b"OOM command not allowed when used memory > 'maxmemory'."]);
            }
            Self::Subscribed(name) => out.error(&[
                b"ERR Can't execute '",
                name.as_bytes(),
                b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            ]),
            Self::TooLong => out.error(&[b"ERR reply does not fit the output buffer"]),
            Self::NoPlace => out.error(&[b"ERR too many subscriptions or blocked keys"]),
        }
    }
}

/// The command that `args` name, if their number is right for it.
pub(crate) fn lookup(args: Args<'_>) -> Result<&'static Spec, Complaint<'_>> {
    let spec = table::find(args.at(0)).ok_or(Complaint::Unknown(args))?;
    if spec.takes(args.len()) { Ok(spec) } else { Err(Complaint::Arity(spec.name)) }
}

/// Understands the arguments of the command that [`lookup`] found.
pub(crate) fn parse<'a>(spec: &'static Spec, args: Args<'a>, now: Instant) -> Result<Command<'a>, Complaint<'a>> {
    let key = args.at(1);
    let rest = args.from(1);
    Ok(match spec.id {
        Name::Ping if args.len() > 2 => return Err(Complaint::Arity(spec.name)),
        Name::Ping => Command::Ping((args.len() == 2).then_some(key)),
        Name::Echo => Command::Echo(key),
        Name::Set => set(args, now)?,
        Name::Get => Command::Get(key),
        Name::Del => Command::Del(rest),
        Name::Exists => Command::Exists(rest),
        Name::Incr => Command::Incr(key),
        Name::Expire => expire(args, 1000, spec.name, now)?,
        Name::Pexpire => expire(args, 1, spec.name, now)?,
        Name::Ttl => Command::Ttl { key, seconds: true },
        Name::Pttl => Command::Ttl { key, seconds: false },
        Name::Persist => Command::Persist(key),
        Name::Lpush => Command::Push { key, items: args.from(2), end: End::Left },
        Name::Rpush => Command::Push { key, items: args.from(2), end: End::Right },
        Name::Lpop => pop(args, End::Left, spec.name)?,
        Name::Rpop => pop(args, End::Right, spec.name)?,
        Name::Llen => Command::Llen(key),
        Name::Lrange => Command::Lrange { key, first: int(args.at(2))?, last: int(args.at(3))? },
        Name::Blpop => {
            let last = args.len() - 1;
            let timeout = timeout(args.at(last)).map_err(Complaint::Timeout)?;
            Command::Blpop { keys: args.to(last).from(1), timeout }
        }
        Name::Subscribe => Command::Subscribe(rest),
        Name::Unsubscribe => Command::Unsubscribe(rest),
        Name::Publish => Command::Publish { channel: key, message: args.at(2) },
        Name::Info => Command::Info(rest),
        Name::Command => return command(args),
        Name::Config if !key.eq_ignore_ascii_case(b"get") => {
            return Err(Complaint::UnknownSubcommand { of: "CONFIG", given: key });
        }
        Name::Config if args.len() < 3 => return Err(Complaint::Arity("config|get")),
        Name::Config => Command::ConfigGet(args.from(2)),
        Name::Dbsize => Command::Dbsize,
        Name::Flushall => match (args.len(), key) {
            (1, _) => Command::Flushall,
            (2, how) if is(how, "sync") || is(how, "async") => Command::Flushall,
            _ => return Err(Complaint::Syntax),
        },
        Name::Quit => Command::Quit,
    })
}

fn is(word: &[u8], other: &str) -> bool {
    word.eq_ignore_ascii_case(other.as_bytes())
}

fn int(text: &[u8]) -> Result<i64, Complaint<'static>> {
    integer(text).ok_or(Complaint::Refused(Refused::NotAnInteger))
}

/// `now` and `amount` units of `unit` milliseconds; `now` if that is in the past. A deadline that the clock cannot
/// count, 584 years away, is out of range.
fn deadline(now: Instant, amount: i64, unit: i64, name: &'static str) -> Result<Instant, Complaint<'static>> {
    let range = Complaint::ExpireTime(name);
    let millis = amount.checked_mul(unit).ok_or(range)?;
    let nanos = u64::try_from(millis).unwrap_or(0).checked_mul(1_000_000).ok_or(range)?;
    let deadline = now.checked_add(Duration::from_nanos(nanos)).ok_or(range)?;
    if deadline == Instant::MAX { Err(range) } else { Ok(deadline) }
}

fn set(args: Args<'_>, now: Instant) -> Result<Command<'_>, Complaint<'_>> {
    let (mut unless, mut time) = (Unless::Never, None);
    let mut options = args.from(3).iter();
    while let Some(option) = options.next() {
        if is(option, "nx") && unless != Unless::Absent {
            unless = Unless::Present;
        } else if is(option, "xx") && unless != Unless::Present {
            unless = Unless::Absent;
        } else if is(option, "ex") && time.is_none() {
            time = Some((options.next().ok_or(Complaint::Syntax)?, 1000));
        } else if is(option, "px") && time.is_none() {
            time = Some((options.next().ok_or(Complaint::Syntax)?, 1));
        } else {
            return Err(Complaint::Syntax);
        }
    }
    let expires = match time {
        None => None,
        Some((text, unit)) => match int(text)? {
            ..=0 => return Err(Complaint::ExpireTime("set")),
            amount => Some(deadline(now, amount, unit, "set")?),
        },
    };
    Ok(Command::Set { key: args.at(1), value: args.at(2), expires, unless })
}

fn expire<'a>(args: Args<'a>, unit: i64, name: &'static str, now: Instant) -> Result<Command<'a>, Complaint<'a>> {
    let mut only = Only::default();
    for option in args.from(3).iter() {
        let flag = match option {
            option if is(option, "nx") => &mut only.unset,
            option if is(option, "xx") => &mut only.set,
            option if is(option, "gt") => &mut only.later,
            option if is(option, "lt") => &mut only.earlier,
            option => return Err(Complaint::UnsupportedOption(option)),
        };
        *flag = true;
    }
    if only.unset && (only.set || only.later || only.earlier) {
        return Err(Complaint::ExpireOptions("NX and XX, GT or LT options at the same time are"));
    }
    if only.later && only.earlier {
        return Err(Complaint::ExpireOptions("GT and LT options at the same time are"));
    }
    Ok(Command::Expire { key: args.at(1), deadline: deadline(now, int(args.at(2))?, unit, name)?, only })
}

fn pop<'a>(args: Args<'a>, end: End, name: &'static str) -> Result<Command<'a>, Complaint<'a>> {
    let count = match args.len() {
        2 => None,
        3 => match integer(args.at(2)) {
            Some(count @ 0..) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
            _ => return Err(Complaint::NotPositive),
        },
        _ => return Err(Complaint::Arity(name)),
    };
    Ok(Command::Pop { key: args.at(1), count, end })
}

fn command(args: Args<'_>) -> Result<Command<'_>, Complaint<'_>> {
    let (sub, rest) = (args.at(1), args.from(2));
    Ok(match args.len() {
        1 => Command::Commands(rest),
        _ if is(sub, "info") => Command::Commands(rest),
        _ if is(sub, "docs") => Command::Docs(rest),
        2 if is(sub, "count") => Command::Count,
        _ if is(sub, "count") => return Err(Complaint::Arity("command|count")),
        2 if is(sub, "list") => Command::Names,
        _ if is(sub, "list") => return Err(Complaint::Syntax),
        _ => return Err(Complaint::UnknownSubcommand { of: "COMMAND", given: sub }),
    })
}
