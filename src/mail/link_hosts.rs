//! Hosts that are known for what they do with links: shorten them, or count who follows them.
//!
//! Enters: a domain. Leaves: whether it is, or lies below, one of a sorted table. Where they lead can't be seen without
//! asking them, which is never done. Knows nothing of messages.

use super::Domain;
use super::unwrap::is_below;

/// Services that hide where a link leads behind a few letters, sorted.
#[rustfmt::skip]
const SHORTENERS: &[&str] = &[
    "1url.com", "2u.pw", "3.ly", "7.ly", "abre.ai", "abrir.link", "acortar.link", "adf.ly", "aka.ms", "amzn.eu",
    "amzn.to", "apple.co", "b.link", "bc.vc", "bit.do", "bit.kuku.lu", "bit.ly", "bitly.com", "bitly.ws", "bl.ink",
    "budurl.com", "buff.ly", "chilp.it", "clck.ru", "cli.gs", "clic.ke", "cort.as", "cutt.ly", "cutt.us", "db.tt",
    "did.li", "dlvr.it", "dub.co", "dub.sh", "ebay.us", "eepurl.com", "encurtador.com.br", "encurtador.dev", "fb.me",
    "gg.gg", "goo.gl", "goo.su", "hubs.la", "hubs.li", "hubs.ly", "hyperurl.co", "ift.tt", "is.gd", "j.mp", "ko.tc",
    "kurzelinks.de", "kutt.it", "l.ead.me", "l.linklyhq.com", "linkin.bio", "linktr.ee", "lnk.bio", "lnk.to",
    "lnkd.in", "mcaf.ee", "me-qr.com", "moourl.com", "msft.it", "n.pr", "n9.cl", "ne1.net", "nyti.ms", "ouo.io",
    "ow.ly", "pca.st", "po.st", "prf.hn", "ptix.at", "q.gs", "qlink.me", "qr.ae", "qr.net", "qr1.be", "qrco.de",
    "qrcodes.pro", "qrd.by", "qrs.ly", "rb.gy", "rebrand.ly", "reurl.cc", "rotf.lol", "s.id", "scnv.io", "shor.by",
    "shorl.com", "short.gy", "shortcm.li", "shorte.st", "shorten.so", "shorten.tv", "shorturl.asia", "shorturl.at",
    "shorturl.com", "shrinkme.io", "shrtco.de", "sl.ink", "smarturl.it", "snip.ly", "soo.gd", "spr.ly", "sprl.in",
    "sptfy.com", "srt.am", "surl.li", "surl.lu", "surl.me", "swll.to", "t.cn", "t.co", "t.ly", "t.me", "t2m.io",
    "tcrn.ch", "tiny.cc", "tiny.one", "tiny.pl", "tinyarrows.com", "tinyurl.com", "tinyurl.is", "tl.gd", "tlgr.pe",
    "tny.im", "to.ly", "tr.ee", "trib.al", "twib.in", "u.nu", "u.to", "ur1.ca", "url.ie", "urlr.me",
    "urlshortner.com", "urlz.fr", "v.gd", "vk.cc", "vo.la", "wa.link", "wn.nr", "wp.me", "x.co", "x.gd", "xurl.es",
    "yko.io", "zee.gl", "zpr.io", "zws.im",
];

/// Mailers through whose hosts newsletters and receipts lead, whatever the text of the link shows, sorted.
#[rustfmt::skip]
const TRACKERS: &[&str] = &[
    "acemlna.com", "acemlnb.com", "acemlnc.com", "activehosted.com", "adestra.com", "adobe-campaign.com",
    "agnitas.de", "aweber.com", "awstrack.me", "beehiiv.com", "benchmarkemail.com", "bluecore.com", "brevo.com",
    "brevosend.com", "bronto.com", "campaign-archive.com", "cheetahmail.com", "cio.link", "ck.page",
    "cleverreach.com", "clickdimensions.com", "cmail1.com", "cmail19.com", "cmail20.com", "constantcontact.com",
    "convertkit-mail.com", "convertkit-mail2.com", "convertkit-mail3.com", "copernica.com", "copernica.nl",
    "createsend.com", "createsend1.com", "crsend.com", "customer.io", "customeriomail.com", "dmanalytics1.com",
    "dmtrk.net", "dotdigital-pages.com", "dotmailer.com", "dripemail2.com", "e-goi.com", "e-shot.net", "egoi.page",
    "elaine-asp.de", "elasticemail.com", "eloqua.com", "emarsys.net", "emlfiles.com", "emsecure.net", "en25.com",
    "episerver.net", "eshot.net", "eventbrite.com", "exacttarget.com", "exct.net", "flexmail.eu", "forfrontnet.net",
    "getresponse.com", "govdelivery.com", "granicus.com", "hubspotemail.net", "hubspotlinks.com",
    "hubspotlinksfree.com", "hubspotlinksstarter.com", "icontact.com", "icptrack.com", "infusionsoft.com",
    "intercom-links.com", "intercom-mail.com", "inxmail.com", "inxmail.de", "iterable.com", "keap-link.com",
    "keap-link003.com", "klaviyomail.com", "klclick.com", "klclick1.com", "klclick2.com", "klclick3.com",
    "laposta.nl", "list-manage.com", "list-manage1.com", "list-manage2.com", "lnks.gd", "mailchi.mp",
    "mailchimpapp.net", "mailerlite.com", "mailersend.net", "mailgun.net", "mailgun.org", "mailingwork.de",
    "mailjet.com", "maillist-manage.com", "maillist-manage.eu", "mailpro.com", "mandrillapp.com", "marketo.com",
    "mgsend.net", "mjt.lu", "mkt51.net", "mktdns.com", "mktoweb.com", "mlsend.com", "mlsend2.com", "mlsend3.com",
    "msgfocus.com", "newsletter2go.com", "omnisend.com", "omnisendlink.com", "ontraport.net", "optivo.com",
    "pages05.net", "pardot.com", "postmarkapp.com", "pstmrk.it", "rapidmail.de", "rdstation.com", "rdstation.com.br",
    "responsys.net", "rs6.net", "rsys2.net", "rsys5.com", "sailthru.com", "sarbacane.com", "sbc28.com",
    "sendgrid.com", "sendgrid.net", "sendibm1.com", "sendibm2.com", "sendibm3.com", "sendibt2.com", "sendibt3.com",
    "sendinblue.com", "sendpul.se", "sendpulse.com", "silverpop.com", "smtp2go.com", "socketlabs.com",
    "sparkpostmail.com", "sparkpostmail1.com", "sparkpostmail2.com", "splio.com", "spotler.com", "srv2.de",
    "substack.com", "trackedlink.net", "tripolis.com", "verticalresponse.com", "vresp.com", "zcsend.eu", "zcsend.net",
    "zohocampaigns.com",
];

/// Whether a domain is a link shortener's.
pub(super) fn is_shortener(domain: &Domain) -> bool {
    is_below(SHORTENERS, domain)
}

/// Whether a domain is one that mailers lead through to count who follows.
pub(super) fn is_tracker(domain: &Domain) -> bool {
    is_below(TRACKERS, domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_hold_domains() {
        for table in [SHORTENERS, TRACKERS] {
            assert!(table.is_sorted_by(|one, next| one < next));
            for host in table {
                assert_eq!(
                    Domain::parse(host).map(|domain| domain.to_string()).as_deref(),
                    Some(*host)
                );
            }
        }
    }

    #[test]
    fn hosts_are_known_with_what_lies_below_them() {
        let known = |host: &str, look: fn(&Domain) -> bool| look(&Domain::parse(host).unwrap());
        for (host, shortens) in [
            ("bit.ly", true),
            ("www.bit.ly", true),
            ("rabbit.ly", false),
            ("ly", false),
        ] {
            assert_eq!(known(host, is_shortener), shortens, "{host}");
        }
        assert!(known("u1.ct.sendgrid.net", is_tracker) && !known("example.org", is_tracker));
    }

    /// The shipped list says the same to rules that go by it.
    #[test]
    fn the_shipped_list_of_shorteners_is_known_here() {
        let list = include_str!("../../rules/lists/link-shorteners.txt");
        for host in list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            assert!(SHORTENERS.contains(&host), "{host}");
        }
    }
}
