//! How many may ask for addresses that nobody here is known to have. Each such question goes to all who may have it, so
//! that one container that tries all addresses would keep every other busy, and what is behind the uplinks too.
//!
//! Endpoints are told apart by their port number, modulo the number of meters: who asks too much takes from those only
//! that share a meter with it.

use flowport_openflow::message::meter::{DropBand, MeterFlags};
use flowport_openflow::{MacAddr, Match, MatchBuilder, MeterBand, MeterConfig, MeterId, PortNo};

use crate::model::SHARED_COOKIE;

use super::endpoint::{ARP_REQUEST, NEIGHBOR_SOLICITATION};
use super::flow::Does;
use super::{FLOOD, FROM_ENDPOINT, Flow, QUESTION, RESPOND, UndeclaredFlow};

/// How many meters a bridge has.
const METERS: u32 = 16;
/// The number of the first. Datapaths have room for 65,536 at the least, where they have meters at all.
const FIRST_METER: u32 = 0xf000;
/// The most questions that those who share a meter may ask, in packets a second. A host asks for an address once a second,
/// three times in all (RFC 4861 section 10).
const RATE: u32 = 100;
/// How many they may ask at once, in packets: a host that starts a hundred containers has each of them ask for the router.
const BURST: u32 = 400;

/// Where the number of the meter is in `metadata`.
const METER_SHIFT: u32 = 37;
/// The bits of `metadata` that hold it.
pub(super) const METER_MASK: u64 = (METERS as u64 - 1) << METER_SHIFT;

/// Whether a meter is ours by its number; the others are never touched.
pub fn owns_meter(meter: MeterId) -> bool {
    nth(meter).is_some()
}

/// Whether a datapath has room for our meters, which has some up to this number.
pub fn has_room_for_meters(max_meter: u32) -> bool {
    max_meter >= FIRST_METER + METERS
}

/// The meters of a bridge.
pub fn meters() -> impl Iterator<Item = MeterConfig> {
    (0..METERS).map(|nth| MeterConfig {
        flags: MeterFlags::PKTPS | MeterFlags::BURST,
        meter_id: MeterId(FIRST_METER + nth),
        bands: vec![MeterBand::Drop(DropBand { rate: RATE, burst_size: BURST })],
    })
}

/// The bits of `metadata` that tell which meter the questions from this port go through.
pub(super) fn metered(port: PortNo) -> u64 {
    u64::from(port.0 % METERS) << METER_SHIFT
}

fn nth(meter: MeterId) -> Option<u32> {
    meter.0.checked_sub(FIRST_METER).filter(|nth| *nth < METERS)
}

/// The entries that find out questions: those from endpoints go through a meter, where the datapath has meters; those from
/// this host and from others do not.
pub(super) fn question_flows(has_meters: bool) -> Result<Vec<Flow>, UndeclaredFlow> {
    let from_all = asks().map(|asks| (50, asks, Does::goto(&FLOOD).note(QUESTION)));
    let from_endpoints = meters().filter(|_| has_meters).flat_map(|MeterConfig { meter_id, .. }| {
        let bits = FROM_ENDPOINT | u64::from(nth(meter_id).unwrap_or_default()) << METER_SHIFT;
        asks().map(move |asks| {
            let asks = asks.metadata((bits, FROM_ENDPOINT | METER_MASK));
            (60, asks, Does::goto(&FLOOD).note(QUESTION).metered(meter_id))
        })
    });
    let flows = from_all.chain(from_endpoints);
    flows.map(|(priority, asks, does)| Flow::new(&RESPOND, priority, SHARED_COOKIE, asks, does)).collect()
}

fn asks() -> impl Iterator<Item = MatchBuilder> {
    let multicast = (MacAddr::MULTICAST_BIT, MacAddr::MULTICAST_BIT);
    [
        Match::builder().arp().arp_op(ARP_REQUEST).eth_dst(MacAddr::BROADCAST),
        Match::builder().icmpv6().icmpv6_type(NEIGHBOR_SOLICITATION).eth_dst(multicast),
    ]
    .into_iter()
}
