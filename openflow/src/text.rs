//! ovs-ofctl(8)'s notation.

mod actions;
mod conntrack;
mod flow;
mod group;
mod matches;
mod openvswitch;
pub(crate) mod value;

#[cfg(test)]
mod tests;
