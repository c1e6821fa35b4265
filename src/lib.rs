//! Containers on Open vSwitch.

pub mod docker;
pub mod netlink;
pub mod process;
