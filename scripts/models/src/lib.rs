//! Every order in which the kernels' threads can meet, tried by loom: the files of the kernels themselves, with loom's
//! atomic numbers, locks and threads in the place of the standard library's.

#![cfg(test)]

#[path = "../../../src/kernel/desk.rs"]
mod desk;
mod sync;
#[path = "../../../src/kernel/team.rs"]
mod team;
mod tests;
