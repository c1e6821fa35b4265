//! A socket with nothing around it: what the server alone needs.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use flowport_ovsdb::wire::{Framer, Message};
use flowport_ovsdb::{Operation, Ref, Transaction, Uuid};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, OpenVSwitch, Port};
use serde_json::{Value, json};

use crate::support::Server;

/// A connection that asks and waits.
pub(crate) struct Bare {
    stream: UnixStream,
    framer: Framer,
    buffer: Vec<u8>,
    next: u64,
}

impl Bare {
    pub(crate) fn connect(server: &Server) -> Self {
        let stream = UnixStream::connect(server.socket()).unwrap();
        Self { stream, framer: Framer::default(), buffer: vec![0; 64 * 1024], next: 0 }
    }

    /// Writes a request; its text may be made before the clock starts.
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads so many answers, and notifications with them.
    pub(crate) fn receive(&mut self, answers: usize) {
        let mut left = answers;
        while left > 0 {
            let Some(message) = self.framer.next_message().unwrap() else {
                let count = self.stream.read(&mut self.buffer).unwrap();
                assert!(count > 0);
                self.framer.extend(&self.buffer[..count]);
                continue;
            };
            if let Message::Response { outcome, .. } = Message::parse(&message).unwrap() {
                let failed = message.windows(9).any(|part| part == b"\"error\":\"");
                assert!(outcome.is_ok() && !failed, "{message:?}");
                left -= 1;
            }
        }
    }

    pub(crate) fn transact(&mut self, transaction: &Transaction) {
        let text = self.request(transaction);
        self.send(&text);
        self.receive(1);
    }

    /// The text of a transaction.
    pub(crate) fn request(&mut self, transaction: &Transaction) -> String {
        self.next += 1;
        let mut params = vec![json!("Open_vSwitch")];
        params.extend(
            transaction.operations().iter().map(|operation| serde_json::to_value(operation).unwrap()),
        );
        json!({"id": self.next, "method": "transact", "params": params}).to_string()
    }

    /// Asks for all columns of the four tables. Seconds to the first byte and to the last, and bytes.
    pub(crate) fn monitor(&mut self) -> (f64, f64, usize) {
        let start = Instant::now();
        let requests: serde_json::Map<String, Value> = crate::monitor()
            .tables()
            .iter()
            .map(|table| {
                let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
                (table.name.to_string(), json!([{ "columns": columns }]))
            })
            .collect();
        let params = json!(["Open_vSwitch", "bare", requests, Uuid::nil().to_string()]);
        self.send(&json!({"id": 0, "method": "monitor_cond_since", "params": params}).to_string());
        let (mut first, mut bytes) = (None, 0);
        loop {
            let count = self.stream.read(&mut self.buffer).unwrap();
            first.get_or_insert_with(|| start.elapsed().as_secs_f64());
            bytes += count;
            self.framer.extend(&self.buffer[..count]);
            if self.framer.next_message().unwrap().is_some() {
                return (first.unwrap_or_default(), start.elapsed().as_secs_f64(), bytes);
            }
        }
    }
}

/// The rows of a port, and its reference for the bridge.
pub(crate) fn port(transaction: &mut Transaction, name: &str) -> Ref<Port> {
    let interface = transaction.insert(&Interface { name: name.into(), ..Interface::default() });
    transaction.insert(&Port { name: name.into(), interfaces: [interface].into(), ..Port::default() })
}

/// What one caller wants: a port on a bridge.
pub(crate) fn add_port(bridge: Ref<Bridge>, name: &str) -> Transaction {
    let mut transaction = Transaction::new();
    let port = port(&mut transaction, name);
    transaction.mutate(bridge, [Bridge::PORTS.insert([port])]);
    transaction
}

/// Makes the root row and a bridge without ports.
pub(crate) fn add_bridge(server: &Server) -> Ref<Bridge> {
    let mut transaction = Transaction::new();
    let bridge = transaction.insert(&Bridge { name: "br0".into(), ..Bridge::default() });
    transaction.push(Operation::insert(
        Uuid::new_v4(),
        &OpenVSwitch { bridges: [bridge].into(), ..OpenVSwitch::default() },
    ));
    Bare::connect(server).transact(&transaction);
    bridge
}

/// One bridge with so many ports, each interface with what a container's has in `external_ids`.
pub(crate) fn fill(server: &Server, ports: usize) {
    let bridge = add_bridge(server);
    let mut bare = Bare::connect(server);
    let all: Vec<usize> = (0..ports).collect();
    for some in all.chunks(1000) {
        let mut transaction = Transaction::new();
        let mut added = BTreeSet::new();
        for index in some {
            let name = format!("veth{index:07}");
            let external_ids = [
                (
                    "attached-mac",
                    format!("02:00:00:{:02x}:{:02x}:{:02x}", index >> 16, index >> 8 & 255, index & 255),
                ),
                ("container_id", format!("{:064x}", index * 7_919)),
                ("container_iface", "eth0".to_owned()),
                ("iface-id", Uuid::from_u128(*index as u128 * 0x9e37_79b9_7f4a_7c15_f39c).to_string()),
                ("iface-status", "active".to_owned()),
            ];
            let external_ids = external_ids.map(|(key, value)| (key.to_owned(), value)).into();
            let row = Interface { name: name.clone(), external_ids, ..Interface::default() };
            let interface = transaction.insert(&row);
            added.insert(transaction.insert(&Port {
                name,
                interfaces: [interface].into(),
                ..Port::default()
            }));
        }
        transaction.mutate(bridge, [Bridge::PORTS.insert(added)]);
        bare.transact(&transaction);
    }
}
