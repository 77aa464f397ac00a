//! What the tests stand on.

pub(crate) mod browser;
pub(crate) mod faulty_store;
pub(crate) mod hostile;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod mailbox;
pub(crate) mod name_server;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod rig;
pub(crate) mod stall;
pub(crate) mod stranger;
pub(crate) mod test_server;
pub(crate) mod tls;
pub(crate) mod until;
