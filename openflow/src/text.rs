//! ovs-ofctl(8)'s notation.

mod actions;
mod conntrack;
pub(crate) mod flow;
mod group;
mod matches;
mod meter;
mod openvswitch;
pub(crate) mod parse;
pub(crate) mod value;

pub use parse::{ParseTextError, Problem};

#[cfg(test)]
mod tests;
