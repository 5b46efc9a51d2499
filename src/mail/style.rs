//! What declarations say about whether their element is seen.
//!
//! Enters: the declarations of a `style` attribute, or of a rule of a style sheet. Leaves: what they hide, and the
//! colours that they set. Reads declarations, not substrings, so that `DISPLAY : none` counts and `x-display:none`
//! doesn't. Knows nothing of selectors.

use super::colour::Colour;

/// Declarations that are looked at.
const DECLARATIONS: usize = 200;

/// So far out nobody scrolls.
const OFF_SCREEN: f32 = -500.0;

/// What declarations say about being seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Visibility {
    /// Nothing inside can be seen either.
    pub(super) gone: bool,
    /// `display`: whether it is `none`.
    pub(super) undisplayed: Option<bool>,
    /// The font has no size; inherited, and an element inside may state another.
    pub(super) sizeless: Option<bool>,
    /// `visibility`; inherited, and an element inside may state another.
    pub(super) invisible: Option<bool>,
    /// What text is painted with; inherited.
    pub(super) ink: Option<Colour>,
    /// What lies behind it.
    pub(super) paper: Option<Colour>,
}

/// What a box says about its place, which only together hides it.
#[derive(Default)]
struct Place {
    flat: bool,
    clipped: bool,
    taken_out: bool,
    off_screen: bool,
}

impl Visibility {
    /// Reads the declarations; the last of equal ones counts.
    pub(super) fn read(style: &str) -> Self {
        let mut found = Self::default();
        let mut place = Place::default();
        let mut buffer = [0; PROPERTY_BYTES];
        for (property, value) in declarations(style) {
            let Some(name) = lower(property, &mut buffer) else {
                continue;
            };
            match name {
                b"display" => found.undisplayed = Some(value.eq_ignore_ascii_case("none")),
                b"visibility" => {
                    let hidden = ["hidden", "collapse"];
                    found.invisible = Some(hidden.iter().any(|word| value.eq_ignore_ascii_case(word)));
                }
                b"opacity" => found.gone |= matches!(size(value), Some(Size::Pixels(share)) if share < 0.05),
                b"font-size" => found.sizeless = sizeless(value).or(found.sizeless),
                b"font" => {
                    let of_token = |token: &str| token.split('/').next().and_then(size_with_unit).and_then(sizeless);
                    found.sizeless = value.split_ascii_whitespace().find_map(of_token).or(found.sizeless);
                }
                b"color" | b"-webkit-text-fill-color" => found.ink = Some(Colour::read(value)),
                b"background-color" => found.paper = Some(Colour::read(value)),
                b"background" => found.paper = Some(Colour::of_background(value)),
                b"background-image" if !value.eq_ignore_ascii_case("none") => found.paper = Some(Colour::Unknown),
                b"transform" => found.gone |= has_word(value, "scale(0)"),
                b"clip" => found.gone |= is_clipped_away(value),
                b"clip-path" => found.gone |= has_word(value, "inset(100%)") || has_word(value, "inset(50%)"),
                _ => place.note(name, value),
            }
        }
        // A box without height shows what overflows it, unless that is clipped.
        found.gone |= (place.flat && place.clipped) || (place.taken_out && place.off_screen);
        found
    }

    /// These declarations where others said something before them.
    pub(super) fn over(self, before: Self) -> Self {
        Self {
            gone: self.gone || before.gone,
            undisplayed: self.undisplayed.or(before.undisplayed),
            sizeless: self.sizeless.or(before.sizeless),
            invisible: self.invisible.or(before.invisible),
            ink: self.ink.or(before.ink),
            paper: self.paper.or(before.paper),
        }
    }

    /// Whether they hide anything by themselves.
    pub(super) fn hides(self) -> bool {
        self.gone || [self.undisplayed, self.sizeless, self.invisible].contains(&Some(true))
    }

    /// Whether they paint anything.
    pub(super) fn paints(self) -> bool {
        self.ink.is_some() || self.paper.is_some()
    }
}

impl Place {
    fn note(&mut self, name: &[u8], value: &str) {
        let is_far = || matches!(size(value), Some(Size::Pixels(pixels)) if pixels <= OFF_SCREEN);
        match name {
            b"max-height" | b"height" | b"max-width" | b"width" => {
                self.flat |= size(value).is_some_and(Size::is_nothing)
            }
            b"overflow" | b"overflow-x" | b"overflow-y" => self.clipped |= value.eq_ignore_ascii_case("hidden"),
            b"position" => {
                self.taken_out |= ["absolute", "fixed"]
                    .iter()
                    .any(|word| value.eq_ignore_ascii_case(word))
            }
            b"left" | b"top" | b"right" | b"bottom" => self.off_screen |= is_far(),
            // These need no position of their own.
            b"text-indent" | b"margin-left" | b"margin-top" if is_far() => {
                (self.taken_out, self.off_screen) = (true, true);
            }
            _ => {}
        }
    }
}

/// The longest property that is asked for.
const PROPERTY_BYTES: usize = 24;

/// A property in lower case; `None` of longer ones.
fn lower<'b>(property: &str, buffer: &'b mut [u8; PROPERTY_BYTES]) -> Option<&'b [u8]> {
    let name = buffer.get_mut(..property.len())?;
    name.copy_from_slice(property.as_bytes());
    name.make_ascii_lowercase();
    Some(name)
}

/// Whether a value holds a word, blanks and case aside.
fn has_word(value: &str, word: &str) -> bool {
    let bare: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    bare.to_ascii_lowercase().contains(word)
}

/// `rect(0, 0, 0, 0)` and the like: every side is the same.
fn is_clipped_away(value: &str) -> bool {
    let inner = value
        .split_once('(')
        .map_or("", |(_, inner)| inner.trim_end_matches(')'));
    let mut sides = inner.split([',', ' ']).filter(|side| !side.is_empty()).map(size);
    let first = sides.next().flatten();
    first.is_some() && sides.all(|side| side == first)
}

/// The size in pixels that a declaration of `property` states.
pub(super) fn pixels(style: &str, property: &str) -> Option<f32> {
    let mut values = declarations(style).filter(|(name, _)| name.eq_ignore_ascii_case(property));
    match values.next().and_then(|(_, value)| size(value)) {
        Some(Size::Pixels(pixels)) => Some(pixels),
        _ => None,
    }
}

/// Names and values, without `!important`.
fn declarations(style: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = style
        .split(';')
        .take(DECLARATIONS)
        .filter_map(|declaration| declaration.split_once(':'));
    pairs.map(|(property, value)| (property.trim(), value.split('!').next().unwrap_or("").trim()))
}

/// Whether a font of this size can't be seen; `None` when that hangs on the font around it.
fn sizeless(value: &str) -> Option<bool> {
    match size(value) {
        Some(Size::Pixels(pixels)) => Some(pixels <= 1.0),
        Some(Size::Relative(share)) => (share == 0.0).then_some(true),
        // `medium`, `large` and the like.
        None => value.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(false),
    }
}

/// A length that states its unit, or zero: in the `font` shorthand a bare number is a weight.
fn size_with_unit(token: &str) -> Option<&str> {
    let is_length = token.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    (is_length && (token == "0" || token.ends_with(|c: char| c.is_ascii_alphabetic() || c == '%'))).then_some(token)
}

/// A length.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Size {
    Pixels(f32),
    /// As a share of what is around.
    Relative(f32),
}

impl Size {
    /// A box of a pixel shows nothing either.
    fn is_nothing(self) -> bool {
        match self {
            Self::Pixels(pixels) => pixels <= 1.0,
            Self::Relative(share) => share == 0.0,
        }
    }
}

fn size(value: &str) -> Option<Size> {
    let end = value
        .find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+'))
        .unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(end)?;
    let number: f32 = number.parse().ok()?;
    let unit = unit.trim();
    let is = |name: &str| unit.eq_ignore_ascii_case(name);
    Some(match () {
        () if is("em") || is("ex") || is("ch") || is("%") => Size::Relative(number),
        () if is("rem") || is("vw") || is("vh") || is("in") || is("cm") || is("pc") => Size::Pixels(number * 16.0),
        () => Size::Pixels(number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_gone() {
        for (style, expected) in [
            ("display:none", true),
            ("color: red; DISPLAY : none !important", true),
            ("opacity:0", true),
            ("opacity:0.5", false),
            ("max-height:0;overflow:hidden", true),
            ("max-height:0", false),
            ("max-height:10px;overflow:hidden", false),
            ("text-indent:-9999px", true),
            ("position:absolute; left:-9999px", true),
            ("POSITION: fixed; top: -600px", true),
            ("left:-9999px", false),
            ("position:absolute;left:-10px", false),
            ("margin-left:-9999px", true),
            ("clip:rect(0,0,0,0)", true),
            ("clip: rect(1px 1px 1px 1px)", true),
            ("clip:rect(0,10px,10px,0)", false),
            ("clip-path: inset( 100% )", true),
            ("transform:scale(0)", true),
            ("opacity:0.01", true),
            ("width:1px;height:1px;overflow:hidden", true),
            ("display:none;display:block", false),
            ("x-display:none", false),
            ("display:block", false),
            ("", false),
        ] {
            let found = Visibility::read(style);
            assert_eq!(found.gone || found.undisplayed == Some(true), expected, "{style}");
        }
    }

    #[test]
    fn colours_are_told() {
        let found = Visibility::read("COLOR:#fff; background : #FFF url(x.png)");
        assert_eq!((found.ink, found.paper), (Some(Colour::WHITE), Some(Colour::Unknown)));
        let found = Visibility::read("background:#fff;background-image:linear-gradient(#000,#111)");
        assert_eq!(found.paper, Some(Colour::Unknown));
        assert!(!Visibility::read("margin:0").paints());
    }

    #[test]
    fn what_is_inherited_is_told_apart() {
        for (style, expected) in [
            ("font-size:0", Some(true)),
            ("FONT-SIZE : 0.1px", Some(true)),
            ("font-size:1px", Some(true)),
            ("font-size:2px", Some(false)),
            ("font-size:12px", Some(false)),
            ("font-size:medium", Some(false)),
            ("font-size:0.9em", None),
            ("font-size:80%", None),
            ("font-size:0%", Some(true)),
            ("font: bold 0px/0 Arial", Some(true)),
            ("font: 700 12px Arial", Some(false)),
            ("color:red", None),
        ] {
            assert_eq!(Visibility::read(style).sizeless, expected, "{style}");
        }
        assert_eq!(Visibility::read("visibility:hidden").invisible, Some(true));
        assert_eq!(Visibility::read("visibility:visible").invisible, Some(false));
        assert_eq!(pixels("WIDTH:1px", "width"), Some(1.0));
    }
}
