//! Where a link leads behind the redirectors, gateways and trackers that say so in the URL itself.
//!
//! Enters: a URL. Leaves: the innermost one, and the outer ones with their kind. Nothing is fetched: who keeps the
//! target to himself stays the target. A row of [`WRAPPERS`] each; below their hosts alone, since anybody could
//! write such a parameter into a URL of his own. Knows nothing of what a link is worth.

use super::{Domain, Url, transfer};
use foldhash::{HashMap, HashSet};
use std::borrow::Cow;
use std::sync::LazyLock;

/// What an outer URL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// A site that sends anybody on.
    Redirector,
    /// A mail gateway that looks at links when they are followed.
    Gateway,
    /// A mailer that counts who follows links.
    Tracker,
}

impl Wrapping {
    /// The word that rules see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redirector => "redirector",
            Self::Gateway => "gateway",
            Self::Tracker => "tracker",
        }
    }
}

/// An outer URL.
#[derive(Debug, Clone)]
pub struct Via {
    /// What it is.
    pub kind: Wrapping,
    /// As written.
    pub url: Url,
}

/// How deep wrappers may lie in each other.
const DEPTH: usize = 8;

/// A site that wraps URLs.
#[derive(Debug)]
struct Wrapper {
    kind: Wrapping,
    /// Itself and what lies below it.
    hosts: &'static [&'static str],
    /// What the path begins with.
    path: &'static str,
    how: How,
}

/// Where in a wrapper the inner URL stands.
#[derive(Debug, Clone, Copy)]
enum How {
    /// In one of these parameters, percent-encoded.
    Parameter(&'static [&'static str]),
    /// In this parameter in base64, perhaps behind this prefix.
    Base64(&'static str, &'static str),
    /// In this parameter, and only the host.
    Host(&'static str),
    /// As the whole query.
    Query,
    /// As this segment of the path, counted from 1, percent-encoded.
    Segment(usize),
    /// From the last `http:` or `https:` of the path on, behind its first segment.
    Tail,
    /// What follows the path's prefix, without a scheme.
    Rest,
    /// Between two such marks.
    Between(&'static str),
    /// Behind `RU=` in the path.
    Yahoo,
    /// As the host, its dots written as hyphens.
    Hyphens,
    /// As Proofpoint's second and third editions write it.
    Proofpoint2,
    Proofpoint3,
}

const fn row(kind: Wrapping, hosts: &'static [&'static str], path: &'static str, how: How) -> Wrapper {
    Wrapper { kind, hosts, path, how }
}

use How::{Base64, Between, Host, Hyphens, Parameter, Proofpoint2, Proofpoint3, Query, Rest, Segment, Tail, Yahoo};
use Wrapping::{Gateway, Redirector, Tracker};

/// Google under the suffixes that are met in mail.
const GOOGLE: &[&str] = &[
    "google.com",
    "google.co.uk",
    "google.de",
    "google.fr",
    "google.nl",
    "google.es",
    "google.it",
    "google.pt",
    "google.pl",
    "google.ie",
    "google.ca",
    "google.com.br",
    "google.com.au",
    "google.co.in",
    "google.ru",
    "google.be",
    "google.at",
    "google.ch",
    "google.co.za",
    "google.com.tr",
    "google.com.mx",
    "google.co.jp",
];

/// Every wrapper that is known.
#[rustfmt::skip]
const WRAPPERS: &[Wrapper] = &[
    row(Gateway, &["safelinks.protection.outlook.com", "safelinks.protection.office365.us"], "", Parameter(&["url"])),
    row(Gateway, &["statics.teams.cdn.office.net"], "/evergreen-assets/safelinks", Parameter(&["url"])),
    row(Gateway, &["urldefense.proofpoint.com"], "/v2/", Proofpoint2),
    row(Gateway, &["urldefense.proofpoint.com"], "/v1/", Parameter(&["u"])),
    row(Gateway, &["urldefense.com", "urldefense.us", "urldefense.proofpoint.com"], "/v3/", Proofpoint3),
    row(Gateway, &["mimecast.com", "mimecastprotect.com"], "/s/", Host("domain")),
    row(Gateway, &["linkprotect.cudasvc.com"], "", Parameter(&["a"])),
    row(Gateway, &["secure-web.cisco.com"], "", Tail),
    row(Gateway, &["protect.checkpoint.com", "url.avanan.click", "checkpoint.url-protection.com"], "/v2/", Between("___")),
    row(Gateway, &["protection.sophos.com"], "", Base64("u", "")),
    row(Gateway, &["protection.sophos.com"], "", Host("d")),
    row(Gateway, &["trendmicro.com"], "/wis/clicktime", Parameter(&["url"])),
    row(Gateway, &["protect.fireeye.com", "protect2.fireeye.com", "protect-us.fireeye.com"], "", Parameter(&["u"])),
    row(Gateway, &["clicktime.symantec.com", "clicktime.cloud.postoffice.net"], "", Parameter(&["u"])),
    row(Gateway, &["scanmail.trustwave.com"], "", Parameter(&["u"])),
    row(Gateway, &["link.edgepilot.com"], "", Parameter(&["u"])),
    row(Gateway, &["urlsand.esvalabs.com", "urlsand.com"], "", Parameter(&["u"])),
    row(Gateway, &["linklock.titanhq.com"], "", Parameter(&["url"])),
    row(Gateway, &["inky.com"], "", Host("domain")),
    row(Gateway, &["isolate.menlosecurity.com", "safe.menlosecurity.com"], "", Tail),
    row(Redirector, GOOGLE, "/url", Parameter(&["q", "url"])),
    row(Redirector, GOOGLE, "/local_url", Parameter(&["q"])),
    row(Redirector, GOOGLE, "/amp/s/", Rest),
    row(Redirector, GOOGLE, "/translate", Parameter(&["u"])),
    row(Redirector, &["translate.goog"], "", Hyphens),
    row(Redirector, &["ampproject.org"], "/c/s/", Rest),
    row(Redirector, &["ampproject.org"], "/v/s/", Rest),
    row(Redirector, &["googleadservices.com", "doubleclick.net"], "", Parameter(&["adurl"])),
    row(Redirector, &["doubleclick.net"], "", Query),
    row(Redirector, &["googleweblight.com"], "", Parameter(&["lite_url", "u"])),
    row(Redirector, &["l.facebook.com", "lm.facebook.com", "facebook.com"], "/l.php", Parameter(&["u"])),
    row(Redirector, &["l.instagram.com", "l.messenger.com", "l.threads.net"], "", Parameter(&["u"])),
    row(Redirector, &["youtube.com"], "/redirect", Parameter(&["q"])),
    row(Redirector, &["linkedin.com"], "/redir/", Parameter(&["url"])),
    row(Redirector, &["linkedin.com"], "/safety/go", Parameter(&["url"])),
    row(Redirector, &["slack-redir.net"], "", Parameter(&["url"])),
    row(Redirector, &["steamcommunity.com"], "/linkfilter", Parameter(&["url", "u"])),
    row(Redirector, &["vk.com"], "/away.php", Parameter(&["to"])),
    row(Redirector, &["out.reddit.com", "exit.sc", "gate.sc"], "", Parameter(&["url"])),
    row(Redirector, &["bing.com"], "/ck/a", Base64("u", "a1")),
    row(Redirector, &["duckduckgo.com"], "/l/", Parameter(&["uddg"])),
    row(Redirector, &["search.yahoo.com"], "", Yahoo),
    row(Redirector, &["web.archive.org"], "/web/", Tail),
    row(Redirector, &["href.li", "anonym.to", "nullrefer.com", "anon.to"], "", Query),
    row(Redirector, &["medium.com"], "/r/", Parameter(&["url"])),
    row(Redirector, &["deref-mail.com", "deref-gmx.net", "deref-web.de"], "", Parameter(&["redirectUrl"])),
    row(Redirector, &["t.umblr.com"], "/redirect", Parameter(&["z"])),
    row(Redirector, &["disq.us"], "/url", Parameter(&["url"])),
    row(Redirector, &["safelink.emails.azure.net"], "/redirect", Parameter(&["destination"])),
    row(Redirector, &["baidu.com"], "/link", Parameter(&["url"])),
    row(Tracker, &["awstrack.me"], "/L0/", Segment(2)),
    row(Tracker, &["pstmrk.it"], "/", Segment(2)),
    row(Tracker, &["substack.com"], "/redirect/2/", Parameter(&["url"])),
];

/// The rows by host, and the last two labels of each host, by which nearly every URL is told to be none.
struct Index {
    by_host: HashMap<&'static str, Vec<&'static Wrapper>>,
    tails: HashSet<&'static str>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        by_host: HashMap::default(),
        tails: HashSet::default(),
    };
    for wrapper in WRAPPERS {
        for host in wrapper.hosts {
            index.by_host.entry(host).or_default().push(wrapper);
            index.tails.insert(tail(host));
        }
    }
    index
});

/// The last two labels of a host.
fn tail(host: &str) -> &str {
    let last = memchr::memrchr(b'.', host.as_bytes()).and_then(|at| host.get(..at));
    let start = last.and_then(|before| memchr::memrchr(b'.', before.as_bytes()));
    start.and_then(|at| host.get(at + 1..)).unwrap_or(host)
}

/// The innermost URL; the outer ones go to `via`, outermost first.
pub(super) fn unwrap(mut url: Url, via: &mut Vec<Via>) -> Url {
    while via.len() < DEPTH {
        let Some((kind, inner)) = inner(&url) else { break };
        let url = std::mem::replace(&mut url, inner);
        via.push(Via { kind, url });
    }
    url
}

fn inner(url: &Url) -> Option<(Wrapping, Url)> {
    let host = url.domain.as_ref()?.as_str();
    if !INDEX.tails.contains(tail(host)) {
        return None;
    }
    let mut above = Some(host);
    while let Some(name) = above {
        let rows = INDEX.by_host.get(name).into_iter().flatten();
        let fitting = rows.filter(|wrapper| url.path.starts_with(wrapper.path));
        let mut read = fitting.filter_map(|wrapper| Some((wrapper.kind, wrapper.read(url)?)));
        if let Some(found) = read.next() {
            return Some(found);
        }
        above = name.split_once('.').map(|(_, above)| above);
    }
    None
}

impl Wrapper {
    fn read(&self, url: &Url) -> Option<Url> {
        let written = match self.how {
            Parameter(names) => names.iter().find_map(|name| parameter(&url.query, name)),
            Base64(name, prefix) => {
                let value = parameter(&url.query, name)?;
                Some(base64(value.strip_prefix(prefix)?))
            }
            Host(name) => parameter(&url.query, name),
            Query => Some(decoded(&url.query)),
            Segment(place) => url.path.split('/').nth(place).map(decoded),
            Tail => {
                let path = url.path.get(1..)?;
                let path = decoded(path.get(path.find('/')?..)?);
                let at = path.rfind("https:").or_else(|| path.rfind("http:"))?;
                Some(with_slashes(path.get(at..)?, url))
            }
            Rest => url.path.strip_prefix(self.path).map(str::to_owned),
            Between(mark) => {
                let (_, rest) = url.url.split_once(mark)?;
                rest.split_once(mark).map(|(inner, _)| decoded(inner))
            }
            Yahoo => {
                let (_, rest) = url.path.split_once("/RU=")?;
                rest.split('/').next().map(decoded)
            }
            Hyphens => hyphenated(url),
            Proofpoint2 => {
                let value = raw_parameter(&url.query, "u")?;
                Some(decoded(&value.replace('-', "%").replace('_', "/")))
            }
            Proofpoint3 => proofpoint3(&url.url),
        }?;
        leads_somewhere(&written)
    }
}

/// A URL of the web, schemeless ones included.
fn leads_somewhere(written: &str) -> Option<Url> {
    let written = written.trim();
    let read = Url::read(written);
    let inner = match read.domain {
        Some(_) => read,
        None if !written.contains(':') => Url::read_schemeless(written),
        None => return None,
    };
    let is_web = matches!(&*inner.scheme, "" | "http" | "https");
    (is_web
        && inner
            .domain
            .as_ref()
            .is_some_and(|domain| domain.as_str().contains(['.', ':'])))
    .then_some(inner)
}

fn raw_parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| key.trim_start_matches("amp;").eq_ignore_ascii_case(name));
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn parameter(query: &str, name: &str) -> Option<String> {
    raw_parameter(query, name).map(decoded)
}

fn decoded(text: &str) -> String {
    match text.contains('%') {
        true => String::from_utf8_lossy(&transfer::percent(text.as_bytes())).into_owned(),
        false => text.to_owned(),
    }
}

/// Base64 of either alphabet.
fn base64(text: &str) -> String {
    let usual = text.replace('-', "+").replace('_', "/");
    String::from_utf8_lossy(&transfer::base64(usual.as_bytes()).0).into_owned()
}

/// Some pass on `https:/host` for `https://host`; and a query that wasn't encoded belongs to the inner URL.
fn with_slashes(inner: &str, outer: &Url) -> String {
    let (scheme, rest) = inner.split_once(':').unwrap_or(("https", inner));
    let query = match outer.query.is_empty() || inner.contains('?') {
        true => Cow::Borrowed(""),
        false => Cow::Owned(format!("?{}", outer.query)),
    };
    format!("{scheme}://{}{query}", rest.trim_start_matches('/'))
}

/// `www-example-org.translate.goog`: a hyphen for a dot, two for one.
fn hyphenated(url: &Url) -> Option<String> {
    let host = url.domain.as_ref()?.as_str().strip_suffix(".translate.goog")?;
    let name = host.replace("--", "\0").replace('-', ".").replace('\0', "-");
    Some(format!("https://{name}{}", url.path))
}

/// `…/v3/__https://example.org/a*b__;Kg!!…`: a star stands for a character that is kept in base64 behind the URL,
/// two and a letter for several.
fn proofpoint3(written: &str) -> Option<String> {
    const LENGTHS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (_, rest) = written.split_once("/v3/__")?;
    let (inner, keep) = rest.rsplit_once("__;")?;
    let kept = base64(keep.split('!').next().unwrap_or(""));
    let mut kept = kept.chars();
    let mut url = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(c) = letters.next() {
        match c {
            '*' if letters.as_str().starts_with('*') => {
                letters.next();
                let length = letters
                    .next()
                    .and_then(|c| LENGTHS.iter().position(|known| char::from(*known) == c));
                url.extend(kept.by_ref().take(length? + 2));
            }
            '*' => url.extend(kept.next()),
            other => url.push(other),
        }
    }
    let (scheme, rest) = url.split_once(':')?;
    Some(format!("{scheme}://{}", rest.trim_start_matches('/')))
}

/// A URL that stands within another's path, query or fragment, where an open redirect would lead.
pub(super) fn within(url: &Url) -> Option<Url> {
    let mut pieces = url.query.split('&').chain([url.fragment.as_str(), url.path.as_str()]);
    pieces.find_map(|piece| {
        let piece = decoded(piece);
        let at = piece.find("://").and_then(|at| piece.get(..at))?;
        let scheme = ["https", "http"].into_iter().find(|scheme| at.ends_with(scheme))?;
        let start = at.len() - scheme.len();
        let inner = piece.get(start..)?;
        let end = inner.find(['\'', '"', '<', '>', '\\', ' ']).unwrap_or(inner.len());
        leads_somewhere(inner.get(..end)?)
    })
}

/// Whether a domain is one of a sorted table, or lies below one.
pub(super) fn is_below(table: &[&str], domain: &Domain) -> bool {
    let mut rest = Some(domain.as_str());
    while let Some(name) = rest {
        if table.binary_search(&name).is_ok() {
            return true;
        }
        rest = name.split_once('.').map(|(_, above)| above);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(written: &str) -> (String, Vec<&'static str>) {
        let mut via = Vec::new();
        let url = unwrap(Url::read(written), &mut via);
        (url.url, via.iter().map(|outer| outer.kind.as_str()).collect())
    }

    /// A URL, the innermost in it, and what wraps that.
    #[rustfmt::skip]
    const WRAPPED: &[(&str, &str, &str)] = &[
        ("https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.example%2Fx%3Fy%3D1&data=05", "https://a.example/x?y=1", "gateway"),
        ("https://EUR01.safelinks.protection.outlook.com/ap/t-59/?URL=https%3A%2F%2Fa.example", "https://a.example", "gateway"),
        ("https://urldefense.proofpoint.com/v2/url?u=https-3A__a.example_x-3Fy-3D1&d=Dw", "https://a.example/x?y=1", "gateway"),
        ("https://urldefense.proofpoint.com/v1/url?u=http://a.example/x&k=1", "http://a.example/x", "gateway"),
        ("https://urldefense.com/v3/__https://a.example/x*y**A/z?q=1__;Kis_!!abc$", "https://a.example/x*y+?/z?q=1", "gateway"),
        ("https://urldefense.com/v3/__https:/a.example/__;!!abc$", "https://a.example/", "gateway"),
        ("https://protect-eu.mimecast.com/s/AbC?domain=a.example", "a.example", "gateway"),
        ("https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fa.example%2fx&c=E,1", "https://a.example/x", "gateway"),
        ("https://secure-web.cisco.com/1abc/https%3A%2F%2Fa.example%2Fx%3Fy", "https://a.example/x?y", "gateway"),
        ("https://protect.checkpoint.com/v2/___https://a.example/x?y=1___.YzJ1", "https://a.example/x?y=1", "gateway"),
        ("https://eu-west-1.protection.sophos.com/?d=a.example&u=aHR0cHM6Ly9hLmV4YW1wbGUveA==&i=1", "https://a.example/x", "gateway"),
        ("https://hes32-ctp.trendmicro.com:443/wis/clicktime/v1/query?url=https%3a%2f%2fa.example", "https://a.example", "gateway"),
        ("https://scanmail.trustwave.com/?c=1&u=https%3a%2f%2fa.example", "https://a.example", "gateway"),
        ("https://www.google.com/url?sa=t&q=https://a.example/x&usg=1", "https://a.example/x", "redirector"),
        ("https://www.google.co.uk/amp/s/a.example/x", "a.example/x", "redirector"),
        ("https://a--b-example-org.translate.goog/x?_x_tr_sl=en", "https://a-b.example.org/x", "redirector"),
        ("https://l.facebook.com/l.php?u=https%3A%2F%2Fa.example%2F&h=1", "https://a.example/", "redirector"),
        ("https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9hLmV4YW1wbGUv&ntb=1", "https://a.example/", "redirector"),
        ("https://r.search.yahoo.com/_ylt=A/RU=https%3a%2f%2fa.example%2fx/RK=2/RS=1", "https://a.example/x", "redirector"),
        ("https://web.archive.org/web/2024/https://a.example/x", "https://a.example/x", "redirector"),
        ("https://href.li/?https://a.example/x?y=1&z=2", "https://a.example/x?y=1&z=2", "redirector"),
        ("https://u1.awstrack.me/L0/https:%2F%2Fa.example%2Fx/1/01", "https://a.example/x", "tracker"),
        ("https://click.pstmrk.it/3s/a.example%2Fx/abc", "a.example/x", "tracker"),
    ];

    #[test]
    fn each_wrapper_is_undone() {
        for (written, inner, kind) in WRAPPED {
            assert_eq!(chain(written), ((*inner).to_owned(), vec![*kind]), "{written}");
        }
    }

    #[test]
    fn rows_are_well_formed() {
        for wrapper in WRAPPERS {
            assert!(!wrapper.hosts.is_empty() && (wrapper.path.is_empty() || wrapper.path.starts_with('/')));
            for host in wrapper.hosts {
                assert_eq!(
                    Domain::parse(host).map(|domain| domain.to_string()).as_deref(),
                    Some(*host)
                );
            }
        }
    }

    #[test]
    fn wrappers_lie_in_each_other_within_a_limit() {
        let inner = "https://www.google.com/url?q=https%3A%2F%2Fa.example";
        let outer = format!(
            "https://eur01.safelinks.protection.outlook.com/?url={}",
            inner
                .replace('%', "%25")
                .replace("://", "%3A%2F%2F")
                .replace('=', "%3D")
        );
        assert_eq!(
            chain(&outer),
            ("https://a.example".to_owned(), vec!["gateway", "redirector"])
        );
        for (layers, unwrapped) in [(DEPTH - 1, DEPTH - 1), (DEPTH, DEPTH), (DEPTH + 1, DEPTH)] {
            let written = format!("{}https://a.example/", "https://href.li/?".repeat(layers));
            assert_eq!(chain(&written).1.len(), unwrapped);
        }
    }

    /// Only a wrapper's own host wraps: else anybody could write a harmless target into a URL of his own.
    #[test]
    fn others_parameters_are_no_targets() {
        for written in [
            "https://evil.test/url?q=https://www.gov.uk/",
            "https://evil.test/?url=https://www.gov.uk/",
            "https://google.com.evil.test/url?q=https://www.gov.uk/",
            "https://www.google.com/url?q=javascript:alert(1)",
            "https://www.google.com/url?q=",
            "https://www.google.com/search?q=https://www.gov.uk/",
            "https://urldefense.com/v3/__broken",
            "https://urldefense.com/v3/__https://a.example/**_x__;!!",
            "https://secure-web.cisco.com/",
            "https://protect-eu.mimecast.com/s/AbC",
            "mailto:a@google.com",
            "",
        ] {
            let (_, via) = chain(written);
            assert!(via.is_empty() || written.contains("**_"), "{written}");
        }
    }

    #[test]
    fn what_stands_within_is_told() {
        for (written, inner) in [
            (
                "https://open.example/go?to=https%3A%2F%2Fevil.test%2Fx&a=1",
                Some("evil.test"),
            ),
            ("https://open.example/https://evil.test/x", Some("evil.test")),
            ("https://open.example/#https://evil.test", Some("evil.test")),
            ("https://open.example/?a=b", None),
            ("javascript:location='https://evil.test'", Some("evil.test")),
        ] {
            let found = within(&Url::read(written)).and_then(|url| url.domain);
            assert_eq!(found.as_ref().map(Domain::as_str), inner, "{written}");
        }
    }
}
