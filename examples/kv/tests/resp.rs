//! The parser: what is a request, whatever pieces it comes in.

mod common;

use common::{Random, encode, text};
use corio_kv::Limits;
use corio_kv::resp::{Args, Parsed, Parser, ProtocolError, Span};

const LIMITS: Limits = Limits { max_bulk: 1000, max_args: 100, max_inline: 200, max_query: 5000, ..Limits::REDIS };

type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// All requests in `bytes`, given to the parser in pieces of the lengths that `piece` says.
fn requests(bytes: &[u8], mut piece: impl FnMut() -> usize) -> Requests {
    let mut parser = Parser::<Vec<Span>>::default();
    let mut held = Vec::new();
    let mut rest = bytes;
    let mut found = Vec::new();
    loop {
        match parser.parse(&mut held, &LIMITS) {
            Parsed::Request(len) => {
                let args = Args::new(&held, parser.spans());
                found.push(args.iter().map(<[u8]>::to_vec).collect());
                held.drain(..len);
                parser.reset();
            }
            Parsed::Partial(needed) => {
                assert!(needed > held.len(), "asks for what is there");
                if rest.is_empty() {
                    return (found, None);
                }
                let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
                held.extend_from_slice(now);
                rest = later;
            }
            Parsed::Error(error) => return (found, Some(error)),
        }
    }
}

fn whole(bytes: &[u8]) -> Requests {
    requests(bytes, || usize::MAX)
}

fn words(request: &[&str]) -> Vec<Vec<u8>> {
    request.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[track_caller]
fn one(bytes: &str, expected: &[&str]) {
    assert_eq!(whole(bytes.as_bytes()), (vec![words(expected)], None), "{bytes:?}");
}

#[track_caller]
fn fails(bytes: &str, error: ProtocolError) {
    assert_eq!(whole(bytes.as_bytes()), (vec![], Some(error)), "{bytes:?}");
}

#[test]
fn arrays_of_bulk_strings_are_requests() {
    one("*1\r\n$4\r\nPING\r\n", &["PING"]);
    one("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &["GET", ""]);
    one("*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n", &["ECHO", "\r\n\r\n"]);
    one("*0\r\n", &[]);
    one("*-5\r\n", &[]);
    // The byte after a carriage return is not looked at, nor are the two after an argument.
    one("*1\rx$4\ryPINGzz", &["PING"]);
}

#[test]
fn lines_of_words_are_requests() {
    one("PING\r\n", &["PING"]);
    one("PING\n", &["PING"]);
    one("  SET  k\tv  \r\n", &["SET", "k", "v"]);
    one("\r\n", &[]);
    one("   \n", &[]);
    one("SET k \"a b\"\r\n", &["SET", "k", "a b"]);
    one("SET k 'a b'\r\n", &["SET", "k", "a b"]);
    one("SET k \"\"\r\n", &["SET", "k", ""]);
    one("SET k a\"b c\"\r\n", &["SET", "k", "ab c"]);
    one("SET k \"\\x41\\n\\t\\\\\\\"\\q\\x4\"\r\n", &["SET", "k", "A\n\t\\\"qx4"]);
    one("SET k 'it\\'s \\n'\r\n", &["SET", "k", "it's \\n"]);
}

#[test]
fn breaches_have_redis_s_names() {
    fails("*x\r\n", ProtocolError::ArrayLength);
    fails("*101\r\n", ProtocolError::ArrayLength);
    fails("*99999999999999999999\r\n", ProtocolError::ArrayLength);
    fails("*1\r\n:1\r\n", ProtocolError::ExpectedBulk(b':'));
    fails("*1\r\n\r\n", ProtocolError::ExpectedBulk(b'\r'));
    fails("*1\r\n$-1\r\n", ProtocolError::BulkLength);
    fails("*1\r\n$x\r\n", ProtocolError::BulkLength);
    fails("*1\r\n$1001\r\n", ProtocolError::BulkLength);
    fails("SET k \"a\r\n", ProtocolError::Quotes);
    fails("SET k \"a\"b\r\n", ProtocolError::Quotes);
    fails("SET k 'a\r\n", ProtocolError::Quotes);
    fails(&"x".repeat(201), ProtocolError::LongInline);
    fails(&format!("*{}", "1".repeat(201)), ProtocolError::LongArrayHeader);
    fails(&format!("*1\r\n${}", "1".repeat(201)), ProtocolError::LongBulkHeader);
    // Five arguments of 1000 bytes are within max_args and max_bulk, but not within max_query.
    let long = b"x".repeat(1000);
    assert_eq!(whole(&encode(&[&long[..]; 5])), (vec![], Some(ProtocolError::LongRequest)));
    fails(&format!("{}\n", "x ".repeat(101)), ProtocolError::ArrayLength);
}

#[test]
fn a_length_is_judged_before_its_bytes_arrive() {
    let mut parser = Parser::<Vec<Span>>::default();
    let mut bytes = b"*1\r\n$1001\r\n".to_vec();
    assert_eq!(parser.parse(&mut bytes, &LIMITS), Parsed::Error(ProtocolError::BulkLength));
}

#[test]
fn no_more_arguments_than_there_are_places() {
    let mut parser = Parser::<heapless::Vec<Span, 2>>::default();
    let mut bytes = encode(&[b"a", b"b", b"c"]);
    assert_eq!(parser.parse(&mut bytes, &LIMITS), Parsed::Error(ProtocolError::ArrayLength));
}

/// Requests of both forms, some of them broken.
fn stream(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(8) + 1 {
        match random.below(8) {
            0 => bytes.extend_from_slice(b"\r\n"),
            1 => bytes.extend_from_slice(b"SET key \"a b\\x00\" 'c'\r\n"),
            2 => {
                let count = random.below(40);
                let mut junk: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
                junk.push(b'\n');
                bytes.extend(junk);
            }
            _ => {
                let words: Vec<Vec<u8>> = (0..random.below(5))
                    .map(|_| {
                        let len = random.below(30);
                        (0..len).map(|_| b"\r\n$*\"'a0"[random.below(8)]).collect()
                    })
                    .collect();
                bytes.extend(encode(&words.iter().map(Vec::as_slice).collect::<Vec<_>>()));
            }
        }
    }
    bytes
}

#[test]
fn pieces_make_no_difference() {
    let mut random = Random::new(1);
    for round in 0..2000 {
        let bytes = stream(&mut random);
        let expected = whole(&bytes);
        assert_eq!(requests(&bytes, || 1), expected, "byte by byte, round {round}: {}", text(&bytes));
        for _ in 0..3 {
            assert_eq!(requests(&bytes, || random.below(9)), expected, "round {round}: {}", text(&bytes));
        }
    }
}

#[test]
fn any_bytes_are_requests_or_a_breach() {
    let mut random = Random::new(2);
    for _ in 0..20_000 {
        // Mostly the protocol's own characters, so that more than the first byte is looked at.
        let bytes: Vec<u8> =
            (0..random.below(80))
                .map(|_| {
                    if random.below(4) == 0 {
                        random.next() as u8
                    } else {
                        b"*$0123456789\r\n-\"'\\x "[random.below(20)]
                    }
                })
                .collect();
        let (found, _) = requests(&bytes, || random.below(7));
        let arguments: usize = found.iter().flatten().map(Vec::len).sum();
        assert!(arguments <= bytes.len(), "arguments out of nothing: {}", text(&bytes));
    }
}

#[test]
fn a_mutated_stream_never_loses_the_requests_before_the_mutation() {
    let mut random = Random::new(3);
    for _ in 0..5000 {
        let good = encode(&[b"SET", b"key", b"value"]);
        let mut bytes = good.repeat(3);
        let at = 2 * good.len() + random.below(good.len());
        bytes[at] = random.next() as u8;
        let (found, _) = whole(&bytes);
        assert!(found.len() >= 2);
        assert!(found[..2].iter().all(|request| *request == words(&["SET", "key", "value"])));
    }
}
