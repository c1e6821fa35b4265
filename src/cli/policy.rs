//! `set-icc`, `allow`, `disallow`.

use crate::intent::Intent;
use crate::model::{BadWord, Rule};

use super::submit::submit;
use super::{Failure, Global};

#[derive(clap::Args)]
pub(super) struct SetIccArgs {
    /// The bridge
    bridge: String,
    /// Whether containers may talk to each other
    #[arg(value_parser = ["on", "off"])]
    icc: String,
    /// The network, by its VLAN
    #[arg(long, value_name = "VLAN", default_value = "0", allow_hyphen_values = true)]
    vlan: String,
}

pub(super) fn set_icc(global: &Global, args: &SetIccArgs) -> Result<(), Failure> {
    let (bridge, vlan) = (args.bridge.parse()?, args.vlan.parse()?);
    submit(global, Intent::SetIcc { bridge, vlan, icc: args.icc == "on" })?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct RuleArgs {
    /// The bridge
    bridge: String,
    /// The container that begins, as it was named when it was attached, or any
    from: String,
    /// The container that it begins with
    to: String,
    /// any, icmp, tcp, udp, tcp/PORT or udp/PORT
    #[arg(default_value = "any")]
    traffic: String,
}

impl RuleArgs {
    fn rule(&self) -> Result<Rule, BadWord> {
        let from = (self.from != "any").then(|| self.from.parse()).transpose()?;
        let rule = Rule { from, to: self.to.parse()?, traffic: self.traffic.parse()? };
        // The rule is kept as text, of which blanks are the joints.
        match rule.to_string().parse::<Rule>() {
            Ok(same) if same == rule => Ok(rule),
            _ => {
                Err(BadWord(format!("a rule cannot name {} and {}: no blanks in paths", self.from, self.to)))
            }
        }
    }
}

pub(super) fn allow(global: &Global, args: &RuleArgs) -> Result<(), Failure> {
    submit(global, Intent::Allow { bridge: args.bridge.parse()?, rule: args.rule()? })?;
    Ok(())
}

pub(super) fn disallow(global: &Global, args: &RuleArgs) -> Result<(), Failure> {
    submit(global, Intent::Disallow { bridge: args.bridge.parse()?, rule: args.rule()? })?;
    Ok(())
}
