//! A name server on loopback, with as many names as a test gives it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use parking_lot::Mutex;
use switchhook_node::delivery::ResolverSettings;
use tokio::net::UdpSocket;

/// One that runs until the test ends.
#[derive(Clone)]
pub(crate) struct NameServer {
    pub(crate) at: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<AtomicUsize>,
}

/// Addresses of every name, and their TTL.
struct Zone {
    addresses: Vec<IpAddr>,
    seconds: u32,
    unanswered: Vec<RecordType>,
}

impl NameServer {
    pub(crate) async fn start(addresses: &[&str], seconds: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let server = Self {
            at: socket.local_addr().expect("it is bound"),
            zone: Arc::new(Mutex::new(Zone {
                addresses: Vec::new(),
                seconds,
                unanswered: Vec::new(),
            })),
            asked: Arc::default(),
        };
        server.lead_to(addresses);
        let serving = server.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).ok();
                if let Some(answer) = question.and_then(|question| serving.answer(&question)) {
                    let answer = answer.to_vec().expect("it can be written");
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        server
    }

    /// Names lead there from now on.
    pub(crate) fn lead_to(&self, addresses: &[&str]) {
        let addresses = addresses
            .iter()
            .map(|text| text.parse().expect("it is an address"));
        self.zone.lock().addresses = addresses.collect();
    }

    /// Questions of these kinds get no answer from now on.
    pub(crate) fn leave_unanswered(&self, kinds: &[RecordType]) {
        self.zone.lock().unanswered = kinds.to_vec();
    }

    /// Number of queries for IPv4 addresses.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn answer(&self, question: &Message) -> Option<Message> {
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        let zone = self.zone.lock();
        if zone.addresses.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for query in &question.queries {
            answer.add_query(query.clone());
            if query.query_type() == RecordType::A {
                self.asked.fetch_add(1, Ordering::SeqCst);
            }
            if zone.unanswered.contains(&query.query_type()) {
                return None;
            }
            for address in &zone.addresses {
                let data = match (address, query.query_type()) {
                    (IpAddr::V4(address), RecordType::A) => RData::A(A(*address)),
                    (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(*address)),
                    _ => continue,
                };
                answer.add_answer(Record::from_rdata(query.name().clone(), zone.seconds, data));
            }
        }
        Some(answer)
    }
}

/// The settings of a machine that asks the name server there.
pub(crate) fn asking(at: SocketAddr) -> ResolverSettings {
    let mut connection = ConnectionConfig::udp();
    connection.port = at.port();
    let server = NameServerConfig::new(at.ip(), true, vec![connection]);
    let mut options = ResolverOpts::default();
    options.attempts = 1;
    options.timeout = Duration::from_millis(250);
    ResolverSettings {
        config: ResolverConfig::from_parts(None, Vec::new(), vec![server]),
        options,
        hosts: Hosts::default(),
    }
}
