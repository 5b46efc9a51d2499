//! DNS in memory, for tests: a zone as text, answers as it says, and what was asked.
//!
//! A line is a name, a kind and what it has: `a.example TXT v=spf1 -all`. Kinds are those of the resolver; PTR may
//! stand at an address. `!timeout`, `!failed`, `!refused` and `!many` are faults, `-` is a name without records.

use super::{Answer, Dns, DnsFault, Exchanger, Kind, Record, reversed, zone_of};
use async_trait::async_trait;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

type Outcome = Result<Vec<Record>, DnsFault>;

/// A world of these names and no other.
#[derive(Default)]
pub(crate) struct Zone {
    said: HashMap<(String, Kind), Outcome>,
    asked: Mutex<Vec<String>>,
}

impl Zone {
    /// Reads a zone.
    pub(crate) fn of(text: &str) -> Self {
        let mut zone = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_else(|| panic!("{line:?} is too short"));
            let (name, kind, data) = (word(), word(), word());
            let name = name
                .parse::<IpAddr>()
                .map_or_else(|_| name.to_ascii_lowercase(), reverse_name);
            zone.add(name, kind_of(kind), data);
        }
        zone
    }

    fn add(&mut self, name: String, kind: Kind, data: &str) {
        let said = self.said.entry((name, kind)).or_insert_with(|| Ok(Vec::new()));
        match (data, said) {
            ("!timeout", said) => *said = Err(DnsFault::TimedOut),
            ("!failed", said) => *said = Err(DnsFault::Failed),
            ("!refused", said) => *said = Err(DnsFault::Refused),
            ("!many", said) => *said = Err(DnsFault::TooMany),
            ("-", _) => {}
            (data, Ok(records)) => records.push(record(kind, data)),
            (data, Err(_)) => panic!("{data:?} after a fault"),
        }
    }

    /// What was asked so far, sorted: `a.example TXT`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

fn reverse_name(address: IpAddr) -> String {
    format!("{}.{}.arpa", reversed(address), zone_of(address))
}

fn kind_of(text: &str) -> Kind {
    match text {
        "A" => Kind::A,
        "AAAA" => Kind::Aaaa,
        "MX" => Kind::Mx,
        "PTR" => Kind::Ptr,
        "TXT" => Kind::Txt,
        other => panic!("{other:?} is no kind"),
    }
}

fn record(kind: Kind, data: &str) -> Record {
    match kind {
        Kind::A | Kind::Aaaa => Record::Address(data.parse().unwrap()),
        Kind::Mx => {
            let (preference, host) = data.split_once(' ').unwrap();
            Record::Exchanger(Exchanger {
                preference: preference.parse().unwrap(),
                host: host.to_owned(),
            })
        }
        Kind::Ptr => Record::Name(data.to_owned()),
        Kind::Txt => Record::Text(data.as_bytes().to_vec()),
        Kind::Tlsa => panic!("not here"),
    }
}

#[async_trait]
impl Dns for Zone {
    fn is_trusted(&self) -> bool {
        false
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.asked.lock().unwrap().push(format!("{name} {kind:?}"));
        if name.split('.').any(|label| label.is_empty() || label.len() > 63) || name.len() > 253 {
            return Err(DnsFault::NotAName);
        }
        let exists = self.said.keys().any(|(known, _)| *known == name);
        let records = self
            .said
            .get(&(name, kind))
            .cloned()
            .unwrap_or_else(|| Ok(Vec::new()))?;
        Ok(Answer {
            exists,
            ..Answer::of(records)
        })
    }
}
