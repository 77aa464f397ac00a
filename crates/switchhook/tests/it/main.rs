//! The node from outside and in virtual time: one binary, so that it links once.

mod api;
mod cli;
mod crash;
mod delivery;
mod real_shape;
mod replay;
mod simulation;
mod support;
