//! A URL taken apart as a browser would follow it, however it is written.
//!
//! Enters: the text of an attribute, or of a link found in text. Leaves: its pieces; never an error.
//! Follows the WHATWG URL standard where that decides: tabs and line ends are removed, backslashes
//! are slashes, hosts are percent-decoded, IP addresses come in any notation. Follows no redirects.

use super::{Domain, charset, limits, transfer};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A URL taken apart leniently, as a browser would follow it.
#[derive(Debug, Clone, Default)]
pub struct Url {
    /// The whole, as written.
    pub url: String,
    /// Lower case; empty when it was schemeless.
    pub scheme: Cow<'static, str>,
    /// The host as a domain; an IP in any notation is in its usual one.
    pub domain: Option<Domain>,
    /// Whether the host is an IP address.
    pub is_ip: bool,
    /// The port, if written.
    pub port: Option<u16>,
    /// The user-info, if written.
    pub user: String,
    /// From the first `/`.
    pub path: String,
    /// After `?`.
    pub query: String,
    /// After `#`.
    pub fragment: String,
}

impl Url {
    /// Reads what an attribute holds; without a scheme it is relative, unless it starts like a host.
    pub fn read(written: &str) -> Self {
        let text = cleaned(written);
        let mut url = Self {
            url: written.trim().to_owned(),
            ..Self::default()
        };
        match split_scheme(&text) {
            Some((scheme, rest)) => {
                url.scheme = scheme_name(scheme);
                url.after_scheme(rest);
            }
            None if text.starts_with("//") || text.starts_with("\\\\") || text.starts_with("/\\") => {
                url.hierarchical(text.trim_start_matches(['/', '\\']), true);
            }
            None if starts_like_host(&text) => url.hierarchical(&text, true),
            None => url.path_and_more(&text, true),
        }
        url
    }

    /// Reads what starts with a host and has no scheme.
    pub(super) fn read_schemeless(written: &str) -> Self {
        let mut url = Self {
            url: written.to_owned(),
            ..Self::default()
        };
        url.hierarchical(&cleaned(written), true);
        url
    }

    /// Takes scheme and host from `base` when it has neither.
    pub(super) fn resolve(mut self, base: Option<&Self>) -> Self {
        let Some(base) = base.filter(|_| self.scheme.is_empty() && self.domain.is_none()) else {
            return self;
        };
        self.scheme.clone_from(&base.scheme);
        self.domain.clone_from(&base.domain);
        self.is_ip = base.is_ip;
        self.port = base.port;
        if !self.path.starts_with('/') {
            let folder = base.path.rfind('/').and_then(|at| base.path.get(..=at)).unwrap_or("/");
            self.path = format!("{folder}{}", self.path);
        }
        self
    }

    fn after_scheme(&mut self, rest: &str) {
        if is_special(&self.scheme) {
            self.hierarchical(rest.trim_start_matches(['/', '\\']), true);
        } else if let Some(authority) = rest.strip_prefix("//") {
            self.hierarchical(authority, false);
        } else {
            // `javascript:`, `data:`, `mailto:`: all that follows is the path.
            rest.clone_into(&mut self.path);
        }
    }

    /// Host, and what follows it.
    fn hierarchical(&mut self, text: &str, special: bool) {
        let end = text.find(|c| matches!(c, '/' | '?' | '#') || (special && c == '\\'));
        let (authority, rest) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
        let host_port = match authority.rsplit_once('@') {
            Some((user, host_port)) => {
                user.clone_into(&mut self.user);
                host_port
            }
            None => authority,
        };
        let (host, port) = split_port(host_port);
        self.port = port.parse().ok();
        (self.is_ip, self.domain) = named(&percent_decoded(host));
        self.path_and_more(rest, special);
    }

    fn path_and_more(&mut self, text: &str, special: bool) {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        self.path = if special && path.contains('\\') {
            path.replace('\\', "/")
        } else {
            path.to_owned()
        };
        query.clone_into(&mut self.query);
        fragment.clone_into(&mut self.fragment);
    }
}

/// Without tabs, line ends and surrounding control characters, and no longer than a browser takes.
fn cleaned(written: &str) -> Cow<'_, str> {
    let text = written.trim_matches(|c: char| c <= ' ' || c == '\u{a0}');
    let text = text.get(..text.floor_char_boundary(limits::URL_BYTES)).unwrap_or("");
    if memchr::memchr3(b'\t', b'\r', b'\n', text.as_bytes()).is_some() {
        Cow::Owned(text.replace(['\t', '\r', '\n'], ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// A scheme in lower case. Most links have one of two.
fn scheme_name(written: &str) -> Cow<'static, str> {
    match written {
        "https" => Cow::Borrowed("https"),
        "http" => Cow::Borrowed("http"),
        other => Cow::Owned(other.to_ascii_lowercase()),
    }
}

/// The schemes whose slashes a browser doesn't count.
fn is_special(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ftp" | "ws" | "wss")
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let fine = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    // `example.org:8080/x` is a host with its port, not a scheme.
    let is_port = scheme.contains('.') && rest.starts_with(|c: char| c.is_ascii_digit());
    (fine && !is_port).then_some((scheme, rest))
}

/// `www.example.org` or `example.org/path`: no browser would follow it, but mail programs do.
fn starts_like_host(text: &str) -> bool {
    let end = text.find(['/', '?', '#', ':']).unwrap_or(text.len());
    let host = text.get(..end).unwrap_or("");
    let named = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    host.contains('.') && (named || Domain::parse(host).is_some_and(|domain| domain.has_known_suffix()))
}

/// Whether the host is an address, and its name or the address in its usual notation.
fn named(host: &str) -> (bool, Option<Domain>) {
    if let Some(address) = ip_address(host) {
        return (true, Some(Domain::from_ip(address)));
    }
    // Digits of other scripts are digits once they are mapped.
    let name = Domain::parse(host);
    let address = name
        .as_ref()
        .filter(|_| !host.is_ascii())
        .and_then(|name| ip_address(name.as_str()));
    match address {
        Some(address) => (true, Some(Domain::from_ip(address))),
        None => (false, name),
    }
}

fn split_port(host_port: &str) -> (&str, &str) {
    match host_port.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, port),
        _ => (host_port, ""),
    }
}

fn percent_decoded(host: &str) -> Cow<'_, str> {
    if !host.contains('%') {
        return Cow::Borrowed(host);
    }
    let bytes = transfer::percent(host.as_bytes());
    Cow::Owned(charset::utf8_or_western(Cow::Owned(bytes)).into_owned())
}

/// An address in brackets, or one to four numbers in decimal, octal or hex (WHATWG URL §3.5).
fn ip_address(host: &str) -> Option<IpAddr> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        // A zone is told to nobody else.
        let inner = inner.split('%').next().unwrap_or(inner);
        return inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    if !host.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let numbers = host.split('.').map(number).collect::<Option<Vec<u64>>>()?;
    let (last, leading) = numbers.split_last()?;
    let last_bytes = 4_usize.checked_sub(leading.len())?;
    if last_bytes == 0 || *last >= 1 << (8 * last_bytes) || leading.iter().any(|number| *number > 255) {
        return None;
    }
    let high = leading.iter().fold(0, |sum, number| sum << 8 | number);
    let value = high << (8 * last_bytes) | last;
    u32::try_from(value)
        .ok()
        .map(|value| IpAddr::V4(Ipv4Addr::from_bits(value)))
}

fn number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("0x") {
        Some("") => Some(0),
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if lower.len() > 1 && lower.starts_with('0') => u64::from_str_radix(&lower, 8).ok(),
        None => lower.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(written: &str) -> Option<String> {
        Url::read(written).domain.map(|domain| domain.as_str().to_owned())
    }

    #[test]
    fn takes_a_whole_url_apart() {
        let url = Url::read("HTTPS://user:pw@Example.ORG:8443/a/b?x=1&y#frag");
        assert_eq!(
            (&*url.scheme, url.user.as_str(), url.port),
            ("https", "user:pw", Some(8443))
        );
        assert_eq!(url.domain.unwrap().as_str(), "example.org");
        assert_eq!(
            (url.path.as_str(), url.query.as_str(), url.fragment.as_str()),
            ("/a/b", "x=1&y", "frag")
        );
    }

    #[test]
    fn hosts_are_found_as_a_browser_would() {
        for (written, expected) in [
            ("http:\\\\example.org\\a", Some("example.org")),
            ("http:example.org", Some("example.org")),
            ("https:///example.org/x", Some("example.org")),
            ("ht\ntps://exa\tmple.org", Some("example.org")),
            ("http://bank.example@evil.example/", Some("evil.example")),
            ("http://%65xample.org/", Some("example.org")),
            ("http://b\u{fc}cher.example/", Some("xn--bcher-kva.example")),
            ("http://\u{ff45}xample.org/", Some("example.org")),
            ("//example.org/x", Some("example.org")),
            ("www.example.org/x", Some("www.example.org")),
            ("example.org:8080/x", Some("example.org")),
            ("http://3221225985/", Some("192.0.2.1")),
            ("http://0xC0.0.2.1/", Some("192.0.2.1")),
            ("http://0300.0.02.01/", Some("192.0.2.1")),
            ("http://192.0.513/", Some("192.0.2.1")),
            ("http://[2001:db8::1]:80/", Some("2001:db8::1")),
            ("http://[2001:db8::1%25eth0]/", Some("2001:db8::1")),
            ("http://[::ffff:192.0.2.1]/", Some("::ffff:192.0.2.1")),
            ("http://\u{2460}\u{2468}\u{2461}.\u{ff10}.2.1/", Some("192.0.2.1")),
            ("http://0xc0000201/", Some("192.0.2.1")),
            ("http://192.0.2.1./", Some("192.0.2.1")),
            ("http://192.0.2.256/", Some("192.0.2.256")),
            ("http://0x1.example/", Some("0x1.example")),
            ("http://1.2.3.4.example.org/", Some("1.2.3.4.example.org")),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("mailto:a@example.org", None),
            ("page.html", None),
            ("#top", None),
            ("", None),
        ] {
            assert_eq!(domain(written).as_deref(), expected, "{written}");
        }
        assert!(Url::read("http://192.0.513/").is_ip);
        assert_eq!(Url::read("http://[2001:db8::1]:81/").port, Some(81));
        assert_eq!(Url::read("javascript:alert(1)").path, "alert(1)");
    }

    #[test]
    fn relative_urls_take_the_base() {
        let base = Url::read("https://example.org/a/b");
        let url = Url::read("c?d").resolve(Some(&base));
        assert_eq!(
            (url.domain.unwrap().as_str(), url.path.as_str(), url.url.as_str()),
            ("example.org", "/a/c", "c?d")
        );
        assert!(
            Url::read("http://other.example/")
                .resolve(Some(&base))
                .domain
                .unwrap()
                .as_str()
                == "other.example"
        );
    }

    #[test]
    fn long_urls_are_cut_for_reading_but_kept_as_written() {
        for (extra, path) in [(0, limits::URL_BYTES - 10), (1, limits::URL_BYTES - 10)] {
            let written = format!("http://a.b{}", "/".repeat(path + extra));
            let url = Url::read(&written);
            assert_eq!((url.url.len(), url.path.len()), (written.len(), path));
        }
    }
}
