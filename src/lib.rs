//! Containers on Open vSwitch.
