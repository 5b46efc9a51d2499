//! Making a test nobody's: people, addresses, sites, tokens and numbers become made-up ones.
//!
//! A scene and who judges it go in; the scene is changed in place as far as the rule says the same, and what
//! a person should look at comes out. Knows nothing of how a test is written.

use super::{Judge, texts};
use crate::mail::Domain;
use crate::rules::test_entry::Scene;
use std::collections::{BTreeMap, BTreeSet};

const SENDER: &str = "sender.example";
const OURS: &str = "council.example";
/// Shorter numbers name nobody.
const DIGITS_MIN: usize = 5;
/// Words that stand in addresses and names without being somebody's.
const NOBODYS: [&str; 18] = [
    "admin",
    "alex",
    "and",
    "contact",
    "council",
    "enquiries",
    "example",
    "from",
    "info",
    "mail",
    "members",
    "news",
    "office",
    "registry",
    "reply",
    "support",
    "team",
    "the",
];

/// Changes what names anybody, and tells what stayed.
pub(super) fn anonymise(judge: &mut Judge<'_>, scene: &mut Scene) -> Vec<String> {
    let mut kept = Vec::new();
    let people = recipients(scene);
    names(judge, scene, &mut kept);
    sites(judge, scene, &mut kept);
    local_parts(judge, scene, &mut kept);
    tokens(judge, scene, &mut kept);
    words(judge, scene, &people, &mut kept);
    numbers(judge, scene, &mut kept);
    attachments(judge, scene, &mut kept);
    free_text(scene, &mut kept);
    kept
}

/// Words by which recipients may be called in the text.
fn recipients(scene: &Scene) -> BTreeSet<String> {
    let people = scene.mail.to.iter().chain(&scene.mail.cc).chain(&scene.envelope_to);
    let before_at = people.map(|person| person.split('@').next().unwrap_or(person));
    let words = before_at.flat_map(|text| text.split(|c: char| !c.is_alphabetic()));
    words
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() >= 3 && !NOBODYS.contains(&word.as_str()))
        .collect()
}

/// Display names go; the author's becomes another where the rule wants one.
fn names(judge: &mut Judge<'_>, scene: &mut Scene, kept: &mut Vec<String>) {
    let count = people(scene).len();
    for place in 0..count {
        let Some(name) = people(scene).get(place).and_then(|person| display_name(person)) else {
            continue;
        };
        let mut write = |person: fn(&str) -> String| {
            judge.change(scene, |scene| {
                if let Some(text) = people(scene).get_mut(place) {
                    **text = person(text);
                }
            })
        };
        let is_changed =
            write(|person| address(person).to_owned()) || write(|person| format!("Sam Reed <{}>", address(person)));
        if !is_changed {
            kept.push(format!("the name {name:?}, which the rule asks for"));
        }
    }
}

fn people(scene: &mut Scene) -> Vec<&mut String> {
    let mail = &mut scene.mail;
    let others = mail.to.iter_mut().chain(&mut mail.cc).chain(&mut mail.reply_to);
    mail.from.iter_mut().chain(others).collect()
}

fn display_name(person: &str) -> Option<String> {
    let (name, _) = person.rsplit_once('<')?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn address(person: &str) -> &str {
    let bracketed = person.rsplit_once('<').map(|(_, rest)| rest.trim_end_matches('>'));
    bracketed.unwrap_or(person).trim()
}

/// Each registrable domain becomes one of the examples', the same wherever it stands.
fn sites(judge: &mut Judge<'_>, scene: &mut Scene, kept: &mut Vec<String>) {
    let site_of = |address: &str| {
        let domain = Domain::parse(address.rsplit('@').next()?)?;
        Some(domain.site().unwrap_or(domain.as_str()).to_owned())
    };
    let from = scene.mail.from.as_deref().and_then(|from| site_of(address(from)));
    let to = scene.mail.to.first().and_then(|to| site_of(address(to)));
    let mut example: BTreeMap<String, String> = BTreeMap::new();
    example.extend(to.map(|site| (site, OURS.to_owned())));
    example.extend(from.map(|site| (site, SENDER.to_owned())));
    let mut hosts: Vec<Domain> = hosts(scene).into_values().collect();
    // The longest first, so that none is changed within another.
    hosts.sort_by_key(|host| std::cmp::Reverse(host.as_str().len()));
    let mut number = 0;
    for host in hosts {
        let site = host.site().unwrap_or(host.as_str()).to_owned();
        let example = example.entry(site).or_insert_with(|| {
            number += 1;
            format!("site-{number}.example")
        });
        let with_labels = match host.subdomain() {
            "" => example.clone(),
            labels => format!("{labels}.{example}"),
        };
        // Some rules go by where a site is registered.
        let under_tld = host.tld().map(|tld| format!("example.{tld}"));
        let others = [Some(example.as_str()), Some(with_labels.as_str()), under_tld.as_deref()];
        let is_changed = host.as_str() == example
            || others
                .into_iter()
                .flatten()
                .any(|other| replace(judge, scene, host.as_str(), other, is_of_host));
        if !is_changed {
            kept.push(format!("the host {}, which the rule asks for", host.as_str()));
        }
    }
}

/// Every host that a text of the scene names.
fn hosts(scene: &mut Scene) -> BTreeMap<String, Domain> {
    let mut found = BTreeMap::new();
    for text in texts(scene) {
        let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')));
        for word in words {
            // What stands after an encoded `@`.
            let word = word.trim_start_matches("40").trim_matches(['.', '-']);
            let domain = Domain::parse(word).filter(|_| word.contains('.') && !word.contains(".."));
            let is_host = |domain: &Domain| {
                let is_made_up = domain.as_str().ends_with(".example") || domain.as_str().ends_with(".test");
                (domain.has_known_suffix() && domain.site().is_some()) || is_made_up
            };
            let host = domain.filter(is_host);
            found.extend(host.map(|host| (host.as_str().to_owned(), host)));
        }
    }
    found
}

/// What stands before the `@` of each address.
fn local_parts(judge: &mut Judge<'_>, scene: &mut Scene, kept: &mut Vec<String>) {
    let mut found = BTreeSet::new();
    for text in texts(scene) {
        let ends = |c: char| c.is_whitespace() || "<>()[]{},;:\"'|\\/?&=".contains(c);
        let words = text.split(ends).filter_map(|word| word.split_once('@'));
        found.extend(
            words
                .filter(|(local, domain)| !local.is_empty() && domain.contains('.'))
                .map(|(local, _)| local.to_owned()),
        );
    }
    let from = scene
        .mail
        .from
        .as_deref()
        .map(|from| address(from).split('@').next().unwrap_or_default().to_owned());
    let mut number = 0;
    for local in found {
        number += 1;
        let example = match from.as_ref() == Some(&local) {
            true => "sender".to_owned(),
            false => format!("person-{number}"),
        };
        // Links may hold an address with its `@` encoded.
        replace(
            judge,
            scene,
            &format!("{local}%40"),
            &format!("{example}%40"),
            is_of_local,
        );
        let is_changed = replace(judge, scene, &format!("{local}@"), &format!("{example}@"), is_of_local);
        if !is_changed {
            kept.push(format!("{local:?} before an @, which the rule asks for"));
        }
    }
}

/// Paths and parameters of links.
fn tokens(judge: &mut Judge<'_>, scene: &mut Scene, kept: &mut Vec<String>) {
    let mut found = BTreeSet::new();
    for text in texts(scene) {
        for (at, _) in text.match_indices("://") {
            let rest = text.get(at + 3..).unwrap_or_default();
            let url: &str = rest
                .split(|c: char| c.is_whitespace() || "\"'<>".contains(c))
                .next()
                .unwrap_or_default();
            if let Some(slash) = url.find('/') {
                found.extend(url.get(slash..).filter(|path| path.len() > 1).map(str::to_owned));
            }
        }
    }
    let mut found: Vec<String> = found.into_iter().collect();
    found.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for path in found {
        let plain = plain_path(&path);
        let is_changed = replace(judge, scene, &path, "/", |_| false)
            || plain == path
            || replace(judge, scene, &path, &plain, |_| false);
        if !is_changed {
            kept.push(format!("{path:?} of a link, which the rule asks for"));
        }
    }
}

/// A path with its tokens crossed out: what is long and no word.
fn plain_path(path: &str) -> String {
    let mut out = String::new();
    for piece in path.split_inclusive(['/', '?', '&', '=', '#', ';', '.', '-', '_', '%']) {
        let body = piece.trim_end_matches(['/', '?', '&', '=', '#', ';', '.', '-', '_', '%']);
        let is_token = body.len() >= 6 && body.bytes().any(|byte| byte.is_ascii_digit());
        out.push_str(if is_token { "x" } else { body });
        out.push_str(piece.get(body.len()..).unwrap_or_default());
    }
    out
}

/// Names of recipients where the text calls them so.
fn words(judge: &mut Judge<'_>, scene: &mut Scene, people: &BTreeSet<String>, kept: &mut Vec<String>) {
    for word in people {
        let is_named = |text: &&mut String| find_word(&text.to_lowercase(), word, char::is_alphanumeric).is_some();
        if texts(scene).iter().any(is_named) && !replace(judge, scene, word, "Alex", char::is_alphanumeric) {
            kept.push(format!("{word:?}, part of a recipient's name or address"));
        }
    }
    // Several words of one name became several of another.
    while texts(scene).iter().any(|text| text.contains("Alex Alex"))
        && replace(judge, scene, "Alex Alex", "Alex", |_| false)
    {}
}

/// Telephone, account and reference numbers.
fn numbers(judge: &mut Judge<'_>, scene: &mut Scene, kept: &mut Vec<String>) {
    let mut found = BTreeSet::new();
    for text in texts(scene) {
        let runs = text.split(|c: char| !c.is_ascii_digit());
        found.extend(runs.filter(|run| run.len() >= DIGITS_MIN).map(str::to_owned));
    }
    for run in found.iter().rev().filter(|run| run.bytes().any(|byte| byte != b'0')) {
        if !replace(judge, scene, run, &"0".repeat(run.len()), |c| c.is_ascii_digit()) {
            kept.push(format!("the number {run}, which the rule asks for"));
        }
    }
}

fn attachments(judge: &mut Judge<'_>, scene: &mut Scene, kept: &mut Vec<String>) {
    for place in 0..scene.mail.attachments.len() {
        let Some(attachment) = scene.mail.attachments.get(place).cloned() else {
            continue;
        };
        let extension = attachment
            .name
            .rsplit_once('.')
            .map(|(_, extension)| extension.to_owned());
        let other = extension.map_or_else(|| "file".to_owned(), |extension| format!("file.{extension}"));
        let is_changed = judge.change(scene, |scene| {
            if let Some(attachment) = scene.mail.attachments.get_mut(place) {
                attachment.name = other;
            }
        });
        if !is_changed {
            kept.push(format!(
                "the attachment's name {:?}, which the rule asks for",
                attachment.name
            ));
        }
        if !attachment.content.is_empty() {
            let bytes = attachment.content.len();
            kept.push(format!(
                "the first {bytes} bytes of the attachment {:?}",
                attachment.name
            ));
        }
    }
}

/// What no program can tell to be harmless.
fn free_text(scene: &Scene, kept: &mut Vec<String>) {
    const SHOWN: usize = 60;
    let cut = |text: &str| {
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if text.chars().count() > SHOWN { "…" } else { "" };
        format!("{shown:?}{more}")
    };
    let mail = &scene.mail;
    for (what, text) in [
        ("subject", &mail.subject),
        ("text", &mail.text),
        ("HTML", &mail.html),
        ("mail", &mail.raw),
    ] {
        if let Some(text) = text {
            kept.push(format!("the words of the {what}: {}", cut(text)));
        }
    }
    if let Some(date) = &mail.date {
        kept.push(format!("the field Date: {}", cut(date)));
    }
    for (name, value) in &mail.headers {
        kept.push(format!("the field {name}: {}", cut(value)));
    }
}

/// Replaces a text, in any case, wherever no part of a longer word; says whether the rule allows it.
fn replace(judge: &mut Judge<'_>, scene: &mut Scene, what: &str, other: &str, is_part: fn(char) -> bool) -> bool {
    judge.change(scene, |scene| {
        for text in texts(scene) {
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some(at) = find_word(&rest.to_ascii_lowercase(), &what.to_ascii_lowercase(), is_part) {
                out.push_str(rest.get(..at).unwrap_or_default());
                out.push_str(other);
                rest = rest.get(at + what.len()..).unwrap_or_default();
            }
            out.push_str(rest);
            *text = out;
        }
    })
}

/// Where a word stands that no letter of its kind touches.
fn find_word(text: &str, word: &str, is_part: fn(char) -> bool) -> Option<usize> {
    let mut places = text.match_indices(word).map(|(at, _)| at);
    places.find(|at| {
        let before = text.get(..*at).unwrap_or_default();
        let after = text.get(at + word.len()..).unwrap_or_default();
        let is_free = !before.ends_with(is_part) || before.ends_with("%40");
        is_free && !after.starts_with(is_part)
    })
}

fn is_of_host(c: char) -> bool {
    c.is_alphanumeric() || c == '-'
}

/// An address ends with its `@`, so that only what stands before it may be part of it.
fn is_of_local(c: char) -> bool {
    matches!(c, '.' | '+' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_crossed_out_and_words_stay() {
        for (path, expected) in [
            ("/deposit?r=ann&t=8f3a9c1177de", "/deposit?r=ann&t=x"),
            ("/a/2026/login.php", "/a/2026/login.php"),
            ("/u/0123456-abcdef/", "/u/x-abcdef/"),
        ] {
            assert_eq!(plain_path(path), expected);
        }
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(find_word("manned by ann", "ann", char::is_alphanumeric), Some(10));
        assert_eq!(
            find_word("x.bank.example.net bank.example", "bank.example", is_of_host),
            Some(2)
        );
        assert_eq!(find_word("x%40bank.example", "bank.example", is_of_host), Some(4));
        assert_eq!(find_word("notbank.example", "bank.example", is_of_host), None);
    }
}
