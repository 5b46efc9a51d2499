//! The stages of one message: each asks what the ones before it have not, so that their sum is the whole's cost if all is
//! asked. The whole asks as the gate does, only for what rules want to know.

use portreeve::clock::thread_cpu_time;
use portreeve::evidence::identity::Identity;
use portreeve::evidence::{Evidence, Kept, Outside};
use portreeve::mail::{Limits, Mail, Message, alone};
use portreeve::rules::RuleSet;
use std::hint::black_box;
use std::time::Duration;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What others do with the same bytes.
    MailParser,
    Parse,
    Body,
    /// A share of the body, measured once more by itself.
    Html,
    Links,
    Thread,
    Fields,
    Languages,
    Phones,
    BankDetails,
    CryptoAddresses,
    Files,
    Defects,
    Identity,
    Rules,
    Whole,
}

/// In order, with what the table calls them.
pub const STAGES: [(Stage, &str); 16] = [
    (Stage::MailParser, "mail-parser's parse alone"),
    (Stage::Parse, "parse: header and MIME parts"),
    (Stage::Body, "text, links and newest part of the thread"),
    (Stage::Html, "  HTML alone"),
    (Stage::Links, "  links in the text alone"),
    (Stage::Thread, "  splitting the thread alone"),
    (Stage::Fields, "addresses, Received and the thread's fields"),
    (Stage::Languages, "languages"),
    (Stage::Phones, "telephone numbers"),
    (Stage::BankDetails, "bank details"),
    (Stage::CryptoAddresses, "crypto addresses"),
    (Stage::Files, "attachments and their digests"),
    (Stage::Defects, "defects"),
    (Stage::Identity, "identity: whom it poses as"),
    (Stage::Rules, "rules, all of that asked before"),
    (Stage::Whole, "parse, evidence and rules, as the gate asks"),
];

/// What each stage of a message takes, the whole excepted.
pub fn of(mail: &Mail, rules: &RuleSet) -> [Duration; STAGES.len()] {
    let begun = thread_cpu_time();
    let parsed = mail_parser::MessageParser::default().parse(&mail.bytes);
    let mail_parser = thread_cpu_time() - begun;
    black_box(parsed.map_or(0, |parsed| parsed.parts.len()));

    let begun = thread_cpu_time();
    let message = Message::parse(&mail.bytes, &Limits::default());
    let parse = thread_cpu_time() - begun;
    let evidence = Evidence {
        now: mail.received,
        mail,
        message: &message,
        outside: Outside::stranger(),
        kept: Kept::ALL,
        identity: Identity::against(rules.protected()),
    };
    std::array::from_fn(|place| match STAGES[place].0 {
        Stage::MailParser => mail_parser,
        Stage::Parse => parse,
        // Measured apart, over all mail anew: here the message and the rules' tables would be warm in the caches.
        Stage::Whole => Duration::ZERO,
        stage => {
            // What a share is measured of stands before the watch starts.
            let rendered = (stage == Stage::Thread).then(|| alone::rendered_text(message.text()));
            let begun = thread_cpu_time();
            let asked = ask(stage, &evidence, rendered.as_ref(), rules);
            let taken = thread_cpu_time() - begun;
            black_box(asked);
            taken
        }
    })
}

/// Asks all that belongs to a stage; what comes back is only there so that it isn't left out.
fn ask(stage: Stage, evidence: &Evidence<'_, '_>, rendered: Option<&alone::Rendered>, rules: &RuleSet) -> usize {
    let message = evidence.message;
    match stage {
        Stage::MailParser | Stage::Parse | Stage::Whole => 0,
        Stage::Body => message.text().len() + message.links().len(),
        Stage::Html => alone::rendered_html(message.html()).text.len(),
        Stage::Links => alone::links(message.text()).len(),
        Stage::Thread => rendered.map_or(0, |rendered| alone::history(rendered).len()),
        Stage::Fields => {
            let lists = [message.authors(), message.reply_to(), message.to(), message.cc()];
            let mailboxes: usize = lists.iter().map(|list| list.len()).sum();
            let is_sent = usize::from(message.sender().is_some());
            mailboxes + is_sent + message.received().len() + message.thread().references.len()
        }
        Stage::Languages => message.languages().len(),
        Stage::Phones => message.phones().len(),
        Stage::BankDetails => message.bank_details().len(),
        Stage::CryptoAddresses => message.crypto_addresses().len(),
        Stage::Files => message.attachments().iter().map(|file| file.sha256().len()).sum(),
        Stage::Defects => message.defects().len(),
        Stage::Identity => {
            let likenesses = [evidence.lookalike(), evidence.reply_lookalike()];
            let told = [
                evidence.claims().organisation.is_empty(),
                evidence.name_address().is_some(),
                evidence.reply_elsewhere().is_some(),
                evidence.is_author_ambiguous(),
            ];
            let count = |is_so: &bool| usize::from(*is_so);
            likenesses.iter().flatten().count()
                + told.iter().map(count).sum::<usize>()
                + evidence.link_lookalikes().len()
                + evidence.name_tricks().len()
        }
        Stage::Rules => rules.evaluate(evidence).matched.len(),
    }
}

/// The gate's way from bytes to findings, until all of it is dropped.
pub fn whole(mail: &Mail, rules: &RuleSet) -> Duration {
    let outside = Outside::stranger();
    let begun = thread_cpu_time();
    {
        let message = Message::parse(&mail.bytes, &Limits::default());
        let evidence = Evidence {
            now: mail.received,
            mail,
            message: &message,
            outside,
            kept: Kept::ALL,
            identity: Identity::against(rules.protected()),
        };
        black_box(rules.evaluate(&evidence).matched.len());
        black_box(message.defects().len());
    }
    thread_cpu_time() - begun
}

/// What asking for the time costs by itself.
pub fn reading_the_clock() -> Duration {
    let trial = |_| {
        let begun = thread_cpu_time();
        thread_cpu_time() - begun
    };
    (0..1_000).map(trial).min().unwrap_or_default()
}
