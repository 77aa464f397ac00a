//! Several real nodes on one PostgreSQL database: what one is told counts for all, and nothing is lost whichever fails.

mod crew;
mod failing;
mod nul;
mod order;
mod outage;
mod pooler;
mod sharing;
mod skew;
mod stalls;
mod switchover;
