//! What a style attribute says about whether its element is seen.
//!
//! Enters: the declarations of a `style` attribute. Leaves: what they hide. Reads declarations, not
//! substrings, so that `DISPLAY : none` counts and `x-display:none` doesn't. Knows nothing of style
//! sheets or colours.

/// Declarations that are looked at.
const DECLARATIONS: usize = 200;

/// What declarations say about being seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Visibility {
    /// Nothing inside can be seen either.
    pub(super) gone: bool,
    /// The font has no size; inherited, and an element inside may state another.
    pub(super) sizeless: Option<bool>,
    /// `visibility`; inherited, and an element inside may state another.
    pub(super) invisible: Option<bool>,
}

impl Visibility {
    /// Reads the declarations; the last of equal ones counts.
    pub(super) fn read(style: &str) -> Self {
        let mut found = Self::default();
        let (mut flat, mut clipped) = (false, false);
        for (property, value) in declarations(style) {
            let is = |name: &str| property.eq_ignore_ascii_case(name);
            if is("display") {
                found.gone |= value.eq_ignore_ascii_case("none");
            } else if is("visibility") {
                found.invisible = Some(value.eq_ignore_ascii_case("hidden") || value.eq_ignore_ascii_case("collapse"));
            } else if is("opacity") {
                found.gone |= size(value) == Some(Size::Pixels(0.0));
            } else if is("font-size") {
                found.sizeless = sizeless(value).or(found.sizeless);
            } else if is("font") {
                let of_token = |token: &str| token.split('/').next().and_then(size_with_unit).and_then(sizeless);
                found.sizeless = value.split_ascii_whitespace().find_map(of_token).or(found.sizeless);
            } else if is("text-indent") {
                found.gone |= matches!(size(value), Some(Size::Pixels(pixels)) if pixels <= -500.0);
            } else if ["max-height", "height", "max-width", "width"].into_iter().any(is) {
                flat |= size(value).is_some_and(Size::is_zero);
            } else if is("overflow") {
                clipped |= value.eq_ignore_ascii_case("hidden");
            }
        }
        // A box without height shows what overflows it, unless that is clipped.
        found.gone |= flat && clipped;
        found
    }
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
        Some(Size::Pixels(pixels)) => Some(pixels < 1.0),
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
    fn is_zero(self) -> bool {
        matches!(self, Self::Pixels(0.0) | Self::Relative(0.0))
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
            ("x-display:none", false),
            ("display:block", false),
            ("", false),
        ] {
            assert_eq!(Visibility::read(style).gone, expected, "{style}");
        }
    }

    #[test]
    fn what_is_inherited_is_told_apart() {
        for (style, expected) in [
            ("font-size:0", Some(true)),
            ("FONT-SIZE : 0.1px", Some(true)),
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
