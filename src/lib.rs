//! Containers on Open vSwitch.
pub mod intent;
pub mod model;
