//! Containers on Open vSwitch.
pub mod model;
