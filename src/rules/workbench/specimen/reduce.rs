//! Making a test small: whatever the rule says the same without goes.
//!
//! A scene and who judges it go in; the scene is cut down in place, largest pieces first. Knows nothing of
//! whom the mail names.

use super::Judge;
use crate::rules::test_entry::Scene;

/// Drops what isn't needed.
pub(super) fn reduce(judge: &mut Judge<'_>, scene: &mut Scene) {
    judge.change(scene, |scene| scene.mail.headers.clear());
    judge.change(scene, |scene| scene.mail.attachments.clear());
    judge.change(scene, |scene| (scene.mail.date, scene.now) = (None, None));
    judge.change(scene, |scene| scene.now = None);
    judge.change(scene, |scene| scene.mail.cc.clear());
    judge.change(scene, |scene| scene.mail.reply_to.clear());
    judge.change(scene, |scene| scene.mail.to.clear());
    judge.change(scene, |scene| {
        (scene.envelope_from, scene.envelope_to) = (None, Vec::new())
    });
    judge.change(scene, |scene| scene.mail.from = None);
    judge.change(scene, |scene| scene.mail.subject = None);
    judge.change(scene, |scene| (scene.mail.text, scene.mail.html) = (None, None));
    judge.change(scene, |scene| scene.mail.html = None);
    judge.change(scene, |scene| scene.mail.text = None);
    let each = |scene: &Scene| scene.mail.headers.len();
    for place in (0..each(scene)).rev() {
        judge.change(scene, |scene| drop(scene.mail.headers.remove(place)));
    }
    for place in (0..scene.mail.attachments.len()).rev() {
        judge.change(scene, |scene| drop(scene.mail.attachments.remove(place)));
    }
    contents(judge, scene);
    html(judge, scene);
    lines(judge, scene, |scene| &mut scene.mail.raw);
    lines(judge, scene, |scene| &mut scene.mail.text);
    sentences(judge, scene);
}

/// What is attached matters mostly by how it begins.
fn contents(judge: &mut Judge<'_>, scene: &mut Scene) {
    for place in 0..scene.mail.attachments.len() {
        for kept in [0, 16, 512, 4096] {
            let is_cut = judge.change(scene, |scene| {
                if let Some(attachment) = scene.mail.attachments.get_mut(place) {
                    attachment.content.truncate(kept);
                }
            });
            if is_cut {
                break;
            }
        }
    }
}

/// Tries without each half, quarter and so on down to single pieces.
fn fewer(pieces: &mut Vec<String>, mut holds: impl FnMut(&[String]) -> bool) {
    let mut size = pieces.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < pieces.len() {
            let end = (at + size).min(pieces.len());
            let rest = pieces
                .iter()
                .enumerate()
                .filter(|(place, _)| !(at..end).contains(place));
            let rest: Vec<String> = rest.map(|(_, piece)| piece.clone()).collect();
            match holds(&rest) {
                true => *pieces = rest,
                false => at = end,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
}

fn lines(judge: &mut Judge<'_>, scene: &mut Scene, body: impl Fn(&mut Scene) -> &mut Option<String>) {
    let Some(text) = body(scene).clone() else {
        return;
    };
    let mut pieces: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    fewer(&mut pieces, |pieces| {
        let mut changed = scene.clone();
        *body(&mut changed) = Some(pieces.concat());
        judge.holds(&changed)
    });
    *body(scene) = Some(pieces.concat());
}

fn sentences(judge: &mut Judge<'_>, scene: &mut Scene) {
    let Some(text) = scene.mail.text.clone() else {
        return;
    };
    let mut pieces: Vec<String> = text.split_inclusive(". ").map(str::to_owned).collect();
    fewer(&mut pieces, |pieces| {
        let mut changed = scene.clone();
        changed.mail.text = Some(pieces.concat());
        judge.holds(&changed)
    });
    scene.mail.text = Some(pieces.concat());
    judge.change(scene, |scene| {
        let text = scene.mail.text.as_mut();
        text.into_iter().for_each(|text| *text = text.trim().to_owned());
    });
}

/// A tag with what ends it, or a stretch of text.
struct Piece {
    text: String,
    /// The place of the tag that ends this one.
    end: Option<usize>,
    /// Whether it ends another: it goes with that, or stays.
    is_end: bool,
    /// Whether a text without it around would run into the next.
    is_paragraph: bool,
    is_kept: bool,
}

/// Whole elements go first, then tags around what stays, then text.
fn html(judge: &mut Judge<'_>, scene: &mut Scene) {
    let Some(source) = scene.mail.html.clone() else {
        return;
    };
    let mut pieces = pieces(&source);
    for at in 0..pieces.len() {
        let Some(end) = pieces
            .get(at)
            .filter(|piece| piece.is_kept && !piece.is_end)
            .map(|piece| piece.end.unwrap_or(at))
        else {
            continue;
        };
        let element: Vec<usize> = (at..=end).collect();
        let is_paragraph = pieces.get(at).is_some_and(|piece| piece.is_paragraph);
        if without(judge, scene, &mut pieces, &element) || end == at || is_paragraph {
            continue;
        }
        without(judge, scene, &mut pieces, &[at, end]);
    }
    judge.change(scene, |scene| {
        let html = scene.mail.html.as_mut();
        let tidy = |html: &String| html.split_whitespace().collect::<Vec<_>>().join(" ");
        html.into_iter()
            .for_each(|html| *html = tidy(html).replace("> <", "><"));
    });
}

fn without(judge: &mut Judge<'_>, scene: &mut Scene, pieces: &mut [Piece], places: &[usize]) -> bool {
    let before: Vec<bool> = pieces.iter().map(|piece| piece.is_kept).collect();
    for place in places {
        pieces
            .get_mut(*place)
            .into_iter()
            .for_each(|piece| piece.is_kept = false);
    }
    let kept = pieces.iter().filter(|piece| piece.is_kept);
    let html: String = kept.map(|piece| piece.text.as_str()).collect();
    let holds = judge.change(scene, |scene| scene.mail.html = Some(html));
    if !holds {
        pieces
            .iter_mut()
            .zip(before)
            .for_each(|(piece, kept)| piece.is_kept = kept);
    }
    holds
}

fn pieces(source: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut rest = source;
    while !rest.is_empty() {
        let length = match rest.strip_prefix('<') {
            Some(_) => rest.find('>').map_or(rest.len(), |end| end + 1),
            None => rest.find('<').unwrap_or(rest.len()),
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        let place = pieces.len();
        let (mut is_end, mut is_paragraph) = (false, false);
        if let Some(name) = text.strip_prefix("</").map(tag_name) {
            let begin = open.iter().rposition(|(known, _)| *known == name);
            if let Some((_, begin)) = begin.and_then(|at| open.drain(at..).next()) {
                pieces
                    .get_mut(begin)
                    .into_iter()
                    .for_each(|piece| piece.end = Some(place));
                is_end = true;
            }
        } else if let Some(name) = text.strip_prefix('<').map(tag_name) {
            is_paragraph = name == "p";
            open.push((name, place));
        }
        pieces.push(Piece {
            text: text.to_owned(),
            end: None,
            is_end,
            is_paragraph,
            is_kept: true,
        });
    }
    pieces
}

fn tag_name(text: &str) -> String {
    let name = text.split(|c: char| !c.is_ascii_alphanumeric()).next();
    name.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_dropped_down_to_those_that_matter() {
        let mut pieces: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let mut trials = 0;
        fewer(&mut pieces, |pieces| {
            trials += 1;
            ["7", "8", "93"]
                .iter()
                .all(|wanted| pieces.iter().any(|piece| piece == wanted))
        });
        assert_eq!(pieces, ["7", "8", "93"]);
        assert!(trials < 100, "{trials}");
        let mut none: Vec<String> = Vec::new();
        fewer(&mut none, |_| true);
        assert!(none.is_empty());
    }

    #[test]
    fn elements_are_told_with_their_ends() {
        let found = pieces("<p>a<br>b <a href='x'>c</a></p></div>d<i>");
        let ends: Vec<Option<usize>> = found.iter().map(|piece| piece.end).collect();
        assert_eq!(
            ends,
            [Some(7), None, None, None, Some(6), None, None, None, None, None, None]
        );
        let all: String = found.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(all, "<p>a<br>b <a href='x'>c</a></p></div>d<i>");
    }
}
