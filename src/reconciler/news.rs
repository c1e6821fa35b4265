//! What the daemon tells of ports: a line for each that came, went or moved, whoever or whatever was the cause.

use std::collections::HashMap;
use std::sync::Arc;

use flowport_ovsdb::Uuid;

use crate::model::{Attachment, LinkName};
use crate::state::{Observed, RowEffect, Scope};

/// The lines of one transaction, told when it has been carried out.
#[derive(Debug, Default)]
pub(super) struct News {
    ports: Vec<(&'static str, Arc<Attachment>)>,
    secured: Vec<LinkName>,
}

impl News {
    /// What the effects will have done. A command tells in its own words.
    pub(super) fn of(effects: &[RowEffect], observed: &Observed, scope: &Scope) -> Self {
        if !matches!(scope, Scope::Everything) {
            return Self::default();
        }
        let is_del = |effect: &RowEffect| matches!(effect, RowEffect::DelPort { .. });
        let rows: HashMap<Uuid, &Arc<Attachment>> = match effects.iter().any(is_del) {
            true => observed.ports.values().map(|row| (row.port, &row.attachment)).collect(),
            false => HashMap::new(),
        };
        let news = effects.iter().filter_map(|effect| match effect {
            RowEffect::AddPort { attachment, .. } => Some(("port added", attachment.clone())),
            RowEffect::SetPort { attachment, .. } => {
                let before = &observed.ports.get(&attachment.endpoint())?.attachment;
                // The others write marks only.
                let moved = before.vlan != attachment.vlan || before.trunks != attachment.trunks;
                moved.then(|| ("port moved to another VLAN", attachment.clone()))
            }
            RowEffect::DelPort { port, .. } => Some(("port removed", Arc::clone(rows.get(port)?))),
            RowEffect::Secure { .. } | RowEffect::ForgetDetached(_) => None,
        });
        Self { ports: news.collect(), secured: secured(effects) }
    }

    pub(super) fn tell(&self) {
        for bridge in &self.secured {
            tracing::warn!(%bridge, "somebody had Open vSwitch forward by itself: fail mode secure and OpenFlow 1.3 are back");
        }
        for (what, attachment) in &self.ports {
            let Attachment { bridge, container, interface, vlan, .. } = &**attachment;
            tracing::info!(%bridge, %container, %interface, %vlan, port = attachment.host_link, "{what}");
        }
    }
}

/// The bridges whose forwarding the effects put right.
pub(super) fn secured(effects: &[RowEffect]) -> Vec<LinkName> {
    let bridges = effects.iter().filter_map(|effect| match effect {
        RowEffect::Secure { bridge, .. } => Some(bridge.clone()),
        _ => None,
    });
    bridges.collect()
}
