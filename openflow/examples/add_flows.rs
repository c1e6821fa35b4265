//! Installs flows all or none, in one bundle: `cargo run --example add_flows -- BRIDGE 'table=0,tcp,actions=output:1' ...`.

mod common;

use std::error::Error;
use std::time::Instant;

use flowport_openflow::{Body, Event, FlowMod};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let bridge = args.next().ok_or("usage: add_flows BRIDGE FLOW...")?;
    let flows = args.map(|text| text.parse::<FlowMod>().map(Body::from)).collect::<Result<Vec<_>, _>>()?;
    let mut connection = common::Connection::open(&bridge)?;
    let bundle = connection.session.bundle(Instant::now(), flows);
    loop {
        match connection.next_event()? {
            Event::BundleCommitted { id } if id == bundle => return Ok(()),
            Event::BundleFailed { id, index, error } if id == bundle => {
                let which =
                    index.map_or_else(|| "the bundle".to_owned(), |index| format!("flow {}", index + 1));
                return Err(format!("{which}: {error}").into());
            }
            _ => {}
        }
    }
}
