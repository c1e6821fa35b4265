//! Prints the flows of a bridge, as ovs-ofctl dump-flows does: `cargo run --example dump_flows -- BRIDGE`.

#![allow(clippy::print_stdout, reason = "it tells by printing")]

mod common;

use std::error::Error;
use std::time::Instant;

use flowport_openflow::{Body, Event, FlowStatsRequest, MultipartReplyBody, MultipartRequestBody};

fn main() -> Result<(), Box<dyn Error>> {
    let bridge = std::env::args().nth(1).ok_or("usage: dump_flows BRIDGE")?;
    let mut connection = common::Connection::open(&bridge)?;
    let question = MultipartRequestBody::Flow(FlowStatsRequest::all());
    let asked = connection.session.request(question, Instant::now())?;
    loop {
        match connection.next_event()? {
            Event::Reply { xid, body: Body::MultipartReply(reply) } if xid == asked => {
                if let MultipartReplyBody::Flow(flows) = reply.body {
                    flows.iter().for_each(|flow| println!(" {flow}"));
                }
                return Ok(());
            }
            Event::Failed { xid, error } if xid == asked => return Err(error.into()),
            _ => {}
        }
    }
}
