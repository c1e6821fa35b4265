//! Who may talk to whom on a bridge.

use std::time::Instant;

use crate::model::{LinkName, Rule, Vlan};
use crate::ovsdb::Database;
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
        let row = bridge.row;
        let made = database.set_isolated(row, vlan, !icc).await;
        let finish = async |()| self.settle(name, deadline).await;
        self.finish_or_undo(made, finish, move |database| async move {
            database.set_isolated(row, vlan, before).await
        })
        .await
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
        let made = database.set_rule(bridge.row, rule, allowed).await;
        let finish = async |()| self.settle(name, deadline).await;
        let (row, rule) = (bridge.row, rule.clone());
        let undo = move |database: Database| {
            let rule = rule.clone();
            async move { database.set_rule(row, &rule, before).await }
        };
        self.finish_or_undo(made, finish, undo).await
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
