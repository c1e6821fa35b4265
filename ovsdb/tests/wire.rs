//! What a real server sends, delivered as badly as a network may, and what no server should send.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport_ovsdb::session::{ClusterSeen, Event, Session, SessionConfig, SessionError};
use flowport_ovsdb::wire::Framer;
use flowport_ovsdb::{Monitor, Operation, Replica, Transaction, Where};
use support::Server;

flowport_ovsdb::table! {
    /// The root of `Open_vSwitch`.
    struct Root: "Open_vSwitch", "Open_vSwitch" {
        /// Asked for.
        next_cfg, NEXT_CFG, "next_cfg": i64;
        /// For others.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
    }
}

/// What the framers and parsers of others stumble over.
const TEXTS: [&str; 5] =
    ["\" \\ \\\" \\\\\"", "{[}]\",", "\u{1}\n\t/", "\u{e9}\u{1f980}\u{10ffff}", "\\ud83e\\udd80"];

/// Short, for it comes in the stream too.
const SCHEMA: &str = r#"{"name":"Open_vSwitch","version":"1.0.0","tables":{"Open_vSwitch":{"isRoot":true,"columns":{
    "next_cfg":{"type":"integer"},
    "external_ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}}}}"#;

fn monitor() -> Arc<Monitor> {
    Arc::new(Monitor::of::<Root>())
}

fn config() -> SessionConfig {
    SessionConfig {
        monitor: monitor(),
        last_transaction: None,
        copied: monitor(),
        leader_only: false,
        seen: ClusterSeen::default(),
        probe_interval: None,
    }
}

/// A session that has asked for everything at once, so that its requests are numbered the same each time.
fn session(transactions: &[Transaction]) -> Session {
    let mut session = Session::new(config(), Instant::now()).unwrap();
    session.lock("wire").unwrap();
    for transaction in transactions {
        session.transact(transaction).unwrap();
    }
    session.call("no_such_method", &TEXTS).unwrap();
    session.call("echo", &TEXTS).unwrap();
    session
}

fn transactions() -> Vec<Transaction> {
    let mut insert = Transaction::new();
    insert.insert(&Root {
        next_cfg: i64::MAX,
        external_ids: TEXTS.iter().map(|text| ((*text).to_owned(), (*text).to_owned())).collect(),
    });
    let select = Transaction::new().with(Operation::select(Where::<Root>::all()));
    let wrong = Transaction::new().with(Operation::Delete { table: TEXTS[1].into(), conditions: Vec::new() });
    vec![insert, select, wrong]
}

/// What another client does when the copy is there, so that it is told of it.
fn change(server: &Server) {
    let mut change = Transaction::new();
    change.mutate(Where::all(), [Root::EXTERNAL_IDS.remove([TEXTS[0]])]);
    change.update(Where::all(), [Root::NEXT_CFG.set(i64::MIN)]);
    let params = serde_json::to_string(change.operations()).unwrap();
    let params = params.replacen('[', "[\"Open_vSwitch\",", 1);
    let mut stream = UnixStream::connect(server.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, r#"{{"method":"transact","id":0,"params":{params}}}"#).unwrap();
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0, "the server hung up");
}

/// What a session makes of its input: events and the copy after them.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: Vec<String>,
    replica: Option<Replica>,
}

impl Seen {
    fn drain(&mut self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            self.events.push(format!("{event:?}"));
            match event {
                Event::Monitored { monitor, updates, .. } => {
                    let empty = Replica::new(monitor.clone());
                    self.replica = Some(empty.begin_again(monitor, updates, false).unwrap());
                }
                Event::Updated { updates, .. } => self.replica.as_mut().unwrap().apply(updates).unwrap(),
                _ => {}
            }
        }
    }

    /// Feeds a new session with these pieces.
    fn of<'a>(transactions: &[Transaction], pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut session = session(transactions);
        let mut seen = Self::default();
        for piece in pieces {
            session.handle_bytes(piece, Instant::now()).unwrap();
            seen.drain(&mut session);
        }
        seen
    }
}

/// What a server sends to a session that does these, byte for byte, and what the session made of it.
fn record(transactions: &[Transaction]) -> (Vec<u8>, Seen) {
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema");
    std::fs::write(&schema, SCHEMA).unwrap();
    let server = Server::start(&[&schema]);
    let mut stream = UnixStream::connect(server.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut session = session(transactions);
    let (mut seen, mut recorded, mut buffer) = (Seen::default(), Vec::new(), [0; 4096]);
    let mut changed = false;
    while !seen.events.last().is_some_and(|event| event.starts_with("Updated")) {
        if seen.replica.is_some() && !changed {
            change(&server);
            changed = true;
        }
        if let Some(bytes) = session.poll_transmit() {
            stream.write_all(&bytes).unwrap();
        }
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the server hung up");
        recorded.extend_from_slice(&buffer[..read]);
        session.handle_bytes(&buffer[..read], Instant::now()).unwrap();
        seen.drain(&mut session);
    }
    (recorded, seen)
}

#[test]
fn a_stream_may_be_cut_and_joined_anywhere() {
    let transactions = transactions();
    let (recorded, expected) = record(&transactions);
    let replica = expected.replica.as_ref().unwrap();
    let (_, root) = replica.rows::<Root>().next().unwrap();
    let kept: Vec<&str> = root.external_ids.values().map(String::as_str).collect();
    let mut texts = TEXTS[1..].to_vec();
    texts.sort_unstable();
    assert_eq!((kept, root.next_cfg), (texts, i64::MIN));
    assert!(expected.events.len() > transactions.len() * 2, "{:?}", expected.events);

    for size in [1, 2, 3, 64, recorded.len()] {
        assert_eq!(Seen::of(&transactions, recorded.chunks(size)), expected, "in reads of {size}");
    }
    // What is there before the cut is told before it; a stream that ends there tells that much.
    for at in 0..recorded.len() {
        let (head, tail) = recorded.split_at(at);
        assert_eq!(Seen::of(&transactions, [head, tail]), expected, "cut at {at}");
    }

    // Many messages in one read, as from a server that was stopped.
    let mut framer = Framer::default();
    framer.extend(&recorded.repeat(1000));
    let messages = std::iter::from_fn(|| framer.next_message().unwrap()).count();
    framer.extend(&recorded);
    let once = std::iter::from_fn(|| framer.next_message().unwrap()).count();
    assert_eq!(messages, once * 1000);
}

/// What a session with its copy, and requests 3 and 4 under way, says to a message.
fn receive(message: &[u8]) -> Result<Vec<Event>, SessionError> {
    let mut session = Session::new(config(), Instant::now()).unwrap();
    let nil = "00000000-0000-0000-0000-000000000000";
    let begin = format!(
        r#"{{"id":0,"error":{{"error":"unknown database"}},"result":null}}
        {{"id":1,"error":null,"result":{SCHEMA}}}
        {{"id":2,"error":null,"result":[false,"{nil}",{{}}]}}"#
    );
    session.handle_bytes(begin.as_bytes(), Instant::now()).unwrap();
    assert!(matches!(session.poll_event(), Some(Event::Monitored { .. })));
    session.transact(&Transaction::new()).unwrap();
    session.call("echo", &[0]).unwrap();
    session.handle_bytes(message, Instant::now())?;
    Ok(std::iter::from_fn(|| session.poll_event()).collect())
}

fn update(columns: &[u8]) -> Vec<u8> {
    let row = br#"{"id":null,"method":"update2","params":["replica",{"Open_vSwitch":{"00000000-0000-0000-0000-000000000001":{"insert":"#;
    [row, columns, b"}}}]}"].concat()
}

#[test]
fn escapes_are_what_they_stand_for() {
    let cases: [(&[u8], &str); 4] = [
        (br#"\ud83e\udd80\u0022\\\"{"#, "\u{1f980}\"\\\"{"),
        (br#"\uDBFF\uDFFF\/\b\f"#, "\u{10ffff}/\u{8}\u{c}"),
        (br#"\\ud83e"#, "\\ud83e"),
        ("\u{1f980}".as_bytes(), "\u{1f980}"),
    ];
    for (written, expected) in cases {
        let columns = [br#"{"external_ids":["map",[["k",""#, written, br#""]]]}"#].concat();
        let [Event::Updated { updates, .. }] = &receive(&update(&columns)).unwrap()[..] else { panic!() };
        let mut replica = Replica::new(monitor());
        replica.apply(updates.clone()).unwrap();
        assert_eq!(replica.rows::<Root>().next().unwrap().1.external_ids["k"], expected);
    }
}

#[test]
fn what_cannot_be_meant_is_an_error() {
    let deep = |open: &str, inside: &str, close: &str| {
        [&open.repeat(200_000), inside, &close.repeat(200_000)].concat()
    };
    let mut malformed = vec![
        update(br#"{"next_cfg":9223372036854775808}"#),
        update(br#"{"next_cfg":1e999}"#),
        update(format!(r#"{{"next_cfg":{}}}"#, "9".repeat(100_000)).as_bytes()),
        update(br#"{"next_cfg":0x10}"#),
        update(br#"{"next_cfg":["uuid","0"]}"#),
        update(br#"{"next_cfg":null}"#),
        update(br#"{"external_ids":["map",[["k"]]]}"#),
        update(br#"{"external_ids":["map",[["k","\ud83e"]]]}"#),
        update(b"{\"external_ids\":[\"map\",[[\"k\",\"\xff\"]]]}"),
        update(b"{\"external_ids\":[\"map\",[[\"k\",\"\xed\xa0\xbe\"]]]}"),
        update(b"{\"external_ids\":[\"map\",[[\"k\",\"\0\"]]]}"),
        b"{\"id\":null,\"method\":\"\xc3\",\"params\":[]}".to_vec(),
        b"{\"\xff".iter().chain(b"\":1}").copied().collect(),
        br#"{"id":null,"method":"update2"}"#.to_vec(),
        br#"{"id":null,"method":"update3","params":["replica","0",{}]}"#.to_vec(),
        br#"{"id":null,"method":"locked","params":{}}"#.to_vec(),
        br#"{"id":3,"id":3,"result":[]}"#.to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{]".to_vec(),
    ];
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[\"set\",", "]"), ("[\"map\",[[", "]]]")] {
        malformed.push(update(format!(r#"{{"next_cfg":{}}}"#, deep(open, "1", close)).as_bytes()));
        malformed.push(deep(open, "1", close).into_bytes());
    }
    for message in malformed {
        let outcome = receive(&message);
        let text = String::from_utf8_lossy(&message[..message.len().min(200)]);
        assert!(outcome.is_err(), "{text}: {outcome:?}");
    }
}

/// Where nobody looks, anything that is JSON may be; and an answer to a request may say anything.
#[test]
fn what_is_odd_and_no_harm_is_borne() {
    let bomb = "[".repeat(200_000) + &"]".repeat(200_000);
    for message in [
        // A real number to Open vSwitch, too.
        update(br#"{"next_cfg":-9223372036854775809}"#),
        update(format!(r#"{{"novelty":{bomb}}}"#).as_bytes()),
        format!(r#"{{"id":null,"method":"novelty","params":{bomb}}}"#).into_bytes(),
        format!(r#"{{"id":{bomb},"method":"echo","params":{bomb}}}"#).into_bytes(),
        format!(r#"{{"id":3,"result":null,"error":{bomb}}}"#).into_bytes(),
        format!(r#"{{"id":3,"result":{bomb},"error":null}}"#).into_bytes(),
        format!(r#"{{"id":4,"result":{bomb},"error":null}}"#).into_bytes(),
        br#"{"id":1e999,"result":null,"error":null}"#.to_vec(),
        br#"{"id":18446744073709551616,"result":null,"error":null}"#.to_vec(),
        br#"{"id":-1,"result":null,"error":null}"#.to_vec(),
        br#"{"id":7,"result":null,"error":null}"#.to_vec(),
        br#"{"id":3,"result":[1e400],"error":null}"#.to_vec(),
        br#"{"id":3,"result":[{"count":-1},{"count":1e30}],"error":null}"#.to_vec(),
        br#"{"id":3,"result":[{"rows":[{"a":1e30}]}],"error":null}"#.to_vec(),
    ] {
        let outcome = receive(&message);
        let text = String::from_utf8_lossy(&message[..message.len().min(200)]);
        assert!(outcome.is_ok(), "{text}: {outcome:?}");
    }
}
