//! What becomes of a packet, table by table, in words.
//!
//! `question` turns two names into the packet that the one would send to the other; `ofproto/trace` of ovs-vswitchd
//! tells what its flow entries do to it; `reading` takes that apart, and `verdict` says what it means and why.

mod packet;
mod question;
mod reading;
mod verdict;

use std::time::Duration;

use serde::Serialize;

use crate::ovsdb::Address;
use crate::place;
use crate::refused::Refused;
use crate::unixctl::Vswitchd;

pub use packet::{Packet, Protocol};
pub use question::{End, Question};
pub use reading::{Did, Entry, Reading, Step};
pub use verdict::{Account, TableTold, Verdict};

use question::Asked;

/// What is to be traced, and where Open vSwitch is.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The question.
    pub question: Question,
    /// The database of Open vSwitch.
    pub db: Address,
    /// How long each part may take to answer.
    pub timeout: Duration,
}

/// The packet, what each table did, and the verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// What is sent, in words.
    pub kind: String,
    /// Who sends, with MAC and address.
    pub from: String,
    /// Who is to receive.
    pub to: String,
    /// The bridge that the packet enters.
    pub bridge: String,
    /// The packet in the notation of ovs-ofctl(8); absent when the sender does not send it to the bridge at all.
    pub packet: Option<String>,
    /// What the reader should know of how the packet was made up.
    pub notes: Vec<String>,
    /// What each table did.
    pub tables: Vec<TableTold>,
    /// What became of it.
    pub verdict: Verdict,
}

/// Asks, and tells.
///
/// # Errors
///
/// A name means nothing here, the two have no bridge in common, or ovs-vswitchd does not answer.
pub async fn trace(trace: &Trace) -> Result<Told, Refused> {
    let Trace { question, db, timeout } = trace;
    let asked = question::ask(question, db, *timeout).await?;
    let (scene, packet) = match asked {
        Asked::NotSent { scene, verdict } => {
            return Ok(scene.told(None, Account { tables: Vec::new(), verdict }));
        }
        Asked::Packet { scene, packet } => (scene, packet),
    };
    let vswitchd = Vswitchd::find(&place::rundir(db.as_str())).map_err(|error| Refused::because(&error))?;
    let flow = packet.to_string();
    let words = ["--names", scene.bridge.as_str(), flow.as_str()];
    let said = tokio::time::timeout(*timeout, vswitchd.ask("ofproto/trace", &words)).await.map_err(|_| {
        Refused::other(format!(
            "ovs-vswitchd does not answer for {} s: it is busy or hangs, see its log",
            timeout.as_secs()
        ))
    })?;
    let reading = Reading::of(&said.map_err(|error| Refused::because(&error))?);
    let account = verdict::account(&scene, &packet, &reading);
    Ok(scene.told(Some(flow), account))
}
