//! What authors of rules measure with: archived mail in, counts and comparisons out.
//!
//! [`Bench`] judges a message that somebody kept as the gate would have; `census` counts what came of
//! many, `sets` what came of each labelled set, `moves` compares what two sets of rules make of it; `archive` reads what
//! a archived message lacks, `traps` takes out what gives its label away. Pure. Knows nothing of files, threads, or how
//! results look.

mod archive;
mod census;
mod moves;
mod sets;
mod traps;

pub use archive::Reading;
pub use census::{Census, Count, Label, Partner, RuleCounts, Share, precision};
pub use moves::{How, Moves, Turn, differing};
pub use sets::{Outcomes, Set, Sets};
pub use traps::{FieldNames, Traps, VERDICT_FIELDS};

use crate::evidence::identity::{Identity, Protected};
use crate::evidence::{Evidence, Outside};
use crate::mail::{Message, message};
use crate::rules::workbench::profile::{Profile, Stopwatch};
use crate::rules::{Action, Category, Finding, Findings, RuleInfo, RuleSet, Score, Status, Undecided};
use crate::verdict::{self, Checked, Policy, Pulled, Verdict};
use bytes::Bytes;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::Duration;

/// What archived mail is judged by.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Thresholds and recipients' policies.
    pub policy: Arc<Policy>,
    /// How much of a message is looked at.
    pub parsing: message::Limits,
    /// How a archived message is read.
    pub reading: Reading,
    /// The present: no message came in after it.
    pub now: Timestamp,
}

/// What rules make of one message.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What would be done.
    pub action: Action,
    /// The sum of points.
    pub score: Score,
    /// Of the strongest rule that speaks against it.
    pub category: Option<Category>,
    /// Rules that matched, active and shadow.
    pub findings: Vec<Finding>,
    /// Rules that stayed undecided, and for want of which fact.
    pub undecided: Vec<Undecided>,
    /// Rules that alone change the action; of one in shadow, that would if it acted.
    pub sole_causes: Vec<String>,
}

/// What judging messages costs.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// Bytes of them.
    pub bytes: u64,
    /// Header fields and MIME parts were told apart.
    pub parsing: Duration,
    /// The rest.
    pub rules: Profile,
}

impl Cost {
    /// Adds what other messages cost.
    pub fn merge(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.parsing += other.parsing;
        self.rules.merge(&other.rules);
    }
}

/// Beyond so many matches no single one is the cause, and the work would grow with the square.
const MATCHES_MOST: usize = 64;

/// A message's text in short, the same for messages that say the same.
pub type TextDigest = u128;

impl Bench {
    /// Has somebody look at a archived message as evidence.
    pub fn see<T>(&self, bytes: Vec<u8>, look: impl FnOnce(&Evidence<'_, '_>) -> T) -> T {
        self.see_timed(self.reading.prepared(bytes), Protected::nobody(), || (), look)
    }

    /// What a set of rules costs on it.
    pub fn profile(&self, rules: &RuleSet, bytes: Vec<u8>, clock: &Stopwatch<'_>, reading_the_clock: Duration) -> Cost {
        let bytes = self.reading.prepared(bytes);
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let begun = clock();
        let mut parsed = begun;
        let protected = rules.protected();
        let look = |evidence: &Evidence<'_, '_>| Profile::of(rules, evidence, clock, reading_the_clock);
        let rules = self.see_timed(bytes, protected, || parsed = clock(), look);
        Cost {
            bytes: size,
            parsing: parsed.saturating_sub(begun),
            rules,
        }
    }

    /// With a stop watch that is told when the message was parsed.
    fn see_timed<T>(
        &self,
        bytes: Bytes,
        protected: &Protected,
        parsed: impl FnOnce(),
        look: impl FnOnce(&Evidence<'_, '_>) -> T,
    ) -> T {
        let message = Message::parse(&bytes, &self.parsing);
        let (mail, kept) = self.reading.mail(&bytes, &message, self.now);
        parsed();
        let mut outside = Outside::not_gathered();
        outside.take_stated_name(&mail);
        look(&Evidence {
            now: mail.received,
            mail: &mail,
            message: &message,
            outside,
            kept,
            identity: Identity::against(protected),
        })
    }

    /// What a set of rules makes of it.
    pub fn judge(&self, rules: &RuleSet, evidence: &Evidence<'_, '_>) -> Judged {
        let evidence = &evidence.against(rules.protected());
        let findings = rules.evaluate(evidence);
        let verdict = self.decide(&findings, evidence);
        let mut sole_causes = verdict.sole_causes;
        // The verdict tells of rules that act and make it stricter.
        let untold = |finding: &&Finding| finding.rule.status == Status::Shadow || finding.rule.score < Score(0);
        let few = findings.matched.len() <= MATCHES_MOST;
        for finding in findings.matched.iter().filter(untold).filter(|_| few) {
            if self.changes(finding, &findings, evidence) {
                sole_causes.push(finding.rule.id.clone());
            }
        }
        Judged {
            action: verdict.action,
            score: verdict.score,
            category: verdict.category,
            findings: findings.matched,
            undecided: findings.undecided,
            sole_causes,
        }
    }

    /// What could not be checked counts as unknown, not as a reason to keep archived mail from anybody.
    fn decide(&self, findings: &Findings, evidence: &Evidence<'_, '_>) -> Verdict {
        verdict::decide(
            findings,
            Checked::default(),
            &self.policy,
            &evidence.mail.envelope,
            &Pulled::default(),
        )
    }

    /// Whether the action with a rule, acting, is another than without it.
    fn changes(&self, finding: &Finding, findings: &Findings, evidence: &Evidence<'_, '_>) -> bool {
        let others = findings.matched.iter().filter(|other| other.rule.id != finding.rule.id);
        let mut supposed = Findings {
            matched: others.cloned().collect(),
            ..Findings::default()
        };
        let without = self.decide(&supposed, evidence).action;
        supposed.matched.push(Finding {
            rule: Arc::new(RuleInfo {
                status: Status::Active,
                ..RuleInfo::clone(&finding.rule)
            }),
            evidence: Vec::new(),
        });
        self.decide(&supposed, evidence).action != without
    }
}

/// What tells texts apart: what a person would read or, of a message that shows none, its subject.
pub fn text_digest(message: &Message<'_>) -> TextDigest {
    let text = match message.text().trim() {
        "" => message.subject(),
        text => text,
    };
    let digest = digest(&SHA256, text.as_bytes());
    let head = digest.as_ref().first_chunk().copied();
    u128::from_be_bytes(head.unwrap_or_default())
}

#[cfg(test)]
mod tests;
