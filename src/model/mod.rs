//! What the training commands train: a recurrence and a readout.

mod network;

pub use network::Network;
