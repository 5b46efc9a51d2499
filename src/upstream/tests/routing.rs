//! Which route a recipient has, and settings that make no routes.

use super::*;

fn named(name: &str, domains: &[&str]) -> Settings {
    Settings {
        name: name.into(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        ..Settings::default()
    }
}

#[test]
fn the_closest_domain_has_the_recipient() {
    let all = upstreams(&[
        named("town", &["town.example", "Exact.Deep.Example."]),
        named("below", &["*.example"]),
        named("deeper", &["*.deep.example"]),
        named("rest", &["*"]),
    ]);
    for (recipient, route) in [
        ("a@town.example", "town"),
        ("a@TOWN.Example", "town"),
        ("a@x.town.example", "below"),
        ("a@example", "rest"),
        ("a@exact.deep.example", "town"),
        ("a@x.deep.example", "deeper"),
        ("a@x.y.deep.example", "deeper"),
        ("a@deep.example", "below"),
        ("a@notexample", "rest"),
        ("a@[192.0.2.1]", "rest"),
        ("postmaster", "rest"),
    ] {
        assert_eq!(all.route_of(&address(recipient)).unwrap().name(), route, "{recipient}");
    }
    assert!(all.only_route().is_none());
    assert_eq!(all.route_named("deeper").unwrap().name(), "deeper");
    assert!(all.route_named("nobody").is_none());
}

#[test]
fn without_a_star_others_have_no_route_but_postmaster_has() {
    let all = upstreams(&[named("town", &["town.example"]), named("city", &["city.example"])]);
    assert!(all.route_of(&address("a@elsewhere.example")).is_none());
    assert!(all.route_of(&address("a@[192.0.2.1]")).is_none());
    assert_eq!(all.route_of(&address("Postmaster")).unwrap().name(), "town");
}

#[test]
fn settings_that_make_no_routes_are_refused_in_words() {
    let with = |change: fn(&mut Settings)| {
        let mut settings = named("one", &["*"]);
        change(&mut settings);
        vec![settings]
    };
    for (settings, word) in [
        (
            vec![named("one", &["a.example"]), named("one", &["b.example"])],
            "this name",
        ),
        (vec![named("one", &["*"]), named("two", &["*"])], "\"*\""),
        (
            vec![named("one", &["a.example"]), named("two", &["A.example"])],
            "named twice",
        ),
        (vec![named("one", &["not a domain"])], "not a domain"),
        (with(|route| route.target = Targets::Several(vec![])), "names no target"),
        (with(|route| route.connections = 0), "connections"),
        (with(|route| route.tls_name = Some("a b".into())), "tls_name"),
        (
            with(|route| {
                route.tls = TlsMode::Verified;
                route.tls_ca = Some("/nonexistent/ca.pem".into());
            }),
            "tls_ca",
        ),
    ] {
        let error = Upstreams::new(&settings, &parts()).unwrap_err();
        assert!(error.starts_with("route ") && error.contains(word), "{error}");
    }
}
