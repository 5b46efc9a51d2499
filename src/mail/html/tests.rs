//! Pages as people read them, what is hidden, what leads somewhere, and what hostile markup costs.

use super::*;
use crate::mail::Limits;

fn page(source: &str) -> Page {
    let mut page = Page::new(&Limits::default());
    render(source, &mut page);
    page
}

fn text(source: &str) -> String {
    page(source).text.finish().0
}

#[test]
fn renders_one_line_a_block() {
    for (source, expected) in [
        ("<p>One</p><p>Two  three</p>", "One\nTwo three"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>one<li>two</ul>after", "one\ntwo\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\nc"),
        ("caf&eacute;&nbsp;&#x41;&amp;", "caf\u{e9} A&"),
        ("<style>p{}</style><script>x<p></script><title>t</title>body", "body"),
        ("<b>bo</b>ld <span>P</span><span>ay</span>", "bold Pay"),
        ("<!-- no --><noscript>yes</noscript>", "yes"),
        ("<pre>a\n b</pre>", "a\nb"),
        ("<textarea><b>x</textarea>", "<b>x"),
        ("<template>no</template>yes", "yes"),
        ("<p>one<div>two</div>", "one\ntwo"),
        ("unclosed <b", "unclosed"),
        ("", ""),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
}

#[test]
fn hidden_text_is_kept_apart() {
    for (source, shown, hidden) in [
        ("a<div style='DISPLAY : none'>b<p>c</p></div>d", "a\nd", "b\nc"),
        ("a<span hidden>b</span>c", "ac", "b"),
        ("a<span style='font-size:0'>b<br>c</span>", "a", "b\nc"),
        (
            "<td style='font-size:0'>a<div style='font-size:13px'>b</div></td>",
            "b",
            "a",
        ),
        (
            "<div style='visibility:hidden'>a<i style='visibility:visible'>b</i></div>",
            "b",
            "a",
        ),
        ("<p style='display:none'>a<p>b", "b", "a"),
        ("<div style='display:none'><span>a</div>b", "b", "a"),
        ("<div style='color:red' style='display:none'>a</div>", "a", ""),
        ("a<div style='position:absolute;left:-9999px'>b</div>", "a", "b"),
        ("<style>.x{display:none}</style>a<b class='y x'>b</b>", "a", "b"),
        (
            "<style>.x{display:none}</style>a<b class=x style='display:inline'>b</b>",
            "ab",
            "",
        ),
        ("a<font color=white>b</font>", "a", "b"),
        ("a<span style='color:#fefefe'>b</span>", "a", "b"),
        ("<body bgcolor=#000><p>a<font color=#010101>b</font>", "a", "b"),
        ("<td bgcolor=#000><font color=white>a</font></td>", "a", ""),
        (
            "<td bgcolor=#000><font color=white>a<span style='background:#fff'>b</span></font></td>",
            "a",
            "b",
        ),
        ("<div style='color:#fff'>a<a href=x>b</a></div>", "b", "a"),
        ("<td background=x.png><font color=white>a</font></td>", "a", ""),
        (
            "<style>.t td{background:#000}</style><td><font color=white>a</font></td>",
            "a",
            "",
        ),
        (
            "<style>.t{background:#000}</style><td class=t><font color=white>a</font></td>",
            "a",
            "",
        ),
        ("<span style='color:transparent'>a</span>b", "b", "a"),
    ] {
        let page = page(source);
        assert_eq!(
            (page.text.finish().0.as_str(), page.hidden.finish().0.as_str()),
            (shown, hidden),
            "{source}"
        );
    }
}

#[test]
fn links_images_and_forms_are_found() {
    let mut page = page(
        "<base href='https://base.example/x/'><a href='https://evil.example/?a=1&amp;b=2'>www.bank.example</a> \
         <a href=y>rel</a><area href='//area.example'><a href='#top'>top</a> <a name=n>n</a> \
         <meta http-equiv=Refresh content='0; URL=https://meta.example/'> \
         <form action='https://form.example/'><input type=PASSWORD></form> \
         <img src='https://img.example/p.gif' width=1 height=1px><img src='cid:1'>see http://text.example/",
    );
    let text = std::mem::take(&mut page.text).finish().0;
    let (links, cut) = page.links(&text, &[]);
    let domains: Vec<_> = links
        .iter()
        .filter_map(|link| link.target.domain.as_ref().map(|d| d.as_str()))
        .collect();
    let expected = [
        "evil.example",
        "base.example",
        "area.example",
        "meta.example",
        "form.example",
        "text.example",
    ];
    assert_eq!((domains.as_slice(), cut), (&expected[..], false));
    let first = links.first().unwrap();
    assert_eq!(
        (first.shown.as_str(), first.target.query.as_str()),
        ("www.bank.example", "a=1&b=2")
    );
    assert_eq!(first.shown_domain.as_ref().unwrap().as_str(), "www.bank.example");
    assert!(page.forms.first().unwrap().has_password);
    let images: Vec<_> = page
        .images
        .iter()
        .map(|image| (image.is_remote, image.is_tracking_size))
        .collect();
    assert_eq!(images, [(true, true), (false, false)]);
}

#[test]
fn whatever_leads_somewhere_is_a_link() {
    let source = "<button formaction='https://one.example/'>x</button><iframe src='https://two.example/'></iframe>\
                  <object data='https://three.example/'></object><v:roundrect href='https://four.example/'>x</v:roundrect>\
                  <svg><a xlink:href='https://five.example/'>x</a></svg>\
                  <div onclick=\"window.open('https://six.example/')\">x</div><embed src=https://seven.example/>\
                  <link href='https://sheet.example/'><span href='https://none.example/'>x</span>";
    let (links, _) = page(source).links("", &[]);
    let names = links
        .iter()
        .filter_map(|link| link.target.domain.as_ref().and_then(|name| name.label()));
    assert!(
        names.eq(["one", "two", "three", "four", "five", "six", "seven"]),
        "{links:?}"
    );
}

#[test]
fn what_only_outlook_reads_leads_somewhere_too() {
    let source = "<!--[if mso]><v:rect href=\"https://one.example/?a=1&amp;b=2\"><a href='https://two.example'>x</a><![endif]-->\
                  <!--[if gte mso 9]><a href=https://three.example/ class=x>y</a><a href=''><![endif]-->\
                  <!-- <a href='https://four.example/'> --><!--[if mso]><a href=\"https://five.example/";
    let mut page = page(source);
    let (links, _) = page.links("", &[]);
    let urls: Vec<_> = links.iter().map(|link| link.target.url.as_str()).collect();
    let expected = [
        "https://one.example/?a=1&b=2",
        "https://two.example",
        "https://three.example/",
        "https://five.example/",
    ];
    assert_eq!((urls, page.text.finish().0.as_str()), (expected.to_vec(), ""));
}

#[test]
fn links_come_in_reading_order_and_covered_ones_once() {
    let source = "http://one.example/ <a href='http://two.example/'>http://covered.example/</a> http://three.example/ \
                  <a href='http://four.example/'>x <a href='http://five.example/'>y</a> www.six.example";
    for (limit, kept, cut) in [(9, 6, false), (6, 6, false), (5, 5, true), (1, 1, true)] {
        let mut page = Page::new(&Limits {
            links: limit,
            ..Limits::default()
        });
        render(source, &mut page);
        let text = std::mem::take(&mut page.text).finish().0;
        let (links, was_cut) = page.links(&text, &[]);
        let names = links
            .iter()
            .filter_map(|link| link.target.domain.as_ref().map(|domain| domain.as_str()));
        let expected = [
            "one.example",
            "two.example",
            "three.example",
            "four.example",
            "five.example",
        ];
        let expected = expected.into_iter().chain(["www.six.example"]).take(kept);
        assert!(names.eq(expected) && was_cut == cut, "{limit}: {links:?}");
    }
}

#[test]
fn links_are_limited() {
    for (count, cut) in [(9, false), (10, false), (11, true)] {
        let mut page = Page::new(&Limits {
            links: 10,
            ..Limits::default()
        });
        render(&"<a href='http://a.example'>x</a>".repeat(count), &mut page);
        let (links, was_cut) = page.links("", &[]);
        assert_eq!((links.len(), was_cut), (count.min(10), cut));
    }
}

/// Were the end of the text looked for from each line end to the next tag, this would take many minutes.
#[test]
fn lone_line_ends_cost_their_length() {
    for unit in ["\r", "x\r", "\r\n", "\n"] {
        let source = format!("{}<b>end", unit.repeat(400_000));
        assert!(text(&source).ends_with("end"));
    }
}

#[test]
fn depth_and_unclosed_tags_cost_their_length() {
    for unit in [
        "<div>",
        "<p>",
        "<a href=x>",
        "<table><tr><td>",
        "</div>",
        "<b><p>",
        "<!--",
        "<a a=",
        "<b a=\"1\" ",
        "<li>",
        "&",
    ] {
        let _ = text(&unit.repeat(30_000));
    }
    let deep = format!("{}x{}", "<i>".repeat(100_000), "</i>".repeat(100_000));
    assert_eq!(text(&deep), "x");
}
