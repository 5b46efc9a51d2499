//! What finds out about senders, tried out: does DNS answer, do block lists, does the seal's key stand where it should?
//!
//! Settings in, lines out. Asks only for what the settings name.

use super::{Line, Outcome, line};
use crate::config::Config;
use crate::daemon;
use crate::evidence::Lists;
use crate::resolver::{Bounded, Dns, StubResolver};
use crate::telemetry::Telemetry;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Tries all of it out, within the budget of a message.
pub(super) async fn try_out(config: &Config, lines: &mut Vec<Line>) {
    let sealer = match daemon::sealer(config) {
        Ok(sealer) => sealer,
        Err(why) => {
            lines.push(line("seal", Outcome::Failed, why.to_string()));
            None
        }
    };
    let lists = Lists::new(&config.dns_list, &Telemetry::default()).unwrap_or_default();
    if sealer.is_none() && config.dns_list.is_empty() {
        return;
    }
    let resolver = match StubResolver::new(&config.resolver) {
        Ok(resolver) => Arc::new(resolver),
        Err(why) => {
            return lines.push(line(
                "senders",
                Outcome::Warning,
                format!("nothing can be looked up: {why}"),
            ));
        }
    };
    let over = CancellationToken::new();
    let dns = Bounded::new(resolver, over.clone());
    let asking = async {
        let mut told = Vec::new();
        if let Some(sealer) = sealer {
            told.push(seal(&dns, &sealer.key_name()).await);
        }
        for (name, outcome) in lists.try_out(&dns).await {
            told.push(match outcome {
                Ok(()) => line(
                    "dns list",
                    Outcome::Fine,
                    format!("{name} answers its test entries as it should"),
                ),
                Err(why) => line("dns list", Outcome::Warning, format!("{name}: {why}")),
            });
        }
        told
    };
    let mut asking = std::pin::pin!(asking);
    let told = match tokio::time::timeout(config.resolver.total.0, asking.as_mut()).await {
        Ok(told) => told,
        Err(_) => {
            over.cancel();
            asking.await
        }
    };
    lines.extend(told);
}

/// Whether others can check our seal.
async fn seal(dns: &dyn Dns, key: &str) -> Line {
    match dns.texts(key).await {
        Ok(answer) if answer.records.iter().any(|text| text.starts_with(b"v=DKIM1")) => {
            line("seal", Outcome::Fine, format!("{key} has a key"))
        }
        Ok(_) => line(
            "seal",
            Outcome::Warning,
            format!("{key} has no key in DNS: nobody can check our seal"),
        ),
        Err(fault) => line("seal", Outcome::Warning, format!("{key}: {fault}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::resolver::name_server::{NameServer, Says, a, txt};
    use hickory_resolver::proto::rr::RecordType;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn lists_and_the_seals_key_are_tried_out() {
        let server = NameServer::start();
        let listed = || Says::Records(vec![a(Ipv4Addr::new(127, 0, 0, 2))]);
        let refused = || Says::Records(vec![a(Ipv4Addr::new(127, 255, 255, 254))]);
        server
            .say("2.0.0.127.fine.test", RecordType::A, listed())
            .say("test.names.test", RecordType::A, listed())
            .say("2.0.0.127.refuses.test", RecordType::A, refused())
            .say("2.0.0.127.all.test", RecordType::A, listed())
            .say("1.0.0.127.all.test", RecordType::A, listed())
            .say(
                "s._domainkey.council.example",
                RecordType::TXT,
                Says::Records(vec![txt(&["v=DKIM1; p=x"])]),
            );
        let folder = tempfile::tempdir().unwrap();
        let key = concat!(env!("CARGO_MANIFEST_DIR"), "/src/action/seal/test-only.pem");
        let mut settings = format!(
            "resolver.servers = [\"{}\"]\nresolver.lookup = \"1s\"\n[authentication.seal]\ndomain = \"council.example\"\n\
             selector = \"s\"\nkey = \"{key}\"\n",
            server.address
        );
        for (name, of) in [
            ("fine", "addresses"),
            ("names", "domains"),
            ("refuses", "addresses"),
            ("all", "addresses"),
            ("gone", "addresses"),
        ] {
            settings.push_str(&format!(
                "[[dns_list]]\nname = \"{name}\"\nzone = \"{name}.test\"\nof = \"{of}\"\nanswers = {{ \"127.0.0.2\" = \"spam\" }}\n"
            ));
        }
        let file = folder.path().join("portreeve.toml");
        std::fs::write(&file, settings).unwrap();
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        let config = crate::config::load(&sources)
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config;
        let mut lines = Vec::new();
        try_out(&config, &mut lines).await;
        let told: Vec<String> = lines
            .iter()
            .map(|line| format!("{:?} {}", line.result, line.message))
            .collect();
        for (place, words) in [
            ["Fine", "s._domainkey.council.example has a key"],
            ["Fine", "fine answers"],
            ["Fine", "names answers"],
            ["Warning", "refuses: it answers 127.255.255.254"],
            ["Warning", "all: it lists 127.0.0.1, and so everybody"],
            ["Warning", "gone: it does not list 127.0.0.2"],
        ]
        .into_iter()
        .enumerate()
        {
            assert!(
                words.iter().all(|word| told[place].contains(word)),
                "{words:?}: {told:#?}"
            );
        }
        assert_eq!(told.len(), 6);
    }
}
