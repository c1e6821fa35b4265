//! Who may talk to whom on a bridge.

use std::time::Instant;

use crate::model::{LinkName, Rule, Vlan};
use crate::reconciler::Outcome;
use crate::refused::Refused;
use crate::state::Bridge;

use super::Frontend;

impl Frontend {
    pub(super) async fn set_icc(
        &self,
        name: LinkName,
        vlan: Vlan,
        icc: bool,
        deadline: Instant,
    ) -> Result<Outcome, Refused> {
        let (database, bridge) = (&self.shells.database, self.managed(&name).await?);
        let before = bridge.policy.isolated.contains(&vlan);
        database.set_isolated(bridge.row, vlan, !icc).await?;
        let settled = self.settle(name, deadline).await;
        if settled.is_err() {
            let _ = database.set_isolated(bridge.row, vlan, before).await;
        }
        settled
    }

    pub(super) async fn set_rule(
        &self,
        name: LinkName,
        rule: &Rule,
        allowed: bool,
        deadline: Instant,
    ) -> Result<Outcome, Refused> {
        let (database, bridge) = (&self.shells.database, self.managed(&name).await?);
        let before = bridge.policy.rules.contains(rule);
        if !allowed && !before {
            return Err(Refused::other(format!(
                "{name} has no rule {rule:?}: `flowport show {name}` lists them",
                rule = rule.to_string()
            )));
        }
        database.set_rule(bridge.row, rule, allowed).await?;
        let settled = self.settle(name, deadline).await;
        if settled.is_err() {
            let _ = database.set_rule(bridge.row, rule, before).await;
        }
        settled
    }

    /// On bridges that Open vSwitch forwards on by itself nobody would enforce it.
    async fn managed(&self, name: &LinkName) -> Result<Bridge, Refused> {
        let rows = self.shells.database.rows();
        let bridge = rows.bridges.get(name).ok_or_else(|| Refused::no_such_bridge(name))?;
        if !bridge.managed {
            return Err(Refused::other(format!(
                "bridge {name} is not managed: let Flowport forward on it with `flowport adopt {name}`"
            )));
        }
        self.check_vswitchd([name].into_iter()).await?;
        Ok(bridge.clone())
    }
}
