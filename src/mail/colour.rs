//! Colours as HTML and CSS write them, to tell text that stands on its own colour.
//!
//! Enters: the value of a declaration or attribute. Leaves: a colour, or that there is none to be seen. Knows the names
//! that mail uses. Knows nothing of elements.

/// What something is painted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// Red, green and blue.
    Paint(u8, u8, u8),
    /// Nothing at all.
    Clear,
    /// An image, a gradient, or what isn't understood.
    Unknown,
}

/// Sums of the differences in red, green and blue up to which one colour can't be told from another.
const SAME: u16 = 24;

impl Colour {
    pub(super) const WHITE: Self = Self::Paint(255, 255, 255);

    /// Of `color`, `bgcolor` and the like.
    pub(super) fn read(value: &str) -> Self {
        let value = value.trim();
        if let Some(hex) = value.strip_prefix('#') {
            return of_hex(hex);
        }
        let lower = value.to_ascii_lowercase();
        if let Some((function, arguments)) = lower.split_once('(') {
            return match function.trim() {
                "rgb" | "rgba" => of_numbers(arguments.trim_end_matches(')')),
                _ => Self::Unknown,
            };
        }
        match NAMES.binary_search_by_key(&lower.as_str(), |(name, _)| name) {
            Ok(place) => NAMES.get(place).map_or(Self::Unknown, |(_, (red, green, blue))| {
                Self::Paint(*red, *green, *blue)
            }),
            Err(_) if matches!(lower.as_str(), "transparent" | "none") => Self::Clear,
            // `bgcolor=ffffff`, as mail programs take it too.
            Err(_) => of_hex(&lower),
        }
    }

    /// Of the `background` shorthand: any part of it may be the colour.
    pub(super) fn of_background(value: &str) -> Self {
        let lower = value.to_ascii_lowercase();
        if lower.contains("url(") || lower.contains("gradient") {
            return Self::Unknown;
        }
        if lower.contains('(') {
            return Self::read(value);
        }
        let mut parts = lower.split_ascii_whitespace().map(Self::read);
        parts.find(|part| *part != Self::Unknown).unwrap_or(Self::Unknown)
    }

    /// Whether text of this colour can't be seen on paper of another.
    pub(super) fn is_lost_on(self, paper: Self) -> bool {
        match (self, paper) {
            (Self::Clear, _) => true,
            (Self::Paint(red, green, blue), Self::Paint(red_too, green_too, blue_too)) => {
                let differences = [(red, red_too), (green, green_too), (blue, blue_too)];
                differences
                    .iter()
                    .map(|(one, other)| u16::from(one.abs_diff(*other)))
                    .sum::<u16>()
                    <= SAME
            }
            _ => false,
        }
    }
}

fn of_hex(hex: &str) -> Colour {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    match digits.as_deref() {
        Some([red, green, blue]) => Colour::Paint(red * 17, green * 17, blue * 17),
        Some([_, _, _, 0]) => Colour::Clear,
        Some([_, _, _, _, _, _, 0, 0]) => Colour::Clear,
        Some([a, b, c, d, e, f] | [a, b, c, d, e, f, _, _]) => Colour::Paint(a << 4 | b, c << 4 | d, e << 4 | f),
        _ => Colour::Unknown,
    }
}

/// `255, 255, 255`, perhaps with an opacity behind.
fn of_numbers(arguments: &str) -> Colour {
    let parts = arguments
        .split([',', '/', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let numbers: Vec<Option<f32>> = parts
        .map(|part| match part.strip_suffix('%') {
            Some(share) => share.parse().ok().map(|share: f32| share * 2.55),
            None => part.parse().ok(),
        })
        .collect();
    match numbers.as_slice() {
        [Some(_), Some(_), Some(_), Some(opacity)] if *opacity < 0.05 => Colour::Clear,
        [Some(red), Some(green), Some(blue)] | [Some(red), Some(green), Some(blue), _] => {
            Colour::Paint(byte(*red), byte(*green), byte(*blue))
        }
        _ => Colour::Unknown,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a range that fits"
)]
fn byte(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

/// Names, sorted.
#[rustfmt::skip]
const NAMES: &[(&str, (u8, u8, u8))] = &[
    ("aliceblue", (240, 248, 255)), ("antiquewhite", (250, 235, 215)), ("azure", (240, 255, 255)),
    ("beige", (245, 245, 220)), ("black", (0, 0, 0)), ("blue", (0, 0, 255)), ("brown", (165, 42, 42)),
    ("crimson", (220, 20, 60)), ("cyan", (0, 255, 255)), ("darkblue", (0, 0, 139)), ("darkgray", (169, 169, 169)),
    ("darkgreen", (0, 100, 0)), ("darkgrey", (169, 169, 169)), ("darkred", (139, 0, 0)), ("dimgray", (105, 105, 105)),
    ("fuchsia", (255, 0, 255)), ("ghostwhite", (248, 248, 255)), ("gold", (255, 215, 0)), ("gray", (128, 128, 128)),
    ("green", (0, 128, 0)), ("grey", (128, 128, 128)), ("ivory", (255, 255, 240)), ("lavender", (230, 230, 250)),
    ("lightblue", (173, 216, 230)), ("lightgray", (211, 211, 211)), ("lightgreen", (144, 238, 144)),
    ("lightgrey", (211, 211, 211)), ("lightyellow", (255, 255, 224)), ("lime", (0, 255, 0)), ("linen", (250, 240, 230)),
    ("magenta", (255, 0, 255)), ("maroon", (128, 0, 0)), ("mintcream", (245, 255, 250)), ("navy", (0, 0, 128)),
    ("olive", (128, 128, 0)), ("orange", (255, 165, 0)), ("pink", (255, 192, 203)), ("purple", (128, 0, 128)),
    ("red", (255, 0, 0)), ("royalblue", (65, 105, 225)), ("seashell", (255, 245, 238)), ("silver", (192, 192, 192)),
    ("snow", (255, 250, 250)), ("teal", (0, 128, 128)), ("white", (255, 255, 255)), ("whitesmoke", (245, 245, 245)),
    ("yellow", (255, 255, 0)),
];

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = Colour::Paint(0, 0, 0);

    #[test]
    fn colours_are_read_in_every_notation() {
        for (value, expected) in [
            ("#fff", Colour::WHITE),
            ("#FFFFFF", Colour::WHITE),
            ("ffffff", Colour::WHITE),
            (" White ", Colour::WHITE),
            ("rgb(255, 255, 255)", Colour::WHITE),
            ("rgb(100%,100%,100%)", Colour::WHITE),
            ("rgba(0,0,0,0)", Colour::Clear),
            ("rgba(0,0,0,.9)", BLACK),
            ("#ffffff00", Colour::Clear),
            ("transparent", Colour::Clear),
            ("hsl(0,0%,100%)", Colour::Unknown),
            ("inherit", Colour::Unknown),
            ("", Colour::Unknown),
        ] {
            assert_eq!(Colour::read(value), expected, "{value}");
        }
        assert_eq!(Colour::of_background("#ffffff url(x.png)"), Colour::Unknown);
        assert_eq!(Colour::of_background("no-repeat #000"), BLACK);
        assert_eq!(Colour::of_background("rgb(0, 0, 0)"), BLACK);
    }

    #[test]
    fn near_colours_are_lost_on_each_other() {
        for (ink, paper, lost) in [
            ("#fff", "#fff", true),
            ("#fefefe", "white", true),
            ("#f8f8f8", "#fff", true),
            ("#f6f6f6", "#fff", false),
            ("#000", "#fff", false),
            ("transparent", "#000", true),
            ("#fff", "url", false),
        ] {
            assert_eq!(Colour::read(ink).is_lost_on(Colour::read(paper)), lost, "{ink} {paper}");
        }
    }

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| name));
    }
}
