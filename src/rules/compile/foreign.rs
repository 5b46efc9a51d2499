//! Names that people bring from other rule languages, and what to write here.
//!
//! Tables only: names of SpamAssassin, rspamd, Sigma, YARA, MQL, SQL and Python in, ours out. Decides
//! nothing, and knows nothing of types: whoever asks looks whether the answer fits.

use crate::rules::function::Receiver;

/// Fields, the longest names first where one begins another. What ends in `…` is the whole answer.
const FIELDS: &[(&str, &str)] = &[
    ("attachment", "attachments.any(a, a.…)"),
    ("bcc", "envelope.to"),
    ("body.current_thread.links", "links"),
    ("body.current_thread.text", "body.new"),
    ("body.current_thread", "body.new"),
    ("body.previous_threads", "thread.quoted"),
    ("body.html.display_text", "body.text"),
    ("body.html.inner_text", "body.text"),
    ("body.html.raw", "body.html"),
    ("body.links", "links"),
    ("body.plain.raw", "body.text"),
    ("body.plain", "body.text"),
    ("body.urls", "links"),
    ("client.address", "client.ip"),
    ("client.host", "client.name"),
    ("date", "message.date"),
    ("dkim", "auth.dkim"),
    ("dmarc", "auth.dmarc"),
    ("email.body", "body.text"),
    ("email.from", "from.address"),
    ("email.subject", "subject"),
    ("email.to", "to"),
    ("envelope.mail_from", "envelope.from"),
    ("envelope.rcpt_to", "envelope.to"),
    ("envelope.recipients", "envelope.to"),
    ("envelope.sender", "envelope.from"),
    ("envfrom", "envelope.from"),
    ("envrcpt", "envelope.to"),
    ("filesize", "message.size"),
    ("header.cc", "cc"),
    ("header.date", "message.date"),
    ("header.from", "from.address"),
    ("header.message_id", "message.id"),
    ("header.reply_to", "reply_to"),
    ("header.subject", "subject"),
    ("header.to", "to"),
    ("headers.auth_summary.dmarc.pass", "auth.dmarc == 'pass'"),
    ("headers.auth_summary.dmarc", "auth.dmarc"),
    ("headers.auth_summary.spf.pass", "auth.spf == 'pass'"),
    ("headers.auth_summary.spf", "auth.spf"),
    ("headers.cc", "cc"),
    ("headers.date", "message.date"),
    ("headers.from", "from.address"),
    ("headers.hops", "received"),
    ("headers.in_reply_to", "thread.is_reply"),
    ("headers.mailer", "header('X-Mailer')"),
    ("headers.message_id", "message.id"),
    ("headers.references", "thread.references"),
    ("headers.reply_to", "reply_to"),
    ("headers.return_path", "envelope.from"),
    ("headers.subject", "subject"),
    ("headers.to", "to"),
    ("ip", "client.ip"),
    ("link", "links.any(l, l.…)"),
    ("mail.body", "body.text"),
    ("mail.from", "envelope.from"),
    ("mail.subject", "subject"),
    ("mail.to", "envelope.to"),
    ("mail_from", "envelope.from"),
    ("mailbox", "envelope.to"),
    ("message.body", "body.text"),
    ("message.from", "from.address"),
    ("message.sender", "from.address"),
    ("message.subject", "subject"),
    ("message.text", "body.text"),
    ("message.to", "to"),
    ("message_id", "message.id"),
    ("mime_type", "attachments.any(a, a.declared_type == '…')"),
    ("msg.body", "body.text"),
    ("msg.from", "from.address"),
    ("msg.subject", "subject"),
    ("msg.to", "to"),
    ("profile", "history.from.messages_before"),
    ("raw", "body.html"),
    ("rawbody", "body.html"),
    ("rcpt", "envelope.to"),
    ("rcpt_to", "envelope.to"),
    ("recipient", "envelope.to"),
    ("recipients.bcc", "envelope.to"),
    ("recipients.cc", "cc"),
    ("recipients.to", "to"),
    ("recipients", "envelope.to"),
    ("replyto", "reply_to"),
    ("return_path", "envelope.from"),
    ("sender.display_name", "from.name"),
    ("sender.email.domain.domain", "from.domain"),
    ("sender.email.domain.root_domain", "from.domain.site"),
    ("sender.email.domain.sld", "from.domain.label"),
    ("sender.email.domain.tld", "from.domain.tld"),
    ("sender.email.domain", "from.domain"),
    ("sender.email.email", "from.address"),
    ("sender.email.local_part", "from.local"),
    ("sender.email", "from.address"),
    ("sender_address", "from.address"),
    ("sender_domain", "from.domain"),
    ("sender_name", "from.name"),
    ("size", "message.size"),
    ("smtp.helo", "helo"),
    ("smtp.mailfrom", "envelope.from"),
    ("smtp.rcptto", "envelope.to"),
    ("spf", "auth.spf"),
    ("subject.base", "subject_base"),
    ("subject.subject", "subject"),
    ("text", "body.text"),
    ("type.inbound", "direction == 'inbound'"),
    ("type.outbound", "direction == 'outbound'"),
    ("uri", "links.any(l, l.target.…)"),
    ("url", "links.any(l, l.target.…)"),
    ("urls", "links"),
];

/// Parts of records, in the order of preference; a record that has no such part is passed over.
const MEMBERS: &[(&str, &str)] = &[
    ("content_type", "declared_type"),
    ("display_name", "name"),
    ("display_text", "shown.text"),
    ("display_url", "shown.domain"),
    ("email", "address"),
    ("ext", "extension"),
    ("file_extension", "extension"),
    ("file_name", "name"),
    ("file_type", "kind"),
    ("filename", "name"),
    ("hash", "sha256"),
    ("host", "domain.host"),
    ("hostname", "domain.host"),
    ("href", "target"),
    ("href_url", "target"),
    ("is_encrypted", "encrypted"),
    ("local_part", "local"),
    ("mime_type", "declared_type"),
    ("query_params", "query"),
    ("root_domain", "site"),
    ("sld", "label"),
    ("text", "shown.text"),
    ("type", "kind"),
    ("url", "target"),
    ("username", "user"),
];

/// Functions, with `{0}` and `{1}` for their arguments as written, `{/0}` and `{/1}` as a regex.
const FUNCTIONS: &[(&str, &str)] = &[
    ("bool", "present({0})"),
    ("coalesce", "{0} ?? {1}"),
    ("count", "{0}.length"),
    ("defined", "present({0})"),
    ("endswith", "{0}.ends_with({1})"),
    ("exists", "present({0})"),
    ("file.explode", "attachments.any(a, a.files.any(f, …))"),
    ("filter", "{0}.any(x, …), or {0}.count(x, …)"),
    ("find", "{0}.contains({1})"),
    ("has", "present({0})"),
    ("if", "({0} and {1}) or (not {0} and …)"),
    ("ifnull", "{0} ?? {1}"),
    ("in_list", "{0} in {1}"),
    ("isset", "present({0})"),
    ("len", "{0}.length"),
    ("levenshtein", "{0}.similar_to({1}, 2)"),
    ("map", "{0}.distinct(x, …)"),
    ("match", "{0}.matches({/1})"),
    ("now", "now"),
    ("profile.by_sender", "history.from.messages_before"),
    ("re.match", "{1}.matches({/0})"),
    ("re.search", "{1}.matches({/0})"),
    ("regex", "{0}.matches({/1})"),
    ("regex.contains", "{0}.matches({/1})"),
    ("regex.icontains", "{0}.matches({/1}i)"),
    ("regex.imatch", "{0}.matches({/1}i)"),
    ("regex.match", "{0}.matches({/1})"),
    ("size", "{0}.length"),
    ("startswith", "{0}.starts_with({1})"),
    ("strings.contains", "{0}.contains({1})"),
    ("strings.ends_with", "{0}.ends_with({1})"),
    ("strings.icontains", "{0}.icontains({1})"),
    ("strings.iends_with", "{0}.iends_with({1})"),
    ("strings.iequals", "{0}.iequals({1})"),
    ("strings.ilevenshtein", "{0}.similar_to({1}, 2)"),
    ("strings.ilike", "{0}.icontains({1})"),
    ("strings.istarts_with", "{0}.istarts_with({1})"),
    ("strings.levenshtein", "{0}.similar_to({1}, 2)"),
    ("strings.like", "{0}.contains({1})"),
    ("strings.replace_confusables", "{0}.skeleton()"),
    ("strings.starts_with", "{0}.starts_with({1})"),
    ("strlen", "{0}.length"),
    ("tolower", "{0}.lower()"),
    ("upper", "{0}.lower()"),
];

/// Methods and what is like one.
const METHODS: &[(Receiver, &str, &str)] = &[
    (Receiver::Text, "endsWith", "ends_with"),
    (Receiver::Text, "equals_ignore_case", "iequals"),
    (Receiver::Text, "find", "contains"),
    (Receiver::Text, "has", "contains"),
    (Receiver::Text, "ilike", "icontains"),
    (Receiver::Text, "includes", "contains"),
    (Receiver::Text, "indexOf", "contains"),
    (Receiver::Text, "len", "length"),
    (Receiver::Text, "levenshtein", "similar_to"),
    (Receiver::Text, "like", "contains"),
    (Receiver::Text, "match", "matches"),
    (Receiver::Text, "regex", "matches"),
    (Receiver::Text, "search", "matches"),
    (Receiver::Text, "size", "length"),
    (Receiver::Text, "startsWith", "starts_with"),
    (Receiver::Text, "test", "matches"),
    (Receiver::Text, "toLowerCase", "lower"),
    (Receiver::Text, "upper", "lower"),
    (Receiver::List, "every", "all"),
    (Receiver::List, "exists", "any"),
    (Receiver::List, "filter", "any"),
    (Receiver::List, "len", "length"),
    (Receiver::List, "map", "distinct"),
    (Receiver::List, "size", "length"),
    (Receiver::List, "some", "any"),
    (Receiver::List, "unique", "distinct"),
];

/// Lists of other vendors' rules, and those that come with the shipped ones.
const LISTS: &[(&str, &str)] = &[
    ("free_email_providers", "freemail"),
    ("free_subdomain_hosts", "free_hosting"),
    ("org_domain", "org_domains"),
    ("suspicious_tlds", "cheap_tlds"),
    ("url_shorteners", "link_shorteners"),
];

/// What no rule can ask for here, and why.
const ABSENT: &[(&str, &str)] = &[
    (
        "beta",
        "a rule asks only for what is in the message, its envelope and its history",
    ),
    (
        "ml",
        "a rule asks only for what is in the message, its envelope and its history",
    ),
    (
        "network",
        "a rule asks only for what is in the message, its envelope and its history",
    ),
    (
        "score",
        "rules don't see the sum: refer to rules, @NAME or 2 of @tag:lure",
    ),
    (
        "spam_score",
        "rules don't see the sum: refer to rules, @NAME or 2 of @tag:lure",
    ),
    ("nocase", "write icontains or iequals, or `i` after a regex"),
];

/// Words for nothing at all.
const NOTHING: [&str; 7] = ["NULL", "Null", "nil", "None", "null", "undefined", "NaN"];

/// What to write for a field's name, or for one that begins with such a name.
pub(super) fn field(dotted: &str) -> Option<String> {
    let rows = FIELDS.iter().filter_map(|(foreign, ours)| {
        let rest = dotted.strip_prefix(foreign)?;
        (rest.is_empty() || rest.starts_with('.')).then_some((*ours, rest))
    });
    let (ours, rest) = rows.min_by_key(|(_, rest)| rest.len())?;
    if ours.contains(['(', ' ']) {
        return Some(ours.to_owned());
    }
    let parts = rest.split('.').skip(1);
    let parts = parts.map(|part| format!(".{}", member(part, |_| true).unwrap_or(part)));
    Some(format!("{ours}{}", parts.collect::<String>()))
}

/// What to write for a part of something that has certain parts.
pub(super) fn member(name: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let rows = MEMBERS.iter().filter(|(foreign, _)| *foreign == name);
    rows.map(|(_, ours)| *ours)
        .find(|ours| ours.split('.').next().is_some_and(&has))
}

/// What to write for a call of a function with these arguments.
pub(super) fn call(name: &str, arguments: &[String]) -> Option<String> {
    let (_, ours) = FUNCTIONS.iter().find(|(foreign, _)| *foreign == name)?;
    let mut written = (*ours).to_owned();
    for place in 0..2 {
        let argument = arguments.get(place).map_or("…", String::as_str);
        let bare = argument.trim_matches('\'').replace("''", "'").replace('/', "\\/");
        written = written.replace(&format!("{{/{place}}}"), &format!("/{bare}/"));
        written = written.replace(&format!("{{{place}}}"), argument);
    }
    Some(written)
}

/// What to write for a method.
pub(super) fn method(name: &str, receiver: Receiver) -> Option<&'static str> {
    let row = METHODS
        .iter()
        .find(|(of, foreign, _)| *of == receiver && *foreign == name);
    row.map(|(_, _, ours)| *ours)
}

/// What a list may be called here.
pub(super) fn list(name: &str) -> Option<&'static str> {
    LISTS
        .iter()
        .find(|(foreign, _)| *foreign == name)
        .map(|(_, ours)| *ours)
}

/// Why there is nothing of this name, nor anything like it.
pub(super) fn absent(name: &str) -> Option<&'static str> {
    ABSENT.iter().find(|(foreign, _)| *foreign == name).map(|(_, why)| *why)
}

/// Whether a name is a word for nothing.
pub(super) fn is_nothing(name: &str) -> bool {
    NOTHING.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::compile::Atoms;
    use crate::rules::compile::house::House;
    use crate::rules::function;

    /// An answer must be good, and what it answers must not be good already.
    #[test]
    fn fields_lead_to_fields_of_ours() {
        let house = House::new();
        for (foreign, ours) in FIELDS {
            let told = house.read(&format!("known({foreign})"), &mut Atoms::default()).1;
            assert!(
                told.iter().any(|problem| problem.code == "unknown-field"),
                "{foreign}: {told:?}"
            );
            if !ours.contains('…') {
                let (condition, told) = house.read(&format!("known({ours})"), &mut Atoms::default());
                assert!(condition.is_some(), "{foreign}: {told:?}");
            }
        }
    }

    #[test]
    fn methods_lead_to_methods_of_ours() {
        for (receiver, foreign, ours) in METHODS {
            assert!(function::names(*receiver).any(|name| name == *ours), "{foreign}");
            assert!(function::names(*receiver).all(|name| name != *foreign), "{foreign}");
        }
    }

    #[test]
    fn answers_carry_on_what_was_written() {
        for (foreign, ours) in [
            ("sender.email.domain.root_domain", "from.domain.site"),
            ("recipients.to.first.email", "to.first.address"),
            ("mail.from.domain", "envelope.from.domain"),
            ("url.domain", "links.any(l, l.target.…)"),
        ] {
            assert_eq!(field(foreign).as_deref(), Some(ours));
        }
        assert_eq!(field("subjects"), None);
        let written = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            call("re.search", &written(&["'a/b'", "subject"])).as_deref(),
            Some("subject.matches(/a\\/b/)")
        );
        assert_eq!(call("len", &written(&["links"])).as_deref(), Some("links.length"));
        assert_eq!(member("url", |part| part == "target"), Some("target"));
        assert_eq!(member("url", |_| false), None);
    }
}
