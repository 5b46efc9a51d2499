//! What the sender is told: plain words, the id, the help address, and no more than the house wants.
//!
//! Pure. Knows nothing of what is done with the message beyond the kind of reply asked for.

use crate::rules::Category;
use crate::smtp::Reply;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How much a refusal tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// Only that it was refused, and the id.
    None,
    /// What it was taken for.
    #[default]
    Category,
    /// The rule that weighed most.
    Rule,
}

/// `[disclosure]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisclosureSettings {
    /// How much a refusal tells.
    pub reply: Detail,
    /// Where a sender finds help; empty to name nothing.
    pub help: String,
}

impl DisclosureSettings {
    /// The 550 of a refused message.
    pub fn refused(&self, verdict: &Verdict, id: Uuid) -> Reply {
        if let (Some(domain), None) = (&verdict.failed_dmarc, &verdict.blocked_by) {
            let text = match self.reply {
                Detail::None => "Message refused".to_owned(),
                Detail::Category | Detail::Rule => format!("Message refused as the DMARC policy of {domain} demands"),
            };
            // RFC 7372 §3.3: more than one check has failed.
            return Reply::new(550, "5.7.26", self.signed(&text, id));
        }
        let taken_for = verdict.category.map_or("unwanted", plain);
        let rule = verdict.reasons.get(verdict.levers.len());
        // Who blocked it and why is nothing that the blocked need to know.
        let text = match (self.reply, &verdict.blocked_by, rule) {
            (Detail::None, ..) => "Message refused".to_owned(),
            (Detail::Rule, Some(entry), _) if entry.is_ascii() => {
                format!("Message refused as blocked by our administrator: {entry}")
            }
            // RFC 6531 §3.7.4.2: not every client may be told what is not ASCII.
            (Detail::Category | Detail::Rule, Some(_), _) => {
                "Message refused as blocked by our administrator".to_owned()
            }
            (Detail::Rule, None, Some(reason)) => {
                format!(
                    "Message refused as {taken_for} by {}",
                    reason.split(' ').next().unwrap_or_default()
                )
            }
            (Detail::Category | Detail::Rule, None, _) => format!("Message refused as {taken_for}"),
        };
        Reply::new(550, "5.7.1", self.signed(&text, id))
    }

    /// The 451 of a message that is put off.
    pub fn deferred(&self, id: Uuid) -> Reply {
        Reply::new(451, "4.7.1", self.signed("Message put off, try again later", id))
    }

    /// The 250 of a message that is kept.
    pub fn accepted(&self, id: Uuid) -> Reply {
        Reply::new(250, "2.0.0", format!("Message accepted. id {id}"))
    }

    fn signed(&self, text: &str, id: Uuid) -> String {
        let help = if self.help.is_empty() {
            String::new()
        } else {
            format!(" help {}", self.help)
        };
        format!("{text}. id {id}{help}")
    }
}

/// A category in a sentence.
const fn plain(category: Category) -> &'static str {
    match category {
        Category::CredentialPhishing => "credential phishing",
        Category::Malware => "malware",
        Category::PaymentFraud => "payment fraud",
        Category::Impersonation => "impersonation",
        Category::Extortion => "extortion",
        Category::AdvanceFee => "advance-fee fraud",
        Category::Spam => "spam",
        Category::Policy => "against our policy",
        Category::Reconnaissance => "reconnaissance",
        Category::Trust => "unwanted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Action, Score};

    fn refused() -> Verdict {
        Verdict {
            action: Action::Reject,
            score: Score(2000),
            severity: None,
            category: Some(Category::CredentialPhishing),
            reasons: vec!["PHISH_LINK (+20.0): a link".into()],
            sole_causes: vec![],
            recipients: vec![],
            levers: vec![],
            blocked_by: None,
            failed_dmarc: None,
            bypassed: false,
        }
    }

    #[test]
    fn a_refusal_on_the_authors_domains_wish_names_the_domain() {
        let unvouched = Verdict {
            failed_dmarc: Some("b.example".into()),
            ..refused()
        };
        let id = Uuid::nil();
        for (reply, text) in [
            (Detail::None, "Message refused"),
            (
                Detail::Category,
                "Message refused as the DMARC policy of b.example demands",
            ),
        ] {
            let settings = DisclosureSettings {
                reply,
                ..DisclosureSettings::default()
            };
            let refused = settings.refused(&unvouched, id).to_string();
            assert_eq!(refused, format!("550 5.7.26 {text}. id {id}"));
        }
    }

    #[test]
    fn a_refusal_tells_as_much_as_the_house_wants() {
        let verdict = refused();
        let blocked = Verdict {
            reasons: vec!["block @b.example (at least reject), by uid 0: a secret".into()],
            levers: vec!["block @b.example".into()],
            blocked_by: Some("@b.example".into()),
            ..verdict.clone()
        };
        let id = Uuid::nil();
        for (reply, expected) in [
            (Detail::None, format!("550 5.7.1 Message refused. id {id}")),
            (
                Detail::Category,
                format!("550 5.7.1 Message refused as blocked by our administrator. id {id}"),
            ),
            (
                Detail::Rule,
                format!("550 5.7.1 Message refused as blocked by our administrator: @b.example. id {id}"),
            ),
        ] {
            let settings = DisclosureSettings {
                reply,
                ..DisclosureSettings::default()
            };
            assert_eq!(settings.refused(&blocked, id).to_string(), expected);
        }
        let foreign = Verdict {
            blocked_by: Some("\u{e4}@b.example".into()),
            ..blocked.clone()
        };
        let rule = DisclosureSettings {
            reply: Detail::Rule,
            ..DisclosureSettings::default()
        };
        assert!(
            rule.refused(&foreign, id)
                .to_string()
                .ends_with("administrator. id 00000000-0000-0000-0000-000000000000")
        );
        for (reply, help, expected) in [
            (Detail::None, "", format!("550 5.7.1 Message refused. id {id}")),
            (
                Detail::Category,
                "https://h.test",
                format!("550 5.7.1 Message refused as credential phishing. id {id} help https://h.test"),
            ),
            (
                Detail::Rule,
                "",
                format!("550 5.7.1 Message refused as credential phishing by PHISH_LINK. id {id}"),
            ),
        ] {
            let settings = DisclosureSettings {
                reply,
                help: help.into(),
            };
            assert_eq!(settings.refused(&verdict, id).to_string(), expected);
        }
    }
}
