//! A DNS server on loopback that answers what a test tells it to, over UDP and TCP.
//!
//! Threads and blocking sockets, so that it serves the program as well as its parts. Knows nothing of who asks.

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, PTR, TLSA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

/// What it says to a question.
#[derive(Clone)]
pub enum Says {
    /// These records.
    Records(Vec<RData>),
    /// These records, and that DNSSEC vouches for them, to those who ask whether.
    Vouched(Vec<RData>),
    /// These records over TCP; over UDP only that they don't fit.
    OverTcp(Vec<RData>),
    /// These records, the last of four packets: before them come others in its name, with another id, to another
    /// question, and from another port, each vouching for what stands second here.
    AmongForgeries(Vec<RData>, RData),
    /// An error.
    Error(ResponseCode),
    /// Nothing at all.
    Silence,
}

type Zone = Arc<Mutex<World>>;

/// What there is to say, and what was asked.
#[derive(Default)]
struct World {
    says: HashMap<(String, RecordType), Says>,
    /// To all else: nothing at all.
    is_silent: bool,
    asked: Vec<String>,
}

/// A running server; it ends with the test program.
pub struct NameServer {
    /// Where it listens.
    pub address: SocketAddr,
    zone: Zone,
}

impl NameServer {
    /// One that knows no name.
    pub fn start() -> Self {
        let (packets, streams) = sockets();
        let address = packets.local_addr().expect("a bound socket");
        let zone = Zone::default();
        let (for_packets, for_streams) = (Arc::clone(&zone), Arc::clone(&zone));
        std::thread::spawn(move || serve_packets(&packets, &for_packets));
        std::thread::spawn(move || {
            for stream in streams.incoming().flatten() {
                let zone = Arc::clone(&for_streams);
                std::thread::spawn(move || serve_stream(stream, &zone));
            }
        });
        Self { address, zone }
    }

    /// One that answers nobody.
    pub fn silent() -> Self {
        let server = Self::start();
        server.zone.lock().expect("nobody panicked").is_silent = true;
        server
    }

    /// From now on it says this of the name.
    pub fn say(&self, name: &str, kind: RecordType, says: Says) -> &Self {
        let mut zone = self.zone.lock().expect("nobody panicked");
        zone.says.insert((name.to_owned(), kind), says);
        drop(zone);
        self
    }

    /// What it was asked so far: `council.example MX`.
    pub fn asked(&self) -> Vec<String> {
        self.zone.lock().expect("nobody panicked").asked.clone()
    }
}

/// A mail exchanger.
pub fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(preference, name(host)))
}

/// A mail exchanger under `example` whose first label holds any octets.
pub fn mx_of_octets(label: &[u8]) -> RData {
    let host = Name::from_labels([label, b"example"]).expect("labels that fit");
    RData::MX(MX::new(10, host))
}

/// A name of an address, under `example`, whose first label holds any octets.
pub fn ptr_of_octets(label: &[u8]) -> RData {
    RData::PTR(PTR(Name::from_labels([label, b"example"]).expect("labels that fit")))
}

/// An address.
pub fn a(address: Ipv4Addr) -> RData {
    RData::A(A(address))
}

/// A text of these strings.
pub fn txt(strings: &[&str]) -> RData {
    RData::TXT(TXT::new(strings.iter().map(|&text| text.to_owned()).collect()))
}

/// An alias.
pub fn cname(host: &str) -> RData {
    RData::CNAME(CNAME(name(host)))
}

/// A certificate association.
pub fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> RData {
    RData::TLSA(TLSA::new(usage.into(), selector.into(), matching.into(), data.to_vec()))
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

/// Both kinds of socket on one port.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let packets = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        if let Ok(streams) = TcpListener::bind(packets.local_addr().expect("a bound socket")) {
            return (packets, streams);
        }
    }
}

fn serve_packets(socket: &UdpSocket, zone: &Zone) {
    let mut packet = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut packet) {
        if let Some(answer) = answer(&packet[..length], zone, true) {
            for (forgery, from) in forgeries(&packet[..length], zone) {
                let _ = from.as_ref().unwrap_or(socket).send_to(&forgery, peer);
            }
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// What a stranger might send in the server's name before it answers, where that is to be tried.
fn forgeries(message: &[u8], zone: &Zone) -> Vec<(Vec<u8>, Option<UdpSocket>)> {
    let Ok(question) = Message::from_vec(message) else {
        return Vec::new();
    };
    let Some(query) = question.queries.first().cloned() else {
        return Vec::new();
    };
    let Some(Says::AmongForgeries(_, forged)) = said(zone, &query) else {
        return Vec::new();
    };
    let forge = |id: u16, query: Query| {
        let mut forgery = Message::response(id, question.metadata.op_code);
        forgery.metadata.authentic_data = true;
        forgery.add_answer(Record::from_rdata(query.name().clone(), 60, forged.clone()));
        forgery.add_query(query);
        forgery.to_vec().expect("a message")
    };
    let id = question.metadata.id;
    let other = Query::query(name("other.example."), query.query_type());
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    vec![
        (forge(id ^ 1, query.clone()), None),
        (forge(id, other), None),
        (forge(id, query), Some(stranger)),
    ]
}

/// What is to be said to a question.
fn said(zone: &Zone, query: &Query) -> Option<Says> {
    let asked = query.name().to_ascii().to_ascii_lowercase();
    let asked = asked.trim_end_matches('.').to_owned();
    let zone = zone.lock().expect("nobody panicked");
    let silence = zone.is_silent.then_some(Says::Silence);
    zone.says.get(&(asked, query.query_type())).cloned().or(silence)
}

/// Messages with their length before them (RFC 1035 §4.2.2).
fn serve_stream(mut stream: TcpStream, zone: &Zone) {
    loop {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        let Some(answer) = answer(&message, zone, false) else {
            continue;
        };
        let length = u16::try_from(answer.len()).expect("a message that fits");
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        if stream.write_all(&framed).is_err() {
            return;
        }
    }
}

fn answer(message: &[u8], zone: &Zone, over_udp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(message).ok()?;
    let query = question.queries.first()?.clone();
    let asked = query.name().to_ascii().to_ascii_lowercase();
    let asked = format!("{} {}", asked.trim_end_matches('.'), query.query_type());
    zone.lock().expect("nobody panicked").asked.push(asked);
    let says = said(zone, &query);
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let records = match says {
        None => Vec::new(),
        Some(Says::Silence) => return None,
        Some(Says::Error(code)) => {
            answer.metadata.response_code = code;
            Vec::new()
        }
        Some(Says::OverTcp(_)) if over_udp => {
            answer.metadata.truncation = true;
            Vec::new()
        }
        Some(Says::Vouched(records)) => {
            // RFC 6840 §5.8: only to those who asked for it.
            answer.metadata.authentic_data = question.metadata.authentic_data;
            records
        }
        Some(Says::Records(records) | Says::OverTcp(records) | Says::AmongForgeries(records, _)) => records,
    };
    let mut owner = query.name().clone();
    for data in records {
        let next = match &data {
            RData::CNAME(alias) => Some(alias.0.clone()),
            _ => None,
        };
        answer.add_answer(Record::from_rdata(owner.clone(), 60, data));
        owner = next.unwrap_or(owner);
    }
    answer.to_vec().ok()
}
