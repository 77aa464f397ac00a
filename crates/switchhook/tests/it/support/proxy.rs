//! A wire that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Passes connections on to an address.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    open: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Proxy {
    #[expect(clippy::disallowed_methods, reason = "a wire between a test's own programs")]
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let open: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let connections = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let passing = tokio::spawn(async move {
                    // While nobody listens there, whoever connected waits.
                    let mut far = loop {
                        match TcpStream::connect(target).await {
                            Ok(far) => break far,
                            Err(_) => tokio::time::sleep(CONNECT_AGAIN_AFTER).await,
                        }
                    };
                    copy_bidirectional(&mut near, &mut far).await
                });
                connections.lock().push(passing.abort_handle());
            }
        });
        Self { address, open }
    }

    /// Cuts every connection; the next ones are passed on again.
    pub(crate) fn cut(&self) {
        self.open
            .lock()
            .drain(..)
            .for_each(|connection| connection.abort());
    }
}
