//! The OVSDB client beside its peers: python-ovs, `ovs-vsctl`, rovs-ovsdb, and a bare socket.
//!
//! `--quick` measures small and once, `loads` or `transactions` that part; `--markdown` prints the table for a document. CPU seconds and ratios within one
//! run say more than wall times on a machine with other work.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench is for people to look at"
)]

#[path = "ovsdb/bare.rs"]
mod bare;
#[path = "ovsdb/event.rs"]
mod event;
#[path = "ovsdb/load.rs"]
mod load;
#[path = "ovsdb/process.rs"]
mod process;
#[allow(dead_code, reason = "the tests of the client use all of it")]
#[path = "../../ovsdb/tests/support/mod.rs"]
mod support;
#[path = "ovsdb/table.rs"]
mod table;
#[path = "ovsdb/transactions.rs"]
mod transactions;

use std::path::{Path, PathBuf};

use flowport_ovsdb::Monitor;
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, OpenVSwitch, Port};
use support::Server;
use table::Table;

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    /// Ports of the large database.
    ports: usize,
    /// Ports for the peer whose time grows with the square of them.
    few_ports: usize,
    /// Times that a load is measured; the median counts.
    loads: usize,
    /// Rows changed one after the other.
    changes: usize,
    /// Ports added one after the other.
    single: usize,
    /// Ports that each of 1,000 callers adds.
    grouped: usize,
    /// Times that transactions are measured.
    rounds: usize,
}

const FULL: Size =
    Size { ports: 50_000, few_ports: 1_000, loads: 3, changes: 2_000, single: 3_000, grouped: 5, rounds: 5 };
const QUICK: Size =
    Size { ports: 2_000, few_ports: 200, loads: 1, changes: 200, single: 300, grouped: 1, rounds: 1 };

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "load") {
        return load::child(&arguments[at + 1], &arguments[at + 2]);
    }
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let size = if has("--quick") { QUICK } else { FULL };
    let mut table = Table::default();
    let only = |part: &str| !["loads", "transactions"].into_iter().any(has) || has(part);
    if only("loads") {
        let server = server();
        bare::fill(&server, size.ports);
        load::measure(&server, size, &mut table);
        event::measure(&server, size, &mut table);
        load::measure_few(size, &mut table);
    }
    if only("transactions") {
        transactions::measure(size, &mut table);
    }
    print!("{}", if has("--markdown") { table.markdown() } else { table.text() });
}

fn server() -> Server {
    let schema: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovsdb-schema/schemas/vswitch.ovsschema");
    Server::start(&[&schema])
}

/// All columns of the four tables that a switch is made of.
fn monitor() -> Monitor {
    Monitor::of::<OpenVSwitch>().and::<Bridge>().and::<Port>().and::<Interface>()
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: impl IntoIterator<Item = f64>, quantile: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * quantile).round() as usize]
}
