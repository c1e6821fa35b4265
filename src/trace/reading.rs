//! What `ofproto/trace --names` says (ovs-vswitchd(8)), taken apart.

use serde::Serialize;

/// All that it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The tables that the packet and its copies went through, in order.
    pub steps: Vec<Step>,
    /// What the datapath is told to do, once for each pass through it.
    pub datapath_actions: Vec<String>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The bridge.
    pub bridge: String,
    /// The table's number.
    pub table: u8,
    /// The flow entry that the packet met; absent when it met none.
    pub entry: Option<Entry>,
    /// What was done.
    pub actions: Vec<Did>,
}

/// An action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Did {
    /// It, in the notation of ovs-ofctl(8).
    pub action: String,
    /// Whether it is one of a group's bucket.
    pub in_group: bool,
    /// What ovs-vswitchd remarks on it: `->` what follows of it, `>>` what is wrong with it.
    pub remarks: Vec<String>,
}

/// A flow entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its match; empty when it takes all.
    pub matches: String,
    /// Its priority.
    pub priority: u16,
    /// Its cookie.
    pub cookie: u64,
}

impl Reading {
    /// Reads it line by line; lines that are not known are actions of the table before them.
    pub fn of(said: &str) -> Self {
        let mut reading = Self::default();
        let mut bridge = String::new();
        // Headers of a pass stand at the margin.
        let mut in_tables = false;
        // How far the last bucket of a group is indented, whose actions stand deeper.
        let mut bucket: Option<usize> = None;
        for line in said.lines() {
            let text = line.trim();
            if let Some(name) = text.strip_prefix("bridge(\"").and_then(|rest| rest.strip_suffix("\")")) {
                name.clone_into(&mut bridge);
                in_tables = true;
            } else if let Some(actions) = line.strip_prefix("Datapath actions: ") {
                reading.datapath_actions.push(actions.to_owned());
                in_tables = false;
            } else if line.starts_with("Final flow:") {
                in_tables = false;
            } else if !in_tables || text.chars().all(|c| c == '-' || c == '=') {
                // Rules beneath headers, blank lines, and what stands between two passes.
            } else if let Some((table, entry)) = table(text) {
                reading.steps.push(Step { bridge: bridge.clone(), table, entry, actions: Vec::new() });
                bucket = None;
            } else if let Some(step) = reading.steps.last_mut().filter(|step| step.bridge == bridge) {
                let indent = line.len() - line.trim_start().len();
                match step.actions.last_mut().filter(|_| is_remark(text)) {
                    Some(done) => done.remarks.push(text.to_owned()),
                    None if text.starts_with("bucket ") => bucket = Some(indent),
                    None => {
                        let in_group = bucket.is_some_and(|bucket| indent > bucket);
                        step.actions.push(Did { action: text.to_owned(), in_group, remarks: Vec::new() });
                    }
                }
            }
        }
        for step in &mut reading.steps {
            if step.is_default_drop() {
                step.entry = None;
            }
        }
        reading
    }

    /// Whether the datapath is told to do nothing with it.
    pub fn is_dropped(&self) -> bool {
        self.datapath_actions.iter().all(|actions| actions == "drop")
    }

    /// The ports of the datapath that copies go to, by name: of the actions, those that are no more than a name.
    pub fn datapath_ports(&self) -> Vec<&str> {
        let mut ports = Vec::new();
        for actions in &self.datapath_actions {
            for action in split(actions).filter(|action| *action != "drop") {
                match action.strip_prefix("clone(").and_then(|inner| inner.strip_suffix(')')) {
                    Some(inner) => ports.extend(split(inner).filter(|action| is_name(action))),
                    None if is_name(action) => ports.push(action),
                    None => {}
                }
            }
        }
        ports
    }
}

impl Step {
    /// Open vSwitch has entries of its own for what meets none, in a table that nobody sees.
    fn is_default_drop(&self) -> bool {
        let hidden = self
            .entry
            .as_ref()
            .is_some_and(|entry| entry.matches.starts_with("reg0=") && entry.priority == 0);
        hidden && matches!(&self.actions[..], [only] if only.action == "drop")
    }

    /// The ports that copies are sent to, by name, each with what is wrong with it, if anything.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.actions.iter().filter_map(|done| Some((done.output()?, done.trouble())))
    }

    /// Whether one of the actions begins so.
    pub fn does(&self, start: &str) -> bool {
        self.actions.iter().any(|done| done.action.starts_with(start))
    }
}

impl Did {
    /// The port that a copy is sent to, by name.
    pub fn output(&self) -> Option<&str> {
        match self.action.as_str() {
            "LOCAL" | "IN_PORT" => Some(&self.action),
            _ if self.is_by_register() => None,
            action => Some(unquoted(action.strip_prefix("output:")?)),
        }
    }

    /// Whether a copy is sent to the port whose number a register holds.
    pub fn is_by_register(&self) -> bool {
        self.action.starts_with("output:NXM_NX_REG")
    }

    /// What is wrong with it.
    pub fn trouble(&self) -> Option<&str> {
        self.remarks.iter().find_map(|remark| remark.strip_prefix(">> "))
    }
}

/// `4. in_port=p1, priority 100, cookie 0xf10f`, or `4. No match.`.
fn table(text: &str) -> Option<(u8, Option<Entry>)> {
    let (number, rest) = text.split_once(". ")?;
    let number = number.parse().ok()?;
    if rest == "No match." {
        return Some((number, None));
    }
    let (rest, cookie) = match rest.rsplit_once(", cookie ") {
        Some((rest, cookie)) => (rest, u64::from_str_radix(cookie.trim_start_matches("0x"), 16).ok()?),
        None => (rest, 0),
    };
    let (matches, priority) = match rest.rsplit_once(", priority ") {
        Some((matches, priority)) => (matches, priority),
        None => ("", rest.strip_prefix("priority ")?),
    };
    Some((number, Some(Entry { matches: matches.to_owned(), priority: priority.parse().ok()?, cookie })))
}

fn is_remark(line: &str) -> bool {
    line.starts_with("-> ") || line.starts_with(">> ")
}

/// Names that are no plain words stand in quotes.
fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

fn is_name(action: &str) -> bool {
    !action.is_empty()
        && !action.contains(['(', ')'])
        && !["pop_vlan", "ct_clear", "pop_eth", "pop_nsh", "drop"].contains(&action)
}

/// The parts between commas that are in no brackets.
fn split(actions: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    actions.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ovs-vswitchd 3.1.0 says it of a userspace tunnel; the rest is asked of a running one, in `tests/trace.rs`.
    const BY_TUNNEL: &str = r#"Flow: icmp,in_port=fp8898ba50e70c,dl_dst=02:42:0a:00:00:09

bridge("br0")
-------------
 4. metadata=0/0x100000000, priority 0, cookie 0xf10f000000000000
    goto_table:5
 5. metadata=0/0x3ffffffff, priority 50, cookie 0xf10f000000000000
    set_field:0->tun_id
    output:"to-west"
     -> output to native tunnel
     -> tunneling to 192.0.2.2 via br-underlay

bridge("br-underlay")
---------------------
 0. reg0=0x2, priority 0
    drop

Final flow: unchanged
Megaflow: recirc_id=0,eth,ip
Datapath actions: tnl_push(tnl_port(vxlan_sys_4789),header(size=50),out_port(br-underlay)),clone(pop_vlan,up0),p,2
"#;

    #[test]
    fn a_tunnel_leads_on_to_the_bridge_beneath() {
        let reading = Reading::of(BY_TUNNEL);
        let [forward, flood, below] = &reading.steps[..] else { panic!("{reading:#?}") };
        assert_eq!((forward.bridge.as_str(), forward.table), ("br0", 4));
        assert_eq!(flood.outputs().collect::<Vec<_>>(), [("to-west", None)]);
        assert_eq!(flood.actions[1].remarks.len(), 2);
        assert_eq!((below.bridge.as_str(), &below.entry), ("br-underlay", &None), "nothing took it there");
        assert_eq!(reading.datapath_ports(), ["up0", "p", "2"]);
        assert!(!reading.is_dropped());
    }

    #[test]
    fn what_is_no_trace_has_no_step() {
        for text in ["", "br0: unknown bridge", "bridge(\"br0\")", " 0. priority x", "Datapath actions: drop"]
        {
            assert_eq!(Reading::of(text).steps, [], "{text:?}");
        }
    }
}
