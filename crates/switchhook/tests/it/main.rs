//! The node from outside and in virtual time: one binary, so that it links once.

mod api;
mod balancer;
mod cli;
mod crash;
mod dashboard;
mod delivery;
mod docs;
mod faults;
mod feed;
mod liveness;
mod metrics;
mod nodes;
mod notifications;
mod ownership;
mod power_cut;
mod real_shape;
mod relay;
mod replay;
mod retention;
mod secure;
mod simulation;
mod slow_clients;
mod stopping;
mod support;
mod websocket_endings;
mod websockets;
