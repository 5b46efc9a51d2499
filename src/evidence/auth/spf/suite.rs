//! The test suite of RFC 7208 as its authors publish it, where somebody has it: `PORTREEVE_SPF_SUITE` names it as JSON,
//! an array of its YAML documents. No word of it stands here.

use super::*;
use crate::resolver::{Exchanger, Record};
use async_trait::async_trait;
use serde_json::Value;

/// The zone of one document.
struct Published<'s>(&'s Value);

impl Published<'_> {
    /// The entries of a name, in any case.
    fn entries(&self, name: &str) -> Vec<&Value> {
        let zone = self.0.as_object().into_iter().flatten();
        let found = zone.filter(|(key, _)| key.trim_end_matches('.').eq_ignore_ascii_case(name));
        found
            .flat_map(|(_, entries)| entries.as_array().into_iter().flatten())
            .collect()
    }

    fn records(&self, name: &str, kind: Kind, aliases: usize) -> Result<Vec<Record>, DnsFault> {
        let entries = self.entries(name);
        let of = |key: &str| {
            entries
                .iter()
                .filter_map(|entry| entry.get(key))
                .cloned()
                .collect::<Vec<Value>>()
        };
        let (key, mut values) = match kind {
            Kind::A => ("A", of("A")),
            Kind::Aaaa => ("AAAA", of("AAAA")),
            Kind::Mx => ("MX", of("MX")),
            Kind::Ptr => ("PTR", of("PTR")),
            Kind::Tlsa => ("TLSA", Vec::new()),
            Kind::Txt => ("TXT", of("TXT")),
        };
        // Where only the type of old is written down, it stands for both.
        if kind == Kind::Txt && values.is_empty() {
            values = of("SPF");
        }
        values.retain(|value| value != "NONE");
        if values.iter().any(|value| value == "TIMEOUT") {
            return Err(DnsFault::TimedOut);
        }
        if values.is_empty() {
            if let Some(alias) = of("CNAME").first().and_then(Value::as_str) {
                return match aliases {
                    0 => Err(DnsFault::Failed),
                    left => self.records(alias.trim_end_matches('.'), kind, left - 1),
                };
            }
            if entries.iter().any(|entry| **entry == "TIMEOUT") {
                return Err(DnsFault::TimedOut);
            }
        }
        Ok(values.iter().filter_map(|value| record(key, value)).collect())
    }
}

fn record(kind: &str, value: &Value) -> Option<Record> {
    Some(match kind {
        "A" | "AAAA" => Record::Address(value.as_str()?.parse().ok()?),
        "MX" => Record::Exchanger(Exchanger {
            preference: u16::try_from(value.get(0)?.as_u64()?).ok()?,
            host: value.get(1)?.as_str()?.trim_end_matches('.').to_ascii_lowercase(),
        }),
        "PTR" => Record::Name(value.as_str()?.trim_end_matches('.').to_ascii_lowercase()),
        _ => Record::Text(match value {
            Value::Array(strings) => strings
                .iter()
                .filter_map(Value::as_str)
                .collect::<String>()
                .into_bytes(),
            text => text.as_str()?.as_bytes().to_vec(),
        }),
    })
}

#[async_trait]
impl Dns for Published<'_> {
    fn is_trusted(&self) -> bool {
        false
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault> {
        if name.split('.').any(|label| label.is_empty() || label.len() > 63) || name.len() > 253 {
            return Err(DnsFault::NotAName);
        }
        Ok(Answer::of(self.records(name, kind, 10)?))
    }

    /// The suite writes reverse names as any other.
    async fn names(&self, address: IpAddr) -> Result<Answer<String>, DnsFault> {
        let name = format!(
            "{}.{}.arpa",
            crate::resolver::reversed(address),
            crate::resolver::zone_of(address)
        );
        let records = self.records(&name, Kind::Ptr, 10)?;
        let names = records.into_iter().filter_map(|record| match record {
            Record::Name(name) => Some(name),
            _ => None,
        });
        Ok(Answer::of(names.collect()))
    }
}

#[tokio::test]
async fn the_published_suite_holds() {
    let Some(path) = std::env::var_os("PORTREEVE_SPF_SUITE") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = serde_json::from_str(&text).unwrap();
    let (mut held, mut differs) = (0, Vec::new());
    for document in &documents {
        let zone = Published(&document["zonedata"]);
        for (name, test) in document["tests"].as_object().into_iter().flatten() {
            let text = |key: &str| test[key].as_str().unwrap_or_default();
            let (local, domain) = text("mailfrom").rsplit_once('@').unwrap_or(("", text("mailfrom")));
            let sender = Sender {
                client: text("host").parse().unwrap(),
                helo: text("helo"),
                local,
                domain: if domain.is_empty() { text("helo") } else { domain },
            };
            let result = check(&zone, &sender).await;
            let expected: Vec<&str> = match &test["result"] {
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            match expected.contains(&result.as_str()) {
                true => held += 1,
                false => differs.push(format!("{name}: {result:?}, not {expected:?}")),
            }
        }
    }
    assert!(held > 0 && differs.is_empty(), "{held} hold; {differs:#?}");
}
