//! A house for tests of the language: some lists, some rules with fixed outcomes, a message.

use super::{Atoms, Condition, Names, RuleRef, compile};
use crate::evidence::identity::{Identity, Protected};
use crate::evidence::{Evidence, Fact, Kept, Outside};
use crate::mail::message::Limits;
use crate::mail::{Address, Client, Direction, Envelope, Mail, Message, Recipient};
use crate::rules::Snippet;
use crate::rules::evaluate::{Outcome, Outcomes, Scope, Truth, evaluate};
use crate::rules::lists::{Cell, Entry, List, ListKind};
use crate::rules::syntax::{Level, Problem, parse};
use crate::rules::value::Why;
use jiff::Timestamp;
use std::sync::Arc;

pub(crate) struct House {
    lists: Vec<Arc<List>>,
    outcomes: Vec<Outcome>,
}

const RULES: [&str; 5] = ["LURE_TRUE", "LURE_FALSE", "LURE_UNKNOWN", "is_true", "is_absent"];

impl House {
    pub(crate) fn new() -> Self {
        let lists = [
            (
                "org_domains",
                ListKind::Domain,
                &["council.example", "sender.example"][..],
            ),
            ("partners", ListKind::Domain, &["partner.example"]),
            ("people", ListKind::Address, &["Jane@sender.example"]),
            ("bad_urls", ListKind::Url, &["evil.example/login"]),
            ("networks", ListKind::Cidr, &["192.0.2.0/24"]),
            ("brands", ListKind::Text, &["Examplebank", "Parcelco"]),
            ("names", ListKind::Name, &["jane doe"]),
            ("hashes", ListKind::Sha256, &[]),
        ];
        let entry = |value: &&str| Entry {
            value: (*value).to_owned(),
            expires: None,
        };
        let mut lists: Vec<Arc<List>> = lists
            .map(|(name, kind, values)| {
                let entries: Vec<Entry> = values.iter().map(entry).collect();
                Arc::new(List::new(name, kind, &entries).unwrap())
            })
            .into();
        let columns = [("name", "name"), ("addresses", "list<address>")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let row = vec![
            ("name".to_owned(), Cell::One("Jane Doe".to_owned())),
            (
                "addresses".to_owned(),
                Cell::Many(vec!["boss@council.example".to_owned()]),
            ),
        ];
        lists.push(Arc::new(List::table("vips", &columns, &[row]).unwrap()));
        let snippet = Snippet {
            field: "subject".to_owned(),
            text: "seen".to_owned(),
            offset: None,
        };
        let outcome = |truth, snippets, unknown| Outcome {
            truth,
            snippets,
            unknown,
        };
        let why = Why {
            check: "auth.dmarc",
            cause: "timeout",
        };
        let outcomes = vec![
            outcome(Truth::True, vec![snippet.clone()], vec![]),
            outcome(Truth::False, vec![], vec![]),
            outcome(Truth::Unknown, vec![], vec![why]),
            outcome(Truth::True, vec![snippet], vec![]),
            outcome(Truth::Unknown, vec![], vec![]),
        ];
        Self { lists, outcomes }
    }

    /// The condition, and everything there is to say about it.
    pub(crate) fn read(&self, text: &str, atoms: &mut Atoms) -> (Option<Condition>, Vec<Problem>) {
        let (expr, mut problems) = parse(text);
        let Some(expr) = expr else {
            return (None, problems);
        };
        let (condition, more) = compile(&expr, self, atoms);
        problems.extend(more);
        (condition, problems)
    }

    /// What a condition comes to on a message.
    pub(crate) fn judge(&self, text: &str, scene: &Scene) -> Outcome {
        let mut atoms = Atoms::default();
        let (condition, problems) = self.read(text, &mut atoms);
        let condition = condition.unwrap_or_else(|| panic!("{text}: {problems:#?}"));
        let scanner = atoms.build();
        scene.see(|evidence| {
            let mut scope = Scope::new(evidence, &scanner)
                .withhold(&scene.withheld)
                .limit_steps(scene.steps);
            evaluate(&condition, &mut scope, self)
        })
    }

    /// What each of several conditions comes to on a message, when they stand in one set and are asked in
    /// this order.
    pub(crate) fn judge_set(&self, texts: &[&str], scene: &Scene) -> Vec<Outcome> {
        let mut atoms = Atoms::default();
        let read = |text: &&str| self.read(text, &mut atoms).0.unwrap();
        let conditions: Vec<Condition> = texts.iter().map(read).collect();
        let scanner = atoms.build();
        scene.see(|evidence| {
            let mut scope = Scope::new(evidence, &scanner).withhold(&scene.withheld);
            let judged = conditions.iter().map(|condition| evaluate(condition, &mut scope, self));
            judged.collect()
        })
    }

    /// The only error of an expression.
    pub(crate) fn error(&self, text: &str) -> Problem {
        let (condition, problems) = self.read(text, &mut Atoms::default());
        assert!(condition.is_none(), "{text} is fine");
        let mut errors = problems.into_iter().filter(|problem| problem.level == Level::Error);
        let first = errors.next().unwrap();
        assert_eq!(errors.next(), None, "{text}");
        first
    }

    /// The only warning of an expression.
    pub(crate) fn warning(&self, text: &str) -> Problem {
        let (condition, mut problems) = self.read(text, &mut Atoms::default());
        assert!(condition.is_some() && problems.len() == 1, "{text}: {problems:#?}");
        problems.remove(0)
    }
}

impl Names for House {
    fn list(&self, name: &str) -> Option<Arc<List>> {
        self.lists.iter().find(|list| list.name() == name).cloned()
    }

    fn rule(&self, name: &str) -> Option<RuleRef> {
        RULES.iter().position(|rule| *rule == name).map(RuleRef)
    }

    fn rules_starting(&self, prefix: &str) -> Vec<RuleRef> {
        (0..RULES.len())
            .filter(|place| RULES[*place].starts_with(prefix))
            .map(RuleRef)
            .collect()
    }

    fn rules_tagged(&self, tag: &str) -> Vec<RuleRef> {
        if tag == "bec" {
            vec![RuleRef(0), RuleRef(1)]
        } else {
            Vec::new()
        }
    }

    fn list_names(&self) -> Vec<&str> {
        self.lists.iter().map(|list| list.name()).collect()
    }

    fn rule_names(&self) -> Vec<&str> {
        RULES.to_vec()
    }
}

impl Outcomes<'_> for House {
    fn outcome(&self, rule: RuleRef) -> &Outcome {
        &self.outcomes[rule.0]
    }
}

/// A message and what is known of it.
pub(crate) struct Scene {
    pub(crate) message: String,
    pub(crate) outside: Outside,
    pub(crate) withheld: Vec<String>,
    pub(crate) kept: Kept,
    pub(crate) limits: Limits,
    pub(crate) steps: u64,
}

const MESSAGE: &str = r#"Received: from mx.sender.example (mx.sender.example [192.0.2.7]) by mail.council.example with ESMTPS; Mon, 4 Jan 2027 09:00:00 +0000
From: "Jane DOE" <jane@mail.sender.example>
Reply-To: <other@elsewhere.example>
To: Bob <bob@council.example>, <carol@council.example>
Subject: Re: Your INVOICE is overdue
Date: Mon, 4 Jan 2027 09:00:00 +0000
Message-ID: <id-1@sender.example>
X-Mailer: Foo/1.0
X-Tag: one
X-Tag: two
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<html><body><p>Please pay now. STRASSE Straße ΣΊΣΥΦΟΣ İstanbul раураl.</p>
<p>Sort code 12-34-56 and 65-43-21, write to billing@pay.example or see www.bank.example</p>
<p><a href="https://evil.example/login?user=bob%40council.example&amp;x=a+b">https://www.examplebank.example/</a>
<a href="https://council.example/a">Council</a> <a href="mailto:x@y.example">mail</a></p>
</body></html>
"#;

impl Scene {
    pub(crate) fn new() -> Self {
        let mut outside = Outside::stranger();
        outside.auth.spf = Fact::Unknown("timeout");
        outside.auth.dmarc = Fact::Known("fail".to_owned());
        outside.auth.arc = Fact::Absent;
        outside.auth.aligned = Fact::Unknown("timeout");
        Self {
            message: MESSAGE.replace('\n', "\r\n"),
            outside,
            // So that a domain and a list of texts are unknown too.
            withheld: ["identity.lookalike_of", "body.phones"].map(str::to_owned).into(),
            kept: Kept::ALL,
            limits: Limits::default(),
            steps: crate::rules::evaluate::STEPS_MAX,
        }
    }

    pub(crate) fn see<T>(&self, look: impl FnOnce(&Evidence<'_, '_>) -> T) -> T {
        let recipient = |address: &str| Recipient {
            address: Address::from_checked(address),
            parameters: Vec::new(),
        };
        let now: Timestamp = "2027-01-04T12:00:00Z".parse().unwrap();
        let mail = Mail {
            id: uuid::Uuid::nil(),
            received: now,
            listener: "in".into(),
            direction: Direction::Inbound,
            client: Client {
                address: Some("192.0.2.7:4321".parse().unwrap()),
                name: None,
                helo: "mx.sender.example".to_owned(),
                extended: true,
                tls: None,
            },
            envelope: Envelope {
                reverse_path: None,
                parameters: Vec::new(),
                recipients: vec![recipient("bob@council.example"), recipient("carol@council.example")],
            },
            bytes: self.message.clone().into(),
        };
        let message = Message::parse(&mail.bytes, &self.limits);
        let evidence = Evidence {
            now,
            mail: &mail,
            message: &message,
            outside: self.outside.clone(),
            kept: self.kept,
            identity: Identity::against(Protected::nobody()),
        };
        look(&evidence)
    }
}
